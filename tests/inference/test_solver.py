"""Solver: prompts as published, votes, weights, early stops, programs."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trl_dsmath.data.benchmarks import Problem
from trl_dsmath.data.prompts import COT_EN, COT_ZH, PLAIN_PROMPT, TOOL_EN
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import SamplerConfig
from trl_dsmath.grading.votes import AnswerClass, Vote
from trl_dsmath.inference import EvaluateConfig, SolveConfig, Solver, plan, summary_of_answers
from trl_dsmath.inference.solution import Solution, SolvedSample, score_steps
from trl_dsmath.paper import EVALUATION


def test_defaults_are_the_sources() -> None:
    settings = SolveConfig()
    assert (settings.n, settings.max_new_tokens) == (EVALUATION.votes, EVALUATION.max_new_tokens) == (64, 1024)
    assert (settings.temperature, settings.top_p, settings.adaptive) == (0.6, 0.95, "exact")


@pytest.mark.parametrize(
    ("question", "options", "prompt"),
    [
        (" 1+1? ", {}, "1+1?" + COT_EN),
        ("1+1是多少？", {}, "1+1是多少？" + COT_ZH),
        ("1+1?", {"mode": "tool"}, "1+1?" + TOOL_EN),
        ("1+1?", {"mode": "pot"}, "1+1?" + TOOL_EN),
        ("1+1?", {"plain_prompts": True}, PLAIN_PROMPT.format(question="1+1?" + COT_EN)),
        (
            "2+2?",
            {"few_shot": [("1+1?", "It is \\boxed{2}.")]},
            "Question: 1+1?\nSolution: It is \\boxed{2}.\n\nQuestion: 2+2?\nSolution:",
        ),
        ("二加二？", {"few_shot": [("一加一？", "二")]}, "问题：一加一？\n解答：二\n\n问题：二加二？\n解答："),
    ],
)
def test_prompts_are_the_published_ones(scripted, question: str, options: dict, prompt: str) -> None:
    sampler = scripted(lambda prompt, index: "\\boxed{2}")
    Solver(sampler, n=1, **options)(question)
    assert sampler.asked == [(prompt, 0)]


def test_few_shot_examples(scripted, tmp_path: Path) -> None:
    """The same prompt as an evaluation's, by the name of a benchmark, a file or pairs."""
    problem = Problem("gsm8k", 0, "How many?", (), "1", "number")
    for mode in ("cot", "pot"):
        sampler = scripted(lambda prompt, index: "print(2)")
        Solver(sampler, n=1, mode=mode, few_shot="gsm8k")("How many?")
        evaluated = plan([problem], EvaluateConfig(["gsm8k"], mode=mode, few_shot=True), "m")[0].prompt
        assert sampler.asked[0][0] == evaluated
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "1+1?", "solution": "2"}\n')
    assert SolveConfig(few_shot=str(file)).examples == SolveConfig(few_shot=[("1+1?", "2")]).examples
    for wrong, said in (({"few_shot": "nothing"}, "gsm8k"), ({"few_shot": "cmath", "mode": "pot"}, "no programs")):
        with pytest.raises(ConfigError, match=said):
            SolveConfig(**wrong)


def test_the_vote_stops_when_it_is_decided(scripted) -> None:
    sampler = scripted(lambda prompt, index: "so \\boxed{1/2}" if index % 2 else "so \\boxed{0.5}")
    solution = Solver(sampler, n=64)("What is a half?")
    assert solution.answer == "0.5" and solution.chosen == 0
    assert len(sampler.asked) == len(solution.samples) == 32
    assert solution.stopped_early and solution.vote.share == 1.0
    assert solution.tokens == sum(len(sample.text) for sample in solution.samples)
    everything = Solver(scripted(sampler.script), n=64, adaptive="off")("What is a half?")
    assert everything.answer == solution.answer and len(everything.samples) == 64


def test_samples_are_drawn_once_and_in_order(scripted) -> None:
    replies = ["1", "2", "1", "3", "2", "2", "2", "2"]
    sampler = scripted(lambda prompt, index: f"\\boxed{{{replies[index]}}}")
    solution = Solver(sampler, n=8)("?")
    assert [index for _, index in sampler.asked] == list(range(len(solution.samples)))
    assert solution.answer == "2"


def test_greedy_draws_one(scripted) -> None:
    sampler = scripted(lambda prompt, index: "\\boxed{5}")
    solution = Solver(sampler, temperature=0.0)("?")
    assert len(sampler.asked) == 1 and solution.answer == "5" and not solution.stopped_early


def test_many_questions_are_drawn_together(scripted) -> None:
    sampler = scripted(lambda prompt, index: f"\\boxed{{{prompt[0]}}}")
    solver = Solver(sampler, n=4, problems_at_once=2)
    assert [solution.answer for solution in solver(["1?", "2?", "3?"])] == ["1", "2", "3"]
    assert len(sampler.decodings) == 2  # two questions in one call, then the third
    with pytest.raises(DataError, match="blank"):
        solver(["1?", " "])


@pytest.mark.parametrize(("rows", "calls", "drawn"), [(12, 2, 24), (24, 2, 28), (100, 1, 32)])
def test_an_engine_with_room_draws_more_at_a_time(rows: int, calls: int, drawn: int, scripted) -> None:
    """`a` is unanimous, `b` undecided to the end: the room is shared by the questions that still draw."""
    sampler = scripted(lambda prompt, index: f"\\boxed{{{index % 2 if prompt[0] == 'b' else 7}}}")
    sampler.rows_at_once = rows
    one, two = Solver(sampler, n=16)(["a", "b"])
    assert (len(sampler.decodings), len(sampler.asked)) == (calls, drawn)
    assert (one.answer, two.answer, len(two.samples)) == ("7", "0", 16)
    sampler.asked.clear()
    assert len(Solver(sampler, n=16)("a").samples) == min(rows, 16)  # 8 would do


def test_a_model_by_its_name_is_loaded_as_the_settings_need(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple] = []
    made = scripted(lambda prompt, index: "\\boxed{2}")
    monkeypatch.setattr("trl_dsmath.inference.solver.load_sampler", lambda *given: seen.append(given) or made)
    options = {"mode": "tool", "n": 4, "max_new_tokens": 9}
    solver = Solver.from_pretrained("m", engine="vllm", notify=print, dtype="float32", **options)
    ((config, *rest),) = seen
    assert config == SamplerConfig("m", engine="vllm", dtype="float32") and rest == [True, 9, 4, print]
    assert (solver.sampler, solver.settings) == (made, SolveConfig(**options))
    assert solver.identity == config.identity(True) != Solver(made, n=1).identity == "scripted"
    weighted = Solver.from_pretrained(config, scorer, settings=SolveConfig(n=2, vote="weighted"))
    assert weighted.step_scorer is scorer and seen[1][1:] == (False, 1024, 2, None)
    with pytest.raises(ConfigError, match="needs scores"):
        Solver.from_pretrained("m", vote="weighted")
    assert len(seen) == 2  # refused before anything is loaded


def test_what_was_cut_off_has_an_answer_only_in_a_box(scripted) -> None:
    replies = ["The answer is 12~", "so \\boxed{7} and~", "within \\boxed{}. So the answer is 1~"]
    sampler = scripted(lambda prompt, index: replies[index])
    solution = Solver(sampler, n=3, adaptive="off")("?")
    assert [sample.answer for sample in solution.samples] == [None, "7", None]
    assert solution.vote.unreadable == 2


def test_known_samples_are_not_drawn_again(scripted) -> None:
    script = lambda prompt, index: f"\\boxed{{{index % 3}}}"  # noqa: E731
    whole = Solver(scripted(script), n=12, adaptive="off")("?")
    sampler = scripted(script)
    seen: list[tuple[int, int, int]] = []
    again = dict(
        Solver(sampler, n=12, adaptive="off").solve(
            ["?"], {0: whole.samples[:5]}, lambda number, first, new: seen.append((number, first, len(new)))
        )
    )[0]
    assert again == whole
    assert [index for _, index in sampler.asked] == list(range(5, 12))
    assert seen == [(0, index, 1) for index in range(5, 12)]  # each as it is finished


def scorer(prompts, completions=None, *, steps, **columns):
    """The digit after `p` in a step is its score in tenths."""
    return [[int(step[step.index("p") + 1]) / 10 for step in row] for row in steps]


def test_weighted_vote_and_best_of_n(scripted) -> None:
    replies = ["p1\np2 \\boxed{3}", "p2\np9 \\boxed{3}", "p9\np8 \\boxed{4}"]
    sampler = scripted(lambda prompt, index: replies[index])
    results = {
        vote: Solver(sampler, step_scorer=scorer, n=3, vote=vote, adaptive="off")("?")
        for vote in ("majority", "weighted", "best_of_n")
    }
    assert {vote: result.answer for vote, result in results.items()} == {
        "majority": "3",
        "weighted": "4",  # 0.8 against 0.1 + 0.2
        "best_of_n": "4",
    }
    assert results["majority"].chosen == 1  # the better of the two that say 3
    assert results["weighted"].samples[2].step_scores == [0.9, 0.8]
    last = Solver(sampler, step_scorer=scorer, n=3, vote="weighted", aggregation="last", adaptive="off")("?")
    assert last.answer == "3"  # 0.2 + 0.9 against 0.8
    product = Solver(sampler, step_scorer=scorer, n=3, vote="best_of_n", aggregation="product")("?")
    assert product.samples[2].score == pytest.approx(0.72)


def test_a_score_of_0_is_no_weight(scripted) -> None:
    for votes, replies, answer, chosen in (
        (("weighted", "best_of_n"), ["p0 \\boxed{3}", "p0 \\boxed{3}", "p1 \\boxed{4}"], "4", 2),
        (("majority",), ["p0 \\boxed{3}", "p2 \\boxed{3}", "p1 \\boxed{4}"], "3", 1),
    ):
        for vote in votes:
            sampler = scripted(lambda prompt, index, replies=replies: replies[index])
            seen: list[tuple] = []
            solver = Solver(sampler, step_scorer=scorer, n=3, vote=vote, adaptive="off")
            ((_, solution),) = solver.solve(["?"], on_samples=lambda *one, seen=seen: seen.append(one))
            assert (solution.answer, solution.chosen) == (answer, chosen)
            assert seen == [(0, 0, solution.samples)]  # together, with their scores
    silent = Solver(scripted(lambda *_: "p3"), step_scorer=scorer, n=2, vote="best_of_n")("?")
    assert (silent.answer, silent.chosen, silent.text) == (None, None, "p3")


def test_scores_are_weights_between_0_and_1(scripted) -> None:
    solution = Solver(scripted(lambda prompt, index: "p1 \\boxed{3}"), n=1, adaptive="off")("?")
    for given, score in (([-3.0], 0.0), ([3.0], 1.0), ([0.25], 0.25), ([], 0.0)):
        score_steps(lambda *args, given=given, **kwargs: [given], ["?"], solution.samples)
        assert solution.samples[0].score == score


def test_weighted_votes_stop_early_with_the_same_answer(scripted) -> None:
    sampler = scripted(lambda prompt, index: f"p9 \\boxed{{{3 if index else 4}}}")
    early = Solver(sampler, step_scorer=scorer, n=16, vote="weighted")("?")
    assert early.answer == "3" and len(early.samples) < 16


def test_steps_are_cut_where_the_settings_say(scripted) -> None:
    sampler = scripted(lambda prompt, index: "p1 a\np2 b\n\np9 \\boxed{3}")
    for separator, steps in (
        ("\n", ["p1 a\n", "p2 b\n\n", "p9 \\boxed{3}"]),
        ("\n\n", ["p1 a\np2 b\n\n", "p9 \\boxed{3}"]),
        ("\\n\\n", ["p1 a\np2 b\n\n", "p9 \\boxed{3}"]),  # as a shell passes it
    ):
        solution = Solver(sampler, step_scorer=scorer, n=1, step_separator=separator)("?")
        assert solution.samples[0].steps == steps


def test_a_report_names_the_weights_and_the_sample(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = ["p1\np2 \\boxed{3}", "p2\np9 \\boxed{3}", "p9\np8 \\boxed{4}"]
    sampler = scripted(lambda prompt, index: replies[index])
    solution = Solver(sampler, step_scorer=scorer, n=3, vote="weighted", adaptive="off")("?")
    assert solution.report(show_steps=True).split("\n") == [
        "steps       of sample 3 of 3, score 0.80",
        "[0.90] p9",
        "[0.80] p8 \\boxed{4}",
        "answer      4",
        "votes       4 x1 (weight 0.80), 3 x2 (weight 0.30) (3 of 3 samples give an answer)",
    ]
    assert "\x1b" not in solution.report(show_steps=True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m[0.90]\x1b[0m" in solution.report(show_steps=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in solution.report(show_steps=True)
    majority = Solver(sampler, n=3, adaptive="off")("?")
    assert majority.report().endswith("votes       3 x2, 4 x1 (3 of 3 samples give an answer)")


def test_colors_and_rows_of_a_solution() -> None:
    steps = SolvedSample("a\nb\nc", "1", True, 7, ["a\n", "b\n", "c"], [0.8, 0.5, 0.49], score=0.49)
    others = [SolvedSample("d", str(n), True, 1) for n in range(2, 7)]
    classes = [AnswerClass(str(n + 1), (n,), 1.23456789 if n == 0 else 1.0) for n in range(6)]
    solution = Solution("?", "1", 0, Vote("1", tuple(classes), 2, 3), [steps, *others], 9)
    assert solution.report(show_steps=True, color=True).split("\n")[:4] == [
        "steps       of sample 1 of 6, score 0.49",
        "\x1b[32m[0.80]\x1b[0m \x1b[32ma\x1b[0m",
        "\x1b[33m[0.50]\x1b[0m \x1b[33mb\x1b[0m",
        "\x1b[31m[0.49]\x1b[0m \x1b[31mc\x1b[0m",
    ]
    votes = "1 x1 (weight 1.23), 2 x1, 3 x1, 4 x1, 5 x1, ... (6 of 6 samples give an answer, 9 allowed)"
    assert solution.report().split("\n")[-2:] == ["answer      1", f"votes       {votes}"]
    assert solution.to_dict() == {
        "question": "?", "answer": "1", "solution": "a\nb\nc", "share": round(1.23456789 / 6.23456789, 4),
        "votes": [{"answer": str(n + 1), "weight": 1.0 if n else 1.234568, "samples": 1} for n in range(6)],
        "samples": 6, "n": 9, "cut_off": 0, "without_answer": 0, "unreadable": 2, "timeouts": 3, "tokens": 12,
    }  # fmt: skip
    none = Solution("?", None, None, Vote(None, (), 1), [SolvedSample(" no ", None, False, 1)], 1)
    assert none.report() == "no\nanswer      (none could be read: 1 cut off)" and not none.stopped_early
    five = replace(solution, vote=Vote("1", tuple(classes[:5]), 0), n=6)
    assert five.report().endswith("5 x1 (5 of 6 samples give an answer)")


class _Terminal(io.StringIO):
    """stdout and stderr of a terminal, where one writes over the other."""

    def isatty(self) -> bool:
        return True


def test_a_solution_does_not_begin_behind_the_progress_bar(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    rows = [{"question": "1?"}, {"question": "2?"}]
    solver = Solver(scripted(lambda prompt, index: "\\boxed{1}"), n=2, problems_at_once=1)
    solver.solve_file(rows, on_solution=lambda solution: print(solution.report()))
    before = [text.rsplit("\n", 1)[-1] for text in terminal.getvalue().split("\\boxed{1}")[:-1]]
    assert len(before) == 2 and "Solving" in terminal.getvalue()
    assert all(text.endswith("\r") for text in before)  # the bar was wiped out


def test_a_file_is_continued_by_the_library_alone(scripted, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1?", "answer": "1"}\n{"question": "2?", "answer": "3"}\n')
    script = lambda prompt, index: f"\\boxed{{{prompt[0]}}}"  # noqa: E731
    rows = Solver(scripted(script), n=4).solve_file(questions)
    assert [(row["answer"], row["gold"], row["samples"]) for row in rows] == [("1", "1", 2), ("2", "3", 2)]
    output = tmp_path / "questions.jsonl.solutions.jsonl"
    assert [json.loads(line)["answer"] for line in output.read_text().splitlines()] == ["1", "2"]
    assert "accuracy    50.0% (1 of 2" in summary_of_answers(rows)

    samples = tmp_path / "questions.jsonl.solutions.samples.jsonl"
    whole = samples.read_text()
    output.write_text(output.read_text().splitlines(keepends=True)[0])
    samples.write_text("".join(whole.splitlines(keepends=True)[:3]) + '{"id": ')  # killed in the middle of a line
    again = scripted(script)
    assert Solver(again, n=4).solve_file(questions) == rows
    assert again.asked == [("2?" + COT_EN, 1)]
    assert samples.read_text() == whole
    assert Solver(again, n=4, problems_at_once=1).solve_file(questions) == rows  # no answer depends on it
    with pytest.raises(ConfigError, match=r"temperature 0\.6 \(now 0\.7\)"):
        Solver(again, n=4, temperature=0.7).solve_file(questions)


def test_settings_that_cannot_work(scripted) -> None:
    sampler = scripted(lambda prompt, index: "")
    for options, message in [
        ({"vote": "weighted"}, "step_scorer"),
        ({"n": 0}, "n must"),
        ({"mode": "code"}, "cot, tool, pot"),
        ({"adaptive": "beta", "vote": "weighted"}, "Beta"),
        ({"temprature": 1}, "no setting temprature"),
        ({"top_p": 0.0}, "top_p"),
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"step_separator": ""}, "step_separator"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Solver(sampler, **options)
    with pytest.raises(ConfigError, match="not both"):
        Solver(sampler, SolveConfig(), n=3)


def test_the_flexible_filter_and_why_nothing_was_read(scripted) -> None:
    replies = ["17 + 5 = 22", "The answer is~", "17 + 5~", "I cannot.", "so \\boxed{22}"]
    stated = Solver(scripted(lambda prompt, index: replies[index]), n=5, adaptive="off")("?")
    assert [sample.answer for sample in stated.samples] == [None, None, None, None, "22"]
    assert "(1 of 5 samples give an answer; 2 cut off, 2 without a box)" in stated.report()
    flexible = Solver(scripted(lambda prompt, index: replies[index]), n=5, adaptive="off", answer_filter="flexible")(
        "?"
    )
    assert [sample.answer for sample in flexible.samples] == ["22", None, None, None, "22"]
    row = {**stated.to_dict(), "gold": None}
    assert (row["cut_off"], row["without_answer"]) == (2, 2)
    assert "answers     1 of 1 questions (samples without one: 2 cut off, 2 without a box)" in summary_of_answers(
        [row]
    )
    nothing = Solver(scripted(lambda prompt, index: "?"), n=1)("?")
    assert "answer      (none could be read: 1 without a box)" in nothing.report()
    with pytest.raises(ConfigError, match="answer_filter must be one of stated, flexible"):
        SolveConfig(answer_filter="strict")


def test_another_instruction_does_not_go_on_from_the_old_file(scripted, tmp_path: Path) -> None:
    rows, output = [{"question": "1+1?"}], tmp_path / "solved.jsonl"
    sampler = scripted(lambda prompt, index: "\\boxed{2}")
    Solver(sampler, n=1, instruction="none").solve_file(rows, output)
    assert sampler.asked == [("1+1?", 0)]
    for other, said in (({}, "instruction none"), ({"instruction": "none", "system_prompt": "none"}, "system_prompt")):
        with pytest.raises(ConfigError, match=f"other settings: {said}"):
            Solver(sampler, n=1, **other).solve_file(rows, output)
    with pytest.raises(ConfigError, match="leave out instruction"):
        SolveConfig(few_shot="gsm8k", instruction="none")
