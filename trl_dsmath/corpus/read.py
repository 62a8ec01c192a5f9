"""Pages out of the files of a crawl: WARC, JSON lines, parquet. What cannot be read is reported and skipped."""

import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from ..errors import DataError, MissingDependencyError
from .records import Record, Report, ignore, parse_lines
from .warc import read_warc

MAX_BYTES = 10_000_000
_FORMATS = {
    ".warc": "warc",
    ".wet": "warc",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "lines",
    ".parquet": "parquet",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
ENDINGS = f"{', '.join(_FORMATS)}, all but .parquet also with {', '.join(_COMPRESSIONS)}"
_ROWS = 1000
_CHUNK = 1 << 20


def page_format(name: str) -> tuple[str, str] | None:
    """Format (`warc`, `lines`, `parquet`) and compression (or `""`) of a file of pages by its name; None for another file."""
    stem = name.lower()
    compression = next((ending for ending in _COMPRESSIONS if stem.endswith(ending)), "")
    stem = stem.removesuffix(compression)
    kind = next((kind for ending, kind in _FORMATS.items() if stem.endswith(ending)), None)
    return None if kind is None or (kind == "parquet" and compression) else (kind, _COMPRESSIONS.get(compression, ""))


def read_pages(file: IO[bytes], name: str, report: Report = ignore, max_bytes: int = MAX_BYTES) -> Iterator[Record]:
    """Reads the pages of one file, one at a time.

    Args:
        file (`IO[bytes]`):
            The open file.
        name (`str`):
            Its name, which says the format: `.warc`, `.wet`, `.jsonl`, `.ndjson`, `.json` (one object per line; all of these
            also with `.gz`, `.zst` or `.bz2`) or `.parquet`; in upper or lower case. Rows need `url`, and `html` or `text`.
        report (`Callable`, *optional*):
            Called with kind, place and reason for each record that is skipped: pages and calls add up to the records.
            Kinds that begin with `file: ` or `mended: ` are about something else than one record that was skipped.
        max_bytes (`int`, *optional*, defaults to `10000000`):
            Longer pages are skipped.

    Returns:
        `Iterator[dict]`: records with `id`, `url` and `html` or `text`; `_charset` is the one declared by the server.

    Raises:
        DataError: the name has none of the endings.
    """
    found = page_format(name)
    if found is None:
        raise DataError(f"{name}: pages are read from files that end in {ENDINGS}.")
    kind, compression = found
    records: Iterator[tuple[int, Record]]
    some = False

    def counted(what: str, where: str, why: str) -> None:
        nonlocal some
        some = some or not what.startswith("file: ")
        report(what, where, why)

    if kind == "parquet":
        records = enumerate(_read_parquet(file, name, counted), 1)
    elif kind == "lines":
        records = parse_lines(_open(file, compression), name, counted)
    elif compression in ("", "gzip"):
        records = enumerate(read_warc(file, name, compression == "gzip", counted, max_bytes), 1)
    else:
        records = enumerate(_read_spooled_warc(file, name, compression, counted, max_bytes), 1)
    for number, (place, record) in enumerate(records):
        some = True
        where = f"{name}:{place}"
        content = record.get("html") or record.get("text")
        if not isinstance(content, str | bytes):
            report("no html and no text", where, f"columns: {', '.join(map(str, record))}"[:200])
        elif len(content) > max_bytes:
            report("page too long", where, f"{record.get('url')}: {len(content):,} bytes, limit {max_bytes:,}")
        else:
            record["id"] = str(record.get("id") or f"{PurePosixPath(name).name}/{number}")
            record["url"] = str(record.get("url") or "")
            yield record
    if not some:
        report("file: no record", name, "the file is empty, or nothing in it could be read")


def _open(file: IO[bytes], compression: str) -> Any:
    """The uncompressed bytes, line by line."""
    if compression == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=file)
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(file)
    return _zstd(file) if compression else file


def _zstd(file: IO[bytes]) -> IO[bytes]:
    import io

    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(file, "zstd"), _CHUNK)


def _read_spooled_warc(
    file: IO[bytes], name: str, compression: str, report: Report, max_bytes: int
) -> Iterator[Record]:
    """A WARC whose compression cannot be sought in, unpacked to a temporary file first."""
    with tempfile.TemporaryFile() as plain:
        stream = _open(file, compression)
        try:
            while chunk := stream.read(_CHUNK):
                plain.write(chunk)
        except (OSError, EOFError) as error:
            report("file: breaks off", name, str(error))
        plain.seek(0)
        yield from read_warc(plain, name, False, report, max_bytes)


def _read_parquet(file: IO[bytes], name: str, report: Report) -> Iterator[Record]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError("Reading parquet needs pyarrow: pip install 'trl-dsmath[corpus]'.") from error
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        report("file: broken parquet", name, f"{error}; the rest of the file is skipped")
