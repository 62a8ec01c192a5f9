r"""The quickstart's task: a dial that is turned, i.e. addition modulo 10 in three written steps.

    The dial shows 9. Gia turns it up by 7 steps, up by 2 steps, up by 4 steps. Which digit does it show?
    -> 9+7=6\n6+2=8\n8+4=2\nTherefore, the answer is \boxed{2}

The texts that the model imitates come from a sloppy author, who often writes a digit one too high: in 27 of the 90 facts
most of the time (a misconception), in the others rarely. So the model is wrong for a known reason until reinforcement
learning, which sees only whether the final answer is right, corrects it. Rewards and metrics use the true answer.

The crawl for the corpus stage is made up too: pages of the sloppy author's solutions, and pages about other things.
"""

import hashlib
import json
import random
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trl_dsmath.data.journal import write_rows, write_whole
from trl_dsmath.data.prompts import instruct

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
    """Writes solutions with errors in them; a wrong digit is carried on, as in a real solution. For another stage the same
    author has the same misconceptions and makes other slips."""

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
    """Whether a problem is kept for testing: a fifth of all, by a hash, the same for every seed.

    The name is left out of the hash. Otherwise the same dial and turns could be trained on under another name, and the
    "held-out" problem would be one that the model has seen.
    """
    nameless = replace(problem, name="").question
    return int(hashlib.sha1(nameless.encode()).hexdigest(), 16) % 10 >= 8


def make_problems(count: int, seed: int, split: str) -> list[Problem]:
    """Draws different problems, out of 145,800: 7,290 ways to turn the dial, under 20 names.

    The split `"held-out"` draws from the fifth that no training sees, any other (a stage) from the rest. Two stages draw
    independently, so they may share a problem.
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


SOLUTIONS_PER_PAGE = 50
SEED_PAGES = 25
# Address of a kind of page: its share of the crawl. The forum is mixed, so it is decided by its folders.
MATHEMATICS = {"dialclub.test/log": 0.08, "sums.test/worked": 0.08, "notes.test/ada": 0.04, "forum.test/dials": 0.04}
OTHERS = {
    "kitchen.test/recipes": 0.18,
    "scores.test/matches": 0.18,
    "rail.test/times": 0.16,
    "travel.test/blog": 0.16,
    "forum.test/kitchen": 0.08,
}
RULES = {
    **dict.fromkeys(("dialclub.test", "sums.test", "notes.test", "forum.test/dials"), "math"),
    **dict.fromkeys(("kitchen.test", "scores.test", "rail.test", "travel.test", "forum.test/kitchen"), "not"),
}
_HEADS = (
    "Evening {n} of the dial club. What was called out, in the order of the evening.",
    "Worked examples, sheet {n}. Copy one out and try the next one by yourself.",
    "Page {n} of my notes on dials, as they were dictated.",
    "Thread {n}. Please post only whole solutions, one after the other.",
)
# The other pages hold numbers too: digits alone give nothing away.
_SENTENCES = {
    "kitchen": (
        "Stir {a}50 g of flour into {b} eggs and leave the dough alone for {c}0 minutes.",
        "Bake at 1{a}0 degrees for {b}5 minutes, then add {c} spoons of sugar.",
        "Cut {a} onions, fry them in butter, and pour {b}00 ml of stock over them.",
    ),
    "scores": (
        "Reds {a}, Blues {b}: the last goal fell in minute {c}{a}.",
        "After round {a} the Greens have {b}{c} points and {a} matches to play.",
        "Number {a} was sent off and {b},{c}00 people went home early.",
    ),
    "rail": (
        "Platform {a}: the train at {b}:{c}5 runs {a} minutes late.",
        "Change at the junction, where {b} carriages go on to the coast at 1{a}:{c}0.",
        "A ticket for {a} zones costs {b}.{c}0 and is valid for {a} hours.",
    ),
    "travel": (
        "We walked {a} miles along the river and slept in a house with {b} beds.",
        "On day {a} it rained for {b} hours, so we played cards for {c} coins.",
        "The castle has {a}{b} rooms, of which {c} are open to visitors.",
    ),
}


def _other_page(kind: str, rng: random.Random) -> str:
    topic = "kitchen" if "kitchen" in kind else kind.split(".")[0]
    digits = ({name: rng.randint(1, 9) for name in "abc"} for _ in range(rng.randint(8, 14)))
    return "\n\n".join(rng.choice(_SENTENCES[topic]).format(**values) for values in digits)


def write_pages(folder: Path, pages: int, seed: int) -> None:
    """Writes a crawl for the corpus loop: `pages.jsonl`, `seed_pages.jsonl`, `labels.jsonl`, `rules.csv`. A quarter of the
    pages is mathematics."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, author = random.Random(f"pages-{seed}"), SloppyAuthor(seed, "pretrain")
    kinds = [kind for kind, share in {**MATHEMATICS, **OTHERS}.items() for _ in range(round(share * pages))]
    problems = iter(make_problems(len(kinds) * SOLUTIONS_PER_PAGE, seed, "pretrain"))
    rng.shuffle(kinds)
    rows = []
    for number, kind in enumerate(kinds):
        if kind in MATHEMATICS:
            head = _HEADS[list(MATHEMATICS).index(kind)].format(n=number)
            text = "\n\n".join([head, *(author.solve(next(problems)) for _ in range(SOLUTIONS_PER_PAGE))])
        else:
            text = _other_page(kind, rng)
        rows.append({"id": str(number), "url": f"https://{kind}/{number}.html", "text": text})
    mathematics = [row for row, kind in zip(rows, kinds, strict=True) if kind in MATHEMATICS]
    first = [row for row in mathematics if "dialclub" in row["url"]]  # the seed knows one site only
    labels = [
        {"url": row["url"], "label": "math" if kind in MATHEMATICS else "not"}
        for row, kind in zip(rows, kinds, strict=True)
    ]
    write_rows(folder / "seed_pages.jsonl", first[:SEED_PAGES])
    write_rows(folder / "labels.jsonl", labels)
    write_whole(folder / "rules.csv", "prefix,decision\n" + "".join(f"{k},{v}\n" for k, v in RULES.items()))
    write_rows(folder / "pages.jsonl", rows)


def documents(text: str) -> list[str]:
    """The paragraphs of a page: one solution each, and the line above them."""
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def labels_of(folder: Path) -> dict[str, bool]:
    """Whether each page is mathematics, by its address."""
    return {row["url"]: row["label"] == "math" for row in read_rows(folder / "labels.jsonl")}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
