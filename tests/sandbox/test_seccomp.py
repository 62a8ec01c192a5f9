"""The seccomp filter, interpreted by hand: what the kernel would decide, on both machines."""

import struct

import pytest

from trl_dsmath.sandbox import seccomp
from trl_dsmath.sandbox.seccomp import ALLOWED, CHECKED

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x50001, 0x50026, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def decide(program: bytes, arch: int, call: int, *arguments: int) -> int:
    """Runs a BPF program on one `struct seccomp_data`."""
    data = struct.pack("=iIQ6Q", call, arch, 0, *(arguments + (0,) * 6)[:6])
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    value, at = 0, 0
    while True:
        code, yes, no, k = lines[at]
        at += 1
        if code == 0x20:
            value = struct.unpack_from("=I", data, k)[0]
        elif code == 0x54:
            value &= k
        elif code == 0x15:
            at += yes if value == k else no
        elif code == 0x35:
            at += yes if value >= k else no
        else:
            assert code == 0x06
            return k


@pytest.fixture(params=["x86_64", "aarch64"])
def column(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    monkeypatch.setattr(seccomp, "machine", lambda: request.param)
    return request.param, list(ARCH).index(request.param)


def test_decisions(column: tuple[str, int]) -> None:
    machine, index = column
    program, arch = seccomp.build(7, threads=True), ARCH[machine]
    checked = {name: both[index] for name, both in CHECKED.items()}
    for both in ALLOWED.values():
        if both[index] is not None:
            assert decide(program, arch, both[index]) == ALLOW
    known = {both[index] for both in ALLOWED.values()} | set(checked.values())
    for call in range(450):
        if call not in known:
            assert decide(program, arch, call) == EPERM
    assert decide(program, arch, 460) == decide(program, arch, 0x40000001) == ENOSYS
    other = ARCH["x86_64" if machine == "aarch64" else "aarch64"]
    assert decide(program, other, 0) == decide(program, 0x40000003, 0) == KILL  # i386: other numbers
    thread = 0x3D0F00
    cases = [
        ("clone", (thread,), ALLOW),
        ("clone", (17,), EPERM),  # a process
        ("clone", (thread | 0x10000000,), EPERM),  # a user namespace
        ("clone3", (), ENOSYS),
        ("kill", (7, 9), ALLOW),
        ("kill", (1, 9), EPERM),
        ("kill", (2**64 - 1, 9), EPERM),
        ("tgkill", (7, 8, 9), ALLOW),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), EPERM),  # TIOCSTI
        ("ioctl", (0, 0x541C), EPERM),  # TIOCLINUX
        ("fcntl", (0, 3), ALLOW),
        ("fcntl", (0, 8), EPERM),  # F_SETOWN
        ("fcntl", (0, 1031), EPERM),  # F_SETPIPE_SZ
        ("prctl", (15,), ALLOW),
        ("prctl", (1,), EPERM),  # PR_SET_PDEATHSIG
        ("prlimit64", (0, 9), ALLOW),
        ("prlimit64", (1, 9), EPERM),
    ]
    for name, arguments, verdict in cases:
        assert decide(program, arch, checked[name], *arguments) == verdict, (name, arguments)
    assert decide(seccomp.build(7, threads=False), arch, checked["clone"], thread) == EPERM


def test_the_tables_name_each_call_once() -> None:
    for index in (0, 1):
        numbers = [both[index] for both in [*ALLOWED.values(), *CHECKED.values()] if both[index] is not None]
        assert len(numbers) == len(set(numbers))
    forbidden = {"execve", "execveat", "fork", "vfork", "socket", "ptrace", "mount", "unshare", "bpf", "memfd_create"}
    assert not forbidden & set(ALLOWED)
