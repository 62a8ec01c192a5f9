"""The caller's side: starts the warm process behind the strongest isolation backend, hands out runs, reads results."""

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

from ..errors import ConfigError, SandboxError
from . import isolation, unsafe
from .isolation import BACKENDS
from .job import ExecutionResult, Job, Limits, read_answer, timeout_error

START_LIMIT = 1200.0  # a far backstop: seconds for the first import of sympy on a slow disk or a busy machine
MAX_CODE = 1 << 20  # characters
_BOOT = "import json, sys; sys.path += json.loads(sys.argv[1])['sys_path']; from trl_dsmath.sandbox.zygote import main; main()"
_NO_BACKEND = (
    "no isolation backend is available in which to run programs. Install bubblewrap (`apt-get install bubblewrap`), or "
    "allow user namespaces (`sysctl user.max_user_namespaces=10000`, on Ubuntu also `sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0`; in Docker `--security-opt seccomp=unconfined`), or use Linux 6.2 "
    "or newer with Landlock. `unsafe=True` runs programs with your own rights. Tried:\n"
)

logger = logging.getLogger(__name__)


class Sandbox:
    """
    Runs programs that nobody has read, each in a process of its own that can do nothing but compute.

    One warm process, started at the first run and shared by all threads, has sympy loaded; a run is forked from it.
    `trl_dsmath.sandbox.run_python` and `run_many` use one such object per process; make another one only to choose the
    isolation backend, or to end the warm process at a known time (`with Sandbox() as sandbox: ...`).

    Args:
        backend (`str`, *optional*):
            Isolation backend: `"bubblewrap"`, `"namespaces"` or `"landlock"`. By default the first of these, the
            strongest, that works on this machine.
        unsafe (`bool`, *optional*, defaults to `False`):
            Where no backend works, run programs in a plain subprocess with limits instead of refusing. They can then
            read and write what you can. Nothing changes where a backend works.

    Raises:
        ConfigError: the backend is unknown.
    """

    def __init__(self, backend: str | None = None, unsafe: bool = False) -> None:
        if backend is not None and backend not in BACKENDS:
            raise ConfigError(f"unknown isolation backend {backend!r}: choose one of {', '.join(BACKENDS)}")
        self._backend, self._unsafe = backend, unsafe
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
        limits = Limits(timeout, memory_mb, disk_mb, output_kb)
        results: dict[int, ExecutionResult] = {}
        waiting = deque(range(len(programs)))
        busy: dict[int, tuple[Job, int]] = {}
        lost: set[int] = set()
        try:
            while waiting or busy:
                while waiting and len(busy) < (workers or os.cpu_count() or 1):
                    index = waiting.popleft()
                    code = programs[index]
                    if len(code) > MAX_CODE:
                        error = f"ValueError: a program of {len(code)} characters; the limit is {MAX_CODE}"
                        results[index] = ExecutionResult("", error, False, self._layers)
                    elif (job := self._hand_out(code, limits)) is None:
                        results[index] = unsafe.run(code, limits)
                    else:
                        busy[job.connection.fileno()] = (job, index)
                for descriptor in _ready(busy):
                    job, index = busy[descriptor]
                    if job.read():
                        continue
                    del busy[descriptor]
                    answer = job.answer()
                    if answer is not None and "refused" in answer:
                        raise SandboxError(f"the {job.layers[0]} backend does not work any more: {answer['refused']}")
                    if answer is not None:
                        results[index] = read_answer(answer, job.layers, limits)
                    elif index not in lost:  # the warm process may have been ended by someone else
                        lost.add(index)
                        waiting.appendleft(index)
                        time.sleep(0.1)  # until its end can be seen: it takes no other run meanwhile
                    else:
                        error = "Killed: from outside, twice (is memory short?)"
                        results[index] = ExecutionResult("", error, False, job.layers)
                for descriptor, (job, index) in list(busy.items()):
                    if time.monotonic() > job.deadline:
                        del busy[descriptor]
                        job.connection.close()
                        results[index] = ExecutionResult("", timeout_error(limits), True, job.layers)
        finally:
            for job, _ in busy.values():
                job.connection.close()  # its supervisor ends the run
        return [results[index] for index in range(len(programs))]

    def _hand_out(self, code: str, limits: Limits) -> Job | None:
        """Gives a program to the warm process, or to a new one where that has died; None where none may be had."""
        for _ in range(3):
            with self._lock:
                try:
                    self._start()
                except SandboxError:
                    if self._unsafe:
                        return None
                    raise
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
            return Job(ours, code, limits, layers)
        raise SandboxError("the sandbox's warm process dies as soon as it is started")

    def _start(self) -> None:
        if self._owner != os.getpid():  # forked with a sandbox of its own making: the lock is held by us
            lock = self._lock
            self.forget()
            self._lock = lock
        if self._process is not None and self._process.poll() is None:
            return
        self._stop()
        if self._refusals:  # tried already: it does not change while a process lives
            raise SandboxError(_NO_BACKEND + "\n".join(self._refusals))
        for backend in BACKENDS if self._backend is None else (self._backend,):
            try:
                refusal = self._try(backend)
            except OSError as error:
                refusal = str(error)
            if refusal is None:
                if backend == "landlock" and self._backend is None:
                    logger.warning(
                        "sandbox: only the weakest isolation backend, landlock, works on this machine "
                        "(docs/guides/sandbox.md):\n%s",
                        "\n".join(self._refusals),
                    )
                self._refusals = []
                return
            self._stop()
            self._refusals.append(f"  {backend}: {refusal}")
            logger.info("sandbox: %s does not work here: %s", backend, refusal)
        raise SandboxError(_NO_BACKEND + "\n".join(self._refusals))

    def _try(self, backend: str) -> str | None:
        """Starts the warm process behind `backend`; returns why that did not work."""
        if not sys.platform.startswith("linux"):
            return "needs Linux"
        readable = isolation.readable_paths()
        prefix = isolation.bubblewrap_command(readable) if backend == "bubblewrap" else []
        if backend == "bubblewrap" and not prefix:
            return "not installed"
        self._control, theirs = socket.socketpair()
        caller = os.pidfd_open(os.getpid())
        settings = {
            "backend": backend,
            "readable": readable,
            "devices": [path for path in isolation.DEVICES if os.path.exists(path)],
            "sys_path": isolation.import_paths(),
            "root": os.getuid() == 0,
            "control": theirs.fileno(),
            "caller": caller,
        }
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                [*prefix, isolation.interpreter(), "-ISB", "-X", "utf8", "-c", _BOOT, json.dumps(settings)],
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
            self._control.settimeout(START_LIMIT)
            try:
                line = self._control.makefile("r", encoding="utf-8").readline()
            except OSError:
                return f"it did not start within {START_LIMIT:g} s"
            self._control.settimeout(None)
            answer = json.loads(line) if line.endswith("\n") else {}
            if "layers" not in answer:
                complaints.seek(0)
                said = complaints.read().decode("utf-8", "replace").strip().splitlines()
                return answer.get("refused") or (said[-1] if said else "it ended without a word")
        outer = ["bubblewrap"] if backend == "bubblewrap" else []
        self._layers = (*outer, *answer["layers"])
        return None

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

    def __exit__(self, *exception: object) -> None:
        self.close()


def _ready(busy: dict) -> list[int]:
    """The descriptors on which something came, after a second at most."""
    poller = select.poll()
    for descriptor in busy:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(1000)] if busy else []
