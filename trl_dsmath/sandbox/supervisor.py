"""One run, watched from outside its process tree: the clock, the output, the files, and the end of everything."""

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import socket
import stat
import tempfile
import time
from dataclasses import dataclass, field

from . import isolation
from .job import PATIENCE, Limits
from .program import MARK, READY, Isolation, run

_IDLE = 0.05  # a program that uses less than this share of a core is not waiting for one
_REPORT_BYTES = 16 << 10
_LOOK = 0.05  # seconds between two looks at a private directory on disk
_MAX_ENTRIES = 2048  # files and directories on disk; a /tmp in memory has the same limit


class Clock:
    """
    The time that a process is charged with.

    While it computes, that is the time that it really had a core, so that a busy machine stops no honest program. While
    it idles (sleeps, waits, is stopped), it is wall-clock time. It is never more than wall-clock time, and the wall
    clock also ends what has taken `PATIENCE` times its limit.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self.seconds, self.look = seconds, min(0.5, seconds / 4)
        self._clock = ~pid << 3 | 2  # the processor time of another process: linux/posix-timers.h, CPUCLOCK_SCHED
        self._charged = self._worked = 0.0
        self._began = self._seen = time.monotonic()

    def expired(self) -> bool:
        """Whether the time is over. To be asked every `look` seconds; more often changes nothing."""
        now = time.monotonic()
        if now - self._seen >= self.look:
            worked, passed = self._processor_time(), now - self._seen
            share = worked - self._worked
            self._charged += passed if share < _IDLE * passed else min(share, passed)
            self._worked, self._seen = worked, now
        return self._charged >= self.seconds or now - self._began >= PATIENCE * self.seconds

    def _processor_time(self) -> float:
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # it has ended; or this is not Linux: wall-clock time
            return self._worked


def serve(connection: socket.socket, isolated: Isolation) -> None:
    """Reads one request, runs it and answers with one line of JSON; a caller that hangs up ends the run."""
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        request = json.loads(stream.readline())
        try:
            answer = _run(request["code"], Limits(**request["limits"]), isolated, connection)
        except OSError as error:  # the kernel refused a namespace, a mount or a process: nothing has run
            answer = {"refused": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer) + "\n")


def _run(code: str, limits: Limits, isolated: Isolation, caller: socket.socket) -> dict:
    if isolated.namespaces:
        isolation.private_view(isolated.readable, limits.disk_mb)
        return _Run(code, limits, isolated, "/tmp").watch(caller)
    private = os.path.realpath(tempfile.mkdtemp(prefix="dsmath-sandbox-"))  # only this user can enter it
    try:
        return _Run(code, limits, isolated, private).watch(caller)
    finally:
        _remove(private)


@dataclass
class _Pipe:
    """The reading end of a pipe of the program, and what came through it, up to a limit."""

    descriptor: int
    limit: int
    data: bytearray = field(default_factory=bytearray)
    open: bool = True

    def read(self) -> bool:
        """Reads what there is without waiting; whether there may be more."""
        try:
            piece = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return False
        self.open = bool(piece)
        self.data += piece
        return self.open and not self.full

    @property
    def full(self) -> bool:
        return len(self.data) > self.limit

    @property
    def text(self) -> str:
        return bytes(self.data[: self.limit]).decode("utf-8", "replace")


class _Run:
    def __init__(self, code: str, limits: Limits, isolated: Isolation, private: str) -> None:
        self.limits, self.private, self.on_disk = limits, private, not isolated.namespaces
        pairs = [os.pipe() for _ in range(3)]
        self.pid = os.fork()
        if self.pid == 0:
            ends = [os.open(os.devnull, os.O_RDONLY), *(write for _, write in pairs)]
            for number, end in enumerate([fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends]):
                os.dup2(end, number)  # by way of high numbers, since a pipe may have one of 0 to 3 itself
            run(code, limits, isolated, private)
        for read, write in pairs:
            os.close(write)
            os.set_blocking(read, False)
        output_bytes = limits.output_kb << 10
        sizes = (output_bytes, output_bytes, _REPORT_BYTES)
        self.pipes = [_Pipe(read, size) for (read, _), size in zip(pairs, sizes, strict=True)]

    def watch(self, caller: socket.socket) -> dict:
        """Waits for the end of the program, or brings it about."""
        started = time.monotonic()
        clock = Clock(self.pid, self.limits.seconds)
        exited = os.pidfd_open(self.pid)
        poller = select.poll()
        for descriptor in (exited, caller.fileno(), *(pipe.descriptor for pipe in self.pipes)):
            poller.register(descriptor, select.POLLIN)
        end = ""
        while not end:
            wait = min(clock.look, _LOOK) if self.on_disk else clock.look
            happened = {descriptor for descriptor, _ in poller.poll(wait * 1000 + 1)}
            for pipe in self.pipes:
                if pipe.descriptor in happened:
                    pipe.read()
                    if not pipe.open:
                        poller.unregister(pipe.descriptor)
            if any(pipe.full for pipe in self.pipes):
                end = "output"
            elif self.on_disk and _megabytes(self.private, self.pid) > self.limits.disk_mb:
                end = "disk"
            elif exited in happened:
                end = "exit"
            elif caller.fileno() in happened:
                end = "abandoned"
            elif clock.expired():
                end = "timeout"
        os.kill(self.pid, signal.SIGKILL)  # of a process tree of its own this ends all; without one there is no other
        _, status = os.waitpid(self.pid, 0)
        for pipe in self.pipes:  # what it wrote before it was ended
            while pipe.open and pipe.read():
                pass
        return self._answer(os.waitstatus_to_exitcode(status), end, time.monotonic() - started)

    def _answer(self, status: int, end: str, seconds: float) -> dict:
        out, err, report = (pipe.text for pipe in self.pipes)
        if not report.startswith(READY.decode()) and end != "timeout":
            return {"refused": report[1:] or f"the program's process ended with {status} before it was locked in"}
        return {
            "stdout": out,
            "stderr": err,
            "report": report[1:].rpartition(MARK.decode())[2],
            "status": status,
            "end": end,
            "seconds": seconds,
        }


# --- A private directory on disk, for the backend that cannot mount one in memory ---


def _remove(path: str) -> None:
    """Removes it; links in it are removed, not followed. A deep tree is taken apart from the top: nothing recurses."""
    moved = 0
    with contextlib.suppress(OSError):
        while entries := list(os.scandir(path)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                for inner in list(os.scandir(entry.path)):
                    os.rename(inner.path, f"{path}/.moved-{moved}")
                    moved += 1
                os.rmdir(entry.path)
        os.rmdir(path)


def _megabytes(path: str, pid: int) -> float:
    """What the files take on disk, those included that are deleted but still held open by the process `pid`.

    Infinite for more entries than a program needs, and where a directory cannot be looked into.
    """
    sizes: dict[tuple[int, int], int] = {}
    waiting, entries = [path], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    if entries > _MAX_ENTRIES:
                        return math.inf
                    _count(entry.path, False, sizes)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue  # removed meanwhile
        except OSError:
            return math.inf
    with contextlib.suppress(OSError):  # it may have ended
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            _count(f"/proc/{pid}/fd/{descriptor}", True, sizes)
    return sum(sizes.values()) / (1 << 20)


def _count(path: str, follow: bool, sizes: dict[tuple[int, int], int]) -> None:
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=follow)
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            sizes[found.st_dev, found.st_ino] = max(found.st_blocks * 512, 4096)
