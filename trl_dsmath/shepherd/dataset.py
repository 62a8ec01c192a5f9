"""The dataset type `stepwise_supervision`, which TRL had until 1.14: loading it, and publishing it with a card."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.files import read_jsonl
from ..data.journal import read_settings, settings_path
from ..errors import DataError
from .summary import summarize

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

Columns: `prompt`; `completions`, the steps (joined they are the solution); `labels`, one a step. A label says whether the
completer still reached the right answer from the end of the step; the last step's says whether the solution's own answer
is right. `right` and `drawn` are the roll-outs behind each label, `spent` those drawn for this row.

```python
from datasets import load_dataset

dataset = load_dataset("{repo_id}", split="train")
```

Method: Math-Shepherd (arXiv 2312.08935), as DeepSeekMath (arXiv 2402.03300, section 4.1.3) uses it.
"""
_MODES = {
    "hard": "hard estimation, a step is good if any of {num_rollouts} roll-outs is right.",
    "soft": "soft estimation, the fraction of {num_rollouts} roll-outs that are right.",
    "first_error": "the first bad step of a wrong solution, found by bisection with {num_rollouts} roll-outs a prefix.",
}


def to_dataset(path: str | Path) -> "Dataset":
    """
    Loads a file of step labels.

    Args:
        path (`str` or `Path`):
            File of JSON lines with `prompt`, `completions` and `labels`; written by [`annotate`] or by hand.

    Returns:
        [`~datasets.Dataset`]: the `stepwise_supervision` type and all other columns. Labels are `bool`, or `float` when
        any of them is no truth value.

    Raises:
        DataError: a line or a column is missing or broken; labels and steps do not match.
    """
    from datasets import Dataset

    rows, broken = read_jsonl(Path(path))
    if broken:
        raise DataError(f"{path}, line {broken[0]}, is no JSON object. Call annotate again: it mends the last line.")
    for number, row in enumerate(rows, start=1):
        missing = [name for name in ("prompt", "completions", "labels") if not row.get(name)]
        if missing:
            raise DataError(f"{path}, row {number}: {' and '.join(missing)} missing or empty.")
        if len(row["completions"]) != len(row["labels"]):
            raise DataError(
                f"{path}, row {number}: {len(row['completions'])} steps and {len(row['labels'])} labels; give one a step."
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
        "roll-outs drawn": f"{summary.spent:,} (plain annotation: {summary.plain:,})",
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
