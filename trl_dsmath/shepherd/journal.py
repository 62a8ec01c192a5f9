"""The file of labels: written as it goes, one row a solution, with the settings beside it."""

import json
from pathlib import Path
from typing import Any

import yaml

from ..data.journal import open_locked, other_settings, settings_path, whole_lines, write_settings
from ..errors import ConfigError, DataError


class Journal:
    """
    Appends rows to a file of JSON lines and knows which of them are there.

    The settings stand in `NAME.settings.yaml` beside it. A last line that was cut off by a kill is dropped.

    Args:
        path (`Path`):
            The file; made if it is not there.
        settings (`dict`):
            Everything that labels depend on.

    Raises:
        ConfigError: the file holds labels made with other settings, or is being written by another process.
        DataError: the file is no such file.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self._file = open_locked(path, "Name another file.", ". Wait for it, or name another file.")
        try:
            self.done = self._read()
            self._check_settings(settings)
        except (ConfigError, DataError):
            self._file.close()
            raise

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Writes rows. They survive a kill of this process from then on."""
        for row in rows:
            self._file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
            self._file.flush()
            self.done.add((row["problem_id"], row["index"]))

    def close(self) -> None:
        """Closes the file, which lets others write to it."""
        self._file.close()

    def _read(self) -> set[tuple[str, int]]:
        done: set[tuple[str, int]] = set()
        for number, line in whole_lines(self._file):
            try:
                row = json.loads(line)
                done.add((row["problem_id"], row["index"]))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}, holds no step labels. Name another file, or delete this line."
                ) from error
        return done

    def _check_settings(self, settings: dict[str, Any]) -> None:
        beside = settings_path(self.path)
        kept = read_settings(self.path)
        if self.done and not kept:
            raise ConfigError(
                f"{self.path} holds labels but {beside.name} is missing, so nobody knows how they were made. Name another "
                "file."
            )
        if not self.done:
            write_settings(self.path, settings)
            return
        if other := other_settings(kept, settings):
            raise ConfigError(
                f"{self.path} holds labels made with other settings: {other}. Give this run another output, or "
                f"delete {self.path.name} and {beside.name}."
            )


def read_settings(path: Path) -> dict[str, Any]:
    """The settings that a file of labels was made with; empty when there are none."""
    beside = settings_path(path)
    if not beside.exists():
        return {}
    try:
        kept = yaml.safe_load(beside.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DataError(f"{beside} is no YAML file: {error}. Delete it and the labels beside it.") from error
    return kept if isinstance(kept, dict) else {}
