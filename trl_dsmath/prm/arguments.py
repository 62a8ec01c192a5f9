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
    """

    holdout: float = field(
        default=0.05, metadata={"help": "Share of the prompts kept for evaluation where there is no test split."}
    )

    def __post_init__(self) -> None:
        if not 0.0 <= self.holdout < 1.0:
            raise ConfigError(f"holdout is a share of the prompts, from 0 to below 1, not {self.holdout}.")


def hold_out(rows: "Dataset", share: float, seed: int) -> tuple["Dataset", "Dataset | None"]:
    """Splits off a share of the prompts: solutions of one problem on both sides would make the figures too good."""
    keys = [json.dumps(prompt, sort_keys=True, default=str) for prompt in rows["prompt"]]
    prompts = sorted(set(keys))
    count = round(share * len(prompts))
    if share and len(prompts) > 1:
        count = max(1, count)
    if not count:
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
