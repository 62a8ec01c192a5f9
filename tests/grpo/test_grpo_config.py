"""The defaults of the RL stage are the paper's, groups are whole, and the trainer brings a reward."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, TrlParser

from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer, StepGRPOConfig, StepGRPOTrainer
from trl_dsmath.data.batch import _say_once
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.paper import GRPO_STAGE
from trl_dsmath.rewards import boxed_accuracy_reward


def _config(tmp_path: Path, **settings: object) -> DeepSeekMathGRPOConfig:
    return DeepSeekMathGRPOConfig(str(tmp_path), use_cpu=True, bf16=False, **settings)


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
    config = _config(tmp_path, global_batch_size=GRPO_STAGE.batch_size)
    assert config.steps_per_generation == config.gradient_accumulation_steps == 128
    assert config.generation_batch_size == 1024


def test_sampling_in_parts_keeps_the_batch(tmp_path: Path) -> None:
    config = _config(tmp_path, global_batch_size=1024, per_device_train_batch_size=4, steps_per_generation=16)
    assert config.generation_batch_size == 64
    assert config.gradient_accumulation_steps == 256
    assert config.gradient_accumulation_steps % (config.steps_per_generation * config.num_iterations) == 0


def test_broken_groups_are_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Set global_batch_size to 1024, or num_generations to a divisor of 1000"):
        _config(tmp_path, global_batch_size=1000)


def test_as_any_user_of_trl_writes_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _say_once.cache_clear()
    for _ in range(2):
        args = StepGRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=4,
            gradient_accumulation_steps=2,
            use_cpu=True,
            bf16=False,
        )
    assert args.generation_batch_size == args.per_device_train_batch_size * args.gradient_accumulation_steps == 8
    assert (args.num_generations, args.steps_per_generation, args.global_batch_size) == (8, 2, None)
    assert caplog.messages == [
        "An update sees 8 completions in groups of 8; the paper's saw 1,024 (global_batch_size=1024)."
    ]


@pytest.mark.parametrize(
    ("settings", "steps", "group", "generated"),
    [
        ({}, 8, 64, 64),  # 8 x 8: one group of the paper's size
        ({"num_generations": 8}, 1, 8, 8),
        ({"num_generations": 12}, 3, 12, 24),  # the smallest batch of 8s and 12s
        ({"per_device_train_batch_size": 16}, 4, 64, 64),
        ({"gradient_accumulation_steps": 16}, 16, 64, 128),
        ({"gradient_accumulation_steps": 12}, 12, 48, 96),  # 96 is not a multiple of 64
        ({"gradient_accumulation_steps": 2, "num_generations": 4}, 2, 4, 16),
        ({"gradient_accumulation_steps": 8, "steps_per_generation": 2}, 8, 16, 16),
        ({"gradient_accumulation_steps": 8, "generation_batch_size": 32}, 8, 32, 32),
        ({"global_batch_size": 128}, 16, 64, 128),
    ],
)
def test_batches_of_ones_own(settings: dict, steps: int, group: int, generated: int, tmp_path: Path) -> None:
    args = _config(tmp_path, **settings)
    assert (args.gradient_accumulation_steps, args.num_generations, args.generation_batch_size) == (
        steps,
        group,
        generated,
    )


def test_values_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set global_batch_size to 16"):
        _config(tmp_path, global_batch_size=1024, num_generations=8, gradient_accumulation_steps=2)
    with pytest.raises(ConfigError, match=r"batch \(16\) is not a multiple of num_generations \(64\)"):
        _config(tmp_path, num_generations=64, gradient_accumulation_steps=2)


def test_through_a_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "per_device_train_batch_size: 4\ngradient_accumulation_steps: 2\nuse_cpu: true\n"
    )
    flags = ["--config", str(tmp_path / "run.yaml"), "--output_dir", str(tmp_path), "--bf16", "false"]
    (args,) = TrlParser((StepGRPOConfig,)).parse_args_and_config(flags)
    assert (args.generation_batch_size, args.num_generations) == (8, 8)
    (args,) = TrlParser((StepGRPOConfig,)).parse_args_and_config([*flags, "--gradient_accumulation_steps", "4"])
    assert (args.generation_batch_size, args.num_generations) == (16, 16)


def test_cards_name_the_package() -> None:
    assert DeepSeekMathGRPOTrainer._tag_names == ["trl", "trl-dsmath", "grpo"]
    assert DeepSeekMathGRPOTrainer._paper["id"] == "2402.03300"


@pytest.mark.parametrize("trainer", [DeepSeekMathGRPOTrainer, StepGRPOTrainer])
def test_problems_without_prompts_are_refused_with_the_fix(trainer: type, tmp_path: Path) -> None:
    rows = Dataset.from_list([{"question": "1+1?", "answer": "2"}])
    args = StepGRPOConfig(str(tmp_path), use_cpu=True, bf16=False)
    steps = {"step_reward_funcs": lambda steps, **_: []} if trainer is StepGRPOTrainer else {}
    with pytest.raises(DataError, match=r"columns are: question, answer.*convert\(dataset, 'grpo'\)"):
        trainer("no-such-model", args=args, train_dataset=rows, **steps)


def test_every_argument_reaches_trls_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict] = []

    def trls(trainer: Any, model: Any, **named: Any) -> None:
        seen.append({"model": model, **named})
        trainer.reward_funcs = [1, 2]

    monkeypatch.setattr(GRPOTrainer, "__init__", trls)
    args = _config(tmp_path)
    names = (
        "reward_funcs", "train_dataset", "eval_dataset", "processing_class", "reward_processing_classes", "callbacks",
        "optimizers", "quantization_config", "peft_config", "tools", "rollout_func", "environment_factory", "new",
    )  # fmt: skip
    given = {name: name for name in names}
    trainer = DeepSeekMathGRPOTrainer("m", args=args, **given)  # with two rewards, which group advantages may have
    assert seen.pop() == {"model": "m", "args": args, **given} and trainer.advantage == "group"
    monkeypatch.setattr(
        "trl_dsmath.grpo.trainer.DeepSeekMathGRPOConfig",
        lambda folder: _config(tmp_path / folder),
    )
    for model in ("owner/name", SimpleNamespace(config=SimpleNamespace(_name_or_path="owner/name"))):
        DeepSeekMathGRPOTrainer(model, train_dataset=Dataset.from_list([{"prompt": "p"}]))
        named = seen.pop()
        assert named["args"].output_dir == str(tmp_path / "name-GRPO") and named["optimizers"] == (None, None)
        assert named["reward_funcs"] is boxed_accuracy_reward
    DeepSeekMathGRPOTrainer("m", args=args, environment_factory=object)
    assert seen.pop()["reward_funcs"] is None  # an environment may own its reward
