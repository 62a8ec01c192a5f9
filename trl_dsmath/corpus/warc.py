"""Web pages out of WARC files as crawlers write them: broken members, compressed and chunked bodies, other records."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, Any

from ..errors import MissingDependencyError
from .charsets import decode
from .records import Record, Report

_HTML_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
_PAGE_RECORDS = ("response", "conversion", "resource")
_CHUNK = 1 << 20
_ERRORS = (OSError, ValueError, RuntimeError, EOFError, KeyError, zlib.error)


def read_warc(file: IO[bytes], name: str, zipped: bool, report: Report, max_bytes: int) -> Iterator[Record]:
    """Reads the pages of a WARC file: text and HTML that a server sent with status 200, decoded.

    After a broken record the next one is searched for. Each record is either a page or one call of `report`.

    Args:
        file (`IO[bytes]`):
            The open file, which can seek.
        name (`str`):
            Its name, for reports.
        zipped (`bool`):
            Whether each record is a member of a gzip file.
        report (`Callable`):
            Told about each record that is not a page.
        max_bytes (`int`):
            Longer pages are skipped.

    Returns:
        `Iterator[dict]`: records with `id`, `url`, `html` or `text`, and `_charset`.
    """
    try:
        from fastwarc.warc import ArchiveIterator
    except ImportError as error:
        raise MissingDependencyError("Reading WARC files needs fastwarc: pip install 'trl-dsmath[corpus]'.") from error
    start, number, found = 0, 0, ""
    while start >= 0:
        file.seek(start)
        begin, records, first = start, iter(ArchiveIterator(file, parse_http=True)), True
        while True:
            try:
                record = next(records, None)
            except _ERRORS as error:
                found = f"{type(error).__name__}: {error}"
                # Behind a good record, the broken one is met again where the search goes on, unless it is junk.
                if first:
                    number, found = _report_broken(report, name, number, found)
                break
            if found:
                number, found = _report_broken(report, name, number, found)
            if record is None:
                # The iterator ends without a word where a member breaks off near its start.
                if left := _left_over(file, begin, zipped):
                    _report_broken(report, name, number, f"the file ends with {left:,} bytes that are not a record")
                return
            number, first, begin = number + 1, False, record.stream_pos
            try:
                page = _page(record, f"{name}:{number}", report, max_bytes)
            except _ERRORS as error:
                _report_broken(report, name, number - 1, f"{type(error).__name__}: {error}")
                break
            if page is not None:
                yield page
        start = _next_record(file, begin + 1, zipped)
    if found:
        _report_broken(report, name, number, found)


def _report_broken(report: Report, name: str, number: int, what: str) -> tuple[int, str]:
    report("broken WARC record", f"{name}:{number + 1}", what)
    return number + 1, ""


def _page(record: Any, where: str, report: Report, max_bytes: int) -> Record | None:
    url = record.headers.get("WARC-Target-URI") or ""
    kind = str(record.record_type)
    if not (record.headers.get("Content-Length") or "").strip().isdigit():
        raise ValueError(f"{url}: the Content-Length is not a number")
    declared = record.content_length
    http = record.http_headers if kind == "response" else None
    media = record.headers.get("WARC-Identified-Payload-Type") or record.http_content_type or ""
    if kind != "response" and not media:
        media = record.headers.get("Content-Type") or ""
    media = media.partition(";")[0].strip().lower()
    passed = ""
    if kind not in _PAGE_RECORDS:
        passed = f"{kind} record"
    elif http is not None and http.status_code not in (200, None):
        passed = f"HTTP status {http.status_code}"
    elif media and media not in _HTML_TYPES:
        passed = f"not HTML: {media if len(media) < 50 and media.isprintable() else 'other'}"
    if passed:
        left = declared  # read to its end, so that a record that breaks off is found
        while left and (chunk := record.reader.read(min(left, _CHUNK))):
            left -= len(chunk)
        if left:
            raise ValueError(f"{url}: {declared:,} bytes declared, {declared - left:,} there")
        report(passed, where, "")
        return None
    body = record.reader.read(max_bytes + 1)
    if len(body) > max_bytes:
        report("page too long", where, f"{url}: {declared:,} bytes, limit {max_bytes:,}")
        return None
    if len(body) < declared:
        raise ValueError(f"{url}: {declared:,} bytes declared, {len(body):,} there")
    if http is not None:
        try:
            body = _decoded(body, http, max_bytes)
        except _ERRORS as error:
            report("body cannot be decoded", where, f"{url}: {error}")
            return None
    if len(body) > max_bytes:
        report("page too long", where, f"{url}: more than {max_bytes:,} bytes when it is unpacked")
        return None
    if not body:
        report("empty body", where, "")
        return None
    charset = record.http_charset
    content = {"text": decode(body, charset)} if media == "text/plain" else {"html": body, "_charset": charset}
    return {"id": record.headers.get("WARC-Record-ID") or where, "url": url, **content}


def _decoded(body: bytes, http: Any, limit: int) -> bytes:
    """The body as the browser shows it. Headers of bodies that a crawler decoded already are not believed."""
    if "chunked" in (http.get("Transfer-Encoding") or "").lower():
        body = _joined_chunks(body)
    for coding in reversed((http.get("Content-Encoding") or "").lower().replace(" ", "").split(",")):
        if coding in ("gzip", "x-gzip"):
            body = _inflated(body, 31, limit) if body[:2] == b"\x1f\x8b" else body
        elif coding == "deflate":
            body = _deflated(body, limit)
        elif coding in ("br", "zstd"):
            body = _uncompressed(body, "brotli" if coding == "br" else "zstd", limit)
        elif coding not in ("", "identity", "none", "utf-8"):
            raise ValueError(f"Content-Encoding {coding[:30]!r} is not known")
    return body


def _joined_chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        end = body.find(b"\n", at)
        size = body[at : end if end >= 0 else len(body)].partition(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError:
            if parts:
                raise ValueError(f"chunk size {size[:20]!r}") from None
            return body  # the crawler joined them and kept the header
        if end < 0 or not length:
            break
        parts.append(body[end + 1 : end + 1 + length])
        at = end + 1 + length
        at += len(body[at : at + 2]) - len(body[at : at + 2].lstrip(b"\r\n"))
    return b"".join(parts)


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    parts, size = [], 0
    while body and size <= limit:
        stream = zlib.decompressobj(window)
        parts.append(stream.decompress(body, limit + 1 - size))
        size += len(parts[-1])
        body = stream.unused_data.lstrip(b"\0")
        if not stream.eof:
            break  # at the limit, or cut off: what is there is a page
        if body[:2] != b"\x1f\x8b":
            break
    return b"".join(parts)


def _deflated(body: bytes, limit: int) -> bytes:
    """`deflate` is zlib by the standard, and a bare stream by what servers send."""
    for window in (15, -15):
        try:
            return _inflated(body, window, limit)
        except zlib.error:
            continue
    if body.lstrip()[:1] == b"<":
        return body
    raise ValueError("the body is not a deflate stream")


def _uncompressed(body: bytes, codec: str, limit: int) -> bytes:
    import pyarrow as pa

    try:
        return pa.CompressedInputStream(BytesIO(body), codec).read(limit + 1)
    except (OSError, ValueError):
        if body.lstrip()[:1] == b"<":
            return body
        raise


def _left_over(file: IO[bytes], begin: int, zipped: bool) -> int:
    """Bytes after the record that begins there, without the blank lines and zeros that may end a file."""
    file.seek(begin)
    if zipped:
        if file.read(2) != b"\x1f\x8b":
            return 0  # all records are in one member: nothing is known of its end
        file.seek(begin)
        stream = zlib.decompressobj(31)
        while not stream.eof and (chunk := file.read(_CHUNK)):
            try:
                while chunk and not stream.eof:
                    stream.decompress(chunk, _CHUNK)
                    chunk = stream.unconsumed_tail
            except zlib.error:
                return 1
        rest = stream.unused_data if stream.eof else b"?"
    else:
        head = file.read(1 << 16)
        end = head.find(b"\r\n\r\n")
        length = next(
            (
                line.partition(b":")[2]
                for line in head[:end].split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            b"",
        )
        if end < 0 or not length.strip().isdigit():
            return len(head.strip())
        file.seek(begin + end + 4 + int(length))
        rest = b""
    size = len(rest.strip(b"\0\r\n "))
    while chunk := file.read(_CHUNK):
        size += len(chunk.strip(b"\0\r\n "))
    return size


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
