"""Using a model: questions answered by vote in 16, 8 or 4 bits; benchmarks beside the published metrics; a callback for TRL's trainers.

Judging recorded completions needs no torch: engines are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ..data.benchmarks import BENCHMARKS, Benchmark, Problem, choose, load_benchmark
from ..data.reading import flexible_answer, strict_answer
from .config import EvaluateConfig, SolveConfig
from .recordings import load_recordings, write_agreement
from .rejection import RFTConfig
from .report import metrics_text
from .report import write as write_report
from .run import load_plan, load_problems, plan, read_samples, run
from .score import Metric, Scores, score
from .solution import Solution, SolvedSample
from .solve_file import QuestionArguments, default_output, load_questions, summary_of_answers
from .solver import Solver

if TYPE_CHECKING:
    from .callback import MathEvaluationCallback as MathEvaluationCallback

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "EvaluateConfig",
    "MathEvaluationCallback",
    "Metric",
    "Problem",
    "QuestionArguments",
    "RFTConfig",
    "Scores",
    "Solution",
    "SolveConfig",
    "SolvedSample",
    "Solver",
    "choose",
    "default_output",
    "flexible_answer",
    "load_benchmark",
    "load_plan",
    "load_problems",
    "load_questions",
    "load_recordings",
    "metrics_text",
    "plan",
    "read_samples",
    "run",
    "score",
    "strict_answer",
    "summary_of_answers",
    "write_agreement",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name != "MathEvaluationCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".callback", __name__), name)
