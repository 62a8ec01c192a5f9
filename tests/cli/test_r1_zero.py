"""Pure RL in the manner of R1-Zero: the prompt, the rewards, and a small run of the recipe through the real trainer."""

from pathlib import Path

import pandas
import pytest
import yaml
from trl.rewards import think_format_reward

from trl_dsmath.cli import main
from trl_dsmath.data.prompts import instruct
from trl_dsmath.rewards import boxed_accuracy_reward, language_consistency_reward
from trl_dsmath.scripts.recipes import recipes_folder

REWARDS = ["boxed_accuracy_reward", "think_format_reward", "language_consistency_reward"]


def test_the_prompt_asks_for_what_is_rewarded() -> None:
    for question in ("What is 1+1?", "1+1等于几？"):
        prompt = instruct(question, "think")
        assert prompt.startswith(question + "\n")
        for part in ("<think>", "</think>", "\\boxed{}"):
            assert part in prompt
    assert "请" in instruct("1+1等于几？", "think")
    assert "请" not in instruct("What is 1+1?", "think")


def test_the_form_that_the_prompt_asks_for_gets_full_marks() -> None:
    good = "<think>\nOne and one make two.\n</think>\nThe sum is \\boxed{2}."
    rows = [
        good,
        "The sum is \\boxed{2}.",
        good.replace("One and one", "一加一"),
        good.replace("{2}", "{3}"),
        " " + good,
    ]
    messages = [[{"role": "assistant", "content": text}] for text in rows]
    assert boxed_accuracy_reward(messages, solution=["2"] * 5) == [1.0, 1.0, 1.0, 0.0, 1.0]
    # The last one: a space before the tag, which models write after `Assistant:`, gets nothing (the recipe says so).
    assert think_format_reward(messages) == [1.0, 0.0, 1.0, 1.0, 0.0]
    language = language_consistency_reward(messages, language=["en"] * 5)
    assert language[0] == 1.0
    assert language[2] < 1.0


def test_the_recipe_through_the_real_trainer(small: list[str], tmp_path: Path) -> None:
    flags = [*small, "--dtype", "float32", "--max_completion_length", "12", "--num_generations", "4"]
    assert main(["grpo", "--config", "r1_zero", *flags, "--use_vllm", "false", "--beta", "0.001"]) == 0
    written = pandas.read_parquet(tmp_path / "out" / "completions" / "completions_00001.parquet")
    assert len(written) == 8
    assert set(REWARDS) < set(written.columns)
    assert all("Begin with <think>" in str(prompt) for prompt in written["prompt"])
    texts = [[{"role": "assistant", "content": row[-1]["content"]}] for row in written["completion"]]
    assert written["think_format_reward"].tolist() == think_format_reward(texts)
    assert written["language_consistency_reward"].tolist() == pytest.approx(language_consistency_reward(texts))


def test_sft_has_no_such_solutions(small: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sft", *small, "--prompt_mode", "think"]) == 2
    assert "prompt_mode='think' is for GRPO" in capsys.readouterr().err


def test_the_recipe_has_r1_zeros_numbers() -> None:
    """arXiv 2501.12948 version 2, §2.1; the language is added without a factor (§3.2.1)."""
    recipe = yaml.safe_load((recipes_folder() / "grpo/r1_zero.yaml").read_text())
    assert (recipe["learning_rate"], recipe["beta"]) == (3e-6, 0.001)
    assert (recipe["num_generations"], recipe["global_batch_size"]) == (16, 16 * 32)
    assert (recipe["ref_model_sync_steps"], recipe["ref_model_mixup_alpha"]) == (400, 1.0)
    assert dict(zip(recipe["reward_funcs"], recipe["reward_weights"], strict=True)) == dict.fromkeys(REWARDS, 1.0)
