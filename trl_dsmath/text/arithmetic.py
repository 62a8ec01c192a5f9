r"""Calculations that a solution writes down, such as `8 apples * 4 = 32 apples`, and whether they are right."""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

# LaTeX and Unicode that stand for an operator, and what stands around numbers without a meaning for the calculation.
_OPERATORS = {r"\\times|\\cdot|×|·": "*", r"\\div|÷": "/", "−|–": "-"}
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_NOISE = re.compile(r"<<[^<>\n]*>>|\\[$,;!]|\\(?:text|mathrm|boxed)\s*(?=\{)|[$€£°{}]|(?<=\d),(?=\d{3}(?!\d))")

EXPRESSION = r"[\d.+*/() -]*\d[\d.+*/() -]*"
_TIMES = re.compile(r"(?<=[\d)a-z]) [xX] (?=\(?\d)")
_WORD = r"[A-Za-z]{2,}(?:\s*/\s*[A-Za-z]{2,})?"
_UNIT = re.compile(rf"(?<=[\d)])(?:\s*[-/]\s*|\s+){_WORD}(?:\s+{_WORD}){{0,3}}(?=\s*\)?\s*[-+*/=])")
# Not where something follows that the numbers alone do not say: a digit, a percent sign, a power, a variable.
_CHAIN = re.compile(rf"(?<![\d.:+*/()=^-])\s*({EXPRESSION}(?:={EXPRESSION})+)(?!\d|\s*[%^]|\s?[A-Za-z]\b)")
# What the first number is only a part of.
_BEFORE = re.compile(r"(?:[-+*/^=(%]|\b(?:of|times|twice|double|half|triple|than)|\b[A-Za-z]|\d\s+\w+ and)\s*$")
_HAS_OPERATOR = re.compile(r"[\d)]\s*[-+*/]")
_CALCULATE: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 200  # characters of an expression; what is longer is not calculated


def plain_arithmetic(text: str) -> str:
    r"""Text with its calculations in plain characters: `\frac{1}{2} \times \$1,000` as `(1)/(2) * 1000`."""
    for pattern, sign in _OPERATORS.items():
        text = re.sub(pattern, sign, text)
    return _NOISE.sub("", _FRACTION.sub(r"(\1)/(\2)", text).replace(r"\%", "%"))


def check_calculations(text: str) -> list[bool]:
    """
    Whether each calculation in a text is right, by exact arithmetic.

    A result may be rounded or cut off: it is right where it is less than one unit of its last place away. What
    cannot be read for certain is left out: variables, percentages, mixed numbers, a bare number before the first `=`.

    Args:
        text (`str`):
            A step, or a whole solution.

    Returns:
        `list[bool]`: one for each calculation; each `=` of a chain `a = b = c` is one.

    Example:
    ```python
    >>> check_calculations("Ana has 5 boxes x 7 cookies/box = 35 cookies, and 35 + 4 = 38 in all.")
    [True, False]
    ```
    """
    text = _UNIT.sub("", _TIMES.sub("*", plain_arithmetic(text)))
    found = []
    for match in _CHAIN.finditer(text):
        sides = match[1].split("=")
        values = [_value(side) for side in sides]
        # "3 friends = 12/4" names something; "x + 3 = 5" and "half of 6 + 1 = 4" begin before the number.
        if not _HAS_OPERATOR.search(sides[0]) or _BEFORE.search(text[: match.start(1)]):
            values[0] = None
        for (a, b), (left, right) in zip(pairwise(values), pairwise(sides), strict=True):
            if a is not None and b is not None and (_HAS_OPERATOR.search(left) or _HAS_OPERATOR.search(right)):
                found.append(abs(a - b) < _last_place(left, right))
    return found


def _value(expression: str) -> Fraction | None:
    """`None` where it is no expression, or divides by zero."""
    if len(expression) > _LONGEST:
        return None
    try:
        return _calculate(ast.parse(expression.strip().rstrip("."), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _calculate(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(repr(number))  # as it is written: 0.1 is a tenth
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_calculate(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _CALCULATE:
            return _CALCULATE[type(op)](_calculate(left), _calculate(right))
    raise ValueError("no arithmetic of four operations")


def _last_place(left: str, right: str) -> Fraction:
    """One unit in the last place of the result; of two expressions, of the finer one."""
    bare = [side for side in (left, right) if not _HAS_OPERATOR.search(side)] or [left, right]
    return Fraction(1, 10 ** max(len(number) for side in bare for number in re.findall(r"\d+\.?(\d*)", side)))
