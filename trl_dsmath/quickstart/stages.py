"""The three training stages, each through the trainer that a user would take for it.

What makes them work on a model this small: many small updates at a high learning rate with a short warm-up, and in
pretraining one document a row, not rows that documents are packed into (measured: docs/quickstart.md).
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from ..grpo import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer
from ..rewards import boxed_accuracy_reward
from ..sft import MathSFTConfig, MathSFTTrainer
from . import measure
from .progress import Progress
from .settings import Settings
from .task import Problem, SloppyAuthor, make_problems

PRETRAIN_ROWS = 24
SFT_ROWS = 16
GRPO_PROMPTS = 8
GRPO_GROUP = 8
MEASURE_EVERY = 10  # GRPO steps


def _shared_arguments(settings: Settings, folder: Path, save_steps: int) -> dict[str, Any]:
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


def make_pretrain(
    settings: Settings, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> tuple[Any, str]:
    """Pretraining: TRL's SFTTrainer on plain text, the sloppy author's solutions without their questions."""
    author = SloppyAuthor(settings.seed, "pretrain")
    problems = make_problems(settings.pretrain_steps * PRETRAIN_ROWS, settings.seed, "pretrain")
    args = SFTConfig(
        **_shared_arguments(settings, folder, save_steps=100),
        max_steps=settings.pretrain_steps,
        per_device_train_batch_size=PRETRAIN_ROWS,
        max_length=None,
        packing=False,
        learning_rate=4e-3,
        lr_scheduler_type="linear",
        warmup_steps=20,
        adam_beta2=0.98,
        logging_steps=10,
    )
    rows = Dataset.from_list([{"text": author.solve(problem)} for problem in problems])
    trainer = SFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
    return trainer, f"{len(rows):,} solutions by the sloppy author, as plain text"


def make_sft(
    settings: Settings, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> tuple[Any, str]:
    """SFT: questions with the paper's instruction, answered by the sloppy author; loss on the solution only."""
    author = SloppyAuthor(settings.seed, "sft")
    problems = make_problems(settings.sft_steps * SFT_ROWS, settings.seed, "sft")
    args = MathSFTConfig(
        **_shared_arguments(settings, folder, save_steps=50),
        max_steps=settings.sft_steps,
        per_device_train_batch_size=SFT_ROWS,
        global_batch_size=SFT_ROWS,
        max_length=None,
        packing=False,
        learning_rate=4e-3,
        lr_scheduler_type="linear",
        warmup_steps=20,
        adam_beta2=0.98,
        logging_steps=10,
    )
    rows = Dataset.from_list([{"prompt": problem.prompt, "completion": author.solve(problem)} for problem in problems])
    trainer = MathSFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
    return trainer, f"{len(rows):,} questions, solved by the sloppy author"


def make_grpo(
    settings: Settings, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> tuple[Any, str]:
    """GRPO: questions without solutions; whether the final answer is right is all that the model is told."""
    problems = make_problems(settings.grpo_steps * GRPO_PROMPTS, settings.seed, "grpo")
    args = DeepSeekMathGRPOConfig(
        **_shared_arguments(settings, folder, save_steps=10),
        max_steps=settings.grpo_steps,
        per_device_train_batch_size=GRPO_PROMPTS * GRPO_GROUP,
        global_batch_size=GRPO_PROMPTS * GRPO_GROUP,
        num_generations=GRPO_GROUP,
        max_completion_length=measure.MAX_NEW_TOKENS,
        learning_rate=5e-4,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=5,  # without it greedy accuracy dips before it rises
        adam_beta2=0.99,
        logging_steps=1,
    )
    rows = Dataset.from_list([{"prompt": problem.prompt, "solution": problem.answer} for problem in problems])
    trainer = DeepSeekMathGRPOTrainer(
        model=model,
        reward_funcs=boxed_accuracy_reward,
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    return trainer, f"{len(rows):,} questions x {GRPO_GROUP} samples, rewarded by the true answer"


MAKE = {"pretrain": make_pretrain, "sft": make_sft, "grpo": make_grpo}


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
        self._progress = progress
        self._tokenizer = tokenizer
        self._held_out = held_out
        self._started = 0.0
        self._figure = ""
        self._accuracy = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        spent = max((entry.get("seconds", 0.0) for entry in state.log_history), default=0.0)
        self._started = time.monotonic() - spent

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        if self._held_out and step % MEASURE_EVERY == 0 and step < state.max_steps:
            began = time.monotonic()
            completions = measure.complete(kwargs["model"], self._tokenizer, self._held_out)
            right = sum(measure.judge(self._held_out, completions))
            took = time.monotonic() - began
            state.log_history.append({"step": step, "greedy_right": right, "measure_seconds": took})
            self._accuracy = f", held-out {right / len(self._held_out):.1%}"
        self._progress.update(step / state.max_steps, self._figure + self._accuracy)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        entry = state.log_history[-1]
        entry["seconds"] = time.monotonic() - self._started
        if "reward" in entry:
            self._figure = f"reward {entry['reward']:.2f}"
        elif "loss" in entry:
            self._figure = f"loss {entry['loss']:.2f}"


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
    return trainer.state.log_history
