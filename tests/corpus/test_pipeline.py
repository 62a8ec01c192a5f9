"""The whole pipeline: what comes out, where it was taken out, the same after kill -9, on Ray and through Slurm's script."""

import gzip
import hashlib
import json
import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kills import killed
from warc_files import warc_record

pytest.importorskip("datatrove")
pytest.importorskip("rensa")
pytest.importorskip("fastwarc")
pytest.importorskip("resiliparse")

from trl_dsmath.corpus import pipeline
from trl_dsmath.corpus.execution import map_shards
from trl_dsmath.corpus.pipeline import Execution, prepare, statistics
from trl_dsmath.corpus.records import read_jsonl
from trl_dsmath.errors import ConfigError, DataError

QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May."


def _page(number: int) -> bytes:
    rows = " ".join(
        f"In chapter {number} the square of {k} is {k * k + number}, which we shall need." for k in range(60)
    )
    return f"<html><body><h1>Page {number}</h1><p>{rows}</p><p>It ends with <b>words</b>.</p></body></html>".encode()


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shards: WARC with a broken record, JSON lines with all sorts of trouble, one that is empty, one more."""
    folder = tmp_path_factory.mktemp("crawl")
    records = [gzip.compress(warc_record(f"http://a.org/{n}", _page(n))) for n in range(12)]
    records.insert(3, records[3][:60])
    (folder / "0.warc.gz").write_bytes(b"".join(records))
    planted = _page(30).replace(b"<p>It ends", f"<p>{QUESTION.upper()}</p><p>It ends".encode())
    rows = [
        {"url": "http://www.a.org/1/", "html": "<p>the address of another page</p>"},
        {"url": "http://b.org/copy", "html": _page(2).decode().replace("It ends", "It closes")},
        {"url": "http://b.org/planted", "html": planted.decode()},
        {"url": "http://b.org/blank", "html": "<html><body><script>1</script></body></html>"},
        {"url": "http://b.org/long", "html": "<p>" + "x" * 3_000_000},
        {"url": "http://b.org/text", "text": "This page is text already."},
        {"url": "http://b.org/only", "html": f"<p>{QUESTION}</p>"},
        {"url": "http://b.org/spaces", "text": " \n "},
    ]
    lines = [json.dumps(row).encode() for row in rows]
    (folder / "1.jsonl").write_bytes(
        b"\n".join([*lines, b"{broken", b'{"url": "http://b.org/bad", "html": "<p>caf\xe9!"}'])
    )
    (folder / "2.jsonl").write_bytes(b"")
    with gzip.open(folder / "3.jsonl.gz", "wt") as file:
        for n in range(12, 20):
            file.write(
                json.dumps({"url": f"http://c.org/{n}", "html": _page(n).decode(), "label": "kept along"}) + "\n"
            )
    (folder / "notes.txt").write_text("not a page file")
    return folder


@pytest.fixture(scope="module")
def benchmark_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("bench") / "test.jsonl"
    path.write_text(json.dumps({"question": QUESTION}))
    return str(path)


def _prepare(crawl: Path, output: str | Path, benchmark_file: str, *execution: Any, **named: Any) -> None:
    prepare(str(crawl), str(output), [benchmark_file], Execution(*execution, **named), max_bytes=1_000_000)


@pytest.fixture(scope="module")
def finished(crawl: Path, benchmark_file: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("finished")
    _prepare(crawl, output, benchmark_file, tasks=3)
    return output


def _digests(output: Path) -> dict[str, str]:
    """Every file that holds data; datatrove's logs carry times, and duplicates are found in as many parts as there are tasks."""
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and not {"logs", "matching"} & set(path.parts)
    }


def _removed(output: Path, stage: str) -> dict[str, str]:
    return {
        record.get("url") or record["where"].partition(":")[0]: record.get("reason") or record["rule"]
        for path in sorted((output / "removed" / stage).glob("*.jsonl.gz"))
        for record in read_jsonl(path)
    }


def test_what_comes_out_and_what_was_taken_out(finished: Path) -> None:
    pages = {page["url"]: page for path in sorted((finished / "clean").iterdir()) for page in read_jsonl(path)}
    expected = [f"http://a.org/{n}" for n in range(12)]
    expected += ["http://b.org/planted", "http://b.org/text", "http://b.org/bad"]
    assert list(pages) == expected + [f"http://c.org/{n}" for n in range(12, 20)]
    assert pages["http://c.org/12"]["label"] == "kept along"
    assert QUESTION.upper() not in pages["http://b.org/planted"]["text"]
    assert pages["http://b.org/planted"]["text"].endswith("which we shall need.\n\nIt ends with words.")
    assert _removed(finished, "read") == {
        "0.warc.gz": "broken WARC record",
        "1.jsonl": "mended: invalid UTF-8",
        "2.jsonl": "file: no record",
        "notes.txt": "file: not a page file",
    }
    assert _removed(finished, "extract") == {
        "http://b.org/blank": "no text",
        "http://b.org/spaces": "no text",
    }
    assert _removed(finished, "dedup") == {
        "http://www.a.org/1/": "same address",
        "http://b.org/copy": "near-duplicate",
    }
    twins = read_jsonl(finished / "removed/dedup/000001.jsonl.gz")
    assert {page["url"]: page["kept"] for page in twins} == {  # file and line of the page that stays
        "http://www.a.org/1/": "000000.jsonl.gz:2",
        "http://b.org/copy": "000000.jsonl.gz:3",
    }
    removed = _removed(finished, "decontaminate")
    assert removed == {"http://b.org/planted": "10-gram", "http://b.org/only": "nothing left"}


def test_everything_is_counted(finished: Path) -> None:
    counts = statistics(finished)
    read = counts["extract/READ: pages"]
    assert read["skipped: page too long"] == read["skipped: not JSON"] == 1
    assert read["skipped: broken WARC record"] == read["mended: invalid UTF-8"] == 1
    assert read["file: no record"] == read["file: not a page file"] == 1
    assert read["pages"] == 12 + 8 + 8
    assert read["records"] == sum(n for key, n in read.items() if key == "pages" or key.startswith("skipped"))
    extracted = counts["extract/EXTRACT: text with mathematics"]
    assert extracted["kept"] == 26 and extracted["removed: no text"] == 2
    assert extracted["kept"] + extracted["removed: no text"] == read["pages"]
    assert counts["extract/DEDUP: signatures"] == {"pages": 26} and counts["match/DEDUP: match"] == {"duplicates": 2}
    assert counts["addresses/DEDUP: find"] == {"pairs": 1} and counts["bands/DEDUP: find"]["pairs"] >= 1
    dropped = {"kept": 24, "removed: same address": 1, "removed: near-duplicate": 1}
    assert counts["clean/READ: pages"]["pages"] == 26 and counts["clean/DEDUP: drop"] == dropped
    cleaned = {"kept": 23, "removed: nothing left": 1, "paragraphs removed: 10-gram": 2}
    assert counts["clean/DECONT: benchmarks"] == cleaned
    assert counts["extract/WRITE: pages"] == counts["clean/WRITE: pages"] == {}


def test_another_number_of_tasks_gives_the_same_files(
    crawl: Path, benchmark_file: str, finished: Path, tmp_path: Path
) -> None:
    _prepare(crawl, tmp_path, benchmark_file, tasks=1)
    ours, theirs = _digests(tmp_path), _digests(finished)
    assert ours.pop("run.json") != theirs.pop("run.json")
    assert ours == theirs


def test_a_page_that_takes_too_long_is_read_by_its_plain_text(tmp_path: Path) -> None:
    (tmp_path / "crawl").mkdir()
    rows = [
        {"url": "http://b.org/deep", "html": "<div>" * 60_000 + "x"},
        {"url": "http://b.org/1", "html": "<p>one</p>"},
    ]
    (tmp_path / "crawl/0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare(str(tmp_path / "crawl"), str(tmp_path / "out"), seconds=0.5)
    pages = read_jsonl(tmp_path / "out/clean/000000.jsonl.gz")
    assert [(page["url"], page["text"]) for page in pages] == [("http://b.org/deep", "x"), ("http://b.org/1", "one")]
    assert list(read_jsonl(tmp_path / "out/removed/extract/000000.jsonl.gz")) == [
        {"id": "0.jsonl/0", "url": "http://b.org/deep", "reason": "plain text", "what": "took too long"}
    ]
    counts = statistics(tmp_path / "out")["extract/EXTRACT: text with mathematics"]
    assert counts["plain text: took too long"] == 1 and counts["kept"] == 2


def test_a_finished_run_is_not_done_again_and_other_arguments_are_refused(
    crawl: Path, benchmark_file: str, finished: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.glob("clean/*")}
    _prepare(crawl, finished, benchmark_file, tasks=3)
    assert {path: path.stat().st_mtime_ns for path in finished.glob("clean/*")} == before
    with pytest.raises(ConfigError, match="benchmarks"):
        prepare(str(crawl), str(finished), [], Execution(tasks=3), max_bytes=1_000_000)


def test_relative_folders_belong_to_the_current_folder_of_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):  # in one process: fsspec keeps what it has opened by name
        (tmp_path / name / "crawl").mkdir(parents=True)
        (tmp_path / name / "crawl/0.jsonl").write_text(json.dumps({"url": f"http://a.org/{name}", "text": name * 9}))
        monkeypatch.chdir(tmp_path / name)
        prepare("crawl", "pages", execution=Execution(tasks=1))
        assert [page["url"] for page in read_jsonl(next(Path("pages/clean").iterdir()))] == [f"http://a.org/{name}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "open */extracted/000001.jsonl.gz.partial",
        "os.rename */extracted/000000.jsonl.gz.partial",
        "open */logs/extract/completions/00001",
        "open */matching/addresses/00001.npy",
        "open */matching/bands/00003.npy",
        "open */duplicates/000001.npy",
        "os.rename */clean/000003.jsonl.gz.partial",
    ],
)
def test_a_run_killed_in_any_stage_ends_with_the_same_bytes(
    moment: str, crawl: Path, benchmark_file: str, finished: Path, tmp_path: Path
) -> None:
    arguments = crawl, tmp_path, benchmark_file
    killed(moment, lambda: _prepare(*arguments, tasks=3))
    _prepare(*arguments, tasks=3)
    assert _digests(tmp_path) == _digests(finished)


@pytest.mark.slow
def test_ray_gives_the_same_files_and_says_what_failed(
    crawl: Path, benchmark_file: str, finished: Path, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray")
    # One Ray for all that is tested on it: it takes longer to start than they do to run.
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        # One task a stage, and one for each of the 14 bands: each starts a process.
        _prepare(crawl, tmp_path / "out", benchmark_file, "ray", tasks=1, workers=2)
        execution = Execution("ray", tasks=2, workers=2)
        assert list(map_shards(partial(pow, 3), tmp_path / "a", [2, 0, 1], execution)) == [9, 1, 3]
        with pytest.raises(DataError, match=r"1 of 2 shards failed \(first: 0\)"):
            list(map_shards(partial(divmod, 1), tmp_path / "b", [1, 0], execution))
    finally:
        ray.shutdown()
    ours, theirs = _digests(tmp_path / "out"), _digests(finished)
    assert ours.pop("run.json") != theirs.pop("run.json")  # it says how many tasks
    assert ours == theirs


def test_crawl_and_result_in_an_object_store(
    crawl: Path, benchmark_file: str, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pytest.importorskip("fsspec").filesystem("memory")
    monkeypatch.setattr(type(store), "mv", None)  # moving is copying there
    for path in crawl.iterdir():
        store.pipe(f"/bucket/crawl/{path.name}", path.read_bytes())
    prepare("memory://bucket/crawl", "memory://bucket/out", [benchmark_file], Execution(tasks=3), max_bytes=1_000_000)
    digests = {
        name.removeprefix("/bucket/out/"): hashlib.sha256(store.cat_file(name)).hexdigest()
        for name in store.find("/bucket/out")
        if name.split("/")[3] not in ("logs", "matching", "run.json")
    }
    assert digests == {
        name: digest for name, digest in _digests(finished).items() if name not in (".lock", "run.json")
    }


def test_slurm_gets_a_job_a_stage_each_after_the_one_before(
    crawl: Path, benchmark_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sbatch` is a script here that keeps what it was given: what is checked is the jobs, not their run."""
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(
        f'#!/bin/bash\necho "$@" >> {tmp_path}/calls\nfor last; do :; done\ncat "$last" >> {tmp_path}/scripts\n'
        f'echo "Submitted batch job $(wc -l < {tmp_path}/calls)"\n'
    )
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(sbatch.parent), prepend=os.pathsep)
    options = {"partition": "cpu", "time": "01:00:00", "venv_path": "/venv/bin/activate"}
    _prepare(crawl, tmp_path / "out", benchmark_file, "slurm", tasks=3, workers=2, options=options)
    scripts = (tmp_path / "scripts").read_text()
    assert [f"--job-name=dsmath-{stage}" in scripts for stage in ("extract", "bands", "match", "clean")] == [True] * 4
    assert "--partition=cpu" in scripts and "--array=0-2%2" in scripts and "source /venv/bin/activate" in scripts
    calls = (tmp_path / "calls").read_text().split("\n")
    launched = [call for call in calls if "RUN_OFFSET" in call]
    assert "dependency" not in launched[0]
    assert "--dependency=afterok:1" in launched[1] and "--dependency=afterok:3" in launched[2]


@pytest.mark.parametrize(("tasks", "parts", "bands"), [(1, 1, 14), (2, 2, 14), (28, 3, 28), (43, 3, 42)])
def test_a_stage_has_at_most_a_task_a_file_and_a_band_has_tasks_of_its_own(
    tasks: int, parts: int, bands: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def make(name: str, steps: list, tasks: int, logs: str, execution: Execution, before: Any) -> Any:
        left = [4, 6] if name == "match" else []
        ran = SimpleNamespace(run=lambda: made.append((name, tasks, before and before.name)), name=name)
        assert logs == f"{tmp_path}/out/logs/{name}"
        ran.get_incomplete_ranks = lambda skip_completed: left if skip_completed else [7]
        ran.logging_dir = SimpleNamespace(path=logs)
        return ran

    monkeypatch.setattr(pipeline, "make_executor", make)
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / f"in/{number}.jsonl").touch()
    with pytest.raises(DataError, match=r"2 tasks failed \(first: 4\); see .*/out/logs/match/logs, then"):
        prepare(str(tmp_path / "in"), str(tmp_path / "out"), execution=Execution(tasks=tasks))
    assert made == [
        ("extract", parts, None),
        ("addresses", parts, "extract"),
        ("bands", bands, "addresses"),
        ("match", 1, "bands"),
    ]
    # What it was started with, and where nothing is waited for.
    kept = {"pages": str(tmp_path / "in"), "files": ["0.jsonl", "1.jsonl", "2.jsonl"], "benchmarks": [],
                    "tasks": tasks, "max_bytes": 10_000_000, "seconds": 20.0}  # fmt: skip
    assert (tmp_path / "out/run.json").read_text() == json.dumps(kept, indent=1)
    options = {"partition": "cpu", "time": "1:00"}
    prepare(str(tmp_path / "in"), f"{tmp_path}/out/", execution=Execution("slurm", tasks=tasks, options=options))
    assert made[4:] == [*made[:4], ("clean", parts, "match")]


def test_settings_that_cannot_work_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="partition"):
        Execution("slurm")
    with pytest.raises(ConfigError, match="local, ray or slurm"):
        Execution("spark")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"\.parquet"):
        prepare(str(tmp_path), str(tmp_path / "out"))
