"""One run, watched from outside its process tree: the clock, the output, and the end of everything."""

import fcntl
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field

from . import namespaces, scratch
from .program import MARK, READY, Limits, Wall, run

_REPORT_BYTES = 16 << 10
_LOOK = 0.05  # seconds between two looks at a private directory on disk


def serve(connection: socket.socket, wall: Wall) -> None:
    """Reads one request, runs it and answers with one line of JSON; a caller that hangs up ends the run."""
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        request = json.loads(stream.readline())
        try:
            answer = _run(request, wall, connection)
        except OSError as error:  # the kernel refused a namespace, a mount or a process: nothing has run
            answer = {"refused": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer) + "\n")


def _run(request: dict, wall: Wall, caller: socket.socket) -> dict:
    limits = Limits(request["seconds"], request["memory_mb"], request["disk_mb"])
    if wall.namespaces:
        namespaces.private_view(wall.readable, limits.disk_mb)
        return _Run(request["code"], limits, wall, "/tmp", request["output_bytes"]).watch(caller)
    private = scratch.make()
    try:
        return _Run(request["code"], limits, wall, private, request["output_bytes"]).watch(caller)
    finally:
        scratch.remove(private)


@dataclass
class _Pipe:
    """The reading end of a pipe of the program, and what came through it, up to a limit."""

    descriptor: int
    limit: int
    data: bytearray = field(default_factory=bytearray)
    open: bool = True

    def read(self) -> None:
        try:
            piece = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return
        self.open = bool(piece)
        self.data += piece

    @property
    def full(self) -> bool:
        return len(self.data) > self.limit

    @property
    def text(self) -> str:
        return bytes(self.data[: self.limit]).decode("utf-8", "replace")


class _Run:
    def __init__(self, code: str, limits: Limits, wall: Wall, private: str, output_bytes: int) -> None:
        self.limits, self.private, self.on_disk = limits, private, not wall.namespaces
        pairs = [os.pipe() for _ in range(3)]
        self.pid = os.fork()
        if self.pid == 0:
            ends = [os.open(os.devnull, os.O_RDONLY), *(write for _, write in pairs)]
            for number, end in enumerate([fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends]):
                os.dup2(end, number)  # by way of high numbers, since a pipe may have one of 0 to 3 itself
            run(code, limits, wall, private)
        for _, write in pairs:
            os.close(write)
        for read, _ in pairs:
            os.set_blocking(read, False)
        self.out, self.err, self.report = (
            _Pipe(read, limit)
            for (read, _), limit in zip(pairs, (output_bytes, output_bytes, _REPORT_BYTES), strict=True)
        )
        self.end = ""

    def watch(self, caller: socket.socket) -> dict:
        """Waits for the end of the program, or brings it about."""
        started = time.monotonic()
        exited = os.pidfd_open(self.pid)
        poller = select.poll()
        for descriptor in (exited, caller.fileno(), *(pipe.descriptor for pipe in self._pipes)):
            poller.register(descriptor, select.POLLIN)
        running = True
        while running and not self.end:
            left = started + self.limits.seconds - time.monotonic()
            if left <= 0:
                self.end = "timeout"
                break
            wait = min(left, _LOOK) if self.on_disk else left
            for descriptor, _ in poller.poll(wait * 1000 + 1):
                if descriptor == exited:
                    running = False
                elif descriptor == caller.fileno():
                    self.end = "abandoned"
                else:
                    pipe = next(pipe for pipe in self._pipes if pipe.descriptor == descriptor)
                    pipe.read()
                    if not pipe.open:
                        poller.unregister(descriptor)
                    if pipe.full:
                        self.end = "output"
            if self.on_disk and scratch.megabytes(self.private, self.pid) > self.limits.disk_mb:
                self.end = "disk"
        os.kill(self.pid, signal.SIGKILL)  # of a process tree of its own this ends all; without one there is no other
        _, status = os.waitpid(self.pid, 0)
        for pipe in self._pipes:
            while pipe.open and not pipe.full and select.select([pipe.descriptor], [], [], 0)[0]:
                pipe.read()
        if self.end in ("", "abandoned") and (self.out.full or self.err.full):
            self.end = "output"
        return self._answer(os.waitstatus_to_exitcode(status), time.monotonic() - started)

    @property
    def _pipes(self) -> tuple[_Pipe, _Pipe, _Pipe]:
        return self.out, self.err, self.report

    def _answer(self, status: int, seconds: float) -> dict:
        report = self.report.text
        if not report.startswith(READY.decode()) and self.end != "timeout":
            return {"refused": report[1:] or f"the program's process ended with {status} before it was locked in"}
        return {
            "stdout": self.out.text,
            "stderr": self.err.text,
            "report": report[1:].rpartition(MARK.decode())[2],
            "status": status,
            "end": self.end,
            "seconds": seconds,
        }
