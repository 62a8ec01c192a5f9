"""GSM8K's calculator marks turned into programs: program-of-thought and tool-integrated solutions out of worked ones.

The paper's SFT data have all three forms (§3.1), written by annotators; these are derived from the marks, and a program
is kept only when running its arithmetic gives the gold.
"""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

_MARK = re.compile(r"<<([^<>=\n]*)=([^<>\n]*)>>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_OPERATIONS: dict[type, Callable[..., Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def marks_to_program(question: str, worked: str, gold: str) -> tuple[str, str] | None:
    """Writes the calculation of a worked solution as a Python program.

    A sentence becomes a comment and its marks the lines below it. A number that an earlier line computed and the question
    does not name is written as that line's variable. The answer is printed.

    Args:
        question (`str`):
            The question.
        worked (`str`):
            The worked solution with its marks.
        gold (`str`):
            The final answer.

    Returns:
        `tuple[str, str]` or `None`: the program and what it prints; `None` where there are no marks, where a mark does not compute, or where the last
        one is not the gold.
    """
    given = set(_NUMBER.findall(question.replace(",", "")))
    lines: list[str] = []
    computed: dict[str, str] = {}  # decimal text of an earlier result: its variable
    value: Fraction | None = None
    steps, name = 0, ""
    for sentence in filter(None, map(str.strip, worked.split("\n"))):
        marks = _MARK.findall(sentence)
        if not marks:
            continue
        lines.append(f"# {_MARK.sub('', sentence)}")
        for expression, written in marks:
            expression = _tidy(expression)
            value = _evaluate(expression)
            if value is None or not _agree(value, written):
                return None
            steps += 1
            name = f"step_{steps}"
            lines.append(f"{name} = {_with_variables(expression, given, computed)}")
            computed[written.strip().replace(",", "")] = name
    if value is None or not _agree(value, gold, exact=True):
        return None
    # 0.1 + 0.2 would print as 0.30000000000000004.
    whole = value.denominator == 1
    lines.append(f"print(round({name}))" if whole else f"print(round({name}, 6))")
    return "\n".join(lines), str(value) if whole else repr(round(float(value), 6))


def _tidy(expression: str) -> str:
    """`$1,200 x 5%` as Python would write it."""
    expression = expression.replace("$", "").replace(",", "").replace("x", "*").replace("X", "*")
    return re.sub(r"(\d+(?:\.\d+)?)\s*%", r"(\1/100)", expression).strip()


def _evaluate(expression: str) -> Fraction | None:
    """The exact value of an expression of numbers, + - * / and brackets; None for anything else."""
    try:
        return _value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Fraction(str(number))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left), _value(right))
        case ast.UnaryOp(operand=operand, op=op) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(operand))
    raise ValueError("no arithmetic")


def _agree(value: Fraction, written: str, exact: bool = False) -> bool:
    """Whether a value is the number that stands there; a mark may be rounded, a final answer may not."""
    text = written.strip().replace(",", "").lstrip("$")
    try:
        number = Fraction(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    except (ValueError, ZeroDivisionError):
        return False
    if exact:
        return value == number
    places = len(text.partition(".")[2])
    return abs(value - number) < Fraction(1, 10**places)


def _with_variables(expression: str, given: set[str], computed: dict[str, str]) -> str:
    return _NUMBER.sub(
        lambda found: computed[found[0]] if found[0] in computed and found[0] not in given else found[0], expression
    )
