"""The toy task: facts worked by hand, what is kept for testing, how sloppy the author is."""

import pytest
import task
from task import FACTS, Problem, SloppyAuthor, make_problems, solve, wrong_lines

from trl_dsmath.rewards import boxed_accuracy_reward

PROBLEM = Problem("Gia", 9, (7, 2, 4))


def test_text_of_a_problem() -> None:
    assert PROBLEM.question == (
        "The dial shows 9. Gia turns it up by 7 steps, up by 2 steps, up by 4 steps. Which digit does it show?"
    )
    assert PROBLEM.prompt == (
        PROBLEM.question + "\nPlease reason step by step, and put your final answer within \\boxed{}."
    )
    assert PROBLEM.answer == "2"  # 9 + 7 + 2 + 4 = 22


def test_right_solution() -> None:
    assert solve(PROBLEM) == "9+7=6\n6+2=8\n8+4=2\nTherefore, the answer is \\boxed{2}"
    assert boxed_accuracy_reward([solve(PROBLEM)], solution=[PROBLEM.answer]) == [1.0]


def test_slip_is_carried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SloppyAuthor, "slip_rate", lambda self, dial, turn: float((dial, turn) == (6, 2)))
    written = SloppyAuthor(seed=0, stage="sft").solve(PROBLEM)
    assert written == "9+7=6\n6+2=9\n9+4=3\nTherefore, the answer is \\boxed{3}"
    assert wrong_lines(written) == [1]
    assert boxed_accuracy_reward([written], solution=[PROBLEM.answer]) == [0.0]


def test_slips_never_cancel() -> None:
    """At most three digits are one too high, and 1, 2 and 3 are not 0 modulo 10: a wrong step is a wrong answer."""
    author = SloppyAuthor(seed=3, stage="pretrain")
    for problem in make_problems(2000, 3, "pretrain"):
        written = author.solve(problem)
        right = boxed_accuracy_reward([written], solution=[problem.answer]) == [1.0]
        assert right == (not wrong_lines(written)) == (written == solve(problem))


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_rates(seed: int) -> None:
    author = SloppyAuthor(seed, "pretrain")
    assert len(FACTS) == 90
    assert len(author.misconceptions) == 27
    slips = {True: [0, 0], False: [0, 0]}
    for problem in make_problems(6000, seed, "pretrain"):
        written = author.solve(problem)
        wrong = wrong_lines(written)
        for number, line in enumerate(written.split("\n")[:3]):
            count = slips[(int(line[0]), int(line[2])) in author.misconceptions]
            count[0] += number in wrong
            count[1] += 1
    assert sum(total for _, total in slips.values()) == 18_000
    assert slips[True][0] / slips[True][1] == pytest.approx(0.6, abs=0.03)
    assert slips[False][0] / slips[False][1] == pytest.approx(0.1, abs=0.015)


def test_misconceptions_follow_the_seed_and_not_the_stage() -> None:
    assert SloppyAuthor(0, "sft").misconceptions == SloppyAuthor(0, "pretrain").misconceptions
    assert SloppyAuthor(0, "sft").misconceptions != SloppyAuthor(1, "sft").misconceptions


def test_split_is_disjoint_whatever_the_seed_and_the_name() -> None:
    held_out = {(problem.start, problem.turns) for problem in make_problems(500, 0, "held-out")}
    for seed in (0, 1):
        for stage in ("pretrain", "sft", "grpo"):
            seen = {(problem.start, problem.turns) for problem in make_problems(3000, seed, stage)}
            assert not held_out & seen
    share = sum(task.is_held_out(Problem("Ada", a, (b, c, d))) for a in range(10) for b in range(1, 10) for c in range(1, 10) for d in range(1, 10))  # fmt: skip
    assert share / 7290 == pytest.approx(0.2, abs=0.02)


def test_problems_are_different_and_repeatable() -> None:
    problems = make_problems(500, 7, "held-out")
    assert len({problem.question for problem in problems}) == 500
    assert problems == make_problems(500, 7, "held-out")
    assert problems[:100] == make_problems(100, 7, "held-out")
    assert problems != make_problems(500, 8, "held-out")
