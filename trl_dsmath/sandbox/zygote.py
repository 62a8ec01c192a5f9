"""The process in which sympy is loaded once: it locks itself in, then forks one supervisor per run.

Started by [`Sandbox`] with a settings object as its only argument, an empty environment, and two open descriptors: a
socket on which it receives one connection per run, and a handle on the caller's process. It ends when either closes.
"""

import contextlib
import gc
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys

from . import isolation, kernel, seccomp, supervisor
from .job import Job, Limits
from .program import Isolation

# The first program that runs: it tries the plain ways out. A backend that lets it out is not used.
PROBE = r"""
import json, os, tempfile

def tried(body):
    try:
        body()
    except Exception:
        return False
    return True

def connect():
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def unix():
    import socket
    socket.socketpair()

def fork():
    if os.fork() == 0:
        os._exit(0)

def execute():
    try:
        os.execv("/none", ["none"])
    except PermissionError:
        raise
    except OSError:
        pass  # the kernel went to look for it

def scratch():
    with tempfile.TemporaryFile() as stream:
        stream.write(b"x")

def algebra():
    import sympy
    assert sympy.solve(sympy.Symbol("x") - 1) == [1]

ways_out = {
    "network": connect,
    "sockets": unix,
    "starting processes": fork,
    "running programs": execute,
    "reading /etc": lambda: os.listdir("/etc") == ["ld.so.cache"] or open("/etc/passwd").read(),
    "reading /proc": lambda: open("/proc/self/environ").read(),
    "listing the host": lambda: [os.listdir(p) for p in ("/home", "/var", "/sys")],
    "writing to /": lambda: open("/x", "w"),
    "environment": lambda: list(os.environ)[0],
}
found = [name for name, body in ways_out.items() if tried(body)]
if not tried(scratch): found.append("no writable directory for temporary files")
if not tried(algebra): found.append("sympy does not work")
print(json.dumps(found))
"""


def main() -> None:
    """Locks this process in, says on the control socket how, and serves until the caller is gone."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    try:
        isolated = _lock_in(settings["backend"], settings["readable"], settings["devices"], settings["root"])
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the supervisors
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
        _probe(isolated)
    except Exception as error:  # noqa: BLE001  a process boundary: the caller decides what to do without this backend
        control.sendall(json.dumps({"refused": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return
    layers = [name for name in ("namespaces", "landlock") if getattr(isolated, name)]
    control.sendall(json.dumps({"layers": [*layers, "seccomp", "rlimits"]}).encode() + b"\n")
    _serve(control, settings["caller"], isolated)


def _lock_in(backend: str, readable: list[str], devices: list[str], root: bool) -> Isolation:
    os.umask(0o022)
    if not seccomp.supported():
        raise OSError(f"no table of system calls for {kernel.machine()}")
    version = kernel.landlock_version()
    threads = not root  # the kernel does not limit the threads of root
    if backend == "namespaces":
        threads = not root or isolation.privileged()
        isolation.enter_namespaces(readable, devices)
        _become_first_process()
    elif backend == "landlock":
        threads = False
        if version < isolation.LANDLOCK_ALONE:
            raise OSError(f"Landlock version {version}; alone it is enough from {isolation.LANDLOCK_ALONE} on")
        _become_nobody(readable)
    _load()
    return Isolation(backend != "landlock", version > 0, threads, tuple(readable), tuple(devices), _warm_bytes())


def _become_first_process() -> None:
    """Goes on in a child, which is process 1 of its tree: when it ends, everything in the tree ends with it."""
    pid = os.fork()
    if pid:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
    kernel.die_with_parent(signal.SIGKILL)


def _become_nobody(needed: list[str]) -> None:
    """Root gives up its user, unless nobody else may read Python's own files."""
    if os.geteuid() != 0:
        return
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            isolation.become_nobody()
            os._exit(0 if all(os.access(path, os.R_OK) for path in needed) else 1)
        os._exit(1)
    if os.waitpid(pid, 0)[1] == 0:
        isolation.become_nobody()


def _load() -> None:
    import sympy

    with contextlib.suppress(ImportError):
        import numpy.random  # noqa: F401
    x = sympy.Symbol("x")
    sympy.solve(x**2 - 2, x)  # what is loaded at the first use is loaded now
    sympy.simplify(sympy.integrate(sympy.sin(x) ** 2, x))
    str(sympy.latex(sympy.Rational(1, 2)))
    gc.collect()
    gc.freeze()  # the children do not touch, and so do not copy, what is loaded


def _warm_bytes() -> int:
    """The address space in use, to a megabyte. Found by trying, since /proc is out of reach here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 20  # in megabytes
    while high - low > 1:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle << 20, hard))
        try:
            mmap.mmap(-1, mmap.PAGESIZE).close()
            high = middle
        except (OSError, MemoryError):
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return high << 20


def _probe(isolated: Isolation) -> None:
    """Raises `OSError` where the first program finds a way out, or cannot run."""
    ours, theirs = socket.socketpair()
    with theirs:
        _fork_supervisor(theirs, isolated)
    job = Job(ours, PROBE, Limits(seconds=60, memory_mb=256, disk_mb=4, output_kb=64), ())
    while job.read():
        pass
    if refusal := refusal_of(job.answer() or {"refused": "its first run got lost"}):
        raise OSError(refusal)


def refusal_of(answer: dict) -> str | None:
    """What the supervisor's answer to the probe shows to be wrong, or None when the backend holds."""
    if "refused" in answer:
        return answer["refused"]
    if answer["status"] != 0:
        return f"its first run failed: {answer['report'] or answer['stderr'] or answer['end'] or answer['status']}"
    try:
        found = json.loads(answer["stdout"])
    except ValueError:
        return f"its first run printed {answer['stdout']!r}"
    return f"it leaves open: {', '.join(found)}" if found else None


def _serve(control: socket.socket, caller: int, isolated: Isolation) -> None:
    while True:
        if caller in select.select([control.fileno(), caller], [], [])[0]:
            return
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        with socket.socket(fileno=descriptors[0]) as connection:
            _fork_supervisor(connection, isolated, control.fileno(), caller)


def _fork_supervisor(connection: socket.socket, isolated: Isolation, *inherited: int) -> None:
    if os.fork() == 0:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for descriptor in inherited:
                os.close(descriptor)
            kernel.die_with_parent(signal.SIGKILL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            supervisor.serve(connection, isolated)
        os._exit(0)
