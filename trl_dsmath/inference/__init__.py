"""Using a model: questions answered by vote in 16, 8 or 4 bits; benchmarks beside the published figures; a callback for TRL's trainers.

Names are loaded on first use: judging recorded completions needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ..data.benchmarks import BENCHMARKS, Benchmark, Problem, choose, load_benchmark
from .evaluation_settings import Settings
from .extraction import flexible_answer, strict_answer
from .recordings import load_recordings
from .result import Solution, SolvedSample
from .run import load_plan, plan, run
from .score import Figure, Scores, score
from .solve_settings import SolveSettings
from .solver import Solver

if TYPE_CHECKING:
    from .callback import MathEvaluationCallback as MathEvaluationCallback

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Figure",
    "MathEvaluationCallback",
    "Problem",
    "Scores",
    "Settings",
    "Solution",
    "SolveSettings",
    "SolvedSample",
    "Solver",
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
