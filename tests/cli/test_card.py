"""The model card names the recipe and the figures, and the one that is pushed is that card."""

import sys
from pathlib import Path

import pytest

from trl_dsmath.cli import main
from trl_dsmath.scripts.card import recipe_name, run_section


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["dsmath", "grpo", "--config", "paper"], "grpo/paper"),
        (["dsmath", "sft", "--max_steps", "1", "--config=gpu24"], "sft/gpu24"),
        (["grpo.py", "--config", "/somewhere/recipes/grpo/paper.yaml"], "grpo/paper"),
        (["mine/grpo.py", "--max_steps", "1", "--config", "cpu"], "grpo/cpu"),
        (["dsmath", "grpo", "--config", "mine.yaml"], "mine.yaml"),
        (["dsmath", "grpo"], None),
    ],
)
def test_the_recipe_of_a_command_line(argv: list[str], named: str | None) -> None:
    assert recipe_name(argv) == named


def test_figures_are_the_last_ones() -> None:
    history = [
        {"loss": 2.0, "reward": 0.1, "step": 1},
        {"loss": 1.5, "reward": 0.25, "step": 2, "epoch": 1.0},
        {"eval_loss": 1.25, "step": 2},
        {"train_runtime": 3.0, "step": 2},
    ]
    text = run_section("grpo/paper", history)
    assert "`grpo/paper`" in text
    assert "training, update 2" in text
    assert "| reward | 0.25 |" in text
    assert "| eval_loss | 1.25 |" in text
    assert "| loss | 2 |" not in text
    assert "epoch" not in text


def test_the_card_of_a_run(small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the command; a second writing, as `push_to_hub` does it, holds the section once."""
    from transformers import Trainer

    trainers: list[Trainer] = []
    save = Trainer.save_state
    monkeypatch.setattr(Trainer, "save_state", lambda self: (trainers.append(self), save(self))[1])
    argv = ["sft", "--config", "cpu", *small, "--max_length", "128", "--make_tiny_model", "false"]
    monkeypatch.setattr(sys, "argv", ["dsmath", *argv])
    assert main(argv) == 0
    card = tmp_path / "out" / "README.md"
    text = card.read_text()
    assert "`sft/cpu`" in text
    assert "| loss | " in text
    trainers[0].create_model_card(model_name="mine")
    again = card.read_text()
    assert again.count("## This run") == 1
    assert "`sft/cpu`" in again
