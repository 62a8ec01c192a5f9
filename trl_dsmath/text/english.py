"""Numbers written in English words: twenty-five, one hundred twenty, minus three, two thirds, a quarter."""

import re
from fractions import Fraction

_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TO_NINETY = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: number for number, word in enumerate(_TO_NINETEEN.split())}
_TENS = {word: 10 * number for number, word in enumerate(_TO_NINETY.split(), 2)}
_LARGE = {"thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "twelfth": 12, "sixteenth": 16, "twentieth": 20, "hundredth": 100,
}  # fmt: skip
_PARTS_OF_MANY = {"halves": 2} | {name + "s": size for name, size in _PARTS.items()}
_WORDS = re.compile(r"[a-z]+(?:[\s-]+[a-z]+){0,12}")


def _whole(words: list[str]) -> int | None:
    total = section = 0
    room, limit = 1000, 10**12  # the next word has to be smaller: below 1 nothing fits behind "seven"
    for word in words:
        if word in _TENS and room > 90:
            section, room = section + _TENS[word], 10
        elif word in _SMALL and _SMALL[word] < room and (_SMALL[word] or len(words) == 1):
            section, room = section + _SMALL[word], 1
        elif word == "hundred" and 0 < section < 10:
            section, room = section * 100, 100
        elif word in _LARGE and section and _LARGE[word] < limit:
            total, section, room, limit = total + section * _LARGE[word], 0, 1000, _LARGE[word]
        else:
            return None
    return total + section if words else None


def english_number(text: str) -> Fraction | None:
    """Reads a number in English words, whole or a fraction.

    Returns:
        `Fraction` or `None`: the number, or `None` when the text is something else (`third` alone is a rank).
    """
    text = text.strip().lower()
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
    number = _whole(words)
    return None if number is None else Fraction(sign * number)
