"""The training set of a round: seed and annotated pages against others, chosen by hashes of their URLs."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ..data.journal import whole_file
from ..errors import DataError
from .classifier import MATH, OTHER, one_line
from .rules import MATH as ACCEPTED
from .rules import NOT, Decisions
from .rules import SKIP as SKIPPED
from .score import Cut, read_scores, read_shard
from .settings import LoopSettings

# A few dozen negatives do not span a crawl, and pages are cheap: a small seed is set against more of them.
_LEAST_NEGATIVES = 2000
_LONGEST = 10_000  # characters of a page that are trained on: the kind of a page shows early, and a manual is endless
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

    def add(self, key: int, number: int, line: int, url: str) -> None:
        item = (-key, number, line, url)
        if len(self.heap) < self.size:
            heapq.heappush(self.heap, item)
        elif item > self.heap[0]:
            heapq.heapreplace(self.heap, item)

    def items(self) -> list[tuple[int, int, int, str]]:
        return sorted(((-key, number, line, url) for key, number, line, url in self.heap))


def choose(
    seed_pages: list[tuple[str, str]],
    shards: list[Path],
    files: list[Path],
    cut: Cut | None,
    decisions: Decisions,
    held_out: set[str],
    settings: LoopSettings,
) -> list[Example]:
    """
    Chooses pages and reads their text.

    Mathematical: the seed, and pages under accepted prefixes, those that were not collected first. Other: pages under
    rejected prefixes, those that were collected first (at most half), and random pages outside accepted and skipped
    prefixes. As many others as mathematical pages, but not fewer than 2,000 where the crawl has them.

    Args:
        seed_pages (`list[tuple[str, str]]`):
            URL and text.
        shards (`list[Path]`), files (`list[Path]`):
            Files of pages and of their scores, or of the index.
        cut ([`Cut`], *optional*):
            What the round before collected.
        decisions ([`Decisions`]):
            Annotated prefixes.
        held_out (`set[str]`):
            URLs that are never trained on, besides a fifth of the crawl on which rounds are measured.
        settings ([`LoopSettings`]):
            Sizes and the seed.

    Returns:
        `list[Example]`: mixed, in an order given by the hash.

    Raises:
        DataError: there are no pages to train on.
    """
    seed_urls = {url for url, _ in seed_pages if url}
    accepted: dict[str, _Best] = {}
    rejected: dict[str, _Best] = {}
    random = _Best(settings.negative_examples)
    pages = 0
    for number, file in enumerate(files):
        for line, (score, _, url) in enumerate(read_scores(file)):
            pages += 1
            if url in held_out or url in seed_urls or kept_apart(url, settings.seed):
                continue
            prefix = decisions.prefix_of(url)
            decision = decisions.decided[prefix] if prefix else None
            if decision == SKIPPED:
                continue
            kept = cut is not None and cut.keeps(score, url)
            hashed = int.from_bytes(page_hash(url, settings.seed))
            if decision == ACCEPTED:
                # Bit 64 puts the pages that the classifier missed before those that it found.
                accepted.setdefault(prefix or "", _Best(settings.pages_per_prefix)).add(
                    (kept << 64) | hashed, number, line, url
                )
                continue
            if decision == NOT:
                rejected.setdefault(prefix or "", _Best(settings.pages_per_prefix)).add(
                    ((not kept) << 64) | hashed, number, line, url
                )
            random.add(hashed, number, line, url)

    chosen: dict[tuple[int, int], tuple[str, str]] = {}
    most = max(0, settings.positive_examples - len(seed_pages))
    for source, place in _in_turns(accepted, most):
        chosen[place] = (MATH, source)
    positives = len(seed_pages) + len(chosen)
    wanted = min(settings.negative_examples, max(positives, min(_LEAST_NEGATIVES, pages // _LARGEST_PART)))
    for source, place in _in_turns(rejected, wanted // 2):
        chosen[place] = (OTHER, source)
    left = wanted - (len(chosen) - (positives - len(seed_pages)))
    for _, number, line, url in random.items():
        if left <= 0:
            break
        if (number, line) not in chosen:
            prefix = decisions.prefix_of(url)
            chosen[(number, line)] = (OTHER, prefix or "")
            left -= 1

    examples = [Example(MATH, "seed", url, one_line(text[:_LONGEST])) for url, text in seed_pages]
    for number, shard in enumerate(shards):
        lines = {line: what for (of, line), what in chosen.items() if of == number}
        if lines:
            for line, record in enumerate(read_shard(shard)):
                if line in lines:
                    examples.append(Example(*lines[line], record["url"], one_line(record["text"][:_LONGEST])))
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
