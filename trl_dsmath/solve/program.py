"""Answers by program (PoT): the model writes Python, the sandbox runs it, the last line it prints is the answer."""

import re

# DeepSeekMath's harness reads `solution()` on GSM8K and the variable `answer` on MATH (few-shot PAL).
_TAIL = """
if callable(globals().get("solution")):
    print(solution())
elif "answer" in globals():
    print(answer)
"""
_BLOCK = re.compile(r"```(?:python|py)\s*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE)


def program_of(text: str) -> str | None:
    """The last Python block of a completion, made to print its result; `None` when there is no block.

    A block that was cut off counts: a model that stops at the closing fence leaves none.
    """
    blocks = _BLOCK.findall(text)
    if not blocks or not blocks[-1].strip():
        return None
    program = blocks[-1]
    return program if "print(" in program else program + "\n" + _TAIL


def printed_answer(stdout: str) -> str | None:
    """The last line that is not blank; lists lose their brackets as the grader expects them."""
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    return lines[-1] if lines else None
