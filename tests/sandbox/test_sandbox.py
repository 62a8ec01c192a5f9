"""What a caller sees: results, errors, limits, parallel use, and every way in which Python starts a process."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trl_dsmath.errors import ConfigError, SandboxError
from trl_dsmath.sandbox import ExecutionResult, Sandbox, run_many, run_python

LAYERS = {
    "bubblewrap": ("bubblewrap", "namespaces", "landlock", "seccomp", "rlimits"),
    "namespaces": ("namespaces", "landlock", "seccomp", "rlimits"),
    "landlock": ("landlock", "seccomp", "rlimits"),
}


@pytest.fixture(scope="module")
def box() -> Sandbox:
    """The wall that this machine gives by default."""
    sandbox = Sandbox()
    try:
        sandbox.run("")
    except SandboxError as error:
        pytest.skip(str(error))
    return sandbox


def test_result(wall: str, sandbox: Sandbox) -> None:
    result = sandbox.run("import sympy\nprint(sympy.sqrt(8))")
    assert (result.stdout, result.error, result.timed_out, result.stderr) == ("2*sqrt(2)\n", None, False, "")
    assert [layer for layer in LAYERS[wall] if layer != "landlock" or layer in result.layers] == list(result.layers)
    assert 0 < result.seconds < 10


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


def test_many_in_order_and_several_at_a_time(box: Sandbox) -> None:
    results = box.run_many([f"print({n})" for n in range(20)], workers=3)
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(20)]
    started = time.monotonic()
    box.run_many(["import time; time.sleep(1)"] * 4, workers=4)
    assert time.monotonic() - started < 3
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


def test_warm_process_that_was_killed_is_replaced(wall: str, sandbox: Sandbox) -> None:
    assert sandbox._process is not None
    pid = sandbox._process.pid
    os.kill(pid, signal.SIGKILL)
    sandbox._process.wait(10)
    assert sandbox.run("print(1)").stdout == "1\n"
    assert sandbox._process.pid != pid


def test_a_caller_that_is_killed_leaves_nothing(wall: str, sandbox: Sandbox) -> None:
    code = (
        "import sys; from trl_dsmath.sandbox import Sandbox; box = Sandbox(sys.argv[1]); box.run('')\n"
        "print(box._process.pid, flush=True); box.run('while True: pass', timeout=300)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code, wall], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    first = int(caller.stdout.readline())
    time.sleep(0.5)
    tree = [first, *_tree(first)]
    assert len(tree) >= 3
    caller.kill()
    caller.wait()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in tree) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in tree if _alive(pid)] == []


def _tree(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [found for child in children for found in _tree(child)]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_packages_below_tmp_are_not_hidden(
    wall: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "far_away.py").write_text("VALUE = 17\n")
    (tmp_path / "private.txt").write_text("secret")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.syspath_prepend(str(packages))
    with Sandbox(wall) as box:
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


def test_where_there_is_no_wall_it_refuses(box: Sandbox) -> None:
    lines = _without(_UNSHARE, _CLONE_OF_BWRAP, 444)
    assert lines[0].startswith("SandboxError no wall is available")
    assert "apt-get install bubblewrap" in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["bubblewrap", "namespaces", "landlock"]
    assert lines[4] == "('unsafe', 'rlimits') 2 ZeroDivisionError: division by zero"
    assert lines[5] == "True"


def test_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match="unknown wall 'brick'"):
        Sandbox("brick")
    for bad in ({"timeout": 0}, {"memory_mb": -1}, {"disk_mb": 0}, {"output_kb": 0}):
        with pytest.raises(ConfigError, match="above 0"):
            run_python("", **bad)
