"""Pages are read from WARC, JSON lines and parquet; what is broken or no page is reported, counted and skipped."""

import gzip
import io
import json
from pathlib import Path

import pytest
from warc_files import warc_record

pytest.importorskip("fastwarc")

from trl_dsmath.corpus import read, warc
from trl_dsmath.corpus.read import read_pages
from trl_dsmath.corpus.records import clean_url, dump_line, read_jsonl, write_jsonl
from trl_dsmath.errors import DataError


def _read(name: str, content: bytes, **options) -> tuple[list[dict], list[str]]:
    kinds: list[str] = []
    pages = list(read_pages(io.BytesIO(content), name, lambda kind, *_: kinds.append(kind), **options))
    return pages, kinds


def test_warc_pages_of_html_only() -> None:
    content = warc_record("http://a", b"<p>A</p>") + warc_record("http://i", b"\x89PNG", "image/png")
    for name, data in (("x.warc", content), ("x.warc.gz", gzip.compress(content))):
        pages, kinds = _read(name, data)
        assert pages == [{"id": "<urn:http://a>", "url": "http://a", "html": b"<p>A</p>", "_charset": None}]
        assert kinds == ["not HTML: image/png"]


@pytest.fixture(params=[1 << 20, 50], ids=["", "read in small pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "_CHUNK", request.param)


GOOD = [warc_record(f"http://{n}", b"<p>%d</p>" % n) for n in range(3)]
LONG = warc_record("http://broken", b"<p>" + bytes(range(256)) * 40)


@pytest.mark.parametrize(
    "broken",
    [
        gzip.compress(LONG)[: len(LONG) // 20],
        gzip.compress(LONG)[:40] + b"XXXX" + gzip.compress(LONG)[44:],
        gzip.compress(b"no warc at all\r\n\r\n"),
        b"\x1f\x8b\x08 junk",
    ],
    ids=["cut short", "damaged", "no warc", "no gzip"],  # compressed bytes hold the time, and names must not change
)
def test_a_broken_record_of_a_gzipped_warc_costs_nothing_but_itself(broken: bytes, pieces: None) -> None:
    zipped = [gzip.compress(record) for record in GOOD]
    pages, kinds = _read("x.warc.gz", zipped[0] + broken + zipped[1] + zipped[2])
    assert [page["html"] for page in pages] == [b"<p>0</p>", b"<p>1</p>", b"<p>2</p>"]
    assert kinds and set(kinds) == {"broken WARC record"}


@pytest.mark.parametrize(
    "broken",
    [
        warc_record("http://long", b"<p>x</p>", length=5000),
        b"junk\r\n\r\n",
        LONG[:300] + b"\r\n\r\n",
        LONG.replace(b"Content-Length: ", b"Content-Length: a"),
    ],
    ids=["wrong length", "junk", "cut short", "length is no number"],
)
def test_a_broken_record_of_a_plain_warc_costs_nothing_but_itself(broken: bytes, pieces: None) -> None:
    pages, kinds = _read("x.warc", GOOD[0] + broken + GOOD[1] + GOOD[2])
    assert [page["html"] for page in pages] == [b"<p>0</p>", b"<p>1</p>", b"<p>2</p>"]
    assert kinds and set(kinds) == {"broken WARC record"}


def test_a_warc_file_that_breaks_off_gives_what_was_whole() -> None:
    pages, kinds = _read("x.warc.gz", gzip.compress(GOOD[0]) + gzip.compress(LONG)[:-30])
    assert [page["url"] for page in pages] == ["http://0"] and kinds == ["broken WARC record"]
    assert _read("x.warc", b"no warc at all")[1] == ["broken WARC record"]


def test_lines_that_are_no_page_are_reported() -> None:
    lines = [b'{"url": "u", "html": "<p>A</p>"}', b"{broken", b"[1]", b'{"url": "u2"}', b'{"text": "caf\xe9"}']
    pages, kinds = _read("x.jsonl", b"\n".join(lines))
    assert [page.get("html") or page["text"] for page in pages] == ["<p>A</p>", "caf\ufffd"]
    assert kinds == ["not JSON", "not a JSON object", "no html and no text", "mended: invalid UTF-8"]
    assert pages[0]["id"] == "x.jsonl/0" and pages[0]["url"] == "u"


def test_what_is_reported_names_its_line_or_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(name: str, content: bytes, **options) -> list[tuple[str, str, str]]:
        found = []
        for _ in read_pages(io.BytesIO(content), name, lambda *one: found.append(one), **options):
            pass
        return found

    lines = [
        b'\xef\xbb\xbf{"text": "a", "n": 1}',
        b"",
        b'\xef\xbb\xbf{"text": "b"}',
        b'{"url": "u", "html": ""}',
        b"[" * 100,
    ]
    (first, *others) = told("d/x.jsonl", b"\n".join([*lines, b'{"url": "u", "text": "12345"}']), max_bytes=4)
    assert first[:2] == ("not JSON", "d/x.jsonl:3")  # a byte order mark belongs to the first line
    assert others[0] == ("no html and no text", "d/x.jsonl:4", "columns: url, html")
    assert others[1][:2] == ("not JSON", "d/x.jsonl:5")
    assert others[2] == ("page too long", "d/x.jsonl:6", "u: 5 bytes, limit 4")
    assert told("x.jsonl", b'[1, "aaa"]') == [("not a JSON object", "x.jsonl:1", '[1, "aaa"]')]
    assert told("x.jsonl", b'{"text": "1234"}', max_bytes=4) == []
    empty = ("file: no record", "x.jsonl", "the file is empty, or nothing in it could be read")
    assert told("x.jsonl", b" \n") == [empty]
    cut = gzip.compress(b'{"text": "a"}\n' + b'{"text": "b"}')[:-9]
    assert told("x.jsonl.gz", cut)[0][:2] == ("file: breaks off", "x.jsonl.gz:2")
    monkeypatch.setattr(read, "_ROWS", 2)
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": ["a", "b", None], "id": [7, None, 9]}), rows := io.BytesIO())
    assert told("x.parquet", rows.getvalue()) == [("no html and no text", "x.parquet:3", "columns: text, id")]
    found = list(read_pages(io.BytesIO(rows.getvalue()), "d/x.parquet"))
    assert found == [{"id": "7", "url": "", "text": "a"}, {"id": "x.parquet/1", "url": "", "text": "b"}]


def test_records_of_a_crawl_are_counted_from_one() -> None:
    def told(members: list[bytes], **options: int) -> list[tuple[str, str]]:
        found, content = [], b"".join(members)
        list(
            read_pages(io.BytesIO(content), "x.warc.gz", lambda kind, where, _: found.append((kind, where)), **options)
        )
        return found

    image, big = (
        gzip.compress(warc_record(*one)) for one in (("http://i", b"\x89PNG", "image/png"), ("http://b", b"x" * 200))
    )
    good, cut = gzip.compress(GOOD[0]), gzip.compress(LONG)[: len(LONG) // 20]
    assert told([good, image, cut, good, big, gzip.compress(b"no warc at all\r\n\r\n"), image], max_bytes=100) == [
        ("not HTML: image/png", "x.warc.gz:2"), ("broken WARC record", "x.warc.gz:3"), ("page too long", "x.warc.gz:5"),
        ("broken WARC record", "x.warc.gz:6"), ("not HTML: image/png", "x.warc.gz:7"),
    ]  # fmt: skip
    kinds = [f"image/{'x' * count}" for count in (43, 44)] + ["image/\x01"]
    assert [kind for kind, _ in told([gzip.compress(warc_record("http://i", b"x", kind)) for kind in kinds])] == [
        f"not HTML: image/{'x' * 43}", "not HTML: other", "not HTML: other"
    ]  # fmt: skip


def test_addresses_and_lines_of_a_file() -> None:
    assert clean_url("http://a/é?b=%20") == "http://a/é?b=%20"
    assert clean_url(" http://a/b c\t d\n") == "http://a/b%20c%20d"
    assert clean_url("http://a/\x85b") == "http://a/%20b" and clean_url("http://a/\ud800") == "http://a/?"
    assert dump_line({"a": "é\ud800", "b": Path("c")}) == '{"a": "é?", "b": "c"}\n'.encode()


def test_a_page_of_fifty_megabytes_and_an_empty_file() -> None:
    page = json.dumps({"url": "u", "html": "<p>" + "x" * 50_000_000}).encode()
    assert _read("x.jsonl", page + b'\n{"url": "v", "text": "t"}')[1] == ["page too long"]
    pages, kinds = _read(
        "x.warc", warc_record("http://big", b"x" * 200) + warc_record("http://a", b"y"), max_bytes=100
    )
    assert [page["url"] for page in pages] == ["http://a"] and kinds == ["page too long"]
    assert _read("x.jsonl", b"") == ([], ["file: no record"])


def test_a_gzip_that_breaks_off_gives_its_first_pages() -> None:
    lines = b"".join(b'{"url": "u%d", "text": "%s"}\n' % (n, bytes(str(n * 7919), "ascii") * 50) for n in range(2000))
    pages, kinds = _read("x.jsonl.gz", gzip.compress(lines)[:-2000])
    assert 0 < len(pages) < 2000 and kinds == ["file: breaks off"]


def test_parquet_and_a_broken_one(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    pq.write_table(pa.table({"url": ["u", "v"], "html": ["<p>A</p>", None]}), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    pages, kinds = _read("x.parquet", content)
    assert [page["url"] for page in pages] == ["u"] and kinds == ["no html and no text"]
    assert _read("x.parquet", content[:-9])[1] == ["file: broken parquet", "file: no record"]


def test_another_ending_is_refused() -> None:
    with pytest.raises(DataError, match=r"\.parquet"):
        list(read_pages(io.BytesIO(), "pages.csv"))


def test_files_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    records = [{"id": "1", "url": "u", "text": "a\ud835b 求"}]
    contents = []
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        assert write_jsonl(tmp_path / name, records) == 1
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0][3:8] == bytes(5)  # neither name nor time
    assert list(read_jsonl(tmp_path / "a.jsonl.gz")) == [{"id": "1", "url": "u", "text": "a?b 求"}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl.gz", "b.jsonl.gz"]
