"""The real chain through `main`: short, killed, and in full."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.quickstart import main
from trl_dsmath.quickstart.settings import STAGES

pytestmark = pytest.mark.slow
SHORT = ["--pretrain_steps", "12", "--sft_steps", "6", "--grpo_steps", "14", "--problems", "16"]
STOPPED_AT = 12  # a GRPO step behind the checkpoint of step 10


def result(folder: Path, stage: str) -> dict[str, Any]:
    return json.loads((folder / stage / "result.json").read_text())


def figures(folder: Path, stage: str) -> list[Any]:
    """All that must not depend on the day: the trainer's log without its times, the answers, the weights."""
    timed = {"seconds", "measure_seconds", "step_time"}
    log = [
        {key: value for key, value in entry.items() if key not in timed and not key.startswith(("train_", "total_"))}
        for entry in result(folder, stage)["log"]
    ]
    weights = (folder / stage / "model" / "model.safetensors").read_bytes()
    return [log, (folder / stage / "held_out.jsonl").read_text(), weights]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quickstart") / "run"
    assert main(["--output_dir", str(folder), *SHORT]) == 0
    return folder


def test_short_run_leaves_everything(short: Path) -> None:
    for stage in STAGES:
        kept = result(short, stage)
        assert kept["problems"] == 16
        assert set(kept["seconds"]) == {"prepare", "train", "measure"}
        assert min(kept["seconds"].values()) > 0
        assert not list((short / stage).glob("checkpoint-*"))
        assert len((short / stage / "held_out.jsonl").read_text().splitlines()) == 16
    assert [entry["step"] for entry in result(short, "grpo")["log"] if "greedy_right" in entry] == [10]
    rewards = [entry["step"] for entry in result(short, "grpo")["log"] if "reward" in entry]
    assert rewards == list(range(1, 15))
    assert "<svg" in (short / "report.html").read_text()


def test_terminal_is_quiet_and_narrow(tmp_path: Path) -> None:
    code = f"import sys; from trl_dsmath.cli import main; sys.exit(main({['quickstart', *SHORT]!r}))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(
        line == "" or line.startswith(("DeepSeekMath", "About", "  ", "GRPO took", "Report:")) for line in lines
    )


def test_stopped_in_the_middle_it_goes_on_and_ends_the_same(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from trl_dsmath.quickstart.stages import StageCallback

    folder = tmp_path / "run"
    on_step_end = StageCallback.on_step_end

    def stop(self: StageCallback, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.max_steps == 14 and state.global_step == STOPPED_AT:
            raise KeyboardInterrupt
        on_step_end(self, args, state, control, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(StageCallback, "on_step_end", stop)
        assert main(["--output_dir", str(folder), *SHORT]) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert (folder / "grpo" / "checkpoint-10").is_dir()
    # a checkpoint that a kill left half-written
    shutil.copytree(folder / "grpo" / "checkpoint-10", folder / "grpo" / "checkpoint-11")
    (folder / "grpo" / "checkpoint-11" / "trainer_state.json").write_text('{"log_his')

    assert main(["--output_dir", str(folder), *SHORT]) == 0
    assert capsys.readouterr().out.count("(finished before)") == 2
    for stage in STAGES:
        assert figures(folder, stage) == figures(short, stage), stage


def test_killed_between_stages(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code = f"from trl_dsmath.quickstart import main; main(['--output_dir', {str(folder)!r}, *{SHORT!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, start_new_session=True) as process:
        until = time.monotonic() + 120
        while not (folder / "pretrain" / "result.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    before = (folder / "pretrain" / "result.json").read_bytes()
    assert not (folder / "grpo" / "result.json").exists()
    assert main(["--output_dir", str(folder), *SHORT]) == 0
    assert (folder / "pretrain" / "result.json").read_bytes() == before
    assert result(folder, "grpo")["steps"] == 14


def test_libraries_are_as_before(short: Path) -> None:
    import datasets
    import transformers

    assert logging.getLogger("trl").level < logging.ERROR
    assert transformers.utils.logging.is_progress_bar_enabled()
    assert not datasets.are_progress_bars_disabled()


def test_stages_one_by_one(short: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for stage in STAGES:
        assert main(["--output_dir", str(folder), *SHORT, "--stages", stage]) == 0
    assert figures(folder, "grpo") == figures(short, "grpo")


def test_grpo_gains_20_points(tmp_path: Path) -> None:
    """The promise of the command, on one seed; docs/quickstart.md has the others."""
    folder = tmp_path / "run"
    assert main(["--output_dir", str(folder), "--seed", "1"]) == 0
    before, after = result(folder, "sft"), result(folder, "grpo")
    assert after["problems"] == 500
    gain = 100 * (after["right"]["greedy"] - before["right"]["greedy"]) / 500
    assert gain >= 20, (before["right"], after["right"])
