"""Using a model: one question or many, greedy or by vote, in 16, 8 or 4 bits."""

from .result import Solution, SolvedSample
from .settings import SolveSettings
from .solver import Solver

__all__ = ["Solution", "SolveSettings", "SolvedSample", "Solver"]
