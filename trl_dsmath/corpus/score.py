"""Scores of pages, one small file a shard: everything after it reads these files and not the pages."""

import gzip
import io
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError
from .classifier import Classifier
from .records import read_jsonl

_BATCH = 256


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
        yield record


def score_records(records: Iterable[dict[str, Any]], classifier: Classifier) -> Iterator[tuple[dict[str, Any], int]]:
    """Pages with their scores, in order and as they come: a step for any pipeline over records."""
    records = iter(records)
    while batch := list(islice(records, _BATCH)):
        yield from zip(batch, classifier.scores([record["text"] for record in batch]), strict=True)


def score_shard(shard: Path, output: Path, classifier: Classifier | None) -> None:
    """Writes the scores of one file of pages; without a classifier, an index with zeros."""
    pairs = score_records(read_shard(shard), classifier) if classifier else ((r, 0) for r in read_shard(shard))
    write_scores(output, (Scored(score, count_tokens(record), record["url"]) for record, score in pairs))


def write_scores(path: Path, rows: Iterable[Scored]) -> None:
    """Writes a file of scores; it is either whole or not there."""
    part = path.with_name(path.name + ".part")
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", errors="replace") as file,
    ):
        for score, tokens, url in rows:
            file.write(f"{score}\t{tokens}\t{' '.join(url.split())}\n")
    os.replace(part, path)


def read_scores(path: Path) -> Iterator[Scored]:
    """Rows of a file of scores, in the order of the pages."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            score, tokens, url = line.rstrip("\n").split("\t")
            yield Scored(int(score), int(tokens), url)


_classifier: Classifier | None = None  # of a worker: inherited by fork, so that the model is in memory once


def _work(job: tuple[Path, Path]) -> None:
    score_shard(*job, _classifier)


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
        with multiprocessing.get_context("fork").Pool(min(workers, len(missing))) as pool:
            results = [(job, pool.apply_async(_work, (job,))) for job in missing]
            for job, result in results:
                result.get()
                yield job[1]
    finally:
        _classifier = None
