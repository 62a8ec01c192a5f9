"""Landlock: which files the program may open, decided by the kernel whatever else is mounted.

It needs no privilege. It covers opening, listing, making and removing files, TCP, abstract Unix sockets and signals to
processes outside. It does not cover looking at names and sizes (`stat`), which the namespaces do.
"""

import os
import struct
from collections.abc import Sequence

from . import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR  # EXECUTE: shared libraries are mapped for execution
_PRIVATE = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM
ENOUGH_ALONE = 3  # the version that knows truncation (Linux 6.2): below it, other walls must stand as well


def version() -> int:
    """The version that the kernel offers; 0 for none."""
    return kernel.landlock_abi()


def restrict(readable: Sequence[str], devices: Sequence[str], private: str) -> None:
    """Limits this process for good to reading below `readable`, using `devices` and writing below `private`.

    Raises:
        OSError: the kernel has no Landlock, or a path cannot be opened.
    """
    abi = version()
    files = (1 << 13) - 1  # all that version 1 knows
    if abi >= 2:
        files |= _REFER
    if abi >= 3:
        files |= _TRUNCATE
    if abi >= 5:
        files |= _IOCTL_DEV
    network = 3 if abi >= 4 else 0  # bind and connect of TCP
    scoped = 3 if abi >= 6 else 0  # abstract Unix sockets, signals
    ruleset = kernel.landlock_ruleset(struct.pack("=QQQ", files, network, scoped)[: 8 * (1 + (abi >= 4) + (abi >= 6))])
    writable = _PRIVATE | (_TRUNCATE if abi >= 3 else 0) | (_REFER if abi >= 2 else 0)
    for path in readable:
        _allow(ruleset, path, _READ if os.path.isdir(path) else _EXECUTE | _READ_FILE)
    for path in devices:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE | (_TRUNCATE if abi >= 3 else 0))
    _allow(ruleset, private, writable)
    kernel.landlock_enforce(ruleset)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    kernel.landlock_allow(ruleset, struct.pack("=Qi", rights, descriptor))
    os.close(descriptor)
