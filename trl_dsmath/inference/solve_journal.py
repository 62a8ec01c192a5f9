"""Answers written as they come: a file of solutions, a file of their samples, and the settings beside them."""

import hashlib
import json
from pathlib import Path
from typing import IO, Any

import yaml

from ..data.journal import open_locked, other_settings, settings_path, whole_lines, write_settings
from ..errors import ConfigError, DataError
from .result import SolvedSample


class SolveJournal:
    """
    Appends solutions and samples to files of JSON lines and knows which are there.

    `NAME.jsonl` has a line a question, `NAME.samples.jsonl` one a sample, written as soon as it is drawn, and
    `NAME.settings.yaml` what they depend on. A last line that a kill cut off is dropped.

    Args:
        path (`Path`):
            File of the solutions.
        settings (`dict`):
            Everything that samples and answers depend on.

    Raises:
        ConfigError: the files were written with other settings, or are being written by another process.
        DataError: a file holds something else.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.samples_path = path.with_name(path.stem + ".samples.jsonl")
        self.solved: dict[str, dict[str, Any]] = {}
        self.samples: dict[str, list[SolvedSample]] = {}
        self._files: list[IO[bytes]] = []
        try:
            self._solutions = self._open(path)
            self._drawn = self._open(self.samples_path)
            for row in _whole_rows(self._solutions, path, ("id", "answer")):
                self.solved[row["id"]] = row
            for row in _whole_rows(self._drawn, self.samples_path, ("id", "index", "text", "answer")):
                kept = self.samples.setdefault(row.pop("id"), [])
                if row.pop("index") == len(kept):
                    kept.append(SolvedSample(**row))
            self._check(settings)
        except (ConfigError, DataError):
            self.close()
            raise

    def add_samples(self, key: str, first: int, samples: list[SolvedSample]) -> None:
        """Writes samples; they survive a kill of this process from then on."""
        for index, sample in enumerate(samples, start=first):
            _write(self._drawn, {"id": key, "index": index, **sample.to_dict()})

    def add_solution(self, key: str, row: dict[str, Any]) -> None:
        """Writes the answer to a question."""
        self.solved[key] = {"id": key, **row}
        _write(self._solutions, self.solved[key])

    def close(self) -> None:
        """Closes the files, which lets others write to them."""
        for file in self._files:
            file.close()

    def _open(self, path: Path) -> IO[bytes]:
        file = open_locked(path, "Name another --output.", ". Wait for it, or name another --output.")
        self._files.append(file)
        return file

    def _check(self, settings: dict[str, Any]) -> None:
        settings = json.loads(json.dumps(settings))  # tuples are lists in the file
        if not self.solved and not self.samples:
            write_settings(self.path, settings)
            return
        beside = settings_path(self.path)
        try:
            kept = yaml.safe_load(beside.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{self.path} holds answers, but {beside.name} cannot be read.") from error
        if other := other_settings(kept, settings):
            raise ConfigError(
                f"{self.path} holds answers made with other settings: {other}. Name another --output, or "
                f"delete {self.path.name} and the files beside it."
            )


def question_keys(questions: list[str]) -> list[str]:
    """A name for each question that does not depend on where it stands; a repeated one gets a number."""
    seen: dict[str, int] = {}
    keys = []
    for question in questions:
        key = hashlib.blake2b(question.encode(), digest_size=8).hexdigest()
        seen[key] = seen.get(key, 0) + 1
        keys.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return keys


def _write(file: IO[bytes], row: dict[str, Any]) -> None:
    file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", errors="replace"))
    file.flush()


def _whole_rows(file: IO[bytes], path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a file; a last line without its end is cut off."""
    rows = []
    for number, line in whole_lines(file):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or any(name not in row for name in columns):
            raise DataError(f"{path}, line {number}, is not of `dsmath solve`. Name another --output.")
        rows.append(row)
    return rows
