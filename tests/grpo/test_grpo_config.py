"""The defaults of the RL stage are the paper's, groups are whole, and the trainer brings a reward."""

from pathlib import Path

import pytest
from trl import GRPOConfig

from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer
from trl_dsmath.errors import ConfigError
from trl_dsmath.paper import GRPO_STAGE


def _config(tmp_path: Path, **settings: object) -> DeepSeekMathGRPOConfig:
    return DeepSeekMathGRPOConfig(str(tmp_path), use_cpu=True, **settings)


DIFFERENT = {
    "lr_scheduler_type": "constant",
    "beta": GRPO_STAGE.kl_coefficient,
    "num_generations": GRPO_STAGE.group_size,
    "max_completion_length": GRPO_STAGE.max_completion_length,
    "loss_type": "grpo",
    "use_bias_correction_kl": False,
}
SAME_TODAY = {
    "learning_rate": GRPO_STAGE.learning_rate,
    "num_iterations": GRPO_STAGE.updates_per_exploration,
    "scale_rewards": "group",
    "temperature": 1.0,
    "importance_sampling_level": "token",
}


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    ours = _config(tmp_path)
    for name, value in {**DIFFERENT, **SAME_TODAY}.items():
        assert getattr(ours, name) == value, name
    assert (GRPO_STAGE.learning_rate, GRPO_STAGE.kl_coefficient, GRPO_STAGE.group_size) == (1e-6, 0.04, 64)


def test_trls_defaults_differ(tmp_path: Path) -> None:
    theirs = GRPOConfig(str(tmp_path), use_cpu=True)
    for name, value in DIFFERENT.items():
        assert getattr(theirs, name) != value, f"TRL's {name} has become the paper's: the override can go"


def test_one_update_per_exploration(tmp_path: Path) -> None:
    config = _config(tmp_path)
    assert config.steps_per_generation == config.gradient_accumulation_steps == 128
    assert config.generation_batch_size == 1024


def test_sampling_in_parts_keeps_the_batch(tmp_path: Path) -> None:
    config = _config(tmp_path, per_device_train_batch_size=4, steps_per_generation=16)
    assert config.generation_batch_size == 64
    assert config.gradient_accumulation_steps == 256
    assert config.gradient_accumulation_steps % (config.steps_per_generation * config.num_iterations) == 0


def test_broken_groups_are_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Set global_batch_size to 1024, or num_generations to a divisor of 1000"):
        _config(tmp_path, global_batch_size=1000)


def test_batches_of_ones_own(tmp_path: Path) -> None:
    config = _config(tmp_path, global_batch_size=None, num_generations=8, gradient_accumulation_steps=2)
    assert config.generation_batch_size == 16
    with pytest.raises(ConfigError, match="set global_batch_size to 16"):
        _config(tmp_path, num_generations=8, gradient_accumulation_steps=2)


def test_cards_name_the_package() -> None:
    assert DeepSeekMathGRPOTrainer._tag_names == ["trl", "trl-dsmath", "grpo"]
    assert DeepSeekMathGRPOTrainer._paper["id"] == "2402.03300"
