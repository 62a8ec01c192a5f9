"""Benchmarks out of training text: the paragraphs that share a word 10-gram with a question or an answer go.

A paragraph is a run of lines between blank lines. Where blank lines do not tell paragraphs apart (there are none, or a
run is longer than 2,000 characters) each line is one. A match that lies across paragraphs
removes those that it covers by half or by ten words, and at least the one that it covers most: a neighbour that only
lends it a word stays.
"""

import re
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..text.ngrams import Hit, NgramIndex, words
from .records import read_jsonl

QUESTION_COLUMNS = ("question", "problem", "prompt", "query")
ANSWER_COLUMNS = ("answer", "solution", "response")
_LONGEST_PARAGRAPH = 2000
_BLANK = re.compile(r"\n[^\S\n]*\n\s*")
_COMMAND = re.compile(r"\\[A-Za-z]+")


@dataclass(frozen=True)
class Removed:
    """
    One paragraph that was taken out.

    Args:
        start (`int`):
            Where the paragraph began in the page.
        text (`str`):
            The paragraph.
        source (`str`):
            The benchmark text: `file/row/column`.
        rule (`str`):
            `10-gram` or `exact`.
        matched (`str`):
            The words of the match.
    """

    start: int
    text: str
    source: str
    rule: str
    matched: str


def load_benchmarks(paths: Iterable[str | Path]) -> NgramIndex:
    """Reads benchmarks.

    Columns: `question`, `problem`, `prompt`, `query`, `messages` (what the user says); `answer`, `solution`,
    `response`. An answer of fewer than ten words is added only if one of them is a word and not a value (`3,5,7`).

    Args:
        paths (`Iterable[str | Path]`):
            Files of JSON lines, or folders of them.

    Returns:
        `NgramIndex`: their questions and answers, each under `file/row/column`.

    Raises:
        DataError: nothing can be read at a path, or a file has none of the columns.
    """
    index = NgramIndex()
    for path in map(Path, paths):
        files = sorted([*path.rglob("*.jsonl"), *path.rglob("*.jsonl.gz")]) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise DataError(f"{path}: give a file of JSON lines with the benchmark, or a folder of such files.")
        for file in files:
            name = f"{file.parent.name}/{file.name.partition('.jsonl')[0]}"
            before = len(index)
            for row, record in enumerate(read_jsonl(file)):
                for column, text in _texts(record, index.n):
                    index.add(text, f"{name}/{row}/{column}")
            if len(index) == before:
                raise DataError(f"{file}: no row has a text in {', '.join(QUESTION_COLUMNS)} or messages.")
    return index


def _texts(record: dict[str, Any], n: int) -> Iterable[tuple[str, str]]:
    for column in QUESTION_COLUMNS:
        if isinstance(record.get(column), str):
            yield column, record[column]
    for message in record.get("messages") or []:
        if isinstance(message, dict) and message.get("role") == "user" and isinstance(message.get("content"), str):
            yield "messages", message["content"]
    for column in ANSWER_COLUMNS:
        text = record.get(column)
        if not isinstance(text, str):
            continue
        found = words(_COMMAND.sub(" ", text))
        if len(found) >= n or any(len(word) > 2 and word.isalpha() for word in found):
            yield column, text


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Where the paragraphs of a text begin and end; together with the gaps between them they are the whole text."""
    blocks, start = [], 0
    for gap in _BLANK.finditer(text):
        blocks.append((start, gap.start()))
        start = gap.end()
    blocks.append((start, len(text)))
    spans = []
    for first, last in blocks:
        if len(blocks) > 1 and last - first <= _LONGEST_PARAGRAPH:
            spans.append((first, last))
            continue
        while first <= last:
            end = text.find("\n", first, last)
            end = last if end < 0 else end
            spans.append((first, end))
            first = end + 1
    return [(first, last) for first, last in spans if text[first:last].strip()]


def decontaminate(text: str, index: NgramIndex) -> tuple[str, list[Removed]]:
    """Takes the benchmark paragraphs out of one page.

    Args:
        text (`str`):
            The text of the page.
        index ([`~trl_dsmath.text.ngrams.NgramIndex`]):
            The benchmarks.

    Returns:
        `tuple`: the text without these paragraphs (itself when there were none), and what was removed.

    Source: §2.1.1 (Decontamination).
    """
    hits = index.find(text)
    if not hits:
        return text, []
    removed: list[Removed] = []
    kept, at = [], 0
    spans = paragraphs(text)
    blamed = _blame(text, spans, hits, index.n)
    starts = [start for start, _ in spans[1:]] + [len(text)]
    for number, hit in sorted(blamed.items()):
        start, end = spans[number]
        match = text[hit.start : hit.end]
        removed.append(Removed(start, text[start:end], hit.source, hit.rule, match))
        kept.append(text[at:start])
        at = starts[number]
    kept.append(text[at:])
    return "".join(kept).strip(), removed


def _blame(text: str, spans: list[tuple[int, int]], hits: list[Hit], n: int) -> dict[int, Hit]:
    """The paragraphs to remove, each with a match that it holds."""
    covered: dict[int, Hit] = {}
    for hit in hits:
        held: dict[int, int] = {}  # words of the match by paragraph
        mostly = []
        for number in range(bisect(spans, (hit.start, len(text))) - 1, len(spans)):
            start, end = spans[number]
            if start >= hit.end:
                break
            inside = words(text[max(start, hit.start) : min(end, hit.end)])
            held[number] = len(inside)
            whole = len(inside) >= n or (hit.rule == "exact" and start <= hit.start and hit.end <= end)
            if whole or 2 * len(inside) >= len(words(text[start:end])):
                mostly.append(number)
        for number in mostly or sorted(held, key=lambda number: -held[number])[:1]:
            covered.setdefault(number, hit)
    # A drawing or a table in a question holds few words: lines between two matches with one text go with them.
    found = sorted(covered)
    for first, last in pairwise(found):
        hit, start, end = covered[first], spans[first][1], spans[last][0]
        near = hit.source == covered[last].source and end - start <= _LONGEST_PARAGRAPH
        if near and not _BLANK.search(text, start, end):
            covered |= dict.fromkeys(range(first + 1, last), hit)
    return covered
