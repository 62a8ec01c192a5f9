r"""Blocks of Python in a solution, and the result of one."""

import pytest

from trl_dsmath.text.programs import (
    final_program,
    has_result,
    printed_answer,
    printing,
    prints,
    programs,
    showing_result,
)


def test_closed_blocks_in_order() -> None:
    text = "a\n```python\nx = 1\n```\nb\n```output\n1\n```\n```py\ny = '```'\n```\nc ```python\nnot closed"
    assert programs(text) == ["x = 1\n", "y = '```'\n"]
    assert programs(text, cut_off=True) == ["x = 1\n", "y = '```'\n", "not closed"]
    assert programs("```\nx\n```") == programs("") == []
    assert programs("```Python3 \nx\n ``` \n") == programs("```PY\nx\n```", cut_off=True) == ["x\n"]


@pytest.mark.parametrize(
    ("program", "result"),
    [("def solution():\n  return 1", True), ("answer = 3", True), ("answer == 3", False), ("  answer = 3", False)],
)
def test_results_by_convention(program: str, result: bool) -> None:
    assert has_result(program) is result


@pytest.mark.parametrize(
    ("program", "asked"),
    [
        ("# print the result\ndef solution(): return 42", True),  # speaks of printing, and does not
        ("fingerprints = 21\nanswer = fingerprints * 2", True),
        ("answer = 3\nprint (answer)", False),
        ("for answer in range(10): pass", False),  # no convention: its names are its own
    ],
)
def test_a_program_that_prints_nothing_is_asked_for_its_result(program: str, asked: bool) -> None:
    assert printing(program) == (showing_result(program) if asked else program)
    assert prints(program) is ("print (" in program)


@pytest.mark.parametrize(
    ("program", "printed"), [("def solution(): return 7", "7"), ("answer = 8", "8"), ("x = 9", "")]
)
def test_showing_the_result(program: str, printed: str, capsys: pytest.CaptureFixture) -> None:
    exec(showing_result(program), {})
    assert capsys.readouterr().out.strip() == printed


def test_printed_answer() -> None:
    assert printed_answer("1\n 2 \n\n") == "2"
    assert printed_answer("\n") is None
    assert printed_answer("7\nThe answer is 5.\n") == "5"
    assert printed_answer("steps\nMatrix([\n[1, 2],\n[3, 4]])\n") == "Matrix([ [1, 2], [3, 4]])"
    assert printed_answer("0\n[[1 2]\n [3 4]]") == "[[1 2] [3 4]]"
    assert printed_answer("a ]\nb ]") == "b ]"  # never closed


def test_the_final_program() -> None:
    text = "a\n```python\nx = 1\n```\nb\n```py\nprint(x)\n```\nc"
    assert final_program(text) == (["x = 1\n"], "print(x)\n")
    assert final_program("```python\nprint(1)\n```\n```python\nprint(2)") == (["print(1)\n"], "print(2)")
    assert final_program("```python\nanswer = 1\n```\n```python\n\n```") == ([], showing_result("answer = 1\n"))
    assert final_program("```python\n  \n```") is final_program("no program") is None
