"""The table of benchmarks/process_supervision.py, made of the parts that are finished."""

import json
import statistics
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

# Part and key of a figure, decimals, and what it is called in the report.
ROWS = """\
labels.rollouts 0 rollouts for the labels of 600 solutions
labels.labels_right 3 labels that are true, share
prm_likelihood.auroc 3 likelihood PRM: held-out step AUROC
prm_likelihood.auroc_first 3 likelihood PRM: first-error steps only
prm_token_classification.auroc 3 token classification: held-out step AUROC
prm_token_classification.auroc_first 3 token classification: first-error steps only
prm_likelihood.mean 1 K = 16, SFT policy: mean, %
prm_likelihood.majority 1 K = 16: majority, %
prm_likelihood.weighted 1 K = 16: weighted by the likelihood PRM, %
prm_token_classification.weighted 1 K = 16: weighted by token classification, %
prm_likelihood.pass 1 K = 16: pass, %
both.start.greedy 1 SFT policy: greedy, %
both.start.sampled 1 SFT policy: sampled, %
outcome.greedy 1 outcome: greedy, %
both.greedy 1 process + outcome: greedy, %
both.greedy-outcome.greedy 2 difference, points
outcome.sampled 1 outcome: sampled, %
both.sampled 1 process + outcome: sampled, %
both.sampled-outcome.sampled 2 difference, points
half.greedy 1 process at weight 0.5 + outcome: greedy, %
half.greedy-outcome.greedy 2 difference, points
half.sampled 1 process at weight 0.5 + outcome: sampled, %
half.sampled-outcome.sampled 2 difference, points
both.auroc 3 likelihood PRM on the samples of process + outcome
control.auroc 3 the same, PRM after as many updates on the old labels
refresh.with.auroc 3 the same, PRM refreshed on new labels
both.auroc_first 3 likelihood PRM on them, first-error steps only
control.auroc_first 3 the same, PRM after as many updates on the old labels
refresh.with.auroc_first 3 the same, PRM refreshed on new labels
drift_token_classification.sampled 1 token classification as only reward, 40 steps: sampled, %
drift_token_classification.without.steps_right 3 its steps that are right, share
drift_token_classification.without.auroc 3 AUROC of the old PRM on them
drift_token_classification.with.auroc 3 AUROC of the refreshed PRM on them
next_token_classification.without.sampled 1 40 steps more with the old PRM: sampled, %
next_token_classification.without.auroc 3 its AUROC on the policy's own samples
next_token_classification.with.sampled 1 40 steps more with the refreshed PRM: sampled, %
next_token_classification.with.auroc 3 its AUROC on the policy's own samples
"""


def figure(folder: Path, path: str) -> float | None:
    """The figure of a seed at `part.key`, or the difference of two."""
    values: list[Any] = []
    for name in path.split("-"):
        part, *keys = name.split(".")
        file = folder / f"{part}.json"
        values.append(json.loads(file.read_text()) if file.exists() else None)
        for key in keys:
            values[-1] = values[-1] and values[-1].get(key)
    return None if None in values else values[0] - sum(values[1:])


def report(output: Path, seeds: list[int]) -> str:
    """The table of all seeds, with how it was made."""
    packages = ("trl-dsmath", "trl", "transformers", "torch", "datasets")
    lines = [
        "# Process supervision on the dial task\n",
        f"    python benchmarks/process_supervision.py --seeds {' '.join(map(str, seeds))} --output_dir DIR\n",
        f"Python {python_version()}, {', '.join(f'{name} {version(name)}' for name in packages)}; one thread on two "
        "shared CPU cores. What the figures are: docs/results/process-supervision.md. A dash: not run, or not defined because all "
        "steps are wrong.\n",
        f"| | {' | '.join(f'seed {seed}' for seed in seeds)} | mean (lowest to highest) |",
        "| --- |" + " --- |" * (len(seeds) + 1),
    ]
    for path, decimals, name in (line.split(" ", 2) for line in ROWS.splitlines()):
        found = [figure(output / f"seed-{seed}", path) for seed in seeds]
        shown = ["-" if value is None else f"{value:.{decimals}f}" for value in found]
        known = [value for value in found if value is not None]
        if known:
            low, mean, high = (f"{of(known):.{decimals}f}" for of in (min, statistics.mean, max))
            lines.append(f"| {name} | {' | '.join(shown)} | {mean} ({low} to {high}) |")
    return "\n".join(lines) + "\n"
