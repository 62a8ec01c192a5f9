"""The pool of workers: limits that count work and not the clock, and a batch that always ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from trl_dsmath.grading import pool as pool_module
from trl_dsmath.grading.pool import WorkerPool

RIGHT = (r"\int_0^1 2t\,dt", r"\int_0^1 2x\,dx")
HANGING = (
    r"\int_0^{\infty}\frac{\sin(x^2)\ln(x)e^{-x^3}}{1+x^7}dx",
    r"\int_0^{\infty}\frac{\cos(x^2)\ln(x)e^{-x^5}}{1+x^9}dx",
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


def test_after_two_failures_alone_no_other_pair_is_tried_again(pool: WorkerPool, at_birth) -> None:
    workers = at_birth(lambda pid: os.kill(pid, signal.SIGKILL))
    assert pool.run([RIGHT] * 5, 3.0) == [None] * 5
    assert len(workers) == 5 + 2


def test_each_pair_has_a_worker_of_its_own(pool: WorkerPool, at_birth) -> None:
    """What a worker judged before cannot change a verdict."""
    workers = at_birth(lambda _: None)
    assert pool.run([RIGHT] * 4, PATIENCE) == [True] * 4
    assert len(set(workers)) == 4


def test_a_dead_zygote_is_replaced(pool: WorkerPool) -> None:
    assert pool._zygote
    pool._zygote.kill()
    pool._zygote.wait()
    assert pool.run([RIGHT], PATIENCE) == [True]


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


def test_a_batch_ends_when_its_cpu_time_is_spent(pool: WorkerPool, at_birth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BATCH_CPU", 3)
    workers = at_birth(lambda _: None)
    assert pool.run([HANGING] * 60, 0.2) == [None] * 60
    assert 3 <= len(workers) <= 3 + min(os.cpu_count() or 1, pool_module.MAX_WORKERS)


def test_a_batch_ends_by_the_clock(pool: WorkerPool, at_birth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BATCH_WALL", 0)
    workers = at_birth(lambda _: None)
    assert pool.run([RIGHT] * 3, PATIENCE) == [None] * 3
    assert not workers


def test_modules_in_the_current_folder_are_not_imported(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("math_verify", "sympy", "trl_dsmath"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    pool = WorkerPool()
    try:
        assert pool.run([RIGHT], PATIENCE) == [True]
    finally:
        pool.close()
