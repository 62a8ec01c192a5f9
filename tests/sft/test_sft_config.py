"""The defaults of the SFT stage are the paper's, and its batch is what it says."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import SchedulerType
from trl import SFTConfig, SFTTrainer, TrlParser

from trl_dsmath import MathSFTConfig, MathSFTTrainer
from trl_dsmath.data.batch import _say_once
from trl_dsmath.errors import ConfigError
from trl_dsmath.paper import SFT_STAGE


def _config(tmp_path: Path, **settings: object) -> MathSFTConfig:
    return MathSFTConfig(str(tmp_path), use_cpu=True, bf16=False, **settings)


def test_defaults_are_the_papers_and_not_trls(tmp_path: Path) -> None:
    ours, theirs = _config(tmp_path), SFTConfig(str(tmp_path), use_cpu=True)
    papers = {
        "learning_rate": SFT_STAGE.learning_rate,
        "lr_scheduler_type": SFT_STAGE.lr_scheduler_type,
        "max_steps": SFT_STAGE.max_steps,
        "max_length": SFT_STAGE.max_length,
        "packing": True,
        "shuffle_dataset": True,
    }
    for name, value in papers.items():
        assert getattr(ours, name) == value, name
        assert getattr(theirs, name) != value, f"TRL's {name} has become the paper's: the override can go"
    assert (SFT_STAGE.learning_rate, SFT_STAGE.max_steps, SFT_STAGE.max_length) == (5e-5, 500, 4096)


def test_a_global_batch_is_divided_over_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert _config(tmp_path, global_batch_size=256).gradient_accumulation_steps == 32
    assert _config(tmp_path, global_batch_size=256, per_device_train_batch_size=2).gradient_accumulation_steps == 128
    # Announced but not there: the processes that torch finds must be the announced ones.
    monkeypatch.setattr("trl_dsmath.sft.config.processes_at_start", lambda: 4)
    with pytest.raises(ConfigError, match="64 rows instead of"):
        _config(tmp_path, global_batch_size=256)
    _say_once.cache_clear()
    monkeypatch.setattr(MathSFTConfig, "world_size", 4)
    _config(tmp_path, per_device_train_batch_size=3, gradient_accumulation_steps=2)
    assert caplog.messages == ["An update sees 24 rows; the paper's saw 256 (global_batch_size=256)."]


def test_what_is_set_wins_and_one_line_names_the_papers_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _say_once.cache_clear()
    for _ in range(2):
        args = _config(tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=3)
        assert args.train_batch_size * args.gradient_accumulation_steps == 12
    assert caplog.messages == ["An update sees 12 rows; the paper's saw 256 (global_batch_size=256)."]
    caplog.clear()
    assert _config(tmp_path, per_device_train_batch_size=4, global_batch_size=12).gradient_accumulation_steps == 3
    assert not caplog.messages
    assert _config(tmp_path).gradient_accumulation_steps == 1
    with pytest.raises(ConfigError, match="set global_batch_size to 16"):
        _config(tmp_path, gradient_accumulation_steps=2, global_batch_size=256)


@pytest.mark.parametrize(
    ("settings", "steps", "epochs"),
    [
        ({}, 500, 3.0),  # the paper's
        ({"num_train_epochs": 1}, -1, 1),
        ({"num_train_epochs": 3}, -1, 3),  # TRL's default, but set
        ({"max_steps": 20}, 20, 3.0),
        ({"max_steps": -1}, -1, 3.0),
        ({"max_steps": -1, "num_train_epochs": 1}, -1, 1),
        ({"max_steps": 0, "num_train_epochs": 1}, 0, 1),  # 0 is none, too
    ],
)
def test_epochs_or_updates_whichever_is_set(settings: dict, steps: int, epochs: float, tmp_path: Path) -> None:
    args = _config(tmp_path, **settings)
    assert (args.max_steps, args.num_train_epochs) == (steps, epochs)


def test_epochs_beside_max_steps_are_refused(tmp_path: Path) -> None:
    for steps in (1, 500):
        with pytest.raises(ConfigError, match="set one of the two"):
            _config(tmp_path, num_train_epochs=1, max_steps=steps)


def test_what_trl_settles_is_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _config(tmp_path).lr_scheduler_type is SchedulerType.CONSTANT
    monkeypatch.setattr("trl_dsmath.data.precision.fast_bf16", lambda: False)
    assert MathSFTConfig(str(tmp_path), use_cpu=True).bf16 is False


def test_through_a_yaml_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("per_device_train_batch_size: 2\nnum_train_epochs: 1\nuse_cpu: true\n")
    flags = [
        "--config",
        str(tmp_path / "run.yaml"),
        "--output_dir",
        str(tmp_path),
        "--gradient_accumulation_steps",
        "5",
    ]
    (args,) = TrlParser((MathSFTConfig,)).parse_args_and_config([*flags, "--bf16", "false"])
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (2, 5)
    assert (args.max_steps, args.num_train_epochs) == (-1, 1)


def test_every_argument_reaches_trls_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict] = []
    monkeypatch.setattr(SFTTrainer, "__init__", lambda self, model, **named: seen.append({"model": model, **named}))
    monkeypatch.setattr("trl_dsmath.sft.trainer.MathSFTConfig", lambda folder: folder)
    names = ("data_collator", "train_dataset", "eval_dataset", "processing_class", "compute_metrics", "callbacks")
    given = {name: name for name in (*names, "quantization_config", "peft_config", "formatting_func", "optimizers")}
    MathSFTTrainer("owner/name", "args", **given, of_a_later_release=1)
    assert seen.pop() == {"model": "owner/name", "args": "args", **given, "of_a_later_release": 1}
    loaded = SimpleNamespace(config=SimpleNamespace(_name_or_path="folder/other"))
    for model, folder in (("owner/name", "name-SFT"), (loaded, "other-SFT")):
        MathSFTTrainer(model)  # type: ignore[arg-type]
        assert seen.pop() == {"model": model, "args": folder, "optimizers": (None, None)}


def test_cards_name_the_paper() -> None:
    assert MathSFTTrainer._tag_names == ["trl", "trl-dsmath", "sft"]
    assert MathSFTTrainer._paper["id"] == "2402.03300"
    assert "title   = {{DeepSeekMath" in MathSFTTrainer._paper["citation"]
