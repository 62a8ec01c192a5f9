"""Which checkpoint a run goes on from."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts.checkpoints import find_resume, why_incomplete


def _checkpoint(folder: Path, step: int, max_steps: int = 10) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    save_file({"w": np.ones(100)}, path / "model.safetensors")
    (path / "optimizer.pt").write_bytes(b"x")
    state = {"global_step": step, "max_steps": max_steps, "num_train_epochs": 1}
    (path / "trainer_state.json").write_text(json.dumps(state))
    return path


def _args(folder: Path, **settings: object) -> SimpleNamespace:
    defaults = {"resume_from_checkpoint": None, "save_only_model": False, "max_steps": 10, "num_train_epochs": 3.0}
    return SimpleNamespace(output_dir=str(folder), **{**defaults, **settings})


def test_the_last_complete_one_by_number(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 2)
    last = _checkpoint(tmp_path, 10 - 1)
    assert find_resume(_args(tmp_path)).checkpoint == str(last)
    (tmp_path / "checkpoint-best").mkdir()
    assert find_resume(_args(tmp_path, resume_from_checkpoint="true")).checkpoint == str(last)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: (p / "trainer_state.json").unlink(), "trainer_state.json is missing"),
        (lambda p: (p / "trainer_state.json").write_text('{"global_step": 4'), "trainer_state.json is cut off"),
        (lambda p: (p / "model.safetensors").unlink(), "the weights are missing"),
        (lambda p: _cut(p / "model.safetensors"), "model.safetensors is missing or cut off"),
        (lambda p: (p / "optimizer.pt").unlink(), "the state of the optimizer is missing"),
        (lambda p: (p / "optimizer.pt").write_bytes(b""), "the state of the optimizer is missing"),
    ],
)
def test_half_written_ones_are_skipped_and_told(damage, reason: str, tmp_path: Path) -> None:
    good, bad = _checkpoint(tmp_path, 2), _checkpoint(tmp_path, 4)
    damage(bad)
    assert why_incomplete(bad) == reason
    resume = find_resume(_args(tmp_path))
    assert resume.checkpoint == str(good)
    assert resume.remarks == [f"{bad} is skipped: {reason}", f"resumes from {good}"]
    with pytest.raises(ConfigError, match="checkpoint-4"):
        find_resume(_args(tmp_path, resume_from_checkpoint=str(bad)))


def test_missing_shard(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path, 2)
    (path / "model.safetensors").rename(path / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert why_incomplete(path) == "model-00002-of-00002.safetensors is missing or cut off"
    (path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "mod')
    assert why_incomplete(path) == "model.safetensors.index.json is cut off"


def test_finished_runs(tmp_path: Path) -> None:
    last = _checkpoint(tmp_path, 10)
    assert not find_resume(_args(tmp_path)).finished, "the model itself is not saved yet"
    for name in ("model.safetensors", "trainer_state.json"):
        shutil.copy(last / name, tmp_path / name)
    assert find_resume(_args(tmp_path)).finished
    assert not find_resume(_args(tmp_path, max_steps=20)).finished
    assert find_resume(_args(tmp_path, max_steps=-1, num_train_epochs=1.0)).finished
    for counts_epochs in (-1, 0):
        assert not find_resume(_args(tmp_path, max_steps=counts_epochs, num_train_epochs=2.0)).finished
    assert find_resume(_args(tmp_path, max_steps=1)).finished


def test_nothing_there(tmp_path: Path) -> None:
    assert find_resume(_args(tmp_path / "none")).checkpoint is None
    with pytest.raises(ConfigError, match="no complete checkpoint"):
        find_resume(_args(tmp_path, resume_from_checkpoint="true"))


def test_starting_afresh_needs_an_empty_folder(tmp_path: Path) -> None:
    assert find_resume(_args(tmp_path, resume_from_checkpoint="false")).checkpoint is None
    _checkpoint(tmp_path, 2)
    with pytest.raises(ConfigError, match="another --output_dir"):
        find_resume(_args(tmp_path, resume_from_checkpoint="false"))


def test_weights_alone_are_enough_when_asked(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path, 2)
    (path / "optimizer.pt").unlink()
    assert find_resume(_args(tmp_path, save_only_model=True)).checkpoint == str(path)
