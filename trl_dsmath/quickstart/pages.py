"""A small made-up crawl: pages on which the sloppy author's solutions stand, and pages about other things."""

import json
import random
from pathlib import Path

from .settings import write_rows, write_whole
from .task import SloppyAuthor, make_problems

SOLUTIONS_A_PAGE = 50
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
# Numbers stand on the other pages too: digits alone give nothing away.
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
    """
    Writes a crawl for the corpus loop: `pages.jsonl`, `seed_pages.jsonl`, `labels.jsonl`, `rules.csv`.

    Args:
        folder (`Path`):
            Where to; made if it is not there.
        pages (`int`):
            How many pages; a quarter is mathematics.
        seed (`int`):
            Seed of all texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, author = random.Random(f"pages-{seed}"), SloppyAuthor(seed, "pretrain")
    kinds = [kind for kind, share in {**MATHEMATICS, **OTHERS}.items() for _ in range(round(share * pages))]
    problems = iter(make_problems(len(kinds) * SOLUTIONS_A_PAGE, seed, "pretrain"))
    rng.shuffle(kinds)
    rows = []
    for number, kind in enumerate(kinds):
        if kind in MATHEMATICS:
            head = _HEADS[list(MATHEMATICS).index(kind)].format(n=number)
            text = "\n\n".join([head, *(author.solve(next(problems)) for _ in range(SOLUTIONS_A_PAGE))])
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
    rows = (json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines())
    return {row["url"]: row["label"] == "math" for row in rows}
