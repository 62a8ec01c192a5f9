"""The process in which math-verify and sympy run: `python -m trl_dsmath.grading.worker`.

One *zygote* imports them once, then forks a child for each socket that the caller hands it, in milliseconds. A child
judges pairs until its socket closes. It has a memory limit, and the kernel ends it after a while even when nobody is
left to kill it, so a caller that dies leaves nothing behind. No thread, no signal handler and no alarm is involved.
"""

import contextlib
import ctypes
import json
import logging
import os
import re
import resource
import select
import signal
import socket
import sys

MEMORY_BYTES = 2 << 30
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serves forks on the socket that stands as file descriptor 0 until the other end closes."""
    caller = os.getppid()
    import math_verify  # noqa: F401  the reason for this process: imported before the first fork
    import sympy  # noqa: F401

    logging.disable(logging.WARNING)  # math-verify warns at every call that its own timeouts are off: ours are outside
    control = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the children
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    control.sendall(b"+")  # ready
    while True:
        readable, _, _ = select.select([control], [], [], 1.0)
        if os.getppid() != caller:
            return
        if not readable:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
                _serve(socket.socket(fileno=descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])


def _serve(connection: socket.socket) -> None:
    if sys.platform == "linux":  # follow the zygote into death
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with connection.makefile("rw", encoding="utf-8") as stream:
        stream.write(json.dumps(os.getpid()) + "\n")
        stream.flush()
        for line in stream:
            gold, answer, limit = json.loads(line)
            used = resource.getrusage(resource.RUSAGE_SELF)
            ceiling = int(used.ru_utime + used.ru_stime + limit) + 2
            resource.setrlimit(resource.RLIMIT_CPU, (ceiling, resource.getrlimit(resource.RLIMIT_CPU)[1]))
            stream.write(json.dumps(same_formula(gold, answer)) + "\n")
            stream.flush()


def same_formula(gold: str, answer: str) -> bool:
    """Whether math-verify takes two formulas for equal.

    A formula that it reads only in part (it stops at what it does not know) counts as unread: every number in the text
    must have arrived in the expression.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig(boxed_match_priority=0)]
    try:
        parsed = [parse(f"\\boxed{{{text}}}", config, parsing_timeout=None) for text in (gold, answer)]
        if not all(found and _complete(text, found[0]) for text, found in zip((gold, answer), parsed, strict=True)):
            return False
        return bool(verify(parsed[0], parsed[1], timeout_seconds=None))
    except MemoryError:
        return False
    except Exception:  # noqa: BLE001  a process boundary: whatever sympy raises, the pair is not shown to be equal
        return False


def _complete(text: str, expression: object) -> bool:
    return set(re.findall(r"\d+", text)) <= set(re.findall(r"\d+", str(expression)))


if __name__ == "__main__":
    main()
