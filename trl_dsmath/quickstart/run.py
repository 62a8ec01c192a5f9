"""The quickstart from the first stage to the report; goes on where it was stopped."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from platform import python_version
from typing import Any

from .. import __version__
from ..errors import ConfigError
from ..grading.metrics import wilson
from . import report
from .progress import Progress, in_words, quiet_libraries
from .settings import STAGES, RunFolder, Settings, write_whole

# Seconds on the machine where this was measured: a start, and a step. For the estimate of the time left.
COST = {"pretrain": (6.0, 0.040), "sft": (4.0, 0.050), "grpo": (3.0, 0.50)}
PACKAGES = ("trl", "transformers", "torch", "datasets", "tokenizers")


def plan(settings: Settings, stages: list[str]) -> dict[str, tuple[float, float]]:
    """Expected seconds of each stage: to start, to run."""
    return {stage: (COST[stage][0], COST[stage][1] * getattr(settings, f"{stage}_steps")) for stage in stages}


def run(settings: Settings, stages: list[str], folder: RunFolder) -> None:
    """
    Runs stages and writes the report.

    Args:
        settings ([`Settings`]):
            Settings of the run.
        stages (`list[str]`):
            Which stages, in order.
        folder ([`RunFolder`]):
            Where everything is kept.

    Raises:
        ConfigError: a stage is asked for whose predecessor has not run.
    """
    to_do = [stage for stage in stages if folder.result(stage) is None]
    for stage in to_do:
        before = STAGES[: STAGES.index(stage)]
        missing = [name for name in before if name not in to_do and folder.result(name) is None]
        if missing:
            raise ConfigError(
                f"{stage} starts from the model of {missing[-1]}: run --stages {','.join(before)},{stage}."
            )
    numbers = {stage: number for number, stage in enumerate(stages, start=1)}
    progress = Progress(plan(settings, to_do), numbers)
    print(f"DeepSeekMath's stages on a toy task, from random weights, seed {settings.seed}. Folder: {folder.path}")
    if to_do:
        print(
            f"About {in_words(sum(map(sum, plan(settings, to_do).values())) + 10)} on an idle core. Loading torch and TRL ..."
        )
    for stage in stages:
        kept = folder.result(stage)
        if kept is not None:
            progress.note(stage, f"{_figures(kept)}  (finished before)")
            continue
        with _calm():
            _run_stage(stage, settings, folder, progress)
    print()
    print(report.write(folder, settings))


@contextmanager
def _calm() -> Iterator[None]:
    """No noise on the terminal, and one thread: more gain nothing at this size, lose a lot on a busy machine, and change
    the figures."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with quiet_libraries():
            yield
    finally:
        torch.set_num_threads(threads)


def _run_stage(stage: str, settings: Settings, folder: RunFolder, progress: Progress) -> None:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from . import measure, stages
    from .model import make_model, make_tokenizer
    from .task import make_problems

    here = folder.stage(stage)
    here.mkdir(exist_ok=True)
    checkpoint = stages.last_whole_checkpoint(here)
    steps = getattr(settings, f"{stage}_steps")
    progress.start(stage, int(checkpoint.name.split("-")[1]) / steps if checkpoint else 0.0)
    began = time.monotonic()
    if stage == STAGES[0]:
        tokenizer = make_tokenizer()
        model = make_model(tokenizer, settings.seed)
    else:
        source = str(folder.stage(STAGES[STAGES.index(stage) - 1]) / "model")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
        model = LlamaForCausalLM.from_pretrained(source)
    held_out = make_problems(settings.problems, settings.seed, "held-out")
    trainer, data = stages.MAKE[stage](settings, model, tokenizer, here)
    prepared = time.monotonic()
    callback = stages.StageCallback(progress, tokenizer, held_out if stage == "grpo" else [])
    log = stages.train(trainer, here, callback)
    trained = time.monotonic()
    trainer.save_model(str(here / "model"))
    model = LlamaForCausalLM.from_pretrained(str(here / "model"))  # what is measured is what was saved
    answers = {
        "greedy": measure.complete(model, tokenizer, held_out),
        "sampled": measure.complete(model, tokenizer, held_out, sample_seed=settings.seed),
    }
    right = {way: measure.judge(held_out, texts) for way, texts in answers.items()}
    rows = [
        {"question": problem.question, "answer": problem.answer}
        | {way: answers[way][i] for way in answers}
        | {f"{way}_right": right[way][i] for way in answers}
        for i, problem in enumerate(held_out)
    ]
    write_whole(here / "held_out.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    measured = [entry["measure_seconds"] for entry in log if "measure_seconds" in entry]
    training = max((entry["seconds"] for entry in log if "seconds" in entry), default=trained - prepared)
    result = {
        "stage": stage,
        "data": data,
        "steps": steps,
        "parameters": model.num_parameters(),
        "problems": len(held_out),
        "right": {way: sum(right[way]) for way in right},
        "seconds": {
            "prepare": prepared - began,
            "train": training - sum(measured),
            "measure": time.monotonic() - trained + sum(measured),
        },
        "log": log,
        "versions": {"trl-dsmath": __version__, "python": python_version()}
        | {name: version(name) for name in PACKAGES},
    }
    folder.finish(stage, result)
    for old in here.glob("checkpoint-*"):
        shutil.rmtree(old)
    progress.finish(_figures(result))


def _figures(result: dict[str, Any]) -> str:
    total = result["problems"]
    low, high = wilson(result["right"]["greedy"], total)
    return (
        f"greedy {result['right']['greedy'] / total:6.1%} [{low:.1%}, {high:.1%}]  "
        f"sampled {result['right']['sampled'] / total:6.1%}"
    )
