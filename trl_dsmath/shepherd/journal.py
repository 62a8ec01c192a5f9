"""The file of labels: written as it goes, one row a solution, with the settings beside it."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import yaml

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
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = path.open("ab+")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}. Name another file.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise ConfigError(
                f"{path} is being written by another process. Wait for it, or name another file."
            ) from error
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
        self._file.seek(0)
        done: set[tuple[str, int]] = set()
        whole = 0
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                self._file.truncate(whole)
                break
            whole += len(line)
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
            part = beside.with_name(beside.name + ".part")
            part.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
            os.replace(part, beside)
            return
        other = [f"{key} {kept.get(key)} (now {value})" for key, value in settings.items() if kept.get(key) != value]
        if other:
            raise ConfigError(
                f"{self.path} holds labels made with other settings: {', '.join(other)}. Give this run another output, or "
                f"delete {self.path.name} and {beside.name}."
            )


def settings_path(path: Path) -> Path:
    """The file with the settings of a file of labels. Not `.json`, which a folder of data would take for a split."""
    return path.with_name(path.stem + ".settings.yaml")


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
