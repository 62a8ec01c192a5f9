"""The documents of one source, in an order that a few numbers describe, so that a resumed run finds its place."""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError

WINDOW = 1024  # documents that are shuffled among themselves; files are shuffled as wholes

_JSON = (".jsonl", ".json", ".jsonl.gz", ".json.gz")


@dataclass(frozen=True)
class Source:
    """
    One part of the mixture. The fields are named as in [`~trl.DatasetConfig`] where that has them.

    Args:
        path (`str`):
            A file (.jsonl, .jsonl.gz or .parquet), a folder that is searched for such files, a pattern
            (`corpus/*.jsonl.gz`), or the name of a data set on the hub, which is streamed.
        fraction (`float`):
            Share of the tokens, above 0.
        label (`str`, *optional*):
            Name in the log. If `None`, the last part of the path.
        name (`str`, *optional*):
            Configuration of a data set on the hub.
        split (`str`, *optional*, defaults to `"train"`):
            Split of a data set on the hub.
        text_column (`str`, *optional*, defaults to `"text"`):
            Column of the documents. A column `input_ids` is taken as tokens.

    Raises:
        ConfigError: the fraction is not above 0.
    """

    path: str
    fraction: float
    label: str | None = None
    name: str | None = None
    split: str = "train"
    text_column: str = "text"

    def __post_init__(self) -> None:
        if not self.fraction > 0:
            raise ConfigError(
                f"The fraction of {self.path} must be above 0, not {self.fraction}: leave the source out."
            )

    @property
    def title(self) -> str:
        """The name in the log."""
        return self.label or self.name or Path(self.path).name.split(".")[0]

    def files(self) -> list[Path]:
        """The local files, sorted; empty for a data set on the hub.

        Raises:
            DataError: the path looks local and there is no such file.
        """
        path = Path(self.path).expanduser()
        if path.is_file():
            return [path]
        found: list[Path] = []
        if path.is_dir():
            found = [file for file in path.rglob("*") if _readable(file)]
        elif any(sign in self.path for sign in "*?["):
            found = [file for file in map(Path, glob(str(path), recursive=True)) if _readable(file)]
        elif not (self.path.startswith((".", "/", "~")) or _readable(path)):
            return []
        if not found:
            raise DataError(f"{self.path}: there is no {', '.join((*_JSON, '.parquet'))} file.")
        return sorted(found)


def _readable(file: Path) -> bool:
    return file.name.endswith((*_JSON, ".parquet"))


@dataclass(frozen=True)
class Position:
    """How far a source was read: `taken` documents of the window that begins at `row` of a file.

    `file` counts in the shuffled order of the epoch. `skipped` counts the rows without a text, over all epochs.
    """

    epoch: int = 0
    file: int = 0
    row: int = 0
    taken: int = 0
    skipped: int = 0
    hub: dict[str, Any] = field(default_factory=dict)  # state of a streamed data set at the window's beginning


class Reader:
    """
    Reads a source over and over, each epoch in another order; `position` moves on with each document.
    """

    def __init__(
        self, source: Source, seed: int, tokenize: Callable[[list[str]], list[list[int]]], position: Position
    ) -> None:
        self.source = source
        self.position = position
        self._seed = seed
        self._tokenize = tokenize
        self._files = source.files()

    def documents(self) -> Iterator[list[int]]:
        """Yields the tokens of one document after the other, without end.

        Raises:
            DataError: a file cannot be read, or an epoch went by without a document.
        """
        while True:
            start, found = self.position, False
            for begin, window, end in self._windows(start):
                documents = self._tokens(begin, [document for document in window if document])
                for taken in range(begin.taken, len(documents)):
                    self.position = replace(begin, taken=taken + 1)
                    found = True
                    yield documents[taken]
                self.position = replace(end, skipped=begin.skipped + len(window) - len(documents))
            if not found and (start.file, start.row, start.taken) == (0, 0, 0):
                raise DataError(
                    f"{self.source.path} holds no document: no row has a text in its column "
                    f"{self.source.text_column!r}. Name the column with text_column."
                )
            self.position = Position(epoch=start.epoch + 1, skipped=self.position.skipped)

    def _tokens(self, begin: Position, window: list[Any]) -> list[list[int]]:
        """The documents of a window in their shuffled order, as tokens."""
        key = f"{self._seed}/{self.source.title}/{begin.epoch}/{begin.file}/{begin.row}"
        random.Random(key).shuffle(window)
        texts = [document for document in window if isinstance(document, str)]
        tokens = iter(self._tokenize(texts) if texts else [])
        return [next(tokens) if isinstance(document, str) else document for document in window]

    def _windows(self, start: Position) -> Iterator[tuple[Position, list[Any], Position]]:
        """Windows from a position to the end of its epoch, each with its own position and the one that follows."""
        if not self._files:
            yield from self._hub_windows(start)
            return
        order = list(self._files)
        random.Random(f"{self._seed}/{self.source.title}/{start.epoch}").shuffle(order)
        begin = start
        for number in range(start.file, len(order)):
            if number > start.file:
                begin = replace(self.position, file=number, row=0, taken=0)
            for window in _in_windows(_documents_of(order[number], self.source.text_column, begin.row)):
                end = replace(begin, row=begin.row + len(window), taken=0)
                yield begin, window, end
                begin = self.position

    def _hub_windows(self, start: Position) -> Iterator[tuple[Position, list[Any], Position]]:
        hub = _open_hub(self.source)
        if start.hub:
            hub.load_state_dict(start.hub)
        begin = start
        for window in _in_windows(_text(row, self.source.text_column) for row in hub):
            yield begin, window, replace(begin, row=begin.row + len(window), taken=0, hub=hub.state_dict())
            begin = self.position


def _text(row: Any, column: str) -> Any:
    """The document in a row, a text or token ids; None for a row that has none."""
    if not isinstance(row, dict):
        return None
    ids = row.get("input_ids")
    if ids is not None:
        return list(ids)
    text = row.get(column)
    return text if isinstance(text, str) else None


def _in_windows(documents: Iterator[Any]) -> Iterator[list[Any]]:
    while window := list(islice(documents, WINDOW)):
        yield window


def _documents_of(file: Path, column: str, start: int) -> Iterator[Any]:
    """The documents of one local file from a row on. A line that is not JSON counts as a row without a text."""
    if file.name.endswith(".parquet"):
        yield from (_text(row, column) for row in _parquet_rows(file, column, start))
        return
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for line in islice(lines, start, None):
                try:
                    yield _text(json.loads(line), column)
                except ValueError:  # also bytes that are not UTF-8
                    yield None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}. Replace the file, or leave it out.") from error


def _parquet_rows(file: Path, column: str, start: int) -> Iterator[Any]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(file)
        columns = [name for name in (column, "input_ids") if name in table.schema_arrow.names]
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if start >= rows:
                start -= rows
                continue
            for batch in table.iter_batches(batch_size=WINDOW, row_groups=[group], columns=columns):
                cells = batch.to_pylist()
                yield from cells[start:]
                start = max(0, start - len(cells))
    except (ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read: {error}. Replace the file, or leave it out.") from error


def _open_hub(source: Source) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(source.path, name=source.name, split=source.split, streaming=True)
    except (OSError, ValueError, DatasetsError) as error:
        reason = str(error).strip().split("\n")[0]
        raise DataError(f"The data set {source.path} cannot be opened: {reason}") from error
