"""The pool of workers: limits that count work and not the clock, and a batch that always ends."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.errors import GradingError
from trl_dsmath.grading import pool as pool_module
from trl_dsmath.grading import worker
from trl_dsmath.grading.pool import WorkerPool

RIGHT = (r"\int_0^1 2t\,dt", r"\int_0^1 2x\,dx")
HANGING = (  # with a number for a, a fast processor may judge it by quadrature
    r"\int_0^{a}\frac{\sin(x^2)\ln(x)e^{-x^3}}{1+x^7}dx",
    r"\int_0^{a}\frac{\cos(x^2)\ln(x)e^{-x^5}}{1+x^9}dx",
)
PATIENCE = 60.0  # seconds of CPU time, for pairs that must be judged


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool()
    assert pool.run([RIGHT], PATIENCE) == [True]
    yield pool
    pool.close()


@pytest.fixture
def at_birth(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], list[int]]:
    """Calls a function with the process id of each worker as soon as it is known; returns the list of all ids."""

    def install(act: Callable[[int], None]) -> list[int]:
        seen: list[int] = []
        read = pool_module._Child.read

        def spied(child: pool_module._Child) -> None:
            read(child)
            if child.pid is not None and child.pid not in seen:
                seen.append(child.pid)
                act(child.pid)

        monkeypatch.setattr(pool_module._Child, "read", spied)
        return seen

    return install


def test_time_in_which_a_worker_does_not_run_is_not_counted(pool: WorkerPool, at_birth) -> None:
    def pause(pid: int) -> None:  # for longer than the limit: what a busy machine does to it
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(2.5, os.kill, (pid, signal.SIGCONT)).start()

    workers = at_birth(pause)
    assert pool.run([RIGHT], 2.0) == [True]
    assert len(workers) == 1  # judged at the first try


def test_a_pair_beyond_its_cpu_time_is_not_judged_and_that_is_logged(pool: WorkerPool, caplog) -> None:
    with caplog.at_level("WARNING"):
        assert pool.run([HANGING, RIGHT], 0.25) == [None, True]
    assert "1 of 2 answers" in caplog.text


@pytest.mark.parametrize(("factor", "verdict"), [(1, None), (1000, True)])
def test_a_pair_that_needs_about_the_limit_gets_more_alone(
    pool: WorkerPool, at_birth, monkeypatch, factor, verdict
) -> None:
    monkeypatch.setattr(pool_module, "SECOND_LIMIT", factor)
    workers = at_birth(lambda pid: None)
    assert pool.run([RIGHT], 0.01) == [verdict]
    assert len(workers) == 2


def test_a_pair_whose_worker_died_is_tried_again(pool: WorkerPool, at_birth) -> None:
    victims: list[int] = []

    def kill_the_first(pid: int) -> None:
        if not victims:
            victims.append(pid)
            os.kill(pid, signal.SIGKILL)

    workers = at_birth(kill_the_first)
    assert pool.run([RIGHT], PATIENCE) == [True]
    assert len(workers) == 2


def test_each_pair_has_a_worker_of_its_own(pool: WorkerPool, at_birth) -> None:
    """What a worker judged before cannot change a verdict."""
    workers = at_birth(lambda _: None)
    assert pool.run([RIGHT] * 4, PATIENCE) == [True] * 4
    assert len(set(workers)) == 4


def test_a_stopped_zygote_is_replaced(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "FORK_LIMIT", 5.0)
    assert pool._zygote
    stopped = pool._zygote
    os.kill(stopped.pid, signal.SIGSTOP)
    assert pool.run([RIGHT], PATIENCE) == [True]
    assert pool._zygote is not stopped
    assert stopped.poll() is not None  # and nothing is left of it


def test_a_stopped_worker_is_given_up(pool: WorkerPool, at_birth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAIR_WALL", 1)
    at_birth(lambda pid: os.kill(pid, signal.SIGSTOP))
    assert pool.run([RIGHT], 0.5) == [None]


def test_a_batch_ends_by_the_clock(pool: WorkerPool, at_birth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BATCH_WALL", 0)
    workers = at_birth(lambda _: None)
    assert pool.run([RIGHT] * 3, PATIENCE) == [None] * 3
    assert not workers


def test_modules_in_the_current_folder_are_not_imported(tmp_path, capfd, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("math_verify", "sympy", "trl_dsmath"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    pool = WorkerPool()
    try:
        assert pool.run([RIGHT], PATIENCE) == [True]
    finally:
        pool.close()
    assert capfd.readouterr() == ("", "")


# --- The same with workers that are written here: exact counts, and no process at all ---

PID = 1 << 30  # no process has this number


class Scripted(WorkerPool):
    """A pool whose workers say what a script tells them, by pair; it counts them."""

    def __init__(self, says: Callable[[str, float], bytes | None]) -> None:
        super().__init__()
        self.says = says
        self.asked: list[tuple[str, float]] = []
        self.ends: list[socket.socket] = []
        self.restarts = 0

    def fork(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._answer, args=(theirs,), daemon=True).start()
        self.ends.append(theirs)
        return ours

    def restart(self) -> None:
        self.restarts += 1

    def _answer(self, end: socket.socket) -> None:
        gold, _, limit = json.loads(end.makefile("r").readline())
        self.asked.append((gold, limit))
        with contextlib.suppress(BrokenPipeError):  # it was given up
            if (answer := self.says(gold, limit)) is None:
                end.shutdown(socket.SHUT_RDWR)
            else:
                end.sendall(answer)


def said(verdict: bool | None, seconds: float) -> bytes:
    return f"{PID}\n{json.dumps([verdict, seconds])}\n".encode()


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """One worker at a time; returns what was killed."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(pool_module.os, "cpu_count", lambda: None)
    monkeypatch.setattr(pool_module.os, "kill", lambda pid, number: killed.append((pid, number)))
    return killed


def test_a_batch_has_twenty_times_the_cpu_time_of_a_pair(one_core) -> None:
    pool = Scripted(lambda gold, limit: said(True, 2.5))  # limit 0.5: 10 s in all
    assert pool.run([(str(i), "") for i in range(6)], 0.5) == [True] * 4 + [None] * 2
    assert pool.asked == [("0", 0.5), ("1", 0.5), ("2", 0.5), ("3", 0.5)]  # and nothing is tried again
    pool = Scripted(lambda gold, limit: None)  # dies: the whole limit is charged
    assert pool.run([("", "")] * 25, 0.5) == [None] * 25
    assert len(pool.asked) == 20 and not one_core


def test_a_second_try_has_six_times_the_limit(one_core, caplog: pytest.LogCaptureFixture) -> None:
    pool = Scripted(lambda gold, limit: None if gold == "slow" and limit < 3.0 else said(gold == "slow", 0.0))
    with caplog.at_level("WARNING"):
        assert pool.run([("slow", ""), ("quick", ""), ("slow", "")], 0.5) == [True, False, True]
    assert pool.asked == [("slow", 0.5), ("quick", 0.5), ("slow", 0.5), ("slow", 3.0), ("slow", 3.0)]
    assert not caplog.text
    assert pool.run([], 0.5) == []


def test_after_two_failures_alone_no_other_pair_is_tried_again(one_core) -> None:
    pool = Scripted(lambda gold, limit: None)
    assert pool.run([("", "")] * 5, 3.0) == [None] * 5
    assert [limit for _, limit in pool.asked] == [3.0] * 5 + [18.0] * 2


def test_sixteen_workers_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module.os, "cpu_count", lambda: 64)
    ready, most = threading.Event(), []
    pool = Scripted(lambda gold, limit: said(True, 0.0) if ready.wait(30) else None)

    def count() -> None:
        while len(pool.ends) < 16:
            time.sleep(0.01)
        time.sleep(0.3)
        most.append(len(pool.ends))
        ready.set()

    threading.Thread(target=count, daemon=True).start()
    assert pool.run([("", "")] * 40, 5.0) == [True] * 40
    assert (most, len(pool.ends)) == ([16], 40)


@pytest.mark.parametrize(
    ("told", "at", "ended", "restarts"),
    [
        (True, 300.0, False, 0), (True, 301.0, True, 0),  # 60 s of the clock for a second of the limit, which is 5
        (False, 60.0, False, 0), (False, 61.0, True, 1),  # a fork that says nothing: the zygote is stuck
    ],
)  # fmt: skip
def test_when_a_worker_is_given_up(told, at, ended, restarts, one_core, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: clock[0])
    pool = Scripted(lambda gold, limit: f"{PID}\n".encode() if told else b"")
    batch = pool_module._Batch(pool, [("", "")], 5.0)
    assert (batch.deadline, batch.cpu_left) == (1200.0, 100.0)
    child = pool_module._Child(pool.fork(), ("", ""), 5.0)
    while told and child.pid is None:
        child.read()
    clock[0] = at
    assert (batch._too_late(child, 5.0), pool.restarts) == (ended, restarts)
    clock[0] = 1200.0
    assert not batch.over and child.result is None
    clock[0] = 1200.5
    assert batch.over and batch._too_late(child, 1000.0)
    child.kill()
    assert one_core == ([(PID, signal.SIGKILL)] if told else [])


def test_a_worker_that_is_given_up_is_ended(one_core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module._Batch, "_too_late", lambda batch, child, limit: child.pid is not None)
    pool = Scripted(lambda gold, limit: f"{PID}\n".encode())
    assert pool.run([("", "")], 0.5) == [None]
    assert one_core == [(PID, signal.SIGKILL)] * 2  # at both tries


def test_what_a_worker_says_may_come_in_pieces(one_core, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    child = pool_module._Child(ours, ("1", "2"), 5.0)
    assert json.loads(theirs.recv(100)) == ["1", "2", 5.0]
    found = []
    for piece in (b"", b"12", b"34\n[tr", b"ue, 0.5]", b"\n"):
        theirs.sendall(piece)
        child.read()
        found.append((child.pid, child.result))
        assert not child.dead
    assert found == [(None, None)] * 2 + [(1234, None)] * 2 + [(1234, (True, 0.5))]
    theirs.close()
    child.read()
    child.kill()
    assert child.dead and not one_core
    closed, other = socket.socketpair()
    other.close()
    assert pool_module._Child(closed, ("1", "2"), 5.0).dead
    monkeypatch.setattr(pool_module, "FORK_LIMIT", 0.1)
    full, stopped = socket.socketpair()  # nobody reads: what is too long for the buffer is not waited for
    assert pool_module._Child(full, ("1" * 5_000_000, "2"), 5.0).dead
    stopped.close()


class _Process:
    """A zygote that was never started."""

    def __init__(self, says: bytes = b"", stdin: int | None = None, **named: Any) -> None:
        self.named = named
        self.ended: list[str] = []
        if stdin is not None:
            self.end = os.dup(stdin)  # as a process that was started would hold it
            os.write(self.end, says)

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.ended.append("killed")

    def wait(self) -> None:
        self.ended.append("waited for")


@pytest.mark.parametrize("says", [b"-", b""])
def test_a_zygote_that_does_not_start_is_ended(says, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[_Process] = []
    monkeypatch.setattr(pool_module, "START_LIMIT", 0.05)

    def popen(_: list[str], **named: Any) -> _Process:
        started.append(_Process(says, **named))
        return started[-1]

    monkeypatch.setattr(pool_module.subprocess, "Popen", popen)
    with pytest.raises(GradingError, match="did not start"):
        WorkerPool().run([RIGHT], 5.0)
    assert started[0].ended == ["killed", "waited for"]
    assert started[0].named["start_new_session"] and started[0].named["stdout"] == subprocess.DEVNULL


def test_one_zygote_for_all_threads_and_a_new_one_when_it_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[_Process] = []

    def popen(_: list[str], **named: Any) -> _Process:
        time.sleep(0.1)  # the other thread asks meanwhile
        started.append(_Process(b"+", **named))
        return started[-1]

    monkeypatch.setattr(pool_module.subprocess, "Popen", popen)
    pool = WorkerPool()
    threads = [threading.Thread(target=pool.fork) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    control = pool._control
    assert control is not None
    monkeypatch.setattr(started[0], "poll", lambda: 1)
    pool.fork()
    assert len(started) == 2 and control.fileno() == -1 and pool._zygote is started[1]


def test_a_zygote_that_ends_at_once_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "START_LIMIT", 60.0)
    monkeypatch.setattr(pool_module.subprocess, "Popen", lambda *_, **named: _Process())  # holds no end of the socket
    began = time.monotonic()
    with pytest.raises(GradingError, match="did not start"):
        WorkerPool().fork()
    assert time.monotonic() - began < 30


def test_a_zygote_that_dies_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[_Process] = []

    def popen(_: list[str], **named: Any) -> _Process:
        started.append(_Process(b"+", **named))
        return started[-1]

    def broken(*_: Any) -> None:
        raise OSError("broken pipe")

    monkeypatch.setattr(pool_module.subprocess, "Popen", popen)
    monkeypatch.setattr(pool_module.socket, "send_fds", broken)
    with pytest.raises(GradingError, match="again and again"):
        WorkerPool().run([RIGHT], 5.0)
    assert [process.ended for process in started] == [["killed", "waited for"]] * 2


def test_a_parents_zygote_is_not_ended_in_its_child() -> None:
    pool = WorkerPool()
    pool._zygote = parents = _Process()  # type: ignore[assignment]
    pool._owner = os.getpid() + 1
    pool.close()
    assert not parents.ended and pool._zygote is None


def test_the_environment_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(pool_module.__file__).resolve().parents[2])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert pool_module._environment()["PYTHONPATH"] == root
    monkeypatch.setenv("PYTHONPATH", "mine")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    found = pool_module._environment()
    assert (found["PYTHONPATH"], found["OMP_NUM_THREADS"]) == (f"{root}{os.pathsep}mine", "1")


# --- The zygote and its children, as the system sees them ---


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_workers_are_reaped_and_ctrl_c_is_the_callers(pool: WorkerPool) -> None:
    assert pool._zygote
    pid = pool._zygote.pid
    os.kill(pid, signal.SIGINT)
    assert pool.run([RIGHT] * 3, PATIENCE) == [True] * 3
    assert pool._zygote.pid == pid and os.getsid(pid) == pid
    deadline = time.monotonic() + 20
    while _children(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _children(pid)


def test_a_zygote_that_dies_in_the_middle_is_replaced(pool: WorkerPool, at_birth) -> None:
    """And what it has forked ends with it, though it is stopped; its limits are those of a worker."""
    limits: list[tuple] = []

    def stop_and_end_the_zygote(pid: int) -> None:
        if not limits:
            os.kill(pid, signal.SIGSTOP)
            limits.extend(resource.prlimit(pid, which) for which in (resource.RLIMIT_AS, resource.RLIMIT_CORE))
            assert pool._zygote
            pool._zygote.kill()

    workers = at_birth(stop_and_end_the_zygote)
    assert pool.run([RIGHT], PATIENCE) == [True]
    assert limits == [(2 << 30, 2 << 30), (0, 0)] and len(workers) == 2


@pytest.mark.parametrize(("verdict", "told"), [(True, True), (MemoryError(), None)])
def test_one_pair_in_a_child(verdict, told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a child says, and its limits of CPU time: the timer, and a whole number of seconds above it."""
    ours, theirs = socket.socketpair()

    def judge(gold: str, answer: str) -> bool:
        assert (gold, answer) == ("g", "a")
        limits = [resource.getrlimit(resource.RLIMIT_CPU), signal.getitimer(signal.ITIMER_PROF)[0]]
        theirs.sendall(json.dumps(limits).encode() + b"\n")
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    monkeypatch.setattr(worker, "same_formula", judge)
    monkeypatch.setattr(worker, "MEMORY_BYTES", 1 << 40)  # this process may be large already
    ours.sendall(b'["g", "a", 1.5]\n')
    child = os.fork()
    if child == 0:
        try:
            worker._serve(theirs)
        finally:
            os._exit(0)
    lines = ours.makefile("r")
    assert json.loads(lines.readline()) == child
    hard, timer = json.loads(lines.readline())
    assert hard == [4, 4] and 1.0 < timer <= 1.6
    found, seconds = json.loads(lines.readline())
    assert found is told and 0 <= seconds < 5
    os.waitpid(child, 0)


@pytest.mark.parametrize("ending", ["closed", "orphaned"])
def test_when_a_zygote_ends(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its caller closes the socket; and when its caller is gone, though somebody else holds the socket."""
    monkeypatch.setattr(worker, "_WARM_UP", [])
    monkeypatch.setattr(worker, "MEMORY_BYTES", 1 << 40)  # this process may be large already
    ours, theirs = socket.socketpair()
    caller = os.fork()
    if caller == 0:
        zygote = os.fork()
        if zygote == 0:
            os.dup2(theirs.fileno(), 0)
            theirs.close()
            ours.close()
            status = 1
            try:
                worker.main()
                status = 0
            finally:
                os._exit(status)
        ours.close()
        theirs.close()
        if ending == "closed":
            os._exit(os.waitstatus_to_exitcode(os.waitpid(zygote, 0)[1]))
        time.sleep(1.2)
        os._exit(0)
    theirs.close()
    assert ours.recv(1) == b"+"
    if ending == "closed":
        mine, childs = socket.socketpair()
        mine.settimeout(20)
        socket.send_fds(ours, [b"1"], [childs.fileno()])
        childs.close()
        os.kill(json.loads(mine.recv(20)), signal.SIGKILL)
        assert mine.recv(20) == b""  # nobody else holds the child's end, so its death is seen at once
        ours.close()
    else:
        ours.settimeout(20)
        assert ours.recv(1) == b""
    assert os.waitpid(caller, 0)[1] == 0
