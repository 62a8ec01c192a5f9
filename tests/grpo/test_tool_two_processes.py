"""With tools, groups that straddle two real processes: no sample twice, step rewards normalized as one."""

import json
from pathlib import Path

import pytest
from processes import run_distributed
from tool_model import make_model, make_tokenizer

SCRIPT = Path(__file__).with_name("tool_two_processes.py")


@pytest.mark.slow
def test_two_processes_with_tools(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    make_model(tokenizer).save_pretrained(tmp_path / "tiny")
    tokenizer.save_pretrained(tmp_path / "tiny")
    shown = run_distributed(SCRIPT, tmp_path / "tiny", tmp_path / "out", ACCELERATE_USE_CPU="true")
    (run,) = [json.loads(line) for line in shown.splitlines() if line.startswith('{"rows"')]
    print(run)
    assert run["rows"] == 24 and run["straddling"] >= 1 and run["masked"] > 20
    assert run["distinct"] >= 18 and run["same_weights"] and run["error"] <= 1e-4
