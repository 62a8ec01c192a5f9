"""Benchmarks, an evaluation on disk, and its report beside the published figures; a callback for TRL's trainers.

What is covered: the same samples can be judged again without the model, a run that was killed goes on, and each figure
says over how many problems it is. What is not: the published prompts to the letter for base models (the examples are of
our own wording), and the hub names of the test sets, which were not tried where this was written.
"""

from importlib import import_module

from .benchmarks import BENCHMARKS, Benchmark
from .extraction import flexible_answer, strict_answer
from .problems import Problem, choose, load_benchmark
from .recordings import load_recordings
from .run import load_plan, plan, run
from .score import Figure, Scores, score
from .settings import Settings

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Figure",
    "MathEvaluationCallback",
    "Problem",
    "Scores",
    "Settings",
    "choose",
    "flexible_answer",
    "load_benchmark",
    "load_plan",
    "load_recordings",
    "plan",
    "run",
    "score",
    "strict_answer",
]


def __getattr__(name: str) -> object:
    if name != "MathEvaluationCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".callback", __name__), name)
