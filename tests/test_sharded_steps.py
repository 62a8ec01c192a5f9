"""FSDP2 on two processes makes the updates of one process (`benchmarks/sharded_steps.py`, which takes ZeRO-3 as well)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from sharded_steps import compare, make_models, start, work

RUNS = ["step_grpo", "prm_causal", "prm_likelihood"]


@pytest.mark.slow
def test_fsdp2_makes_the_updates_of_one_process(tmp_path: Path) -> None:
    make_models(tmp_path)
    work("none", RUNS, tmp_path)
    start("fsdp2", RUNS, tmp_path)
    for run in RUNS:
        row, holds = compare(run, "fsdp2", tmp_path)
        assert holds, row
    assert row.startswith("| prm_likelihood | fsdp2 | refused: The bias of prm_type='likelihood'")
