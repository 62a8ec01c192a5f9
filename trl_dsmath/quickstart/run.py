"""The quickstart from the first stage to the report; goes on where it was stopped."""

import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from .. import __version__
from ..errors import ConfigError
from .context import Context, Done
from .progress import Progress, in_words, quiet_libraries
from .settings import STAGES, RunFolder, Settings, left_out, needed

# Seconds on the machine where this was measured: a start, and a unit of the setting. For the estimate of the time left.
COST: dict[str, tuple[float, float, str]] = {
    "corpus": (1.0, 0.002, "pages"),
    "pretrain": (3.0, 0.034, "pretrain_steps"),
    "sft": (2.0, 0.042, "sft_steps"),
    "annotate": (1.0, 0.025, "annotate_problems"),
    "prm": (2.0, 0.035, "prm_steps"),
    "grpo": (2.0, 0.35, "grpo_steps"),
    "step_grpo": (2.0, 0.40, "grpo_steps"),
    "solve": (1.0, 0.09, "vote_problems"),
    "quantize": (1.0, 0.007, "problems"),
}
IMPORTS = 10  # seconds
PACKAGES = ("trl", "transformers", "torch", "datasets", "tokenizers", "fasttext-numpy2", "bitsandbytes")


def plan(settings: Settings, stages: list[str]) -> dict[str, tuple[float, float]]:
    """Expected seconds of each stage: to start, to run."""
    return {stage: (COST[stage][0], COST[stage][1] * getattr(settings, COST[stage][2])) for stage in stages}


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
    to_do = [stage for stage in stages if folder.result(stage) is None and left_out(stage) is None]
    for stage in to_do:
        before = needed(stage)
        missing = [n for n in before if n not in to_do and folder.result(n) is None and left_out(n) is None]
        if missing:
            raise ConfigError(
                f"{stage} starts from what {missing[-1]} leaves: run --stages {','.join(before)},{stage}."
            )
    progress = Progress(plan(settings, to_do), {stage: number for number, stage in enumerate(stages, start=1)})
    print(f"DeepSeekMath's stages on a toy task, from random weights, seed {settings.seed}. Folder: {folder.path}")
    if to_do:
        about = in_words(sum(map(sum, plan(settings, to_do).values())) + IMPORTS)
        print(f"About {about} on an idle core. Loading torch and TRL ...", flush=True)
    context = Context(settings, folder, progress)
    for stage in stages:
        kept = folder.result(stage)
        if kept is not None:
            progress.note(stage, f"{kept['line']}  (finished before)")
        elif reason := left_out(stage):
            progress.note(stage, reason)
        else:
            with _calm():
                _run_stage(stage, context)
    from . import report

    print()
    for line in report.write(folder, settings).splitlines():
        progress.say(line)


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


def _work_of(stage: str) -> Callable[[Context], Done]:
    from . import corpus, language, quantize, reinforce, reward_model, votes

    work = {
        "corpus": corpus.run,
        "pretrain": language.run_pretrain,
        "sft": language.run_sft,
        "annotate": reward_model.run_annotate,
        "prm": reward_model.run_prm,
        "grpo": reinforce.run_grpo,
        "step_grpo": reinforce.run_step_grpo,
        "solve": votes.run,
        "quantize": quantize.run,
    }
    assert tuple(work) == STAGES
    return work[stage]


def _run_stage(stage: str, context: Context) -> None:
    from . import stages

    work, here = _work_of(stage), context.here(stage)
    checkpoint = stages.last_whole_checkpoint(here)
    steps = getattr(context.settings, COST[stage][2])
    context.progress.start(stage, int(checkpoint.name.split("-")[1]) / steps if checkpoint else 0.0)
    began, began_cpu = time.monotonic(), stages.cpu_seconds()
    done = work(context)
    result = {
        "stage": stage,
        "data": done.data,
        "line": done.line,
        **done.figures,
        "seconds": {
            "wall": done.carried["wall"] + time.monotonic() - began,
            "cpu": done.carried["cpu"] + stages.cpu_seconds() - began_cpu,
        },
        "peak_mb": _peak_mb(),
        "versions": _versions(),
    }
    context.folder.finish(stage, result)
    for old in here.glob("checkpoint-*"):
        shutil.rmtree(old)
    context.progress.finish(done.line)


def _peak_mb() -> float:
    """The most memory that this process has taken so far."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _versions() -> dict[str, str]:
    found = {"trl-dsmath": __version__, "python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
