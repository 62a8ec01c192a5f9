r"""Solutions to imitate, in the paper's three forms (§3.1): in words, as a program, in words with programs.

The programs' output is written behind them as in DeepSeek-Math's harness: an ```` ```output ```` block.
"""

import re
from typing import Any

from ..text.boxed import last_boxed
from ..text.chinese import is_chinese
from ..text.programs import programs
from .programs import marks_to_program
from .prompts import FINAL_ANSWER, Mode

PROGRAM_COLUMNS = ("program", "python", "python_solution", "code")

_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # GSM8K: "48/2 = <<48/2=24>>24"
# Our words between a solution and its program.
_COMPUTE = {False: "Let me compute this with a program.", True: "用程序计算如下。"}
_FINAL_CHINESE = "因此，答案是\\boxed{{{answer}}}。"


def split_gsm8k(answer: str) -> tuple[str, str] | None:
    """Cuts `"48/2 = <<48/2=24>>24 clips.\\n#### 24"` into the worked solution, without the calculator's marks, and the
    final answer; None for a text without `####`."""
    if "####" not in answer:
        return None
    worked, _, final = answer.rpartition("####")
    return _CALCULATOR.sub("", worked).strip(), final.strip()


def read_solution(worked: Any, program: Any, question: str, gold: str, mode: Mode) -> str:
    """The solution of a row in the form that is asked for; empty when the row has none.

    Args:
        worked (`Any`):
            Cell of the worked solution, or None.
        program (`Any`):
            Cell of a program, or None. It serves `"pot"` only: what it prints is not known.
        question (`str`):
            The question: its language is that of the words that are added.
        gold (`str`):
            The final answer.
        mode (`str`):
            `"cot"`, `"pot"` or `"tool"`.

    Returns:
        `str`
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
    return _ending_in_a_box(_CALCULATOR.sub("", text), gold, chinese) if text else ""


def _ending_in_a_box(text: str, gold: str, chinese: bool) -> str:
    if last_boxed(text) is not None:
        return text
    return f"{text}\n{(_FINAL_CHINESE if chinese else FINAL_ANSWER).format(answer=gold)}"
