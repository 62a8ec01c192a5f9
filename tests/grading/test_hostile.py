"""Nothing that a model writes hangs, crashes, grows or outlives the grader; each test checks one property."""

import asyncio
import importlib.util
import json
import multiprocessing
import random
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from trl_dsmath.grading import Verdict, batch, grade, grade_async

_SPEC = importlib.util.spec_from_file_location(
    "hostile_answers", Path(__file__).parents[2] / "benchmarks" / "hostile_answers.py"
)
assert _SPEC
assert _SPEC.loader
hostile = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hostile)

LIMIT = 0.25  # seconds; what hangs gets six times that at the second try
PATIENCE = 60.0  # for pairs that must be judged right however busy the machine is
HANGING = hostile.HANGING
INTEGRAL = (r"\boxed{\int_0^1 2x\,dx}", r"\int_0^1 2t\,dt")  # left to a worker, and right


def _grade_one(limit: float = PATIENCE) -> str:
    return str(grade([INTEGRAL[0]], [INTEGRAL[1]], limit)[0])


@pytest.mark.parametrize(
    "name", [name for name in hostile.completions() if "integral" not in name and "limit" not in name]
)
def test_hostile_answers_are_wrong_at_once(name: str) -> None:
    start = time.process_time()
    verdicts = grade([hostile.completions()[name]] * 2, ["5", r"\{1,2,3\}"], LIMIT)
    assert set(verdicts) <= {Verdict.WRONG, Verdict.NO_ANSWER, Verdict.TIMEOUT}
    assert time.process_time() - start < 5  # of this process; what workers may use is limited in tests of the pool


ODD = ["i", r"\infty", r"-\infty", r"\frac10", r"\text{red}", "9^{9^{9^9}}", r"\pm 1", "(1,2)", r"\max(i,1)", r"\int x dx"]  # fmt: skip


def test_an_odd_part_in_any_answer_gives_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth gold of the cases against itself with a number or a variable exchanged for complex numbers, infinities, words."""
    monkeypatch.setattr(batch._POOL, "run", lambda pairs, limit: [False] * len(pairs))
    files = sorted(Path(__file__).parent.glob("cases*.jsonl"))
    cases = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]
    some = sorted({str(case["gold"]) for case in cases})[::5]
    golds = [*some, "16:9", "1:2:3", "3:30 pm", r"\max(x,y,z)", "x > 1, x < 7"]
    draw, answers = random.Random(0), []
    for gold in golds:
        for odd in ODD:
            places = [*re.finditer(r"\d+|(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", gold)]
            place = draw.choice(places).span() if places else (0, 0)
            answers.append((gold[: place[0]] + odd + gold[place[1] :], gold))
    assert set(grade(*map(list, zip(*answers, strict=True)))) <= set(Verdict)


def test_model_code_is_never_executed() -> None:
    hostile.MARKER.unlink(missing_ok=True)
    answers = [text for text in hostile.completions().values() if str(hostile.MARKER) in text]
    assert len(answers) >= 4
    grade(answers * 2, ["5"] * len(answers) + [INTEGRAL[1]] * len(answers), LIMIT)
    assert not hostile.MARKER.exists()


def test_six_hanging_answers_leave_the_verdicts_of_the_others_alone() -> None:
    texts, golds, rewards = hostile.mixed_batch()
    start = time.process_time()
    verdicts = grade(texts, golds, LIMIT)
    assert time.process_time() - start < 5
    assert verdicts.count(Verdict.TIMEOUT) == 6
    assert rewards.count(None) == 6
    assert [verdict.reward for verdict in verdicts] == rewards


def test_a_worker_thread_grades_while_the_main_thread_keeps_its_pace() -> None:
    _grade_one()
    done = threading.Event()
    result: list[Verdict] = []

    def work() -> None:
        result.extend(grade([f"\\boxed{{{HANGING[0][0]}}}", r"\boxed{9^{9^{9^9}}}"], [HANGING[0][1], "5"], LIMIT))
        result.extend(grade([INTEGRAL[0]], [INTEGRAL[1]], PATIENCE))
        done.set()

    threading.Thread(target=work, daemon=True).start()
    longest, last = 0.0, time.perf_counter()
    while not done.is_set():
        time.sleep(0.01)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert result == [Verdict.TIMEOUT, Verdict.WRONG, Verdict.CORRECT]
    assert longest < 5  # a thread that computed by itself would hold the interpreter until the end of the world


def test_many_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: _grade_one(PATIENCE), range(16))) == ["correct"] * 16


def test_asyncio() -> None:
    async def both() -> list[str]:
        return list(await asyncio.gather(*(asyncio.to_thread(_grade_one, PATIENCE) for _ in range(3))))

    assert asyncio.run(both()) == ["correct"] * 3


def test_the_event_loop_goes_on_while_a_hard_answer_is_judged() -> None:
    async def ticks() -> int:
        task = asyncio.create_task(grade_async([f"\\boxed{{{HANGING[0][0]}}}"], [HANGING[0][1]], LIMIT))
        count = 0
        while not task.done():
            count += 1
            await asyncio.sleep(0.02)
        assert await task == [Verdict.TIMEOUT]
        return count

    assert asyncio.run(ticks()) >= 5


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_a_child_process(method: str) -> None:
    _grade_one()  # the parent's workers exist before the child does
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        assert pool.apply_async(_grade_one, (PATIENCE,)).get(timeout=120) == "correct"
    assert _grade_one() == "correct"


def test_a_users_alarm_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    signal.alarm(100)
    try:
        _grade_one()
        assert signal.alarm(0) > 90
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        signal.alarm(0)


def test_memory_of_the_caller_does_not_grow() -> None:
    texts = list(hostile.completions().values())
    keep = [text for text in texts if "int" not in text and "lim" not in text]
    grade(keep, ["5"] * len(keep), 0.5)
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(5):
        grade(keep, ["5"] * len(keep), 0.5)
    assert process.memory_info().rss - before < 20 * 2**20


def test_no_orphan_is_left_after_kill_9() -> None:
    code = f"from trl_dsmath.grading import grade; grade([r'\\boxed{{{HANGING[0][0]}}}'] , [r'{HANGING[0][1]}'], 60)"
    caller = subprocess.Popen([sys.executable, "-c", code])
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(children) < 2:  # the zygote and the worker that hangs
        time.sleep(0.1)
        children = psutil.Process(caller.pid).children(recursive=True)
    assert len(children) >= 2
    caller.kill()
    caller.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
