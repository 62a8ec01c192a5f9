"""Cuts canonical LaTeX into tokens, and knows the units that an answer may carry."""

import re
from fractions import Fraction

_GALLON = Fraction(3_785_411_784, 10**12)  # of the United States
# dimension -> unit names -> size, of length, mass, time and what is made of them in metres, grams and seconds, else in the first unit
# of the dimension; symbols in capitals are found as they are written
_TABLE: dict[str, dict[str, Fraction | int]] = {
    "length": {
        "m meter meters metre metres 米 mètre mètres metro metros м метр метра метров メートル": 1, "千米 公里 kilómetro kilómetros км キロメートル": 1000, "分米": Fraction(1, 10), "厘米 centímetro centímetros см センチメートル": Fraction(1, 100),
        "毫米 мм ミリメートル": Fraction(1, 1000), "in inch inches": Fraction(254, 10_000), "ft foot feet": Fraction(3048, 10_000),
        "yd yard yards": Fraction(9144, 10_000), "mi mile miles": Fraction(1_609_344, 1000),
    },
    "mass": {
        "g gm gms gram grams gramm gramme grammes gramo gramos 克 г グラム": 1, "千克 公斤 kilogramo kilogramos кг キログラム": 1000, "毫克": Fraction(1, 1000),
        "t ton tons tonne tonnes 吨": 10**6, "lb lbs pound pounds": Fraction(45_359_237, 100_000), "oz ounce ounces": Fraction(45_359_237, 1_600_000),
    },
    "time": {
        "s sec secs second seconds sekunde sekunden seconde secondes segundo segundos 秒 с секунда секунды секунд": 1,
        "min mins minute minutes minuten minuto minutos 分钟 分 мин минута минуты минут": 60,
        "h hr hrs hour hours stunde stunden heure heures hora horas 小时 时 ч час часа часов": 3600,
        "day days tag tage jour jours día días 天 день дня дней": 86400, "week weeks woche wochen semaine semaines semana semanas 周 星期": 604800,
    },
    "month": {"month months 个月": 1, "year years yr yrs 年": 12, "decade decades": 120, "century centuries": 1200},
    "volume": {
        "L l liter liters litre litres 升": Fraction(1, 1000), "毫升 cc": Fraction(1, 10**6), "gal gallon gallons": _GALLON,
        "qt quart quarts": _GALLON / 4, "pint pints": _GALLON / 8, "cup cups": _GALLON / 16,
    },
    "area": {"acre acres": Fraction(40_468_564_224, 10**7), "hectare hectares 公顷": 10_000},
    "dollar": {"dollar dollars usd": 1, "cent cents": Fraction(1, 100)},
    "yuan": {"元 yuan rmb ¥": 1, "角": Fraction(1, 10)},
    "euro": {"euro euros eur €": 1, "centime centimes céntimo céntimos centesimi": Fraction(1, 100)},
    "byte": {"B byte bytes": 1, "bit bits": Fraction(1, 8)},
    "energy": {"eV ev electronvolt electronvolts": Fraction(1602176634, 10**25), "cal calorie calories": 4184, "Wh": 3_600_000},
    "pressure": {"bar": 10**8},
}  # fmt: skip
_ALONE = {  # dimensions of one unit
    "angle": "degree degrees circ deg 度", "radian": "rad rads radian radians", "temperature c": "°c celsius 摄氏度", "temperature f": "°f fahrenheit",
    "temperature k": "K k kelvin kelvins", "rupee": "rupee rupees inr", "sterling": "£ gbp", "clock a.m.": "am a.m", "clock p.m.": "pm p.m",
    "current": "A amp amps ampere amperes", "amount": "mol mole moles",
}  # fmt: skip
_MADE_OF: dict[str, tuple[str, int, int, int, int]] = {  # units of metre, gram, second and ampere, and their powers: a joule is a newton times a metre
    "area": ("", 2, 0, 0, 0), "volume": ("", 3, 0, 0, 0), "frequency": ("Hz hz hertz", 0, 0, -1, 0), "force": ("N n newton newtons", 1, 1, -2, 0),
    "pressure": ("Pa pa pascal pascals", -1, 1, -2, 0), "energy": ("J j joule joules Nm", 2, 1, -2, 0), "power": ("W w watt watts", 2, 1, -3, 0),
    "charge": ("C coulomb coulombs", 0, 0, 1, 1), "voltage": ("V v volt volts", 2, 1, -3, -1), "resistance": ("Ω ohm ohms", 2, 1, -3, -2),
    "capacitance": ("F farad farads", -2, -1, 4, 2), "inductance": ("H henry henries", 2, 1, -2, -2), "magnetic field": ("T tesla teslas", 0, 1, -2, -1),
    "flux": ("Wb weber webers", 2, 1, -2, -1),
}  # fmt: skip
_PARTS = {
    dimension: dict(zip(("length", "mass", "time", "current"), powers, strict=True))
    for dimension, (_, *powers) in _MADE_OF.items()
}
_ROWS: list[tuple[str, str, Fraction | int]] = [
    *((dimension, names, size) for dimension, rows in _TABLE.items() for names, size in rows.items()),
    *((dimension, names, 1) for dimension, names in _ALONE.items()),
    *((dimension, names, Fraction(1000) ** mass) for dimension, (names, _, mass, *_) in _MADE_OF.items()),  # kilograms
]
UNITS = {name: (dimension, Fraction(size)) for dimension, names, size in _ROWS for name in names.split()}
_POWERS = (-15, -12, -9, -6, -3, -2, -1, 3, 6, 9, 12)
_WITH_PREFIX = {
    prefix + name: (UNITS[name][0], UNITS[name][1] * Fraction(10) ** power)
    for prefixes, names in (
        ("f p n µ m c d k M G T", "m g s sec l L N J eV cal W Wh Hz Pa bar A V Ω ohm C F H T Wb mol K B bit"),
        (
            "femto pico nano micro milli centi deci kilo mega giga tera",
            "meter metre gram second liter litre newton joule electronvolt calorie watt hertz pascal bar amp ampere volt ohm "
            "coulomb farad henry tesla weber mole kelvin byte bit",
        ),
    )
    for prefix, power in zip(prefixes.split(), _POWERS, strict=True)
    for unit in names.split()
    for name in (unit, unit + "s")
    if name in UNITS
}
UNITS = _WITH_PREFIX | UNITS  # "min" is a minute, "pm" no length
# however it is capitalized, unless that tells mega from milli
UNITS |= {name.lower(): unit for name, unit in UNITS.items() if name.lower() not in UNITS and name[0] not in "Mm"}
# without \\text these are units behind a number and no product of variables; longer words are no product anyway
_BARE_NAMES = (
    "in ft yd mi km dm cm mm nm kg mg lb lbs oz sec min mins hr hrs day ms ml deg rad usd am pm kj ev kw hz khz mhz ghz pa kpa mpa "
    "mol yr yrs kev mev gev kwh bar cal gal cup bit ton amp ohm kr eur gbp chf jpy inr vnd"
)
_BARE_UNITS = set(_BARE_NAMES.split())
SHORT = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "fps": "ft/s", "mps": "m/s"}
SHORT |= {
    f"{one}^{brace}-{power}": f"{unit}^{power}"
    for one, unit in (("ms", "m/s"), ("kmh", "km/h"))
    for brace in ("{", "")
    for power in (1, 2)
}
_TIMES = re.compile(r"\\cdot|\\times|[*·]")
_MICRO = re.compile(r"\\mu\s*|[µμ]")
_POWER = re.compile(r"\^?\{?(-?\d)\}?$")
_SQUARE = re.compile(r"(?:\bsq(?:uare)?\b\.?|平方)\s*(\S+)")
_CUBIC = re.compile(r"(?:\bcu(?:bic)?\b\.?|立方)\s*(\S+)")


def resolve(unit: str) -> tuple[tuple[tuple[str, int], ...], Fraction] | None:
    """Dimension (as sorted `(name, power)` pairs) and size of a unit such as `cm^2`, `m/s`, `square feet`, `平方米`.

    Capitals count where they tell `MW` from `mW`; `Km` and `KG` are read as meant.

    Returns:
        The pair, or `None` for words that are no unit of measure (`apples`, `个`).
    """
    total: dict[str, int] = {}
    size = Fraction(1)
    name = _MICRO.sub("µ", _TIMES.sub(" ", unit)).replace("\\Omega", "Ω").replace("\\text", "").strip(" .{}\\")
    for index, factors in enumerate(re.split(r"\s*/\s*|\s+per\s+|(?<=[元米克])每", SHORT.get(name.lower(), name))):
        for part in _SQUARE.sub(r"\1^2", _CUBIC.sub(r"\1^3", factors)).split():
            part = part.strip(" .{}()\\")
            power = -1 if index else 1
            if found := _POWER.search(part):
                part, power = part[: found.start()], power * int(found[1])
            one = UNITS.get(part) or UNITS.get(part.lower())
            if one is None:
                return None
            for dimension, times in _PARTS.get(one[0], {one[0]: 1}).items():
                total[dimension] = total.get(dimension, 0) + times * power
            size *= one[1] ** power
    return (tuple(sorted((name, power) for name, power in total.items() if power)), size) if total else None


Token = tuple[str, str]

FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "sinh", "cosh", "tanh", "coth",
    "ln", "log", "lg", "exp", "sqrt", "arcsec", "arccsc", "arsinh", "arcosh", "artanh", "cis", "sech", "csch", "erf",
    "asin", "acos", "atan", "acot", "asinh", "acosh", "atanh",  # sympy's names
}  # fmt: skip
_CONSTANT_WORDS = {"pi", "infinity", "inf", "infty"}
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "rho",
    "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi",
    "Psi", "Omega", "ell", "hbar", "nabla", "partial", "aleph",
}  # fmt: skip
# Words that turn "5 or more" and "not 5" into something other than the number 5.
STOP_WORDS = set("不非或余和错") | {
    "or", "not", "and", "less", "more", "least", "most", "if", "when", "where", "remainder", "r", "except", "than", "over",
    "under", "between", "but", "no", "neither", "only", "mod", "wrong", "incorrect", "false", "impossible", "too", "never", "cannot", "factorial", "choose", "oder", "mehr", "weniger", "ou", "moins", "más", "menos", "или", "больше",
    "более", "меньше", "менее", "hoặc", "hơn",
}  # fmt: skip
_PLAIN_WORDS = {
    "all", "any", "the", "one", "two", "six", "ten", "yes", "no", "true", "false", "none", "even", "odd", "never", "always",
    "north", "south", "east", "west",
}  # fmt: skip
_GLUED = ("arcsin", "arccos", "arctan", "sqrt", "sin", "cos", "tan", "ln", "log", "pi", "exp")
_MULTIPLIERS = {"hundred": "100", "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12"}
_CHINESE_MULTIPLIERS = {"万": "10000", "亿": "100000000"}
PREFIXES = {
    "about", "approximately", "approx", "exactly", "rs", "usd", "us", "约", "共", "大约", "rmb", "cny", "chf", "eur", "gbp", "jpy", "indeed", "$",
}  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<repeating>\d*\.\d*\\(?:overline|dot|bar)\s*\{?\d+\}?(?:\\dot\s*\{?\d\}?)?)
    | (?P<period>\d*\.\d*\(\d+\))
    | (?P<number>(?:(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)?\.\d+|\d{1,3}(?:,\d{3})+(?!\d)|\d+\.?)
        (?:[eE][+-]?\d+(?![\dA-Za-z^_({]|\\(?!text)))?)  # "4e+7p" adds 7p to 4e
    | \\text\s*\{(?P<text>[^{}]*)\}
    | \\(?P<command>[a-zA-Z]+)
    | (?P<escaped>\\[^a-zA-Z])
    | (?P<cjk>[\u3000-\u303f\u4e00-\u9fff]+|[A-Za-z]*[\u00c0-\u024f\u0400-\u1fff\u3040-\u30ff\uac00-\ud7af]+[A-Za-z\u00c0-\u024f\u0400-\u1fff\u3040-\u30ff\uac00-\ud7af]*)
    | (?P<word>[A-Za-z]+)
    | (?P<sign>.)
    )""",
    re.VERBOSE,
)


def tokenize(text: str) -> list[Token]:
    """Cuts canonical LaTeX into `(kind, value)` pairs; kinds: num, rep, sym, fn, cmd, text, op."""
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        value = found[kind]
        if kind == "number":
            tokens.append(("num", value.replace(",", "")))
        elif kind in ("repeating", "period"):
            tokens.append(("rep", value))
        elif kind == "command":
            if value in FUNCTIONS and value != "sqrt":
                tokens.append(("fn", value))
            elif value in _GREEK:
                tokens.append(("sym", value))
            elif value[:-1] in FUNCTIONS:  # "\\cotx"
                tokens += [("fn", value[:-1]), ("sym", value[-1])]
            else:
                tokens.append(("cmd", value))
        elif kind == "escaped":
            tokens.append(("op", value))
        elif kind in ("word", "text", "cjk"):
            word = value.strip()
            seconds = word == "sec" and bool(tokens) and not text[found.end() :].strip()  # no secant: nothing follows
            tokens += [("text", word)] if seconds else _word(word, tokens, quoted=kind != "word")
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
    if after_value and word.lower() in ("percent", "pct", "percentage", "percentage points"):
        return [("op", "%")]
    if word in _CONSTANT_WORDS:
        return [("cmd", word)]
    if word.lower() in _PLAIN_WORDS:
        return [("text", word)]
    if word in _GREEK and len(word) > 3 and not quoted:
        return [("sym", word)]
    if word in FUNCTIONS:
        return [("cmd", "sqrt") if word == "sqrt" else ("fn", word)]
    if quoted:
        if word in ("i", "e", "d") or (len(word) == 1 and not after_value and word.isascii() and word.isalpha()):
            return [("sym", word)]
        return [("text", word)]
    if len(word) == 1:
        return [("sym", word)]
    if (
        (
            after_value
            and (
                word.lower() in _BARE_UNITS
                or (len(word) > 3 and word.lower() in UNITS)
                or word.lower() in SHORT
                or word.lower() in ("sq", "cu", "per", "a")
            )
        )
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
    letters = [("sym", letter) for letter in word]
    if before[-1:] == [("op", "/")] and before[-2:-1] and before[-2][0] != "text":
        return [("op", "("), *letters, ("op", ")")]  # "t/RC"
    return letters
