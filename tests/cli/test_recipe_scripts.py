"""The recipe scripts as people read, copy and start them."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trl_dsmath.cli import main
from trl_dsmath.scripts import recipe_script

RECIPES = Path(__file__).parents[2] / "recipes"
# Two are chapters of their own: their scripts run every stage.
SCRIPTS = sorted(
    file for file in RECIPES.glob("*/*.py") if file.stem == file.parent.name not in {"quickstart", "smollm2"}
)
TRAINING = ["pretrain", "sft", "prm", "grpo", "iterate"]


def test_every_stage_of_training_has_a_script_and_a_recipe_for_each_scale() -> None:
    assert set(TRAINING) <= {file.stem for file in SCRIPTS}
    for stage in TRAINING:
        assert {"cpu", "gpu24", "paper"} <= {file.stem for file in (RECIPES / stage).glob("*.yaml")}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_uses_the_public_api_only(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= 140
    assert text.rstrip().endswith('if __name__ == "__main__":\n    run_script(main)')
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a copy has no package around it"
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        else:
            continue
        assert not [name for name in names if name.startswith("_") and not name.endswith("__")]
        assert not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trl_dsmath.cli"))


def test_recipes_are_listed_with_hardware_time_and_what_to_expect(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out
    for name in ("grpo/cpu", "sft/paper", "iterate/gpu24"):
        assert f"\n{name} " in listed
    line = next(line for line in listed.splitlines() if line.startswith("grpo/cpu "))
    cells = re.split(r"\s{2,}", line)
    assert cells[:3] == ["grpo/cpu", "one CPU thread, 2 GB", "3.5 minutes of CPU"]
    assert cells[3].startswith("format reward from 0.5 to 0.9, answers missing from 36 % to 2 %")
    assert "NOT RUN" not in listed
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["recipes"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines()[:-1])) <= 90
    assert main(["recipes", "sft"]) == 0
    assert "grpo/cpu" not in capsys.readouterr().out
    assert main(["recipes", "gpro"]) == 2
    assert main(["recipes", "grpo", "--cpoy", "x"]) == 2
    assert "Did you mean --copy?" in capsys.readouterr().err


def test_a_copy_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "grpo", "--copy", str(tmp_path / "mine")]) == 0
    files = {file.name for file in (tmp_path / "mine").iterdir()}
    assert files == {file.name for file in (RECIPES / "grpo").iterdir() if file.suffix in {".py", ".yaml"}}
    assert (tmp_path / "mine" / "grpo.py").read_bytes() == recipe_script("grpo").read_bytes()
    assert main(["recipes", "demo", "--copy", str(tmp_path / "space")]) == 0
    assert {"app.py", "requirements.txt", "README.md"} < {file.name for file in (tmp_path / "space").iterdir()}
    (tmp_path / "mine" / "grpo.py").write_text("changed")
    assert main(["recipes", "grpo", "--copy", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine" / "grpo.py").read_text() == "changed"
    assert "already holds" in capsys.readouterr().err
    assert main(["recipes", "grpo", "--copy", str(tmp_path / "mine" / "grpo.py")]) == 2
    assert "grpo.py cannot be written: File exists. Name another folder." in capsys.readouterr().err


@pytest.mark.parametrize("stage", TRAINING)
def test_help_fits_a_screen(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([stage, "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) < 80
    assert "--help-all" in shown
    assert ", ".join(sorted(file.stem for file in (RECIPES / stage).glob("*.yaml"))) in shown


def test_a_script_by_itself_shows_its_help_and_no_warning(tmp_path: Path) -> None:
    command = [sys.executable, str(recipe_script("grpo")), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    # bitsandbytes says at import that a kernel is absent, on processors with bfloat16; `import trl` alone does it.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Failed to load CPU gemm_4bit_forward")]
    assert (done.returncode, said) == (0, [])
    assert "--help-all" in done.stdout


def test_the_command_shows_no_warning_of_a_library() -> None:
    code = "from trl_dsmath.cli import main; raise SystemExit(main(['sft', '--help']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_an_edited_copy_trains_in_two_processes_on_a_cpu(small: list[str], tmp_path: Path) -> None:
    """`dsmath recipes grpo --copy`, another reward in the script, `accelerate launch --num_processes 2`."""
    assert main(["recipes", "grpo", "--copy", str(tmp_path / "mine")]) == 0
    script = tmp_path / "mine" / "grpo.py"
    text = script.read_text()
    reward = "def short(completions, **columns):\n    return [-float(len(c[0]['content'])) for c in completions]\n\n\n"
    edited = text.replace("def main() -> None:", reward + "def main() -> None:")
    edited = edited.replace('"reward_funcs": rewards,', '"reward_funcs": [rewards[0], short],')
    assert edited.count("short") == 2
    script.write_text(edited)
    groups = ["--num_generations", "4", "--max_completion_length", "8"]
    flags = ["--config", str(script.parent / "cpu.yaml"), *small, *groups]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", str(script), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "4 per process x 1 micro-batches x 2 processes" in done.stdout
    logged = json.loads((tmp_path / "out" / "trainer_state.json").read_text())["log_history"][0]
    assert logged["rewards/short/mean"] < 0
