"""The paper's values, the batch in tokens, and settings that contradict each other."""

from pathlib import Path

import pytest
from trl import TrlParser

from trl_dsmath.data.batch import _say_once
from trl_dsmath.data.precision import fast_bf16
from trl_dsmath.errors import ConfigError
from trl_dsmath.paper import PRETRAIN
from trl_dsmath.pretrain import PretrainConfig


def make(folder: Path, **settings) -> PretrainConfig:
    return PretrainConfig(str(folder), use_cpu=True, bf16=False, **settings)


def test_the_papers_values_are_the_defaults(tmp_path: Path) -> None:
    config = make(tmp_path, per_device_train_batch_size=8, global_batch_tokens=PRETRAIN.batch_tokens)
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


def test_what_is_set_wins_and_one_line_names_the_papers_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _say_once.cache_clear()
    for _ in range(2):
        config = make(
            tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=2, max_length=64, max_steps=100
        )
    assert (config.gradient_accumulation_steps, config.max_steps, config.train_tokens) == (2, 100, None)
    assert config.get_warmup_steps(100) == 4  # 2,000 of 50,000 updates are 4 %
    assert caplog.messages == ["An update sees 512 tokens; the paper's saw 10,000,000 (global_batch_tokens=10000000)."]
    assert make(tmp_path, max_length=64, train_tokens=8 * 64 * 30).max_steps == 30
    epochs = make(tmp_path, num_train_epochs=2)
    assert (epochs.max_steps, epochs.num_train_epochs, epochs.get_warmup_steps(1000)) == (-1, 2, 40)
    assert make(tmp_path, max_steps=2500).get_warmup_steps(2500) == 2000  # the first drop comes at update 2,000
    assert make(tmp_path, max_steps=2499).get_warmup_steps(2499) == 100
    one = make(tmp_path, per_device_train_batch_size=1, max_length=64, train_tokens=64 * 30)
    assert (one.gradient_accumulation_steps, one.max_steps) == (1, 30)
    assert make(tmp_path, max_length=64, train_tokens=1).max_steps == 1
    assert make(tmp_path, max_steps=1, per_device_train_batch_size=8).train_tokens is None


@pytest.mark.parametrize(("tokens", "fits"), [(20, True), (19, False), (21, True), (22, False)])
def test_a_batch_within_five_per_cent_is_taken(tokens: int, fits: bool, tmp_path: Path) -> None:
    """20 sequences of 1,000 tokens against 19 to 22 thousand."""
    settings = {"per_device_train_batch_size": 20, "max_length": 1000, "max_steps": 1}
    if fits:
        made = make(tmp_path, global_batch_tokens=tokens * 1000, **settings)
        assert made.gradient_accumulation_steps == 1
    else:
        with pytest.raises(ConfigError, match="more than 5 %"):
            make(tmp_path, global_batch_tokens=tokens * 1000, **settings)
    assert make(tmp_path, global_batch_tokens=61_000, **settings).gradient_accumulation_steps == 3


def test_through_a_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "per_device_train_batch_size: 2\nmax_length: 64\nmax_steps: 10\nuse_cpu: true\n"
    )
    flags = ["--config", str(tmp_path / "run.yaml"), "--output_dir", str(tmp_path), "--bf16", "false"]
    (args,) = TrlParser((PretrainConfig,)).parse_args_and_config([*flags, "--gradient_accumulation_steps", "3"])
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps, args.max_steps) == (2, 3, 10)


def test_what_trl_settles_is_settled(tmp_path: Path) -> None:
    config = PretrainConfig(str(tmp_path), use_cpu=True, max_steps=1)
    assert (config.bf16, config.optim, config.lr_scheduler_type) == (
        fast_bf16(),
        "adamw_torch_fused",
        "constant_with_warmup",
    )
    assert PretrainConfig(str(tmp_path), use_cpu=True, max_steps=1, fp16=True).bf16 is False


@pytest.mark.parametrize(("given", "updates"), [(50, 50), (50.0, 50), (0.04, 40), (0, 0)])
def test_a_warm_up_in_updates_or_as_a_share_of_the_run(given: float, updates: int, tmp_path: Path) -> None:
    assert make(tmp_path, per_device_train_batch_size=8, warmup_steps=given).get_warmup_steps(1000) == updates


def test_processes_share_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trl_dsmath.pretrain.config.processes_at_start", lambda: 64)
    with pytest.raises(ConfigError, match="one process sees several GPUs"):  # there is actually one process
        make(tmp_path, per_device_train_batch_size=2, global_batch_tokens=PRETRAIN.batch_tokens)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"global_batch_tokens": 40_000, "max_length": 4096, "per_device_train_batch_size": 8},
            "global_batch_tokens to 32768",
        ),
        ({"gradient_accumulation_steps": 3, "global_batch_tokens": 10_000_000}, "more than 5 % from"),
        ({"max_length": None, "global_batch_tokens": 10_000_000}, "set max_length"),
        ({"max_steps": 10, "train_tokens": 1_000_000}, "max_steps .10. and train_tokens .1,000,000. both .* give one"),
        ({"num_train_epochs": 2, "train_tokens": 1_000_000}, "num_train_epochs .2. and"),
        ({"first_drop_at": 0.95}, "in order"),
        ({"first_drop_at": 0.0}, "in order"),
        ({"second_drop_at": 1.01}, "in order"),
    ],
)
def test_contradictions_are_refused_with_the_fix(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, **settings)
