"""Which checkpoint a run can go on from. One that was being written when the run was killed does not count."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from transformers import TrainingArguments

_WEIGHTS = ("model.safetensors", "adapter_model.safetensors", "pytorch_model.bin", "adapter_model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Sharded training keeps the weights or the optimizer in folders of its own.
_SHARDED = ("global_step*", "pytorch_model_fsdp*", "optimizer_*")


@dataclass
class Resume:
    """Where to go on.

    Attributes:
        checkpoint (`str`, *optional*):
            Folder to go on from; `None` to start afresh.
        finished (`bool`):
            Whether the checkpoint is the end of the run that was asked for.
        remarks (`list[str]`):
            What the user should know about the choice.
    """

    checkpoint: str | None = None
    finished: bool = False
    remarks: list[str] = field(default_factory=list)


def find_resume(args: "TrainingArguments") -> Resume:
    """Finds where a run goes on, from `resume_from_checkpoint` and what stands in `output_dir`.

    Left out, an unfinished run in `output_dir` is resumed. `true` asks for that and fails when there is none; a path
    names the checkpoint; `false` refuses an `output_dir` that holds checkpoints, since a later resume would mix two runs.

    Args:
        args ([`~transformers.TrainingArguments`]):
            Configuration of the run.

    Returns:
        [`Resume`]

    Raises:
        ConfigError: the checkpoint that was asked for is not there or not complete, or `false` meets checkpoints.
    """
    asked = args.resume_from_checkpoint
    word = str(asked).lower() if asked is not None else None
    with_optimizer = not args.save_only_model
    if word is not None and word not in {"true", "false", "none"}:
        reason = why_incomplete(Path(str(asked)), with_optimizer)
        if reason:
            raise ConfigError(f"--resume_from_checkpoint {asked}: {reason}.")
        return Resume(str(asked), _is_finished(Path(str(asked)), args), [f"resumes from {asked}"])

    checkpoints = sorted(
        (path for path in Path(str(args.output_dir)).glob("checkpoint-*") if path.name[11:].isdigit()),
        key=lambda path: int(path.name[11:]),
        reverse=True,
    )
    if word == "false":
        if checkpoints:
            raise ConfigError(
                f"{args.output_dir} holds checkpoints of an earlier run ({checkpoints[0].name}). To start afresh, give "
                "another --output_dir or delete them."
            )
        return Resume()
    remarks: list[str] = []
    for path in checkpoints:
        reason = why_incomplete(path, with_optimizer)
        if reason is None:
            return Resume(str(path), _is_finished(path, args), [*remarks, f"resumes from {path}"])
        remarks.append(f"{path} is skipped: {reason}")
    if word == "true":
        raise ConfigError(f"There is no complete checkpoint in {args.output_dir}. {'; '.join(remarks)}".strip())
    return Resume(remarks=remarks)


def why_incomplete(path: Path, with_optimizer: bool = True) -> str | None:
    """Returns what is missing in a checkpoint, or `None` when it is complete.

    The trainer writes the weights first and `trainer_state.json` last, so a state that can be read vouches for the rest;
    the other files are looked at because a full disk or a copy that was cut off breaks that order.
    """
    if not path.is_dir():
        return "there is no such folder"
    try:
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except OSError:
        return "trainer_state.json is missing"
    except ValueError:
        return "trainer_state.json is cut off"
    sharded = any(any(path.glob(pattern)) for pattern in _SHARDED)
    weights = [path / name for name in _WEIGHTS if (path / name).exists()]
    for index in (path / name for name in _INDEXES if (path / name).exists()):
        try:
            weights += [path / name for name in set(json.loads(index.read_text())["weight_map"].values())]
        except ValueError:
            return f"{index.name} is cut off"
    if not weights and not sharded:
        return "the weights are missing"
    for file in weights:
        if not file.exists() or not _is_whole(file):
            return f"{file.name} is missing or cut off"
    if with_optimizer and not sharded:
        optimizer = next((path / name for name in ("optimizer.pt", "optimizer.bin") if (path / name).exists()), None)
        if optimizer is None or optimizer.stat().st_size == 0:
            return "the state of the optimizer is missing"
    return None


def _is_whole(file: Path) -> bool:
    """Whether a file of weights has the length that its header promises (safetensors), or any (others)."""
    if file.suffix != ".safetensors":
        return file.stat().st_size > 0
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):
            return True
    except SafetensorError:
        return False


def _is_finished(path: Path, args: "TrainingArguments") -> bool:
    state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    end = args.max_steps
    if end <= 0:  # counted in epochs: the same number of them is the same end
        if state.get("num_train_epochs") != math.ceil(args.num_train_epochs):
            return False
        end = state["max_steps"]
    # Killed while the model was saved at the very end: the last checkpoint is gone on from, with no step left to take.
    return state["global_step"] >= end and why_incomplete(Path(str(args.output_dir)), with_optimizer=False) is None
