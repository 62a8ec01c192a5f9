"""Judging answers: exact and fast in this process where possible, math-verify in killable workers for the rest.

What is covered: no text of a model is evaluated as Python anywhere; every size is bounded before anything is computed;
the time of one pair and of a batch is bounded; workers have a memory limit and die with the caller. What is not: a
worker is not a jail against code execution inside sympy or antlr; run `trl_dsmath.sandbox` around model-written code.
"""

from .batch import TIME_LIMIT, Verdict, grade, grade_async, judge, judge_printed
from .gold import GoldReport, check_golds

__all__ = ["TIME_LIMIT", "GoldReport", "Verdict", "check_golds", "grade", "grade_async", "judge", "judge_printed"]
