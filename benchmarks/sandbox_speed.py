"""How many programs per second the sandbox runs, warm and cold, beside a plain `python -c` subprocess in the same run.

    python benchmarks/sandbox_speed.py [--programs 60] [--plain 6]

Each program imports sympy and solves a quadratic equation of its own. Isolation backends that
this machine lacks are named and left out.
Wall-clock time; other jobs on the machine slow all rows down. Goal: at least 20 programs a second with 2 workers.
"""

import argparse
import os
import subprocess
import sys
import time

from trl_dsmath.errors import SandboxError
from trl_dsmath.sandbox import Sandbox
from trl_dsmath.sandbox.isolation import BACKENDS

PROGRAM = """
import sympy
x = sympy.Symbol("x")
print(sympy.solve(x**2 - {p} * x + {q}, x))
"""


def program(index: int) -> tuple[str, str]:
    """A program and what it prints: the roots index and index + 1."""
    return PROGRAM.format(p=2 * index + 1, q=index * (index + 1)), f"[{index}, {index + 1}]\n"


def measure(backend: str, count: int) -> None:
    pairs = [program(index + 1) for index in range(count)]
    with Sandbox(backend) as box:
        started = time.perf_counter()
        try:
            layers = box.run("").layers
        except SandboxError as error:
            print(f"{backend:12} not here: {str(error).splitlines()[-1].strip()}")
            return
        cold = time.perf_counter() - started
        rates = []
        for workers in (1, 2):
            started = time.perf_counter()
            results = box.run_many([code for code, _ in pairs], workers=workers)
            rates.append(count / (time.perf_counter() - started))
            assert [result.stdout for result in results] == [expected for _, expected in pairs]
    print(f"{backend:12} {cold:10.2f} {rates[0]:12.1f} {rates[1]:12.1f}   {' + '.join(layers)}")


def plain(count: int) -> None:
    started = time.perf_counter()
    for index in range(count):
        code, expected = program(index + 1)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == expected
    print(f"{'python -c':12} {'-':>10} {count / (time.perf_counter() - started):12.1f} {'-':>12}   nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=60)
    parser.add_argument("--plain", type=int, default=6)
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, user {os.getuid()}")
    print(f"{'':12} {'cold start':>10} {'1 worker':>12} {'2 workers':>12}   layers")
    print(f"{'':12} {'s':>10} {'programs/s':>12} {'programs/s':>12}")
    for backend in BACKENDS:
        measure(backend, args.programs)
    plain(args.plain)


if __name__ == "__main__":
    main()
