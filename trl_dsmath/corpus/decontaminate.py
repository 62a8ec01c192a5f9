"""Benchmarks out of training text: the paragraphs that share a word 10-gram with a question or an answer go.

A paragraph is a run of lines between blank lines. Where blank lines do not tell paragraphs apart (there are none, or a
run is longer than 2,000 characters) each line is one. A match that lies across paragraphs
removes those that it covers by half or by ten words, and at least the one that it covers most: a neighbour that only
lends it a word stays. Neighbours whose words stand in the same benchmark text go with it. What hides words on a page is looked
through: soft hyphens, `_emphasis_`, hyphenation at the end of a line, numbers before lines.
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

# A 10-gram with this many of these words (`where n is the number of nodes in the`) proves nothing by itself.
_FUNCTION_WORDS = frozenset(words(
    """
    a an the of in on at to for from by with as is are was were be been that this these those which where when there and or
    not if then than it its we i you he she they his her their one each every any all some such can will has have had do does
    what how let
    """
))  # fmt: skip
_MOSTLY = 6
_LONGER = 3  # words beyond a 10-gram that are a second witness
_WITNESS_SHARE = 0.6  # of the benchmark text that the match covers

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200d\u2060\ufeff]+|(?<=[a-z])-\n(?=[a-z])")
_EMPHASIS = re.compile(r"(?<![\w\\])_+[^\W_]+(?:[ \n][^\W_]+)*_+(?!\w)")
_NUMBERED = re.compile(r"^[ \t]*[(\[]?(\d{1,4})[.:)\]|]?[ \t]+(?=\S)", re.M)


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


class Benchmarks(NgramIndex):
    """An [`~trl_dsmath.text.ngrams.NgramIndex`] that also keeps the words of each text, by its source."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}

    def add(self, text: str, source: str) -> bool:
        """Adds a benchmark text."""
        self.texts[source] = f" {' '.join(words(text))} "
        return super().add(text, source)


def load_benchmarks(paths: Iterable[str | Path]) -> Benchmarks:
    """Reads benchmarks.

    Columns: `question`, `problem`, `prompt`, `query`, `messages` (what the user says); `answer`, `solution`,
    `response`. An answer of fewer than ten words is added only if one of them is a word and not a value (`3,5,7`).

    Args:
        paths (`Iterable[str | Path]`):
            Files of JSON lines, or folders of them.

    Returns:
        [`Benchmarks`]: their questions and answers, each under `file/row/column`.

    Raises:
        DataError: nothing can be read at a path, or a file has none of the columns.
    """
    index = Benchmarks()
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
        while first < last:
            end = text.find("\n", first, last)
            end = last if end < 0 else end
            spans.append((first, end))
            first = end + 1
    return [(first, last) for first, last in spans if text[first:last].strip()]


def decontaminate(text: str, index: Benchmarks) -> tuple[str, list[Removed]]:
    """Takes the benchmark paragraphs out of one page.

    Args:
        text (`str`):
            The text of the page.
        index ([`Benchmarks`]):
            The benchmarks.

    Returns:
        `tuple`: the text without these paragraphs (itself when there were none), and what was removed.

    Source: §2.1.1 (Decontamination).
    """
    hits = _proven(text, _find(text, index), index)
    if not hits:
        return text, []
    removed: list[Removed] = []
    kept, at = [], 0
    spans = paragraphs(text)
    blamed = _with_neighbours(text, spans, _blame(text, spans, hits, index.n), index)
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
            if len(inside) >= n or 2 * len(inside) >= len(words(text[start:end])):
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


def _find(text: str, index: Benchmarks) -> list[Hit]:
    """The matches in the text as it stands, and in what a reader sees of it."""
    hits = index.find(text)
    bare, places = _bare(text)
    if bare != text:
        hits += [
            Hit(h.source, _place(places, h.start), _place(places, h.end - 1) + 1, h.rule) for h in index.find(bare)
        ]
    return sorted(set(hits), key=lambda hit: (hit.start, hit.end, hit.source))


def _bare(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without what hides words, and where in it how many characters are missing."""
    if "_" in text:
        text = _EMPHASIS.sub(lambda match: match[0].replace("_", " "), text)
    numbers = [(match.start(), int(match[1])) for match in _NUMBERED.finditer(text)]
    counted = {at for (at, one), (_, two) in pairwise(numbers) if one + 1 == two}
    counted |= {at for (_, one), (at, two) in pairwise(numbers) if one + 1 == two}
    if counted:
        text = _NUMBERED.sub(lambda match: " " * len(match[0]) if match.start() in counted else match[0], text)
    parts, places, at, missing = [], [(0, 0)], 0, 0
    for match in _INVISIBLE.finditer(text):
        parts.append(text[at : match.start()])
        at = match.end()
        missing += len(match[0])
        places.append((at - missing, missing))
    return ("".join([*parts, text[at:]]) if parts else text), places


def _place(places: list[tuple[int, int]], at: int) -> int:
    return at + places[bisect(places, (at, 1 << 62)) - 1][1]


def _proven(text: str, hits: list[Hit], index: Benchmarks) -> list[Hit]:
    """The matches without 10-grams of function words that nothing else supports.

    A second witness is a longer match, most of the benchmark text, or another match with the same text.
    """
    proven: list[Hit] = []
    doubtful: list[Hit] = []
    for hit in hits:
        found = words(_bare(text[hit.start : hit.end])[0])
        whole = len(index.texts.get(hit.source, "").split())
        weak = sum(word in _FUNCTION_WORDS for word in found) >= _MOSTLY
        alone = len(found) < index.n + _LONGER and len(found) < _WITNESS_SHARE * whole
        (doubtful if weak and alone else proven).append(hit)
    for hit in doubtful:
        others = (other for other in hits if other.source == hit.source)
        if any(other.end <= hit.start or hit.end <= other.start for other in others):
            proven.append(hit)
    return sorted(proven, key=lambda hit: (hit.start, hit.end, hit.source))


def _with_neighbours(
    text: str, spans: list[tuple[int, int]], blamed: dict[int, Hit], index: Benchmarks
) -> dict[int, Hit]:
    """Adds the paragraphs beside those to remove that hold nothing but words of the same benchmark text."""
    found = dict(blamed)
    for number, hit in blamed.items():
        source = index.texts.get(hit.source, "")
        for step in (-1, 1):
            beside = number + step
            while 0 <= beside < len(spans) and beside not in found:
                start, end = spans[beside]
                here = words(_bare(text[start:end])[0]) if end - start <= _LONGEST_PARAGRAPH else []
                if not here or f" {' '.join(here)} " not in source:
                    break
                found[beside] = hit
                beside += step
    return found
