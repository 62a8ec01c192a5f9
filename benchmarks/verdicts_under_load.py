"""Do verdicts depend on how busy the machine is? The same 1,000 answers beside 0, 4 and 12 busy processes.

    python benchmarks/verdicts_under_load.py [--loads 0 4 12] [--answers 1000] [--output FILE]

The answers are hand-written cases of tests/grading (integrals, limits, sums, matrices, everything else) and hostile
completions, three of which no computer algebra system finishes. Each load starts with a fresh grading process, so its
start is part of the test. The exit code is 1 when any verdict differs.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HARD = ("\\int", "\\lim", "\\sum", "matrix")
BATCH = 250  # answers per call, about what a GRPO step has


def rows(count: int) -> list[tuple[str, str]]:
    """`count` pairs of completion and gold: all that need computer algebra, all hostile ones, and others."""
    spec = importlib.util.spec_from_file_location("hostile_answers", ROOT / "benchmarks" / "hostile_answers.py")
    assert spec and spec.loader
    hostile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hostile)
    chosen = [(text, "5") for text in hostile.completions().values()]
    chosen += [(f"\\boxed{{{answer}}}", gold) for answer, gold in hostile.HANGING[:3]]
    cases = []
    for file in sorted((ROOT / "tests" / "grading").glob("cases*.jsonl")):
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line:
                case = json.loads(line)
                cases.append((case["completion"], case["gold"]))
    hard = [case for case in cases if any(mark in case[0] + str(case[1]) for mark in HARD)]
    others = [case for case in cases if case not in hard]
    draw = random.Random(0)
    chosen += draw.sample(hard, min(len(hard), count // 3))
    chosen += draw.sample(others, count - len(chosen))
    draw.shuffle(chosen)
    return chosen


def measure(count: int) -> dict:
    """Verdicts of all rows, with the time by the clock and by the processor."""
    from trl_dsmath.grading import batch, grade

    hard = 0
    run = batch._POOL.run

    def counted(pairs, limit):
        nonlocal hard
        hard += len(pairs)
        return run(pairs, limit)

    batch._POOL.run = counted  # type: ignore[method-assign]
    pairs = rows(count)
    start = time.perf_counter()
    verdicts: list[str] = []
    for first in range(0, len(pairs), BATCH):
        part = pairs[first : first + BATCH]
        verdicts += map(str, grade([answer for answer, _ in part], [gold for _, gold in part]))
    return {"verdicts": verdicts, "seconds": time.perf_counter() - start, "hard": hard}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, nargs="+", default=[0, 4, 12], help="busy processes beside the grader")
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--output", type=Path, help="where the verdicts of all loads are written, as JSON")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.answers)))
        return
    found = {}
    for load in args.loads:
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        before = os.getloadavg()[0]
        try:
            command = [sys.executable, __file__, "--measure", "--answers", str(args.answers)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        found[load] = json.loads(done.stdout)
        counts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(Counter(found[load]["verdicts"]).items()))
        print(
            f"{load:3} busy processes (load average before {before:.1f}): {found[load]['seconds']:6.1f} s, "
            f"{found[load]['hard']} pairs in workers; {counts}",
            flush=True,
        )
    if args.output:
        args.output.write_text(json.dumps(found))
    first, *rest = (result["verdicts"] for result in found.values())
    pairs = rows(args.answers)
    differing = [i for i in range(len(first)) if any(other[i] != first[i] for other in rest)]
    for i in differing:
        print(f"  {[result['verdicts'][i] for result in found.values()]}: {pairs[i][0][-100:]!r} for {pairs[i][1]!r}")
    print(f"{len(differing)} of {len(first)} verdicts differ between the loads")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
