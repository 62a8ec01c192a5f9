"""The samples of a run on disk: one JSON line each, kept through a kill, never drawn twice."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..data.journal import open_locked, whole_lines
from ..errors import DataError

SAMPLES = "samples.jsonl"


class Journal:
    """
    Appends samples to `samples.jsonl` and knows which are there, by the key of their prompt and their number.

    Args:
        folder (`Path`):
            Folder of the run; made if it is not there.

    Raises:
        ConfigError: the folder cannot be written, or another process is writing to it.
        DataError: the file holds something else.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / SAMPLES
        self._file = open_locked(path, "Give another --output_dir.", ": wait for it.")
        self.done: set[tuple[str, int]] = set()
        for number, line in whole_lines(self._file):
            row = _read(line, path, number)
            self.done.add((row["key"], row["sample"]))

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Writes samples. They survive a kill of this process from then on."""
        for row in rows:
            self._file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
            self.done.add((row["key"], row["sample"]))
        self._file.flush()

    def close(self) -> None:
        """Closes the file, which lets others write to it."""
        self._file.close()


def read_samples(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of `samples.jsonl`, the first of a key and number if there are several; empty without a file."""
    path = folder / SAMPLES
    if not path.is_file():
        return []
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        row = _read(line, path, number)
        found.setdefault((row["key"], row["sample"]), row)
    return list(found.values())


def _read(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
        return {**row, "key": str(row["key"]), "sample": int(row["sample"]), "completion": str(row["completion"])}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}, line {number}, is no sample of an evaluation: delete the line to go on.") from error
