"""The command line of bubblewrap, a well-kept tool that builds the outer wall where it is installed."""

import shutil
from collections.abc import Sequence

from . import namespaces

PROGRAM = "bwrap"


def find() -> str | None:
    """The path of the program, or None where it is not installed."""
    return shutil.which(PROGRAM, path="/usr/bin:/bin:/usr/local/bin")


def arguments(program: str, readable: Sequence[str], devices: Sequence[str]) -> list[str]:
    """What stands before the command to run.

    CAP_SYS_ADMIN is that of the new user namespace: the warm process needs it to give each run a /tmp and a process
    tree of its own, and each run gives it up. There is no /proc, through which bubblewrap would show its caller's
    environment.
    """
    binds = [part for path, target in namespaces.places(readable) for part in ("--ro-bind", path, target)]
    links = [part for path, target in namespaces.aliases() for part in ("--symlink", target, path)]
    nodes = [part for path in devices for part in ("--dev-bind", path, path)]
    return [
        program,
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"),
        *("--dir", "/tmp", "--dir", "/proc"),
        *binds,
        *links,
        *nodes,
        *("--remount-ro", "/", "--chdir", "/", "--"),
    ]
