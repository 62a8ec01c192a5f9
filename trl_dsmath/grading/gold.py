"""Reading gold answers as data sets store them: bare LaTeX, solutions, `#### 18`, letters, numbers, lists."""

import math
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..text import normalize, read_answer, read_choice
from .rewrite import rewrite
from .shapes import Answer, Words, parse_answer
from .tokens import FUNCTIONS, STOP_WORDS

MAX_GOLD = 100_000  # characters
_PROSE_WORDS = 60  # a gold with more words than this and no marked answer is a solution without one
_BARE_CHOICE = re.compile(r"[(（]?\s*[A-J]\s*[)）]?\.?|[(（]\s*[a-h]\s*[)）]|[A-J](?:\s*[,;、 ]?\s*[A-J])+")
_CHOICE_AND_TEXT = re.compile(r"[(（]?[A-J][)）.:]\s*(?=\S)")
_PYTHON_LIST = re.compile(r"^\[\s*(?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*\s*\]$")
_PYTHON_STRING = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_OPTION = re.compile(
    r"^(?:the )?(?:correct )?(?:option|choice|选项)\s*[:：]?\s*(?=[(（]?[A-J][)）]?\.?$)", re.IGNORECASE
)
_ALTERNATIVE = re.compile(
    r"(?<=\S)\s*\\#\s*\\#\s*(?=\S)|(?<=\S)[ \t]+##[ \t]+(?=\S)"
)  # "\frac{3}{10} \#\# 0.3": the same twice
_SENTENCE = re.compile(
    r"^(?:The|Its|There|So|Thus|Therefore)\b[A-Za-z', ]*?\s(?:is|are|equals)\s+(?=[-$\\\d][^a-z]*(?:[a-z]{1,12}\.?)?$)"
)
_CHANGES_MEANING = re.compile(
    rf"(?<![\\A-Za-z])(?:{'|'.join(sorted(STOP_WORDS - {'and', 'or', 'r', 'if', 'when', 'where', 'mod'}))})(?![A-Za-z])"
)
INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Gold:
    """A gold answer as it was read."""

    text: str  # canonical LaTeX
    squeezed: str  # the same without blanks
    formula: str  # as rewritten for the parser, without blanks
    choice: str | None
    integer: int | None  # when it is nothing but an integer
    answer: Answer
    other: Answer | None  # second reading of a list such as `1,234`


def unquoted(text: str) -> str:
    """`3, 4` of `['3', '4']`: a list as Python prints it."""
    if not _PYTHON_LIST.match(text):
        return text
    return ", ".join((a or b).replace("\\\\", "\\") for a, b in _PYTHON_STRING.findall(text))


def squeeze(text: str) -> str:
    text = text.replace(" ", "")
    while text.startswith("{") and text.find("}") == len(text) - 1:
        text = text[1:-1]
    return text


def gold_text(gold: object) -> str | None:
    """The text of a gold of any type that data sets use; `None` where there is none.

    A list holds the parts of one answer.
    """
    if isinstance(gold, str):
        return gold
    if isinstance(gold, list | tuple) and gold and all(isinstance(part, str | int | float) for part in gold):
        return ", ".join(map(str, gold))
    if isinstance(gold, numbers.Rational):
        return str(gold)
    if not isinstance(gold, numbers.Real) or not math.isfinite(float(gold)):
        return None
    return str(int(float(gold))) if float(gold).is_integer() and abs(float(gold)) < 1e16 else repr(float(gold))


@lru_cache(maxsize=100_000)
def parse_gold(text: str | None) -> Gold | None:
    """Reads a gold answer from its text (see [`gold_text`]); `None` when there is none in it."""
    if text is None or len(text) >= MAX_GOLD:
        return None
    try:
        return _parse(text.strip())
    except RecursionError:  # nested beyond every limit: nothing that a person wrote
        return None


def _parse(text: str) -> Gold | None:
    text = _OPTION.sub("", _SENTENCE.sub("", unquoted(text)))
    text = _ALTERNATIVE.split(text)[0] if "\n" not in text else text
    marked = (
        read_answer(text) if "\\boxed" in text or "\\fbox" in text or "####" in text or "</answer>" in text else None
    )
    if marked is None:
        if "\\boxed" in text or "\\fbox" in text:
            return None  # a solution whose box is empty or never closed
        if len(re.findall(r"[A-Za-z]{2,}|[\u4e00-\u9fff]{2}", re.sub(r"\\[a-zA-Z]+", "", text))) > _PROSE_WORDS:
            marked = read_answer(text)
            if marked is None:
                return None
    normal = normalize(marked if marked is not None else text)
    if not re.search(r"[\w\u4e00-\u9fff\\]", normal):
        return None
    plain = re.sub(r"\\text|[{}]", "", normal)
    choice = read_choice(normal) if _BARE_CHOICE.fullmatch(plain) or _CHOICE_AND_TEXT.match(plain) else None
    integer = int(normal) if INTEGER.fullmatch(normal) else None
    formula = rewrite(normal)
    answer = parse_answer(formula)
    if choice is not None and (option := _CHOICE_AND_TEXT.match(plain)):
        answer = parse_answer(plain[option.end() :])
    other = parse_answer(formula, thousands=False) if "," in normal else None
    return Gold(normal, squeeze(normal), squeeze(formula), choice, integer, answer, other if other != answer else None)


def computable(text: str) -> bool:
    """Worth a worker's time: mathematics, not prose, and of a size that a person would write."""
    if len(text) > 400 or (text != "e" and not re.search(r"[\\\d^=]", text)) or re.search(r"\d{60}", text):
        return False
    if text.count("{") != text.count("}") or "{}" in text or text.count("^") > 30:
        return False
    if _CHANGES_MEANING.search(text):
        return False  # math-verify drops words
    words = re.findall(r"(?<!\\)\b[A-Za-z]{4,}", re.sub(r"\\(?:begin|end)\{[a-z]+\}", "", text))
    return sum(word not in FUNCTIONS for word in words) <= 1 and not re.search(r"[\u4e00-\u9fff]", text)


@dataclass(frozen=True)
class GoldReport:
    """How one gold is read; `ok` is False when answers cannot be verified against it."""

    gold: object
    ok: bool
    read_as: str | None
    note: str


def check_golds(golds: Sequence[object]) -> list[GoldReport]:
    r"""Says of each gold of a data set, before training, whether answers can be verified against it.

    A gold passes when a verbatim copy of it in a box would be judged right for the right reason: it is read as
    mathematics, as a choice, or as a few words. Long prose, empty cells, `nan` and unclosed boxes do not pass.

    Args:
        golds (`Sequence`):
            Golds as stored.

    Returns:
        `list[GoldReport]`: one report a gold, in order.
    """
    return [_report(gold) for gold in golds]


def _report(gold: object) -> GoldReport:
    reference = parse_gold(gold_text(gold))
    if reference is None:
        return GoldReport(gold, False, None, "no answer in it: empty, a solution without a marked answer, or not text")
    if reference.choice is not None:
        return GoldReport(gold, True, reference.choice, "choice")
    if isinstance(reference.answer, Words):
        bare = re.sub(r"\\text\s*\{[^{}]*\}", "", reference.text)
        if computable(reference.text) and "\\" in bare:
            return GoldReport(gold, True, reference.text, "left to math-verify")
        return GoldReport(gold, True, reference.text, "words: only the same words are right")
    return GoldReport(gold, True, reference.text, type(reference.answer).__name__.lower())
