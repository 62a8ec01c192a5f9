"""Files of JSON lines that are written as they go: for one process at a time, whole after a kill."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import ConfigError


def open_locked(path: Path, not_writable: str, busy: str) -> IO[bytes]:
    """Opens a file to read and to append to, for this process alone until it is closed; makes it and its folder.

    Args:
        path (`Path`):
            The file.
        not_writable (`str`):
            How the message goes on that it cannot be written: what to do.
        busy (`str`):
            The same where another process has it open.

    Raises:
        ConfigError: the file cannot be written, or another process is writing to it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. {not_writable}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConfigError(f"{path} is being written by another process{busy}") from error
    return file


def whole_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1; a last one that a kill cut off is taken out of the file."""
    file.seek(0)
    whole = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            file.truncate(whole)
            return
        whole += len(line)
        yield number, line


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a kill leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(text.encode("utf-8", "surrogatepass"))
    os.replace(part, path)


def settings_path(path: Path) -> Path:
    """The file with the settings that a file of rows was made with. Not `.json`, which a folder of data would take for a
    split."""
    return path.with_name(path.stem + ".settings.yaml")


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Writes the settings beside a file of rows."""
    import yaml

    write_whole(settings_path(path), yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))


def other_settings(kept: dict[str, Any], now: dict[str, Any]) -> str:
    """The settings that are not as they were, in words; empty when all are."""
    return ", ".join(
        f"{name} {kept.get(name)} (now {value})" for name, value in now.items() if kept.get(name) != value
    )
