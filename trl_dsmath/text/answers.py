r"""Where the answer of a completion stands: the box, GSM8K's `####`, or a sentence that announces it."""

import re

from .boxed import last_boxed, visible_text

_HASHES = re.compile(r"####[ \t]*(\S[^\n]*)")
# "18 dollars every day at the farmers' market": a number, then words that say no more than what was counted.
_NUMBER_AND_PROSE = re.compile(
    r"(\\?\$?\s?[-−]?(?:\d{1,3}(?:[ ,]\d{3})+|\d+)(?:\.\d+)?\s?%?)"
    r"(?=\s+(?=[A-Za-z])(?:(?!\b(?:or|and|not|but|less|more|least|most|than|remainder|except|if|so|plus|minus|dozen|hundred"
    r"|thousand|million|billion)\b)[A-Za-z' ,.()-])*$)"
)
_GROUPED = re.compile(r"\d{1,3}(?: \d{3})+")
_PROSE = re.compile(r"[A-Za-z']+(?:\s+[A-Za-z']+){2,}")
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_SENTENCE = re.compile(
    r"(?:\banswer(?:\s+is|\s+to\s+[^.\n:]{1,80}\s+is|\s*[:=])|答案(?:是|为|：|:)+|【答案】|故选|应选)"
    r"[:：\s*]*(\$[^$\n]+\$|\\\([^\n]+?\\\)|\\\[[^\n]+?\\\]|[^\n]*?)"
    r"(?=[.。!]?\**\s*(?:$|\n)|[.。]\s|,?\s+I\s+hope)",
    re.IGNORECASE,
)
_END_MARK = re.compile(r"\s*<eo[a-z]>\s*$")  # GAOKAO-Bench asks for "【答案】C <eoa>"
_LETTER = re.compile(
    r"""[\s$(（\[{*"'“]*(?:\\(?:text|mathrm|mathbf|textbf|mbox|rm|bf|mathbb)\s*\{?\s*)?[\s(（\[*]*
        (?:(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)|选项|选|答案)\s*(?:is|是|为)?\s*[:：]?\s*)?[(（\[*]*
        ([A-J])
        (?:(?=\s*[)）\]}.:：、，,*$"'”]|\s*$|\s*\\|\s+[\d$(-]|\s+\w{2,}|[\u4e00-\u9fff]))""",
    re.VERBOSE | re.IGNORECASE,
)
_CHOOSE = re.compile(r"^(?:答案|故|应)*(?:选项?|为|是)\s*[:：]?\s*")
_ONE = r"[(（]?[A-J][)）]?"
_LETTERS_ONLY = re.compile(rf"{_ONE}(?:\s*(?:[,，、;&/\s]*(?:[,，、;&/]|\band\b|\bor\b|[和或])\s*)?{_ONE})+")
_OPTION = re.compile(r"[(（]([A-J])[)）]\s+(?!and\b|or\b|[,，、;&(（])")  # "(D) I, II, and III"
_WRAPPING = re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox)|[{}$\s]+$|^[{}$\s]+|[{}$]")


def read_answer(text: str, finished: bool = True) -> str | None:
    r"""Reads the final answer out of a completion.

    Looks for, in this order: the last balanced `\boxed{}`; the last `<answer>18</answer>`; the last `#### 18`; the last
    sentence of the form "the answer is ...", "答案是...". Text before `</think>`, in an unfinished `<think>`, in Python code and in the output of
    an interpreter does not count.

    Args:
        text (`str`):
            The completion.
        finished (`bool`, *optional*, defaults to `True`):
            Whether the completion came to its end. In one that was cut off only a complete box is an answer: "the answer is
            1" may have been the beginning of 12.

    Returns:
        `str` or `None`: the answer as it was written, or `None` when the completion gives none.
    """
    text = visible_text(text)
    boxed = last_boxed(text)
    if boxed is not None or not finished:
        return boxed
    if "</answer>" in text and (found := _TAGGED.findall(text)):
        return _announced(found[-1]) or found[-1].strip() or None
    if "####" in text and (found := _HASHES.findall(text)):
        return _without_prose(found[-1].strip())
    announced = _announced(text[-2000:])
    return announced or None


def _without_prose(answer: str) -> str:
    """The number of `18 dollars every day at the farmers' market`; a unit of one or two words stays."""
    found = _NUMBER_AND_PROSE.match(answer)
    if found is None:
        return answer
    grouped = _GROUPED.search(found[1])
    return found[1].strip() if grouped or _PROSE.search(answer, found.end()) else answer


def _announced(text: str) -> str:
    found = list(_SENTENCE.finditer(text))
    if not found:
        return ""
    answer = _END_MARK.sub("", found[-1][1]).strip(" *:：")
    return _announced(answer) or answer  # "Final answer: the final answer is 3"


def read_choice(text: str) -> str | None:
    r"""Reads the letter, A to J, of a multiple-choice answer: `B`, `(B)`, `\text{B}`, `B. 30\%`, `选B`.

    Several letters (`A, C`, `A and C`, `AC`) are returned sorted as one string; None when the text is no choice.
    """
    text = _CHOOSE.sub("", text.strip())
    if len(text) == 1:
        return text.upper() if text.upper() in "ABCDEFGHIJ" else None
    bare = _WRAPPING.sub("", text).rstrip(" .")
    if option := _OPTION.match(bare):
        return option[1]
    if len(bare) < 40 and _LETTERS_ONLY.fullmatch(bare):
        return "".join(sorted(set(re.findall(r"[A-J]", bare))))
    found = _LETTER.match(text)
    return found[1].upper() if found else None
