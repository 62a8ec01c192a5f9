"""The process that runs the program: first it gives up every right, for good, then it executes the code."""

import atexit
import builtins
import contextlib
import linecache
import os
import resource
import signal
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass

from . import isolation, kernel, seccomp
from .job import Limits, set_limit

REPORT = 3  # the descriptor for the text of the exception; a program that writes there changes its own error text
READY = b"+"  # the first byte of the report: all limits are in force
MARK = b"\0"  # what follows the last one is the text of the exception
NAME = "<program>"
_SPARE = [b""]  # memory that is given back when it runs out, so that the error can still be written
_exit, _write = os._exit, os.write  # kept, since a program may replace what is in `os`
_OPEN_FILES, _PROCESSES, _STACK = 64, 128, 8 << 20


@dataclass(frozen=True)
class Isolation:
    """What isolates every run of one sandbox, beside seccomp and rlimits."""

    namespaces: bool
    landlock: bool
    threads: bool
    readable: tuple[str, ...]
    devices: tuple[str, ...]
    warm_bytes: int  # address space of the interpreter with sympy loaded; a program's memory comes on top


def run(code: str, limits: Limits, isolated: Isolation, private: str) -> None:
    """Runs `code` in this process, which never returns from here. Descriptors 0 to 3 are those of the program."""
    try:
        _give_up_rights(limits, isolated, private)
    except BaseException as error:  # noqa: BLE001  a process boundary: whatever it was, the program must not run
        os.write(REPORT, f"-{type(error).__name__}: {error}".encode())
        os._exit(1)
    os.write(REPORT, READY)
    status = 1
    with contextlib.suppress(BaseException):
        status = _execute(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    _exit(status)


def _give_up_rights(limits: Limits, isolated: Isolation, private: str) -> None:
    os.closerange(REPORT + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    kernel.die_with_parent(signal.SIGKILL)
    os.setsid()
    home = private
    if isolated.namespaces:  # /tmp may hold mounted packages: the program's own directory is empty
        home = f"{private}/run"
        os.mkdir(home, 0o700)
    os.chdir(home)
    os.environ.clear()
    tempfile.tempdir = home
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(limits.seconds) * (os.cpu_count() or 1) + 2),
        (resource.RLIMIT_FSIZE, limits.disk_mb << 20),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, _PROCESSES),
        (resource.RLIMIT_STACK, _STACK),
    ):
        set_limit(limit, value)
    kernel.no_new_privileges()
    if isolated.landlock:
        isolation.restrict_files(isolated.readable, isolated.devices, private)
    kernel.drop_capabilities()
    # Opened here and not by the program, since /proc may be out of reach afterwards.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = open(descriptor, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()  # otherwise every run would draw what the first one drew
    set_limit(resource.RLIMIT_AS, isolated.warm_bytes + (limits.memory_mb + 16 << 20))
    _SPARE[0] = bytes(16 << 20)
    kernel.install_filter(seccomp.build(os.getpid(), isolated.threads))


def _execute(code: str) -> int:
    """The exit status of the program, as that of `python program.py` would be."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv = [NAME]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]  # as `site` would have it
    code = code.removeprefix("\ufeff")
    linecache.cache[NAME] = (len(code), None, code.splitlines(True), NAME)
    status = _guarded(lambda: exec(compile(code, NAME, "exec"), module.__dict__))
    with contextlib.suppress(BaseException):
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
    return status


def _guarded(body: Callable[[], None]) -> int:
    try:
        body()
    except SystemExit as error:
        if error.code is None or error.code == 0:
            return 0
        if isinstance(error.code, int):
            _report(f"SystemExit: {error.code}")
            return error.code & 255 or 1
        print(error.code, file=sys.stderr)
        _report(f"SystemExit: {error.code}")
        return 1
    except MemoryError as error:
        _SPARE.clear()
        _write(REPORT, MARK + b"MemoryError")  # in case that even this is not enough for the whole text
        return _failed(error)
    except BaseException as error:  # noqa: BLE001  a process boundary: whatever the program raised is its result
        return _failed(error)
    return 0


def _failed(error: BaseException) -> int:
    """Writes the traceback as Python does, without the frames of this file, and the last lines of it to the report."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    lines = traceback.format_exception_only(type(error), error)
    _report("".join(lines).strip())
    traceback.print_exception(type(error), error, frames)
    return 1


def _report(text: str) -> None:
    with contextlib.suppress(OSError):
        _write(REPORT, MARK + text.encode("utf-8", "backslashreplace")[:8192])
