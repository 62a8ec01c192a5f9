"""Groups that straddle two real processes are normalized as one.

The world size is asserted inside: `accelerate launch --cpu --num_processes 2` would start one process and say nothing.
"""

import json
from pathlib import Path

import pytest
from processes import run_distributed
from step_runs import save_model

SCRIPT = Path(__file__).with_name("step_two_processes.py")


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    model = save_model(tmp_path / "tiny")
    shown = run_distributed(SCRIPT, model, tmp_path, ACCELERATE_USE_CPU="true")
    runs = [json.loads(line) for line in shown.splitlines() if line.startswith('{"run"')]
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
