r"""Extraction of the answer from a completion, by one of three filters.

*Stated* (votes, rewards, step labels): where the completion names it. *Strict* (a metric): only where the prompt asked for it.
*Flexible* (a metric; votes, rewards and labels on request): wherever a careful reader finds it.
"""

import re
from typing import Literal

from ..text import last_boxed, read_answer, read_choice, visible_text
from ..text.programs import printed_answer
from .benchmarks import Kind
from .prompts import Form

AnswerFilter = Literal["stated", "flexible"]
_WITHOUT = {"box": "without a box", "sentence": "without an answer", "program": "whose program printed nothing"}

_SENTENCE = re.compile(
    r"(?:\bthe\s+(?:final\s+)?answer\s+is|答案(?:是|为))[:：]?\s*(.+?)"
    r"(?=[.。]?\s*(?:$|\n)|[.。]\s+I\s+hope\b)",
    re.IGNORECASE,
)
_OUTPUT = re.compile(r"```[ \t]*output[ \t]*\n(.*?)(?:\n?```|\Z)", re.DOTALL)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_)\].])[-−]?\d[\d,]*(?:\.\d+)?(?:/\d+(?![\d/]))?")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NO_NUMBER = re.compile(r"\\(?!text\b|mathrm\b|[%$,;! ]|left\b|right\b)|[_^=]")
_LETTER = re.compile(
    r"[(（]([A-J])[)）]"
    r"|(?:\b(?:option|choice|answer)\s*:?\s*|选项?|选择|答案(?:是|为)?[:：]?\s*)[(（]?([A-J])(?![A-Za-z])"
    r"|(?:^|\n)\s*\**([A-J])(?:[.)、：:]|\**\s*(?:\n|$))",
    re.IGNORECASE,
)
_ENDS_IN_TAG = re.compile(r"</think>\s*\Z")
_LIST_NUMBER = re.compile(r"^[^\w\n]*\d+[.)][ \t]+(?=\S)", re.MULTILINE)  # "5. Format:" is no answer
_ALONE = re.compile(r"(?<![A-Za-z\\\d_^{$])([B-J]|A(?!\s+[a-z]))(?![A-Za-z\d_^'}$=])")


def final_answer(
    text: str,
    answer_filter: AnswerFilter = "stated",
    finished: bool = True,
    kind: Kind = "formula",
    printed: str | None = None,
) -> str | None:
    r"""
    The answer of a completion, for a vote, a reward or a label.

    Args:
        text (`str`):
            The completion.
        answer_filter (`str`, *optional*, defaults to `"stated"`):
            `"stated"`: the last `\boxed{}`, `####` or "the answer is ..." ([`read_answer`]). `"flexible"`: as
            [`flexible_answer`].
        finished (`bool`, *optional*, defaults to `True`):
            Whether the completion came to its end. One that was cut off has an answer only if its box is complete: "the answer
            is 1|2" is half of one, and a number in the middle none.
        kind (`str`, *optional*, defaults to `"formula"`), printed (`str`, *optional*):
            As in [`flexible_answer`].
    """
    if answer_filter == "flexible" and finished:
        return flexible_answer(text, kind, printed)
    return read_answer(text, finished)


def why_unread(cut_off: int, finished: int, form: Form = "box") -> str:
    """Why samples have no answer: `"5 cut off, 1 without a box"`, the others came to their end; empty when all have one."""
    told = (f"{cut_off:,} cut off" if cut_off else "", f"{finished:,} {_WITHOUT[form]}" if finished else "")
    return ", ".join(filter(None, told))


def kind_of(gold: str) -> Kind:
    """What an answer is, by its gold: a letter, a number, or a formula."""
    if len(gold) <= 8 and gold == gold.upper() and read_choice(gold) == "".join(sorted(re.findall("[A-J]", gold))):
        return "choice"
    return "number" if re.fullmatch(r"[$\s]*-?\d[\d,]*(?:\.\d+)?[$\s]*", gold) else "formula"


def program_output(text: str) -> str | None:
    """What the last line that the last program printed says; `None` when none printed anything."""
    blocks = _OUTPUT.findall(text)
    return printed_answer(blocks[-1]) if blocks else None


def strict_answer(text: str, kind: Kind, form: Form) -> str | None:
    r"""The answer where the prompt asked for it, and nothing else.

    Args:
        text (`str`):
            The completion; what an interpreter returned is in it, in ```` ```output ```` blocks.
        kind (`str`):
            What an answer is. For `"choice"` it has to name a letter.
        form (`str`):
            `"box"`: the last `\boxed{}`. `"sentence"`: the last "the (final) answer is ...", 答案是. `"program"`: the last
            line that the last program printed.

    Returns:
        `str` or `None`: the answer as it was written.
    """
    if form == "program":
        found = program_output(text)
    elif form == "box":
        found = last_boxed(visible_text(text))
    else:
        sentences = _SENTENCE.findall(visible_text(text))
        found = sentences[-1].strip() if sentences else None
    return read_choice(found) if found is not None and kind == "choice" else found


def flexible_answer(text: str, kind: Kind, printed: str | None = None) -> str | None:
    r"""The answer wherever a careful reader finds it.

    In this order: the last `\boxed{}`, `####`, "the answer is" ([`read_answer`]); the last line that a program printed;
    and then, by kind, the last number, the last formula, or the last letter that names a choice.

    Args:
        text (`str`):
            The completion.
        kind (`str`):
            What an answer is.
        printed (`str`, *optional*):
            What the last program printed, where it is not in the text.

    Returns:
        `str` or `None`: the answer; for `"choice"` a letter, or the words of an option.
    """
    if _ENDS_IN_TAG.search(text) and "<think>" not in text:
        text = _ENDS_IN_TAG.sub("", text)  # nothing was said afterwards
    found = read_answer(text) or printed or program_output(text)
    seen = visible_text(text)
    if kind == "choice":
        return (read_choice(found) or _last_letter(found) or found) if found else _last_letter(seen)
    if kind == "number":
        return _number_in(found) if found else _last_number(seen)
    if found:
        return found
    formulas = [next(filter(None, groups)) for groups in _FORMULA.findall(seen)]
    if not formulas:
        return _last_number(seen)
    if kind == "several":  # all that the last line with a formula gives: "$5$, $10$."
        line = next(line for line in reversed(seen.split("\n")) if _FORMULA.search(line)) if "\n" in seen else seen
        last_line = [next(filter(None, groups)) for groups in _FORMULA.findall(line)]
        return ", ".join(last_line)
    last = formulas[-1]
    number = _last_number(seen)
    # "... $x^2 = 9$, so it is 3": a bare number after the last formula is the answer.
    return number if number and seen.rfind(number) > seen.rfind(last) + len(last) else last


def _last_number(text: str) -> str | None:
    numbers = _NUMBER.findall(_LIST_NUMBER.sub("", text))
    return numbers[-1].rstrip(",").replace("−", "-") if numbers else None


def _number_in(found: str) -> str:
    """The one number among words and units; an answer that is a formula, or has several numbers, stays as it is."""
    numbers = _NUMBER.findall(found)
    return numbers[0].rstrip(",") if len(numbers) == 1 and not _NO_NUMBER.search(found) else found


def _last_letter(text: str) -> str | None:
    letters = [next(filter(None, groups)).upper() for groups in _LETTER.findall(text)]
    if letters:
        return letters[-1]
    return found[-1] if (found := _ALONE.findall(text)) else None
