r"""Programs in a solution: its ```` ```python ```` blocks, and the result that one of them has.

A program prints its result, or follows a convention of DeepSeek-Math's evaluation harness: a function `solution()`
(GSM8K) or a variable `answer` (MATH). Nothing is run here.
"""

import re

from .answers import read_answer

_FENCE = r"```[ \t]*(?:python\d?|py)[ \t]*\n"
_CLOSED = re.compile(_FENCE + r"(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_OPEN = re.compile(_FENCE + r"(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_CONVENTION = re.compile(r"^(?:def solution\(|answer *=[^=])", re.MULTILINE)
_PRINT = re.compile(r"\bprint\s*\(")
_SHOW = """
if callable(globals().get("solution")):
    print(solution())
elif "answer" in globals():
    print(answer)
"""


def programs(text: str, cut_off: bool = False) -> list[str]:
    """The contents of the ```` ```python ```` blocks of a text, in order.

    Args:
        text (`str`):
            A solution.
        cut_off (`bool`, *optional*, defaults to `False`):
            Whether a last block that is not closed counts: a model that stops at the closing fence leaves one.

    Returns:
        `list[str]`
    """
    return [match[1] for match in (_OPEN if cut_off else _CLOSED).finditer(text)]


def final_program(text: str) -> tuple[list[str], str] | None:
    """
    The program whose output is the answer of a text: its last block, made to print its result.

    A last block that is not closed counts, since a model may be stopped at the closing fence. Blank blocks do not.

    Args:
        text (`str`):
            A solution.

    Returns:
        `tuple[list[str], str]` or `None`: the blocks before it, whose variables it may use, and the program; None without a
        block.
    """
    blocks = [block for block in programs(text, cut_off=True) if block.strip()]
    if not blocks:
        return None
    return blocks[:-1], blocks[-1] if prints(blocks[-1]) else showing_result(blocks[-1])


def has_result(program: str) -> bool:
    """Whether a program has a function `solution()` or a variable `answer`."""
    return _CONVENTION.search(program) is not None


def showing_result(program: str) -> str:
    """A program that ends with printing its `solution()` or its `answer`."""
    return f"{program}\n{_SHOW}"


def prints(program: str) -> bool:
    """Whether a program calls `print`."""
    return _PRINT.search(program) is not None


def printing(program: str) -> str:
    """A program as it is to be run: one that follows the convention and prints nothing itself shows its result."""
    return showing_result(program) if has_result(program) and not prints(program) else program


def printed_answer(output: str) -> str | None:
    """The answer that a program printed: what the last line says, with the lines before it while a bracket is open."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for first in range(len(lines) - 1, max(len(lines) - 50, 0) - 1, -1):
        text = " ".join(lines[first:])
        if text.count("[") >= text.count("]"):  # numpy and sympy print a row on each line
            return read_answer(text) or text
    return lines[-1] if lines else None
