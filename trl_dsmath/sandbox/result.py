"""What became of one program."""

import signal
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ExecutionResult:
    """
    The result of running one program.

    Args:
        stdout (`str`):
            What the program printed, also when it failed later; cut at the output limit.
        error (`str`, *optional*):
            `None` when all was well. Otherwise the last line of the traceback (several where the message has several),
            as one would show it to a model; or a line that starts with `TimeoutError:`, `OutputLimitError:`,
            `DiskLimitError:`, `MemoryError` or `Killed:` for a program that was ended from outside.
        timed_out (`bool`):
            Whether it ran into the time limit. A program cannot set this by itself.
        layers (`tuple[str]`):
            What protected this run, outermost first: `bubblewrap`, `namespaces`, `landlock`, `seccomp`, `rlimits`; or
            `unsafe`.
        stderr (`str`):
            What it wrote to standard error, with the whole traceback.
        seconds (`float`):
            Wall-clock time.
    """

    stdout: str
    error: str | None
    timed_out: bool
    layers: tuple[str, ...]
    stderr: str = field(default="", repr=False)
    seconds: float = 0.0


def read_answer(
    answer: dict, layers: tuple[str, ...], timeout: float, output_kb: int, disk_mb: int
) -> ExecutionResult:
    """The result that a supervisor's answer stands for. The supervisor, not the program, says how the run ended."""
    end, status, report = answer["end"], answer["status"], answer["report"]
    if end == "timeout":
        error: str | None = f"TimeoutError: stopped after {timeout:g} s"
    elif end == "output":
        error = f"OutputLimitError: more than {output_kb} KiB of output"
    elif end == "disk":
        error = f"DiskLimitError: more than {disk_mb} MB of files"
    elif status == 0:
        error = None
    elif status < 0:
        error = _killed(-status)
    else:
        error = report or f"SystemExit: {status}"
    return ExecutionResult(answer["stdout"], error, end == "timeout", layers, answer["stderr"], answer["seconds"])


def _killed(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    hint = {"SIGSEGV": " (stack overflow, or memory it does not own)", "SIGABRT": " (often: out of memory)"}
    return f"Killed: by {name}{hint.get(name, '')}"
