r"""The quickstart's task: a dial that is turned, i.e. addition modulo 10 in three written steps.

    The dial shows 9. Gia turns it up by 7 steps, up by 2 steps, up by 4 steps. Which digit does it show?
    -> 9+7=6\n6+2=8\n8+4=2\nTherefore, the answer is \boxed{2}

The texts that the model imitates come from a sloppy author, who writes one more than the right digit: mostly so for 27 of
the 90 facts (a misconception), now and then for the others. So the model is wrong for a known reason until reinforcement
learning, which sees only whether the final answer is right, puts it right. Rewards and figures use the true answer.
"""

import hashlib
import random
import re
from dataclasses import dataclass, replace

from ..data.prompts import instruct

TURNS = 3
# fmt: off
NAMES = (
    "Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hugo", "Ida", "Jon",
    "Kim", "Leo", "Mia", "Ned", "Ona", "Pia", "Quin", "Rosa", "Sam", "Tess",
)
# fmt: on
ASK = " Which digit does it show?"
ANSWER = "\nTherefore, the answer is \\boxed{"

FACTS = tuple((dial, turn) for dial in range(10) for turn in range(1, 10))
MISCONCEPTIONS = 27
SLIP_IN_MISCONCEPTION = 0.6
SLIP_ELSEWHERE = 0.1

_STEP = re.compile(r"^(\d)\+(\d)=(\d)$", re.MULTILINE)


@dataclass(frozen=True)
class Problem:
    """One problem: who turns the dial, what it shows at first, and the three turns (1 to 9 each)."""

    name: str
    start: int
    turns: tuple[int, ...]

    @property
    def question(self) -> str:
        """The text of the problem."""
        turns = ", ".join(f"up by {turn} steps" for turn in self.turns)
        return f"The dial shows {self.start}. {self.name} turns it {turns}.{ASK}"

    @property
    def prompt(self) -> str:
        """The question with the paper's instruction, which is what the model reads."""
        return instruct(self.question)

    @property
    def answer(self) -> str:
        """The right final answer."""
        return str((self.start + sum(self.turns)) % 10)


class SloppyAuthor:
    """
    Writes solutions with errors in them; a wrong digit is carried on, as in a real solution.

    Args:
        seed (`int`):
            Seed of the misconceptions and of the slips.
        stage (`str`):
            The stage that is written for: same misconceptions, other slips.
    """

    def __init__(self, seed: int, stage: str) -> None:
        self.misconceptions = frozenset(random.Random(f"misconceptions-{seed}").sample(FACTS, MISCONCEPTIONS))
        self._rng = random.Random(f"author-{stage}-{seed}")

    def slip_rate(self, dial: int, turn: int) -> float:
        """Probability with which this fact is written one too high."""
        return SLIP_IN_MISCONCEPTION if (dial, turn) in self.misconceptions else SLIP_ELSEWHERE

    def solve(self, problem: Problem) -> str:
        """Writes a solution, often a wrong one."""
        lines, dial = [], problem.start
        for turn in problem.turns:
            slip = self._rng.random() < self.slip_rate(dial, turn)
            result = (dial + turn + slip) % 10
            lines.append(f"{dial}+{turn}={result}")
            dial = result
        return write(lines, dial)


def write(lines: list[str], answer: int | str) -> str:
    """Joins the steps and the final answer to the text of a solution."""
    return "\n".join(lines) + f"{ANSWER}{answer}}}"


def solve(problem: Problem) -> str:
    """The right solution."""
    lines, dial = [], problem.start
    for turn in problem.turns:
        lines.append(f"{dial}+{turn}={(dial + turn) % 10}")
        dial = (dial + turn) % 10
    return write(lines, dial)


def is_held_out(problem: Problem) -> bool:
    """
    Whether a problem is kept for testing: a fifth of all, by a hash, the same for every seed.

    The name is left out of the hash. Otherwise the same dial and turns could be trained on under another name, and the
    "held-out" problem would be one that the model has seen.
    """
    nameless = replace(problem, name="").question
    return int(hashlib.sha1(nameless.encode()).hexdigest(), 16) % 10 >= 8


def make_problems(count: int, seed: int, split: str) -> list[Problem]:
    """
    Draws different problems.

    Args:
        count (`int`):
            How many. There are 145,800 in all: 7,290 ways to turn the dial, under 20 names.
        seed (`int`):
            Seed of the draw.
        split (`str`):
            `"held-out"` draws from the fifth that no training sees; any other name (a stage) from the rest. Two stages
            draw independently, so they may share a problem.

    Returns:
        `list[Problem]`
    """
    rng = random.Random(f"{split}-{seed}")
    found: dict[Problem, None] = {}
    while len(found) < count:
        turns = tuple(rng.randint(1, 9) for _ in range(TURNS))
        problem = Problem(rng.choice(NAMES), rng.randrange(10), turns)
        if is_held_out(problem) == (split == "held-out"):
            found[problem] = None
    return list(found)


def wrong_lines(completion: str) -> list[int]:
    """The numbers (from 0) of the lines that state a wrong sum, for the report; no training sees this."""
    wrong = []
    for number, line in enumerate(completion.split("\n")):
        step = _STEP.match(line)
        if step and (int(step[1]) + int(step[2])) % 10 != int(step[3]):
            wrong.append(number)
    return wrong


def steps_right(problem: Problem, steps: list[str]) -> list[bool]:
    """Whether each step and all before it are right, to examine labels and scores; no training sees this."""
    expected = solve(problem).split("\n")
    wrong = next((i for i, step in enumerate(steps) if i >= len(expected) or step.strip() != expected[i]), len(steps))
    return [i < wrong for i in range(len(steps))]
