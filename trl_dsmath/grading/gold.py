"""Reading gold answers as data sets store them: bare LaTeX, solutions, `#### 18`, letters, numbers, lists."""

import math
import numbers
import re
from dataclasses import dataclass
from functools import lru_cache

from ..text import normalize, read_answer, read_choice
from .answer import Answer, parse_answer
from .forms import rewrite

_PROSE_WORDS = 60  # a gold with more words than this and no marked answer is a solution without one
_BARE_CHOICE = re.compile(r"[(（]?\s*[A-J]\s*[)）]?\.?|[A-J](?:\s*[,;、 ]?\s*[A-J])+")
_CHOICE_AND_TEXT = re.compile(r"[(（]?[A-J][)）.:]\s*(?=\S)")
_PYTHON_LIST = re.compile(r"^\[\s*((?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*)\s*\]$")
_PYTHON_STRING = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SENTENCE = re.compile(
    r"^(?:The|Its|There|So|Thus|Therefore)\b[A-Za-z', ]*?\s(?:is|are|equals)\s+(?=[-$\\\d][^a-z]*(?:[a-z]{1,12}\.?)?$)"
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


def squeeze(text: str) -> str:
    text = text.replace(" ", "")
    while text[:1] == "{" and text[-1:] == "}" and text.find("}") == len(text) - 1:
        text = text[1:-1]
    return text


def one_value(gold: object) -> object:
    """A list of golds stands for one answer with several parts; other things than text and numbers are unreadable."""
    if isinstance(gold, str):
        return gold
    if isinstance(gold, list | tuple) and gold and all(isinstance(part, str | int | float) for part in gold):
        return str(gold[0]) if len(gold) == 1 else ", ".join(map(str, gold))
    return str(gold) if isinstance(gold, bool) else gold if isinstance(gold, numbers.Real) else None


@lru_cache(maxsize=100_000)
def _read_gold_text(gold: str) -> Gold | None:
    text = gold.strip()
    if items := _PYTHON_LIST.match(text):  # "['3', '4']", a list that was stored as its repr
        text = ", ".join((a or b).replace("\\\\", "\\") for a, b in _PYTHON_STRING.findall(items[1]))
    text = _SENTENCE.sub("", text)
    marked = read_answer(text) if "\\boxed" in text or "\\fbox" in text or "####" in text else None
    if marked is None:
        if "\\boxed" in text or "\\fbox" in text:
            return None  # a solution whose box is empty or never closed
        if len(re.findall(r"[A-Za-z]{2,}|[\u4e00-\u9fff]{2}", re.sub(r"\\[a-zA-Z]+", "", text))) > _PROSE_WORDS:
            marked = read_answer(text)
            if marked is None:
                return None
    normal = normalize(marked if marked is not None else text)
    if not normal or not re.search(r"[\w\u4e00-\u9fff\\]", normal):
        return None
    plain = re.sub(r"\\text|[{}]", "", normal).strip()
    choice = read_choice(normal) if _BARE_CHOICE.fullmatch(plain) or _CHOICE_AND_TEXT.match(plain) else None
    integer = int(normal) if INTEGER.fullmatch(normal) else None
    formula = rewrite(normal)
    answer = parse_answer(formula)
    if choice is not None and (option := _CHOICE_AND_TEXT.match(plain)):
        answer = parse_answer(plain[option.end() :])
    other = parse_answer(formula, thousands=False) if "," in normal else None
    return Gold(normal, squeeze(normal), squeeze(formula), choice, integer, answer, other if other != answer else None)


def read_gold(gold: object) -> Gold | None:
    """Reads a gold answer of any type that data sets use; `None` when there is none in it."""
    if isinstance(gold, str):
        try:
            return _read_gold_text(gold) if len(gold) < 100_000 else None
        except RecursionError:  # nested beyond every limit: nothing that a person wrote
            return None
    if isinstance(gold, numbers.Real) and not isinstance(gold, bool):
        number = float(gold) if not isinstance(gold, numbers.Rational) else 0.0
        return None if math.isnan(number) or math.isinf(number) else _read_gold_text(_plain_number(gold))
    part = one_value(gold)
    return _read_gold_text(part) if isinstance(part, str) else None


def _plain_number(number: numbers.Real) -> str:
    if isinstance(number, numbers.Rational):
        return str(number)
    return str(int(float(number))) if float(number).is_integer() and abs(float(number)) < 1e16 else repr(float(number))
