"""With tools, groups that straddle two real processes: no sample twice, step rewards normalized as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tool_model import make_model, make_tokenizer

SCRIPT = Path(__file__).with_name("tool_two_processes.py")


@pytest.mark.slow
def test_two_processes_with_tools(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    make_model(tokenizer).save_pretrained(tmp_path / "tiny")
    tokenizer.save_pretrained(tmp_path / "tiny")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(SCRIPT)]
    done = subprocess.run(
        [*command, str(tmp_path / "tiny"), str(tmp_path / "out")],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"rows"')]
    print(run)
    assert run["rows"] == 24 and run["straddling"] >= 1 and run["masked"] > 20
    assert run["distinct"] >= 18 and run["same_weights"] and run["error"] <= 1e-4
