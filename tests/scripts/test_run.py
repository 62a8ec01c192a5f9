"""Which processes a script starts, and what it prints."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from trl_dsmath.scripts import say
from trl_dsmath.scripts.run import program, start_all_processes

LAUNCH = ["/usr/bin/python", "/usr/bin/accelerate", "launch"]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that took the place of this process, which `accelerate launch` started."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: commands.append([path, *words]))
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "false")
    script = tmp_path / "mine.py"
    script.touch()
    monkeypatch.setattr(sys, "argv", [str(script), "--seed", "1"])
    return commands


def _launched_by(monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    monkeypatch.setattr(psutil.Process, "cmdline", lambda self: list(command) if self.pid == os.getppid() else [])
    start_all_processes()


@pytest.mark.parametrize(
    "command",
    [
        [*LAUNCH, "--num_processes", "3", "mine.py"],
        [*LAUNCH, "--num_processes=3", "mine.py"],
        ["python", "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "3", "mine.py"],
        ["python", "/site-packages/accelerate/commands/launch.py", "--num_processes", "3", "mine.py"],
    ],
)
def test_a_launcher_of_as_many_processes_takes_the_place(
    command: list[str], started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _launched_by(monkeypatch, *command)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "3"]
    assert started == [[sys.executable, sys.executable, *torchrun, *sys.argv]]
    assert os.environ["ACCELERATE_USE_CPU"] == "true"


@pytest.mark.parametrize(
    "command",
    [
        [*LAUNCH, "mine.py"],  # one process, as accelerate's default
        [*LAUNCH, "--num_processes", "1", "mine.py"],
        [*LAUNCH, "--num_processes", "auto", "mine.py"],
        ["bash", "run.sh", "--num_processes", "3"],
        ["python", "mine.py", "--a", "--b", "launch", "--num_processes", "3"],  # a flag's value
    ],
)
def test_others_stay_as_they_are(
    command: list[str], started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _launched_by(monkeypatch, *command)
    assert not started and os.environ["ACCELERATE_USE_CPU"] == "false"


def test_a_process_of_several_or_without_accelerate_starts_none(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*LAUNCH, "--num_processes", "3", "mine.py"]
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "3")
        _launched_by(patch, *command)
    with monkeypatch.context() as patch:
        patch.delenv("ACCELERATE_MIXED_PRECISION")
        _launched_by(patch, *command)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["-c", "--seed", "1"])
        _launched_by(patch, *command)
    assert not started
    _launched_by(monkeypatch, *command)
    assert len(started) == 1


def test_the_first_process_speaks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    say("model", "7 weights")
    say("warning", "a word", sys.stderr)
    monkeypatch.setenv("RANK", "1")
    say("model", "not told")
    assert capsys.readouterr() == ("model       7 weights\n", "warning     a word\n")


def test_messages_begin_with_what_the_user_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/a/mine.py"])
    monkeypatch.delenv("TRL_DSMATH_COMMAND", raising=False)
    assert program() == "mine.py"
    monkeypatch.setenv("TRL_DSMATH_COMMAND", "dsmath grpo")
    assert program() == "dsmath grpo"
