"""Single blocks of the pipeline on a few pages, with what they write and count."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("datatrove")
pytest.importorskip("rensa")
pytest.importorskip("resiliparse")

from datatrove.data import Document

from trl_dsmath.corpus import blocks
from trl_dsmath.corpus.blocks import DropDuplicates, ExtractPages, FilterPages, ReadShards, SignPages, WriteShards
from trl_dsmath.corpus.dedup import DUPLICATE
from trl_dsmath.corpus.pipeline import _described, statistics
from trl_dsmath.errors import DataError


def _page(number: int, text: str, shard: int = 0, **other: Any) -> Document:
    return Document(text, f"p{number}", metadata={"url": f"u{number}", "_shard": shard, "_position": number, **other})


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.open(path, "rt")]


def _counts(block: Any) -> dict[str, int]:
    return {name: int(stat.total) for name, stat in block.stats.stats.items()}


class _Short:
    """A filter in datatrove's manner: it may give a reason."""

    def filter(self, page: Document) -> bool | tuple[bool, str]:
        return {"a": True, "bb": (True, "never read"), "ccc": False, "dddd": (False, "four letters")}[page.text]


def test_a_filter_keeps_what_it_removes_by_shard(tmp_path: Path) -> None:
    block = FilterPages(str(tmp_path), _Short())
    pages = [_page(0, "a", 2), _page(1, "ccc", 2), _page(0, "dddd", 5), _page(0, "bb", 7)]
    running = block(iter(pages), 0, 1)
    assert next(running).text == "a" and [path.name for path in tmp_path.iterdir()] == ["000002.jsonl.gz.partial"]
    assert [page.text for page in running] == ["bb"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"00000{n}.jsonl.gz" for n in (2, 5, 7)]
    assert _lines(tmp_path / "000002.jsonl.gz") == [{"id": "p1", "url": "u1", "text": "ccc", "reason": "_Short"}]
    assert _lines(tmp_path / "000005.jsonl.gz") == [
        {"id": "p0", "url": "u0", "text": "dddd", "reason": "four letters"}
    ]
    assert _lines(tmp_path / "000007.jsonl.gz") == []
    assert _counts(block) == {"kept": 2, "removed: _Short": 1, "removed: four letters": 1}
    assert str(block) == "FILTER: _Short"


def test_a_file_of_a_task_that_fails_does_not_get_its_name(tmp_path: Path) -> None:
    def pages() -> Iterator[Document]:
        yield _page(0, "a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(WriteShards(str(tmp_path))(pages(), 0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["000000.jsonl.gz.partial"]


def test_files_of_a_crawl_are_numbered_and_shared_among_tasks(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"url": "x", "text": "t", "label": 1}, {"url": "x", "html": "<p>", "text": "not read", "id": 7}, [1]]
    for name in "bacd":
        (tmp_path / f"in/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "in/notes.txt").touch()
    found, counts = [], []
    for rank in (0, 1, 2):
        block = ReadShards(str(tmp_path / "in"), str(tmp_path / "out"))
        found.append([(page.text, page.id, page.metadata) for page in block(None, rank, 3)])
        counts.append(_counts(block))
    own = {"_raw": False, "_shard": 3, "_position": 0}
    assert found[0][2:] == [("t", "d.jsonl/0", {"url": "x", "label": 1, **own}),
                            ("<p>", "7", {"url": "x", **own, "_raw": True, "_position": 1})]  # fmt: skip
    assert [[meta["_shard"] for _, _, meta in pages] for pages in found] == [[0, 0, 3, 3], [1, 1], [2, 2]]
    one = {"records": 3, "pages": 2, "skipped: not a JSON object": 1}
    assert counts[1:] == [one, one]
    assert counts[0] == {**{name: 2 * count for name, count in one.items()}, "file: not a page file": 1}
    assert [row["where"] for row in _lines(tmp_path / "out/000000.jsonl.gz")] == ["notes.txt", "a.jsonl:3"]
    assert [row["where"] for row in _lines(tmp_path / "out/000003.jsonl.gz")] == ["d.jsonl:3"]


def test_files_of_the_pipeline_have_their_numbers_and_may_not_be_broken(tmp_path: Path) -> None:
    for name, text in (("000004", '{"url": "x", "text": "t"}'), ("000009", "no JSON")):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert [page.metadata["_shard"] for page in ReadShards(str(tmp_path))(None, 0, 2)] == [4]
    with pytest.raises(DataError, match=rf"000009\.jsonl\.gz:1: not JSON .*Delete the folder {tmp_path} and run"):
        list(ReadShards(str(tmp_path))(None, 1, 2))


def test_extraction_by_its_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Sandbox:
        def __init__(self, timeout: float, warmup_text: tuple) -> None:
            asked.append((timeout, warmup_text))

        def __enter__(self) -> "Sandbox":
            return self

        def __exit__(self, *error: object) -> None:
            asked.append("closed")

        def process_document(self, given: tuple, function: object) -> tuple[str, str]:
            asked.append(given)
            found = {"<p>one": ("one", ""), "<p>bad": ("", "ValueError: odd"), "<p>blank": (" \n", "")}.get(given[0])
            if found is None:
                raise TimeoutError if given[0] == "<p>slow" else EOFError
            return found

    monkeypatch.setattr(blocks, "ExtractorSandbox", Sandbox)
    texts = ["<p>one", "<p>bad", "<p>slow", "<p>dies", "<p>blank"]
    pages = [_page(n, text, _raw=True, _charset="latin-1") for n, text in enumerate(texts)]
    block = ExtractPages(str(tmp_path), 1.5)
    kept = list(block(iter([*pages, _page(5, "text", _raw=False), _page(6, " ", _raw=False)]), 0, 1))
    assert [page.text for page in kept] == ["one", "bad", "slow", "dies", "text"]
    assert asked == [(90.0, ("", None, 1.5)), *((text, "latin-1", 1.5) for text in texts), "closed"]
    rows = [(row["id"], row["url"], row["reason"], row.get("what")) for row in _lines(tmp_path / "000000.jsonl.gz")]
    assert rows == [
        ("p1", "u1", "plain text", "ValueError: odd"),
        ("p2", "u2", "plain text", "took too long"),
        ("p3", "u3", "plain text", "took too long"),
        ("p4", "u4", "no text", None),
        ("p6", "u6", "no text", None),
    ]
    counts = {"plain text: extraction failed": 1, "plain text: took too long": 2, "kept": 5, "removed: no text": 2}
    assert _counts(block) == counts


def test_what_goes_on_in_the_process_of_extraction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call is datatrove's; the clock runs for one page and stops after it, whatever happens."""
    called: list[Any] = []
    monkeypatch.setattr(blocks, "end_with_parent", lambda: called.append("tied"))
    monkeypatch.setattr(blocks.signal, "setitimer", lambda *given: called.append(given))
    clock = blocks.signal.ITIMER_PROF
    assert blocks._extract("", None, 3.0) == ("", "") and called == ["tied"]
    assert blocks._extract(b"<p>caf\xe9", "latin-1", 3.0) == ("café", "") and called[1:] == [(clock, 3.0), (clock, 0)]

    def fail(page: str, charset: str | None) -> str:
        raise RecursionError("deep")

    monkeypatch.setattr(blocks, "extract_text", fail)
    assert blocks._extract("<p>", None, 3.0) == ("", "RecursionError: deep") and called[3:] == [
        (clock, 3.0),
        (clock, 0),
    ]


def test_duplicates_are_dropped_by_their_place(tmp_path: Path) -> None:
    twins = {0: [(1, 0, 4, True)], 3: [(0, 12, 0, False)]}
    for shard, rows in twins.items():
        np.save(tmp_path / f"{shard:06d}.npy", np.array(rows, DUPLICATE))
    block = DropDuplicates(str(tmp_path / "removed"), str(tmp_path))
    pages = [_page(0, "a"), _page(1, "b"), _page(0, "c", 3), _page(1, "d", 3)]
    assert [page.text for page in block(iter(pages), 0, 1)] == ["a", "d"]
    rows = _lines(tmp_path / "removed/000000.jsonl.gz") + _lines(tmp_path / "removed/000003.jsonl.gz")
    assert [(row["text"], row["reason"], row["kept"]) for row in rows] == [
        ("b", "same address", "000000.jsonl.gz:5"),
        ("c", "near-duplicate", "000012.jsonl.gz:1"),
    ]
    assert _counts(block) == {"kept": 2, "removed: same address": 1, "removed: near-duplicate": 1}


def test_signatures_of_each_shard_are_files_of_their_own(tmp_path: Path) -> None:
    block = SignPages(str(tmp_path / "signed"), str(tmp_path / "keys"))
    pages = [_page(0, "one text"), _page(1, "another text"), _page(0, "a third text", 2)]
    assert list(block(iter(pages), 0, 1)) == pages and _counts(block) == {"pages": 3}
    assert {path.name: len(np.load(path)) for path in (tmp_path / "signed").iterdir()} == {
        "000000.npy": 2,
        "000002.npy": 1,
    }
    groups = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert groups == [f"{number:02d}" for number in range(15)]  # addresses and 14 bands
    assert len(np.load(tmp_path / "keys/14/000002.npy")) == 1


def test_a_filter_in_words_is_the_same_in_every_run() -> None:
    chosen = _Short()
    vars(chosen).update(
        words={"b", "a"},
        least=0.5,
        also=None,
        flag=True,
        model=object(),
        regex=re.compile("z+"),
        kinds=[Path("x")],
        name="n",
    )
    assert _described(chosen) == (
        '_Short {"also": null, "flag": true, "kinds": ["x"], "least": 0.5, "name": "n", "regex": "z+", "words": ["a", "b"]}'
    )


def test_counts_are_added_over_tasks(tmp_path: Path) -> None:
    for stage, task, stats in (
        ("clean", 0, {"kept": {"total": 2, "n": 1}, "pages": 3}),
        ("clean", 1, {"kept": {"total": 5, "n": 1}}),
        ("match", 0, {"kept": 1}),
    ):
        folder = tmp_path / f"logs/{stage}/stats"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{task:05d}.json").write_text(json.dumps([{"name": "A", "stats": stats}, {"name": "B"}]))
    assert statistics(tmp_path) == {
        "clean/A": {"kept": 7, "pages": 3},
        "clean/B": {},
        "match/A": {"kept": 1},
        "match/B": {},
    }
