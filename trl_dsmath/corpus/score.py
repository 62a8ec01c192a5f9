"""Scores of pages, one small file per shard, and the cut in their ranking: everything later reads these files and not the
pages."""

import gzip
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from fsspec.core import url_to_fs

from ..data.journal import whole_file
from ..errors import DataError
from .classifier import Classifier
from .execution import Execution, run_missing
from .records import clean_url, read_jsonl

Job: TypeAlias = tuple[str, Path]  # a file of pages and its file of scores
_BATCH = 256
_TIES = 1 << 16


class Scored(NamedTuple):
    """A line of a file of scores: thousandths of log-odds, tokens, URL. Its place is that of the page in its shard."""

    score: int
    tokens: int
    url: str


def count_tokens(record: Mapping[str, Any]) -> int:
    """Tokens of a page: its own `tokens` where it has one, else a quarter of its bytes."""
    given = record.get("tokens")
    return int(given) if given is not None else len(record["text"].encode("utf-8", "replace")) // 4


def shards(pages: str) -> list[str]:
    """The files of pages, sorted by name: of a folder, of an fsspec address such as `s3://`, or one file.

    Raises:
        DataError: there are none.
    """
    system, root = url_to_fs(pages)
    one = system.isfile(root)
    names = [root] if one else system.find(root, maxdepth=1) if system.isdir(root) else []
    found = [system.unstrip_protocol(name) if "://" in pages else name for name in sorted(names)]
    found = [name for name in found if one or name.endswith((".jsonl", ".jsonl.gz"))]
    if not found:
        raise DataError(
            f"{pages} holds no .jsonl or .jsonl.gz file. Make them out of a crawl with dsmath corpus prepare."
        )
    return found


def read_shard(path: str) -> Iterator[dict[str, Any]]:
    """Pages of a file.

    Raises:
        DataError: a line has no `url` or no `text`.
    """
    for number, record in enumerate(read_jsonl(path), start=1):
        if not isinstance(record.get("url"), str) or not isinstance(record.get("text"), str):
            raise DataError(f"{path}, line {number}, has no url or no text. Each line needs both, as strings.")
        record["url"] = clean_url(record["url"])
        yield record


def write_scores(path: Path, rows: Iterable[Scored]) -> None:
    """Writes a file of scores; it is either whole or not there."""
    with (
        whole_file(path) as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as file,
    ):
        for score, tokens, url in rows:
            file.write(f"{score}\t{tokens}\t{url}\n")


def read_scores(path: Path) -> Iterator[Scored]:
    """Rows of a file of scores, in the order of the pages."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            score, tokens, url = line.rstrip("\n").split("\t")
            yield Scored(int(score), int(tokens), url)


def _score_shard(shard: str, classifier: Classifier | None) -> Iterator[Scored]:
    """Scores of one file of pages; without a classifier, an index with zeros."""
    records = read_shard(shard)
    while batch := list(islice(records, _BATCH)):
        scores = classifier.scores([record["text"] for record in batch]) if classifier else [0] * len(batch)
        for record, score in zip(batch, scores, strict=True):
            yield Scored(score, count_tokens(record), record["url"])


@lru_cache(maxsize=1)
def _load(model: Path) -> Classifier:
    return Classifier(model)


def _write_shard(jobs: list[Job], model: Path | None, number: int) -> None:
    shard, file = jobs[number]
    write_scores(file, _score_shard(shard, _load(model) if model else None))


def score_all(jobs: list[Job], model: Path | None, execution: Execution) -> Iterator[int]:
    """
    Scores the shards whose file of scores is not there yet.

    Args:
        jobs (`list[tuple]`):
            Files of pages, each with its file of scores.
        model (`Path`, *optional*):
            The classifier; an index is written without one.
        execution ([`Execution`]):
            Where to run.

    Yields:
        `int`: each shard when its scores are written.
    """
    files = {number: file for number, (_, file) in enumerate(jobs)}
    try:
        if model and execution.kind == "local" and not all(file.exists() for file in files.values()):
            _load(model)  # before the workers are forked: it is in memory once
        yield from run_missing(partial(_write_shard, jobs, model), files, execution)
    finally:
        _load.cache_clear()


Counts: TypeAlias = dict[int, list[int]]  # pages and tokens, by score or by hash


def add_counts(total: Counts, part: Counts) -> None:
    """Adds the counts of a shard to those of the crawl."""
    for key, (pages, tokens) in part.items():
        counts = total.setdefault(key, [0, 0])
        counts[0] += pages
        counts[1] += tokens


def count_scores(rows: Iterable[Scored]) -> Counts:
    """Pages and tokens of a shard by score."""
    found: Counts = {}
    for score, tokens, _ in rows:
        counts = found.setdefault(score, [0, 0])
        counts[0] += 1
        counts[1] += tokens
    return found


def count_ties(rows: Iterable[Scored], score: int) -> Counts:
    """Pages and tokens of a shard that have this score, by the hash of their URL."""
    found: Counts = {}
    for row in rows:
        if row.score == score:
            add_counts(found, {_tie(row.url): [1, row.tokens]})
    return found


@dataclass(frozen=True)
class Cut:
    """
    Where the ranking ends.

    Args:
        score (`int`):
            Thousandths of log-odds: pages above it are kept.
        ties (`int`):
            Pages at the score are kept if their URL's hash, of 65,536, is under this.
        pages (`int`), tokens (`int`):
            Kept.
        all_pages (`int`), all_tokens (`int`):
            In the crawl.
        above_pages (`int`), above_tokens (`int`):
            Above the score threshold, before the budget.
    """

    score: int
    ties: int
    pages: int
    tokens: int
    all_pages: int
    all_tokens: int
    above_pages: int
    above_tokens: int

    def keeps(self, score: int, url: str) -> bool:
        """Whether a page is kept."""
        return score > self.score or (score == self.score and _tie(url) < self.ties)


def find_cut(counts: Counts, budget_tokens: int | None, min_score: float, ties: Callable[[int], Counts]) -> Cut:
    """
    The best pages that fit the budget and reach the score threshold, from counts and without sorting.

    Of pages with the score at which the budget ends, a part is kept, chosen by a hash of the URL.

    Args:
        counts (`dict`):
            Pages and tokens of the crawl by score.
        budget_tokens (`int`, *optional*):
            Tokens to keep at most.
        min_score (`float`):
            Least probability.
        ties (`Callable`):
            Gives [`count_ties`] of the crawl for a score, if the budget ends among pages of one score.
    """
    threshold = math.ceil(1000 * math.log(min_score / (1 - min_score)))
    above = [score for score in counts if score >= threshold]
    totals = (*_sum(counts.values()), *_sum(counts[score] for score in above))
    kept_pages = kept_tokens = 0
    for score in sorted(above, reverse=True):
        pages, tokens = counts[score]
        if budget_tokens is not None and kept_tokens + tokens > budget_tokens:
            hashes = ties(score)
            limit = _TIES
            for hashed in sorted(hashes):
                pages, tokens = hashes[hashed]
                if kept_tokens + tokens > budget_tokens:
                    limit = hashed
                    break
                kept_pages, kept_tokens = kept_pages + pages, kept_tokens + tokens
            return Cut(score, limit, kept_pages, kept_tokens, *totals)
        kept_pages, kept_tokens = kept_pages + pages, kept_tokens + tokens
    return Cut(threshold - 1, 0, kept_pages, kept_tokens, *totals)


def _sum(counts: Iterable[list[int]]) -> tuple[int, int]:
    pages = tokens = 0
    for some_pages, some_tokens in counts:
        pages, tokens = pages + some_pages, tokens + some_tokens
    return pages, tokens


def _tie(url: str) -> int:
    return int.from_bytes(blake2b(url.encode(), digest_size=2).digest())
