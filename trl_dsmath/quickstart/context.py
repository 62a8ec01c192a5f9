"""What every stage is given, and what it hands back."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .progress import Progress
from .settings import RunFolder, Settings
from .task import Problem, make_problems


@dataclass
class Context:
    """The run that a stage is part of."""

    settings: Settings
    folder: RunFolder
    progress: Progress

    @cached_property
    def held_out(self) -> list[Problem]:
        """The problems that no stage trains on."""
        return make_problems(self.settings.problems, self.settings.seed, "held-out")

    def here(self, stage: str) -> Path:
        """The folder of a stage, made if it is not there."""
        folder = self.folder.stage(stage)
        folder.mkdir(exist_ok=True)
        return folder

    def load(self, stage: str) -> tuple[Any, Any]:
        """Model and tokenizer that a stage has left."""
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

        path = self.folder.model(stage)
        return LlamaForCausalLM.from_pretrained(path), PreTrainedTokenizerFast.from_pretrained(path)


@dataclass
class Done:
    """
    A finished stage.

    Args:
        data (`str`):
            What it worked on, for the report.
        line (`str`):
            Its result, for the terminal.
        figures (`dict`):
            Its results, for the report.
        carried (`dict`):
            Seconds (`wall`, `cpu`) of an earlier process that was stopped in this stage.
    """

    data: str
    line: str
    figures: dict[str, Any]
    carried: dict[str, float] = field(default_factory=lambda: {"wall": 0.0, "cpu": 0.0})
