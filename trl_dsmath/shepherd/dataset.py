"""The dataset type `stepwise_supervision`, which TRL had until 1.14: counting, loading, and publishing it with a card."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.files import read_jsonl
from ..data.journal import read_settings, settings_path
from ..errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

_CARD = """\
---
tags:
- trl-dsmath
- stepwise_supervision
- process-reward-model
configs:
- config_name: default
  data_files:
  - split: train
    path: train.parquet
---

# Step labels of {solutions:,} solutions

Made with `dsmath annotate` of trl-dsmath {version}: {what}

| | |
| --- | --- |
{table}

Columns: `prompt`; `completions`, the steps (joined they are the solution); `labels`, one per step. A label says whether the
completer still reached the right answer from the end of the step; the last step's says whether the solution's own answer
is right, unless it was cut off (`finished` false). `right` and `drawn` are the rollouts behind each label, `spent` those drawn for this row.

```python
from datasets import load_dataset

dataset = load_dataset("{repo_id}", split="train")
```

Method: Math-Shepherd (arXiv 2312.08935), as DeepSeekMath (arXiv 2402.03300, section 4.1.3) uses it.
"""
_MODES = {
    "hard": "hard estimation, a step is good if any of {num_rollouts} rollouts is right.",
    "soft": "soft estimation, the fraction of {num_rollouts} rollouts that are right.",
    "first_error": "the first bad step of a wrong solution, found by bisection with {num_rollouts} rollouts per prefix.",
}


def to_dataset(path: str | Path) -> "Dataset":
    """
    Loads a file of step labels.

    Args:
        path (`str` or `Path`):
            File of JSON lines with `prompt`, `completions` and `labels`; written by [`annotate`] or by hand.

    Returns:
        [`~datasets.Dataset`]: the `stepwise_supervision` type and all other columns. Labels are `bool`, or `float` when
        any of them is a number.

    Raises:
        DataError: a line or a column is missing or broken; labels and steps do not match.
    """
    from datasets import Dataset

    rows, broken = read_jsonl(Path(path))
    if broken:
        raise DataError(
            f"{path}, line {broken[0]}, is not a JSON object. Call annotate again: it removes a last line that was cut off."
        )
    for number, row in enumerate(rows, start=1):
        missing = [name for name in ("prompt", "completions", "labels") if not row.get(name)]
        if missing:
            raise DataError(f"{path}, row {number}: {' and '.join(missing)} missing or empty.")
        if len(row["completions"]) != len(row["labels"]):
            raise DataError(
                f"{path}, row {number}: {len(row['completions'])} steps and {len(row['labels'])} labels; give one per step."
            )
    if not all(isinstance(label, bool) for row in rows for label in row["labels"]):
        for row in rows:
            row["labels"] = [float(label) for label in row["labels"]]
    return Dataset.from_list(rows)


def dataset_card(path: str | Path, repo_id: str) -> str:
    """The card of a file of labels: how they were made, what they cost, how to load them."""
    from .. import __version__

    summary, settings = summarize(path), read_settings(settings_path(Path(path)))
    what = _MODES[settings["mode"]].format(**settings) if settings else "settings unknown."
    facts: dict[str, Any] = {
        **settings,
        "steps": f"{summary.steps:,}",
        "good labels": f"{summary.good / summary.steps:.1%}",
        "solutions with the right answer": f"{summary.right / summary.solutions:.1%}",
        "rollouts drawn": f"{summary.spent:,} (plain annotation: {summary.plain:,})",
    }
    table = "\n".join(
        f"| {key} | {value if isinstance(value, str) else json.dumps(value)} |" for key, value in facts.items()
    )
    return _CARD.format(solutions=summary.solutions, version=__version__, what=what, table=table, repo_id=repo_id)


def push_to_hub(path: str | Path, repo_id: str, private: bool = False, token: str | None = None) -> str:
    """
    Publishes a file of labels as a data set on the Hugging Face hub, with its card.

    Args:
        path (`str` or `Path`):
            File that [`annotate`] wrote.
        repo_id (`str`):
            `user/name` on the hub; made if it is not there.
        private (`bool`, *optional*, defaults to `False`):
            Whether a new repository is private.
        token (`str`, *optional*):
            Access token. If `None`, the one that `hf auth login` stored.

    Returns:
        `str`: address of the commit.

    Raises:
        DataError: the file is broken.
    """
    from huggingface_hub import HfApi

    dataset = to_dataset(path)
    with tempfile.TemporaryDirectory() as folder:
        dataset.to_parquet(f"{folder}/train.parquet")
        Path(folder, "README.md").write_text(dataset_card(path, repo_id), encoding="utf-8")
        api = HfApi(token=token)
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, repo_type="dataset", folder_path=folder, commit_message="Step labels by dsmath annotate"
        )
    return str(commit)


@dataclass
class Summary:
    """Counts over a whole file, earlier runs included.

    Attributes:
        solutions (`int`):
            Rows.
        finished (`int`):
            Solutions that were not cut off before their answer.
        right (`int`):
            Solutions whose own answer is right.
        steps (`int`):
            Labels.
        good (`float`):
            Sum of the labels.
        spent (`int`):
            Rollouts that were drawn.
        plain (`int`):
            Rollouts of plain annotation: N from each prefix of each solution.
        cut_off (`int`):
            Rollouts that ran into `max_new_tokens`.
        skipped (`str`):
            What was left out of the input, in words.
    """

    solutions: int = 0
    finished: int = 0
    right: int = 0
    steps: int = 0
    good: float = 0.0
    spent: int = 0
    plain: int = 0
    cut_off: int = 0
    skipped: str = ""

    def report(self) -> str:
        """A few lines for a person."""
        if not self.solutions:
            return "no solution is labelled"
        inner = self.steps - self.finished
        lines = [
            f"labels      {self.steps:,} steps of {self.solutions:,} solutions: {self.good / self.steps:.1%} good; "
            f"before the last step {_share(self.good - self.right, inner)}; solutions right {_share(self.right, self.solutions)}",
            f"rollouts    {self.spent:,} drawn; N from each prefix would be {self.plain:,} ({_share(self.spent, self.plain)})",
        ]
        if self.finished < self.solutions:
            lines.append(
                f"cut off     {self.solutions - self.finished:,} solutions had no answer within max_new_tokens: their last "
                "fragment has no label"
            )
        if self.spent and self.cut_off > 0.1 * self.spent:
            lines.append(
                f"warning     {_share(self.cut_off, self.spent)} of the rollouts were cut off and count as wrong unless "
                "they hold a complete box: raise max_new_tokens, or give the stop string that ends a solution"
            )
        if self.good in (0, self.steps):
            lines.append("warning     all labels are the same: no reward model can learn from them")
        return "\n".join(lines)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def summarize(path: str | Path) -> Summary:
    """Counts what a file of labels holds.

    Raises:
        DataError: the file cannot be read.
    """
    summary = Summary()
    for row in read_jsonl(Path(path))[0]:
        labels = row["labels"]
        summary.solutions += 1
        finished = row.get("finished", True)
        summary.finished += finished
        summary.right += bool(finished and labels[-1])
        summary.steps += len(labels)
        summary.good += sum(labels)
        summary.spent += row["spent"]
        summary.plain += (len(labels) - finished) * row["num_rollouts"]
        summary.cut_off += row["cut_off"]
    return summary
