"""Answers written as they come: a file of solutions, a file of their samples, and the settings beside them."""

import hashlib
from pathlib import Path
from typing import Any

from ..data.journal import Journal, keep_settings, settings_path
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
        self._solutions = Journal(path, ("id",))
        try:
            self._drawn = Journal(self.samples_path, ("id", "index"))
        except (ConfigError, DataError):
            self._solutions.close()
            raise
        try:
            fresh = not self._solutions.done and not self._drawn.done
            keep_settings(settings_path(path), settings, fresh=fresh, holds=f"{path} holds answers")
            for row in self._solutions.rows():
                self.solved[row["id"]] = row
            for row in self._drawn.rows():
                kept = self.samples.setdefault(row.pop("id"), [])
                if row.pop("index") == len(kept):
                    kept.append(SolvedSample(**row))
        except (ConfigError, DataError):
            self.close()
            raise

    def add_samples(self, key: str, first: int, samples: list[SolvedSample]) -> None:
        """Writes samples; they survive a kill of this process from then on."""
        self._drawn.append({"id": key, "index": i, **sample.to_dict()} for i, sample in enumerate(samples, first))

    def add_solution(self, key: str, row: dict[str, Any]) -> None:
        """Writes the answer to a question."""
        self.solved[key] = {"id": key, **row}
        self._solutions.append([self.solved[key]])

    def close(self) -> None:
        """Closes the files, which lets others write to them."""
        self._solutions.close()
        self._drawn.close()


def question_keys(questions: list[str]) -> list[str]:
    """A name for each question that does not depend on where it stands; a repeated one gets a number."""
    seen: dict[str, int] = {}
    keys = []
    for question in questions:
        key = hashlib.blake2b(question.encode(), digest_size=8).hexdigest()
        seen[key] = seen.get(key, 0) + 1
        keys.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return keys
