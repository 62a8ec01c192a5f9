"""The process in which TRL's grader runs: `python -m trl_dsmath.audit.worker` reads `[gold, text]` and writes a verdict, in JSON lines.

TRL's limits of time are signals, which work in the main thread only, and one of its steps has no limit. So it is run as it
is, in the main thread of a process of its own, and whoever asks kills that when it does not answer.
"""

import ctypes
import json
import logging
import resource
import signal
import sys
from typing import Any

MEMORY_BYTES = 4 << 30
_NOTHING = {"[unparseable]": "no_answer", "[skipped]": "bad_gold"}  # what TRL logs as the answer


class _Timeouts(logging.Handler):
    """Counts the time-outs of math-verify, which tells them to its log and to nobody else."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.getMessage().startswith("Timeout")


def main() -> None:
    """Judges until the input ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # follow the caller into death
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    from trl.rewards import accuracy_reward

    timeouts = _Timeouts(logging.WARNING)
    logging.getLogger("math_verify").addHandler(timeouts)

    def judge(gold: str, text: str) -> dict[str, Any]:
        before, logged = timeouts.count, {}
        messages = [[{"role": "assistant", "content": text}]]
        reward = accuracy_reward(messages, [gold], log_extra=lambda name, cells: logged.update({name: cells[0]}))[0]
        verdict = _NOTHING.get(logged["answer_parsed"], "correct" if reward else "wrong")
        late = timeouts.count > before
        read = "" if logged["answer_parsed"] in _NOTHING else logged["answer_parsed"][:500]
        return {"verdict": "timeout" if late else verdict, "reward": reward, "read": read}

    for _ in range(2):  # loads the grammar and sympy's rules, which no completion is to be charged for
        judge(r"$2\sqrt{3}x$", r"\boxed{\frac{28}{100}\%}")
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        pair = json.loads(line)
        found = judge(*pair)
        if found["verdict"] == "timeout":  # by the clock: the machine may have been busy
            found = judge(*pair)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
