"""One run as its caller sees it: what it may use, the connection to its supervisor, and what became of it."""

import contextlib
import json
import resource
import signal
import socket
import time
from dataclasses import asdict, dataclass, field

PATIENCE = 10  # a run may take this many times its seconds on the wall clock, when it has to wait for a core
_GRACE = 30.0  # seconds that setting up and taking down a run may take on a machine that is busy with other things


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    seconds: float  # how they are counted: see `supervisor.Clock`
    memory_mb: int  # on top of the interpreter
    disk_mb: int
    output_kb: int  # of stdout and of stderr, kibibytes


def set_limit(which: int, value: int) -> None:
    """Sets a resource limit of this process for good, no higher than it is."""
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


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


class Job:
    """A connection to the supervisor of one run."""

    def __init__(self, connection: socket.socket, code: str, limits: Limits, layers: tuple[str, ...]) -> None:
        self.connection, self.layers = connection, layers
        self.deadline = time.monotonic() + PATIENCE * limits.seconds + _GRACE
        self._received = bytearray()
        with contextlib.suppress(OSError):  # where it has died, read() and answer() say so
            connection.sendall(json.dumps({"code": code, "limits": asdict(limits)}).encode() + b"\n")

    def read(self) -> bool:
        """Reads what there is; False when the answer is complete or will not come."""
        try:
            piece = self.connection.recv(1 << 20)
        except OSError:
            piece = b""
        self._received += piece
        return bool(piece) and not piece.endswith(b"\n")

    def answer(self) -> dict | None:
        """What the supervisor said; None when it died before it could."""
        self.connection.close()
        return json.loads(self._received) if self._received.endswith(b"\n") else None


def timeout_error(limits: Limits) -> str:
    """The `error` of a program that ran into the time limit."""
    return f"TimeoutError: stopped after {limits.seconds:g} s"


def read_answer(answer: dict, layers: tuple[str, ...], limits: Limits) -> ExecutionResult:
    """The result in a supervisor's answer. The supervisor, not the program, says how the run ended."""
    end, status = answer["end"], answer["status"]
    error: str | None = None
    if end == "timeout":
        error = timeout_error(limits)
    elif end == "output":
        error = f"OutputLimitError: more than {limits.output_kb} KiB of output"
    elif end == "disk":
        error = f"DiskLimitError: more than {limits.disk_mb} MB of files"
    elif status < 0:
        error = killed_error(-status)
    elif status > 0:
        error = answer["report"] or f"SystemExit: {status}"
    return ExecutionResult(answer["stdout"], error, end == "timeout", layers, answer["stderr"], answer["seconds"])


def killed_error(number: int) -> str:
    """The `error` of a program that a signal ended."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    hint = {"SIGSEGV": " (stack overflow, or memory it does not own)", "SIGABRT": " (often: out of memory)"}
    return f"Killed: by {name}{hint.get(name, '')}"
