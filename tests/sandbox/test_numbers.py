"""The numbers of system calls and flags are those of the kernel's own headers, and what Landlock is told is worked by hand."""

import os
import re
import struct
from pathlib import Path

import pytest

from trl_dsmath.sandbox import isolation, kernel, seccomp

HEADERS = Path("/usr/include")
pytestmark = pytest.mark.skipif(not (HEADERS / "linux").is_dir(), reason="no kernel headers (linux-libc-dev) here")


def defined(*names: str) -> dict[str, int]:
    """What headers define as a number, a shift, or another name for one."""
    text = "".join((HEADERS / name).read_text() for name in names)
    said = dict(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([-\w(][\w<() ]*)", text, re.MULTILINE))
    found = {}
    for name, value in said.items():
        value = re.sub(r"(?<=\d)U?L*\b", "", said.get(value.strip(), value)).strip()
        if re.fullmatch(r"\(?(-?(?:0x)?[\da-fA-F]+)(?: *<< *(\d+))?\)?", value):
            number, _, shift = value.strip("()").partition("<<")
            found[name] = int(number, 0) << int(shift or 0)
    return found


@pytest.mark.parametrize(("column", "header"), [(0, "x86_64-linux-gnu/asm/unistd_64.h"), (1, "asm-generic/unistd.h")])
def test_system_calls(column: int, header: str) -> None:
    if not (HEADERS / header).is_file():
        pytest.skip(f"no {header} here")
    numbers = defined(header)
    for name, both in {**seccomp.ALLOWED, **seccomp.CHECKED}.items():
        number = numbers.get(f"__NR_{name}", numbers.get(f"__NR3264_{name.replace('newfstatat', 'fstatat')}"))
        if (number is None) == (both[column] in (None, -1)):
            assert number is None or number == both[column], name
        else:  # the generic table has names of 32-bit machines too
            assert column == 1 and both[column] is None, name
    machine = ("x86_64", "aarch64")[column]
    for table, name in ((kernel._PIVOT_ROOT, "pivot_root"), (kernel._CAPSET, "capset")):
        assert table[machine] == numbers[f"__NR_{name}"]
    for name in ("mount_setattr", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
        assert getattr(kernel, f"_{name.upper()}") == numbers[f"__NR_{name}"], name


def test_flags() -> None:
    numbers = defined(*(f"linux/{name}.h" for name in ("sched", "mount", "prctl", "fcntl", "seccomp", "landlock")))
    for name in vars(kernel):
        if name.startswith(("CLONE_", "MS_", "_PR_")) or name in ("_AT_RECURSIVE", "_AT_FDCWD"):
            assert getattr(kernel, name) == numbers[name.lstrip("_")], name
    assert sum(numbers[f"MOUNT_ATTR_{name}"] for name in ("RDONLY", "NOSUID", "NODEV")) == kernel._MOUNT_ATTR_RDONLY_NOSUID_NODEV  # fmt: skip
    returned = {"_KILL": "KILL_PROCESS", "_ALLOW": "ALLOW"}
    for ours, theirs in returned.items():
        assert getattr(seccomp, ours) == numbers[f"SECCOMP_RET_{theirs}"]
    namespaces = {name: value for name, value in numbers.items() if re.fullmatch("CLONE_NEW[A-Z]+", name)}
    assert sum(namespaces.values()) == seccomp._CLONE_NEW_ANYTHING and numbers["CLONE_THREAD"] == seccomp._CLONE_THREAD
    assert sum(namespaces.values()) - numbers["CLONE_NEWTIME"] == isolation._ALL_NAMESPACES


ACCESS = {
    "EXECUTE": 0, "WRITE_FILE": 1, "READ_FILE": 2, "READ_DIR": 3, "REMOVE_DIR": 4, "REMOVE_FILE": 5, "MAKE_DIR": 7,
    "MAKE_REG": 8, "MAKE_SYM": 12, "REFER": 13, "TRUNCATE": 14,
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "handled", "refer", "truncate"),
    [
        (1, [0x1FFF], 0, 0),
        (2, [0x3FFF], 1, 0),
        (3, [0x7FFF], 1, 1),
        (4, [0x7FFF, 3], 1, 1),  # TCP: bind and connect
        (5, [0xFFFF, 3], 1, 1),  # ioctl of devices
        (6, [0xFFFF, 3, 3], 1, 1),  # abstract sockets and signals
    ],
)
def test_landlock(
    version: int, handled: list[int], refer: int, truncate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = defined("linux/landlock.h")
    for name, bit in ACCESS.items():  # older headers do not know the last ones
        assert numbers.get(f"LANDLOCK_ACCESS_FS_{name}", 1 << bit) == 1 << bit

    def bits(*names: str) -> int:
        return sum(1 << ACCESS[name] for name in names)

    (tmp_path / "private").mkdir()
    (tmp_path / "file").touch()
    rulesets: list[bytes] = []
    rules: list[tuple[str, int]] = []
    enforced: list[int] = []

    def allow(ruleset: int, rule: bytes) -> None:
        allowed, descriptor = struct.unpack("=Qi", rule)
        rules.append((Path(f"/proc/self/fd/{descriptor}").resolve().name, allowed))

    monkeypatch.setattr(kernel, "landlock_version", lambda: version)
    monkeypatch.setattr(
        kernel, "landlock_ruleset", lambda told: rulesets.append(told) or os.open("/dev/null", os.O_RDONLY)
    )
    monkeypatch.setattr(kernel, "landlock_allow", allow)
    monkeypatch.setattr(kernel, "landlock_enforce", enforced.append)
    monkeypatch.setattr(
        isolation.os, "close", lambda number, close=isolation.os.close: number == 1000 or close(number)
    )
    isolation.restrict_files([str(tmp_path), str(tmp_path / "file")], ["/dev/null"], str(tmp_path / "private"))
    assert rulesets == [struct.pack(f"={len(handled)}Q", *handled)] and len(enforced) == 1
    writing = truncate * bits("TRUNCATE")
    private = ("READ_FILE", "READ_DIR", "WRITE_FILE", "REMOVE_DIR", "REMOVE_FILE", "MAKE_DIR", "MAKE_REG", "MAKE_SYM")
    assert rules == [
        (tmp_path.name, bits("EXECUTE", "READ_FILE", "READ_DIR")),
        ("file", bits("EXECUTE", "READ_FILE")),
        ("null", bits("READ_FILE", "WRITE_FILE") + writing),
        ("private", bits(*private) + writing + refer * bits("REFER")),
    ]
