"""Numbers written in English words: twenty-five, one hundred and twenty, minus three, two point five, two thirds, a quarter."""

import re
from fractions import Fraction
from math import inf

_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TO_NINETY = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {word: number for number, word in enumerate(_TO_NINETEEN.split())}
_NUMBERS |= {word: 10 * number for number, word in enumerate(_TO_NINETY.split(), 2)}
_LARGE = {"thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "twelfth": 12, "sixteenth": 16, "twentieth": 20, "hundredth": 100}
_PARTS |= {
    word: number for number, word in enumerate(["fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"], 4)
}
_PARTS_OF_MANY = {"halves": 2} | {name + "s": size for name, size in _PARTS.items()}
_WORDS = re.compile(r"[a-z]+(?:[\s-]+[a-z]+){0,20}")
_COMMA = re.compile(r"(thousand|illion),(?=\s+[a-z]+ (?:hundred|thousand))")  # "two thousand, one hundred" is no list


def _whole(words: list[str]) -> int | None:
    total = section = 0
    room = limit = inf  # the next word has to be smaller: below 1 nothing fits behind "seven"
    for before, word in zip([None, *words], words, strict=False):
        if word == "and" and before in ("hundred", *_LARGE) and words[-1] != "and":
            continue
        size = _NUMBERS.get(word)
        if size is not None and size < room and (size or len(words) == 1):
            section, room = section + size, 10 if size > 19 else 1
        elif word == "hundred" and 0 < section < 10:
            section, room = section * 100, 100
        elif word in _LARGE and section and _LARGE[word] < limit:
            total, section, room, limit = total + section * _LARGE[word], 0, inf, _LARGE[word]
        else:
            return None
    return total + section if words else None


def english_number(text: str) -> Fraction | None:
    """Reads a number in English words, whole or a fraction.

    Returns:
        `Fraction` or `None`: the number, or `None` when the text is something else (`third` alone is a rank).
    """
    text = _COMMA.sub(r"\1", text.strip().lower())
    if not _WORDS.fullmatch(text):
        return None
    words = re.split(r"[\s-]+", text)
    sign = -1 if words[0] in ("minus", "negative") else 1
    words = words[sign < 0 :]
    if len(words) > 1 and words[0] in ("a", "an"):
        words[0] = "one"
    *before, last = words or [""]
    if before == ["one"] and last in _PARTS:
        return Fraction(sign, _PARTS[last])
    if last in _PARTS_OF_MANY and (top := _whole(before)) is not None:
        return Fraction(sign * top, _PARTS_OF_MANY[last])
    if "and" in words[1:-1]:  # two and a half
        place = len(words) - 1 - words[::-1].index("and")
        part = english_number(" ".join(words[place + 1 :]))
        if part is not None and 0 < part < 1 and (number := _whole(words[:place])) is not None:
            return sign * (number + part)
    if "point" in words:
        point = words.index("point")
        digits = [_NUMBERS.get(word, 10) for word in words[point + 1 :]]
        if (number := _whole(words[:point])) is None or not digits or max(digits) > 9:
            return None
        return sign * Fraction(f"{number}.{''.join(map(str, digits))}")
    number = _whole(words)
    return None if number is None else Fraction(sign * number)
