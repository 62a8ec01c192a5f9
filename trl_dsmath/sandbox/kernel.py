"""System calls that Python has no function for, each raising OSError when the kernel refuses."""

import ctypes
import os
import platform

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 0x1000, 0x4000, 0x40000
_MNT_DETACH, _AT_RECURSIVE, _AT_FDCWD = 2, 0x8000, -100
_MOUNT_ATTR_RDONLY_NOSUID_NODEV = 1 | 2 | 4
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_MOUNT_SETATTR, _LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 442, 444, 445, 446
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def machine() -> str:
    """`x86_64`, `aarch64` or whatever else this is."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _syscall(what: str, number: int, *arguments: object) -> int:
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *longs), what)


def _prctl(what: str, option: int, value: object) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {what}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    kind_bytes = kind.encode() if kind else None
    result = _libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), data.encode() or None)
    _check(result, f"mount {source} on {target}")


def make_read_only(target: str) -> None:
    """Read-only, no devices, no set-user-id, for a mount and all below it; needs Linux 5.12."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY_NOSUID_NODEV, 0, 0, 0)
    path, size = ctypes.c_char_p(target.encode()), ctypes.sizeof(attributes)
    _syscall("mount_setattr", _MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, ctypes.byref(attributes), size)


def pivot_root(new: str, old: str) -> None:
    number = _PIVOT_ROOT[machine()]
    _syscall("pivot_root", number, ctypes.c_char_p(new.encode()), ctypes.c_char_p(old.encode()))


def unmount(target: str) -> None:
    _check(_libc.umount2(target.encode(), _MNT_DETACH), f"umount {target}")


def die_with_parent(signal_number: int) -> None:
    _prctl("PDEATHSIG", _PR_SET_PDEATHSIG, signal_number)


def set_dumpable() -> None:
    """Gives /proc/self back to its user after the user id has changed."""
    _prctl("DUMPABLE", _PR_SET_DUMPABLE, 1)


def no_new_privileges() -> None:
    _prctl("NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Empties the effective, permitted and inheritable sets (and with them the ambient one)."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _syscall("capset", _CAPSET[machine()], ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def install_filter(program: bytes) -> None:
    """Installs a seccomp filter, an array of 8-byte BPF instructions, for good."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    fprog = Program(len(program) // 8, program)
    _check(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(fprog), 0, 0), "seccomp")


def landlock_version() -> int:
    """The version of Landlock that the kernel offers; 0 when it offers none."""
    try:
        return _syscall("landlock", _LANDLOCK_CREATE_RULESET, ctypes.c_void_p(), 0, 1)
    except OSError:
        return 0


def landlock_ruleset(handled: bytes) -> int:
    buffer = ctypes.create_string_buffer(handled, len(handled))
    return _syscall("landlock", _LANDLOCK_CREATE_RULESET, buffer, len(handled), 0)


def landlock_allow(ruleset: int, rule: bytes) -> None:
    buffer = ctypes.create_string_buffer(rule, len(rule))
    _syscall("landlock", _LANDLOCK_ADD_RULE, ruleset, 1, buffer, 0)


def landlock_enforce(ruleset: int) -> None:
    _syscall("landlock", _LANDLOCK_RESTRICT_SELF, ruleset, 0)
