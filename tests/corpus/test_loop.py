"""The loop on a made-up crawl: it finds the mathematics, waits, goes on after a kill, and notices when it diverges."""

import gzip
import hashlib
import json
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fasttext", reason="fastText is not installed")

import small_crawl
from kills import killed

from trl_dsmath.corpus import execution
from trl_dsmath.corpus.execution import Execution
from trl_dsmath.corpus.loop import run_loop
from trl_dsmath.corpus.measure import find_trouble
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import ConfigError, DataError


@pytest.fixture
def crawl(tmp_path: Path) -> tuple[Path, dict[str, bool]]:
    return tmp_path, small_crawl.write(tmp_path)


def _settings(folder: Path, **other) -> LoopSettings:
    # Few rounds over the data: these words tell the kinds apart at once.
    fast = {"epochs": 5, "learning_rate": 0.5, "dim": 32, "bucket": 40_000, "iterations": 2}
    return LoopSettings(pages=str(folder / "pages"), seed_pages=str(folder / "seed.jsonl"), **{**fast, **other})


def _collected(folder: Path) -> set[str]:
    found = set()
    for file in sorted((folder / "corpus").glob("*.jsonl.gz")):
        with gzip.open(file, "rt") as lines:
            found |= {json.loads(line)["url"] for line in lines}
    return found


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("settings.json", ".lock") and "logs" not in path.parts
    }


def test_with_rules_it_collects_the_mathematics(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, truth = crawl
    settings = _settings(folder, rules=str(folder / "rules.csv"), labelled=str(folder / "labels.jsonl"))
    said: list[str] = []
    result = run_loop(settings, folder / "run", said.append)
    assert result.status == "done" and not (folder / "run/parts").exists()
    found, math = _collected(folder / "run"), {url for url, is_math in truth.items() if is_math}
    assert len(found & math) / len(math) > 0.95
    assert len(found & math) / len(found) > 0.95
    head, *hosts = (folder / "run/iteration-1/hosts.csv").read_text().splitlines()
    assert head == "host,pages,collected,share,tokens,mean_log_odds"
    assert {line.split(",")[0]: line.split(",")[1] for line in hosts}["forum.test"] == "80"  # its 30 and 50 pages
    last = result.reports[-1]
    assert last["labelled"]["precision"] > 0.9 and last["labelled"]["average_precision"] > 0.95
    assert last["already_collected"] > 0.9 and last["seed_auc"] > 0.65
    # Labelled pages are never trained on; accepted prefixes are.
    trained = (folder / "run" / "iteration-2" / "training.csv").read_text()
    labelled = [json.loads(line)["url"] for line in (folder / "labels.jsonl").read_text().splitlines()]
    assert not [url for url in labelled if f"{url}," in trained]
    assert "math,analysis.test" in trained and "other,forum.test/cooking" in trained
    assert any("scaled" in line for line in said) is False  # rate and epochs are given


def test_without_a_person_or_rules_it_waits_and_goes_on(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    settings = _settings(folder)
    waiting = run_loop(settings, folder / "run", lambda line: None)
    assert waiting.status == "waiting" and "dsmath corpus annotate" in waiting.message
    assert not (folder / "run" / "corpus").exists()
    review = (folder / "run" / "iteration-1" / "review.csv").read_text()
    assert "algebra.test,over" in review and "shop.test,under" in review
    # A mixed host is shown with its folders.
    assert "forum.test/math,inside" in review and "forum.test/cooking,inside" in review
    (folder / "run" / "decisions.csv").write_text((folder / "rules.csv").read_text())
    assert run_loop(settings, folder / "run", lambda line: None).status == "done"


def test_other_settings_are_refused_and_more_rounds_are_not(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    settings = _settings(folder, iterations=1)
    run_loop(settings, folder / "run", lambda line: None)
    with pytest.raises(ConfigError, match=r"other settings: min_score 0\.5 \(now 0\.7\)"):
        run_loop(replace(settings, min_score=0.7), folder / "run", lambda line: None)
    longer = replace(settings, iterations=2, workers=2)
    assert run_loop(longer, folder / "run", lambda line: None).status == "waiting"


def test_an_untrained_classifier_stops_the_run(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    # Seed pages of all kinds: held-out seed pages do not stand out.
    with gzip.open(folder / "pages" / "0.jsonl.gz", "rt") as file:
        pages = [json.loads(line) for line in file]
    (folder / "seed.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages[:150]))
    result = run_loop(_settings(folder), folder / "run", lambda line: None)
    assert result.status == "diverging" and "has learned nothing" in result.message
    assert not (folder / "run" / "corpus").exists()
    # Whoever knows better goes on, with a warning, and gets the corpus.
    said: list[str] = []
    rules = str(folder / "rules.csv")
    anyway = run_loop(_settings(folder, keep_going=True, rules=rules), folder / "run", said.append)
    assert anyway.status == "done" and any("keep_going is set" in line for line in said)
    assert list((folder / "run" / "corpus").glob("*.jsonl.gz"))


def test_pages_and_seed_in_an_object_store(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for path in (*(folder / "pages").iterdir(), folder / "seed.jsonl"):
        store.pipe(f"/bucket/{path.relative_to(folder)}", path.read_bytes())
    near = _settings(folder, iterations=1, budget_tokens=3000)
    far = replace(near, pages="memory://bucket/pages", seed_pages="memory://bucket/seed.jsonl")
    for settings, name in ((near, "near"), (far, "far")):
        assert run_loop(settings, folder / name, lambda line: None).status == "done"
    assert _digests(folder / "far") == _digests(folder / "near")


def test_a_page_without_text_is_named(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    with gzip.open(folder / "pages" / "9.jsonl.gz", "wt") as file:
        file.write('{"url": "https://a.test", "id": "a"}\n')
    with pytest.raises(DataError, match=r"9\.jsonl\.gz, line 1, has no url or no text"):
        run_loop(_settings(folder), folder / "run", lambda line: None)


@pytest.mark.slow
def test_killed_in_each_stage_it_ends_with_the_same_bytes(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    settings = _settings(folder, rules=str(folder / "rules.csv"))
    run_loop(settings, folder / "whole", lambda line: None)
    moments = (
        "open */iteration-1/half-0.txt*", "os.rename */iteration-1/model.bin.*.part", "open */iteration-1/training.csv*",
        "os.rename */iteration-1/scores/*1.tsv.gz*", "open */iteration-1/report.json*", "os.rename */iteration-1/report.json*",
        "open */iteration-2/train.txt*", "open */iteration-2/scores/*0.tsv.gz*", "os.rename */corpus/*0.jsonl.gz*",
    )  # fmt: skip
    for moment in moments:
        killed(moment, run_loop, settings, folder / "killed", lambda line: None)
    result = run_loop(settings, folder / "killed", lambda line: None)
    assert result.status == "done"
    whole, resumed = _digests(folder / "whole"), _digests(folder / "killed")
    leftovers = {name for name in resumed if name.endswith(".part") or "half-" in name}
    assert {name: digest for name, digest in resumed.items() if name not in leftovers} == whole


@pytest.mark.slow
def test_two_workers_give_the_same_bytes(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    settings = _settings(
        folder, rules=str(folder / "rules.csv"), labelled=str(folder / "labels.jsonl"), budget_tokens=9000
    )
    one = run_loop(settings, folder / "one", lambda line: None)
    two = run_loop(settings, folder / "local", lambda line: None, Execution("local", tasks=2, workers=2))
    assert two.reports == one.reports and _digests(folder / "local") == _digests(folder / "one")
    assert not (folder / "local" / "iteration-1" / "logs").exists()


def test_through_datatrove_it_gives_the_same_bytes(
    crawl: tuple[Path, dict[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Ray and Slurm, but one task after the other here: every function is pickled with all that it needs."""
    stages: list[str] = []

    def make(name: str, steps: list, tasks: int, logs: str, ray: Execution, **options: Any) -> Any:
        assert (ray.kind, tasks, options) == ("ray", min(2, len(steps[0].missing)), {"skip_completed": False})
        stages.append(name)
        (step,) = pickle.loads(pickle.dumps(steps))
        return SimpleNamespace(run=lambda: [step(None, rank, tasks) for rank in range(tasks)])

    monkeypatch.setattr(execution, "make_executor", make)
    folder, _ = crawl
    settings = _settings(
        folder, rules=str(folder / "rules.csv"), labelled=str(folder / "labels.jsonl"), budget_tokens=9000
    )
    here = run_loop(settings, folder / "here", lambda line: None)
    there = run_loop(settings, folder / "there", lambda line: None, Execution("ray", tasks=2, workers=2))
    assert there.reports == here.reports and _digests(folder / "there") == _digests(folder / "here")
    each = {"texts", "scores", "counts", "folders", "examples", "excerpts"}
    assert each | {"index", "parts", "corpus"} <= set(stages)


def test_odd_addresses_are_pages_like_others(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    odd = [
        "https://odd.test/a\tb",
        "https://odd.test/half \ud800",
        "https://odd.test/new\nline",
        "  https://odd.test/x ",
    ]
    with gzip.open(folder / "pages" / "9.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"url": url, "text": "the proof of the theorem " * 20}) + "\n" for url in odd)
    with (folder / "seed.jsonl").open("a") as file:
        file.write(json.dumps({"url": odd[0], "text": "the proof of the theorem " * 20}) + "\n")
    settings = _settings(folder, iterations=1, budget_tokens=20_000)
    assert run_loop(settings, folder / "run", lambda line: None).status == "done"
    rows = gzip.decompress((folder / "run" / "index" / "000002.tsv.gz").read_bytes()).decode().splitlines()
    assert [row.split("\t")[2] for row in rows] == [
        "https://odd.test/a%20b", "https://odd.test/half%20?", "https://odd.test/new%20line", "https://odd.test/x",
    ]  # fmt: skip
    assert "https://odd.test/x" in _collected(folder / "run")
    # The seed page is recognized as a page of the crawl, and is no negative example.
    trained = (folder / "run" / "iteration-1" / "training.csv").read_text()
    assert "https://odd.test/a%20b,other" not in trained


@pytest.mark.skipif(sys.platform != "linux", reason="children are ended by Linux's parent-death signal")
def test_a_killed_run_leaves_no_training_behind(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    settings = _settings(folder, epochs=200_000, iterations=1)  # hours
    code = (
        f"from trl_dsmath.corpus import LoopSettings, run_loop\nrun_loop({settings!r}, {str(folder / 'killed')!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)

    def children() -> list[str]:
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    deadline = time.monotonic() + 120
    while not (found := children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    while (
        time.monotonic() < deadline
        and b"trl_dsmath.corpus.classifier" not in Path(f"/proc/{found[0]}/cmdline").read_bytes()
    ):
        time.sleep(0.05)
    time.sleep(1)  # the child has begun
    process.kill()
    process.wait()
    while (
        Path(f"/proc/{found[0]}").exists() and "Z" not in Path(f"/proc/{found[0]}/stat").read_text().split(")")[1][:3]
    ):
        assert time.monotonic() < deadline, "the training goes on without its parent"
        time.sleep(0.05)


def test_automatic_decisions_that_shrink_the_collection_end_with_the_round_before(
    crawl: tuple[Path, dict[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = crawl
    real = find_trouble

    def shrunk(reports: list[dict], automatic: bool) -> str | None:
        return "the collection shrank." if len(reports) > 1 else real(reports, automatic)

    monkeypatch.setattr("trl_dsmath.corpus.loop.find_trouble", shrunk)
    result = run_loop(_settings(folder, automatic=True), folder / "run", lambda line: None)
    assert result.status == "diverging" and "holds the pages of round 1" in result.message
    first = json.loads((folder / "run" / "iteration-1" / "report.json").read_text())
    assert len(_collected(folder / "run")) == first["pages"]


def test_rules_can_be_given_to_a_run_that_waits(crawl: tuple[Path, dict[str, bool]]) -> None:
    folder, _ = crawl
    assert run_loop(_settings(folder), folder / "run", lambda line: None).status == "waiting"
    rules = _settings(folder, rules=str(folder / "rules.csv"))
    assert run_loop(rules, folder / "run", lambda line: None).status == "done"
