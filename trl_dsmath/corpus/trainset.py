"""The training set of a round: seed and annotated pages against others, chosen by hashes of their URLs."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..data.journal import whole_file
from ..errors import DataError
from .classifier import MATH, OTHER, one_line
from .rules import MATH as ACCEPTED
from .rules import NOT, Decisions
from .rules import SKIP as SKIPPED
from .score import Cut, Scored, read_scores, read_shard
from .settings import LoopSettings

# A few dozen negatives do not span a crawl, and pages are cheap: a small seed is set against more of them.
_LEAST_NEGATIVES = 2000
_LONGEST = 10_000  # characters of a page that are trained on: the kind of a page shows early, and a manual is endless
_HASHES = 1 << 64
_SHARE = 3  # times as many random pages are looked at as are wanted, since some cannot be used
_LARGEST_PART = 3  # of a small crawl, at most a third becomes negatives


@dataclass(frozen=True)
class Example:
    """A page to train on. `source` is `seed`, a prefix with a decision, or empty for a random page."""

    label: str
    source: str
    url: str
    line: str

    @property
    def sure(self) -> bool:
        """Whether a person, or the seed, says so."""
        return self.label == MATH or bool(self.source)


def page_hash(url: str, seed: int, salt: str = "") -> bytes:
    """What pages are chosen and ordered by: the same in every run, on every machine."""
    return blake2b(f"{seed} {salt} {url}".encode("utf-8", "replace"), digest_size=8).digest()


def kept_apart(url: str, seed: int) -> bool:
    """Whether a page of the crawl is left out of training: a fifth, on which each round is measured."""
    return page_hash(url, seed, "apart")[0] < 51


class _Best:
    """The `size` items with the least keys, in memory of that size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.heap: list[tuple[int, int, int, str]] = []  # negated key, shard, line, url

    def add(self, item: tuple[int, int, int, str]) -> None:
        if len(self.heap) < self.size:
            heapq.heappush(self.heap, item)
        elif item > self.heap[0]:
            heapq.heapreplace(self.heap, item)

    def items(self) -> list[tuple[int, int, int, str]]:
        return sorted(((-key, number, line, url) for key, number, line, url in self.heap))


class Candidates:
    """Pages that may be trained on, of a shard or of the crawl: by accepted and by rejected prefix, and random ones."""

    def __init__(self, settings: LoopSettings) -> None:
        self.per_prefix = settings.pages_per_prefix
        self.accepted: dict[str, _Best] = {}
        self.rejected: dict[str, _Best] = {}
        self.random = _Best(settings.negative_examples)

    def add(self, rows: Iterable[Scored], number: int, rule: "_Rule") -> "Candidates":
        """Adds the pages of a shard."""
        for line, (score, _, url) in enumerate(rows):
            if url in rule.left_out or kept_apart(url, rule.seed):
                continue
            prefix = rule.decisions.prefix_of(url)
            decision = rule.decisions.decided[prefix] if prefix else None
            if decision == SKIPPED:
                continue
            kept = rule.cut is not None and rule.cut.keeps(score, url)
            hashed = int.from_bytes(page_hash(url, rule.seed))
            if decision in (ACCEPTED, NOT):
                # Bit 64 puts the pages on which the classifier and the decision differ before the others.
                agreed = kept == (decision == ACCEPTED)
                group = self.accepted if decision == ACCEPTED else self.rejected
                group.setdefault(prefix or "", _Best(self.per_prefix)).add(
                    (-((agreed << 64) | hashed), number, line, url)
                )
            if decision != ACCEPTED and hashed < rule.limit:
                self.random.add((-hashed, number, line, url))
        return self

    def merge(self, other: "Candidates") -> None:
        """Adds those of another part of the crawl."""
        for mine, theirs in ((self.accepted, other.accepted), (self.rejected, other.rejected)):
            for prefix, best in theirs.items():
                into = mine.setdefault(prefix, _Best(self.per_prefix))
                for item in best.heap:
                    into.add(item)
        for item in other.random.heap:
            self.random.add(item)


@dataclass(frozen=True)
class _Rule:
    """What decides whether a page is a candidate. Random pages have a hash under `limit`: the others cannot be among the
    chosen ones, and would be most of the crawl."""

    cut: Cut | None
    decisions: Decisions
    left_out: set[str]
    seed: int
    limit: int


def _find(files: list[Path], rule: _Rule, settings: LoopSettings, number: int) -> Candidates:
    return Candidates(settings).add(read_scores(files[number]), number, rule)


def _read(shards: list[str], chosen: dict[int, dict[int, tuple[str, str]]], number: int) -> list[Example]:
    return [
        Example(*chosen[number][line], record["url"], one_line(record["text"][:_LONGEST]))
        for line, record in enumerate(read_shard(shards[number]))
        if line in chosen[number]
    ]


def choose(
    seed_pages: list[tuple[str, str]],
    shards: list[str],
    files: list[Path],
    pages: int,
    cut: Cut | None,
    decisions: Decisions,
    held_out: set[str],
    settings: LoopSettings,
    mapped: Callable[..., Iterator[Any]],
    merged: Callable[..., Any],
) -> list[Example]:
    """
    Chooses pages and reads their text, shard by shard.

    Mathematical: the seed, and pages under accepted prefixes, those that were not collected first. Other: pages under
    rejected prefixes, those that were collected first (at most half), and random pages outside accepted and skipped
    prefixes. As many others as mathematical pages, but not fewer than 2,000 where the crawl has them.

    Args:
        seed_pages (`list[tuple[str, str]]`):
            URL and text.
        shards (`list[str]`), files (`list[Path]`):
            Files of pages and of their scores, or of the index.
        pages (`int`):
            Pages of the crawl.
        cut ([`Cut`], *optional*):
            What the round before collected.
        decisions ([`Decisions`]):
            Annotated prefixes.
        held_out (`set[str]`):
            URLs that are never trained on, besides a fifth of the crawl on which rounds are measured.
        settings ([`LoopSettings`]):
            Sizes and the seed.
        mapped (`Callable`), merged (`Callable`):
            [`map_shards`] of the round (name of the step, function, numbers of shards), and [`merge_shards`] (name,
            function, `merge`).

    Returns:
        `list[Example]`: mixed, in an order given by the hash.

    Raises:
        DataError: there are no pages to train on.
    """
    left_out = held_out | {url for url, _ in seed_pages if url}
    limit = min(_HASHES, _HASHES * _SHARE * settings.negative_examples // max(pages, 1))
    while True:
        rule = _Rule(cut, decisions, left_out, settings.seed, limit)
        find = partial(_find, files, rule, settings)
        found: Candidates = merged(f"candidates-{limit:x}", find, Candidates.merge)
        if limit == _HASHES or len(found.random.heap) == settings.negative_examples:
            break
        limit = min(_HASHES, 4 * limit)  # so much of the crawl is decided or held out

    chosen: dict[tuple[int, int], tuple[str, str]] = {}
    most = max(0, settings.positive_examples - len(seed_pages))
    for source, place in _in_turns(found.accepted, most):
        chosen[place] = (MATH, source)
    positives = len(seed_pages) + len(chosen)
    wanted = min(settings.negative_examples, max(positives, min(_LEAST_NEGATIVES, pages // _LARGEST_PART)))
    for source, place in _in_turns(found.rejected, wanted // 2):
        chosen[place] = (OTHER, source)
    left = wanted - (len(chosen) - (positives - len(seed_pages)))
    for _, number, line, url in found.random.items():
        if left <= 0:
            break
        if (number, line) not in chosen:
            prefix = decisions.prefix_of(url)
            chosen[(number, line)] = (OTHER, prefix or "")
            left -= 1

    by_shard: dict[int, dict[int, tuple[str, str]]] = {}
    for (number, line), what in chosen.items():
        by_shard.setdefault(number, {})[line] = what
    examples = [Example(MATH, "seed", url, one_line(text[:_LONGEST])) for url, text in seed_pages]
    for part in mapped("texts", partial(_read, shards, by_shard), sorted(by_shard)):
        examples += part
    if not any(example.label == OTHER for example in examples):
        raise DataError("No page is left as a negative example: every page is in the seed, held out or accepted.")
    return sorted(examples, key=lambda e: (page_hash(e.url, settings.seed, "order"), e.label, e.line))


def _in_turns(groups: dict[str, _Best], most: int) -> Iterable[tuple[str, tuple[int, int]]]:
    """One page of each prefix in turn, `most` in all, so that a large site does not crowd out a small one."""
    queues = [(prefix, groups[prefix].items()) for prefix in sorted(groups)]
    depth = 0
    while most > 0 and queues:
        queues = [(prefix, items) for prefix, items in queues if len(items) > depth]
        for prefix, items in queues[:most]:
            yield prefix, (items[depth][1], items[depth][2])
        most -= len(queues)
        depth += 1


def write_lines(path: Path, examples: list[Example]) -> int:
    """
    Writes the file that fastText reads; the rarer label is repeated until both are about equally frequent.

    Returns:
        `int`: the number of lines.
    """
    positives = sum(example.label == MATH for example in examples)
    negatives = len(examples) - positives
    repeats = {
        MATH: max(1, round(negatives / max(positives, 1))),
        OTHER: max(1, round(positives / max(negatives, 1))),
    }
    lines = 0
    with whole_file(path) as file:
        # Whole rounds, so that the repetitions of a page do not stand side by side.
        for turn in range(max(repeats.values())):
            for example in examples:
                if turn < repeats[example.label]:
                    file.write(f"{example.label} {example.line}\n".encode())
                    lines += 1
    return lines
