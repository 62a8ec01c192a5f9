"""What the training stages share: settings for a model this small, progress, checkpoints, the exam at the end.

What makes them work on a model this small: many small updates at a high learning rate with a short warm-up, and in
pretraining one document a row, not rows that documents are packed into (measured: docs/quickstart.md).
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from ..grading.metrics import wilson
from . import measure
from .context import Context, Done
from .progress import Progress
from .settings import Settings, write_rows
from .task import Problem

GRPO_PROMPTS = 8
GRPO_GROUP = 8
MEASURE_EVERY = 10  # GRPO steps

Make = Callable[[Context, Any, PreTrainedTokenizerFast, Path], tuple[Any, str]]  # a trainer, and what it trains on


def shared_arguments(settings: Settings, folder: Path, save_steps: int) -> dict[str, Any]:
    """Arguments of every trainer here."""
    return {
        "output_dir": str(folder),
        "seed": settings.seed,
        "use_cpu": True,  # also where there is a GPU: at this size it would be no faster, and figures would differ
        "bf16": False,
        "gradient_checkpointing": False,  # would save memory that this model does not need, and cost time
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "report_to": "none",
        "disable_tqdm": True,
        "save_steps": save_steps,
        "save_total_limit": 1,
    }


def cpu_seconds() -> float:
    """Processor time of this process, its threads, and the children that have ended."""
    return sum(os.times()[:4])


class StageCallback(TrainerCallback):
    """
    Shows progress, and keeps seconds and held-out accuracy in the trainer's log, which a checkpoint carries along.

    Args:
        progress (`Progress`):
            What the terminal shows.
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]):
            Tokenizer of the model.
        held_out (`list[Problem]`):
            Problems to measure on every ten steps; none, if empty.
    """

    def __init__(self, progress: Progress, tokenizer: PreTrainedTokenizerFast, held_out: list[Problem]) -> None:
        self.carried = {"wall": 0.0, "cpu": 0.0}
        self._progress = progress
        self._tokenizer = tokenizer
        self._held_out = held_out
        self._started = {"wall": 0.0, "cpu": 0.0}
        self._figure = ""
        self._accuracy = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        spent = [entry["spent"] for entry in state.log_history if "spent" in entry]
        self.carried = spent[-1] if spent else self.carried
        self._started = self._clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        if self._held_out and step % MEASURE_EVERY == 0 and step < state.max_steps:
            completions = measure.complete(kwargs["model"], self._tokenizer, self._held_out)
            right = sum(measure.judge(self._held_out, completions))
            state.log_history.append({"step": step, "greedy_right": right})
            self._accuracy = f", held-out {right / len(self._held_out):.1%}"
        self._progress.update(step / state.max_steps, self._figure + self._accuracy)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        entry, now = state.log_history[-1], self._clock()
        entry["spent"] = {name: self.carried[name] + now[name] - self._started[name] for name in now}
        if "reward" in entry:
            self._figure = f"reward {entry['reward']:.2f}"
        elif "loss" in entry:
            self._figure = f"loss {entry['loss']:.2f}"

    @staticmethod
    def _clock() -> dict[str, float]:
        return {"wall": time.monotonic(), "cpu": cpu_seconds()}


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; others, left by a kill in mid-write, are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for checkpoint in found:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text())  # written last
        except (FileNotFoundError, json.JSONDecodeError):
            shutil.rmtree(checkpoint)
        else:
            return checkpoint
    return None


def train(trainer: Any, folder: Path, callback: StageCallback) -> list[dict[str, Any]]:
    """
    Trains, from the last checkpoint in `folder` if there is one.

    Args:
        trainer ([`~transformers.Trainer`]):
            The trainer of the stage.
        folder (`Path`):
            Its output folder.
        callback (`StageCallback`):
            Progress and measurements.

    Returns:
        `list[dict]`: the trainer's log.
    """
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(callback)
    checkpoint = last_whole_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.save_model(str(folder / "model"))
    return trainer.state.log_history


def train_policy(context: Context, stage: str, start: tuple[Any, Any], make: Make, watch: bool) -> Done:
    """
    Trains a policy and lets it answer the held-out problems.

    Args:
        context ([`Context`]):
            The run.
        stage (`str`):
            Name of the stage.
        start (`tuple`):
            Model and tokenizer to start from.
        make (`Callable`):
            Makes the trainer.
        watch (`bool`):
            Whether to measure during training.

    Returns:
        [`Done`]
    """
    model, tokenizer = start
    here, held_out = context.here(stage), context.held_out
    trainer, data = make(context, model, tokenizer, here)
    callback = StageCallback(context.progress, tokenizer, held_out if watch else [])
    log = train(trainer, here, callback)
    model = LlamaForCausalLM.from_pretrained(str(here / "model"))  # what is measured is what was saved
    answers = {
        "greedy": measure.complete(model, tokenizer, held_out),
        "sampled": measure.complete(model, tokenizer, held_out, sample_seed=context.settings.seed),
    }
    right = {way: measure.judge(held_out, texts) for way, texts in answers.items()}
    rows = [
        {"question": problem.question, "answer": problem.answer}
        | {way: answers[way][i] for way in answers}
        | {f"{way}_right": right[way][i] for way in answers}
        for i, problem in enumerate(held_out)
    ]
    write_rows(here / "held_out.jsonl", rows)
    figures = {
        "steps": trainer.state.max_steps,
        "parameters": model.num_parameters(),
        "problems": len(held_out),
        "right": {way: sum(right[way]) for way in right},
        "log": log,
    }
    return Done(data, accuracy_line(figures), figures, callback.carried)


def accuracy_line(figures: dict[str, Any]) -> str:
    """Greedy and sampled accuracy, for the terminal."""
    total = figures["problems"]
    low, high = wilson(figures["right"]["greedy"], total)
    return (
        f"greedy {figures['right']['greedy'] / total:6.1%} [{low:.1%}, {high:.1%}]  "
        f"sampled {figures['right']['sampled'] / total:6.1%}"
    )
