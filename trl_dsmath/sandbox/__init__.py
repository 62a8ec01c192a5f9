"""Runs programs that a model wrote, where they can do nothing but compute.

    >>> from trl_dsmath.sandbox import run_python
    >>> run_python("import sympy; print(sympy.sqrt(8))").stdout
    '2*sqrt(2)\\n'

One warm process (the *zygote*) with sympy and numpy loaded is kept behind an isolation backend; each program runs in a
fork of it that has given up every right. The strongest backend that works on this machine is used, and a probe proves it
first:

1. `bubblewrap`, where it is installed: all namespaces, an empty environment, and the namespaces of each run within it;
2. `namespaces` of our own: the same, made without a tool;
3. `landlock` (Linux 6.2 and newer) where namespaces are not allowed: no privilege needed; weaker, see below;
4. otherwise [`SandboxError`], unless `unsafe=True`.

Within each of them: a seccomp allow-list, rlimits, no capabilities, Landlock where the kernel has it.
`ExecutionResult.layers` names what protected a run.

Covered, each with an adversarial test in tests/sandbox:

* Network: no socket of any family can be made; the network namespace has no interface that is up.
* Files: nothing of the host can be read but Python, its packages and shared libraries; nothing can be written but a
  private directory of 16 MB, gone after the run. No /proc, /sys, /home, /root, /etc.
* Environment and memory of the caller: not passed on, not readable.
* Processes: none can be started, so nothing outlives a run, ignores a signal or leaves a group. Threads: 128 in all, none
  as root under bubblewrap or under landlock alone.
* Memory: `memory_mb` on top of the warm interpreter. A run is a single process, so the limit of its address space bounds
  all of it but the private directory, which is bounded by itself.
* Time: measured outside; sleeping, stopping or ignoring signals does not help. A program that waits for a core because
  the machine is busy is not charged for the wait.
* Output: cut, and the run ended, at 1 MiB for each of stdout and stderr.
* The next run: forked from a process that the program cannot touch; its files, modules and patches are gone.
* The result: the supervisor outside says how a run ended; a program can only choose its text.
* The kernel: no io_uring, bpf, keyctl, perf, ptrace, userfaultfd, mount, unshare, setns: 117 calls are allowed (98 on
  aarch64), 7 of them only with certain arguments.

Not covered: errors of the kernel in the calls that are allowed; what a processor leaks by its timing; load on the cores
while a run lasts; a wrong answer printed on purpose. Under `landlock` alone a program can see names, sizes and dates of
the host's files (`stat`), its hostname and its own process number; its private directory is on disk and measured twenty
times a second (2,048 entries at most); and root stays root (without rights) where only root can read Python's files. Machines: Linux on x86_64 and
aarch64; the table for aarch64 has not been run.
"""

import os
from collections.abc import Sequence

from ..errors import SandboxError
from .job import ExecutionResult
from .sandbox import Sandbox

__all__ = ["ExecutionResult", "Sandbox", "SandboxError", "run_many", "run_python"]

_SAFE, _UNSAFE = Sandbox(), Sandbox(unsafe=True)
os.register_at_fork(after_in_child=_SAFE.forget)
os.register_at_fork(after_in_child=_UNSAFE.forget)


def run_python(
    code: str,
    timeout: float = 10.0,
    memory_mb: int = 512,
    disk_mb: int = 16,
    output_kb: int = 1024,
    unsafe: bool = False,
) -> ExecutionResult:
    """
    Runs a Python program that nobody has read.

    Works from any thread, with `asyncio.to_thread`, after a fork and in spawned processes. The first call starts the warm
    process (about a second); later ones take milliseconds.

    Args:
        code (`str`):
            The program. `sympy`, `numpy` and whatever else is installed can be imported; `input()` raises EOFError.
        timeout (`float`, *optional*, defaults to `10.0`):
            Seconds. Time in which the program computes counts as processor time, so that a busy machine stops no honest
            program; time in which it idles counts as wall-clock time. After ten times as long it is ended in any case.
        memory_mb (`int`, *optional*, defaults to `512`):
            Megabytes that the program may use on top of the interpreter.
        disk_mb (`int`, *optional*, defaults to `16`):
            Megabytes of files in its private directory, the current one.
        output_kb (`int`, *optional*, defaults to `1024`):
            Kibibytes of output, for stdout and stderr each; a program that prints more is ended.
        unsafe (`bool`, *optional*, defaults to `False`):
            Where no isolation backend is available, run the program with your own rights instead of refusing.

    Returns:
        [`ExecutionResult`]: its output, its error or `None`, and what protected the run. Whatever the program does, no
        exception.

    Raises:
        SandboxError: no isolation backend is available and `unsafe` is not set. The message says what was tried and what to install.
        ConfigError: a limit is not above 0.
    """
    return (_UNSAFE if unsafe else _SAFE).run(code, timeout, memory_mb, disk_mb, output_kb)


def run_many(
    programs: Sequence[str],
    timeout: float = 10.0,
    memory_mb: int = 512,
    workers: int | None = None,
    disk_mb: int = 16,
    output_kb: int = 1024,
    unsafe: bool = False,
) -> list[ExecutionResult]:
    """
    Runs several programs, `workers` at a time.

    Args:
        programs (`Sequence[str]`):
            The programs. Each is run; pass each one once.
        workers (`int`, *optional*):
            How many run at a time. By default the number of cores.
        timeout, memory_mb, disk_mb, output_kb, unsafe:
            As in [`run_python`], for each program.

    Returns:
        `list[ExecutionResult]`: one per program, in order.

    Raises:
        SandboxError: as [`run_python`].
    """
    return (_UNSAFE if unsafe else _SAFE).run_many(programs, timeout, memory_mb, workers, disk_mb, output_kb)
