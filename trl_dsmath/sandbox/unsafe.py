"""Running a program without isolation: a plain subprocess with limits. Only for callers that ask for it by name."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from .job import ExecutionResult, Limits, killed_error, set_limit, timeout_error
from .supervisor import Clock

LAYERS = ("unsafe", "rlimits")
_INTERPRETER_MB = 512  # Python with sympy and numpy loaded


def run(code: str, limits: Limits) -> ExecutionResult:
    """Runs `code` with the caller's rights, an empty environment and resource limits."""
    output_bytes = limits.output_kb << 10

    def limit() -> None:
        for which, value in (
            (resource.RLIMIT_AS, (limits.memory_mb + _INTERPRETER_MB) << 20),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_CPU, int(limits.seconds) * (os.cpu_count() or 1) + 2),
            (resource.RLIMIT_FSIZE, max(limits.disk_mb << 20, output_bytes)),
        ):
            set_limit(which, value)

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        path = os.path.join(folder, "program.py")
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(code)
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-B", "-X", "utf8", path],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=folder,
            env={},
            start_new_session=True,
            preexec_fn=limit,
        )
        clock = Clock(process.pid, limits.seconds)
        timed_out = False
        while not timed_out:
            try:
                process.wait(clock.look)
                break
            except subprocess.TimeoutExpired:
                timed_out = clock.expired()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(output_bytes).decode("utf-8", "replace"))
        seconds = time.monotonic() - started
    error: str | None = None
    if timed_out:
        error = timeout_error(limits)
    elif status < 0:
        error = killed_error(-status)
    elif status > 0:
        error = (texts[1].strip().splitlines() or [f"SystemExit: {status}"])[-1]
    return ExecutionResult(texts[0], error, timed_out, LAYERS, texts[1], seconds)
