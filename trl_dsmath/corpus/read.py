"""Pages out of the files of a crawl: WARC, JSON lines, parquet. What cannot be read is reported and passed over."""

import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from ..errors import DataError, MissingDependencyError
from .records import Record, Report, ignore, parse_lines

SUFFIXES = (".warc", ".warc.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
MAX_BYTES = 10_000_000
_HTML_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
_ROWS = 1000
_CHUNK = 1 << 20


def read_pages(file: IO[bytes], name: str, report: Report = ignore, max_bytes: int = MAX_BYTES) -> Iterator[Record]:
    """Reads the pages of one file, one at a time.

    Args:
        file (`IO[bytes]`):
            The open file.
        name (`str`):
            Its name, which says the format: `.warc`, `.jsonl` (both also with `.gz`) or `.parquet`. Rows need `url`,
            and `html` or `text`.
        report (`Callable`, *optional*):
            Called with kind, place and reason for each record that is passed over.
        max_bytes (`int`, *optional*, defaults to `10000000`):
            Longer pages are passed over.

    Returns:
        `Iterator[dict]`: records with `id`, `url` and `html` or `text`.

    Raises:
        DataError: the name has none of the endings.
    """
    if name.endswith((".warc", ".warc.gz")):
        records = _read_warc(file, name, report, max_bytes)
    elif name.endswith((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")):
        records = parse_lines(file, name, report)
    elif name.endswith(".parquet"):
        records = _read_parquet(file, name, report)
    else:
        raise DataError(f"{name}: pages are read from files that end in {', '.join(SUFFIXES)}.")
    found = False
    for number, record in enumerate(records):
        found = True
        where = f"{name}:{number + 1}"
        content = record.get("html") or record.get("text")
        if not isinstance(content, str | bytes):
            report("no html and no text", where, f"columns: {', '.join(map(str, record))}"[:200])
        elif len(content) > max_bytes:
            report("page too long", where, f"{record.get('url')}: {len(content):,} bytes, limit {max_bytes:,}")
        else:
            record["id"] = str(record.get("id") or f"{PurePosixPath(name).name}/{number}")
            record["url"] = str(record.get("url") or "")
            yield record
    if not found:
        report("no record", name, "the file is empty, or nothing in it could be read")


def _read_warc(file: IO[bytes], name: str, report: Report, max_bytes: int) -> Iterator[Record]:
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError as error:
        raise MissingDependencyError("Reading WARC files needs fastwarc: pip install 'trl-dsmath[corpus]'.") from error
    kinds = WarcRecordType.response | WarcRecordType.conversion | WarcRecordType.resource
    start, number = 0, 0
    while start >= 0:
        file.seek(start)
        begin, records = start, iter(ArchiveIterator(file, record_types=kinds, parse_http=True))
        while True:
            number += 1
            where = f"{name}:{number}"
            try:
                record = next(records, None)
                if record is None:
                    return
                begin = record.stream_pos
                page = _warc_page(record, where, report, max_bytes)
            except (OSError, ValueError, RuntimeError, EOFError, KeyError) as error:
                report("broken WARC record", where, f"{type(error).__name__}: {error}")
                break
            if page is not None:
                yield page
        start = _next_record(file, begin + 1, name.endswith(".gz"))


def _next_record(file: IO[bytes], start: int, zipped: bool) -> int:
    """Where the next record begins after a broken one; -1 when there is none."""
    mark = b"\x1f\x8b\x08" if zipped else b"\nWARC/1."
    before = b""
    file.seek(start)
    while chunk := file.read(_CHUNK):
        data = before + chunk
        at = data.find(mark)
        while at >= 0:
            place = start - len(before) + at
            if not zipped:
                return place + 1
            if _begins_warc(data[at : at + 1000]):
                return place
            at = data.find(mark, at + 1)
        start += len(chunk)
        before = data[-1000:] if len(data) > 1000 else data
    return -1


def _begins_warc(data: bytes) -> bool:
    try:
        return zlib.decompressobj(31).decompress(data, 10).startswith(b"WARC/")
    except zlib.error:
        return False


def _warc_page(record: Any, where: str, report: Report, max_bytes: int) -> Record | None:
    url = record.headers.get("WARC-Target-URI") or ""
    kind = (record.headers.get("WARC-Identified-Payload-Type") or record.http_content_type or "").partition(";")[0]
    if kind and kind.strip().lower() not in _HTML_TYPES:
        return None
    declared = int(record.headers.get("Content-Length") or 0)
    expected = record.content_length
    body = record.reader.read(max_bytes + 1)
    if len(body) > max_bytes:
        report("page too long", where, f"{url}: {declared:,} bytes, limit {max_bytes:,}")
        return None
    if len(body) < expected:
        raise ValueError(f"{url}: {expected:,} bytes declared, {len(body):,} there")
    if not body:
        return None
    is_text = kind.strip().lower() == "text/plain"
    content = {"text": body.decode("utf-8", "replace")} if is_text else {"html": body}
    return {"id": record.headers.get("WARC-Record-ID") or where, "url": url, **content}


def _read_parquet(file: IO[bytes], name: str, report: Report) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        report("broken parquet file", name, f"{error}; the rest of the file is passed over")
