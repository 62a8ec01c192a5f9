"""The review file: what a person decides on, with counts, scores and example pages."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..errors import DataError
from .classifier import probability
from .domains import Domain
from .rank import Cut
from .rules import MATH, NOT, Decisions, parts, write_text
from .score import read_scores, read_shard

COLUMNS = ("prefix", "why", "pages", "collected", "share", "mean_score", "decision", "examples")
_EXAMPLES = 4
_EXCERPT = 1200
_AUTOMATIC_MATH, _AUTOMATIC_NOT = 0.5, 0.1


@dataclass
class Entry:
    """A prefix to decide on. `examples` are pages: `url`, `score` (probability), `collected`, `excerpt`."""

    prefix: str
    why: str
    pages: int
    collected: int
    share: float
    mean_score: float
    decision: str
    examples: list[dict[str, Any]]


def make_review(
    shown: Iterable[tuple[str, str]],
    domains: dict[str, Domain],
    shards: list[Path],
    files: list[Path],
    cut: Cut,
    decisions: Decisions,
) -> list[Entry]:
    """Entries with examples: half of them collected pages and half not, where there are both."""
    entries = {}
    for prefix, why in shown:
        domain = domains[prefix]
        score = round(probability(domain.mean_score), 4)
        entries[prefix] = Entry(
            prefix, why, domain.pages, domain.collected, round(domain.share, 4), score, decisions.of(prefix) or "", []
        )
    chosen: dict[tuple[str, bool], list[tuple[bytes, int, int, int, str]]] = {}
    for number, file in enumerate(files):
        for line, (found, _, url) in enumerate(read_scores(file)):
            kept = cut.keeps(found, url)
            names = parts(url)
            for length in range(1, len(names) + 1):
                prefix = "/".join(names[:length])
                if prefix in entries:
                    best = chosen.setdefault((prefix, kept), [])
                    best.append((blake2b(url.encode(), digest_size=8).digest(), number, line, found, url))
                    best.sort()
                    del best[_EXAMPLES:]
    wanted: dict[tuple[int, int], list[tuple[Entry, bool, int]]] = {}
    for prefix, entry in entries.items():
        yes, no = chosen.get((prefix, True), []), chosen.get((prefix, False), [])
        half = _EXAMPLES // 2
        take_yes = yes[: max(half, _EXAMPLES - len(no))]
        for kept, pages in ((True, take_yes), (False, no[: _EXAMPLES - len(take_yes)])):
            for _, number, line, found, _ in pages:
                wanted.setdefault((number, line), []).append((entry, kept, found))
    for number, shard in enumerate(shards):
        if not any(place[0] == number for place in wanted):
            continue
        for line, record in enumerate(read_shard(shard)):
            for entry, kept, found in wanted.get((number, line), []):
                entry.examples.append(
                    {
                        "url": record["url"],
                        "score": round(probability(found), 4),
                        "collected": kept,
                        "excerpt": record["text"][:_EXCERPT],
                    }
                )
    for entry in entries.values():
        entry.examples.sort(key=lambda example: (-example["score"], example["url"]))
    return list(entries.values())


def write_review(folder: Path, entries: list[Entry]) -> None:
    """Writes `review.csv`, for people, and `examples.jsonl.gz`, with the excerpts, for the page."""
    lines = "".join(
        json.dumps({"prefix": e.prefix, "examples": e.examples}, ensure_ascii=False) + "\n" for e in entries
    )
    (folder / "examples.jsonl.gz").write_bytes(gzip.compress(lines.encode("utf-8", "replace"), mtime=0))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for e in entries:
        urls = " ".join(example["url"] for example in e.examples)
        writer.writerow([e.prefix, e.why, e.pages, e.collected, e.share, e.mean_score, e.decision, urls])
    write_text(folder / "review.csv", text.getvalue())


def read_review(folder: Path) -> list[Entry]:
    """Reads what [`write_review`] wrote.

    Raises:
        DataError: there is no review in this folder.
    """
    path = folder / "review.csv"
    if not path.is_file():
        raise DataError(f"{folder} holds no review.csv: run dsmath corpus first, it stops where a person is needed.")
    with gzip.open(folder / "examples.jsonl.gz", "rt", encoding="utf-8") as file:
        examples = {row["prefix"]: row["examples"] for row in map(json.loads, file)}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(
                row["prefix"],
                row["why"],
                int(row["pages"]),
                int(row["collected"]),
                float(row["share"]),
                float(row["mean_score"]),
                row["decision"],
                examples.get(row["prefix"], []),
            )
            for row in csv.DictReader(file)
        ]


def undecided(entries: list[Entry], decisions: Decisions) -> list[Entry]:
    """Hosts over the threshold that nobody decided on: neither on the host nor on any of its folders."""
    touched = {prefix.split("/")[0] for prefix in decisions.decided}
    return [entry for entry in entries if entry.why == "over" and entry.prefix not in touched]


def automatic(entries: list[Entry]) -> Decisions:
    """Decisions by the share of collected pages, at the finest prefix shown. They repeat the classifier's mistakes."""
    found = Decisions()
    for entry in entries:
        if entry.share > _AUTOMATIC_MATH:
            found.set(entry.prefix, MATH)
        elif entry.share < _AUTOMATIC_NOT:
            found.set(entry.prefix, NOT)
    return found
