"""Programs that try to get out of the sandbox, as data: the tests run them as this user, and again as a plain user.

A program prints `held` where it was stopped and `ESCAPED` where it was not. `%(name)s` is filled in with facts of the
host (`Host`): a secret file, a port that somebody listens on, the caller's process id.
"""
# ruff: noqa: UP031

import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from trl_dsmath.sandbox import ExecutionResult, Sandbox

PRELUDE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(body, *arguments):
    try:
        found = body(*arguments)
    except Exception as error:
        print("held", type(error).__name__, error)
    else:
        print("ESCAPED", repr(found)[:200])
def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments]) < 0:
        code = ctypes.get_errno()
        if code not in (1, 38):  # anything else means that the kernel looked at the arguments
            print("ESCAPED: errno", code)
        raise OSError(code, os.strerror(code))
"""


@dataclass(frozen=True)
class Attack:
    """`expect`: what must be in stdout (`held`), or how the run must end (`timeout`, `memory`, `output`, `error`...)."""

    name: str
    code: str
    expect: str = "held"
    timeout: float = 20.0
    prelude: bool = True


def _attempts(bodies: str) -> str:
    return "\n".join(f"attempt(lambda: {body})" for body in bodies.strip().splitlines())


NETWORK = [
    Attack("tcp", "import socket\n" + _attempts('socket.create_connection(("127.0.0.1", %(port)d), 2)')),
    Attack("udp", "import socket\n" + _attempts("socket.socket(2, 2).sendto(b'x', ('127.0.0.1', %(port)d))")),
    Attack("unix_abstract", "import socket\n" + _attempts("socket.socket(socket.AF_UNIX).connect('\\0%(abstract)s')")),
    Attack("unix_path", "import socket\n" + _attempts("socket.socket(socket.AF_UNIX).connect('%(unix)s')")),
    Attack("listen", "import socket\n" + _attempts("socket.create_server(('127.0.0.1', 0))")),
    Attack("netlink", "import socket\n" + _attempts("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)")),
    Attack("raw_packet", "import socket\n" + _attempts("socket.socket(17, 3, 3)")),
    Attack("vsock_alg_bluetooth", "import socket\n" + _attempts("\n".join(f"socket.socket({f}, 1)" for f in (40, 38, 31)))),
    Attack("urllib", "import urllib.request\n" + _attempts("urllib.request.urlopen('http://127.0.0.1:%(port)d/', timeout=2)")),
    Attack("dns", "import socket\n" + _attempts("socket.getaddrinfo('localhost', 80)[0][4][0] if 0 else socket.gethostbyname('example.invalid')")),
]  # fmt: skip

FILES = [
    Attack("read_secret", _attempts("open('%(secret)s').read()")),
    Attack("read_etc", _attempts("open('/etc/passwd').read()\nopen('/etc/shadow').read()\nopen('/etc/hostname').read()")),
    Attack("read_home", _attempts("os.listdir('%(home)s')\nos.listdir('/root/.ssh')\nos.listdir('/home')")),
    Attack("read_repository", _attempts("open('%(test)s').read()")),
    Attack("environ_of_all", "import glob\n" + _attempts("[open(f'/proc/{p}/environ', 'rb').read() for p in ('self', 1, 2, %(pid)d)]\nopen('/proc/%(pid)d/environ').read()\nopen('/proc/1/environ').read()\nglob.glob('/proc/*/environ')[0]")),
    Attack("memory_of_caller", _attempts("open('/proc/%(pid)d/mem', 'rb')\nopen('/proc/self/mem', 'rb')\nopen('/proc/%(pid)d/maps').read()\nopen('/dev/mem', 'rb')\nopen('/proc/kcore', 'rb')")),
    Attack("descriptors_of_caller", _attempts("os.listdir('/proc/%(pid)d/fd')\nos.listdir('/proc/self/fd')\nopen('/proc/%(pid)d/fd/1', 'w')")),
    Attack("root_of_caller", _attempts("open('/proc/1/root%(secret)s').read()\nopen('/proc/%(pid)d/cwd/x').read()\nos.listdir('/.host')")),
    Attack("write_outside", _attempts("open('%(folder)s/made', 'w')\nopen('/etc/made', 'w')\nopen('/usr/made', 'w')\nopen('/made', 'w')\nopen('/dev/made', 'w')\nopen('/dev/shm/made', 'w')\nopen('/var/tmp/made', 'w')")),
    Attack("write_python", _attempts("open(os.__file__, 'a')\nopen(os.path.dirname(os.__file__) + '/made.py', 'w')\nos.unlink(os.__file__)\nos.rename(os.__file__, os.__file__ + '2')\nos.open(os.__file__, os.O_RDONLY | os.O_TRUNC)\nos.truncate(os.__file__, 0)")),
    Attack("write_packages", "import sympy\n" + _attempts("open(sympy.__file__, 'a')\nopen(os.path.dirname(sympy.__file__) + '/made.pth', 'w')\nos.mkdir(os.path.dirname(sympy.__file__) + '/made')")),
    Attack("attributes", _attempts("os.chmod(os.__file__, 0o777)\nos.utime(os.__file__)\nos.chown(os.__file__, os.getuid(), -1)\nos.setxattr(os.__file__, 'user.x', b'1')\nos.chmod('%(secret)s', 0o777)")),
    Attack("symlink", "os.symlink('%(secret)s', 'link')\nos.symlink('/', 'root')\n" + _attempts("open('link').read()\nopen('link', 'w')\nopen('root%(secret)s').read()\nopen('root/etc/passwd').read()")),
    Attack("hardlink", _attempts("os.link('%(secret)s', 'link')\nos.link(os.__file__, 'link')")),
    Attack("dots", _attempts("open('../' * 20 + '%(secret)s'.lstrip('/')).read()\n(os.chdir('/'), os.chdir('..'), open('.' + '%(secret)s').read())")),
    Attack("devices", _attempts("open('/dev/tty', 'w')\nopen('/dev/kmsg')\nopen('/dev/sda', 'rb')\nopen('/dev/vda', 'rb')\nopen('/dev/ptmx')\nopen('/dev/fuse')\nopen('/dev/kvm')\nopen('/dev/loop0')")),
    Attack("mknod", _attempts("os.mknod('node', 0o600 | 0o020000, os.makedev(1, 1))\nos.mkfifo('fifo')")),
    Attack("sys", _attempts("os.listdir('/sys')\nopen('/sys/kernel/uevent_helper').read()\nopen('/proc/sys/kernel/core_pattern').read()\nopen('/proc/sysrq-trigger', 'w')\nos.listdir('/sys/fs/cgroup')")),
    Attack("sockets_of_services", _attempts("os.listdir('/run')\nos.listdir('/var/run')\nopen('/run/docker.sock')")),
    Attack("file_handles", _attempts("call({'x86_64': 303, 'aarch64': 264}['%(machine)s'], -100, 0, 0, 0, 0)\ncall({'x86_64': 304, 'aarch64': 265}['%(machine)s'], 3, 0, 0)")),
    Attack("environment", "value = os.environ.get('SANDBOX_SECRET'); print('ESCAPED' if value or os.environ else 'held')\nenv = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\ni = 0\nwhile env and env[i]:\n    print('ESCAPED' if b'SECRET' in env[i] else 'held'); i += 1"),
    Attack("stack_environment", "address = ctypes.addressof(ctypes.c_char_p.in_dll(libc, '__environ'))\nprint('held')\nlibc.getenv.restype = ctypes.c_char_p\nprint('ESCAPED' if libc.getenv(b'SANDBOX_SECRET') else 'held')"),
    Attack("arguments", "print('ESCAPED' if 'control' in str(sys.argv) + str(getattr(sys, 'orig_argv_', '')) else 'held')"),
]  # fmt: skip

PROCESSES = [
    Attack("fork", _attempts("os.fork()")),
    Attack("fork_bomb", "n = 0\nfor _ in range(5000):\n    try:\n        if os.fork() == 0:\n            os._exit(0)\n        n += 1\n    except OSError:\n        pass\nprint('ESCAPED' if n else 'held')"),
    Attack("vfork_clone", "\n".join("attempt(call, %s)" % n for n in ("{'x86_64': 58, 'aarch64': 435}['%(machine)s']", "{'x86_64': 56, 'aarch64': 220}['%(machine)s'], 17, 0, 0, 0, 0", "435, 0, 88"))),
    Attack("exec", _attempts("os.execv('/bin/true', ['true'])\nos.execv(sys.executable, ['python'])\nos.posix_spawn('/bin/true', ['true'], {})")),
    Attack("subprocess", "import subprocess\n" + _attempts("subprocess.run(['id'], capture_output=True)\nsubprocess.run('id', shell=True)\nsubprocess.Popen([sys.executable, '-c', '1'])")),
    Attack("system", "status = os.system('true')\nprint('ESCAPED' if status == 0 else 'held')"),
    Attack("multiprocessing", "import multiprocessing\n" + _attempts("multiprocessing.get_context('fork').Process(target=print).start()\nmultiprocessing.Pool(1)")),
    Attack("daemon", "def daemon():\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            import time\n            time.sleep(600)\nattempt(daemon)"),
    Attack("kill_others", _attempts("os.kill(%(pid)d, 0)\nos.kill(os.getppid(), 9)\nos.kill(-1, 0)\nos.killpg(0, 9)\nos.kill(2, 9)") + "\nattempt(call, {'x86_64': 62, 'aarch64': 129}['%(machine)s'], -1, 0)"),
    Attack("signal_queue", "\n".join("attempt(call, %s)" % n for n in ("{'x86_64': 129, 'aarch64': 138}['%(machine)s'], %(pid)d, 9, 0", "{'x86_64': 297, 'aarch64': 240}['%(machine)s'], %(pid)d, %(pid)d, 9, 0", "434, %(pid)d, 0", "424, 3, 9, 0, 0", "{'x86_64': 200, 'aarch64': 130}['%(machine)s'], %(pid)d, 9"))),
    Attack("signal_by_owner", "import fcntl\nr, w = os.pipe()\n" + _attempts("fcntl.fcntl(r, 8, %(pid)d)\nfcntl.fcntl(r, 10, 9)")),
    Attack("setsid", _attempts("os.setsid()\nos.setpgid(0, 0)")),
    Attack("ids", _attempts("os.setuid(0)\nos.setresuid(0, 0, 0)\nos.setgid(0)\nos.setgroups([0])")),
    Attack("priority", _attempts("os.setpriority(0, 0, 5)\nos.nice(-5)\nos.sched_setaffinity(0, {0})\nos.sched_setscheduler(0, 1, os.sched_param(1))")),
    Attack("thread_bomb", "import threading, time\nthreading.stack_size(32768)\nstarted = 0\ntry:\n    for _ in range(3000):\n        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()\n        started += 1\nexcept Exception:\n    pass\nprint('ESCAPED' if started > 200 else 'held', started)", "bounded", 3.0),
    Attack("stop_itself", "import signal\ntry:\n    os.kill(os.getpid(), signal.SIGSTOP)\nexcept OSError:\n    pass\nimport time\ntime.sleep(60)", "timeout", 0.4),
    Attack("deaf", "import signal, time\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True:\n    time.sleep(1)", "timeout", 0.4),
]  # fmt: skip

LIMITS = [
    Attack("endless_loop", "while True: pass", "timeout", 0.4),
    Attack("sleep", "import time\ntime.sleep(100)", "timeout", 0.4),
    Attack("endless_c", "10 ** 10 ** 9", "timeout", 0.4),
    Attack("endless_sympy", "import sympy\nsympy.factorint(2 ** 521 * 3 + 10 ** 180 + 7)\nwhile True: sympy.Symbol('x')", "timeout", 0.6),
    Attack("endless_except", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", "timeout", 0.4),
    Attack("endless_threads", "import threading\ndef spin():\n    while True: pass\ntry:\n    for _ in range(8): threading.Thread(target=spin).start()\nexcept RuntimeError: pass\nspin()", "timeout", 0.4),
    Attack("endless_atexit", "import atexit\ndef spin():\n    while True: pass\natexit.register(spin)", "timeout", 0.4),
    Attack("closed_output_then_sleep", "import time\nfor n in range(10):\n    try: os.close(n)\n    except OSError: pass\ntime.sleep(60)", "timeout", 0.4),
    Attack("change_clock", "import time\n" + _attempts("time.clock_settime(0, 0)") + "\ntime.sleep(60)", "timeout", 0.4),
    Attack("raise_limits", "import resource\n" + _attempts("resource.setrlimit(resource.RLIMIT_NOFILE, (100000, 100000))\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\nresource.prlimit(%(pid)d, resource.RLIMIT_AS)")),
    Attack("memory_list", "x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
    Attack("memory_string", "x = 'a' * (1 << 32)", "memory"),
    Attack("memory_malloc", "libc.malloc.restype = ctypes.c_void_p\ntaken = 0\nwhile (p := libc.malloc(ctypes.c_size_t(1 << 24))):\n    ctypes.memset(p, 1, 1 << 24); taken += 16\nprint('ESCAPED' if taken > 160 else 'held', taken)"),
    Attack("memory_mmap", "import mmap\nx = []\ndef grow():\n    for _ in range(64):\n        x.append(mmap.mmap(-1, 1 << 24)); x[-1].write(b'x' * (1 << 24))\nattempt(grow)"),
    Attack("memory_numpy", "import numpy\n" + _attempts("numpy.ones(1 << 28)")),
    Attack("memory_small", "x = {}\nwhile True: x[len(x)] = str(len(x)) * 10", "memory"),
    Attack("memory_recursion_data", "x = []\nfor _ in range(10 ** 9): x = [x, x * 2]", "memory"),
    Attack("memory_memfd", "attempt(lambda: os.memfd_create('x'))\nattempt(call, 447, 0)"),
    Attack("memory_shm", "\n".join("attempt(call, %s)" % n for n in ("{'x86_64': 29, 'aarch64': 194}['%(machine)s'], 0, 1 << 24, 0o1600",)) + "\nfrom multiprocessing import shared_memory\n" + _attempts("shared_memory.SharedMemory(create=True, size=1 << 24)")),
    Attack("disk_fill", "def fill():\n    with open('big', 'wb') as f:\n        for _ in range(64): f.write(b'x' * (1 << 20)); f.flush()\nattempt(fill)"),
    Attack("disk_many", "def fill():\n    for n in range(20):\n        with open(f'f{n}', 'wb') as f: f.write(b'x' * (1 << 20))\n    import time\n    time.sleep(5)\nattempt(fill)", "disk"),
    Attack("disk_deleted", "import time\nkept = []\ndef fill():\n    for n in range(40):\n        f = open('f', 'wb'); kept.append(f); os.unlink('f')\n        f.write(b'x' * (1 << 20)); f.flush()\n    time.sleep(5)\nattempt(fill)", "disk"),
    Attack("disk_hidden_directory", "import time\ndef fill():\n    os.mkdir('z', 0o300)\n    for n in range(10): open(f'z/{n}', 'wb').write(bytes(15 << 20))\n    time.sleep(5)\nattempt(fill)", "held"),
    Attack("disk_umask", "attempt(os.umask, 0o777)", "held"),
    Attack("disk_deep_paths", "import time\ndef fill():\n    for n in range(20): os.mkdir('d' * 250); os.chdir('d' * 250)\n    for n in range(8): open(str(n), 'wb').write(bytes(15 << 20))\n    time.sleep(5)\nattempt(fill)", "disk"),
    Attack("disk_deep_tree", "for n in range(1500): os.mkdir('d'); os.chdir('d')\nprint('held')", "held"),
    Attack("disk_deleted_files", "import time\ndef fill():\n    kept = []\n    for n in range(8):\n        f = open(str(n), 'wb'); f.write(bytes(15 << 20)); f.flush(); kept.append(f); os.unlink(str(n))\n        time.sleep(0.2)\nattempt(fill)", "disk"),
    Attack("disk_inodes", "import time\ndef fill():\n    for n in range(8000): os.mkdir(str(n))\n    time.sleep(5)\nattempt(fill)", "disk"),
    Attack("open_files", "kept = []\ndef grow():\n    for _ in range(5000): kept.append(open('/dev/null'))\nattempt(grow)"),
    Attack("pipes", "import fcntl\nkept = []\ndef grow():\n    for _ in range(1000): kept.append(os.pipe())\nattempt(grow)\nkept.clear()"),
    Attack("endless_output", "while True: print('x' * 1000)", "output"),
    Attack("endless_stderr", "while True: print('x' * 1000, file=sys.stderr)", "output"),
    Attack("one_huge_line", "print('x' * (1 << 25))", "output"),
    Attack("endless_write", "while True: os.write(1, b'x' * 65536)", "output"),
    Attack("recursion", "def f(n): return f(n + 1)\nf(0)", "error"),
    Attack("stack_overflow", "sys.setrecursionlimit(10 ** 8)\nx = []\nfor _ in range(100000): x = [x]\nrepr(x)", "error"),
    Attack("parser_overflow", "eval('(' * 100000)", "error"),
    Attack("segfault", "ctypes.string_at(0)", "error"),
    Attack("abort", "os.abort()", "error"),
    Attack("illegal_free", "libc.free(ctypes.c_void_p(12345))", "error"),
]  # fmt: skip

_CALLS = {  # numbers on x86_64 and aarch64; each must be refused before the kernel looks at its arguments
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_setup": (206, 0), "userfaultfd": (323, 282),
    "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "execveat": (322, 281), "kcmp": (312, 272),
    "personality": (135, 92), "settimeofday": (164, 170), "sethostname": (170, 161), "syslog": (103, 116),
    "reboot": (169, 142), "init_module": (175, 105), "kexec_load": (246, 104), "acct": (163, 89),
    "swapon": (167, 224), "quotactl": (179, 60), "fanotify_init": (300, 262), "mlockall": (151, 230),
    "open_tree": (428, 428), "fsopen": (430, 430), "mount_setattr": (442, 442), "pidfd_getfd": (438, 438),
    "seccomp": (317, 277), "landlock": (444, 444), "capset": (126, 91), "sendmsg": (46, 211), "vmsplice": (278, 75),
    "timer_create": (222, 107), "flock": (73, 32), "tkill": (200, 130), "sync": (162, 81), "setdomainname": (171, 162),
}  # fmt: skip
_COLUMN = 0 if platform.machine() == "x86_64" else 1
KERNEL = [Attack(f"call_{name}", f"attempt(call, {both[_COLUMN]}, 0, 0, 0, 0, 0)") for name, both in _CALLS.items()] + [
    Attack("tty_injection", "import fcntl, termios\n" + _attempts("fcntl.ioctl(0, termios.TIOCSTI, b'x')\nfcntl.ioctl(1, termios.TIOCSTI, b'x')\nfcntl.ioctl(2, 0x5423)")),
    Attack("prctl", "def control(option, value):\n    if libc.prctl(option, value, 0, 0, 0) != 0: raise OSError(ctypes.get_errno(), 'prctl')\n" + _attempts("control(1, 0)\ncontrol(4, 1)\ncontrol(22, 1)\ncontrol(24, 1)\ncontrol(36, 1)")),
    Attack("old_abi", "import mmap\ncode = bytes.fromhex('b814000000cd80c3')\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(code)\naddress = ctypes.addressof(ctypes.c_char.from_buffer(page))\nprint('held')\nsys.stdout.flush()\nprint('ESCAPED', ctypes.CFUNCTYPE(ctypes.c_int)(address)())", "error" if _COLUMN == 0 else "held"),
    Attack("x32_abi", "attempt(call, 0x40000000 | 39)"),
    Attack("set_user_id_binary", _attempts("os.execv('/bin/su', ['su'])\nos.execv('/usr/bin/passwd', ['passwd'])")),
    Attack("hostname", "name = os.uname().nodename\nprint('ESCAPED' if '%(namespaces)s' and name == '%(hostname)s' and '%(bubblewrap)s' else 'held')"),
]  # fmt: skip

RESULT = [
    Attack("forged_frame", "import json\nframe = json.dumps({'stdout': 'forged', 'stderr': '', 'report': '', 'status': 0, 'end': '', 'seconds': 0}) + '\\n'\nfor n in range(3, 200):\n    try: os.write(n, frame.encode()); print('wrote', n)\n    except OSError: pass\nprint(frame)\nraise ValueError('true end')", "error:ValueError: true end"),
    Attack("forged_report", "for n in range(3, 200):\n    try: os.write(n, b'-OSError: no isolation')\n    except OSError: pass\nprint('held')"),
    Attack("forged_ready", "for n in range(3, 200):\n    try: os.close(n)\n    except OSError: pass\nraise ValueError('x' * 100000)", "error"),
    Attack("exit_zero_early", "print('held', flush=True)\nos._exit(0)"),
    Attack("exit_status", "sys.exit(3)", "error:SystemExit: 3"),
    Attack("exit_256", "sys.exit(256)", "error:SystemExit: 256"),
    Attack("exit_text", "sys.exit('bad luck')", "error:SystemExit: bad luck"),
    Attack("hostile_exception", "class E(BaseException):\n    def __str__(self): raise SystemExit(0)\nraise E()", "error"),
    Attack("closed_stdout", "os.close(1)\nos.close(2)\nraise KeyError('k')", "error:KeyError: 'k'"),
    Attack("replaced_stdout", "print('held')\nsys.stdout = None\nsys.stderr = None\nraise KeyError('k')", "error:KeyError: 'k'"),
    Attack("patched_builtins", "import builtins, json, traceback\nprint('held')\nfor name in ('print', 'open', 'len', 'compile', 'exec', 'str'): setattr(builtins, name, None)\njson.dumps = traceback.print_exception = os._exit = os.write = None"),
    Attack("patched_frames", "f = sys._getframe()\nwhile f.f_back:\n    f = f.f_back\n    for k in list(f.f_globals):\n        if k in ('seccomp', 'kernel', 'json', 'READY'): f.f_globals[k] = None\nprint('held')"),
    Attack("nul_bytes", "print('a\\0b held')"),
    Attack("bytes_that_are_no_text", "os.write(1, b'\\xff\\xfe held \\xed\\xa0\\x80')"),
    Attack("surrogate_output", "print('\\ud800 held')"),
    Attack("code_with_nul", "print('ESCAPED')\0", "error", prelude=False),
    Attack("code_with_surrogate", "print('ESCAPED \ud800')", "error", prelude=False),
    Attack("code_too_long", "#" * (2 << 20), "error", prelude=False),
    Attack("code_long", "x = 0\n" + "x += 1\n" * 60000 + "print('held', x)", "held", prelude=False),
    Attack("code_nested", "x = " + "-" * 200000 + "1", "error", prelude=False),
    Attack("code_empty_error", "def f(:\n", "error", prelude=False),
    Attack("input", "input()", "error:EOFError: EOF when reading a line"),
]  # fmt: skip

BENIGN = [
    Attack("sympy", "import sympy\nx = sympy.symbols('x')\nprint('held', sympy.solve(x**2 - 5*x + 6, x), sympy.integrate(x**2, (x, 0, 3)))", "held [2, 3] 9", prelude=False),
    Attack("sympy_star", "from sympy import *\nprint('held', simplify(sin(pi/3)**2), Matrix([[1, 2], [3, 4]]).det(), nsolve(cos(Symbol('t')) - Symbol('t'), 1))", "held 3/4 -2 0.739085133215161", prelude=False),
    Attack("numpy", "import numpy as np\nprint('held', np.linalg.solve([[2., 0.], [0., 4.]], [2., 8.]), np.roots([1, -3, 2]))", "held [1. 2.] [2. 1.]", prelude=False),
    Attack("exit", "print('held')\nexit()", "held", prelude=False),
    Attack("tempfile", "import tempfile, pathlib, shutil\nwith tempfile.TemporaryDirectory() as d:\n    p = pathlib.Path(d, 'x'); p.write_text('held'); print(p.read_text())\nwith tempfile.NamedTemporaryFile('w+') as f: f.write('x')\nopen('own', 'w').write('a'); os.rename('own', 'own2'); print(open('own2').read())", "held"),
    Attack("fractions", "from fractions import Fraction\nfrom itertools import *\nfrom decimal import *\nimport math, random, statistics, collections, datetime\nprint('held', Fraction(1, 3) + Fraction(1, 6), math.comb(10, 3), sum(1 for _ in permutations(range(6))))", "held 1/2 120 720", prelude=False),
    Attack("unicode", "print('held 你好 ½ 😀')", "held 你好 ½ 😀", prelude=False),
    Attack("main_guard", "def main():\n    print('held')\nif __name__ == '__main__':\n    main()", "held", prelude=False),
    Attack("dataclass_pickle", "import pickle\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nprint('held', pickle.loads(pickle.dumps(P(3))).x)", "held 3", prelude=False),
    Attack("alarm", "import signal\ndef late(*_): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.5)\nimport time\ntry:\n    time.sleep(5)\nexcept TimeoutError: print('held')", "held", prelude=False),
    Attack("mpmath_gmp", "import mpmath\nmpmath.mp.dps = 50\nprint('held', mpmath.nstr(mpmath.zeta(3), 30))", "held 1.20205690315959428539973816151", prelude=False),
    Attack("lazy_imports", "import asyncio, unittest, xml.dom.minidom, sqlite3, sympy.physics.units, sympy.stats, sympy.geometry\nprint('held', sympy.stats.P(sympy.stats.Die('D', 6) > 4))", "held 1/3", prelude=False),
    Attack("exit_hooks", "import atexit\natexit.register(print, 'held')", "held", prelude=False),
]  # fmt: skip

ATTACKS = [*NETWORK, *FILES, *PROCESSES, *LIMITS, *KERNEL, *RESULT, *BENIGN]


class Host:
    """What an attack could reach on this machine: a secret, a listener, this process."""

    def __init__(self, backend: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="dsmath-host-")
        os.chmod(self.folder, 0o777)
        self.secret = Path(self.folder, "secret.txt")
        self.secret.write_text("the secret")
        self.secret.chmod(0o666)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.tcp.setblocking(False)
        self.unix, self.abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(f"{self.folder}/socket")
        self.unix.listen()
        self.abstract.bind(f"\0{self.folder}")
        self.abstract.listen()
        os.environ["SANDBOX_SECRET"] = "the secret"
        self.facts = {
            "port": self.tcp.getsockname()[1],
            "unix": f"{self.folder}/socket",
            "abstract": self.folder,
            "secret": self.secret,
            "folder": self.folder,
            "home": Path.home(),
            "test": Path(__file__).resolve(),
            "pid": os.getpid(),
            "machine": platform.machine(),
            "hostname": platform.node(),
            "namespaces": "1" if backend != "landlock" else "",
            "bubblewrap": "1" if backend == "bubblewrap" else "",
        }

    def touched(self) -> str | None:
        """What an attack changed, or None."""
        if self.secret.read_text() != "the secret" or self.secret.stat().st_mode & 0o777 != 0o666:
            return "the secret file was changed"
        if sorted(os.listdir(self.folder)) != ["secret.txt", "socket"]:
            return f"files were made: {os.listdir(self.folder)}"
        try:
            self.tcp.accept()
        except BlockingIOError:
            return None
        return "a connection arrived"

    def close(self) -> None:
        for listener in (self.tcp, self.unix, self.abstract):
            listener.close()
        shutil.rmtree(self.folder)


def execute(sandbox: Sandbox, attack: Attack, host: Host) -> str | None:
    """Runs one attack and a benign program after it; returns what went wrong, or None."""
    code = fill(attack, host)
    started = time.monotonic()
    result = sandbox.run(code, timeout=attack.timeout, memory_mb=128)
    if time.monotonic() - started > 10 * attack.timeout + 30:
        return "the caller was held up"
    wrong = _judge(attack, result) or host.touched()
    if wrong:
        return f"{wrong}: {str(result)[:1500]}"
    if attack.name.startswith("call_"):
        return None
    after = sandbox.run("import sympy, os; print(sympy.sqrt(8), os.listdir('.'), len(os.environ))", timeout=30)
    if (after.stdout, after.error) != ("2*sqrt(2) [] 0\n", None):
        return f"the next run went wrong: {after}"
    return None


def fill(attack: Attack, host: Host) -> str:
    return PRELUDE + _filled(attack.code, host.facts) if attack.prelude else attack.code


def _filled(code: str, facts: dict) -> str:
    for name, value in facts.items():
        code = code.replace(f"%({name})s", str(value)).replace(f"%({name})d", str(value))
    return code


def _judge(attack: Attack, result: ExecutionResult) -> str | None:
    expect, error = attack.expect, result.error or ""
    if "ESCAPED" in result.stdout:
        return "escaped"
    if expect == "bounded":  # Python itself may hang where it cannot start a thread: the clock ends that
        return None if "held" in result.stdout or result.timed_out else "neither held nor stopped"
    if result.timed_out != (expect == "timeout"):
        return "timed out" if result.timed_out else "was not stopped by the clock"
    if expect == "timeout":
        right = error.startswith("TimeoutError: stopped after")
    elif expect == "output":
        right = error.startswith("OutputLimitError") and len(result.stdout) <= 1 << 20
    elif expect == "memory":
        right = error.startswith(("MemoryError", "Killed"))
    elif expect == "disk":  # refused by the file system, or ended by the supervisor that measures
        right = "held OSError" in result.stdout or error.startswith("DiskLimitError")
    elif expect.startswith("error"):
        right = result.error is not None and (":" not in expect or result.error == expect[6:])
    else:
        right = result.error is None and expect in result.stdout
    return None if right else f"expected {expect}"


if __name__ == "__main__":  # as another user: python attacks.py BACKEND -> JSON
    with Sandbox(sys.argv[1]) as box:
        target = Host(sys.argv[1])
        wrong = {attack.name: found for attack in ATTACKS if (found := execute(box, attack, target))}
        target.close()
    print(json.dumps({"user": os.getuid(), "attacks": len(ATTACKS), "wrong": wrong}))
