"""The GPU script's dry run: every part in small on a CPU, and what a cut leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/gpu/run.py"


def start(*words: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_dry_run_measures_every_part(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    done = start("--dry_run", "--parts", "abcdef", "--minutes", "60", "--output", str(tmp_path), OMP_NUM_THREADS="1")
    logs = "\n".join(file.read_text()[-2000:] for file in sorted(tmp_path.glob("*.log")))
    assert done.returncode == 0, done.stdout + logs
    found = {file.stem: json.loads(file.read_text()) for file in tmp_path.glob("?.json")}
    assert sorted(found) == list("abcdef")
    assert found["a"]["forecast_gib"] > 0 and found["a"]["two updates"]["seconds"] > 0
    assert len(found["a"]["two updates"]["log"]) >= 2
    for name in ("published", "sft", "grpo"):
        assert found["b"][f"evaluate {name}"]["strict"][3] == 16
    assert found["b"]["grpo"]["updates"] == 2 == len(found["b"]["grpo_log"])
    assert {"load, 16 bit", "engine, 8 bit, round 1", "generate, 4 bit, round 1"} <= set(found["c"])
    assert found["c"]["load, 4 bit"]["weights_gib"] < found["c"]["load, 16 bit"]["weights_gib"]
    assert found["d"]["engine, 135M, 4 rows, round 0"]["tokens"] > 0
    assert found["d"]["ratios"]["trl"] == 1.0 and set(found["d"]["seconds"]) == {"trl", "trl again", "steps"}
    assert found["e"]["quickstart"]["code"] == 0
    assert found["f"]["sft, 4 bit"]["code"] == 0 == found["f"]["grpo, 4 bit"]["code"]
    assert found["f"]["grpo, 4 bit"]["forecast_gib"] > 0
    assert "part f: done" in done.stdout and "d  " in done.stdout


def test_a_part_that_is_out_of_time_is_ended_and_the_next_one_is_told(tmp_path: Path) -> None:
    done = start(
        "--parts", "ad", "--minutes", "0.11", "--dry_run", "--output", str(tmp_path), "--model", "m", "--gsm8k", "g"
    )
    assert done.returncode == 1
    assert "no time left" in done.stdout


def test_mistakes_are_told_before_anything_starts(tmp_path: Path) -> None:
    for words, said in ((["--parts", "az"], "letters of abcdef"), (["--model", "m"], "--gsm8k, or --dry_run")):
        done = start(*words, "--output", str(tmp_path / "o"))
        assert done.returncode == 2 and said in done.stderr and not (tmp_path / "o").exists()
