"""The caller's side: starts the warm process behind the best wall there is, hands out runs, reads their results."""

import json
import logging
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from ..errors import ConfigError, SandboxError
from . import bubblewrap, probe, unsafe, view
from .job import Job
from .result import ExecutionResult, read_answer

WALLS = ("bubblewrap", "namespaces", "landlock")
START_LIMIT = 120.0  # seconds for the first import of sympy on a slow disk
MAX_CODE = 1 << 20  # characters
_GRACE = 30.0  # seconds that setting up and taking down a run may take on a machine that is busy with other things
_BOOT = "import json, sys; sys.path += json.loads(sys.argv[1])['sys_path']; from trl_dsmath.sandbox.zygote import main; main()"

logger = logging.getLogger(__name__)


class Sandbox:
    """
    Runs programs that nobody has read, each in a process of its own that can do nothing but compute.

    One warm process, started at the first run and shared by all threads, has sympy loaded; a run is forked from it.
    `trl_dsmath.sandbox.run_python` and `run_many` use one such object a process; make another one only to choose the
    wall, or to end the warm process at a known time (`with Sandbox() as sandbox: ...`).

    Args:
        wall (`str`, *optional*):
            `"bubblewrap"`, `"namespaces"` or `"landlock"`. By default the first of these that holds on this machine.
        unsafe (`bool`, *optional*, defaults to `False`):
            Where no wall holds, run programs in a plain subprocess with limits instead of refusing. They can then read
            and write what you can. Nothing changes where a wall holds.

    Raises:
        ConfigError: the wall is unknown.
    """

    def __init__(self, wall: str | None = None, unsafe: bool = False) -> None:
        if wall is not None and wall not in WALLS:
            raise ConfigError(f"unknown wall {wall!r}: choose one of {', '.join(WALLS)}")
        self._wall, self._unsafe = wall, unsafe
        self.forget()

    def forget(self) -> None:
        """As after `__init__`: for a forked child, since the warm process stays its parent's."""
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._layers: tuple[str, ...] = ()
        self._refusals: list[str] = []

    def run(
        self, code: str, timeout: float = 10.0, memory_mb: int = 512, disk_mb: int = 16, output_kb: int = 1024
    ) -> ExecutionResult:
        """Runs one program: see [`run_python`]."""
        return self.run_many([code], timeout, memory_mb, 1, disk_mb, output_kb)[0]

    def run_many(
        self,
        programs: Sequence[str],
        timeout: float = 10.0,
        memory_mb: int = 512,
        workers: int | None = None,
        disk_mb: int = 16,
        output_kb: int = 1024,
    ) -> list[ExecutionResult]:
        """Runs programs, several at a time: see [`run_many`]."""
        if not (timeout > 0 and memory_mb > 0 and disk_mb > 0 and output_kb > 0 and (workers is None or workers > 0)):
            raise ConfigError("timeout, memory_mb, disk_mb, output_kb and workers must be above 0")
        limits = {"seconds": timeout, "memory_mb": memory_mb, "disk_mb": disk_mb, "output_bytes": output_kb << 10}
        results: list[ExecutionResult | None] = [None] * len(programs)
        waiting = deque(range(len(programs)))
        busy: dict[int, tuple[Job, int]] = {}
        lost: set[int] = set()
        try:
            while waiting or busy:
                while waiting and len(busy) < (workers or os.cpu_count() or 1):
                    index = waiting.popleft()
                    if len(programs[index]) > MAX_CODE:
                        message = (
                            f"ValueError: a program of {len(programs[index])} characters; the limit is {MAX_CODE}"
                        )
                        results[index] = ExecutionResult("", message, False, self._layers)
                        continue
                    if not self._ready():
                        results[index] = unsafe.run(programs[index], timeout, memory_mb, disk_mb, output_kb)
                        continue
                    job = self._hand_out(programs[index], limits)
                    busy[job.connection.fileno()] = (job, index)
                for descriptor in _readable(busy):
                    job, index = busy[descriptor]
                    if job.read():
                        continue
                    del busy[descriptor]
                    answer = job.answer()
                    if answer is None and index not in lost:  # the warm process may have been ended by someone else
                        lost.add(index)
                        waiting.appendleft(index)
                        continue
                    results[index] = self._result(answer, job, timeout, output_kb, disk_mb)
                now = time.monotonic()
                for descriptor, (job, index) in list(busy.items()):
                    if now - job.started > timeout + _GRACE:
                        del busy[descriptor]
                        job.connection.close()
                        results[index] = ExecutionResult(
                            "", f"TimeoutError: stopped after {timeout:g} s", True, self._layers
                        )
        finally:
            for job, _ in busy.values():
                job.connection.close()  # its supervisor ends the run
        return [result for result in results if result is not None]

    def _result(self, answer: dict | None, job: Job, timeout: float, output_kb: int, disk_mb: int) -> ExecutionResult:
        if answer is None:
            return ExecutionResult("", "Killed: from outside, twice (is memory short?)", False, self._layers)
        if "refused" in answer:
            raise SandboxError(f"the {job.layers[0]} wall does not stand any more: {answer['refused']}")
        return read_answer(answer, job.layers, timeout, output_kb, disk_mb)

    def _hand_out(self, code: str, limits: dict) -> Job:
        """Gives a program to the warm process, or to a new one where that has died."""
        for _ in range(3):
            with self._lock:
                self._start()
                assert self._control is not None
                ours, theirs = socket.socketpair()
                with theirs:
                    try:
                        socket.send_fds(self._control, [b"r"], [theirs.fileno()])
                    except OSError:
                        self._stop()
                        ours.close()
                        continue
                layers = self._layers
            return Job(ours, json.dumps({"code": code, **limits}), layers)
        raise SandboxError("the sandbox's warm process dies as soon as it is started")

    def _ready(self) -> bool:
        """Whether a wall stands; starts it. False only for the unsafe way."""
        with self._lock:
            try:
                self._start()
            except SandboxError:
                if not self._unsafe:
                    raise
                return False
            return True

    def _start(self) -> None:
        if self._owner != os.getpid():  # forked with a sandbox of its own making: the lock is held by us
            lock = self._lock
            self.forget()
            self._lock = lock
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        if self._refusals:  # tried already: it does not change while a process lives
            raise SandboxError(_NO_WALL + "\n".join(self._refusals))
        for wall in WALLS if self._wall is None else (self._wall,):
            try:
                refusal = self._try(wall)
            except OSError as error:
                refusal = str(error)
            if refusal is None:
                if wall == "landlock" and self._wall is None:
                    logger.warning(
                        "sandbox: only the weakest wall, landlock, stands on this machine (docs/sandbox.md):\n%s",
                        "\n".join(self._refusals),
                    )
                self._refusals = []
                return
            self._stop()
            self._refusals.append(f"  {wall}: {refusal}")
            logger.info("sandbox: no %s wall here: %s", wall, refusal)
        raise SandboxError(_NO_WALL + "\n".join(self._refusals))

    def _try(self, wall: str) -> str | None:
        """Starts the warm process behind `wall`; returns why that did not work."""
        if not sys.platform.startswith("linux"):
            return "needs Linux"
        prefix: list[str] = []
        readable = view.readable()
        if wall == "bubblewrap":
            program = bubblewrap.find()
            if program is None:
                return "not installed"
            prefix = bubblewrap.arguments(program, readable, view.DEVICES)
        ours, theirs = socket.socketpair()
        caller = os.pidfd_open(os.getpid())
        settings = {
            "wall": wall,
            "readable": readable,
            "devices": [path for path in view.DEVICES if os.path.exists(path)],
            "sys_path": view.import_paths(),
            "threads": os.getuid() != 0,
            "control": theirs.fileno(),
            "caller": caller,
        }
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [*prefix, view.interpreter(), "-ISB", "-X", "utf8", "-c", _BOOT, json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                pass_fds=(theirs.fileno(), caller),
                start_new_session=True,  # no terminal, and Ctrl-C in it is the caller's
                cwd="/",
                env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
            os.close(caller)
            theirs.close()
            self._control = ours
            ours.settimeout(START_LIMIT)
            try:
                line = ours.makefile("r", encoding="utf-8").readline()
            except OSError:
                return f"it did not start within {START_LIMIT:g} s"
            ours.settimeout(None)
            answer = json.loads(line) if line.endswith("\n") else {}
            if "layers" not in answer:
                complaints.seek(0)
                said = complaints.read().decode("utf-8", "replace").strip().splitlines()
                return answer.get("refused") or (said[-1] if said else "it ended without a word")
        outer = ["bubblewrap"] if wall == "bubblewrap" else []
        self._layers = (*outer, *answer["layers"], "rlimits")
        return self._probe()

    def _probe(self) -> str | None:
        """Runs a program that tries to get out, before any other: a wall that lets it out is none."""
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._control, [b"r"], [theirs.fileno()])
            request = {"code": probe.CODE, "seconds": 60, "memory_mb": 256, "disk_mb": 4, "output_bytes": 1 << 16}
            job = Job(ours, json.dumps(request), self._layers)
            while job.read():
                pass
            answer = job.answer()
        if answer is None:
            return "its first run got lost"
        if "refused" in answer:
            return answer["refused"]
        return probe.read(answer)

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()  # the warm process ends, and with it all runs
        if self._process is not None:
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control, self._process = None, None

    def close(self) -> None:
        """Ends the warm process and all runs; the next run starts a new one."""
        with self._lock:
            if self._owner == os.getpid():
                self._stop()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _readable(busy: dict) -> list[int]:
    """The descriptors on which something came, after a second at most."""
    poller = select.poll()
    for descriptor in busy:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(1000)] if busy else []


_NO_WALL = (
    "no wall is available in which to run programs. Install bubblewrap (`apt-get install bubblewrap`), or allow user "
    "namespaces (`sysctl user.max_user_namespaces=10000`, on Ubuntu also `sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0`; in Docker `--security-opt seccomp=unconfined`), or use Linux 6.2 "
    "or newer with Landlock. `unsafe=True` runs programs with your own rights. Tried:\n"
)
