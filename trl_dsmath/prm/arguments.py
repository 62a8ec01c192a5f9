"""What the PRM script takes besides its configuration: where the labelled steps are."""

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trl import ScriptArguments

from ..errors import ConfigError

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass
class PRMScriptArguments(ScriptArguments):
    """
    [`~trl.ScriptArguments`] for labelled steps: rows of `prompt`, `completions` (steps) and `labels` (one per step).

    Args:
        holdout (`float`, *optional*, defaults to `0.05`):
            Share of the prompts, with all their solutions, that is kept for the evaluation where there is no test split.
            0 trains on all and evaluates nothing.
        evaluate (`list[str]`, *optional*):
            Benchmarks on which a reward model is evaluated; nothing is trained then. See [`PRMEvaluateArguments`].
    """

    holdout: float = field(
        default=0.05, metadata={"help": "Share of the prompts kept for evaluation where there is no test split."}
    )
    evaluate: list[str] | None = field(
        default=None,
        metadata={"help": "Evaluate a model on benchmarks and train nothing; `--evaluate NAME --help` shows how."},
    )

    def __post_init__(self) -> None:
        if not 0.0 <= self.holdout < 1.0:
            raise ConfigError(f"holdout is a share of the prompts, from 0 to below 1, not {self.holdout}.")


@dataclass
class PRMEvaluateArguments:
    """
    A process reward model on benchmarks.

    Args:
        evaluate (`list[str]`):
            ProcessBench, PRMBench, MR-GSM8K: files, folders or names on the hub (`Qwen/ProcessBench`).
        scores (`str`, *optional*):
            Recorded scores to judge in place of a model: JSON lines of `id` and `scores`.
        model_name_or_path (`str`, *optional*):
            The reward model, as in [`load_step_scorer`].
        output_dir (`str`, *optional*, defaults to `"runs/prm-scorecard"`):
            Folder of `scores.jsonl` and `scorecard.json`.
        threshold (`float`, *optional*):
            Scores below it mean a wrong step. If `None`, the best one on ProcessBench's GSM8K subset, or 0.5 without it.
        layout (`str`, *optional*), step_separator (`str`, *optional*), batch_size (`int`, *optional*, defaults to `16`):
            As in [`load_step_scorer`].
    """

    evaluate: list[str] = field(
        default_factory=list,
        metadata={"help": "ProcessBench, PRMBench, MR-GSM8K: files, folders or names on the hub."},
    )
    scores: str | None = field(
        default=None, metadata={"help": "Recorded scores (JSON lines of id and scores) in place of a model."}
    )
    model_name_or_path: str | None = field(default=None, metadata={"help": "The reward model to evaluate."})
    output_dir: str = field(default="runs/prm-scorecard", metadata={"help": "Where scores and scorecard go."})
    threshold: float | None = field(
        default=None, metadata={"help": "Scores below mean a wrong step; tuned on ProcessBench's GSM8K when left out."}
    )
    layout: str | None = field(default=None, metadata={"help": "How the model reads steps; found when left out."})
    step_separator: str | None = field(default=None, metadata={"help": "What ends a step, for models of others."})
    batch_size: int = field(default=16, metadata={"help": "Solutions of one forward pass."})

    def __post_init__(self) -> None:
        if (self.scores is None) == (self.model_name_or_path is None):
            raise ConfigError("What is evaluated? Give model_name_or_path, or recorded scores, and not both.")


def hold_out(rows: "Dataset", share: float, seed: int) -> tuple["Dataset", "Dataset | None"]:
    """Splits off a share of the prompts: solutions of one problem on both sides would make the figures too good."""
    keys = [json.dumps(prompt, sort_keys=True, default=str) for prompt in rows["prompt"]]
    prompts = sorted(set(keys))
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1)
    if not share or count < 1:
        return rows, None
    held = set(random.Random(seed).sample(prompts, count))
    train = [number for number, key in enumerate(keys) if key not in held]
    test = [number for number, key in enumerate(keys) if key in held]
    return rows.select(train), rows.select(test)


def describe_labels(rows: "Dataset") -> str:
    """How many steps have a label, and how many of them are right: what always saying "right" would get."""
    labels = _labels(rows)
    return f"{len(labels):,} labelled steps, {sum(label >= 0.5 for label in labels) / len(labels):.1%} right"


def one_sided(rows: "Dataset") -> str | None:
    """Why a reward model cannot learn from these labels, with the fix: all are wrong, or all are right. `None` for others."""
    labels = _labels(rows)
    if all(label < 0.5 for label in labels):
        fix = "easier problems, more rollouts (num_rollouts), a better model, or answer_filter flexible where it writes no box"
        return f"No step is right, so a reward model learns to say so: annotate again with {fix}."
    if all(label >= 0.5 for label in labels):
        return "Every step is right, so a reward model learns to say so: annotate harder problems."
    return None


def _labels(rows: "Dataset") -> list[float]:
    return [label for row in rows["labels"] for label in row if label is not None]
