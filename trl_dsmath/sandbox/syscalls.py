"""The system calls that a program may use: the numbers on x86_64 and on aarch64 (None: that machine has no such call).

What is not listed is refused. Not listed, on purpose: every way to start a process (fork, vfork, execve), every socket,
shared memory and message queues, mount, unshare, setns, chroot, ptrace and reading other processes' memory, changing
owner, mode, times or attributes of files, hard links, locks, memfd, io_uring, bpf, keyctl, perf_event_open, userfaultfd,
setting priorities, ids, clocks and timers that signal.
"""

# fmt: off
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
# Allowed or refused by their arguments: see seccomp.py.
CHECKED: dict[str, tuple[int, int]] = {
    "fcntl": (72, 25), "ioctl": (16, 29), "kill": (62, 129), "tgkill": (234, 131), "clone": (56, 220),
    "mkdir": (83, -1), "mkdirat": (258, 34), "clone3": (435, 435), "prctl": (157, 167), "prlimit64": (302, 261),
}
# fmt: on
