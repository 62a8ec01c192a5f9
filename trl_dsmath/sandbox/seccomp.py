"""The seccomp filter: an allow-list of system calls, as a BPF program that the kernel runs at each call."""

import struct

from .kernel import machine
from .syscalls import ALLOWED, CHECKED

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # BPF: ld [k]; jeq k; jge k; and k; ret k
_KILL, _ALLOW, _EPERM, _ENOSYS = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data; argument i stands at 16 + 8 * i

_CLONE_THREAD = 0x10000
_CLONE_NEW_ANYTHING = 0x7E020080  # all namespaces, that of time among them
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)  # dup, flags, record locks, pipe size (reading); no owner, no signals
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_OWNER = 0o700
_PRCTL = (15, 16)  # PR_SET_NAME, PR_GET_NAME: threads
_FUTURE = 450  # calls newer than this list: "no such call", for which libraries have a second way


def supported() -> bool:
    """Whether the table knows this machine."""
    return machine() in _ARCH


def build(pid: int, threads: bool) -> bytes:
    """The filter for the process `pid`.

    Args:
        pid (`int`):
            The process itself, as it sees itself: the only one that it may signal.
        threads (`bool`):
            Whether it may start threads (never processes).

    Returns:
        `bytes`: BPF instructions, 8 bytes each.
    """
    column = 0 if machine() == "x86_64" else 1
    number = {name: both[column] for name, both in CHECKED.items()}
    rules = [
        _checked(number["kill"], 0, (pid,)),
        _checked(number["tgkill"], 0, (pid,)),
        _checked(number["fcntl"], 1, _FCNTL),
        _checked(number["ioctl"], 1, _IOCTL),
        _checked(number["prctl"], 0, _PRCTL),
        _checked(number["prlimit64"], 0, (0,)),  # its own limits only
        # Directories that can be looked into, since what they hold is measured.
        *([_checked(number["mkdir"], 1, (_OWNER,), _OWNER)] if number["mkdir"] >= 0 else []),
        _checked(number["mkdirat"], 2, (_OWNER,), _OWNER),
        [(_EQUAL, 0, 1, number["clone3"]), (_RETURN, 0, 0, _ENOSYS)],  # its flags cannot be seen here: use clone
    ]
    if threads:
        rules.append(_checked(number["clone"], 0, (_CLONE_THREAD,), _CLONE_THREAD | _CLONE_NEW_ANYTHING))
    allowed = [both[column] for both in ALLOWED.values() if both[column] is not None]
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCH[machine()]),
        (_RETURN, 0, 0, _KILL),  # 32-bit calls on a 64-bit machine
        (_LOAD, 0, 0, _NUMBER),
        *[line for rule in rules for line in rule],
        *[(_EQUAL, len(allowed) + 2 - index, 0, call) for index, call in enumerate(allowed)],
        (_AT_LEAST, 0, 1, _FUTURE),
        (_RETURN, 0, 0, _ENOSYS),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in instructions)


def _checked(call: int, argument: int, values: tuple[int, ...], mask: int | None = None) -> list:
    """Allows `call` when its argument (after the mask) is one of `values`; falls through for other calls."""
    mask_lines = [] if mask is None else [(_AND, 0, 0, mask)]
    tests = [(_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    body = [(_LOAD, 0, 0, 16 + 8 * argument), *mask_lines, *tests, (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), call), *body]
