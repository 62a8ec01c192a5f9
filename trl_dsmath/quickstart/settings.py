"""What defines a run, and the folder that keeps its state: one marker a finished stage."""

import json
import os
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError

# Each stage and those that it reads from.
NEEDS: dict[str, tuple[str, ...]] = {
    "corpus": (),
    "pretrain": ("corpus",),
    "sft": ("pretrain",),
    "annotate": ("sft",),
    "prm": ("annotate",),
    "grpo": ("sft",),
    "step_grpo": ("prm",),
    "solve": ("grpo", "step_grpo"),
    "quantize": ("step_grpo",),
}
STAGES: tuple[str, ...] = tuple(NEEDS)
POLICIES = ("pretrain", "sft", "grpo", "step_grpo")  # the stages that leave a model which answers
# Stages that need what an installation may lack: the module, and the extra that brings it.
OPTIONAL = {"corpus": ("fasttext", "corpus"), "quantize": ("bitsandbytes", "quantization")}
K = 16  # samples a vote
SHOWN_K = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Settings:
    """What figures depend on. A folder belongs to one such choice."""

    seed: int = 0
    pages: int = 1000
    pretrain_steps: int = 500
    sft_steps: int = 200
    annotate_problems: int = 150
    prm_steps: int = 100
    grpo_steps: int = 40
    problems: int = 500
    vote_problems: int = 150

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = {"seed": 0, "pages": 100}.get(name, 1)
            if value < least:
                raise ConfigError(f"--{name} must be at least {least}, not {value}.")
        if self.vote_problems > self.problems:
            raise ConfigError(
                f"--vote_problems ({self.vote_problems}) are the first of the held-out --problems ({self.problems}): ask "
                "for fewer."
            )


def needed(stage: str) -> list[str]:
    """All stages that one reads from, directly or not, in order."""
    found = {before for need in NEEDS[stage] for before in [need, *needed(need)]}
    return [name for name in STAGES if name in found]


def left_out(stage: str) -> str | None:
    """Why a stage cannot run here, with the fix; None when it can."""
    module, extra = OPTIONAL.get(stage, ("", ""))
    if not module or find_spec(module) is not None:
        return None
    return f"left out: {module} is not installed (pip install 'trl-dsmath[{extra}]')"


class RunFolder:
    """
    The folder of a run.

    Args:
        path (`Path`):
            The folder; made if it is not there.
        settings ([`Settings`]):
            Settings of the run.

    Raises:
        ConfigError: the folder holds something else, or a run with other settings.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path} is a file. Name a folder with --output_dir.")
        path.mkdir(parents=True, exist_ok=True)
        kept = path / "settings.json"
        if kept.exists():
            _check_same(path, read_json(kept), asdict(settings))
        elif any(entry.name != _part(kept).name for entry in path.iterdir()):
            raise ConfigError(f"{path} is not empty and holds no quickstart. Name a new folder with --output_dir.")
        else:
            write_whole(kept, json.dumps(asdict(settings), indent=1))

    def stage(self, stage: str) -> Path:
        """Folder of a stage: checkpoints, the model, held-out answers."""
        return self.path / stage

    def model(self, stage: str) -> str:
        """Where the model of a stage stands. The whole path, which labels keep, whatever the folder was called by."""
        return str(self.stage(stage).resolve() / "model")

    def result(self, stage: str) -> dict[str, Any] | None:
        """Result of a stage, or None while it is not finished."""
        marker = self.stage(stage) / "result.json"
        return read_json(marker) if marker.exists() else None

    def finish(self, stage: str, result: dict[str, Any]) -> None:
        """Marks a stage as finished. Written last and in one piece, so that a marker is never half a truth."""
        write_whole(self.stage(stage) / "result.json", json.dumps(result, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, whenever the process is killed."""
    part = _part(path)
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes JSON lines, whole or not at all."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_json(path: Path) -> dict[str, Any]:
    """Reads a file of the run.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} cannot be read ({error}). Delete the folder and start again.") from error


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _check_same(path: Path, kept: dict[str, Any], wanted: dict[str, Any]) -> None:
    other = [f"--{name} {kept.get(name)} (now {value})" for name, value in wanted.items() if kept.get(name) != value]
    if other:
        raise ConfigError(
            f"{path} holds a run with other settings: {', '.join(other)}. "
            f"Give this one its own folder (--output_dir ...) or delete that one (rm -r {path})."
        )
