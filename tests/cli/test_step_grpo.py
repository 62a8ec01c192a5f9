"""`dsmath grpo` with step rewards, through the real path."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer

from trl_dsmath.cli import main
from trl_dsmath.scripts import ScriptParser, recipes_folder, script_parser

GROUPS = ["--num_generations", "4", "--max_completion_length", "12"]


@pytest.fixture(scope="session")
def tiny_prm(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token classifier with random weights, saved as a process reward model."""
    folder = tmp_path_factory.mktemp("prm") / "judge"
    AutoModelForTokenClassification.from_pretrained(tiny_model, num_labels=2).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def _logged(out: Path) -> dict:
    return json.loads((out / "trainer_state.json").read_text())["log_history"][0]


def test_a_model_and_a_function_score_the_steps(
    small: list[str], tiny_prm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "judging.py").write_text(
        "def short(steps, solution, **columns):\n    return [[-float(len(step)) for step in row] for row in steps]\n"
    )
    monkeypatch.chdir(tmp_path)
    flags = [
        "--step_scorer",
        str(tiny_prm),
        "--step_reward_funcs",
        "judging.short",
        "--step_reward_weights",
        "1",
        "0.1",
    ]
    assert main(["grpo", *small, *GROUPS, *flags]) == 0
    shown = capsys.readouterr().out
    assert "steps       scored by judge, short" in shown
    assert "rewards     boxed_accuracy_reward; 4 completions per question" in shown
    logged = _logged(tmp_path / "out")
    assert 0 <= logged["step_rewards/judge/mean"] <= 1
    assert logged["step_rewards/short/mean"] < 0
    assert "rewards/boxed_accuracy_reward/mean" in logged


def test_without_outcome_rewards_it_is_the_process_run(small: list[str], tiny_prm: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"step_scorer: {tiny_prm}\nreward_funcs: none\nprocess_weight: 0.5\n")
    assert main(["grpo", "--config", str(recipe), *small, *GROUPS]) == 0
    logged = _logged(tmp_path / "out")
    assert "rewards/lowest_step_score/mean" in logged
    assert not any("boxed" in key for key in logged)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reward_funcs", "none"], "leaves no reward: give step_scorer"),
        (["--step_reward_funcs", "short"], "There is no reward function short."),
        (["--step_scorer", "./nothing"], "The model ./nothing cannot be loaded"),
        (["--step_reward_funcs", "a.b", "--importance_sampling_level", "sequence"], "importance_sampling_level"),
        (["--process_weight", "1"], "process_weight"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], message: str, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grpo", *small, *GROUPS, *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("recipe", ["steps-cpu", "steps-gpu24", "steps-paper"])
def test_recipes_ask_for_steps(recipe: str, tmp_path: Path) -> None:
    flags = ["--config", recipe, "--use_cpu", "--output_dir", str(tmp_path)]
    steps, folder = ("step_scorer", "step_reward_funcs"), recipes_folder() / "grpo"
    assert ScriptParser.given(*steps, args=flags, recipes=folder)
    script_args, config, *_ = script_parser("grpo").parse_args_and_config(flags)
    assert len(script_args.step_scorer) == 1
    assert config.process_weight == config.outcome_weight == 1.0
    assert not ScriptParser.given(*steps, args=["--config", recipe.removeprefix("steps-")], recipes=folder)
