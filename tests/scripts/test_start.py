"""Which processes a script starts, and what it prints."""

import logging
import os
import sys
import warnings
from pathlib import Path

import psutil
import pytest
from processes import run

from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts import run_script, say
from trl_dsmath.scripts.run import program, quiet_libraries, start_all_processes

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
        [*LAUNCH, "--num_processes", "2", "mine.py"],
        [*LAUNCH, "--num_processes=2", "mine.py"],
        ["python", "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "mine.py"],
        ["python", "/site-packages/accelerate/commands/launch.py", "--num_processes", "2", "mine.py"],
    ],
)
def test_a_launcher_of_as_many_processes_takes_the_place(
    command: list[str], started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _launched_by(monkeypatch, *command)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
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
    monkeypatch.setattr(sys, "argv", ["/a/mine.py", "--seed"])
    monkeypatch.delenv("TRL_DSMATH_COMMAND", raising=False)
    assert program() == "mine.py"
    monkeypatch.setenv("TRL_DSMATH_COMMAND", "dsmath grpo")
    assert program() == "dsmath grpo"


def test_errors_are_one_line_and_a_code(
    started: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(error: type[BaseException]) -> tuple[int, str]:
        def main() -> None:
            raise error("this and that")

        with pytest.raises(SystemExit) as found:
            run_script(main)
        return found.value.code, capsys.readouterr().err

    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("TRL_DSMATH_COMMAND", "dsmath sft")
    assert end(ConfigError) == (2, "dsmath sft: this and that\n")
    assert end(KeyboardInterrupt) == (130, "\ndsmath sft: stopped. Run the same command again to resume.\n")
    with pytest.raises(ValueError, match="this and that"):
        end(ValueError)


@pytest.mark.parametrize(("options", "own", "heard"), [([], None, 1), (["default"], None, 4), ([], "always", 4)])
def test_deprecations_are_not_shown_unless_somebody_asks(
    options: list[str], own: str | None, heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", options)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "")
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        if own:
            warnings.simplefilter(own)
        quiet_libraries()
        for category in (UserWarning, DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.warn("old", category, stacklevel=1)
    assert len(shown) == heard and shown[0].category is UserWarning
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    assert not logging.getLogger("bitsandbytes.backends.cpu.ops").isEnabledFor(logging.WARNING)


GROUP = """
import contextlib, time
from pathlib import Path
import torch
import torch.distributed as dist
from trl_dsmath.scripts import run_script
def threads_of_gloo():
    names = []
    for file in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # one that ends meanwhile
            names.append(file.read_text())
    return sum("gloo" in name for name in names)
def main():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    model.itself = [model]  # a cycle, as a trainer has them
    print(threads_of_gloo() > 0, end=" ")
try:
    run_script(main)
except SystemExit:
    until = time.monotonic() + 5  # a thread that has been joined is listed a little longer
    while threads_of_gloo() and time.monotonic() < until:
        time.sleep(0.01)
    print(dist.is_initialized(), threads_of_gloo())
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed in /proc")
def test_no_thread_of_the_process_group_outlives_a_script(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GROUP)
    assert run(tmp_path / "mine.py", RANK="0") == "True False 0\n"
