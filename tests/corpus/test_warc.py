"""WARC files written by warcio, as crawlers write them: every body is decoded, every record is counted."""

import bz2
import gzip
import io
import zlib
from collections import Counter

import pytest

pytest.importorskip("fastwarc")
pytest.importorskip("warcio")

import brotli
import pyarrow as pa
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from trl_dsmath.corpus.read import page_format, read_pages

PAGE = "<p>Let $x^2 = 2$. Größe é</p>".encode() * 40


def _chunked(body: bytes, size: int = 100) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class Crawl:
    """A WARC file under construction; `members` are its records, each a gzip member."""

    def __init__(self) -> None:
        self.members: list[bytes] = []

    def _add(self, make) -> None:
        buffer = io.BytesIO()
        writer = WARCWriter(buffer, gzip=True)
        writer.write_record(make(writer))
        self.members.append(buffer.getvalue())

    def response(self, url: str, body: bytes, status: str = "200 OK", kind: str = "text/html", **headers: str) -> None:
        given = [("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in headers.items())]
        http = StatusAndHeaders(status, given, protocol="HTTP/1.1")
        self._add(lambda w: w.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=http))

    def others(self) -> None:
        """The records beside the pages: warcinfo, request, metadata, revisit."""
        http = StatusAndHeaders("GET / HTTP/1.1", [], is_http_request=True)
        self._add(lambda w: w.create_warcinfo_record("x.warc.gz", {"software": "warcio"}))
        self._add(lambda w: w.create_warc_record("http://a/", "request", http_headers=http))
        self._add(
            lambda w: w.create_warc_record(
                "http://a/", "metadata", payload=io.BytesIO(b"a: b"), warc_content_type="application/warc-fields"
            )
        )
        self._add(
            lambda w: w.create_revisit_record(
                "http://a/", "sha1:X", refers_to_uri="http://a/", refers_to_date="2026-01-01T00:00:00Z"
            )
        )

    def read(self, name: str = "x.warc.gz", content: bytes | None = None, **options) -> tuple[dict, Counter]:
        kinds: Counter[str] = Counter()
        content = b"".join(self.members) if content is None else content
        pages = list(read_pages(io.BytesIO(content), name, lambda kind, *_: kinds.update([kind]), **options))
        return {page["url"]: page.get("html") or page["text"] for page in pages}, kinds


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("x-gzip", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)[2:-4]),  # without the zlib header, as some servers send it
        ("br", brotli.compress(PAGE)),
        ("zstd", pa.compress(PAGE, codec="zstd", asbytes=True)),
        ("gzip", gzip.compress(PAGE[:500]) + gzip.compress(PAGE[500:])),
        ("br, gzip", gzip.compress(brotli.compress(PAGE))),
        ("identity", PAGE),
        (" BR , GZip", gzip.compress(brotli.compress(PAGE))),
        # Crawlers that decode a body often keep its headers.
        ("gzip", PAGE),
        ("br", PAGE),
    ],
)
def test_bodies_are_decoded(coding: str, packed: bytes, chunked: bool) -> None:
    crawl = Crawl()
    more = {"Transfer_Encoding": "chunked"} if chunked else {}
    crawl.response("http://a/", _chunked(packed) if chunked else packed, Content_Encoding=coding, **more)
    crawl.response("http://b/", b"<p>next</p>")
    assert crawl.read() == ({"http://a/": PAGE, "http://b/": b"<p>next</p>"}, Counter())


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate", "br", "zstd"])
def test_a_body_may_have_as_many_bytes_as_are_allowed(coding: str) -> None:
    crawl, size = Crawl(), 300
    for url, body in (("http://fits/", b"a" * size), ("http://long/", b"a" * (size + 1))):
        packed = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "identity": bytes}
        pack = packed.get(coding, lambda body: pa.compress(body, codec="zstd", asbytes=True))
        crawl.response(url, pack(body), Content_Encoding=coding)
    assert crawl.read(max_bytes=size) == ({"http://fits/": b"a" * size}, {"page too long": 1})


def test_chunks_as_servers_write_them() -> None:
    crawl = Crawl()
    bodies = [b"3\r\nabc\r\n2;name=x\r\nde\r\n0\r\n\r\n", b"3\nabc\n2\nde\n0\n\n", b"3\r\nabc2\r\nde0\r\n\r\n", b" 3 \r\nabc\r\n2\r\nd",
              b"3\r\nabc\r\nzz\r\nde", b"3\r\nabc\r\n2", b"no size\nabc"]  # fmt: skip
    for number, body in enumerate(bodies):
        crawl.response(f"http://{number}/", body, Transfer_Encoding="chunked")
    pages, kinds = crawl.read()
    assert kinds == {"body cannot be decoded": 1}  # zz is no size
    assert pages == {
        **{f"http://{n}/": b"abcde" for n in range(3)},
        "http://3/": b"abcd",
        "http://5/": b"abc",
        "http://6/": bodies[6],
    }


def test_a_body_whose_chunks_the_crawler_joined() -> None:
    crawl = Crawl()
    crawl.response("http://a/", PAGE, Transfer_Encoding="chunked")
    crawl.response("http://b/", _chunked(PAGE)[:-40], Transfer_Encoding="chunked")  # cut off
    pages, kinds = crawl.read()
    assert pages["http://a/"] == PAGE and PAGE.startswith(pages["http://b/"]) and len(pages["http://b/"]) > 1000
    assert not kinds


def test_every_record_is_a_page_or_counted_by_its_reason() -> None:
    crawl = Crawl()
    crawl.others()
    for n in range(5):
        crawl.response(f"http://good/{n}", PAGE)
    crawl.response("http://gone/", b"<p>Not here</p>", "404 Not Found")
    crawl.response("http://moved/", b"<p>Elsewhere</p>", "301 Moved")
    crawl.response("http://image/", b"\x89PNG" + bytes(5000), kind="image/png")
    crawl.response("http://pdf/", b"%PDF", kind="application/pdf")
    crawl.response("http://text/", b"plain", kind="text/plain; charset=utf-8")
    crawl.response("http://xhtml/", b"<p>x</p>", kind="application/xhtml+xml")
    crawl.response("http://empty/", b"")
    crawl.response("http://odd/", b"??", Content_Encoding="compress")
    crawl.response("http://bad/", b"not zlib at all", Content_Encoding="deflate")
    crawl.response("http://long/", b"x" * 60_000)
    crawl.response("http://bomb/", gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")
    whole = list(crawl.members)
    crawl.members.insert(6, whole[6][:-60])  # a record that breaks off in the middle of the file
    pages, kinds = crawl.read(max_bytes=50_000)
    assert set(pages) == {*(f"http://good/{n}" for n in range(5)), "http://text/", "http://xhtml/"}
    assert kinds == {
        "warcinfo record": 1, "request record": 1, "metadata record": 1, "revisit record": 1, "HTTP status 404": 1,
        "HTTP status 301": 1, "not HTML: image/png": 1, "not HTML: application/pdf": 1, "empty body": 1,
        "body cannot be decoded": 2, "page too long": 2, "broken WARC record": 1,
    }  # fmt: skip
    assert len(pages) + kinds.total() == len(crawl.members)


@pytest.mark.parametrize("left", [1, 2, 5, 12, 30, 100])
def test_a_file_cut_in_a_member_even_near_its_start_says_so(left: int) -> None:
    crawl = Crawl()
    for n in range(3):
        crawl.response(f"http://{n}/", PAGE)
    content = crawl.members[0] + crawl.members[1] + crawl.members[2][:left]
    pages, kinds = crawl.read(content=content)
    assert set(pages) == {"http://0/", "http://1/"} and kinds == {"broken WARC record": 1}
    plain = [gzip.decompress(member) for member in crawl.members]
    pages, kinds = crawl.read("x.warc", plain[0] + plain[1] + plain[2][:left])
    assert set(pages) == {"http://0/", "http://1/"} and kinds == {"broken WARC record": 1}


@pytest.mark.parametrize(
    "name", ["CC-1.warc.wet.gz", "A.WARC.GZ", "a.warc.zst", "a.warc.bz2", "a.warc", "a.wet", "a.warc.gz"]
)
def test_warc_files_under_all_their_names(name: str) -> None:
    crawl = Crawl()
    crawl.response("http://a/", PAGE)
    content, plain = crawl.members[0], gzip.decompress(crawl.members[0])
    kind = name.lower().rpartition(".")[2]
    packed = {"gz": content, "bz2": bz2.compress(plain), "zst": pa.compress(plain, codec="zstd", asbytes=True)}
    assert crawl.read(name, packed.get(kind, plain)) == ({"http://a/": PAGE}, Counter())


@pytest.mark.parametrize("name", ["c4.json.gz", "C4.JSON.GZ", "a.jsonl.zst", "a.jsonl.bz2", "a.ndjson", "a.json"])
def test_json_lines_under_all_their_names(name: str) -> None:
    lines = b'{"url": "u", "text": "a"}\n{"url": "v", "text": "b"}\n'
    kind = name.lower().rpartition(".")[2]
    packed = {
        "gz": gzip.compress(lines[:30]) + gzip.compress(lines[30:]),
        "bz2": bz2.compress(lines),
        "zst": pa.compress(lines, codec="zstd", asbytes=True),
    }.get(kind, lines)
    assert Crawl().read(name, packed) == ({"u": "a", "v": "b"}, Counter())


def test_names_that_are_no_page_files() -> None:
    assert [page_format(name) for name in ("a.csv", "notes.txt", "a.parquet.gz", "warc", "a.warc.xz")] == [None] * 5
    assert page_format("x/A.Parquet") == ("parquet", "")


def test_a_wet_record_is_text() -> None:
    crawl = Crawl()
    crawl._add(
        lambda w: w.create_warc_record(
            "http://a/", "conversion", payload=io.BytesIO("Größe".encode()), warc_content_type="text/plain"
        )
    )
    assert crawl.read("a.warc.wet.gz") == ({"http://a/": "Größe"}, Counter())
