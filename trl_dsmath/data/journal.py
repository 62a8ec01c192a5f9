"""Files that survive a kill: JSON lines written as they are finished, the settings beside them, a lock, atomic writes."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import ConfigError, DataError

_PATIENCE = 2.0  # seconds for which children of a killed process may still hold its lock


class Journal:
    """
    A file of JSON lines that one process at a time appends to, and that a later run continues.

    A last line that a kill cut off is removed when the file is opened. Works as a context manager.

    Args:
        path (`str` or `Path`):
            The file. It and its folder are made if they are not there.
        key (`Sequence[str]`):
            The columns that identify a row.
        settings (`dict`, *optional*):
            Everything that the rows depend on; see [`keep_settings`]. If `None`, nothing is kept or compared.
        holds (`str`, *optional*, defaults to `"rows"`):
            What the rows are, for messages.

    Attributes:
        done (`set[tuple]`):
            The keys of the rows that are there.

    Raises:
        ConfigError: the rows were made with other settings, the file cannot be written, or another process writes to it.
        DataError: a line is not a row with these columns.

    Example:
    ```python
    with Journal("labels.jsonl", key=("id",), settings={"seed": 0}) as journal:
        for row in rows:
            if (row["id"],) not in journal.done:
                journal.append([label(row)])
    ```
    """

    def __init__(
        self, path: str | Path, key: Sequence[str], settings: dict[str, Any] | None = None, holds: str = "rows"
    ) -> None:
        self.path = Path(path)
        self._key = tuple(key)
        self._file = lock(self.path)
        try:
            _drop_cut_off_line(self._file)
            self.done: set[tuple] = {_key(row, self._key) for row in read_journal(self.path, key)}
            if settings is not None:
                keep_settings(
                    settings_path(self.path), settings, fresh=not self.done, holds=f"{self.path} holds {holds}"
                )
        except (ConfigError, DataError):
            self._file.close()
            raise

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Writes rows. They survive a kill of this process from then on."""
        for row in rows:
            self._file.write(json_line(row))
            self.done.add(_key(row, self._key))
        self._file.flush()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows that are in the file now."""
        return read_journal(self.path, self._key)

    def close(self) -> None:
        """Closes the file, which lets others write to it."""
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def read_journal(path: str | Path, key: Sequence[str]) -> Iterator[dict[str, Any]]:
    """
    The rows of a [`Journal`], without a lock: the first of each key; a line that is still being written is left out.

    Args:
        path (`str` or `Path`):
            The file; no rows if it is not there.
        key (`Sequence[str]`):
            The columns that identify a row.

    Raises:
        DataError: a line is not a row with these columns.
    """
    path = Path(path)
    seen: set[tuple] = set()
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
                name = _key(row, key)
                hash(name)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}, line {number}, is not a row with {' and '.join(key)}. Name another file, or delete the line."
                ) from error
            if name not in seen:
                seen.add(name)
                yield row


def json_line(row: dict[str, Any]) -> bytes:
    """A row as one line of UTF-8; half a surrogate pair, which UTF-8 cannot hold, is escaped."""
    try:
        return f"{json.dumps(row, ensure_ascii=False, default=str)}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(row, default=str)}\n".encode()


def settings_path(path: Path) -> Path:
    """The settings that a file of rows was made with. Not `.json`, which a folder of data would take for a split."""
    return path.with_name(f"{path.stem}.settings.yaml")


def keep_settings(file: Path, settings: dict[str, Any], *, fresh: bool, holds: str) -> None:
    """
    Writes the settings of a new run, or refuses to continue one that was made with others.

    Args:
        file (`Path`):
            Where the settings are kept, `.yaml` or `.json`.
        settings (`dict`):
            Everything that the results depend on; nested or not.
        fresh (`bool`):
            Whether nothing is there yet that depends on them: then they are written.
        holds (`str`):
            The beginning of the message: `"runs/x holds labels"`.

    Raises:
        ConfigError: the kept settings are others, which are named, or are missing.
    """
    if fresh:
        write_settings(file, settings)
        return
    kept = read_settings(file)
    if not kept:
        raise ConfigError(
            f"{holds} but {file.name} is missing, so nobody knows how they were made. Choose another output."
        )
    if other := differing(kept, settings):
        raise ConfigError(
            f"{holds} made with other settings: {other}. Choose another output, or delete this one and {file.name}."
        )


def write_settings(file: Path, settings: dict[str, Any]) -> None:
    """Writes settings as YAML, or as JSON where the name ends in `.json`."""
    import yaml

    plain = _plain(settings)
    as_json = file.suffix == ".json"
    text = (
        json.dumps(plain, indent=1) + "\n" if as_json else yaml.safe_dump(plain, allow_unicode=True, sort_keys=False)
    )
    write_whole(file, text)


def read_settings(file: Path) -> dict[str, Any]:
    """The settings in a file; empty when it is not there.

    Raises:
        DataError: it cannot be read.
    """
    import yaml

    if not file.exists():
        return {}
    try:
        text = file.read_text(encoding="utf-8")
        kept = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise DataError(f"{file} cannot be read: {error}. Delete it and what was made with it.") from error
    return kept if isinstance(kept, dict) else {}


def differing(kept: dict[str, Any], now: dict[str, Any]) -> str:
    """The settings that are not as they were: `"mode hard (now soft), grpo.beta 0.1 (now 0)"`; empty when all are."""
    old, new = _flat(_plain(kept)), _flat(_plain(now))
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name)} (now {new.get(name)})" for name in names)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """As they are read from a file: tuples are lists, paths are strings."""
    return json.loads(json.dumps(settings, default=str))


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def lock(path: Path, wait: Callable[[], None] | None = None) -> IO[bytes]:
    """
    Opens a file to read and append, for this process alone until it is closed. It and its folder are made.

    Args:
        path (`Path`):
            The file.
        wait (`Callable`, *optional*):
            Called once where another process holds the lock, before waiting for it. If `None`, that is an error.

    Raises:
        ConfigError: the file cannot be written, or another process holds the lock.
    """
    file = _opened(path, "ab+")
    if wait is not None:
        if not _try_lock(file):
            wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        return file
    patience = time.monotonic() + _PATIENCE
    while not _try_lock(file):
        if time.monotonic() > patience:
            file.close()
            raise ConfigError(f"{path} is being written by another process. Wait for it, or choose another output.")
        time.sleep(0.05)
    return file


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name when the block ends without an error: a kill leaves the old one or the new one.

    Its folder is made.

    Raises:
        ConfigError: it cannot be made.
    """
    if path.is_dir():
        raise ConfigError(f"{path} cannot be written: it is a folder. Choose another output.")
    part = path.with_name(f"{path.name}.part")
    with _opened(part, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _opened(path: Path, mode: str) -> IO[bytes]:
    """An open file; it and its folder are made.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. Choose another output.") from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file so that a kill leaves the old one or the new one; see [`whole_file`]."""
    with whole_file(path) as file:
        file.write(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes JSON lines, whole or not at all; folders above the file are made."""
    write_whole(path, b"".join(json_line(dict(row)) for row in rows))


def _key(row: dict[str, Any], columns: Sequence[str]) -> tuple:
    return tuple(row[name] for name in columns)


def _drop_cut_off_line(file: IO[bytes]) -> None:
    file.seek(0)
    whole = 0
    for line in file:
        if not line.endswith(b"\n"):
            file.truncate(whole)
        whole += len(line)
