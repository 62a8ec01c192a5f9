"""Word problems in plain English: eight kinds of one or two operations, and GSM8K's short ones.

Each kind has several forms (ways to tell it). The last form of a kind is never trained on, so that accuracy on it tells
"learned to compute" from "learned the form"; nor are the kinds of two operations, which tell whether that carries over. Answers
are whole numbers from 1 to 100.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from trl_dsmath.data.files import load
from trl_dsmath.errors import DataError

# fmt: off
NAMES = ("Ana", "Ben", "Carla", "David", "Elena", "Felix", "Grace", "Hugo", "Irene", "Jack", "Karin", "Leo", "Maya", "Noah")
THINGS = ("apples", "books", "coins", "pencils", "stickers", "marbles", "cards", "shells", "cookies", "stamps", "buttons")
# fmt: on


class Kind(NamedTuple):
    """A kind of problem: its forms, the range of each number, and the answer."""

    forms: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    answer: Callable[..., int]


SMALL, BIG = (2, 9), (11, 40)
KINDS = {
    "add": Kind(
        (
            "{name} has {a} {things} and gets {b} more. How many {things} does {name} have now?",
            "There are {a} {things} in a box. {name} puts {b} more into it. How many {things} are in the box?",
            "{name} found {a} {things} on Monday and {b} on Tuesday. How many {things} did {name} find altogether?",
            "A shelf holds {a} {things}, another one holds {b}. How many {things} do the two shelves hold?",
        ),
        (BIG, BIG),
        lambda a, b: a + b,
    ),
    "subtract": Kind(
        (
            "{name} has {a} {things} and gives {b} of them away. How many {things} are left?",
            "There were {a} {things} in a bag. {name} took out {b}. How many {things} are still in the bag?",
            "{name} wants {a} {things} and already has {b}. How many {things} are missing?",
            "Of {a} {things}, {b} belong to {name}. How many of them belong to somebody else?",
        ),
        ((20, 60), SMALL),
        lambda a, b: a - b,
    ),
    "multiply": Kind(
        (
            "{name} buys {a} bags with {b} {things} each. How many {things} is that?",
            "There are {a} boxes. Each box holds {b} {things}. How many {things} are there in all?",
            "{name} collects {b} {things} every day. How many {things} does {name} collect in {a} days?",
            "On each of {a} tables lie {b} {things}. How many {things} lie on the tables?",
        ),
        (SMALL, SMALL),
        lambda a, b: a * b,
    ),
    "divide": Kind(
        (
            "{name} shares {ab} {things} equally among {a} friends. How many {things} does each friend get?",
            "{ab} {things} are packed into {a} equal boxes. How many {things} are in each box?",
            "{name} puts {ab} {things} into {a} rows of the same length. How many {things} are in a row?",
            "{a} children split {ab} {things} evenly. How many {things} does one child have?",
        ),
        (SMALL, SMALL),
        lambda a, b: b,
    ),
    "add, add": Kind(
        (
            "{name} has {a} red {things}, {b} blue ones and {c} green ones. How many {things} does {name} have in total?",
            "{name} found {a} {things}, then {b} more, and then another {c}. How many {things} did {name} find?",
            "There are {a} {things} on the desk, {b} in the drawer and {c} on the floor. How many {things} are there?",
            "In spring {name} sold {a} {things}, in summer {b}, in autumn {c}. How many {things} were sold?",
        ),
        (BIG, SMALL, SMALL),
        lambda a, b, c: a + b + c,
    ),
    "multiply, add": Kind(
        (
            "{name} buys {a} bags with {b} {things} each and {c} single ones. How many {things} does {name} buy?",
            "{name} had {c} {things} and got {a} boxes of {b}. How many {things} does {name} have now?",
            "There are {a} boxes with {b} {things} each, and {c} {things} lie beside them. How many {things} are there?",
            "A class made {b} {things} on each of {a} days, and {c} more on the last evening. How many {things} is that?",
        ),
        (SMALL, SMALL, SMALL),
        lambda a, b, c: a * b + c,
    ),
    "multiply, subtract": Kind(
        (
            "{name} buys {a} bags with {b} {things} each and loses {c} of them. How many {things} are left?",
            "There were {a} boxes of {b} {things}. {name} sold {c} {things}. How many {things} remain?",
            "{name} collected {b} {things} on each of {a} days and gave {c} away. How many {things} does {name} still have?",
            "From {a} trays of {b} {things} each, {c} {things} fell to the floor. How many stayed on the trays?",
        ),
        ((3, 9), (4, 9), SMALL),
        lambda a, b, c: a * b - c,
    ),
    "compare": Kind(
        (
            "{name} has {a} {things}. {other} has {b} more than {name}. How many {things} do they have together?",
            "{name} picked {a} {things} and {other} picked {b} more than that. How many {things} did both pick in total?",
            "{other} owns {b} {things} more than {name}, who owns {a}. How many {things} do the two own together?",
            "In one week {name} sold {a} {things}, and {other} sold {b} more. How many {things} did they sell in all?",
        ),
        (BIG, SMALL),
        lambda a, b: 2 * a + b,
    ),
}
UNSEEN = 3  # number of the form that is never trained on
# Kinds to train on. Of those of two operations the model gets nearly none: a group would hold no right sample.
TRAINED = ("add", "subtract", "multiply", "divide")


def word_problems(count: int, seed: int, held_out: bool) -> list[dict[str, Any]]:
    """
    Draws word problems, the kinds in turn. Those to train on are of one operation. Held-out ones are of all kinds, have
    numbers that no training problem has, and every second one is told in the unseen form.

    Args:
        count (`int`):
            How many.
        seed (`int`):
            Seed of the draw.
        held_out (`bool`):
            Whether they are for testing.

    Returns:
        `list[dict]`: rows of `question`, `answer`, `kind` and `unseen`.
    """
    rng = random.Random(f"{seed} {held_out}")
    rows: dict[str, dict[str, Any]] = {}
    names = list(KINDS) if held_out else TRAINED
    while len(rows) < count:
        name = names[len(rows) % len(names)]
        kind = KINDS[name]
        numbers = [rng.randint(*limits) for limits in kind.ranges]
        answer = kind.answer(*numbers)
        if (sum(numbers) % 4 == 0) != held_out or not 1 <= answer <= 100:
            continue  # a quarter of the numbers is for testing
        unseen = held_out and len(rows) // len(names) % 2 == 1
        form = kind.forms[UNSEEN if unseen else rng.randrange(UNSEEN)]
        values = dict(zip("abc", numbers, strict=False), ab=numbers[0] * numbers[1])
        person, other = rng.sample(NAMES, 2)
        question = form.format(name=person, other=other, things=rng.choice(THINGS), **values)
        rows.setdefault(question, {"question": question, "answer": str(answer), "kind": name, "unseen": unseen})
    return list(rows.values())


def short_gsm8k(dataset: str, split: str, count: int, seed: int) -> list[dict[str, Any]]:
    """
    GSM8K's short problems: at most two calculations, a question of less than 200 characters, a whole answer up to 100.

    Args:
        dataset (`str`):
            Name on the hub, or a folder with `train.jsonl` and `test.jsonl`.
        split (`str`):
            `"train"` or `"test"`.
        count (`int`):
            How many.
        seed (`int`):
            Seed of the choice.

    Raises:
        DataError: there are too few, or the data set is no GSM8K.
    """
    splits, _ = load(dataset, None if Path(dataset).exists() else "main")
    if split not in splits or not {"question", "answer"} <= set(splits[split].column_names):
        raise DataError(f"{dataset} is not GSM8K: it needs a split {split!r} of `question` and `answer`.")
    rows = []
    for row in splits[split]:
        gold = re.search(r"#### (\d+)$", row["answer"])
        if row["answer"].count("<<") <= 2 and len(row["question"]) < 200 and gold and 1 <= int(gold[1]) <= 100:
            rows.append({"question": row["question"], "answer": row["answer"]})
    if len(rows) < count:
        raise DataError(f"{dataset}, {split}: {len(rows)} short problems, {count} are needed.")
    return random.Random(seed).sample(rows, count)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
