"""Loading the test sets, choosing problems, and what a model is shown."""

import json
from pathlib import Path

import pytest

from trl_dsmath import paper
from trl_dsmath.data import benchmarks
from trl_dsmath.data.benchmarks import Problem, canonical, split_options
from trl_dsmath.data.few_shot import EXAMPLES
from trl_dsmath.data.prompts import COT_EN, COT_ZH, TOOL_EN, BuiltPrompt
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.inference import BENCHMARKS, EvaluateConfig, choose, load_benchmark, plan

REAL = Path(__file__).parents[3] / "shared" / "data"
TEN = [name for name in BENCHMARKS if not name.startswith("aime")]


def test_all_ten_are_read(benchmarks_dir: Path) -> None:
    golds = {name: [p.gold for p in load_benchmark(name, benchmarks_dir)] for name in TEN}
    assert golds == {
        "gsm8k": ["18", "2,500"],
        "math": ["\\frac{3}{4}", "-3, 3"],
        "math500": ["2\\sqrt{3}", "[0,1)"],
        "ocw": ["4.5e33", "C e^{-k t}"],
        "sat": ["C", "D"],
        "mmlu_stem": ["C", "A"],
        "cmath": ["18", "3.0"],
        "mgsm_zh": ["18", "2500"],
        "gaokao_mathcloze": ["$5$;$10$", "$[0,2]$"],
        "gaokao_mathqa": ["B", "ACD"],
    }
    sat = load_benchmark("SAT", benchmarks_dir)[0]
    assert sat.options == ("3", "6", "12", "24") and sat.question.endswith("\nA) 3 B) 6 C) 12 D) 24")
    mmlu = load_benchmark("mmlu-stem", benchmarks_dir)[0]
    assert mmlu.question == "Which is prime?\n(A) 4\n(B) 6\n(C) 7\n(D) 9"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real test sets are not at ../shared/data")
@pytest.mark.parametrize("name", TEN)
def test_the_real_files_have_the_published_sizes(name: str) -> None:
    problems = load_benchmark(name, REAL)
    assert len(problems) == BENCHMARKS[name].size
    assert all(len(problem.options) == (4 if problem.kind == "choice" else 0) for problem in problems)


def test_other_forms_of_the_hub() -> None:
    assert split_options("A) $f(B)=2$ B) 5 C) A) D) 1") == ("$f(B)=2$", "5", "A)", "1")
    assert split_options(["(A)$1$", "B. two", "plain", "C) as A) and B) say"]) == (
        "$1$",
        "two",
        "plain",
        "as A) and B) say",
    )
    assert split_options("") == split_options("no letters") == () and split_options("A) 3 B) 6 ") == ("3", "6")


def test_from_the_hub_and_from_a_folder_at_home(
    benchmarks_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []
    row = {"question": "Which?", "options": ["1", "2"], "answer": "A"}

    def load(name: str, config: str | None) -> tuple[dict[str, list[dict]], list[str]]:
        asked.append((name, config))
        return {"test": [{**row, "subject": "astronomy"}, {**row, "subject": "law"}]}, []

    monkeypatch.setattr(benchmarks, "load", load)
    assert [len(load_benchmark(name)) for name in ("gsm8k", "math", "mmlu_stem")] == [2, 2 * 7, 1]
    assert asked[0] == ("openai/gsm8k", "main") and len(set(asked)) == 1 + 7 + 1
    assert {name for name, benchmark in BENCHMARKS.items() if benchmark.hub_split == "train"} == {"sat", "aime24"}
    with pytest.raises(DataError, match="has no split 'train'; there are: test"):
        load_benchmark("sat")
    monkeypatch.setenv("HOME", str(benchmarks_dir.parent))
    assert len(load_benchmark("gsm8k", f"~/{benchmarks_dir.name}")) == 2


@pytest.mark.skipif(not REAL.is_dir(), reason="the real test sets are not at ../shared/data")
def test_math_500_keeps_the_base_of_an_answer() -> None:
    """Its column `answer` says 204, so the full answer, 204_5, would be judged wrong."""
    from trl_dsmath.grading import Verdict, grade

    gold = load_benchmark("math500", REAL)[311].gold
    assert gold == "204_5" and grade(["204_5", "204"], [gold] * 2) == [Verdict.CORRECT] * 2


def test_unknown_names_and_absent_files(tmp_path: Path) -> None:
    assert [canonical(name) for name in (" MATH-500 ", "GaoKao MathQA", "gsm9k")] == [
        "math500",
        "gaokao_mathqa",
        "gsm9k",
    ]
    with pytest.raises(ConfigError, match="no benchmark 'gsm9k'"):
        load_benchmark("gsm9k", tmp_path)
    with pytest.raises(DataError, match="benchmarks_dir"):
        load_benchmark("gsm8k", tmp_path)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "How many?", "answer": ""}\n')
    with pytest.raises(DataError, match="row 0: no answer"):
        load_benchmark("gsm8k", tmp_path)


def test_the_chosen_problems_are_always_the_same() -> None:
    problems = [Problem("math", index, "?", (), "1", "formula") for index in (*range(12), 13, 12)]
    assert [problem.index for problem in choose(problems, 4)] == [1, 5, 10, 13]
    assert choose(problems, None) == choose(problems, 14) == choose(problems, 99) == problems
    assert [problem.index for problem in choose(problems, 13)][-2:] == [12, 13]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real test sets are not at ../shared/data")
def test_a_higher_limit_holds_the_problems_of_a_lower_one() -> None:
    problems = load_benchmark("math", REAL)
    few, more = choose(problems, 40), choose(problems, 200)
    assert len(few) == 40 and set(few) < set(more)
    assert few == sorted(few, key=lambda problem: problem.index)
    assert max(problem.index for problem in more) > 4500 and min(problem.index for problem in more) < 500


def test_what_a_training_set_must_not_repeat(tmp_path: Path) -> None:
    """Questions, and solutions of ten words or more; a shorter one is a bare answer."""
    ten, nine = "1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8 9"
    rows = [
        {"question": "Q", "answer": ten},
        {"question": "R", "answer": nine, "solution": f"{ten} 11"},
        {"question": "S", "answer": 5},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(benchmarks.benchmark_texts("MATH-500", tmp_path / "rows.jsonl")) == [
        ("math500/0/question", "Q"), ("math500/0/answer", ten),
        ("math500/1/question", "R"), ("math500/1/solution", f"{ten} 11"), ("math500/2/question", "S"),
    ]  # fmt: skip


def test_the_published_numbers_of_examples() -> None:
    sizes = [benchmark.size for benchmark in BENCHMARKS.values()]
    assert sizes == [1319, 5000, 500, 272, 32, 3018, 1098, 250, 118, 351, 30, 30]
    published = {"gsm8k": 8, "math": 4, "ocw": 4, "sat": 4, "mmlu_stem": 4, "cmath": 6}
    published |= {"gaokao_mathcloze": 5, "gaokao_mathqa": 5}
    assert {name: len(examples) for name, examples in EXAMPLES.items()} == published
    new = dict.fromkeys(("mgsm_zh", "aime24", "aime25"), 0)  # the paper has none
    assert {name: benchmark.shots for name, benchmark in BENCHMARKS.items()} == {**published, "math500": 4, **new}
    examples = {
        **{name: name for name in published},
        "math500": "math",
        "mgsm_zh": "cmath",
        "aime24": "math",
        "aime25": "math",
    }
    assert {name: benchmark.examples for name, benchmark in BENCHMARKS.items()} == examples
    assert all(example.program for name in ("gsm8k", "math") for example in EXAMPLES[name])


@pytest.mark.skipif(not REAL.is_dir(), reason="the real test sets are not at ../shared/data")
def test_no_example_repeats_a_test_set() -> None:
    from trl_dsmath.data.benchmarks import benchmark_texts
    from trl_dsmath.text.ngrams import NgramIndex

    index = NgramIndex()
    for name in ("gsm8k", "math500", "ocw", "sat", "cmath", "mgsm_zh", "gaokao_mathcloze", "gaokao_mathqa"):
        for source, text in benchmark_texts(name, REAL):
            index.add(text, source)
    assert not [hit for examples in EXAMPLES.values() for e in examples for hit in index.find(e.question)]


def test_published_figures_are_of_the_benchmarks() -> None:
    known = {name: benchmark.published for name, benchmark in BENCHMARKS.items()}
    assert known == {**{name: name for name in TEN}, "math500": "math", "aime24": None, "aime25": None}
    assert {name for _, _, name in paper.RESULTS} <= set(known.values())


def ask(problem: Problem, mode: str, few_shot: bool, plain: bool) -> BuiltPrompt:
    config = EvaluateConfig([problem.benchmark], mode=mode, few_shot=few_shot, plain_prompts=plain)
    return plan([problem], config, "model")[0].built


def test_zero_shot_prompts_are_the_papers(benchmarks_dir: Path) -> None:
    problem = load_benchmark("gsm8k", benchmarks_dir)[0]
    assert ask(problem, "cot", False, False).prompt == [{"role": "user", "content": problem.question + COT_EN}]
    plain = ask(problem, "tool", False, True)
    assert plain.prompt == f"User: {problem.question}{TOOL_EN}\n\nAssistant:" and plain.form == "box"
    chinese = load_benchmark("mgsm_zh", benchmarks_dir)[0]
    assert ask(chinese, "cot", False, True).prompt == f"User: {chinese.question}{COT_ZH}\n\nAssistant:"
    assert ask(problem, "pot", False, False).stop == ("```output",)


def test_few_shot_prompts(benchmarks_dir: Path) -> None:
    problem = load_benchmark("gsm8k", benchmarks_dir)[0]
    asked = ask(problem, "cot", True, False)
    assert isinstance(asked.prompt, str) and asked.prompt.count("The final answer is") == 8
    assert asked.prompt.endswith(f"\n\nQuestion: {problem.question}\nSolution:")
    assert (asked.stop, asked.form) == (("\nQuestion:",), "sentence")
    program = ask(problem, "pot", True, False)
    assert isinstance(program.prompt, str) and program.prompt.endswith("Program:\n```python\n")
    chinese = ask(load_benchmark("gaokao_mathqa", benchmarks_dir)[0], "cot", True, False).prompt
    assert isinstance(chinese, str) and chinese.count("答案是") == 5 and chinese.endswith("\n解答：")
    with pytest.raises(ConfigError, match="without examples"):
        ask(problem, "tool", True, False)
    with pytest.raises(ConfigError, match="gsm8k and math only"):
        ask(load_benchmark("sat", benchmarks_dir)[0], "pot", True, False)
