"""What a caller sees: results, errors, limits, parallel use, and every way in which Python starts a process."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trl_dsmath.errors import ConfigError, SandboxError
from trl_dsmath.sandbox import ExecutionResult, Sandbox, job, run_many, run_python, supervisor, unsafe
from trl_dsmath.sandbox.job import Limits
from trl_dsmath.sandbox.zygote import refusal_of

LAYERS = {
    "bubblewrap": ("bubblewrap", "namespaces", "landlock", "seccomp", "rlimits"),
    "namespaces": ("namespaces", "landlock", "seccomp", "rlimits"),
    "landlock": ("landlock", "seccomp", "rlimits"),
}


IDLE = {"bubblewrap": 2, "namespaces": 1, "landlock": 0}  # processes below the first one while nothing runs


@pytest.fixture(scope="module")
def box(any_possible: bool) -> Sandbox:
    """The isolation backend that this machine uses by default."""
    sandbox = Sandbox()
    try:
        sandbox.run("")
    except SandboxError as error:
        if any_possible:
            raise
        pytest.skip(str(error))
    return sandbox


def test_result(backend: str, sandbox: Sandbox) -> None:
    result = sandbox.run("import sympy\nprint(sympy.sqrt(8))")
    assert (result.stdout, result.error, result.timed_out, result.stderr) == ("2*sqrt(2)\n", None, False, "")
    assert [layer for layer in LAYERS[backend] if layer != "landlock" or layer in result.layers] == list(result.layers)
    assert result.seconds > 0


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = 1\nprint(y)", "NameError: name 'y' is not defined"),
        ("raise ValueError('two\\nlines')", "ValueError: two\nlines"),
        ("class MyError(Exception): pass\nraise MyError('own')", "MyError: own"),
        ("assert 1 == 2", "AssertionError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit", None),
        ("exit()", None),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise SystemExit(256)", "SystemExit: 256"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("import os; os._exit(3)", "SystemExit: 3"),
        ("input()", "EOFError: EOF when reading a line"),
        ("\ufeffprint(1)", None),
        ("raise ValueError('x' * 20000)", "ValueError: " + "x" * (8192 - 12)),
    ],
)
def test_error(box: Sandbox, code: str, error: str | None) -> None:
    if code == "exit()":
        code = "import sys; sys.exit()"
    assert box.run(code).error == error


def test_traceback_is_that_of_the_program(box: Sandbox) -> None:
    result = box.run("def f():\n    return 1 / 0\nprint('before')\nf()")
    assert result.stdout == "before\n"
    assert result.stderr.startswith('Traceback (most recent call last):\n  File "<program>", line 4, in <module>\n')
    assert "trl_dsmath" not in result.stderr
    error = box.run("x = = 1").error
    assert error is not None
    assert error.startswith('File "<program>", line 1\n') and error.endswith("SyntaxError: invalid syntax")


def test_a_program_is_ended_as_python_ends_one(backend: str, sandbox: Sandbox) -> None:
    """Threads that are no daemons are waited for, then what was registered runs; what has no newline is not lost."""
    code = "import atexit, sys, threading, time\natexit.register(print, 'last', end='')\n"
    if threads := backend == "namespaces":  # the others have none when root uses them
        code += "def late():\n    time.sleep(0.3)\n    print('late')\nthreading.Thread(target=late).start()\n"
        code += "threading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n"
    code += "print('caf\u00e9 \\ud800', __name__, sys.argv)\nprint('!', end='', file=sys.stderr)"
    result = sandbox.run(code)
    assert result.stdout == "caf\u00e9 \\ud800 __main__ ['<program>']\n" + threads * "late\n" + "last"
    assert (result.stderr, result.error) == ("!", None)


def test_what_a_program_finds(backend: str, sandbox: Sandbox) -> None:
    """Limits, an empty environment and an empty directory of its own; memory comes on top of the interpreter."""
    code = (
        "import json, os, resource, tempfile\n"
        "names = 'CORE CPU FSIZE MEMLOCK NOFILE NPROC STACK AS'.split()\n"
        "limits = {name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in names}\n"
        "here = os.listdir(), len(os.environ), tempfile.gettempdir() == os.getcwd(), os.getsid(0) == os.getpid()\n"
        "open('file', 'w').write('1')\n"
        "print(json.dumps([limits, here]))"
    )
    found = [json.loads(sandbox.run(code, 2.5, memory, 3).stdout) for memory in (100, 300)]
    (limits, here), (others, _) = found
    assert here == [[], 0, True, True]
    cores = os.cpu_count() or 1
    wanted = {"CORE": 0, "CPU": 2 * cores + 2, "FSIZE": 3 << 20, "MEMLOCK": 0, "NOFILE": 64, "NPROC": 128, "STACK": 8 << 20}  # fmt: skip
    for name, value in wanted.items():
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
        assert limits[name] == [value if hard < 0 else min(value, hard)] * 2, name
    assert others["AS"][0] - limits["AS"][0] == 200 << 20 and limits["AS"][0] == limits["AS"][1]


def test_a_program_may_be_a_million_characters_long(box: Sandbox) -> None:
    longest = "#" * (1 << 20)
    assert box.run(longest).error is None
    too_long, short = box.run_many([longest + "#", "print(1)"])
    assert too_long.error == "ValueError: a program of 1048577 characters; the limit is 1048576"
    assert short.stdout == "1\n" and too_long.layers == short.layers


def test_a_supervisor_that_never_answers_is_given_up(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr(job.time, "monotonic", lambda: 100.0)
        assert job.Job(ours, "", Limits(2.5, 1, 1, 1), ()).deadline == 100 + 10 * 2.5 + 30
        monkeypatch.undo()
    box.run("")
    monkeypatch.setattr(job, "PATIENCE", 0)
    monkeypatch.setattr(job, "_GRACE", 0.3)
    began = time.monotonic()
    result = box.run("while True: pass", timeout=20)
    assert (result.error, result.timed_out, result.stdout) == ("TimeoutError: stopped after 20 s", True, "")
    assert time.monotonic() - began < 15


def test_an_answer_may_come_in_pieces_or_not_at_all() -> None:
    ours, theirs = socket.socketpair()
    one = job.Job(ours, "code", Limits(2.5, 1, 2, 3), ())
    said = json.loads(theirs.recv(1000))
    assert said == {"code": "code", "limits": {"seconds": 2.5, "memory_mb": 1, "disk_mb": 2, "output_kb": 3}}
    theirs.sendall(b'{"end"')
    assert one.read()
    theirs.sendall(b': ""}\n')
    assert not one.read() and one.answer() == {"end": ""}
    ours, theirs = socket.socketpair()
    lost = job.Job(ours, "code", Limits(2.5, 1, 2, 3), ())
    theirs.close()
    assert not lost.read() and lost.answer() is None


@pytest.mark.parametrize(
    ("end", "status", "report", "error"),
    [
        ("exit", 0, "", None), ("exit", 1, "ValueError: x", "ValueError: x"), ("exit", 4, "", "SystemExit: 4"),
        ("timeout", -9, "", "TimeoutError: stopped after 2.5 s"), ("output", -9, "", "OutputLimitError: more than 4 KiB of output"),
        ("disk", -9, "", "DiskLimitError: more than 3 MB of files"), ("exit", -9, "", "Killed: by SIGKILL"),
        ("exit", -11, "", "Killed: by SIGSEGV (stack overflow, or memory it does not own)"),
        ("exit", -6, "", "Killed: by SIGABRT (often: out of memory)"), ("exit", -99, "", "Killed: by 99"),
    ],
)  # fmt: skip
def test_how_a_run_ended(end: str, status: int, report: str, error: str | None) -> None:
    answer = {"end": end, "status": status, "report": report, "stdout": "o", "stderr": "e", "seconds": 1.5}
    found = job.read_answer(answer, ("layer",), Limits(2.5, 2, 3, 4))
    assert found == ExecutionResult("o", error, end == "timeout", ("layer",), "e", 1.5)


def test_what_the_first_run_shows_to_be_wrong() -> None:
    assert refusal_of({"refused": "why"}) == "why"
    good = {"status": 0, "stdout": "[]", "report": "", "stderr": "", "end": "exit"}
    assert refusal_of(good) is None
    assert refusal_of(good | {"stdout": '["network", "sockets"]'}) == "it leaves open: network, sockets"
    assert refusal_of(good | {"stdout": "?"}) == "its first run printed '?'"
    for told in ({"report": "r", "stderr": "s"}, {"stderr": "r"}, {"end": "r"}):
        assert refusal_of(good | {"end": ""} | told | {"status": 1}) == "its first run failed: r"
    assert refusal_of(good | {"end": "", "status": 7}) == "its first run failed: 7"


def test_files_of_a_private_directory_are_counted_and_removed(tmp_path: Path) -> None:
    """In whole blocks, a directory too; once for two links; deleted files as long as the process has them open."""
    private = tmp_path / "private"
    (private / "a").mkdir(parents=True)

    def blocks() -> float:
        return supervisor._megabytes(str(private), os.getpid()) * 256

    empty = blocks()
    (private / "a" / "small").write_text("x")
    assert blocks() - empty == 1
    os.link(private / "a" / "small", private / "link")
    os.symlink("/", private / "root")
    assert blocks() - empty == 1
    with open(private / "gone", "wb") as file:
        file.write(bytes(8192))
        file.flush()
        os.fsync(file.fileno())
        os.unlink(file.name)
        assert blocks() - empty == 1 + 2
    for number in range(2048 - 4):
        os.mkdir(private / str(number))
    assert blocks() < 4000
    os.mkdir(private / "one-too-many")
    assert blocks() == float("inf")
    deep = private / "a"
    for _ in range(30):
        deep = deep / "d"
        deep.mkdir()
    (tmp_path / "kept").write_text("kept")
    os.symlink(tmp_path, deep / "out")
    supervisor._remove(str(private))
    assert os.listdir(tmp_path) == ["kept"] and (tmp_path / "kept").read_text() == "kept"
    supervisor._remove(str(private))  # gone already


@pytest.mark.parametrize(
    ("code", "stdout", "error"),
    [
        ("input()", "", "EOFError: EOF when reading a line"),
        ("import os; print(sorted(os.environ) in ([], ['LC_CTYPE'])); print(os.listdir())", "True\n['program.py']\n", None),
        ("raise SystemExit(3)", "", "SystemExit: 3"),
        ("import os; os.kill(os.getpid(), 9)", "", "Killed: by SIGKILL"),
        ("import resource as r\nprint([r.getrlimit(x)[1] for x in (r.RLIMIT_AS, r.RLIMIT_CORE, r.RLIMIT_CPU, r.RLIMIT_FSIZE)])",
         f"[{(100 + 512) << 20}, 0, {2 * (os.cpu_count() or 1) + 2}, {3 << 20}]\n", None),
        ("print('x' * 9000)", "x" * 4096, None),
        ("import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\nprint(1)", "1\n", None),
    ],
)  # fmt: skip
def test_without_isolation(code: str, stdout: str, error: str | None) -> None:
    ours = os.dup(0)
    with open(__file__) as text:
        os.dup2(text.fileno(), 0)  # the caller's input, which is not the program's
    result = unsafe.run(code, Limits(2.5, 100, 3, 4))
    os.dup2(ours, 0)
    os.close(ours)
    assert (result.stdout, result.error, result.timed_out, result.layers) == (
        stdout,
        error,
        False,
        ("unsafe", "rlimits"),
    )
    assert 0 < result.seconds < 60


def test_limits_can_be_told_apart(box: Sandbox) -> None:
    slow = box.run("print('begun', flush=True)\nwhile True: pass", timeout=0.5)
    assert (slow.stdout, slow.error, slow.timed_out) == ("begun\n", "TimeoutError: stopped after 0.5 s", True)
    fat = box.run("x = bytearray(200 << 20)", memory_mb=100)
    assert (fat.error, fat.timed_out) == ("MemoryError", False)
    assert box.run("x = bytearray(200 << 20)", memory_mb=300).error is None
    loud = box.run("print('x' * 9000)", output_kb=8)
    assert (len(loud.stdout), loud.error) == (8192, "OutputLimitError: more than 8 KiB of output")
    assert box.run("print('x' * 7000)", output_kb=8).error is None
    raised = box.run("raise TimeoutError('mine')")
    assert (raised.error, raised.timed_out) == ("TimeoutError: mine", False)


class _Watch:
    """A clock whose hands are set: wall-clock time, and the processor time of the program."""

    def __init__(self) -> None:
        self.wall = self.worked = 0.0

    def monotonic(self) -> float:
        return self.wall

    def clock_gettime(self, _: int) -> float:
        return self.worked


@pytest.mark.parametrize(
    ("share", "ends_at"),
    [
        (1.0, 10.0),  # computes: processor time, which is wall-clock time
        (0.2, 50.0),  # computes on a fifth of a core: it waits for the rest, and is not charged
        (0.0, 10.0),  # sleeps: wall-clock time
        (0.02, 10.0),  # sleeps, and looks at the clock between two naps
        (0.06, 100.0),  # a sixteenth of a core: ten times the limit is the end in any case
        (3.0, 10.0),  # three threads: never more than wall-clock time
    ],
)
def test_what_time_is_charged(share: float, ends_at: float, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = _Watch()
    monkeypatch.setattr(supervisor, "time", watch)
    clock = supervisor.Clock(1, 10.0)
    assert clock.look == 0.5
    while not clock.expired():
        watch.wall += 0.25
        watch.worked += 0.25 * share
    assert watch.wall == pytest.approx(ends_at, abs=0.5)


_ON_A_BUSY_CORE = """
import multiprocessing, os
from trl_dsmath.sandbox import run_python
def spin():
    os.setsid()  # the kernel may share a core by sessions: of one session for all three, part of it waits elsewhere
    while True: pass
if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    others = [multiprocessing.get_context("fork").Process(target=spin, daemon=True) for _ in range(3)]
    for other in others:
        other.start()
    result = run_python("import time\\nwhile time.process_time() < 2: pass\\nprint('honest')", timeout=3)
    print(result.stdout, result.error, result.seconds > 3)
"""


def test_a_busy_machine_stops_no_honest_program(box: Sandbox) -> None:
    """2 s of work with a limit of 3 s, on a core that three others want: some 8 s by the wall clock."""
    code = _ON_A_BUSY_CORE.replace("\\\\", "\\")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["honest", "None", "True"]


def test_many_in_order_and_several_at_a_time(box: Sandbox) -> None:
    results = box.run_many([f"print({n})" for n in range(20)], workers=3)
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(20)]
    code = "import time; print(time.monotonic()); time.sleep(2); print(time.monotonic())"
    spans = [[float(line) for line in result.stdout.split()] for result in box.run_many([code] * 4, workers=4)]
    assert max(begun for begun, _ in spans) < min(ended for _, ended in spans)
    first, second = (result.stdout.split() for result in box.run_many([code] * 2, workers=1))
    assert float(first[1]) < float(second[0])
    assert run_many([]) == []


def test_runs_draw_different_random_numbers(box: Sandbox) -> None:
    code = "import random, numpy; print(random.random(), numpy.random.rand())"
    first, second = (result.stdout.split() for result in box.run_many([code] * 2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_threads_and_asyncio(box: Sandbox) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=n: found.append(box.run(f"print({n})").stdout)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"{n}\n" for n in range(8)]

    async def both() -> list[ExecutionResult]:
        return await asyncio.gather(*(asyncio.to_thread(run_python, f"print({n})") for n in range(2)))

    assert [result.stdout for result in asyncio.run(both())] == ["0\n", "1\n"]


def _in_child(queue: multiprocessing.Queue) -> None:
    queue.put(run_python("print(6 * 7)").stdout)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_another_process(box: Sandbox, method: str) -> None:
    assert run_python("print(1)").stdout == "1\n"  # the parent's warm process exists before the fork
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=120) == "42\n"
    child.join()
    assert run_python("print(2)").stdout == "2\n"


def test_warm_process_that_was_killed_is_replaced(backend: str, sandbox: Sandbox) -> None:
    assert sandbox._process is not None
    pid = sandbox._process.pid
    tree = _tree(pid)
    os.kill(pid, signal.SIGKILL)
    sandbox._process.wait(10)
    deadline = time.monotonic() + 60
    while backend != "bubblewrap" and any(map(_alive, tree)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert backend == "bubblewrap" or not any(map(_alive, tree))  # the first takes the others with it, a moment later
    assert sandbox.run("print(1)").stdout == "1\n"
    assert sandbox._process.pid != pid


def test_a_caller_that_is_killed_leaves_nothing(backend: str, sandbox: Sandbox) -> None:
    code = (
        "import sys; from trl_dsmath.sandbox import Sandbox; box = Sandbox(sys.argv[1]); box.run('')\n"
        "print(box._process.pid, flush=True); box.run('while True: pass', timeout=300)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code, backend], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    first = int(caller.stdout.readline())
    tree = _running(first, backend)
    caller.kill()
    caller.wait()
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in tree) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in tree if _alive(pid)] == []


class _Interrupt(Exception):
    pass


def test_an_interrupted_caller_leaves_no_run(backend: str, sandbox: Sandbox) -> None:
    sandbox.run("")
    assert sandbox._process is not None
    pid, caller = sandbox._process.pid, threading.get_ident()

    def interrupt(*_: object) -> None:
        raise _Interrupt

    def watch() -> None:
        _running(pid, backend)
        signal.pthread_kill(caller, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        watcher = threading.Thread(target=watch)
        watcher.start()
        with pytest.raises(_Interrupt):
            sandbox.run("while True: pass", timeout=300)
        watcher.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    deadline = time.monotonic() + 60
    while len(_tree(pid)) > IDLE[backend] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(_tree(pid)) == IDLE[backend]
    assert sandbox.run("print(1)").stdout == "1\n"
    assert sandbox._process.pid == pid


@pytest.mark.parametrize(("kills", "stdout", "error"), [(1, "done\n", None), (2, "", "Killed: from outside, twice")])
def test_a_run_that_is_lost_is_tried_once_more(
    backend: str, sandbox: Sandbox, kills: int, stdout: str, error: str | None
) -> None:
    """As when the kernel, short of memory, ends the warm process and what it has forked."""
    sandbox.run("")
    results: list[ExecutionResult] = []
    code = "import time; time.sleep(1.5); print('done')"
    caller = threading.Thread(target=lambda: results.append(sandbox.run(code)))
    caller.start()
    killed: set[int] = set()
    while len(killed) < kills:
        with sandbox._lock:  # held while a warm process starts
            process = sandbox._process
        if process is None or process.pid in killed:
            time.sleep(0.02)
            continue
        for victim in _running(process.pid, backend):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        killed.add(process.pid)
    caller.join()
    assert results[0].stdout == stdout
    assert error is None if results[0].error is None else results[0].error.startswith(str(error))


def test_too_much_output_of_a_program_that_has_ended_meanwhile(backend: str, sandbox: Sandbox) -> None:
    """As on a busy machine: its supervisor looks at the output when the program is gone already."""
    sandbox.run("")
    assert sandbox._process is not None
    results: list[ExecutionResult] = []
    code = "import time; time.sleep(1.5); print('x' * 9000)"
    caller = threading.Thread(target=lambda: results.append(sandbox.run(code, output_kb=8)))
    caller.start()
    time.sleep(0.5)  # until the run above has left the tree
    supervisor_pid, program = _running(sandbox._process.pid, backend)[-2:]
    os.kill(supervisor_pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 60
        while _alive(program) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        os.kill(supervisor_pid, signal.SIGCONT)
    caller.join()
    assert (len(results[0].stdout), results[0].error) == (8192, "OutputLimitError: more than 8 KiB of output")


def _running(first: int, backend: str) -> list[int]:
    """The processes below the first one of a sandbox, and itself, as soon as a program runs in it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if len(tree := _tree(first)) >= IDLE[backend] + 2:  # a supervisor and its child
                return [first, *tree]
        time.sleep(0.02)
    raise AssertionError("no program was started")


def _tree(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [found for child in children for found in _tree(child)]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_packages_below_tmp_are_not_hidden(
    backend: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "far_away.py").write_text("VALUE = 17\n")
    (tmp_path / "private.txt").write_text("secret")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.syspath_prepend(str(packages))
    with Sandbox(backend) as box:
        result = box.run("import far_away, sympy; open('new', 'w').write('x'); print(far_away.VALUE)")
        assert (result.stdout, result.error) == ("17\n", None)
        assert "Error" in str(box.run(f"open({str(tmp_path / 'private.txt')!r}).read()").error)
        assert "Error" in str(box.run(f"open({str(packages / 'x.py')!r}, 'w')").error)
    assert os.listdir(packages) == ["far_away.py"] or sorted(os.listdir(packages)) == ["__pycache__", "far_away.py"]


_WITHOUT = """
import struct, sys
from trl_dsmath.sandbox import kernel, run_python
blocked = {calls}
code = [(0x20, 0, 0, 0), *[(0x15, len(blocked) - i, 0, n) for i, n in enumerate(blocked)], (6, 0, 0, 0x7fff0000), (6, 0, 0, 0x50001)]
kernel.no_new_privileges()
kernel.install_filter(b"".join(struct.pack("=HBBI", *line) for line in code))
try:
    print(run_python("print(1)"))
except Exception as error:
    print(type(error).__name__, error)
result = run_python("print(2)\\n1 / 0", unsafe=True)
print(result.layers, result.stdout.strip(), result.error)
print(run_python("while True: pass", timeout=1, unsafe=True).timed_out)
"""
_UNSHARE, _CLONE_OF_BWRAP = {"x86_64": (272, 165), "aarch64": (97, 40)}.get(os.uname().machine, (0, 0))


def _without(*calls: int) -> list[str]:
    code = _WITHOUT.replace("{calls}", repr(calls))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_where_namespaces_are_forbidden_landlock_is_used(box: Sandbox) -> None:
    """A filter such as that of a container forbids unshare and mount: a real machine without namespaces."""
    lines = _without(_UNSHARE, _CLONE_OF_BWRAP)
    assert "layers=('landlock', 'seccomp', 'rlimits')" in lines[0]
    assert lines[1] == "('landlock', 'seccomp', 'rlimits') 2 ZeroDivisionError: division by zero"


def test_without_a_backend_it_refuses(box: Sandbox) -> None:
    lines = _without(_UNSHARE, _CLONE_OF_BWRAP, 444)
    assert lines[0].startswith("SandboxError no isolation backend is available")
    assert "apt-get install bubblewrap" in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["bubblewrap", "namespaces", "landlock"]
    assert lines[4] == "('unsafe', 'rlimits') 2 ZeroDivisionError: division by zero"
    assert lines[5] == "True"


def test_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match="unknown isolation backend 'brick'"):
        Sandbox("brick")
    for bad in ({"timeout": 0}, {"memory_mb": -1}, {"memory_mb": 0}, {"disk_mb": 0}, {"output_kb": 0}):
        with pytest.raises(ConfigError, match="above 0"):
            run_python("", **bad)
    with pytest.raises(ConfigError, match="above 0"):
        run_many([""], workers=0)
