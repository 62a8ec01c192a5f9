"""What separates a program from the host: what it can see, and the three isolation backends that show it nothing else.

* `bubblewrap` starts the warm process in new namespaces; a well-kept tool, used where it is installed.
* `namespaces` does the same with our own system calls.
* `landlock` only decides which files may be opened. It needs no privilege, and does not hide names and sizes (`stat`).

Behind the first two, `private_view` gives each run a /tmp and a process tree of its own, and Landlock is added.
"""

import os
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from . import kernel

BACKENDS = ("bubblewrap", "namespaces", "landlock")  # strongest first
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
NOBODY = 65534
LANDLOCK_ALONE = 3  # the version that knows truncation (Linux 6.2): below it, Landlock alone is not enough
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
_INSIDE_ID = 1000
_STASH = "/.stash"  # what the private /tmp would hide is mounted here as well
_ALL_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)

# --- What a program can see of the host: Python, its packages, shared libraries. Nothing else. ---


def interpreter() -> str:
    """The real Python binary, not the link to it in a virtual environment."""
    return os.path.realpath(sys.executable)


def import_paths() -> list[str]:
    """`sys.path` of the warm process: the packages, and the directory of this package where it is not among them."""
    return list(dict.fromkeys([*_package_paths(), str(Path(__file__).resolve().parents[2])]))


def _package_paths() -> list[str]:
    """The directories of installed packages on `sys.path`, and nothing of the user's own directories."""
    paths = [os.path.realpath(path) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return [path for path in dict.fromkeys(paths) if os.path.isdir(path)]


def readable_paths() -> list[str]:
    """Real paths of all that a program may read, none inside another one."""
    wanted = [
        interpreter(),
        os.path.realpath(os.path.join(sys.base_prefix, "lib")),
        os.path.realpath(os.path.join(sys.base_exec_prefix, "lib")),
        os.path.realpath(os.__file__ + "/.."),
        *(os.path.realpath(path) for path in _LIBRARIES),
        "/etc/ld.so.cache",  # where the dynamic loader finds libraries
        *_package_paths(),
        str(Path(__file__).resolve().parents[1]),
    ]
    outer: list[str] = []
    for path in sorted({path for path in wanted if os.path.exists(path)}, key=len):
        if not any(path.startswith(other + "/") for other in outer):
            outer.append(path)
    return outer


def _places(readable: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of what is mounted and where: each path in its own place, and a second time where /tmp would hide it."""
    stashed = [path for path in readable if path.startswith("/tmp/")]
    return [(path, path) for path in readable] + [(path, f"{_STASH}/{i}") for i, path in enumerate(stashed)]


def _aliases() -> list[tuple[str, str]]:
    """`/lib` and `/lib64` where they are links into /usr, as the paths of the dynamic loader need them."""
    return [(path, os.readlink(path)) for path in ("/lib", "/lib64") if os.path.islink(path)]


# --- bubblewrap ---


def bubblewrap_command(readable: Sequence[str]) -> list[str]:
    """The words before the command to run; empty where bubblewrap is not installed.

    CAP_SYS_ADMIN is that of the new user namespace: the warm process needs it for `private_view`, and each run gives it
    up. There is no /proc, through which bubblewrap would show its caller's environment.
    """
    program = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if program is None:
        return []
    binds = [part for path, target in _places(readable) for part in ("--ro-bind", path, target)]
    links = [part for path, target in _aliases() for part in ("--symlink", target, path)]
    nodes = [part for path in DEVICES for part in ("--dev-bind", path, path)]
    return [
        program,
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"),
        *("--dir", "/tmp", "--dir", "/proc"),
        *(*binds, *links, *nodes),
        *("--remount-ro", "/", "--chdir", "/", "--"),
    ]


# --- namespaces of our own ---


def enter_namespaces(readable: Sequence[str], devices: Sequence[str]) -> None:
    """Puts this process into a root directory of its own and all namespaces; the next child is process 1 of its tree.

    Root mounts first and becomes nobody afterwards, so that the program's user has no file and no process on the host,
    and its number of threads can be limited (the kernel exempts root). A plain user gets the right to mount from the
    user namespace.

    Raises:
        OSError: the kernel, or what guards it, does not allow namespaces.
    """
    if privileged():
        kernel.unshare(kernel.CLONE_NEWNS)
        _build_root(readable, devices, keep_proc=True)
        become_nobody()
        kernel.unshare(_ALL_NAMESPACES)
        _map_ids(NOBODY, NOBODY)
        kernel.mount("none", "/proc", "tmpfs", kernel.MS_RDONLY, "size=0")  # hides the host's
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(_ALL_NAMESPACES)
        _map_ids(user, group)
        _build_root(readable, devices, keep_proc=False)


def privileged() -> bool:
    """Whether this is root of the host (or of a container with all ids), with the right to mount."""
    if os.geteuid() != 0:
        return False
    with open("/proc/self/status", encoding="ascii") as stream:
        effective = next(int(line.split()[1], 16) for line in stream if line.startswith("CapEff"))
    with open("/proc/self/uid_map", encoding="ascii") as stream:
        first, _, count = map(int, stream.readline().split())
    return bool(effective >> 21 & 1) and first == 0 and count > NOBODY  # 21: CAP_SYS_ADMIN


def become_nobody() -> None:
    """Gives up root for the user `nobody`."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.set_dumpable()


def _map_ids(user: int, group: int) -> None:
    maps = {"setgroups": "deny", "uid_map": f"{_INSIDE_ID} {user} 1", "gid_map": f"{_INSIDE_ID} {group} 1"}
    for name, text in maps.items():
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def _build_root(readable: Sequence[str], devices: Sequence[str], keep_proc: bool) -> None:
    """An empty file system with `readable` in their places, read-only; the host's root is gone afterwards."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    base = next(path for path in ("/tmp", "/mnt", "/opt", "/home") if os.path.isdir(path))
    kernel.mount("tmpfs", base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    os.mkdir(f"{base}/.host")
    kernel.pivot_root(base, f"{base}/.host")
    os.chdir("/")
    os.mkdir("/tmp")
    for path, target in _places(readable):
        _bind(f"/.host{path}", target)
        kernel.make_read_only(target)
    for alias, target in _aliases():
        os.symlink(target, alias)
    for path in devices:
        _bind(f"/.host{path}", path)
    os.makedirs("/proc", exist_ok=True)
    if keep_proc:
        kernel.mount("/.host/proc", "/proc", None, kernel.MS_BIND | kernel.MS_REC)
    kernel.unmount("/.host")
    os.rmdir("/.host")
    read_only = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY
    kernel.mount("none", "/", None, read_only | kernel.MS_NOSUID | kernel.MS_NODEV)


def private_view(readable: Sequence[str], disk_mb: int) -> None:
    """For one run: process tree, shared memory and mounts of its own, and an empty /tmp in memory.

    The next child is process 1 of the tree; when it ends, the kernel ends everything in it.
    """
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("tmpfs", "/tmp", "tmpfs", flags, f"size={disk_mb}m,nr_inodes=2048,mode=700")
    for index, path in enumerate(path for path in readable if path.startswith("/tmp/")):
        _bind(f"{_STASH}/{index}", path)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "a", encoding="ascii"):
            pass
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)


# --- Landlock ---

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_VERSION_1 = (1 << 13) - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIR  # EXECUTE: shared libraries are mapped for execution
_PRIVATE = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM


def restrict_files(readable: Sequence[str], devices: Sequence[str], private: str) -> None:
    """Limits this process for good to reading below `readable`, using `devices` and writing below `private`.

    Covers opening, listing, making and removing files and, in newer kernels, TCP, abstract Unix sockets and signals to
    processes outside.

    Raises:
        OSError: the kernel has no Landlock, or a path cannot be opened.
    """
    version = kernel.landlock_version()
    refer = 1 << 13 if version >= 2 else 0
    truncate = 1 << 14 if version >= 3 else 0
    ioctl = 1 << 15 if version >= 5 else 0
    network = 3 if version >= 4 else 0  # bind and connect of TCP
    scoped = 3 if version >= 6 else 0  # abstract Unix sockets, signals
    handled = struct.pack("=QQQ", _VERSION_1 | refer | truncate | ioctl, network, scoped)
    ruleset = kernel.landlock_ruleset(handled[: 8 * (1 + (version >= 4) + (version >= 6))])
    rights = {path: _READ if os.path.isdir(path) else _EXECUTE | _READ_FILE for path in readable}
    rights |= dict.fromkeys(devices, _READ_FILE | _WRITE_FILE | truncate)
    rights[private] = _PRIVATE | truncate | refer
    for path, allowed in rights.items():
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        kernel.landlock_allow(ruleset, struct.pack("=Qi", allowed, descriptor))
        os.close(descriptor)
    kernel.landlock_enforce(ruleset)
    os.close(ruleset)
