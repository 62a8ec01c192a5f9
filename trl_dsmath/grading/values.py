"""Are two leaves the same? Values with units, percentages, bases and roundings; words; ratios and times of day."""

import contextlib
import math
import re
from fractions import Fraction
from itertools import permutations

from ..text import chinese_number, english_number
from .equality import equal, proportional
from .expressions import Node, TooLarge, Undefined, Unsupported, as_float, contains, rename, symbols, value
from .latex import ONE_DEGREE, parse_expression
from .shapes import Answer, Group, Items, Value, Words
from .tokens import resolve

_DECIMAL = re.compile(r"-?\d*\.(\d+)(\s*\\dots)?")
_BARE_UNIT = re.compile(
    r"-?[\d.,]+(?:\s*(?:\\times|\\cdot|\*)\s*10\s*\^\{?-?\d+\}?|[eE][-+]?\d+)?\s*(?=[A-Za-z]|\\(?:mu|Omega|text))"
)
_LONE_UNIT = re.compile(r"-?[\d.,]+(?:[eE][-+]?\d+)? (?:[msghNJWVAKLl]|\\mu ?[A-Za-z])")  # "0.31 s"; 3s is a product
_ROMAN = re.compile(
    r"(?=.*[IVX].)M*(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})"
)  # LXIV is no product of letters
_PHRASE = re.compile(r"[A-Za-z]{2,}\.?\s+[A-Za-z]{2,}")  # "red square" is no product with a unit
_BETWEEN_LETTERS = re.compile(r"(?<=[A-Za-z])(?=[A-Za-z])")
_ROUNDED_PLACES = 6  # as math-verify: 0.333333 is 1/3, 0.33 is not
_DEGREE, _RADIAN = ((("angle", 1),), (("radian", 1),))
_PARAMETER = re.compile(r"[kmn]$")
_FREE = {"C", "c", "C_1"}
_TEMPERATURE = re.compile(r"^(?:degrees?|°)?\s*([CF])(?:elsius|ahrenheit)?$", re.IGNORECASE)
_OPPOSITES = {
    "north", "south", "east", "west", "left", "right", "up", "down", "above", "below", "profit", "loss", "gain", "even", "odd",
    "positive", "negative", "prime", "composite", "rational", "irrational", "increasing", "decreasing",
}  # fmt: skip
_NOTHING: Node = ("num", Fraction(0))
_SEGMENT = re.compile(r"^(?:\\overline\s*\{)?\s*([A-Z]\s*[A-Z])\s*\}?$")
_CONSTANT = re.compile(r"[CcKkAB](?:_?\d)?$")  # names people give to constants of integration


def expand(answer: Value) -> Value | Items:
    r"""`a \pm b` stands for two values."""
    if not contains(answer.node, "pm"):
        return answer
    return Items(tuple(Value(_choose(answer.node, plus), answer.unit, answer.text) for plus in (True, False)))


def _choose(node: object, plus: bool):
    if not isinstance(node, tuple) or not node:
        return node
    if node[0] == "pm":
        left, right = _choose(node[2], plus), _choose(node[3], plus)
        return ("add", left, right if plus == (node[1] == "pm") else ("neg", right))
    return tuple(_choose(part, plus) for part in node)


def same_value(gold: Value, answer: Value) -> bool | None:
    """Compares two values.

    Returns:
        `True` or `False`, or `None` when the expressions hold something that is not evaluated here.
    """
    if any((side.node[1] if side.node[0] == "neg" else side.node)[0] == "based" for side in (gold, answer)):
        return _same_base(gold.node, answer.node) or gold.node[:2] == ("based", answer.text.upper())
    if _ROMAN.fullmatch(gold.text) and _ROMAN.fullmatch(answer.text):
        return gold.text == answer.text
    if "overline" in gold.text + answer.text and (ends := _letters(gold)) and ends == _letters(answer):
        return True
    gold, answer = _bare_unit(gold, answer), _bare_unit(answer, gold)
    scaled = _same_unit(gold, answer)
    if scaled is None:
        return False
    left, right = scaled
    if _percentages(left, right):
        if any(
            side.unit and (node[0] != "pct" or resolve(side.unit)) for side, node in ((gold, left), (answer, right))
        ):
            return False  # dollars are no percentage; "5% increase" is one
        return _same_percent(left, right)
    try:
        return (
            equal(left, right)
            or _renamed(left, right)
            or _rounded(gold, answer)
            or _in_degrees(gold, answer)
            or _same_integral(left, right)
        )
    except TooLarge:
        return left == right
    except Undefined:
        return False
    except Unsupported:
        return None


def _letters(side: Value) -> list[str] | None:
    r"""The ends of a segment: `CD` is `\overline{CD}`."""
    found = _SEGMENT.match(side.text)
    return sorted(found[1]) if found else None


def _bare_unit(side: Value, other: Value) -> Value:
    r"""`3.5 m` or `10 m/s` against `3.5 \text{ m}`: letters that would be variables are units if the other side has one."""
    node = side.node
    letters = re.findall("[A-Za-z]", side.unit)
    variables = letters and len(set(letters)) == len(letters) and set(letters) <= symbols(other.node)  # 2km for 2mk
    if variables and not other.unit and "\\" not in side.text:
        with contextlib.suppress(Unsupported):
            return Value(parse_expression(_BETWEEN_LETTERS.sub(" ", side.text))[0], "", side.text)
    if side.unit or not (other.unit or (_LONE_UNIT.fullmatch(side.text) and not symbols(other.node))):
        return side
    if (number := _BARE_UNIT.match(side.text)) and resolve(side.text[number.end() :]) is not None:
        return Value(parse_expression(number[0])[0], side.text[number.end() :], side.text)
    if node[0] == "mul" and node[-1] == ("sym", other.unit.strip()):
        return Value(node[:-1], other.unit, side.text)
    return side


def _same_unit(gold: Value, answer: Value) -> tuple[Node, Node] | None:
    """Both trees in one unit; None when the units contradict each other."""
    if gold.unit == answer.unit:
        return gold.node, answer.node
    if _PHRASE.match(gold.text) or _PHRASE.match(answer.text):
        return None
    units = {_TEMPERATURE.sub(r"°\1", side.unit) for side in (gold, answer)}
    if units in ({"°C", "degree"}, {"°F", "degree"}, {"£", "pounds"}):
        return gold.node, answer.node  # a temperature, not coulombs or farads; money, no weight
    warmth = _in_kelvins(gold), _in_kelvins(answer)
    if warmth[0] is not None and warmth[1] is not None:
        return warmth[0], warmth[1]
    one, other = resolve(gold.unit), resolve(answer.unit)
    if one is None or other is None:
        words = [set(re.findall(r"[a-z]+", side.unit.lower())) & _OPPOSITES for side in (gold, answer)]
        if all(words) and words[0] != words[1]:
            return None
        powers = [re.findall(r"\^\{?(\d)", side.unit) for side in (gold, answer)]
        return None if all(powers) and powers[0] != powers[1] else (gold.node, answer.node)
    if set(one[0]) ^ set(other[0]) == set(_RADIAN) and not re.search(r"hz|hertz", f"{gold.unit} {answer.unit}", re.I):
        one, other = (_RADIAN, one[1]), (_RADIAN, other[1])  # 4 rad/s is 4 s^{-1}
    if one[0] != other[0]:
        return _in_radians(gold, answer) if {one[0], other[0]} == {_DEGREE, _RADIAN} else None
    return ("mul", ("num", one[1]), gold.node), ("mul", ("num", other[1]), answer.node)


def _in_kelvins(side: Value) -> Node | None:
    """A temperature; `None` for other quantities."""
    if side.unit in ("K", "kelvin", "kelvins"):
        return side.node
    name = found[1].upper() if (found := _TEMPERATURE.match(side.unit)) else ""
    if name == "C":
        return ("add", side.node, ("num", Fraction("273.15")))
    shifted = ("add", side.node, ("num", Fraction("459.67")))
    return ("mul", ("num", Fraction(5, 9)), shifted) if name == "F" else None


def _in_radians(gold: Value, answer: Value) -> tuple[Node, Node]:
    one, other = (
        side.node if resolve(side.unit)[0] == _RADIAN else ("mul", side.node, ONE_DEGREE)  # type: ignore[index]
        for side in (gold, answer)
    )
    return one, other


def _percentages(gold: Node, answer: Node) -> bool:
    return (gold[0] == "pct") != (answer[0] == "pct")


def _same_percent(gold: Node, answer: Node) -> bool | None:
    """One side says percent: `28%` answers 28 and 0.28, but `2800%` does not answer 28, nor 0.35 `0.35%`."""
    percent, plain = (gold[1], answer) if gold[0] == "pct" else (answer[1], gold)
    try:
        number = value(plain)
        if equal(percent, plain):  # a plain number below one is a fraction, so 0.5 is 50 % and not 0.5 %
            size = abs(as_float(number))
            return symbols(plain) != set() or size > 1 or size == 0 or (gold[0] == "pct" and size == 1)
        if (
            not isinstance(number, Fraction)
            or symbols(plain)
            or (number.denominator == 1 and abs(number) > 1)
            or abs(number) >= 10
        ):
            return False
        return equal(("div", percent, ("num", Fraction(100))), plain)
    except (TooLarge, Undefined):
        return False
    except Unsupported:
        return None


def _same_base(gold: Node, answer: Node) -> bool:
    """`204` answers `204_5` (the question names the base), `204_6` does not; nor does `204_5` answer 204."""

    def read(node: Node) -> tuple[str, Node | None]:
        if node[0] == "neg":
            digits, base = read(node[1])
            return "-" + digits, base
        if node[0] == "based":
            return node[1], node[2]
        if node[0] == "num" and node[1].denominator == 1:
            return str(node[1]), None
        return "", None

    (digits, base), (other_digits, other_base) = read(gold), read(answer)
    if base is None:
        base = ("num", Fraction(10))
    return digits == other_digits and digits not in ("", "-") and other_base in (None, base)


def _rounded(gold: Value, answer: Value) -> bool:
    """A decimal with six places or more answers an exact value that it rounds."""
    decimals = [_DECIMAL.fullmatch(side.text.strip(" $")) for side in (gold, answer)]
    found = decimals[0] or decimals[1]
    if found is None or (decimals[0] and decimals[1]) or len(found[1]) < (3 if found[2] else _ROUNDED_PLACES):
        return False
    left, right = (as_float(value(side.node)) for side in (gold, answer))
    places = (1.0 if found[2] else 0.5) * 10.0 ** -len(found[1])  # "0.666..." is cut off, not rounded
    slack = min(places, abs(right) * (1e-2 if found[2] else 1e-5)) + abs(right) * 1e-15
    return abs(left - right) <= slack < math.inf


def _in_degrees(gold: Value, answer: Value) -> bool:
    r"""`60^\circ` and `\frac{\pi}{3}`."""
    if (gold.unit == "degree") == (answer.unit == "degree") or (gold.unit and answer.unit):
        return False
    degrees, radians = (gold.node, answer.node) if gold.unit else (answer.node, gold.node)
    return ("pi" in repr(radians) or "'arc" in repr(radians)) and equal(("mul", degrees, ONE_DEGREE), radians)


def _renamed(gold: Node, answer: Node) -> bool:
    r"""Constants of integration may have any name and order, integer parameters of an angle (`2k\pi`) any name."""
    for pattern in (_CONSTANT, _PARAMETER):
        names, other = (sorted(name for name in symbols(node) if pattern.match(name)) for node in (gold, answer))
        if (
            not names
            or len(names) != len(other)
            or len(names) > 3
            or (pattern is _CONSTANT and not symbols(gold) - set(names))
            or symbols(gold) - set(names) != symbols(answer) - set(other)
        ):
            continue
        if pattern is _PARAMETER and "'pi'" not in repr(gold):
            continue
        if any(equal(gold, rename(answer, dict(zip(other, order, strict=True)))) for order in permutations(names)):
            return True
    return False


def _same_integral(gold: Node, answer: Node) -> bool:
    r"""Whether both are linear in a constant of integration that takes up their difference: `\sin^2 x + C` and
    `-\cos^2 x + C`, `x^2 + \frac{C}{x}` and `\frac{2x^3 + C}{2x}`."""
    starts, slopes = [], []
    for node in (gold, answer):
        free = symbols(node) & _FREE
        if len(free) != 1 or len(symbols(node)) != 2:
            return False
        at = [rename(node, {min(free): ("num", Fraction(number))}) for number in (0, 1, 2)]
        starts.append(at[0])
        slopes.append(_minus(at[1], at[0]))
        if not equal(_minus(at[2], at[0]), ("mul", ("num", Fraction(2)), slopes[-1])):
            return False
    [name] = symbols(gold) - _FREE
    if symbols(answer) - _FREE != {name} or equal(starts[0], _NOTHING) or not proportional(slopes[0], slopes[1]):
        return False  # Cx and 2Cx may be a formula with a C that is given
    if not equal(*slopes) and equal(slopes[0], rename(slopes[0], {name: name + "'"})):
        return False
    shift = ("div", _minus(*starts), slopes[0])
    number = value(shift)
    return (isinstance(number, Fraction) or number.imag == 0) and equal(shift, rename(shift, {name: name + "'"}))


def _minus(left: Node, right: Node) -> Node:
    return ("add", left, ("neg", right))


_SYNONYMS = {
    "dne": "doesnotexist", "noexist": "doesnotexist", "nosolutions": "nosolution", "norealsolutions": "nosolution",
    "norealsolution": "nosolution", "emptyset": "nosolution", "infinity": "infty", "infinite": "infty",
    "converges": "convergent", "diverges": "divergent", "无解": "nosolution", "没有解": "nosolution", "无实数解": "nosolution", "不存在": "doesnotexist",
    "nexists": "doesnotexist", "notexists": "doesnotexist", "doesntexist": "doesnotexist", "nolimit": "doesnotexist",
    "norealsolutionexists": "nosolution", "nosolutionexists": "nosolution", "nosolutionsexist": "nosolution", "nullset": "nosolution", "empty": "nosolution",
    "正确": "true", "错误": "false", "sqrt": "true", "times": "false", "✓": "true", "✗": "false", "increases": "increase", "decreases": "decrease", "negativeinfinity": "-infty", "minusinfinity": "-infty", "absolutelyconvergent": "convergesabsolutely", "conditionallyconvergent": "convergesconditionally",
    "none": "nosolution", "空集": "nosolution", "nosuchx": "nosolution", "nointegersolution": "nosolution", "nointegersolutions": "nosolution",
    "divergestoinfinity": "infty", "tendstoinfinity": "infty", "neitherevennorodd": "neither", "neitheroddnoreven": "neither", "收敛": "convergent", "发散": "divergent", "evenfunction": "even", "oddfunction": "odd", "偶函数": "even", "奇函数": "odd", "无数": "infty", "无数个": "infty", "无穷多": "infty", "无穷多个": "infty",
    "infinitesolutions": "infty", "infinitenumber": "infty", "infinitenumberofsolutions": "infty", "infinitelymany": "infty", "infinitelymanysolutions": "infty", "y": "yes", "n": "no", "是": "yes", "对": "true", "否": "no", "错": "false",
}  # fmt: skip
_SYNONYMS |= {f"{every}{kind}integers": f"{kind}integers" for every in ("all", "any") for kind in ("", "positive")}
_SYNONYMS |= {f"{kind}triangle": kind for kind in ("isosceles", "equilateral", "scalene", "right", "acute", "obtuse")}
_SYNONYMS |= {"rightangledtriangle": "right", "rightangled": "right"}
_TRUTH = re.compile(
    r"\s*(?:(?:it|(?:the |this )?(?:statement|claim|assertion|proposition|conjecture)) is\s+)?"
    r"(?:(yes|true|correct|是|对|正确)|(no|false|not true|incorrect|否|错误?))\s*(?:$|[,.;:!(]|-\s)",
    re.IGNORECASE,
)
_RESERVED = re.compile(
    r"\b(?:but|if|unless|except|only|when)\b|[,.;:(]\s*(?:and\s+)?(?:yes|no|true|false)\s*(?:$|[,.;:!)])",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"[\d=\\^]")
_SPOKEN = re.compile(r"(?<!\\)\b[A-Za-z]{3,}|[\u4e00-\u9fff]{2}")
_SUBJECT = re.compile(
    r"^\s*(?:(?:the\s+(?:equation|system)\s+)?has\b|(?:(?:the\s+)?(?:limit|it|statement|function|series|sequence|integral|sum|product|day|solution set|graph|curve|shape|triangle|color|f(?:\(x\))?)\s+|there\s+)(?:is|are)?\b|(?:the )?limit\b|it\b)?\s*(?:on\s+)?"
)
_BECAUSE = re.compile(  # "undefined (division by zero)", "even, because f(-x) = f(x)"
    r"(?<=[a-z]{3})\s*(?:\((?!.*\b(?:but|if|unless|except|only|when|for|on|or|not)\b)[a-z]{2,}(?: [a-z'-]+)+\)|,?\s*\b(?:since|because)\b.*)\s*\.?\s*$"
)
_NAME = re.compile(r"[a-z]{3,}(?: [a-z]{3,})?")
_DOES = re.compile(r"\s+(?:has|is|wins|won|will|was|had|can|does|did)\b(?!.*\b(?:not|no|never|if|or|but|los\w+)\b)")
_DAY_MONTH = re.compile(  # "20 June" is "June 20"
    r"\b(?:the\s+)?(\d{1,2})\s+(?:of\s+)?(january|february|march|april|may|june|july|august|september|october|november|december)\b"
)
_COUNTERS = re.compile(r"[个元只人本支条张次岁年天块米克度]+$")


def plain_words(text: str) -> str:
    r"""`\text{ The Monday. }` -> `monday`."""
    text = re.sub(r"\\text|[{}$\\]", " ", text).lower()
    text = re.sub(r"(?<=\d)[\s^]*(?:st|nd|rd|th)\b", "", text)
    text = _SUBJECT.sub("", text)
    text = _DAY_MONTH.sub(r"\2 \1", _BECAUSE.sub("", text)).rstrip(". ")
    if re.search(r"\d", text):
        return re.sub(r"\s+|(?<=[\u4e00-\u9fff])[为是](?=-?\d)", "", text)
    text = re.sub(r"\b(?:the|a|an)\b|[.,;:!?'\"“”()（）*_`\s]+|(?<=[a-z])-(?=[a-z])", "", text)
    return _SYNONYMS.get(text, text)


def _says(text: str, whole: bool = False) -> bool | None:
    r"""What a text that opens with yes, no, true or false says; `None` where it goes on with a condition or a second such
    word, and, if it counts as a `whole`, with a formula or a number."""
    text = re.sub(r"\\text|[{}]", "", text)
    found = _TRUTH.match(text)
    if (
        not found
        or _RESERVED.search(text, end := found.end(found.lastindex or 0))
        or (whole and _FORMULA.search(text, end))
    ):
        return None
    return bool(found[1])


def same_text(gold: str, answer: str) -> bool:
    r"""Whether two answers are the same words and numbers, up to case, blanks and `\text{}`; no formulas, no `mHz` for `MHz`.

    Where the gold opens with yes, no, true or false, that word decides.
    """
    if (told := _says(gold, whole=True)) is not None and told == _says(answer):
        return True
    if re.search(r"\\(?!text|\$)|[\^_+*/=<>|]|\b[Mm](?:[A-Z]|eV)", gold + answer) or not all(
        map(_SPOKEN.search, (gold, answer))
    ):
        return False
    return plain_words(gold) == plain_words(answer) != ""


def _spoken(text: str) -> Fraction | None:
    """The number that words name, in Chinese or English."""
    number = chinese_number(_COUNTERS.sub("", plain_words(text)))
    return english_number(re.sub(r"\\text|[{}$]", " ", text)) if number is None else number


def same_words(gold: Answer, answer: Answer) -> bool | None:
    one, other = (plain_words(side.text) if isinstance(side, Words | Value) else None for side in (gold, answer))
    formula = any(re.search(r"\\(?!text)", getattr(side, "text", "")) for side in (gold, answer))
    if one is not None and other is not None:
        if one and one == other and not (formula and re.search(r"\d", one)):
            return True
        if one in ("true", "false") and other == one[0]:
            return True
        named, told = (re.sub(r"\\text|[{}]|\bthe\b", " ", side.text.lower()).strip() for side in (gold, answer))  # type: ignore[union-attr]
        if _NAME.fullmatch(named) and told.startswith(named) and _DOES.match(told, len(named)):
            return True  # "Evelyn has the highest speed"
        numbers = [_spoken(side.text) for side in (gold, answer)]  # type: ignore[union-attr]
        for number, side in zip(numbers, (answer, gold), strict=True):
            if number is not None and isinstance(side, Value):
                return same_value(side, Value(("num", number)))
        if None not in numbers:
            return numbers[0] == numbers[1]
    return None


def same_ratio(gold: Group, answer: Group) -> bool | None:
    """Compares two ratios, `6:8` with `3:4`, or two times of day."""
    if gold.closing or answer.closing:
        hours = [clock[0] for side in (gold, answer) if not side.closing and (clock := _clock(side))]
        if not hours or not 1 <= hours[0] < 13:  # of 24 hours
            return _clock(gold) == _clock(answer) is not None
    same = _same_parts(gold, answer)
    if same or len(gold.items) != len(answer.items):
        return same
    if (
        gold.closing
        or answer.closing
        or any(len(getattr(group.items[1], "text", "")) > 1 and len(group.items) == 2 for group in (gold, answer))
    ):
        return False  # a time of day: 3:45 is not 1:15
    try:
        numbers = [[value(x.node) for x in group.items if isinstance(x, Value)] for group in (gold, answer)]
    except (TooLarge, Undefined, Unsupported):
        return False
    return all(n[0] for n in numbers) and all(
        a * numbers[1][0] == b * numbers[0][0] for a, b in zip(*numbers, strict=True)
    )


def _clock(time: Group) -> tuple[Fraction, Fraction] | None:
    """Hours and minutes since midnight; a time without a.m. or p.m. is taken as it stands."""
    try:
        hours, minutes, *_ = (
            value(x.node) for x in (*time.items, Value(("num", Fraction(0)))) if isinstance(x, Value)
        )
    except (TooLarge, Undefined, Unsupported):
        return None
    if not isinstance(hours, Fraction) or not isinstance(minutes, Fraction):
        return None
    return hours % 12 + 12 * (time.closing == "pm") if time.closing in ("am", "pm") else hours, minutes


def ratio_as_fraction(gold: Answer, answer: Answer) -> bool | None:
    """`3:4` against `\\frac{3}{4}`."""
    ratio, other = (gold, answer) if isinstance(gold, Group) else (answer, gold)
    if (
        isinstance(ratio, Group)
        and ratio.opening == ":"
        and not ratio.closing
        and len(ratio.items) == 2
        and isinstance(other, Value)
    ):
        top, bottom = ratio.items
        if isinstance(top, Value) and isinstance(bottom, Value):
            return same_value(other, Value(("div", top.node, bottom.node)))
    return False


def _same_parts(gold: Group, answer: Group) -> bool:
    pairs = zip(gold.items, answer.items, strict=False)
    same = [isinstance(a, Value) and isinstance(b, Value) and same_value(a, b) is True for a, b in pairs]
    return len(gold.items) == len(answer.items) and all(same)
