r"""Solutions to imitate, in the paper's three forms (§3.1): in words, as a program, in words with programs.

The paper's were written by annotators. Programs are derived here from GSM8K's calculator marks, and kept only when their
arithmetic gives the gold. Their output follows as in DeepSeek-Math's harness: an ```` ```output ```` block.
"""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..text import last_boxed
from ..text.chinese import is_chinese
from ..text.programs import programs
from .columns import split_gsm8k, without_marks
from .prompts import FINAL_ANSWER, Mode

# Our words between a solution and its program.
_COMPUTE = {False: "Let me compute this with a program.", True: "用程序计算如下。"}
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
_FINAL_CHINESE = "因此，答案是\\boxed{{{answer}}}。"


def read_solution(worked: Any, program: Any, question: str, gold: str, mode: Mode) -> str:
    """The solution of a row in the form that is asked for (`"cot"`, `"pot"` or `"tool"`); empty when the row has none.

    The cell of a program serves `"pot"` only: what it prints is not known. Words that are added are in the language of the
    question.
    """
    text = "" if worked is None else str(worked).strip()
    chinese = is_chinese(question)
    if mode == "cot":
        return read_worked(text, gold, chinese)
    blocks = programs(text)
    if mode == "tool" and blocks:
        return _ending_in_a_box(text, gold, chinese)
    derived = marks_to_program(question, text.rpartition("####")[0] or text, gold)
    if mode == "tool":
        if derived is None:
            return ""
        words = read_worked(text, gold, chinese).rpartition("\n")[0]  # without the line of the answer
        run = f"{_block(derived[0])}\n```output\n{derived[1]}\n```"
        return _ending_in_a_box(f"{words}\n{_COMPUTE[chinese]}\n{run}", gold, chinese)
    code = "" if program is None else str(program).strip()
    if code:
        return code if code.startswith("```") else _block(code)
    if blocks:
        return _block(blocks[-1].strip("\n"))
    return _block(derived[0]) if derived else ""


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


def read_worked(value: Any, gold: str, chinese: bool = False) -> str:
    r"""The solution in words, ending in a box; empty when the cell holds nothing but the final answer."""
    text = "" if value is None else str(value).strip()
    split = split_gsm8k(text)
    if split:
        text = split[0]
    elif text == gold:
        return ""
    return _ending_in_a_box(without_marks(text), gold, chinese) if text else ""


def _ending_in_a_box(text: str, gold: str, chinese: bool) -> str:
    if last_boxed(text) is not None:
        return text
    return f"{text}\n{(_FINAL_CHINESE if chinese else FINAL_ANSWER).format(answer=gold)}"


def marks_to_program(question: str, worked: str, gold: str) -> tuple[str, str] | None:
    """Writes the calculation of a worked solution as a Python program.

    A sentence becomes a comment and its marks the lines below it. A number that an earlier line computed and the question
    does not name is written as that line's variable. The answer is printed.

    Returns:
        `tuple[str, str]` or `None`: the program and what it prints; `None` where there are no marks, where a mark does not
        compute, or where the last one is not the gold.
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
    """Whether a value is the number that is written; a mark may be rounded, a final answer may not."""
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
