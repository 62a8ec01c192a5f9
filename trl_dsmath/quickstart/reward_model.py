"""Stages `annotate` and `prm`: step labels by roll-outs, and a process reward model trained on them.

Neither sees which step is right: labels come from final answers alone. The exact steps of the task are used once, to say
how well the reward model tells right steps from wrong ones.
"""

from typing import Any

import numpy as np

from ..generation import Decoding, TransformersSampler
from ..paper import EVALUATION
from ..prm import PRMConfig, PRMTrainer, load_step_scorer
from ..prm.metrics import auroc
from ..shepherd import annotate, to_dataset
from ..text.steps import split_steps
from .context import Context, Done
from .measure import MAX_NEW_TOKENS
from .settings import read_rows
from .stages import StageCallback, shared_arguments, train
from .task import Problem, make_problems, steps_right

SOLUTIONS = 4  # a problem
ROLLOUTS = 4  # a prefix
_AT_A_TIME = 30  # problems between two lines of progress
ROWS_AT_ONCE = 256
_TEST_PROBLEMS, _TEST_SAMPLES = 100, 8
_CURVE_POINTS = 100


def run_annotate(context: Context) -> Done:
    """Labels the SFT model's own solutions to training problems."""
    settings, output = context.settings, context.here("annotate") / "labels.jsonl"
    model, tokenizer = context.load("sft")
    sampler = TransformersSampler(model, tokenizer, batch_size=ROWS_AT_ONCE)
    problems = make_problems(settings.annotate_problems, settings.seed, "annotate")
    rows = [{"prompt": problem.prompt, "gold": problem.answer} for problem in problems]
    for end in [*range(_AT_A_TIME, len(rows), _AT_A_TIME), len(rows)]:  # the next call goes on with the same file
        summary = annotate(
            rows[:end],
            sampler,
            output,
            num_rollouts=ROLLOUTS,
            num_solutions=SOLUTIONS,
            decoding=Decoding(max_new_tokens=MAX_NEW_TOKENS, seed=settings.seed),
            problems_at_once=64,
            progress=False,
        )
        good = summary.good / max(1, summary.steps)
        context.progress.update(end / len(rows), f"{summary.spent:,} roll-outs, {good:.0%} of steps good")
    of_prompt = {problem.prompt: problem for problem in problems}
    agreed = [
        (label >= 0.5) == right
        for row in read_rows(output)
        for label, right in zip(row["labels"], steps_right(of_prompt[row["prompt"]], row["completions"]), strict=True)
    ]
    figures = {
        "solutions": summary.solutions,
        "steps": summary.steps,
        "good": summary.good,
        "rollouts": summary.spent,
        "labels_true": sum(agreed) / len(agreed),
    }
    line = (
        f"{summary.solutions} solutions, {summary.spent:,} roll-outs, {good:.0%} of steps good, "
        f"{figures['labels_true']:.1%} of labels true"
    )
    return Done(f"{SOLUTIONS} SFT samples of each of {len(rows)} problems, {ROLLOUTS} roll-outs a step", line, figures)


def run_prm(context: Context) -> Done:
    """Trains the reward model from the SFT model, and tests it on samples for held-out problems."""
    settings, here = context.settings, context.here("prm")
    model, tokenizer = context.load("sft")
    args = PRMConfig(
        **shared_arguments(settings, here, save_steps=50),
        max_steps=settings.prm_steps,
        prm_type="likelihood",  # the form that a model this small can learn; docs/prm.md says why it is rarely sensible
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        lr_scheduler_type="linear",
        warmup_steps=20,
        adam_beta2=0.98,
        logging_steps=5,
    )
    rows = to_dataset(context.folder.stage("annotate") / "labels.jsonl")
    trainer = PRMTrainer(context.folder.model("sft"), args=args, train_dataset=rows, processing_class=tokenizer)
    callback = StageCallback(context.progress, tokenizer, [])
    log = train(trainer, here, callback)
    sampler = TransformersSampler(model, tokenizer, batch_size=ROWS_AT_ONCE)
    figures = _examine(context, sampler) | {"steps": settings.prm_steps, "log": log}
    area, first = figures["auroc"], figures["auroc_first"]
    line = f"step AUROC {_number(area)} on {figures['tested']:,} steps of held-out problems; first errors {_number(first)}"
    data = f"{len(rows):,} solutions with the labels of `annotate`"
    return Done(data, line, figures, callback.carried)


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


def _examine(context: Context, sampler: Any) -> dict[str, Any]:
    """Scores of the SFT model's steps against the truth: all steps, and those before which nothing was wrong."""
    problems: list[Problem] = context.held_out[:_TEST_PROBLEMS]
    decoding = Decoding(MAX_NEW_TOKENS, EVALUATION.temperature, seed=context.settings.seed)
    drawn = sampler.sample([problem.prompt for problem in problems], decoding, n=_TEST_SAMPLES)
    solutions = [
        (problem, split_steps(sample.text))
        for problem, samples in zip(problems, drawn, strict=True)
        for sample in samples
    ]
    score = load_step_scorer(context.folder.model("prm"), device="cpu", batch_size=64)
    scores = score([problem.prompt for problem, _ in solutions], steps=[steps for _, steps in solutions])
    truths = [steps_right(problem, steps) for problem, steps in solutions]
    value = np.array([score for row in scores for score in row])
    right = np.array([truth for row in truths for truth in row], dtype=bool)
    first = np.array([i <= sum(row) for row in truths for i in range(len(row))], dtype=bool)
    return {
        "tested": len(value),
        "steps_right": float(right.mean()) if len(right) else 0.0,
        "auroc": auroc(value, right),
        "auroc_first": auroc(value[first], right[first]),
        "roc": _roc(value, right),
    }


def _roc(score: np.ndarray, right: np.ndarray) -> list[tuple[float, float]]:
    """Points of the ROC curve (share of wrong steps let through, share of right steps let through)."""
    if right.all() or not right.any():
        return []
    ends = np.unique(np.quantile(score, np.linspace(0, 1, _CURVE_POINTS)))[::-1]
    points = [(float((score[~right] >= end).mean()), float((score[right] >= end).mean())) for end in ends]
    return [(0.0, 0.0), *points, (1.0, 1.0)]
