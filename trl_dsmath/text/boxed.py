r"""The last balanced `\boxed{}` of a completion.

This runs on every completion of every training step, so the usual case (one box, no nested braces) takes two string
searches and nothing else.
"""

import re

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
# `\boxed 5`: TeX would take one character, people mean the word.
_BARE = re.compile(r"\s*(-?\\[a-zA-Z]+(?:\{[^{}]*\})+|-?\\?[\w.,/^]*\w)")
# What a model wrote for the interpreter, and what the interpreter wrote back, is not the model's answer.
_FENCE = re.compile(r"```[ \t]*(?:python\d?|py|output|tool_output|stdout)\b.*?(?:```|\Z)", re.DOTALL | re.IGNORECASE)
# Between two boxes that form one answer: "\boxed{3} and \boxed{5}", "$\boxed{x=1}$, $y = \boxed{2}$".
_JOIN = re.compile(
    r"(?:[\s$,;，；、]|\\[,;() ]|\\(?:q?quad|text)\b|\{\s*(?:and|or)\s*\}|\b(?:and|or)\b|[和或及与])*(?:[\w{}+\-^\\ ]{1,30}=\s*)?[\s$]*"
)
_JOIN_WORD = re.compile(r"[,;，；、和或及与]|\b(?:and|or)\b")
_JOIN_REACH = 60


def visible_text(text: str) -> str:
    """The part of a completion in which an answer counts: after `</think>`, outside an unfinished `<think>`, and
    outside code that the model wrote or output that an interpreter returned."""
    if "\x08" in text:
        text = text.replace("\x08oxed", "\\boxed")  # "\boxed" written without a raw string
    if "</think>" in text:
        text = text[text.rindex("</think>") + len("</think>") :]
    if "<think>" in text:
        text = text[: text.index("<think>")]
    if "```" in text:
        text = _FENCE.sub("\n", text)
    return text


def _content(text: str, start: int) -> tuple[str, int] | None:
    """Content and end of the box whose command ends at `start`; None when its brace is never closed."""
    while start < len(text) and text[start] in " \t\n":
        start += 1
    if start == len(text):
        return None
    if text[start] != "{":
        bare = _BARE.match(text, start)
        return (bare[1], bare.end()) if bare else None
    close = text.find("}", start)
    if close > 0 and text.find("{", start + 1, close) < 0 and text.find("\\", start, close) < 0:
        return text[start + 1 : close], close + 1
    depth = 0
    for mark in _BRACE.finditer(text, start):
        if mark[0] == "{":
            depth += 1
        elif mark[0] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : mark.start()], mark.end()
    return None


def _boxes_from_the_end(text: str):
    """Balanced, non-empty boxes as `(content, start, end)`, the last first. Nested boxes give the inner one first."""
    stop = len(text)
    tries = 0
    while tries < 50:  # thousands of unclosed boxes are a hostile text: each try may scan to the end
        start = max(text.rfind(command, 0, stop) for command in ("\\boxed", "\\fbox", "\\framebox"))
        if start < 0:
            return
        stop = start
        command = _BOX.match(text, start)
        found = _content(text, command.end()) if command else None
        if found and found[0].strip(" \t\n$.,~"):
            yield found[0], start, found[1]
        else:
            tries += 1


def last_boxed(text: str) -> str | None:
    r"""Returns the content of the last balanced, non-empty `\boxed{}`, `\fbox{}` or `\framebox{}`.

    Boxes that stand next to each other with nothing but commas, "and", "or" or `y =` between them form one answer and
    are joined by commas; when they repeat the same content it is given once.

    Args:
        text (`str`):
            Text to search; for a whole completion pass it through [`visible_text`] first.

    Returns:
        `str` or `None`: the content without the box, or `None` when there is no balanced box with something in it.
    """
    start = text.rfind("\\boxed{")
    if start >= 0:  # the usual case: one box with a number in it
        close = text.find("}", start)
        content = text[start + 7 : close]
        if (
            close > 0
            and content.isalnum()
            and text.find("\\", close) < 0
            and text.find("\\", max(0, start - _JOIN_REACH), start) < 0
        ):
            return content
    boxes = _boxes_from_the_end(text)
    last = next(boxes, None)
    if last is None:
        return None
    content, start, _ = last
    if text.find("\\", max(0, start - _JOIN_REACH), start) < 0:  # no room for an earlier box nearby
        return content
    parts = [content]
    for earlier, earlier_start, earlier_end in boxes:
        if earlier_end > start:  # encloses the box just read
            if len(parts) == 1:
                start = earlier_start
            continue
        between = text[earlier_end:start]
        if len(between) > _JOIN_REACH or not _JOIN.fullmatch(between) or not _JOIN_WORD.search(between):
            break
        parts.insert(0, earlier)
        start = earlier_start
    distinct = list(dict.fromkeys(part.strip() for part in parts))
    return content if len(distinct) == 1 else ", ".join(distinct)
