"""Namespaces: a process tree, a network, a file system and a hostname that hold nothing of the host."""

import os
from collections.abc import Sequence

from . import kernel

NOBODY = 65534
_INSIDE_ID = 1000
_STASH = "/.stash"  # what the private /tmp would hide is mounted here as well
_ALL = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


def enter(readable: Sequence[str], devices: Sequence[str]) -> None:
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
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        kernel.set_dumpable()
        kernel.unshare(_ALL)
        _map_ids(NOBODY, NOBODY)
        kernel.mount("none", "/proc", "tmpfs", kernel.MS_RDONLY, "size=0")  # hides the host's
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(_ALL)
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


def _map_ids(user: int, group: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {user} 1"),
        ("gid_map", f"{_INSIDE_ID} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
            stream.write(text)


def _build_root(readable: Sequence[str], devices: Sequence[str], keep_proc: bool) -> None:
    """An empty file system with `readable` in their places, read-only; the host's root is gone afterwards."""
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    base = next(path for path in ("/tmp", "/mnt", "/opt", "/home") if os.path.isdir(path))
    kernel.mount("tmpfs", base, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    os.mkdir(f"{base}/.host")
    kernel.pivot_root(base, f"{base}/.host")
    os.chdir("/")
    os.mkdir("/tmp")
    for path, target in places(readable):
        _bind(f"/.host{path}", target)
        kernel.make_read_only(target)
    for alias, target in aliases():
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


def places(readable: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of what is mounted and where: each path in its own place, and a second time where /tmp would hide it."""
    stashed = [path for path in readable if path.startswith("/tmp/")]
    return [(path, path) for path in readable] + [(path, f"{_STASH}/{i}") for i, path in enumerate(stashed)]


def aliases() -> list[tuple[str, str]]:
    """`/lib` and `/lib64` where they are links into /usr, as the paths of the dynamic loader need them."""
    return [(path, os.readlink(path)) for path in ("/lib", "/lib64") if os.path.islink(path)]


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
