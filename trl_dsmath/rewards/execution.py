"""The reward for programs: does what the program prints equal the gold?"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import DataError
from ..grading import Verdict, judge_printed
from ..sandbox import ExecutionResult, run_many
from ..text.programs import has_result, printed_answer, printing, prints, showing_result
from ..text.programs import programs as blocks_of
from .accuracy import golds_of
from .completions import Completion, completion_text

TIME_LIMIT = 10.0  # seconds a program, as the authors' harness
MEMORY_MB = 512
_BARE = re.compile(r"^(?:def solution\(|answer *=|from \w[\w.]* import |import \w)", re.MULTILINE)


class _Run(Protocol):
    """How a program ended: an [`ExecutionResult`], or what a rollout with tools kept of one."""

    @property
    def stdout(self) -> str: ...

    @property
    def error(self) -> str | None: ...

    @property
    def timed_out(self) -> bool: ...


def code_execution_reward(
    completions: Sequence[Completion],
    solution: Sequence[object] | None = None,
    programs: Sequence[Sequence[_Run]] | None = None,
    log_extra: Callable[[str, list], None] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    **columns: object,
) -> list[float | None]:
    r"""
    Reward function that runs the program of a completion in the sandbox and gives 1.0 for a right result.

    The program is the last ```` ```python ```` block, or the whole completion where it has no fence and is a program. Its
    result is the last line that it prints, in Python's, sympy's or numpy's notation; where it prints nothing, what its function `solution()` returns, or else its
    variable `answer`. Equal programs of a batch run once; several run at a time, each for 10 seconds at most.

    Args:
        completions (`list[str]` or `list[list[dict]]`):
            Completions as strings or as messages.
        solution (`list`, *optional*):
            Gold answers; the other names of the column are those of [`boxed_accuracy_reward`].
        programs (`list`, *optional*):
            Given by rollouts with tools ([`~grpo.ToolRollout`]): for each completion the programs that were run already,
            with the variables of those before. The last one counts, and nothing is run again.
        log_extra (`callable`, *optional*):
            Given by the trainer; adds output, error and verdict to the completions table.
        log_metric (`callable`, *optional*):
            Given by the trainer; logs the shares `code/ran`, `code/failed`, `code/timed_out`, `code/missing` (they add
            up to 1) and `code/correct`.
        **columns:
            The other columns of the data set.

    Returns:
        `list[float | None]`: 1.0 right; 0.0 wrong, failed, timed out or no program; `None` where the gold cannot be read or
            the result could not be judged in time.

    Raises:
        DataError: no column holds the gold.
        SandboxError: this machine has no isolation backend.

    Source: program-of-thought and tool-integrated solutions, §3.1 of the paper; `solution()` and `answer` are the
    conventions of the authors' evaluation harness.

    Example:
    ```python
    >>> from trl_dsmath.rewards import code_execution_reward

    >>> code_execution_reward(["```python\nfrom sympy import *\nprint(sqrt(8))\n```"], solution=[r"2\sqrt{2}"])
    [1.0]
    ```
    """
    golds = solution if solution is not None else golds_of(columns)
    if len(golds) != len(completions):
        raise DataError(f"{len(completions)} completions but {len(golds)} golds: give one gold per completion")
    runs: list[_Run | None]
    if programs is not None:
        runs = [ran[-1] if ran else None for ran in programs]
    else:
        written = [_program(completion_text(completion)) for completion in completions]
        results = _run([program for program in written if program is not None])
        runs = [None if program is None else results[program] for program in written]
    answers = [None if run is None or run.error is not None else printed_answer(run.stdout) for run in runs]
    verdicts = judge_printed(answers, golds)
    if log_extra is not None:
        log_extra("program_output", ["" if run is None else run.stdout[-500:] for run in runs])
        log_extra("program_error", ["no program" if run is None else run.error or "" for run in runs])
        log_extra("program_verdict", [str(verdict) for verdict in verdicts])
    if log_metric is not None and runs:
        ends = ["missing" if run is None else _end(run) for run in runs]
        for name in ("ran", "failed", "timed_out", "missing"):
            log_metric(f"code/{name}", ends.count(name) / len(ends))
        log_metric("code/correct", verdicts.count(Verdict.CORRECT) / len(verdicts))
    return [verdict.reward for verdict in verdicts]


def _end(run: _Run) -> str:
    return "timed_out" if run.timed_out else "ran" if run.error is None else "failed"


def _program(text: str) -> str | None:
    blocks = blocks_of(text, cut_off=True)
    if blocks:
        return blocks[-1]
    return text if "```" not in text and _BARE.search(text) else None


def _run(distinct: Sequence[str]) -> dict[str, ExecutionResult]:
    """Each program once; a second time, asking for its result, where it follows the convention but printed nothing."""
    distinct = list(dict.fromkeys(distinct))
    results = dict(zip(distinct, run_many(list(map(printing, distinct)), TIME_LIMIT, MEMORY_MB), strict=True))
    silent = [
        program
        for program, result in results.items()
        if result.error is None and not result.stdout.strip() and prints(program) and has_result(program)
    ]
    again = run_many([showing_result(program) for program in silent], TIME_LIMIT, MEMORY_MB)
    return results | dict(zip(silent, again, strict=True))
