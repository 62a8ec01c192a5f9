"""The card of a data set of rejection sampling: where its solutions are from, which were kept, how many."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .rejection import Draw, RFTConfig, problem_key

_CARD = """\
---
tags:
- trl-dsmath
- rejection-sampling
task_categories:
- text-generation
configs:
- config_name: default
  data_files:
  - split: train
    path: train.jsonl
{pairs_config}---

# {kept:,} solutions by rejection sampling

Drawn from `{model}` for {problems:,} problems of `{source}` and judged by rule with `dsmath rft` of trl-dsmath {version}.
Kept are solutions with the right boxed answer, each way of solving a problem once{most}{best}.

| | |
| --- | --- |
{table}

Columns: `prompt` and `completion`, as TRL's `SFTTrainer` takes them; `question`, `gold`; `problem`, the row of the source;
`sample`, the number of the draw; `pass_rate`, the share of the problem's samples that are right; `model`{score}.

```python
from datasets import load_dataset

dataset = load_dataset("{repo_id}", split="train"){pairs_code}
```

The terms of `{source}` and of the model apply to the questions and the solutions.

Method: rejection sampling fine-tuning (arXiv 2308.01825), which DeepSeekMath (arXiv 2402.03300, section 5.2.1) compares
with GRPO.
"""
_PAIRS = "- config_name: pairs\n  data_files:\n  - split: train\n    path: pairs/train.jsonl\n"


def dataset_card(
    draws: Sequence[Draw],
    rows: Sequence[Mapping[str, Any]],
    pairs: int,
    config: RFTConfig,
    source: str,
    repo_id: str | None = None,
    recipe: str | None = None,
    step_scorer: str | None = None,
) -> str:
    """
    The card in Markdown, with what `datasets` needs to load the folder.

    `draws` and `rows` are what [`~trl_dsmath.inference.rejection.read_draws`] found and
    [`~trl_dsmath.inference.rejection.solution_rows`] kept of it, `pairs` those for DPO beside them, `source` names the
    problems' data set, and `step_scorer` the process reward model that chose among the right ones.
    """
    from .. import __version__

    repo_id = repo_id or "USER/NAME"
    asked = len({problem_key(one.task) for one in draws})
    right = sum(one.right for one in draws)
    facts: dict[str, Any] = {
        **({"recipe": recipe} if recipe else {}),
        "samples drawn": f"{len(draws):,}",
        "right": f"{right:,} ({right / len(draws):.1%})",
        "kept": f"{len(rows):,}, of {len({row['problem'] for row in rows}):,} problems",
        "pairs for DPO": f"{pairs:,}",
        **({"step scorer": step_scorer} if step_scorer else {}),
        **asdict(config),
    }
    cells = {
        key: value if isinstance(value, str) and "\n" not in value else json.dumps(value)
        for key, value in facts.items()
    }
    most = config.max_per_problem
    return _CARD.format(
        kept=len(rows),
        problems=asked,
        model=rows[0]["model"],
        source=source,
        version=__version__,
        most=f", at most {most} of a problem" if most else "",
        best=", the best by a process reward model first" if step_scorer else "",
        table="\n".join(f"| {key} | {value} |" for key, value in cells.items()),
        score="; `score`, the lowest step score" if step_scorer else "",
        repo_id=repo_id,
        pairs_config=_PAIRS if pairs else "",
        pairs_code=f'\npairs = load_dataset("{repo_id}", "pairs", split="train")  # for DPO' if pairs else "",
    )
