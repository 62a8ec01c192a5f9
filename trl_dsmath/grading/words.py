"""Answers in words: `\\text{Monday}`, `no solution`, `two`, `十八`."""

import re

from ..text import chinese_number
from .answer import Answer, Value, Words
from .values import same_value

_SYNONYMS = {
    "dne": "doesnotexist", "noexist": "doesnotexist", "nosolutions": "nosolution", "norealsolutions": "nosolution",
    "norealsolution": "nosolution", "emptyset": "nosolution", "infinity": "infty", "infinite": "infty",
    "converges": "convergent", "diverges": "divergent", "无解": "nosolution", "没有解": "nosolution", "无实数解": "nosolution", "不存在": "doesnotexist",
    "infinitelymany": "infty", "infinitelymanysolutions": "infty", "y": "yes", "n": "no", "是": "yes", "对": "true", "否": "no", "错": "false",
}  # fmt: skip
_SPOKEN = re.compile(r"(?<!\\)\b[A-Za-z]{3,}|[\u4e00-\u9fff]{2}")
_NUMBER_WORDS = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        map(str, range(13)),
        strict=True,
    )
)
_COUNTERS = re.compile(r"[个元只人本支条张次岁年天块米克度]+$")


def plain_words(text: str) -> str:
    r"""`\text{ The Monday. }` -> `monday`."""
    text = re.sub(r"\\text|[{}$\\]", " ", text).lower()
    text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|^\s*(?:the limit|limit|it|there (?:is|are))\b", "", text)
    if re.search(r"\d", text):
        return re.sub(r"\s+|(?<=[\u4e00-\u9fff])[为是](?=-?\d)", "", text)
    text = re.sub(r"\b(?:the|a|an)\b|[.,;:!?'\"“”()（）*_\s]+|(?<=[a-z])-(?=[a-z])", "", text)
    return _SYNONYMS.get(text, text)


def same_text(gold: str, answer: str) -> bool:
    r"""Whether two answers are the same words and numbers, up to case, blanks and `\text{}`; no formulas."""
    if re.search(r"\\(?!text|\$)|[\^_+*/=<>|]", gold + answer) or not all(map(_SPOKEN.search, (gold, answer))):
        return False
    return plain_words(gold) == plain_words(answer) != ""


def same_words(gold: Answer, answer: Answer) -> bool | None:
    one, other = (plain_words(side.text) if isinstance(side, Words | Value) else None for side in (gold, answer))
    formula = any(re.search(r"\\(?!text)", getattr(side, "text", "")) for side in (gold, answer))
    if one is not None and other is not None:
        if one and one == other and not (formula and re.search(r"\d", one)):
            return True
        numbers = chinese_number(_COUNTERS.sub("", one)), chinese_number(_COUNTERS.sub("", other))
        for number, side in zip(numbers, (answer, gold), strict=True):
            if number is not None and isinstance(side, Value):
                return same_value(side, Value(("num", number)))
        if (one in _NUMBER_WORDS) != (other in _NUMBER_WORDS):
            return _NUMBER_WORDS.get(one, one) == _NUMBER_WORDS.get(other, other) or None
    return None
