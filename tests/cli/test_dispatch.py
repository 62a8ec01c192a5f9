"""The command: help, exit codes, and errors as one line."""

import subprocess
import sys

import pytest

from trl_dsmath.cli import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name}" in shown for name in COMMANDS)
    assert main([]) == 0
    assert main(["--version"]) == 0


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from trl_dsmath.cli import main; main(['--help']); "
        "print([m for m in ('torch', 'trl', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpro"]) == 2
    assert "Did you mean grpo?" in capsys.readouterr().err


def test_errors_are_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sft", "--config", "nowhere.yaml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dsmath sft: --config nowhere.yaml: no such file.")
    assert "cpu, gpu24, paper" in error
    assert "Traceback" not in error


def test_ctrl_c_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    import trl_dsmath.cli.sft

    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(trl_dsmath.cli.sft, "main", interrupted)
    assert main(["sft"]) == 130
