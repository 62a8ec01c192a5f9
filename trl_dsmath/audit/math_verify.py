"""The second grader: math-verify as TRL wraps it (`trl.rewards.accuracy_reward`), in processes that can be killed."""

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ..data.journal import Journal
from ..errors import GradingError
from ..grading import Verdict

LIMIT = 60.0  # seconds by the clock for one completion: TRL's own limits end after 25, where they hold
_START = 1200.0  # a far backstop, for a busy machine
_WORKERS = 4
_EACH = 64  # completions that are worth a process


class Second(NamedTuple):
    """What TRL's grader says."""

    verdict: Verdict  # TIMEOUT too where TRL gives a reward nevertheless: it tells a time-out to its log only
    reward: float | None  # what a run would have got
    read: str  # the answer


def judge_with_trl(pairs: Sequence[tuple[str, str]], file: Path, limit: float = LIMIT) -> list[Second]:
    """
    Judges golds, as the data set stores them, and completions with TRL's grader.

    Verdicts are kept in the file as they come, so that nothing is judged twice. A process that does not answer within
    `limit` seconds by the clock is killed; the verdict is `TIMEOUT`.

    Raises:
        GradingError: the process does not start.
    """
    keys = [digest(*pair) for pair in pairs]
    settings = {"trl": version("trl"), "math_verify": version("math-verify")}
    with Journal(file, ("key",), settings, holds="verdicts of TRL's grader") as journal:
        left = {key: pair for key, pair in zip(keys, pairs, strict=True) if (key,) not in journal.done}
        todo, lock = iter(left.items()), threading.Lock()

        def work(_: int) -> None:
            worker = _Worker()
            try:
                while True:
                    with lock:
                        if (one := next(todo, None)) is None:
                            return
                    found = worker.ask(one[1], limit)
                    with lock:
                        journal.append([{"key": one[0], **found}])
            finally:
                worker.end()

        number = min(-(-len(left) // _EACH), os.cpu_count() or 1, _WORKERS)
        with ThreadPoolExecutor(max(1, number)) as threads:
            list(threads.map(work, range(number)))
        known = {row["key"]: Second(Verdict(row["verdict"]), row["reward"], row["read"]) for row in journal.rows()}
    return [known[key] for key in keys]


def digest(*texts: str) -> str:
    """A short name for texts: the same texts have the same one in every run."""
    return blake2b(json.dumps(texts).encode(), digest_size=12).hexdigest()


class _Worker:
    """A process that judges one completion at a time; the next one starts where it had to be killed."""

    _process: subprocess.Popen[bytes] | None = None

    def ask(self, pair: tuple[str, str], limit: float) -> dict[str, Any]:
        if self._process is None:
            environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
            package = str(Path(__file__).resolve().parents[2])
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "trl_dsmath.audit.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            if self._answer(_START) != "ready":
                self.end()
                raise GradingError("TRL's grader did not start: `python -m trl_dsmath.audit.worker` shows why.")
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(pair).encode() + b"\n")
        self._process.stdin.flush()
        found = self._answer(limit)
        if found is None:
            self.end()
            return {"verdict": Verdict.TIMEOUT, "reward": None, "read": ""}
        return found

    def _answer(self, limit: float) -> Any:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], limit)
        line = self._process.stdout.readline() if ready else b""
        return json.loads(line) if line.endswith(b"\n") else None

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
