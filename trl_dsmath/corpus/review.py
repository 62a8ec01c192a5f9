"""What a person decides on: the review file with example pages, and the session that goes through it."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

from ..data.journal import write_whole
from ..errors import DataError
from .classifier import probability
from .domains import Domain, host_of, registered_domain, touches
from .rules import MATH, NOT, SKIP, Decisions, parts, read_rules
from .score import Cut, Scored, read_shard

COLUMNS = ("prefix", "why", "pages", "collected", "tokens", "undecided", "share", "mean_score", "decision", "examples")
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
    examples: list[dict[str, Any]] = field(default_factory=list)
    undecided: int = 0
    tokens: int = 0


# By prefix and whether the page is collected: hash, shard, line and score of the pages with the least hashes.
Candidates: TypeAlias = dict[tuple[str, bool], list[tuple[bytes, int, int, int]]]


def find_candidates(rows: Iterable[Scored], number: int, prefixes: Collection[str], cut: Cut) -> Candidates:
    """Pages of a shard that may be examples of these prefixes."""
    found: Candidates = {}
    for line, (score, _, url) in enumerate(rows):
        kept, names = cut.keeps(score, url), parts(url)
        above = {"/".join(names[: last + 1]) for last in range(len(names))} | {registered_domain(names[0])}
        for prefix in above:
            if prefix in prefixes:
                page = (blake2b(url.encode(), digest_size=8).digest(), number, line, score)
                merge_candidates(found, {(prefix, kept): [page]})
    return found


def merge_candidates(total: Candidates, part: Candidates) -> None:
    """Adds the pages of a shard to those of the crawl."""
    for key, pages in part.items():
        total[key] = sorted(total.get(key, []) + pages)[:_EXAMPLES]


def read_excerpts(shard: str, lines: Collection[int]) -> dict[int, tuple[str, str]]:
    """URL and the beginning of the text of these pages, by line."""
    return {
        line: (record["url"], record["text"][:_EXCERPT])
        for line, record in enumerate(read_shard(shard))
        if line in lines
    }


def make_review(
    shown: Iterable[tuple[str, str]],
    domains: dict[str, Domain],
    decisions: Decisions,
    candidates: Callable[[Collection[str]], Candidates],
    excerpts: Callable[[dict[int, set[int]]], Iterable[dict[int, tuple[str, str]]]],
) -> list[Entry]:
    """Entries with examples: half of them collected pages and half not, where there are both.

    Args:
        shown (`Iterable[tuple[str, str]]`):
            Prefixes and why they are shown.
        domains (`dict[str, Domain]`):
            Their counts.
        decisions ([`Decisions`]):
            Those of earlier rounds.
        candidates (`Callable`), excerpts (`Callable`):
            Give [`find_candidates`] of the crawl for some prefixes, and [`read_excerpts`] for lines by shard.
    """
    entries = {}
    for prefix, why in shown:
        domain = domains[prefix]
        entries[prefix] = Entry(
            prefix,
            why,
            domain.pages,
            domain.collected,
            round(domain.share, 4),
            round(probability(domain.mean_score), 4),
            "" if why == "again" else decisions.of(prefix) or "",
            undecided=domain.undecided,
            tokens=domain.tokens,
        )
    chosen = candidates(set(entries))
    wanted: dict[int, dict[int, list[tuple[Entry, bool, int]]]] = {}
    for prefix, entry in entries.items():
        yes, no = chosen.get((prefix, True), []), chosen.get((prefix, False), [])
        take_yes = yes[: max(_EXAMPLES // 2, _EXAMPLES - len(no))]
        for kept, pages in ((True, take_yes), (False, no[: _EXAMPLES - len(take_yes)])):
            for _, number, line, score in pages:
                wanted.setdefault(number, {}).setdefault(line, []).append((entry, kept, score))
    numbers = sorted(wanted)
    for number, texts in zip(numbers, excerpts({n: set(wanted[n]) for n in numbers}), strict=True):
        for line, (url, excerpt) in texts.items():
            for entry, kept, score in wanted[number][line]:
                example = {"url": url, "score": round(probability(score), 4), "collected": kept}
                entry.examples.append({**example, "excerpt": excerpt})
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
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for e in entries:
        writer.writerow({**vars(e), "examples": " ".join(example["url"] for example in e.examples)})
    write_whole(folder / "review.csv", text.getvalue())


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
                int(row["undecided"]),
                int(row.get("tokens") or 0),
            )
            for row in csv.DictReader(file)
        ]


def undecided(entries: list[Entry], made: Decisions, before: Decisions, round_number: int) -> list[Entry]:
    """Domains and hosts over the threshold that wait for a person.

    One is settled by a decision on it, on its domain, or on anything under it. One that is asked about again is settled
    by a decision of this round only, or by one that was changed since.
    """
    new = {
        prefix
        for prefix, word in made.decided.items()
        if made.rounds.get(prefix) == round_number or before.decided.get(prefix) != word
    }
    settled = {"over": set(map(host_of, made.decided)), "again": set(map(host_of, new))}
    return [e for e in entries if e.why in settled and not touches(settled[e.why], e.prefix)]


def automatic(entries: list[Entry]) -> Decisions:
    """Decisions by the share of collected pages, at the finest prefix shown. They repeat the classifier's mistakes."""
    found = Decisions()
    for entry in entries:
        if entry.share > _AUTOMATIC_MATH:
            found.set(entry.prefix, MATH)
        elif entry.share < _AUTOMATIC_NOT:
            found.set(entry.prefix, NOT)
    return found


class Session:
    """
    One annotator's pass through the prefixes of the last round, each decision on disk before the next prefix is shown.

    Args:
        folder (`Path`):
            Working folder of the run.

    Raises:
        DataError: there is nothing to review.
    """

    def __init__(self, folder: Path) -> None:
        rounds = [path.parent for path in folder.glob("iteration-*/review.csv")]
        if not rounds:
            raise DataError(f"{folder} holds no review: run dsmath corpus first, it stops where a person is needed.")
        newest = max(rounds, key=lambda path: int(path.name.rpartition("-")[2]))
        self.number = int(newest.name.rpartition("-")[2])
        self.entries = read_review(newest)
        self.path = folder / "decisions.csv"
        self.decisions = read_rules(self.path) if self.path.exists() else Decisions()
        # What rules, and earlier rounds, have decided.
        kept = next((file for n in (self.number, self.number - 1)
                     if (file := folder / f"iteration-{n}" / "decisions.csv").exists()), None)  # fmt: skip
        self.before = read_rules(kept) if kept else Decisions()
        self._undo: list[tuple[str, str | None, int | None]] = []
        self._at: str | None = None

    @property
    def open(self) -> list[Entry]:
        """Entries without a decision. What lies under an accepted or rejected prefix is decided with it; folders of a
        skipped one are not, and what is asked again needs a decision of this round."""
        return [entry for entry in self.entries if not self._settled(entry)]

    @property
    def current(self) -> Entry | None:
        """The entry to decide on: the one that was jumped to, or the next open one."""
        jumped = next((entry for entry in self.entries if entry.prefix == self._at), None)
        return jumped or next(iter(self.open), None)

    def decision(self, entry: Entry) -> str:
        """The decision that holds for an entry; empty where it is open."""
        found = (self.decisions.of(entry.prefix) or self.before.of(entry.prefix)) if self._settled(entry) else None
        return found or ""

    def jump(self, prefix: str) -> None:
        """Shows an entry next, decided or not."""
        self._at = prefix

    def decide(self, decision: str) -> None:
        """Writes down a decision on the current entry."""
        entry = self.current
        if entry is None:
            return
        made = self.decisions
        self._undo.append((entry.prefix, made.decided.get(entry.prefix), made.rounds.get(entry.prefix)))
        made.set(entry.prefix, decision, self.number)
        made.write(self.path)
        self._at = None

    def undo(self) -> None:
        """Takes the last decision back."""
        if not self._undo:
            return
        prefix, before, round_number = self._undo.pop()
        self._at = prefix
        if before is None:
            self.decisions.drop(prefix)
        else:
            self.decisions.set(prefix, before, round_number)
        self.decisions.write(self.path)

    def skip_rest(self) -> None:
        """Skips all that is open, each to be undone by itself."""
        self._at = None
        while self.current:
            self.decide(SKIP)

    def _settled(self, entry: Entry) -> bool:
        made = self.decisions
        if (found := made.prefix_of(entry.prefix)) is None:
            made = self.before
            if entry.why == "again" or (found := made.prefix_of(entry.prefix)) is None:
                return False
        if made.decided[found] != SKIP:
            return True
        return found == entry.prefix and (entry.why != "again" or made.rounds.get(found) == self.number)
