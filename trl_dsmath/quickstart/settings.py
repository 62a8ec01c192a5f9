"""What defines a run, and the folder that keeps its state: one marker a finished stage."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError

STAGES: tuple[str, ...] = ("pretrain", "sft", "grpo")


@dataclass(frozen=True)
class Settings:
    """What figures depend on. A folder belongs to one such choice."""

    seed: int = 0
    pretrain_steps: int = 500
    sft_steps: int = 200
    grpo_steps: int = 40
    problems: int = 500

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < (name != "seed"):
                raise ConfigError(f"--{name} must be at least {int(name != 'seed')}, not {value}.")


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
            _check_same(path, _read(kept), asdict(settings))
        elif any(entry.name != _part(kept).name for entry in path.iterdir()):
            raise ConfigError(f"{path} is not empty and holds no quickstart. Name a new folder with --output_dir.")
        else:
            write_whole(kept, json.dumps(asdict(settings), indent=1))

    def stage(self, stage: str) -> Path:
        """Folder of a stage: checkpoints, the model, held-out answers."""
        return self.path / stage

    def result(self, stage: str) -> dict[str, Any] | None:
        """Result of a stage, or None while it is not finished."""
        marker = self.stage(stage) / "result.json"
        return _read(marker) if marker.exists() else None

    def finish(self, stage: str, result: dict[str, Any]) -> None:
        """Marks a stage as finished. Written last and in one piece, so that a marker is never half a truth."""
        write_whole(self.stage(stage) / "result.json", json.dumps(result, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, whenever the process is killed."""
    part = _part(path)
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} cannot be read ({error}). Delete the folder and start again.") from error


def _check_same(path: Path, kept: dict[str, Any], wanted: dict[str, Any]) -> None:
    other = [f"--{name} {kept.get(name)} (now {value})" for name, value in wanted.items() if kept.get(name) != value]
    if other:
        raise ConfigError(
            f"{path} holds a run with other settings: {', '.join(other)}. "
            f"Give this one its own folder (--output_dir ...) or delete that one (rm -r {path})."
        )
