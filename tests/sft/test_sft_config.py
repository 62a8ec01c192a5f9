"""The defaults of the SFT stage are the paper's, and its batch is what it says."""

from pathlib import Path

import pytest
from trl import SFTConfig

from trl_dsmath import MathSFTConfig, MathSFTTrainer
from trl_dsmath.errors import ConfigError
from trl_dsmath.paper import SFT_STAGE


def _config(tmp_path: Path, **settings: object) -> MathSFTConfig:
    return MathSFTConfig(str(tmp_path), use_cpu=True, **settings)


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


def test_the_batch_is_256_on_any_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _config(tmp_path).gradient_accumulation_steps == 32
    assert _config(tmp_path, per_device_train_batch_size=2).gradient_accumulation_steps == 128
    # Announced but not there: the processes that torch finds must be the announced ones.
    monkeypatch.setattr("trl_dsmath.sft.config.processes_at_start", lambda: 4)
    with pytest.raises(ConfigError, match="64 rows instead of global_batch_size"):
        _config(tmp_path)


def test_batches_of_ones_own(tmp_path: Path) -> None:
    assert _config(tmp_path, global_batch_size=None).gradient_accumulation_steps == 1
    assert _config(tmp_path, global_batch_size=None, gradient_accumulation_steps=3).gradient_accumulation_steps == 3
    assert _config(tmp_path, gradient_accumulation_steps=32).global_batch_size == 256
    with pytest.raises(ConfigError, match="set global_batch_size to 16"):
        _config(tmp_path, gradient_accumulation_steps=2)


def test_epochs_beside_max_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Set max_steps to -1"):
        _config(tmp_path, num_train_epochs=1)
    assert _config(tmp_path, num_train_epochs=1, max_steps=-1).num_train_epochs == 1


def test_cards_name_the_paper() -> None:
    assert MathSFTTrainer._tag_names == ["trl", "trl-dsmath", "sft"]
    assert MathSFTTrainer._paper["id"] == "2402.03300"
    assert "title   = {{DeepSeekMath" in MathSFTTrainer._paper["citation"]
