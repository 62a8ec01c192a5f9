"""The reward for programs: values worked by hand, through the real sandbox."""

import pickle

import pytest

from trl_dsmath.errors import DataError, SandboxError
from trl_dsmath.generation.protocol import Program
from trl_dsmath.rewards import code_execution_reward
from trl_dsmath.sandbox import run_python


def _fenced(code: str) -> str:
    return f"I compute.\n```python\n{code}\n```\n"


@pytest.fixture(scope="module", autouse=True)
def _wall() -> None:
    try:
        run_python("")
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("completion", "gold", "reward"),
    [
        (_fenced("print(2 + 3)"), "5", 1.0),
        (_fenced("print(2 + 3)"), "6", 0.0),
        (_fenced("from sympy import *\nprint(sqrt(8))"), r"2\sqrt{2}", 1.0),
        (_fenced("from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 5*x + 6, x))"), "2,3", 1.0),
        (_fenced("from sympy import *\nx = symbols('x')\nprint(expand((x + 1)**2))"), "x^2+2x+1", 1.0),
        (_fenced("print('steps', 7)\nprint('The answer is 5.')"), "5", 1.0),
        (_fenced("print(1)") + _fenced("print(2)"), "2", 1.0),  # the last block counts
        (_fenced("print(1)") + _fenced("print(2)"), "1", 0.0),
        (_fenced("def solution():\n    return 18"), "#### 18", 1.0),
        (_fenced("def solution():\n    return 18\nprint(solution())"), "18", 1.0),
        (_fenced("answer = 2**10"), "1024", 1.0),
        (_fenced("import sys\n# print nothing\nanswer = 3 / 4"), r"\frac{3}{4}", 1.0),
        ("def solution():\n    return 4", "4", 1.0),  # program-of-thought without a fence
        ("```python\nprint(9)", "9", 1.0),  # cut off before the fence was closed
        ([{"role": "assistant", "content": _fenced("print(3)")}], "3", 1.0),
        (r"No program: \boxed{5}", "5", 0.0),
        (_fenced("pass"), "5", 0.0),
        (_fenced("print([2, 3])"), "[2, 3]", 1.0),
        (_fenced("print('[2, 3')"), "2,3", 0.0),
        (_fenced("from sympy import *\nprint(Interval.open(0, oo))"), r"(0,\infty)", 1.0),
        (
            _fenced("from sympy import *\nMatrix([[1, 2], [3, 4]])\npprint(1)\nprint(repr(Matrix([[1, 2], [3, 4]])))"),
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            1.0,
        ),
        (_fenced("from sympy import *\nprint(E)"), "e", 1.0),
        (
            _fenced("from sympy import *\nx, y = symbols('x y')\nprint(solve([x + y - 3, x - y + 1], [x, y]))"),
            "x=1, y=2",
            1.0,
        ),
        (_fenced("from sympy import *\nx = symbols('x')\nprint(reduce_inequalities([x**2 <= 4], x))"), "[-2,2]", 1.0),
        (_fenced("import numpy as np\nprint(np.array([1., 2.]))"), "(1,2)", 1.0),
        (_fenced("import numpy as np\nprint(np.array([2., 1.]))"), "(1,2)", 0.0),
        (_fenced("def solution():\n    return 18\nif False:\n    print(1)"), "18", 1.0),  # asked again
        (_fenced("x = 18\nif False:\n    print(1)"), "18", 0.0),
        (_fenced("print(4)\ndef solution():\n    return 18"), "4", 1.0),
        ("print(5)", "5", 0.0),  # no fence, and none of the signs of a program
        ("answer = 5\n```\nx\n```", "5", 0.0),
        (_fenced("print(5)\n1 / 0"), "5", 0.0),
        (_fenced("print(5"), "5", 0.0),
        (_fenced("import socket\nsocket.socket()\nprint(5)"), "5", 0.0),
        (_fenced("print(5)"), "", None),
        ("", "", None),
    ],
)
def test_reward(completion: object, gold: str, reward: float | None) -> None:
    assert code_execution_reward([completion], solution=[gold]) == [reward]


def test_metrics_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trl_dsmath.rewards.execution.TIME_LIMIT", 1.0)
    metrics: dict[str, float] = {}
    extra: dict[str, list] = {}
    rewards = code_execution_reward(
        [_fenced("print(5)"), _fenced("1 / 0"), _fenced("while True: pass"), "nothing"],
        ground_truth=["5"] * 4,
        log_metric=metrics.__setitem__,
        log_extra=extra.__setitem__,
    )
    assert rewards == [1.0, 0.0, 0.0, 0.0]
    assert metrics == {"code/ran": 0.25, "code/failed": 0.25, "code/timed_out": 0.25, "code/missing": 0.25, "code/correct": 0.25}  # fmt: skip
    assert extra["program_error"] == ["", "ZeroDivisionError: division by zero", "TimeoutError: stopped after 1 s", "no program"]  # fmt: skip
    assert extra["program_output"][0] == "5\n"
    assert extra["program_verdict"] == ["correct", "no_answer", "no_answer", "no_answer"]
    code_execution_reward([_fenced("print('x' * 600)")], solution=["5"], log_extra=extra.__setitem__)
    assert extra["program_output"] == ["x" * 499 + "\n"]
    metrics.clear()
    assert code_execution_reward([], solution=[], log_metric=metrics.__setitem__) == [] and metrics == {}


def test_equal_programs_run_once() -> None:
    program = _fenced("import random\nprint(random.getrandbits(64))")
    extra: dict[str, list] = {}
    code_execution_reward([program] * 3, solution=["1"] * 3, log_extra=extra.__setitem__)
    assert len(set(extra["program_output"])) == 1


def test_gold_missing_and_pickle() -> None:
    with pytest.raises(DataError, match="no column"):
        code_execution_reward(["x"])
    with pytest.raises(DataError, match="2 completions but 1 golds"):
        code_execution_reward(["x", "y"], solution=["1"])
    assert pickle.loads(pickle.dumps(code_execution_reward)) is code_execution_reward


def test_programs_that_a_roll_out_ran_are_not_run_again() -> None:
    ran = [(Program("x = 6", ""), Program("print(x * 7)", "42\n")), (Program("1/0", "", "ZeroDivisionError"),), ()]
    text = "```python\nprint(x * 7)\n```"  # alone, it would fail: x belongs to the program before
    assert code_execution_reward([text] * 3, solution=["42"] * 3, programs=ran) == [1.0, 0.0, 0.0]
    assert code_execution_reward([text], solution=["42"]) == [0.0]
