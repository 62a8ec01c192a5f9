"""Text in Chinese, and numbers written in its characters: 十八, 三千零五, 一点五, 二分之一, 百分之十."""

import re
from fractions import Fraction

_CHARACTER = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10_000, "亿": 100_000_000}
_DECIMAL = re.compile(rf"([^点]+)点([{''.join(_DIGITS)}]+)")
_NUMERAL = re.compile(rf"[{''.join(_DIGITS)}十百千万亿]{{1,20}}")


def is_chinese(text: str) -> bool:
    """Whether a text holds a Chinese character: by this a question gets the Chinese prompt and answer."""
    return _CHARACTER.search(text) is not None


def chinese_characters(text: str) -> int:
    """How many Chinese characters a text holds."""
    return len(_CHARACTER.findall(text))


def _whole(text: str) -> int | None:
    if not _NUMERAL.fullmatch(text):
        return None
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _UNITS:
            section += (digit or 1) * _UNITS[char]
            digit = 0
        else:
            section += digit
            total = total + section * _LARGE[char] if total > _LARGE[char] else (total + section) * _LARGE[char]
            section = digit = 0
    return total + section + digit


def chinese_number(text: str) -> Fraction | None:
    """Reads a Chinese numeral, whole, decimal or `分之` fraction; a counter after it (个, 元) is the caller's to remove.

    Returns:
        `Fraction` or `None`: the number, or `None` when the text is something else.
    """
    if (decimal := _DECIMAL.fullmatch(text.strip())) and (number := _whole(decimal[1])) is not None:
        return Fraction(f"{number}.{''.join(str(_DIGITS[char]) for char in decimal[2])}")
    bottom, divided, top = text.strip().partition("分之")
    if not divided:
        number = _whole(bottom)
        return None if number is None else Fraction(number)
    one, other = _whole(bottom), _whole(top)
    return Fraction(other, one) if one and other is not None else None
