"""kill -9 at ten random moments, from the crawl to the corpus: the same bytes."""

import hashlib
import os
import random
import select
import signal
import time
from multiprocessing import get_context
from multiprocessing.context import ForkProcess as Process
from pathlib import Path

import pytest

pytest.importorskip("fasttext")
pytest.importorskip("datatrove")
pytest.importorskip("rensa")

import small_crawl

from trl_dsmath.corpus import Execution, LoopSettings, prepare, run_loop


def _run(data: Path, output: Path) -> None:
    prepare(f"{data}/pages", f"{output}/pages", execution=Execution(tasks=3))
    fast = {"epochs": 5, "learning_rate": 0.5, "dim": 32, "bucket": 40_000, "iterations": 2, "workers": 2}
    rules, seed = f"{data}/rules.csv", f"{data}/seed.jsonl"
    settings = LoopSettings(f"{output}/pages/clean", seed, rules=rules, stop_when_collected=1.0, **fast)
    run_loop(settings, f"{output}/loop", lambda line: None)


def _start(data: Path, output: Path) -> tuple[Process, int]:
    """The run in a process, and the end of a pipe that its children, and theirs, hold open as long as they live."""
    reading, writing = os.pipe()
    process = get_context("fork").Process(target=_run, args=(data, output))
    process.start()
    os.close(writing)
    return process, reading


def _ended(process: Process, reading: int) -> int | None:
    """Its exit status, when it and its children have ended."""
    process.join()
    assert select.select([reading], [], [], 60)[0], "a process was left behind"
    os.close(reading)
    return process.exitcode


def _results(output: Path) -> dict[str, str]:
    unlike = {"logs", "run.json", "settings.json", ".lock"}  # times, and the folder's name
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and not unlike & set(path.parts) and ".part" not in path.name and "half-" not in path.name
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_at_ten_random_moments_it_ends_with_the_same_bytes(tmp_path: Path, seed: int) -> None:
    small_crawl.write(tmp_path / "data", shards=3)
    began = time.monotonic()
    assert _ended(*_start(tmp_path / "data", tmp_path / "whole")) == 0
    took = time.monotonic() - began
    rng, ends = random.Random(seed), []
    for _ in range(10):
        process, reading = _start(tmp_path / "data", tmp_path / "killed")
        process.join(timeout=rng.uniform(0, took / 4))
        process.kill()
        ends.append(_ended(process, reading))
    assert ends.count(-signal.SIGKILL) >= 5  # the later ones find a run that is finished
    assert _ended(*_start(tmp_path / "data", tmp_path / "killed")) == 0
    assert len(whole := _results(tmp_path / "whole")) > 40
    assert _results(tmp_path / "killed") == whole
