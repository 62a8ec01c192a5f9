"""The seccomp filter: an allow-list of system calls, as a BPF program that the kernel runs at each call.

What is not listed is refused. Not listed, on purpose: every way to start a process (fork, vfork, execve), every socket,
shared memory and message queues, mount, unshare, setns, chroot, ptrace and reading other processes' memory, changing
owner, mode, times or attributes of files, hard links, locks, memfd, io_uring, bpf, keyctl, perf_event_open, userfaultfd,
setting priorities, ids, clocks and timers that signal.
"""

import struct

from .kernel import machine

# fmt: off
# The numbers on x86_64 and on aarch64 (None: that machine has no such call).
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "preadv": (295, 69), "pwritev": (296, 70), "preadv2": (327, 286), "pwritev2": (328, 287),
    "lseek": (8, 62), "close": (3, 57), "close_range": (436, 436), "dup": (32, 23), "dup2": (33, None),
    "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72), "sendfile": (40, 71), "openat": (257, 56), "open": (2, None),
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50),
    "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "symlink": (88, None),
    "symlinkat": (266, 36), "ftruncate": (77, 46), "fsync": (74, 82), "fdatasync": (75, 83),
    "creat": (85, None), "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216),
    "brk": (12, 214), "madvise": (28, 233), "msync": (26, 227), "membarrier": (324, 283), "futex": (202, 98),
    "set_robust_list": (273, 99), "rseq": (334, 293), "set_tid_address": (218, 96), "exit": (60, 93),
    "exit_group": (231, 94), "restart_syscall": (219, 128), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "getcpu": (309, 168), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133),
    "rt_sigpending": (127, 136), "pause": (34, None), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102), "getrusage": (98, 165),
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "getpgrp": (111, None), "getpgid": (121, 155), "getsid": (124, 156), "uname": (63, 160),
    "sysinfo": (99, 179), "getrandom": (318, 278), "wait4": (61, 260), "waitid": (247, 95), "getrlimit": (97, 163),
}
# Allowed or refused by their arguments: see `build`.
CHECKED: dict[str, tuple[int, int]] = {
    "fcntl": (72, 25), "ioctl": (16, 29), "kill": (62, 129), "tgkill": (234, 131), "clone": (56, 220),
    "mkdir": (83, -1), "mkdirat": (258, 34), "clone3": (435, 435), "prctl": (157, 167), "prlimit64": (302, 261),
}
# fmt: on

_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # BPF: ld [k]; jeq k; jge k; and k; ret k
_KILL, _ALLOW, _EPERM, _ENOSYS = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data; argument i is at 16 + 8 * i

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
    """The filter for a process with this number as it sees itself (the only one that it may signal): BPF instructions.

    It may start threads where `threads` says so, never processes.
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
