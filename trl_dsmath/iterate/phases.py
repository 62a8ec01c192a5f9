"""The phases of an iteration. Each is run again after a kill and then ends as it would have ended.

A stage is a process of its own. That gives back the memory of the GPU, lets the stage start under `accelerate launch`, and
leaves nothing in this process, such as random streams, that a resumed run would lack.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..data.journal import write_rows, write_whole
from ..errors import DsMathError
from ..scripts.adapters import merge_adapter
from ..scripts.recipes import recipe_script
from ..scripts.run import PROGRAM


class PhaseError(DsMathError, RuntimeError):
    """A stage ended with an error, which it has printed itself."""


def run_stage(stage: str, settings: dict[str, Any], folder: Path, lock: int) -> None:
    """Runs `dsmath STAGE` with these settings in a process of its own, which holds the lock as long as it lives.

    Raises:
        PhaseError: it failed.
    """
    recipe = folder.with_name(f"{folder.name}.settings.yaml")  # kept, to show what the phase was run with
    write_whole(recipe, yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
    command = [sys.executable, str(recipe_script(stage)), "--config", str(recipe)]
    code = subprocess.call(command, pass_fds=[lock], env={**os.environ, PROGRAM: f"dsmath {stage}"})
    if code:
        raise PhaseError(
            f"`dsmath {stage} --config {recipe}` ended with exit code {code}; mend it and run this again."
        )


def train_stage(stage: str, settings: dict[str, Any], folder: Path, lock: int) -> None:
    """Runs a stage that trains; it goes on from its own checkpoints."""
    run_stage(stage, settings, folder, lock)
    if not (folder / "trainer_state.json").exists():
        # Killed after the last checkpoint, while the model was being saved: the stage takes itself for finished. One
        # checkpoint less, and it comes to its end, and to the same weights, again.
        checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
        if not checkpoints:
            raise PhaseError(
                f"{folder} holds neither a model nor a checkpoint, though {stage} ended without an error: was it deleted, or "
                f"does {stage} save elsewhere? Run this again."
            )
        shutil.rmtree(checkpoints[-1])
        run_stage(stage, settings, folder, lock)


def grpo_phase(section: dict[str, Any], folder: Path, seed: int, policy: str, prm: str, lock: int) -> str:
    """M steps from the last policy, which TRL loads as the reference too. Returns the path of the new policy."""
    own = {"model_name_or_path": policy, "step_scorer": [prm], "output_dir": str(folder), "seed": seed}
    train_stage("grpo", {**section, **own}, folder, lock)
    return str(merge_adapter(folder, policy))


def annotate_phase(section: dict[str, Any], folder: Path, seed: int, policy: str, lock: int) -> None:
    """Labels of the new policy's own solutions, in `train.jsonl` of the folder."""
    own = {"model_name_or_path": policy, "output_dir": str(folder), "seed": seed}
    run_stage("annotate", {**section, **own}, folder, lock)


def replay_phase(new: Path, earlier: Sequence[Path], share: float, seed: int, output: Path) -> None:
    """Writes the new labels and so many earlier ones that these are `share` of the whole, or all there are.

    Earlier ones are drawn without replacement, all rows alike. Source: §4.1.4, "10% of historical data".
    """
    rows = _read_labels(new, "new")
    history = [row for path in earlier for row in _read_labels(path, str(path.parent.parent.name))]
    count = min(round(len(rows) * share / (1 - share)), len(history))
    stream = random.Random(seed)
    rows += stream.sample(history, count)
    if not all(isinstance(label, bool) for row in rows for label in row["labels"]):  # a column has one type
        rows = [{**row, "labels": [float(label) for label in row["labels"]]} for row in rows]
    stream.shuffle(rows)
    write_rows(output, rows)
    print(f"labels      {len(rows) - count:,} new, {count:,} replayed ({count / len(rows):.1%}): {output}", flush=True)


def _read_labels(path: Path, source: str) -> list[dict[str, Any]]:
    from ..shepherd import to_dataset

    rows = to_dataset(path).to_list()
    # Solutions are written as they are finished; a run that was resumed finishes them in another order.
    rows.sort(key=lambda row: (str(row.get("problem_id")), row.get("index") or 0))
    return [{**{key: row[key] for key in ("prompt", "completions", "labels")}, "source": source} for row in rows]


def prm_phase(section: dict[str, Any], folder: Path, seed: int, labels: Path, prm: str, lock: int) -> str:
    """Continues the reward model on the mixed labels. Returns its path."""
    own = {"model_name_or_path": prm, "dataset_name": str(labels), "output_dir": str(folder), "seed": seed}
    train_stage("prm", {**section, **own}, folder, lock)
    return str(folder)
