"""Solver: prompts as published, votes, weights, early stops, programs."""

import pytest

from trl_dsmath.data.prompts import COT_EN, COT_ZH, PLAIN_PROMPT, TOOL_EN
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.inference import Solver, SolveSettings
from trl_dsmath.inference.scoring import score_samples
from trl_dsmath.inference.solve_program import program_of
from trl_dsmath.inference.solve_prompts import prompt_for
from trl_dsmath.paper import EVALUATION


def test_defaults_are_the_sources() -> None:
    settings = SolveSettings()
    assert (settings.n, settings.max_new_tokens) == (EVALUATION.votes, EVALUATION.max_new_tokens) == (64, 1024)
    assert (settings.temperature, settings.top_p, settings.adaptive) == (0.6, 0.95, "exact")


def test_prompts_are_the_published_ones() -> None:
    assert prompt_for(" 1+1? ", "cot") == [{"role": "user", "content": "1+1?" + COT_EN}]
    assert prompt_for("1+1是多少？", "cot") == [{"role": "user", "content": "1+1是多少？" + COT_ZH}]
    assert prompt_for("1+1?", "tool") == prompt_for("1+1?", "pot") == [{"role": "user", "content": "1+1?" + TOOL_EN}]
    assert prompt_for("1+1?", "cot", plain=True) == PLAIN_PROMPT.format(question="1+1?" + COT_EN)
    shown = prompt_for("2+2?", "cot", [("1+1?", "It is \\boxed{2}.")])
    assert shown == "Problem: 1+1?\nSolution: It is \\boxed{2}.\n\nProblem: 2+2?\nSolution:"
    assert str(prompt_for("二加二？", "cot", [("一加一？", "二")])).endswith("问题：二加二？\n解答：")


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


def test_what_was_cut_off_has_an_answer_only_in_a_box(scripted) -> None:
    sampler = scripted(lambda prompt, index: ["The answer is 12~", "so \\boxed{7} and~"][index])
    solution = Solver(sampler, n=2, adaptive="off")("?")
    assert [sample.answer for sample in solution.samples] == [None, "7"]
    assert solution.vote.unreadable == 1


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
    assert seen == [(0, 5, 7)]


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


def test_scores_are_weights_between_0_and_1(scripted) -> None:
    solution = Solver(scripted(lambda prompt, index: "p1 \\boxed{3}"), n=1, adaptive="off")("?")
    score_samples(lambda *args, **kwargs: [[-3.0]], ["?"], solution.samples, "min")
    assert solution.samples[0].score == 0.0


def test_weighted_votes_stop_early_with_the_same_answer(scripted) -> None:
    sampler = scripted(lambda prompt, index: f"p9 \\boxed{{{3 if index else 4}}}")
    early = Solver(sampler, step_scorer=scorer, n=16, vote="weighted")("?")
    assert early.answer == "3" and len(early.samples) < 16


def test_programs_are_run_and_their_last_line_is_the_answer(scripted) -> None:
    replies = ["```python\nx = 6 * 7\nprint(x)\n```\nso \\boxed{1}", "no program, \\boxed{1}", "```python\n1/0\n```"]
    sampler = scripted(lambda prompt, index: replies[index])
    solution = Solver(sampler, n=3, mode="pot", adaptive="off")("?")
    assert [sample.answer for sample in solution.samples] == ["42", None, None]
    assert "ZeroDivisionError" in (solution.samples[2].output or "")
    assert sampler.decodings[0].stop == ("```output",)


def test_reading_programs() -> None:
    assert program_of("```python\nprint(1)\n``` and ```python\nprint(2)\n```") == "print(2)\n"
    assert program_of("```python\nprint(3)") == "print(3)"
    assert program_of("none") is None
    returned = program_of("```python\ndef solution():\n    return 5\n```") or ""
    assert returned.endswith("print(answer)\n") and "print(solution())" in returned


def test_settings_that_cannot_work(scripted) -> None:
    sampler = scripted(lambda prompt, index: "")
    for options, message in [
        ({"vote": "weighted"}, "step_scorer"),
        ({"n": 0}, "n must"),
        ({"mode": "code"}, "cot, pot, tool"),
        ({"adaptive": "beta", "vote": "weighted"}, "Beta"),
        ({"temprature": 1}, "no setting temprature"),
        ({"top_p": 0.0}, "top_p"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Solver(sampler, **options)
    with pytest.raises(ConfigError, match="not both"):
        Solver(sampler, SolveSettings(), n=3)
