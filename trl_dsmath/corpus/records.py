"""Pages as plain dictionaries, and their files: JSON lines, gzipped or not, the same bytes for the same records."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias

import fsspec

from ..data.journal import whole_file

Record: TypeAlias = dict[str, Any]  # `id`, `url`, and `html` (raw) or `text`; other columns travel along
# Kind of trouble, where, what: one call for each thing skipped. An empty `what` means that counting it is enough.
Report: TypeAlias = Callable[[str, str, str], None]


def ignore(kind: str, where: str, what: str) -> None:
    """A `Report` that forgets: for files that this package wrote itself."""


def clean_url(url: str) -> str:
    """The address as files of one line per page can hold it: no blanks within, no half surrogate pair."""
    if url.isascii() and url.isprintable() and " " not in url:
        return url
    return "%20".join(url.split()).encode("utf-8", "replace").decode("utf-8")


def dump_line(record: Record) -> bytes:
    """One line of a file of records; a half surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
    return json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def gzip_writer(raw: IO[bytes]) -> gzip.GzipFile:
    """A gzip stream whose bytes depend on what is written alone: neither file name nor time are in it."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0)


def write_jsonl(path: str | Path, records: Iterable[Record]) -> int:
    """Writes a file of records; it appears under its name only when it is whole.

    Args:
        path (`str` or `Path`):
            The file; gzipped if it ends in `.gz`.
        records (`Iterable[dict]`):
            What to write.

    Returns:
        `int`: number of records.
    """
    path = Path(path)
    count = 0
    with whole_file(path) as raw:
        file = gzip_writer(raw) if path.suffix == ".gz" else raw
        for record in records:
            file.write(dump_line(record))
            count += 1
        if file is not raw:
            file.close()
    return count


def read_jsonl(path: str | Path, report: Report = ignore) -> Iterator[Record]:
    """Reads a file of records, one at a time.

    Args:
        path (`str` or `Path`):
            The file, or an fsspec address such as `s3://`; gzipped if it ends in `.gz`.
        report (`Callable`, *optional*):
            Told about each line that is skipped, and about a file that breaks off.

    Returns:
        `Iterator[dict]`: the records.
    """
    with fsspec.open(str(path), "rb") if "://" in str(path) else Path(path).open("rb") as raw:
        lines = gzip.GzipFile(fileobj=raw) if str(path).endswith(".gz") else raw
        yield from (record for _, record in parse_lines(lines, str(path), report))


def parse_lines(lines: Iterable[bytes], name: str, report: Report = ignore) -> Iterator[tuple[int, Record]]:
    """The records of an open file of JSON lines, each with the number of its line; see `read_jsonl`."""
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{name}:{number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                report("mended: invalid UTF-8", where, str(error))
                text = line.decode("utf-8", "replace")
            try:
                record = json.loads(text)
            except (ValueError, RecursionError) as error:
                report("not JSON", where, str(error))
                continue
            if isinstance(record, dict):
                yield number, record
            else:
                report("not a JSON object", where, text[:80])
    except (EOFError, OSError, zlib.error) as error:
        report("file: breaks off", f"{name}:{number + 1}", str(error))
