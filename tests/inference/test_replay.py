"""On recorded completions the harness gives exactly the figures that the labels imply."""

from pathlib import Path

import pytest
from replay import ReplaySampler

from trl_dsmath.data.benchmarks import Problem
from trl_dsmath.generation import Decoding
from trl_dsmath.grading.metrics import maj_at_k
from trl_dsmath.inference import EvaluateConfig, load_benchmark, plan, run, score
from trl_dsmath.inference.run import Task, read_samples

# By benchmark and problem: completions with the label of a careful reader, and whether the answer is right in the box.
RECORDED: dict[str, list[list[tuple[str, bool, bool]]]] = {
    "gsm8k": [
        [
            ("3*6 = 18. \\boxed{18}", True, True),
            ("3 \\boxed{3} times 6 is \\boxed{18} eggs", True, True),
            ("There are 3*6=18 eggs", True, False),
            ("I am not sure.", False, False),
        ],
        [
            ("The answer is 2,500 kg.", True, False),
            ("\\boxed{2500\\text{ kg}}", True, True),
            ("#### 2500", True, False),
            ("\\boxed{250}", False, False),
        ],
    ],
    "math": [
        [
            ("$\\boxed{0.75}$", True, True),
            ("$\\boxed{\\dfrac{6}{8}}$", True, True),
            ("$\\boxed{75\\%}$", True, True),
            ("Thus $\\frac{1}{4}$", False, False),
        ],
        [
            ("$\\boxed{3}$ and $\\boxed{-3}$", True, True),
            ("$\\boxed{\\pm 3}$", True, True),
            ("$\\boxed{3}$", False, False),
            ("x is 3 or -3, so $\\boxed{\\{-3,3\\}}$", True, True),
        ],
    ],
    "math500": [
        [
            ("$\\boxed{\\sqrt{12}}$", True, True),
            ("It is $2\\sqrt{3}$", True, False),
            ("$\\boxed{2\\sqrt3}$", True, True),
            ("$\\boxed{3\\sqrt{2}}$", False, False),
        ],
        [
            ("$\\boxed{0 \\le x < 1}$", True, True),
            ("$\\boxed{(0,1)}$", False, False),
            ("$\\boxed{[0,1]}$", False, False),
            ("$\\boxed{x\\in[0,1)}$", True, True),
        ],
    ],
    "ocw": [
        [
            ("\\boxed{4.5 \\times 10^{33}} ergs", True, True),
            ("The final answer is $4.5\\cdot 10^{33}$. I hope it is correct.", True, False),
            ("\\boxed{4.5 \\times 10^{32}}", False, False),
            ("Nobody knows.", False, False),
        ],
        [
            ("\\boxed{C e^{-kt}}", True, True),
            ("\\boxed{y = C\\exp(-kt)}", True, True),
            ("\\boxed{C e^{kt}}", False, False),
            ("So $y(t)=Ce^{-kt}$.", True, False),
        ],
    ],
    "sat": [
        [
            ("\\boxed{C}", True, True),
            ("\\boxed{12}", True, False),  # the words of option C
            ("The correct answer is (C) 12.", True, False),
            ("\\boxed{\\text{B}}", False, False),
        ],
        [
            ("\\boxed{\\frac{1}{2}}", True, False),
            ("\\boxed{0.5}", True, False),
            ("D", True, False),
            ("\\boxed{A) $f(2)=4$}", False, False),
        ],
    ],
    "mmlu_stem": [
        [
            ("7 is prime: \\boxed{(C)}", True, True),
            ("\\boxed{C. 7}", True, True),
            ("The final answer is (D).", False, False),
            ("Option C is prime", True, False),
        ],
        [
            ("\\boxed{A}", True, True),
            ("(B) is false. (A) is true, so the answer is A.", True, False),
            ("\\boxed{B}", False, False),
            ("Hm.", False, False),
        ],
    ],
    "cmath": [
        [
            ("3×6=18，\\boxed{18}", True, True),
            ("一共有18颗糖。答案是18颗。", True, False),
            ("\\boxed{十八}", True, True),
            ("一共9颗。", False, False),
        ],
        [
            ("\\boxed{3元}", True, True),
            ("1.5×2=3（元）", True, False),
            ("答：要3.0元", True, False),
            ("\\boxed{1.5}", False, False),
        ],
    ],
    "mgsm_zh": [
        [
            ("\\boxed{18}", True, True),
            ("所以一共有 18 个鸡蛋", True, False),
            ("\\boxed{18 个}", True, True),
            ("\\boxed{6}", False, False),
        ],
        [
            ("\\boxed{2,500}", True, True),
            ("1250 × 2 = 2500 千克", True, False),
            ("\\boxed{2.5}", False, False),
            ("不知道", False, False),
        ],
    ],
    "gaokao_mathcloze": [
        [
            ("\\boxed{5;10}", True, True),
            ("$r=\\boxed{5}$, $d=\\boxed{10}$", True, True),
            ("\\boxed{10;5}", False, False),
            ("答案是$5$;$10$。", True, False),
        ],
        [
            ("\\boxed{0\\le a\\le 2}", True, True),
            ("\\boxed{[0,2]}", True, True),
            ("\\boxed{(0,2)}", False, False),
            ("所以取值范围为 $[0,2]$", True, False),
        ],
    ],
    "gaokao_mathqa": [
        [
            ("\\boxed{B}", True, True),
            ("故选B。", True, False),
            ("所以选项(B)正确", True, False),
            ("\\boxed{A}", False, False),
        ],
        [
            ("\\boxed{ACD}", True, True),
            ("\\boxed{A, C, D}", True, True),
            ("\\boxed{AC}", False, False),
            ("答案是ACD", True, False),
        ],
    ],
}


@pytest.mark.parametrize("name", RECORDED)
def test_figures_are_those_of_the_labels(name: str, benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark(name, benchmarks_dir)
    tell = {problem.question: [text for text, _, _ in RECORDED[name][problem.index]] for problem in problems}

    def recorded(prompt: str, number: int) -> str:
        return next(texts[number] for question, texts in tell.items() if prompt.startswith(question))

    settings = EvaluateConfig((name,), greedy=False, num_samples=4)
    tasks = plan(problems, settings, "recorded")
    run(tasks, ReplaySampler(recorded), tmp_path)
    scores = score(tasks, read_samples(tmp_path))
    assert scores.complete and not any(scores.bad_golds.values())
    by_task = {(one.key, one.sample): one for one in scores.graded}
    for task in tasks:
        for number, (text, flexible, strict) in enumerate(RECORDED[name][task.problem.index]):
            one = by_task[task.key, number]
            assert (one.right("flexible"), one.right("strict")) == (flexible, strict), (text, one)
    figures = {(figure.name, figure.filter): figure.value for figure in scores.metrics}
    for place, reading in ((1, "flexible"), (2, "strict")):
        right = [[bool(row[place]) for row in rows] for rows in RECORDED[name]]
        assert figures["avg@4", reading] == sum(map(sum, right)) / 8
        assert figures["pass@4", reading] == sum(map(any, right)) / 2
        one_of_two = [1 - (4 - sum(r)) * (3 - sum(r)) / 12 for r in right]  # 1 - C(wrong, 2) / C(4, 2)
        assert figures["pass@2", reading] == pytest.approx(sum(one_of_two) / 2)


def test_votes_are_over_equal_answers_not_equal_texts(benchmarks_dir: Path, tmp_path: Path) -> None:
    """One half written in three ways outvotes two equal texts; the gold, 3/4, has one vote."""
    problem = load_benchmark("math", benchmarks_dir)[:1]
    texts = ["\\boxed{0.5}", "\\boxed{1}", "\\boxed{\\frac{1}{2}}", "\\boxed{1}", "\\boxed{50\\%}", "\\boxed{3/4}"]
    tasks = plan(problem, EvaluateConfig(("math",), greedy=False, num_samples=6), "recorded")
    run(tasks, ReplaySampler(lambda prompt, number: texts[number]), tmp_path)
    figures = {f.name: f.value for f in score(tasks, read_samples(tmp_path)).metrics if f.filter == "flexible"}
    assert (figures["maj@6"], figures["pass@6"], figures["avg@6"]) == (0.0, 1.0, 1 / 6)
    assert figures["maj@2"] == maj_at_k([0, 1, 0, 1, 0, 2], [False] * 5 + [True], 2)


def test_a_problem_that_is_too_long_counts_as_wrong_and_is_told(benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark("gsm8k", benchmarks_dir)
    sampler = ReplaySampler(lambda prompt, number: "\\boxed{18}")
    lengths = [len(sampler.encode_prompt(task.prompt)) for task in plan(problems, EvaluateConfig(("gsm8k",)), "m")]
    assert lengths[0] < lengths[1]
    sampler.context_length = lengths[0] + 10
    tasks = plan(problems, EvaluateConfig(("gsm8k",), max_new_tokens=10), "m", sampler)
    run(tasks, sampler, tmp_path)
    scores = score(tasks, read_samples(tmp_path))
    assert [task.too_long for task in tasks] == [False, True]
    assert scores.complete and scores.too_long == {"gsm8k": 1}  # nothing is missing that another run could draw
    assert [(f.value, f.problems) for f in scores.metrics if f.filter == "flexible"] == [(0.5, 2)]


def test_samples_that_are_missing_cut_off_or_of_another_plan(benchmarks_dir: Path, tmp_path: Path) -> None:
    """Two problems, two samples each: the first two rows are the first problem's."""
    settings = EvaluateConfig(("gsm8k",), greedy=False, num_samples=2)
    tasks = plan(load_benchmark("gsm8k", benchmarks_dir), settings, "recorded")
    run(tasks, ReplaySampler(lambda prompt, number: "\\boxed{18}" if number else "\\boxed{1}"), tmp_path)
    rows = sorted(read_samples(tmp_path), key=lambda row: (row["key"] != tasks[0].key, row["sample"]))
    rows[0] |= {"finished": False}
    del rows[1]["finished"]  # as in a recording
    scores = score(tasks, [*rows, {**rows[0], "sample": 2}, {**rows[0], "key": "another"}])
    assert (len(scores.graded), scores.complete, scores.cut_off, scores.missing) == (
        4,
        True,
        {"gsm8k": 1},
        {"gsm8k": 0},
    )
    figures = {figure.name: figure.value for figure in scores.metrics if figure.filter == "strict"}
    assert figures == {"avg@2": 1 / 4, "maj@2": 0.0, "pass@2": 1 / 2}  # of 1 and 18 the first wins
    part = score(tasks, rows[1:])
    assert (part.complete, part.missing, part.cut_off) == (False, {"gsm8k": 1}, {"gsm8k": 0})
    assert {figure.problems for figure in part.metrics} == {1}  # the other problem, which is whole


def _task(benchmark: str, gold: str, decoding: str, samples: int, **settings: object) -> Task:
    problem = Problem(benchmark, 0, "?", settings.pop("options", ()), gold, settings.pop("kind", "number"))  # type: ignore[arg-type]
    mode = settings.pop("mode", "cot")
    return Task(f"{gold}/{decoding}", decoding, problem, mode, "box", "?", Decoding(16), samples, **settings)  # type: ignore[arg-type]


def _row(task: Task, sample: int, completion: str, **fields: object) -> dict:
    return {"key": task.key, "sample": sample, "completion": completion, **fields}


def test_two_test_sets_and_two_decodings_by_hand() -> None:
    """In `a` the second problem is too long; the gold of `b` cannot be read."""
    tasks = [
        _task("a", "1", "greedy", 1), _task("a", "2", "greedy", 1, too_long=True), _task("b", "", "greedy", 1),
        _task("a", "1", "sampled", 3), _task("a", "2", "sampled", 3, too_long=True), _task("b", "", "sampled", 3),
    ]  # fmt: skip
    rows = [
        _row(tasks[0], 0, "\\boxed{1}"), _row(tasks[2], 0, "\\boxed{5}", finished=False),
        _row(tasks[3], 2, "\\boxed{1}"), _row(tasks[3], 1, "It is 1", finished=False), _row(tasks[3], 0, "\\boxed{2}"),
        *(_row(tasks[5], i, "\\boxed{5}") for i in range(3)),
    ]  # fmt: skip
    scores = score(tasks, rows)
    assert scores.complete and scores.missing == {"a": 0, "b": 0}
    assert (scores.too_long, scores.bad_golds, scores.cut_off) == (
        {"a": 1, "b": 0},
        {"a": 0, "b": 1},
        {"a": 1, "b": 1},
    )
    found = {(one.benchmark, one.name, one.filter): one.value for one in scores.metrics}
    assert {key: value for key, value in found.items() if key[0] == "b"} == {
        key: 0.0 for key in found if key[0] == "b"
    } and len(found) == 2 * 2 * (1 + 5)
    # The samples say 2, 1, 1; in the box 2, nothing, 1: of two votes the first wins. The other problem has 0 in each.
    assert {key[1:]: value for key, value in found.items() if key[0] == "a" and key[1] != "maj@2"} == {
        ("greedy", "flexible"): 1 / 2, ("avg@3", "flexible"): 1 / 3, ("maj@3", "flexible"): 1 / 2,
        ("pass@2", "flexible"): 1 / 2, ("pass@3", "flexible"): 1 / 2,
        ("greedy", "strict"): 1 / 2, ("avg@3", "strict"): 1 / 6, ("maj@3", "strict"): 0.0,
        ("pass@2", "strict"): pytest.approx(1 / 3), ("pass@3", "strict"): 1 / 2,
    }  # fmt: skip
    assert found["a", "maj@2", "flexible"] == maj_at_k([0, 1, 1], [False, True, True], 2) / 2
    assert {one.problems for one in scores.metrics if one.benchmark == "a"} == {2}
    part = score(tasks, rows[:-1])
    assert part.missing == {"a": 0, "b": 1}
    assert {one.name for one in part.metrics if one.benchmark == "b"} == {"greedy"}


def test_programs_recordings_and_single_samples_by_hand() -> None:
    tool, recorded, one = (
        _task("t", "7", "greedy", 1, mode="tool"),
        _task("r", "8", "recorded", 1, mode="tool"),
        _task("s", "9", "sampled", 1),
    )
    rows = [
        _row(tool, 0, "\\boxed{6}", printed="7"),
        _row(recorded, 0, "no answer", printed="8"),
        _row(one, 0, "\\boxed{9}"),
    ]
    found = {(m.name, m.filter): m.value for m in score([tool, recorded, one], rows).metrics}
    assert found == {
        ("greedy", "flexible"): 0.0, ("greedy", "strict"): 0.0, ("greedy", "program"): 1.0,
        ("recorded", "flexible"): 1.0, ("recorded", "strict"): 0.0,
        ("avg@1", "flexible"): 1.0, ("avg@1", "strict"): 1.0,
    }  # fmt: skip


def test_the_words_of_an_option_are_its_letter_where_they_are_one_option() -> None:
    options = ("12", "13", "\\frac{24}{2}", "14")
    tasks = [_task("c", gold, "greedy", 1, kind="choice", options=options) for gold in ("A", "B", "C", "D")]
    rows = [_row(task, 0, text) for task, text in zip(tasks, ("\\boxed{12}", "\\boxed{13}", "\\boxed{C}", "\\boxed{15}"), strict=True)]  # fmt: skip
    assert [one.answers["flexible"] for one in score(tasks, rows).graded] == ["12", "B", "C", "15"]
    letters = _task("c", "A", "greedy", 1, kind="choice", options=("C", "D", "A", "B"))
    assert score([letters], [_row(letters, 0, "\\boxed{A}")]).graded[0].answers["flexible"] == "A"
    plain = _task("c", "12", "greedy", 1, options=options)
    assert score([plain], [_row(plain, 0, "\\boxed{12}")]).graded[0].answers["flexible"] == "12"
