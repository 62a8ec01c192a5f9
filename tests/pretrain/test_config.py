"""The paper's values, the batch in tokens, and settings that contradict each other."""

from pathlib import Path

import pytest

from trl_dsmath.errors import ConfigError
from trl_dsmath.paper import PRETRAIN
from trl_dsmath.pretrain import PretrainConfig


def make(folder: Path, **settings) -> PretrainConfig:
    return PretrainConfig(str(folder), use_cpu=True, bf16=False, **settings)


def test_the_papers_values_are_the_defaults(tmp_path: Path) -> None:
    config = make(tmp_path, per_device_train_batch_size=8)
    for ours, papers in {
        "learning_rate": "learning_rate",
        "adam_beta1": "adam_beta1",
        "adam_beta2": "adam_beta2",
        "weight_decay": "weight_decay",
        "warmup_steps": "warmup_steps",
        "max_length": "max_length",
        "train_tokens": "tokens",
        "global_batch_tokens": "batch_tokens",
    }.items():
        assert getattr(config, ours) == getattr(PRETRAIN, papers), ours
    assert config.drops == (
        (PRETRAIN.first_drop_at, PRETRAIN.first_drop_factor),
        (PRETRAIN.second_drop_at, PRETRAIN.second_drop_factor),
    )
    # 8 x 305 x 4,096 = 9,994,240 tokens an update, and 500B of them are 50,029 updates
    assert (config.gradient_accumulation_steps, config.max_steps) == (305, 50_029)


@pytest.mark.parametrize(("given", "updates"), [(50, 50), (50.0, 50), (0.04, 40), (0, 0)])
def test_a_warm_up_in_updates_or_as_a_share_of_the_run(given: float, updates: int, tmp_path: Path) -> None:
    assert make(tmp_path, per_device_train_batch_size=8, warmup_steps=given).get_warmup_steps(1000) == updates


def test_processes_share_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trl_dsmath.pretrain.config.processes_at_start", lambda: 64)
    with pytest.raises(ConfigError, match="one process sees several GPUs"):  # there is one process in truth
        make(tmp_path, per_device_train_batch_size=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"global_batch_tokens": 40_000, "max_length": 4096, "per_device_train_batch_size": 8},
            "global_batch_tokens to 32768",
        ),
        ({"gradient_accumulation_steps": 3}, "more than 5 % from"),
        ({"max_length": None}, "set max_length"),
        ({"max_steps": 10, "train_tokens": 1_000_000}, "give one"),
        ({"first_drop_at": 0.95}, "in order"),
    ],
)
def test_contradictions_are_refused_with_the_fix(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, **settings)
