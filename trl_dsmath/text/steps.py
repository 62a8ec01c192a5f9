r"""Cutting a solution into steps, with character spans.

A step holds the separator that ends it; a piece with nothing but white space before its separator joins the step before
it (or the first step, at the start); the last step ends at the end of the text. So the spans tile the
text, and a text that is blank but for separators has no step.
"""

import re

NEWLINE = "\n"
BLANK_LINE = "\n\n"
STEP_LABEL = "Step N:"
KI_TAG = " ки"

_BLANK_LINES = re.compile(r"\n\s*\n")
# At the start of a line, so that "by Step 2: ..." inside a sentence does not cut; Markdown's `##` and `**` may precede.
_LABEL = re.compile(r"^[^\S\n]*[#*]*[^\S\n]*Step[^\S\n]+\d+[^\S\n]*[:.]", re.MULTILINE | re.IGNORECASE)
# The tag as a word of its own (not the start of a Russian word), with the newline that Math-Shepherd writes after it.
_TAG = re.compile(r" ?(?<!\w)ки(?!\w)\n?")


def step_spans(text: str, separator: str = NEWLINE) -> list[tuple[int, int]]:
    r"""
    Character spans of the steps of a solution.

    Args:
        text (`str`):
            Solution to cut.
        separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step: a newline; `"\n\n"`, a blank line (spaces in it do not matter); `" ки"`, the tag of
            Math-Shepherd; `"Step N:"`, which starts one: a new step begins at each line with such a label, whatever
            its number; or any other string, taken literally.

    Returns:
        `list[tuple[int, int]]`: start and end (exclusive) of each step; they tile the text. Empty for a blank text.

    Raises:
        ValueError: the separator is empty.

    Source: §4.1.3 of the paper counts steps without saying how they are cut; newlines and ` ки` are Math-Shepherd's
    (arXiv 2312.08935).

    Example:
    ```python
    >>> step_spans("9+7=6\n\nSo 6.")
    [(0, 7), (7, 12)]
    ```
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for content_end, end in [*_cuts(text, separator), (len(text), len(text))]:
        if text[start:content_end].strip():
            spans.append((start, end))
        elif spans:
            spans[-1] = (spans[-1][0], end)
        start = end
    if spans:
        spans[0] = (0, spans[0][1])  # what is blank before the first step joins it
    return spans


def split_steps(text: str, separator: str = NEWLINE) -> list[str]:
    """The texts of the steps of a solution; joined they are the solution. See [`step_spans`]."""
    return [text[start:end] for start, end in step_spans(text, separator)]


def end_step(step: str, separator: str = NEWLINE) -> str:
    """A step with the separator that ends it, added where it is missing; any white space will do for a newline."""
    if separator in (NEWLINE, STEP_LABEL):
        return step if step[-1:].isspace() else step + NEWLINE
    return step if len(step_spans(f"{step}.", separator)) > 1 else step + separator


def _cuts(text: str, separator: str) -> list[tuple[int, int]]:
    """Where the separators lie: each ends a piece whose content stops where the separator starts."""
    if separator == NEWLINE:
        return [(i, i + 1) for i, char in enumerate(text) if char == NEWLINE] if NEWLINE in text else []
    if separator == STEP_LABEL:
        return [(match.start(), match.start()) for match in _LABEL.finditer(text)]
    if separator == BLANK_LINE:
        return [match.span() for match in _BLANK_LINES.finditer(text)]
    if separator == KI_TAG:
        return [match.span() for match in _TAG.finditer(text)]
    if not separator:
        raise ValueError("the separator of steps is empty: give a newline, or the string that ends a step")
    return [match.span() for match in re.finditer(re.escape(separator), text)]
