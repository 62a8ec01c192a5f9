"""What a program can see of the host: Python, its packages, shared libraries. Nothing else."""

import os
import sys
from pathlib import Path

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")


def interpreter() -> str:
    """The real Python binary, not the link to it in a virtual environment."""
    return os.path.realpath(sys.executable)


def package_paths() -> list[str]:
    """The directories of installed packages on `sys.path`, and nothing of the user's own directories."""
    paths = [os.path.realpath(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return [path for path in dict.fromkeys(paths) if os.path.isdir(path)]


def import_paths() -> list[str]:
    """`sys.path` of the warm process: the packages, and the directory of this package where it is not among them."""
    return list(dict.fromkeys([*package_paths(), str(Path(__file__).resolve().parents[2])]))


def readable() -> list[str]:
    """Real paths of all that a program may read, none inside another one."""
    wanted = [
        interpreter(),
        os.path.realpath(os.path.join(sys.base_prefix, "lib")),
        os.path.realpath(os.path.join(sys.base_exec_prefix, "lib")),
        os.path.realpath(os.__file__ + "/.."),
        *(os.path.realpath(path) for path in _LIBRARIES),
        "/etc/ld.so.cache",  # where the dynamic loader finds libraries
        *package_paths(),
        str(Path(__file__).resolve().parents[1]),
    ]
    found = sorted({path for path in wanted if os.path.exists(path)}, key=len)
    outer: list[str] = []
    for path in found:
        if not any(path.startswith(other + "/") for other in outer):
            outer.append(path)
    return outer
