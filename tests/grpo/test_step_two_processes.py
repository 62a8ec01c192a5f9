"""Groups that straddle two real processes are normalized as one.

`accelerate launch --cpu --num_processes 2` starts one process and says nothing, so `torch.distributed.run` is used and
the world size is asserted inside.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from step_runs import save_model

SCRIPT = Path(__file__).with_name("step_two_processes.py")


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    model = save_model(tmp_path / "tiny")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(SCRIPT), model, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"run"')]
    print(*runs, sep="\n")
    assert [run["run"] for run in runs] == [
        "straddling",
        "straddling_iterations_2",
        "spg3",
        "all_straddle",
        "process_only_two_functions",
    ]
    for run in runs:
        assert run["world"] == 2
        assert run["straddling"] > 0
        assert run["error"] <= 1e-5
        assert run["same_metrics"]
    assert runs[3]["straddling"] == runs[3]["groups"]
