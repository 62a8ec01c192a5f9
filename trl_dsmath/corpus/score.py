"""Scores of pages, one small file per shard, and the cut in their ranking: everything later reads these files and not the
pages."""

import gzip
import io
import math
import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..data.journal import whole_file
from ..errors import DataError
from .classifier import Classifier, end_with_parent
from .records import clean_url, read_jsonl

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


def shards(pages: Path) -> list[Path]:
    """The files of pages, sorted by name.

    Raises:
        DataError: there are none.
    """
    if pages.is_file():
        return [pages]
    found = sorted(file for file in pages.glob("*.jsonl*") if file.name.endswith((".jsonl", ".jsonl.gz")))
    if not found:
        raise DataError(
            f"{pages} holds no .jsonl or .jsonl.gz file. Make them out of a crawl with dsmath corpus prepare."
        )
    return found


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
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


def _score_shard(shard: Path, classifier: Classifier | None) -> Iterator[Scored]:
    """Scores of one file of pages; without a classifier, an index with zeros."""
    records = read_shard(shard)
    while batch := list(islice(records, _BATCH)):
        scores = classifier.scores([record["text"] for record in batch]) if classifier else [0] * len(batch)
        for record, score in zip(batch, scores, strict=True):
            yield Scored(score, count_tokens(record), record["url"])


_classifier: Classifier | None = None  # of a worker: inherited by fork, so that the model is in memory once


def _work(job: tuple[Path, Path]) -> None:
    write_scores(job[1], _score_shard(job[0], _classifier))


def score_all(jobs: list[tuple[Path, Path]], model: Path | None, workers: int) -> Iterator[Path]:
    """
    Scores the shards whose file of scores is not there yet.

    Args:
        jobs (`list[tuple]`):
            Files of pages, each with its file of scores.
        model (`Path`, *optional*):
            The classifier; an index is written without one.
        workers (`int`):
            Processes.

    Yields:
        `Path`: each file of scores when it is written.
    """
    global _classifier
    missing = [job for job in jobs if not job[1].exists()]
    if not missing:
        return
    _classifier = Classifier(model) if model else None
    try:
        if workers == 1:
            for job in missing:
                _work(job)
                yield job[1]
            return
        context = multiprocessing.get_context("fork")
        with context.Pool(min(workers, len(missing)), end_with_parent) as pool:
            results = [(job, pool.apply_async(_work, (job,))) for job in missing]
            for job, result in results:
                result.get()
                yield job[1]
    finally:
        _classifier = None


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


def find_cut(files: Iterable[Path], budget_tokens: int | None, min_score: float) -> Cut:
    """
    The best pages that fit the budget and reach the score threshold.

    Two passes over the files of scores and no sorting, in memory that does not grow with them. Of pages with the score at
    which the budget ends, a part is kept, chosen by a hash of the URL.

    Args:
        files (`Iterable[Path]`):
            Files of scores.
        budget_tokens (`int`, *optional*):
            Tokens to keep at most.
        min_score (`float`):
            Least probability.
    """
    files = list(files)
    pages: dict[int, int] = defaultdict(int)
    tokens: dict[int, int] = defaultdict(int)
    for file in files:
        for score, count, _ in read_scores(file):
            pages[score] += 1
            tokens[score] += count
    threshold = math.ceil(1000 * math.log(min_score / (1 - min_score)))
    above = [score for score in pages if score >= threshold]
    totals = (sum(pages.values()), sum(tokens.values()), sum(pages[s] for s in above), sum(tokens[s] for s in above))
    kept_pages = kept_tokens = 0
    for score in sorted(above, reverse=True):
        if budget_tokens is not None and kept_tokens + tokens[score] > budget_tokens:
            ties, tied_pages, tied_tokens = _split(files, score, budget_tokens - kept_tokens)
            return Cut(score, ties, kept_pages + tied_pages, kept_tokens + tied_tokens, *totals)
        kept_pages += pages[score]
        kept_tokens += tokens[score]
    return Cut(threshold - 1, 0, kept_pages, kept_tokens, *totals)


def _split(files: list[Path], score: int, budget: int) -> tuple[int, int, int]:
    """How many of the hashes fit the rest of the budget: the limit, and the pages and tokens under it."""
    pages, tokens = [0] * _TIES, [0] * _TIES
    for file in files:
        for found, count, url in read_scores(file):
            if found == score:
                pages[_tie(url)] += 1
                tokens[_tie(url)] += count
    kept_pages = kept_tokens = 0
    for limit in range(_TIES):
        if kept_tokens + tokens[limit] > budget:
            return limit, kept_pages, kept_tokens
        kept_pages += pages[limit]
        kept_tokens += tokens[limit]
    return _TIES, kept_pages, kept_tokens


def _tie(url: str) -> int:
    return int.from_bytes(blake2b(url.encode(), digest_size=2).digest())
