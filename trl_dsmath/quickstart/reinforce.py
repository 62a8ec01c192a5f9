"""Stages `grpo` and `step_grpo`: the same problems and samples, rewarded by the outcome, and by outcome and steps."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from ..grpo import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer, StepGRPOConfig, StepGRPOTrainer
from ..prm import load_step_scorer
from ..rewards import boxed_accuracy_reward
from . import measure
from .context import Context, Done
from .stages import GRPO_GROUP, GRPO_PROMPTS, shared_arguments, train_policy
from .task import make_problems

# The first step's tokens collect the rewards of all four steps: a quarter brings that to the scale of the outcome. With 1,
# a run on seed 0 found a wrong digit that its PRM takes for right, and ended at 89.8 instead of 96.8 %: docs/quickstart.md.
PROCESS_WEIGHT = 0.25


def run_grpo(context: Context) -> Done:
    """GRPO with outcome supervision: whether the final answer is right is all that the model is told."""
    return train_policy(context, "grpo", context.load("sft"), _make_outcome, watch=True)


def run_step_grpo(context: Context) -> Done:
    """GRPO with the outcome and the reward model's step scores."""
    return train_policy(context, "step_grpo", context.load("sft"), _make_process, watch=True)


def _make_outcome(context: Context, model: Any, tokenizer: Any, folder: Path) -> tuple[Any, str]:
    rows, what = _questions(context)
    args = DeepSeekMathGRPOConfig(**_arguments(context, folder))
    trainer = DeepSeekMathGRPOTrainer(
        model=model, reward_funcs=boxed_accuracy_reward, args=args, train_dataset=rows, processing_class=tokenizer
    )
    return trainer, f"{what}, rewarded by the true answer"


def _make_process(context: Context, model: Any, tokenizer: Any, folder: Path) -> tuple[Any, str]:
    rows, what = _questions(context)
    args = StepGRPOConfig(**_arguments(context, folder), process_weight=PROCESS_WEIGHT, outcome_weight=1.0)
    trainer = StepGRPOTrainer(
        model=model,
        reward_funcs=boxed_accuracy_reward,
        step_reward_funcs=load_step_scorer(context.folder.model("prm"), device="cpu", batch_size=64),
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    return trainer, f"{what}, rewarded by the true answer and the PRM's step scores"


def _questions(context: Context) -> tuple[Dataset, str]:
    problems = make_problems(context.settings.grpo_steps * GRPO_PROMPTS, context.settings.seed, "grpo")
    rows = Dataset.from_list([{"prompt": problem.prompt, "solution": problem.answer} for problem in problems])
    return rows, f"{len(rows):,} questions x {GRPO_GROUP} samples"


def _arguments(context: Context, folder: Path) -> dict[str, Any]:
    return {
        **shared_arguments(context.settings, folder, save_steps=10),
        "max_steps": context.settings.grpo_steps,
        "per_device_train_batch_size": GRPO_PROMPTS * GRPO_GROUP,
        "global_batch_size": GRPO_PROMPTS * GRPO_GROUP,
        "num_generations": GRPO_GROUP,
        "max_completion_length": measure.MAX_NEW_TOKENS,
        "learning_rate": 5e-4,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 5,  # without it greedy accuracy dips before it rises
        "adam_beta2": 0.99,
        "logging_steps": 1,
    }
