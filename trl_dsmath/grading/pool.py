"""Runs hard pairs in worker processes that can be killed: from any thread, from asyncio, after a fork, in a child."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ..errors import GradingError

START_LIMIT = 120.0  # seconds for the first import of sympy on a slow disk
MAX_WORKERS = 16  # only hanging pairs ever need more workers than cores
_YOUNG = 0.3  # seconds after which a pair no longer counts as one that keeps a core busy
_MAX_BATCH = 10  # a batch is given up after this many times the limit of one pair


class _Child:
    """One forked worker: a socket, its pid, and the pair it works on."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rw", encoding="utf-8")
        self.pid = int(json.loads(self.stream.readline() or "0"))
        if not self.pid:
            raise GradingError("a grading worker died while it started")

    def submit(self, gold: str, answer: str, limit: float) -> None:
        self.stream.write(json.dumps([gold, answer, limit]) + "\n")
        self.stream.flush()
        self.started = time.monotonic()

    def answer(self) -> str:
        """One line of JSON; empty when the worker died (out of memory, or ended by the kernel)."""
        try:
            return self.stream.readline()
        except OSError:
            return ""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        self.connection.close()


class WorkerPool:
    """Workers forked from one preloaded process; started at the first hard pair, shared by all threads.

    Each call to [`run`] runs its own event loop in the caller's thread, so no background thread exists, and a
    process forked from the caller starts a pool of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._zygote: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._idle: list[_Child] = []

    def run(self, pairs: Sequence[tuple[str, str]], limit: float) -> list[bool | None]:
        """Judges pairs of formulas with math-verify.

        Args:
            pairs (sequence of `tuple`):
                `(gold, answer)` in canonical LaTeX.
            limit (`float`):
                Seconds for one pair. The whole call ends after ten times this, whatever the pairs are.

        Returns:
            `list[bool | None]`: one entry a pair, `None` where the limit was reached or the worker died.
        """
        results: list[bool | None] = [None] * len(pairs)
        waiting = deque(range(len(pairs)))
        retried: set[int] = set()
        busy: dict[int, tuple[_Child, int]] = {}
        cores = max(1, os.cpu_count() or 1)
        give_up = time.monotonic() + _MAX_BATCH * limit
        try:
            while waiting or busy:
                now = time.monotonic()
                if now > give_up:
                    break
                young = sum(now - child.started < _YOUNG for child, _ in busy.values())
                while waiting and young < cores and len(busy) < MAX_WORKERS:
                    index = waiting.popleft()
                    child = self._hand_out(pairs[index], limit)
                    busy[child.connection.fileno()] = (child, index)
                    young += 1
                poller = select.poll()
                for descriptor in busy:
                    poller.register(descriptor, select.POLLIN)
                for descriptor, _ in poller.poll(50):
                    child, index = busy.pop(descriptor)
                    line = child.answer()
                    if line:
                        results[index] = json.loads(line)
                        self._checkin(child)
                    else:
                        child.kill()
                        if index not in retried:  # the worker may have died of something else than this pair
                            retried.add(index)
                            waiting.append(index)
                now = time.monotonic()
                for descriptor in [d for d, (child, _) in busy.items() if now - child.started > limit]:
                    busy.pop(descriptor)[0].kill()
        finally:
            for child, _ in busy.values():
                child.kill()
        return results

    def _hand_out(self, pair: tuple[str, str], limit: float) -> _Child:
        """Gives a pair to an idle worker, or to a new one where the idle one turns out to be dead."""
        while True:
            child = self._checkout()
            try:
                child.submit(*pair, limit)
            except OSError:
                child.kill()
                continue
            return child

    def _checkout(self) -> _Child:
        with self._lock:
            self._start()
            if self._idle:
                return self._idle.pop()
            assert self._control is not None
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                except OSError as error:
                    raise GradingError("the grading process died; the next call starts a new one") from error
        return _Child(ours)

    def _checkin(self, child: _Child) -> None:
        with self._lock:
            if self._owner == os.getpid() and len(self._idle) < (os.cpu_count() or 1):
                self._idle.append(child)
            else:
                child.close()

    def _start(self) -> None:
        if self._owner == os.getpid() and self._zygote is not None and self._zygote.poll() is None:
            return
        self._idle = []  # after a fork the parent's workers stay the parent's
        ours, theirs = socket.socketpair()
        with theirs:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "trl_dsmath.grading.worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal ends the caller, not a pair in the middle
                env=_environment(),
            )
        ours.settimeout(START_LIMIT)
        try:
            ready = ours.recv(1)
        except TimeoutError:
            ready = b""
        if ready != b"+":
            self._zygote.kill()
            raise GradingError("the grading process did not start: `python -m trl_dsmath.grading.worker` shows why")
        ours.settimeout(None)
        self._control, self._owner = ours, os.getpid()

    def close(self) -> None:
        """Ends all workers; the next call starts new ones."""
        with self._lock:
            if self._owner == os.getpid():
                for child in self._idle:
                    child.close()
                if self._control is not None:
                    self._control.close()
                if self._zygote is not None:
                    self._zygote.kill()
                    self._zygote.wait()
            self._idle, self._control, self._zygote = [], None, None


def _environment() -> dict[str, str]:
    """The worker needs this package on its path and nothing of the accelerator or the threads of the caller."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([package_root, *(p for p in [os.environ.get("PYTHONPATH")] if p)])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
