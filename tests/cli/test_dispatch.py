"""The command: help, exit codes, and errors as one line."""

import subprocess
import sys
from importlib import import_module

import pytest

from trl_dsmath.cli import COMMANDS, RECIPES, main
from trl_dsmath.scripts.recipes import STAGES, recipes_folder


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
    assert "cpu, cpu-real, gpu24, gpu24-small, paper" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("command", "where"), [("sft", "trl_dsmath.scripts.parser"), ("grade", "trl_dsmath.cli.grade")]
)
def test_ctrl_c_exits_130_and_says_how_to_go_on(
    command: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object, **kwargs: object) -> int:
        raise KeyboardInterrupt

    module = import_module(where)
    monkeypatch.setattr(*((module, "take_config") if command == "sft" else (module, "main")), interrupted)
    assert main([command]) == 130
    assert f"dsmath {command}: stopped. Run the same command again" in capsys.readouterr().err


def test_the_stages_are_those_that_have_a_script() -> None:
    scripts = recipes_folder().glob("*/*.py")
    assert sorted(STAGES) == sorted(script.stem for script in scripts if script.stem == script.parent.name)
    assert set(STAGES) == set(RECIPES)
