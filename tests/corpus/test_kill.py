"""kill -9 at ten random moments, from the crawl to the corpus: the same bytes."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fasttext")
pytest.importorskip("datatrove")
pytest.importorskip("rensa")

import small_crawl

CODE = """
import sys
from trl_dsmath.corpus import Execution, LoopSettings, prepare, run_loop
if __name__ == "__main__":
    print("started", flush=True)
    data, output = sys.argv[1:]
    prepare(f"{data}/pages", f"{output}/pages", execution=Execution(tasks=3))
    fast = {"epochs": 5, "learning_rate": 0.5, "bucket": 40_000, "iterations": 2, "workers": 2, "stop_when_collected": 1.0}
    rules, seed = f"{data}/rules.csv", f"{data}/seed.jsonl"
    run_loop(LoopSettings(f"{output}/pages/clean", seed, rules=rules, **fast), f"{output}/loop", print)
"""


def _start(data: Path, output: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(data), str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"  # imports take as long as the work
    return process


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
    process, began = _start(tmp_path / "data", tmp_path / "whole"), time.monotonic()
    process.communicate()
    took = time.monotonic() - began
    assert process.returncode == 0
    rng, killed = random.Random(seed), 0
    for _ in range(10):
        process = _start(tmp_path / "data", tmp_path / "killed")
        try:
            process.communicate(timeout=rng.uniform(0, took / 4))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)  # its children, which have its output open, end too
            killed += 1
    assert killed >= 5  # the later ones find a run that is finished
    process = _start(tmp_path / "data", tmp_path / "killed")
    process.communicate()
    assert process.returncode == 0
    assert len(whole := _results(tmp_path / "whole")) > 40
    assert _results(tmp_path / "killed") == whole
