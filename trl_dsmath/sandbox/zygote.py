"""The process in which sympy is loaded once: it locks itself in, then forks one supervisor a run.

Started by [`Sandbox`] with a settings object as its only argument, an empty environment, and two open descriptors: a
socket on which it is handed one connection a run, and a handle on the caller's process. It ends when either closes.
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

from . import kernel, landlock, namespaces, seccomp, supervisor
from .program import Wall


def main() -> None:
    """Locks this process in, says on the control socket what stands, and serves until the caller is gone."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    try:
        wall = _lock_in(settings)
    except Exception as error:  # noqa: BLE001  a process boundary: the caller decides what to do without this wall
        control.sendall(json.dumps({"refused": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return
    layers = [name for name in ("namespaces", "landlock", "seccomp") if getattr(wall, name)]
    control.sendall(json.dumps({"layers": layers}).encode() + b"\n")
    _serve(control, settings["caller"], wall)


def _lock_in(settings: dict) -> Wall:
    os.umask(0o022)
    name, readable, devices = settings["wall"], settings["readable"], settings["devices"]
    if not seccomp.supported():
        raise OSError(f"no table of system calls for {kernel.machine()}")
    has_landlock = landlock.version() > 0
    threads = name != "landlock"
    if name == "namespaces":
        threads = os.geteuid() != 0 or namespaces.privileged()  # the kernel does not limit the threads of root
        namespaces.enter(readable, devices)
        _become_first_process()
    elif name == "bubblewrap":
        threads = settings["threads"]
    else:
        if landlock.version() < landlock.ENOUGH_ALONE:
            raise OSError(f"Landlock version {landlock.version()}; alone it is enough from {landlock.ENOUGH_ALONE} on")
        _become_nobody(readable)
    _load()
    return Wall(name != "landlock", has_landlock, True, threads, tuple(readable), tuple(devices), _warm_bytes())


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
            _set_ids()
            os._exit(0 if all(os.access(path, os.R_OK) for path in needed) else 1)
        os._exit(1)
    if os.waitpid(pid, 0)[1] == 0:
        _set_ids()
        kernel.set_dumpable()  # otherwise the supervisor could not see which deleted files a program holds open


def _set_ids() -> None:
    os.setgroups([])
    os.setresgid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)
    os.setresuid(namespaces.NOBODY, namespaces.NOBODY, namespaces.NOBODY)


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


def _serve(control: socket.socket, caller: int, wall: Wall) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the supervisors
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    while True:
        if caller in select.select([control.fileno(), caller], [], [])[0]:
            return
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                control.close()
                os.close(caller)
                kernel.die_with_parent(signal.SIGKILL)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                connection = socket.socket(fileno=descriptors[0])
                supervisor.serve(connection, wall)
            os._exit(0)
        os.close(descriptors[0])
