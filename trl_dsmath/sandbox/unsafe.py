"""Running a program without a wall: a plain subprocess with limits. Only for callers that ask for it by name."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from .result import ExecutionResult

LAYERS = ("unsafe", "rlimits")


def run(code: str, timeout: float, memory_mb: int, disk_mb: int, output_kb: int) -> ExecutionResult:
    """Runs `code` with the caller's rights, an empty environment and resource limits."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        path = os.path.join(folder, "program.py")
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(code)

        def limit() -> None:
            for which, value in (
                (resource.RLIMIT_AS, (memory_mb + 512) << 20),  # 512: Python with sympy and numpy loaded
                (resource.RLIMIT_CORE, 0),
                (resource.RLIMIT_CPU, int(timeout) + 2),
                (resource.RLIMIT_FSIZE, max(disk_mb << 20, output_kb << 10)),
            ):
                hard = resource.getrlimit(which)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(which, (value, value))

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
        try:
            process.wait(timeout)
            timed_out = False
        except subprocess.TimeoutExpired:
            timed_out = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(output_kb << 10).decode("utf-8", "replace"))
        seconds = time.monotonic() - started
    lines = texts[1].strip().splitlines()
    if timed_out:
        error: str | None = f"TimeoutError: stopped after {timeout:g} s"
    elif status == 0:
        error = None
    elif status < 0:
        error = f"Killed: by {signal.Signals(-status).name}"
    else:
        error = lines[-1] if lines else f"SystemExit: {status}"
    return ExecutionResult(texts[0], error, timed_out, LAYERS, texts[1], seconds)
