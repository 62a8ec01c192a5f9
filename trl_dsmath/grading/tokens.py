"""Cuts canonical LaTeX into tokens, and knows the units that an answer may carry."""

import re
from fractions import Fraction

# dimension -> unit names -> size in the first unit of the dimension
_TABLE: dict[str, dict[str, Fraction | int]] = {
    "length": {
        "m meter meters metre metres 米": 1, "km kilometer kilometers kilometre kilometres 千米 公里": 1000,
        "dm decimeter decimeters 分米": Fraction(1, 10), "cm centimeter centimeters centimetre centimetres 厘米": Fraction(1, 100),
        "mm millimeter millimeters millimetre 毫米": Fraction(1, 1000), "nm nanometers": Fraction(1, 10**9),
        "in inch inches": Fraction(254, 10_000), "ft foot feet": Fraction(3048, 10_000), "yd yard yards": Fraction(9144, 10_000),
        "mi mile miles": Fraction(1_609_344, 1000),
    },
    "mass": {
        "g gram grams 克": 1, "kg kilogram kilograms 千克 公斤": 1000, "mg milligram milligrams 毫克": Fraction(1, 1000),
        "t ton tons tonne tonnes 吨": 10**6, "lb lbs pound pounds": Fraction(45_359_237, 100_000), "oz ounce ounces": Fraction(45_359_237, 1_600_000),
    },
    "time": {
        "s sec secs second seconds 秒": 1, "min mins minute minutes 分钟 分": 60, "h hr hrs hour hours 小时 时": 3600,
        "day days 天": 86400, "week weeks 周 星期": 604800, "ms millisecond milliseconds": Fraction(1, 1000),
    },
    "month": {"month months 个月": 1, "year years yr yrs 年": 12},
    "volume": {
        "l liter liters litre litres 升": 1, "ml milliliter milliliters 毫升": Fraction(1, 1000),
    },
    "angle": {"degree degrees circ deg 度": 1},
    "temperature c": {"°c celsius 摄氏度": 1}, "temperature f": {"°f fahrenheit": 1}, "temperature k": {"k kelvin kelvins": 1},
    "dollar": {"dollar dollars usd": 1, "cent cents": Fraction(1, 100)},
    "yuan": {"元 yuan rmb": 1, "角": Fraction(1, 10)},
    "euro": {"euro euros eur": 1},
    "clock a.m.": {"am a.m": 1}, "clock p.m.": {"pm p.m": 1},
    "force": {"n newton newtons": 1}, "energy": {"j joule joules": 1, "kj kilojoule kilojoules": 1000, "ev": Fraction(1602176634, 10**28)},
    "power": {"w watt watts": 1, "kw kilowatt kilowatts": 1000}, "voltage": {"v volt volts": 1}, "frequency": {"hz hertz": 1},
    "pressure": {"pa pascal pascals": 1, "kpa": 1000}, "amount": {"mol mole moles": 1},
}  # fmt: skip
UNITS: dict[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(size))
    for dimension, rows in _TABLE.items()
    for names, size in rows.items()
    for name in names.split()
}
SHORT = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "fps": "ft/s", "mps": "m/s"}
_POWER = re.compile(r"\^?\{?(-?\d)\}?$")
_SQUARE = re.compile(r"(?:\bsq(?:uare)?\b\.?|平方)\s*(\S+)")
_CUBIC = re.compile(r"(?:\bcu(?:bic)?\b\.?|立方)\s*(\S+)")


def resolve(unit: str) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
    """Dimension (as sorted `(name, power)` pairs) and size of a unit such as `cm^2`, `m/s`, `square feet`, `平方米`.

    Returns:
        The pair, or `None` for words that are no unit of measure (`apples`, `个`).
    """
    total: dict[str, int] = {}
    size = Fraction(1)
    name = unit.lower().strip(" .{}\\")
    for index, factors in enumerate(re.split(r"\s*/\s*|\s+per\s+|(?<=[元米克])每", SHORT.get(name, name))):
        for part in _SQUARE.sub(r"\1^2", _CUBIC.sub(r"\1^3", factors)).split():
            part = part.strip(" .{}\\")
            power = -1 if index else 1
            if found := _POWER.search(part):
                part, power = part[: found.start()], power * int(found[1])
            if part not in UNITS:
                return None
            dimension, one = UNITS[part]
            total[dimension] = total.get(dimension, 0) + power
            size *= one**power
    return (tuple(sorted(total.items())), size) if total else None


Token = tuple[str, str]

FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "sinh", "cosh", "tanh", "coth",
    "ln", "log", "lg", "exp", "sqrt", "arcsec", "arccsc", "arsinh", "arcosh", "artanh", "cis", "asin", "acos", "atan",
}  # fmt: skip
_CONSTANT_WORDS = {"pi", "infinity", "inf", "infty"}
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "rho",
    "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi",
    "Psi", "Omega", "ell", "hbar", "nabla", "partial", "aleph",
}  # fmt: skip
# Words that turn "5 or more" and "not 5" into something other than the number 5.
STOP_WORDS = set("不非或余和") | {
    "or", "not", "and", "less", "more", "least", "most", "if", "when", "where", "remainder", "r", "except", "than", "over",
    "under", "between", "but", "no", "neither", "only", "mod",
}  # fmt: skip
_PLAIN_WORDS = {
    "all", "any", "the", "one", "two", "six", "ten", "yes", "no", "true", "false", "none", "even", "odd", "never", "always",
    "north", "south", "east", "west",
}  # fmt: skip
_GLUED = ("arcsin", "arccos", "arctan", "sqrt", "sin", "cos", "tan", "ln", "log", "pi", "exp")
_MULTIPLIERS = {"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12"}
_CHINESE_MULTIPLIERS = {"万": "10000", "亿": "100000000"}
PREFIXES = {"about", "approximately", "approx", "exactly", "rs", "usd", "us", "约", "共", "大约", "rmb", "cny", "$"}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<repeating>\d*\.\d*\\(?:overline|dot|bar)\s*\{?\d+\}?(?:\\dot\s*\{?\d\}?)?)
    | (?P<period>\d*\.\d*\(\d+\))
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)?\.\d+(?:[eE][+-]?\d+)?|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+\.?)(?:[eE][+-]?\d+)?)
    | \\text\s*\{(?P<text>[^{}]*)\}
    | \\(?P<command>[a-zA-Z]+)
    | (?P<escaped>\\[^a-zA-Z])
    | (?P<cjk>[\u3000-\u303f\u4e00-\u9fff]+)
    | (?P<word>[A-Za-z]+)
    | (?P<sign>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


def tokenize(text: str) -> list[Token]:
    """Cuts canonical LaTeX into `(kind, value)` pairs; kinds: num, rep, sym, fn, cmd, text, op."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        kind, value = found.lastgroup, found[found.lastgroup or 0]
        if kind == "number":
            tokens.append(("num", value.replace(",", "")))
        elif kind in ("repeating", "period"):
            tokens.append(("rep", value))
        elif kind == "command":
            if value in FUNCTIONS and value != "sqrt":
                tokens.append(("fn", value))
            elif value in _GREEK:
                tokens.append(("sym", value))
            elif value[:-1] in FUNCTIONS and value != "arccos":  # "\\cotx"
                tokens += [("fn", value[:-1]), ("sym", value[-1])]
            else:
                tokens.append(("cmd", value))
        elif kind == "escaped":
            tokens.append(("op", value))
        elif kind in ("word", "text", "cjk"):
            tokens += _word(value.strip(), tokens, quoted=kind != "word")
        elif value.strip():
            tokens.append(("op", value))
    return tokens


def _word(word: str, before: list[Token], quoted: bool) -> list[Token]:
    """A run of letters: a function, a unit, a word, or a product of one-letter variables."""
    if not word:
        return []
    after_value = bool(before) and (
        before[-1][0] in ("num", "rep", "text") or before[-1][1] in (")", "}", "%", "\\circ")
    )
    if after_value and (factor := _MULTIPLIERS.get(word.lower())):
        return [("op", "*"), ("num", factor)]
    if after_value and word[0] in _CHINESE_MULTIPLIERS and word not in UNITS:
        return [("op", "*"), ("num", _CHINESE_MULTIPLIERS[word[0]]), *_word(word[1:], [("num", "")], quoted)]
    if after_value and word.lower() in ("percent", "percentage"):
        return [("op", "%")]
    if word in _CONSTANT_WORDS:
        return [("cmd", word)]
    if word.lower() in _PLAIN_WORDS:
        return [("text", word)]
    if word in FUNCTIONS:
        return [("cmd", "sqrt") if word == "sqrt" else ("fn", word)]
    if quoted:
        if word in ("i", "e", "d") or (len(word) == 1 and not after_value and word.isascii() and word.isalpha()):
            return [("sym", word)]
        return [("text", word)]
    if len(word) == 1:
        return [("sym", word)]
    if (
        (after_value and (word.lower() in UNITS or word.lower() in SHORT or word.lower() in ("sq", "cu", "per", "a")))
        or word.lower() in STOP_WORDS
        or word.lower() in PREFIXES
    ):
        return [("text", word)]
    for name in _GLUED:  # "2sqrt(3)", "sinx"
        if word.startswith(name) and len(word) <= len(name) + 1:
            rest = _word(word[len(name) :], [], quoted)
            return [("fn", name) if name in FUNCTIONS and name != "sqrt" else ("cmd", name), *rest]
    if len(word) >= 4 and not word.isupper():
        return [("text", word)]
    return [("sym", letter) for letter in word]
