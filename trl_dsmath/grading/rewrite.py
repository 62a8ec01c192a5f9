r"""Rewrites rare forms of an answer, text in and text out: like `text.normalize` it computes nothing.

[`rewrite`] turns forms that are easier to see in the text than in its parts into those that the parser reads; the other
functions cut LaTeX environments into rows: matrices, systems of equations, functions by cases.
"""

import re

from ..text import english_number

_SPACED_LIST = re.compile(r"-?\d+(?: -?\d+){2,}")  # "4 3 -1"
_LONG_FLOAT = re.compile(r"-?\d*\.\d{15,}")  # 0.10200000000000001
_REPEATING = re.compile(
    r"(\d{0,20}\.\d{0,9}?)(\d{1,6}?)\2+\s*(?:\\text\s*\{)?\s*repeating\s*\}?"
)  # "0.1666 repeating"
_RANK = re.compile(r"(?<=\d)\s*\^\s*\{?\s*(?:\\text\s*\{\s*)?(?:st|nd|rd|th)\b\s*\}{0,2}")  # 12^{\text{th}}
_INTEGERS = re.compile(  # "n \\in \\Z^+"
    r"(?:\\text\s*\{)?\s*(?:(?:for )?(?:all|any|every)\b)?\s*\}?\s*(?:[a-z]\s*\\in\s*)?\\(?:Z|(?:Z\s*[\^_]\s*\{?\s*(\+|>\s*0)|N\s*[\^_]\s*\{?\s*([*+]|$))\s*\}?)",
    re.IGNORECASE,
)
_MODULUS = r"\{?\s*(\w+)\s*\}?"
_PART_NAMES = [list("abcdefgh"), list("123456789"), ["i", "ii", "iii", "iv", "v"]]
_MOD = re.compile(
    rf"\(\s*(?:\\text\s*\{{\s*)?(?:\\?[bp]?mod)\s*\}}?\s*{_MODULUS}\s*\)|\\(?:[bp]?mod)(?![a-z])\s*{_MODULUS}"
    rf"|\\text\s*\{{\s*mod\s*\}}\s*{_MODULUS}"
)
_REMAINDER_IS = re.compile(r"^([^=]*\S)\s*\\pmod (\d+)\s*=\s*(\d+)$")  # "2^{100} \\bmod 9 = 7"
_CONGRUENT = re.compile(r"^[A-Za-z]\s*\\equiv\s*(?=.*\\pmod)")
_WHERE = re.compile(
    r"\s*,?\s*(?:\\text\s*\{[\s,(]*(?:where|for(?: all| any| every| some)?|with|provided)\s*\}|\b(?:where|provided)\b)\s*"
)
_ASIDE = re.compile(r"\s*\(([^()]*(?:\\in|\\neq|\\[lg]e|[<>])(?![a-z])[^()]*)\)\s*$")
_INTEGER = re.compile(r",\s*([a-z])\s*(?:\\text\s*\{\s*)?(?:is\s+)?any?\s+integer\s*\.?\s*\}?\s*$")
_FOR_INTEGERS = re.compile(
    r"\s*,?\s*\\text\s*\{\s*,?\s*(?:for|where)\s+(?:an\s+|any\s+|all\s+|every\s+|each\s+)?integers?\s*\}\s*([a-z])\s*$"
)
_CONSTANT = re.compile(  # "+ C, where C is a constant"
    r"(?:\s*,|\s*\\text\s*\{\s*,?\s*(?:where|for|with)\s*\}|\s*\()\s*[A-Za-z](?:_\{?\d\}?)?\s*\\text\s*\{[^{}]*\bconstant\.?\s*\}\)?$"
)
_CONSTANTS = re.compile(
    r"(?<=,)\s*(?:[A-Za-z](?:_\{?\d\}?)?\s*,\s*)+(?=[A-Za-z](?:_\{?\d\}?)?\s*\\in\s*\\[RZ])"
)  # "c_1, c_2 \\in \\R"
_EVERY_INTEGER = re.compile(r"=\s*0\s*,\s*\\pm\s*1\s*,\s*\\pm\s*2\s*(?:,\s*\\dots)?")
_SPACED_MONEY = re.compile(r"^(\\\$)?\s*(\d{1,3}(?: \d{3})+)(?=(?:\.\d+)?\s*(?:\\text|$))")
_FRENCH = re.compile(r"([\[\]])([^\[\](){}=<>]*[,;][^\[\](){}=<>]*)([\[\]])")
_BASE_WORD = re.compile(r"_\s*\{?\s*\\text\s*\{\s*(\w+)\s*\}\s*\}?")
_OVERLINED = re.compile(r"^\\overline\s*\{\s*(\w+)\s*\}\s*_")
_BASE_BRACKETS = re.compile(r"^\(\s*(-?[\w.]+)\s*\)\s*_")
_HEXADECIMAL = re.compile(
    r"^\(?((?:\s*(?:[0-9A-Fa-f]|\\text\s*\{\s*[0-9A-Fa-f]+\s*\}))+)\s*\)?\s*_\s*\{?\s*(\d\d)\s*\}?$"
)  # "(\text{A}3)_{16}"
_BASE_TEXT = re.compile(r"^(\w+)\s*(?:\\text\s*\{)?\s*\(?\s*(?:in\s+)?base\s*[-}]?\s*(\w+)\s*\)?\s*\}?$")
_WORD_NUMBERS = {
    word: str(number)
    for number, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=2)
}
_WORD_NUMBERS |= {"eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16"}
_REMAINDER = re.compile(
    r"^(\d+)\s*(?:(?:\\text\s*\{)?\s*,?\s*(?:R|r|rem|remainder|with remainder|余数?)\.?\s*\}?|\\dots\s*(?:\\dots)?)\s*(\d+)$"
)
_CLOCK = re.compile(r"^(\d{1,2})(?:\s*:\s*(\d\d))?\s*(?:\\text\s*\{\s*)?([ap])\.?\s?m\.?\s*\}?$", re.IGNORECASE)
_OPEN_SUM = re.compile(r"\s*[+-]\s*\\dots\s*$")

_TEXT_LIST = re.compile(r"\\text\s*\{([^{}]*?)(?:\s+(and|or)\b\s*|\s*(,)\s*)([^{}]*)\}")
_INDEX = r"(\{[^{}]*\}|[\dkmnr])"
_CHOOSE = re.compile(rf"(?:\\text\s*\{{\s*)?(?<![A-Za-z\\])([CPA])(?:\s*\}})?\s*_\s*{_INDEX}\s*\^\s*{_INDEX}")
_CHOOSE_SWAPPED = re.compile(rf"(?<![A-Za-z\\])([CPA])\s*\^\s*{_INDEX}\s*_\s*{_INDEX}")
_CHOOSE_BEFORE = re.compile(
    r"(?<![A-Za-z\d)}])(?:\{\s*\})?[_^]\s*\{?\s*(\w+)\s*\}?\s*([CP])_\s*\{?\s*(\w+)\s*\}?"
)  # "{}_{10}C_3"
_CHOOSE_CALL = re.compile(r"(?:\\text\s*\{\s*C\s*\}\s*|(?<![A-Za-z\\{])C)\((\w+)\s*,\s*(\w+)\)")
_SAID = re.compile(r"^\\text\s*\{\s*(?:the\s+)?(?:final\s+|correct\s+)?answer\s*(?:is|:)\s*([^{}]*)\}$", re.IGNORECASE)
_VALUE_IS = re.compile(
    r"^\\text\s*\{\s*(?!(?:at|not|less|more)\b)(?:(?:thus|so|hence|therefore|then)\s*,?\s*\}|(?:the\s+)?[A-Za-z]+(?:\s+(?:of\s+)?[A-Za-z]+){0,2}\s*(?:\bis|\bare|:|=)\s*\})\s*"
    r"(?=[-\d\\$(.\[{A-Za-z])(?!.*,.*\\text)",
    re.IGNORECASE,
)
_NAMED = re.compile(  # "\text{the year } 2024"
    r"^\\text\s*\{\s*(?:the\s+)?(?:(?:year|number|integer|fraction|value|point|prime|ratio|interval|set|function|line|circle|vertex|cent(?:er|re)|focus|slope|degree)(?: at)?"
    r"|there (?:is|are)|we (?:get|have)|(?:it )?(?:diverges|tends|goes) to|(?:for )?a total of|exactly)\s*\}?\s*(?=[-+\d\\$(]|[xy]\s*[-+=])",
    re.IGNORECASE,
)
_MICRO = re.compile(r"(?<=[\d}])\s*\\mu\s*\\text\s*\{\s*(?=[A-Za-z])")
_OHM = re.compile(r"(?<=[\d}])\s*(?:\\text\s*\{\s*([kMGm])\s*\}\s*|([kM])\s*)?\\Omega$")
_DOLLAR_SIGN = re.compile(r"\\text\s*\{\s*\\?\$\s*\}")
_SYMPY = re.compile(r"^Matrix\((\[\[.*\]\])\)$|(?<=\*)I(?![A-Za-z])|(?<![A-Za-z\\])oo(?![A-Za-z])")  # as sympy prints
_MINUS = re.compile(r"^\\text\s*\{\s*(?:minus|negative)\s*\}\s*(?=[\d\\])")
_MONEY_SIZE = re.compile(r"(\\\$\s*\d[\d.,]*)\s*(?:\\text\s*\{\s*)?(K|k|M|m|B|b|bn|mn)\s*\}?$")  # "$2.5M"
_SIZES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_PARALLEL = re.compile(r"(?<=[A-Z]{2})\s*(?://|\|)\s*(?=[A-Z]{2}$)")
_ENDLESS = re.compile(r"\\(sum|prod)\s*_\s*\{\s*(\w)\s*\\ge\s*(\d+)\s*\}")
_ALSO = re.compile(  # "\\frac{\\pi}{3} (60^\\circ)"
    r"(?:\s+\(\s*(?=[\d.]*[.%^])|\s*\\text\s*\{\s*\(\s*or\s*\}|\s*\(\s*\\text\s*\{\s*or\s*\})([\d.]+(?:%|\s*\^\\circ)?)\s*\)$"
)
_COMPARED = re.compile(
    r"^\\text\s*\{\s*(?:all\s+)?(?:real\s+)?numbers\s+(greater|less|at least|at most)(\s+than)?(\s+or\s+equal\s+to)?\s*\}?\s*(-?\d+)\s*\}?$",
    re.IGNORECASE,
)
_CHINESE_NAME = re.compile(  # "a的值为5", "函数的定义域是[1,2]"
    r"^(?:\\text\s*\{\s*)?[\u4e00-\u9fff]{0,4}[A-Za-z()\s]{0,6}(?:最[大小多少]|(?![不非没无余第多少足超大小])[\u4e00-\u9fff]){1,9}[为是:]\s*\}?\s*(?=[-\d\\({\[$][^\u4e00-\u9fff]*$)"
)
_SUCH_THAT = re.compile(r"\\text\s*\{\s*(?:such that|s\.t\.)\s*\}")
_ALL_X = re.compile(
    r"^\\text\s*\{\s*(?:for\s+)?all\s*(?:real\s*)?(?:numbers?\s*)?(?:values of\s*)?\}\s*"
    r"(?:[a-z]\s*(?:\||\\text\s*\{\s*(?:with|where|in|satisfying)\s*\})\s*|(?=[a-z]\s*(?:[<>]|\\[lg]e|\\neq|\\in)))"
)
_ROUGHLY = re.compile(
    r"(?<=\S)\s*(?:\(\s*\\approx([^()]*)\)|\\text\s*\{\s*,?\s*\(?(?:or\s+)?(?:about|approximately|approx\.?|roughly)\s*\})"
)
_BARE_VECTOR = re.compile(
    r"(?<![A-Za-z\\{])([ij])(?![A-Za-z])(?=\s*[+-][^=,]*?(?<![A-Za-z\\{])(?!\1)[ij](?![A-Za-z]))"
)
_BARE_AXIS = re.compile(r"(?<![A-Za-z\\{])([ijk])(?![A-Za-z}])")
_DERIVATIVE = re.compile(r"(?<![A-Za-z\\])d\s*([A-Za-z])\s*/\s*d\s*([a-z])(?![A-Za-z])")  # "dy/dx"
_CUP = re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])")
_CHINESE_ROOT = re.compile(r"根号\s*(?:\{([^{}]*)\}|(\d+))")
_HYPHENATED_UNIT = re.compile(
    r"(?<=[\d}])\s*(?:\\text\s*\{\s*)?\b(N|kN|ft|lb|kW|W|A|J|kg|g)-(m|lb|lbs|ft|h|hr|s)\b\s*\}?$"
)
_ARC = re.compile(r"(\d+)\s*\^\s*\\circ\s*(\d+)\s*'(?:\s*(\d+(?:\.\d+)?)(?:\s*(?:''|\"))?)?")  # 63^\circ 45' 30''
_DEGREES_ABOVE = re.compile(r"\\frac\s*\{([^{}]*?)\s*\^\s*\\circ\s*\}\s*\{([^{}]*)\}")  # \frac{990^\circ}{7}
_NO_BRACES = str.maketrans("", "", "{}")
_BARE_UNIT = re.compile(  # behind a blank: "9.8 m/s^2", "38 m^2", "5 kN"
    r"^(-?[\d.,]+(?:\s*(?:\\times|\\cdot)\s*10\s*\^\s*\{?-?\d+\}?)?)\s+"
    r"((?:k?m|[cm]m|ft|mi|[km]?g|m?L|k?N|[kM]?J|k?W|k?V|mol|rad|k?cal)/(?:s|sec|h|hr|min|k?g|[cm]?m|m?L|K|mol|C|A)(?:\^\{?[23]\}?)?"
    r"|(?:[kcdm]?m|ft|in|yd|mi)\^\{?[23]\}?|[kMG]N|[kMGT]W|m[AVWJL]|[kM][AV]|[MG]J|d?L)$"
)
_ONLY_TEXT = re.compile(r"^\\text\s*\{([^{}]*)\}$")
_QUOTED_NUMBER = re.compile(r"^\\text\s*\{\s*(?:(?:there are|exactly|a total of)\s+)?(\d[^{}]*)\}$", re.IGNORECASE)
_NAMED_CURVE = re.compile(r"^(?:[A-Zl]|\\ell|\\Gamma)\s*:\s*(?=[^:]*[xy][^:]*=[^:]*$)")  # "l: y = 2x"
_FEET = re.compile(r"^(\d+)\s*'\s*(\d|1[01])\s*(?:''|\")?$")  # 5'3"
_EVERYWHERE = re.compile(
    r"(?<=\S)\s*,?\s*(?:\\text\s*\{\s*,?\s*for (?:all|every|any)(?: real)?(?: numbers?)?\s*\}|\\forall)\s*[a-z](?:\s*\\in\s*\\R)?\s*(?=$|,|\\text\s*\{\s*(?:or|and)\b)"
)
_MAPS = re.compile(r"^(?:[a-z]\s*:\s*)?([a-z])\s*\\mapsto(?![a-z])")
_ONLY = re.compile(r"\s*\\text\s*\{\s*,?\s*(?:only|is the only (?:real )?(?:solution|root|answer))\s*\}$")
_EXCEPT = re.compile(r"(except(?: for| when)?\s*\}?\s*)[a-z]\s*=\s*")
_EXTREME = re.compile(r"\b(max|min)imum(?: value)?\b")
_LETTER_RATE = re.compile(
    r"(?<=\d)\s*\\frac\s*\{\s*(k?m|cm|mi|ft|k?g|J|N)\s*\}\s*\{\s*(s|hr?|min|kg|c?m|L)(\s*\^\s*\{?[23]\}?)?\s*\}$"
)  # "5\\frac{m}{s}"
_QUOTED_PART = re.compile(r"\\text\s*\{\s*(\([a-h1-9]\))\s*\}")
_PART = re.compile(
    r"(?:\\textcircled\{|\(\s*(?:\\text\s*\{\s*)?)([a-h]|[1-9]|i{1,3}|iv|v)\s*(?:\}|\}?\s*\))(?=\s*[^\s,;)(^])"
)
_OUT_OF = re.compile(r"^(\d+)\s*(?:\\text\s*\{)?\s*(?:in|out of)\s*\}?\s*(\d+)$")
_TO = re.compile(r"^(?:\\text\s*\{\s*)?(\d+)\s*(?:\\text\s*\{)?\s*to\s*\}?\s*(\d+)\s*\}?$")
_CYCLES = re.compile(r"^(?:\(\s*\d+(?:\s+\d+)+\s*\)\s*)+$")
_TRANSPOSED = re.compile(
    r"[(\[]([^()\[\]]*,[^()\[\]]*)[)\]]\s*\^\s*\{?\s*(?:T|\\top|\\intercal|\\text\s*\{\s*T\s*\})\s*\}?$"
)
_POINT_COLON = re.compile(r"\b([A-Z])\s*:\s*(?=\()")


def rewrite(text: str) -> str:
    r"""Rewrites rare forms of an answer in canonical LaTeX.

    Congruences (`3 (mod 7)`), conditions (`\text{ where } x \neq 1`), French intervals (`]0, 1]`), bases in words,
    remainders (`7 R 3`, `8……2`), times of day, open sums (`1 + x + \dots`), binomials written `C_n^k`, lists inside
    `\text{}`.

    Args:
        text (`str`):
            Canonical LaTeX, see [`text.normalize`].

    Returns:
        `str`: the same answer in the form that [`answer.parse_answer`] reads.
    """
    if text.isascii() and text.isalnum():
        return text
    if " " in text and (number := english_number(_ONLY_TEXT.sub(r"\1", text))) is not None:
        return str(number)
    if (said := _SAID.match(text)) or (said := _QUOTED_NUMBER.match(text)):
        return rewrite(said[1])
    text = _DOLLAR_SIGN.sub(r"\\$", _VALUE_IS.sub("", text))
    if "'" in text:
        text = _FEET.sub(r"\1 \\text{ ft} \2 \\text{ in}", text)
    text = _EVERYWHERE.sub("", text)
    if "\\equiv" in text and "mod" not in text:
        text = text.replace("\\equiv", "=")
    text = text.replace(" != ", r" \neq ")
    if "\\text" in text:
        text = _MINUS.sub("-", text)
    if "*" in text or "oo" in text or "Matrix" in text:
        text = _SYMPY.sub(lambda m: m[1] or ("i" if m[0] == "I" else "\\infty "), text)
    text = _MAPS.sub(r"f(\1) = ", text)
    text = _PARALLEL.sub(r" \\parallel ", text)
    text = _SPACED_MONEY.sub(lambda m: (m[1] or "") + m[2].replace(" ", ""), text)
    if named := _NAMED.match(text):
        return rewrite(text[named.end() :].removesuffix("}") if "}" not in named[0] else text[named.end() :])
    if "\\$" in text:
        text = _MONEY_SIZE.sub(lambda m: rf"{m[1]} \text{{{_SIZES[m[2].lower()]}}}", text)
    if "\\frac" in text:
        text = _LETTER_RATE.sub(r" \\text{\1/\2\3}", text)
    if "only" in text:
        text = _ONLY.sub("", text)
    if "except" in text:
        text = _EXCEPT.sub(r"\1", text)
    if "imum" in text:
        text = _EXTREME.sub(r"\1", text)
    if "\\mu" in text or "\\Omega" in text:
        text = _MICRO.sub(r" \\text{µ", text)
        text = _OHM.sub(lambda m: rf" \text{{{m[1] or m[2] or ''}Ω}}", text)
    if " " in text and (found := _BARE_UNIT.match(text)):
        text = rf"{found[1]} \text{{ {found[2].translate(_NO_BRACES)}}}"
    if not text.isascii():
        text = _CHINESE_NAME.sub("", text)
    if "U" in text:
        text = _CUP.sub(r" \\cup ", text)
    if "j" in text and _BARE_VECTOR.search(text):
        text = _BARE_AXIS.sub(r"\\hat{\1}", text)
    if "/" in text:
        text = _DERIVATIVE.sub(r"\\frac{d\1}{d\2}", text)
    if "\\pm" in text or "constant" in text:
        text = _EVERY_INTEGER.sub(r" \\in \\Z ", _CONSTANT.sub("", text))
    if "\\in" in text:
        text = _CONSTANTS.sub(" ", text)
    if ("\\Z" in text or "\\N" in text) and (found := _INTEGERS.fullmatch(text)):
        return rf"\text{{{'positive ' if found[1] or found[2] is not None else ''}integers}}"
    if "repeating" in text:
        text = _REPEATING.sub(r"\1\\overline{\2}", text)
    if "^" in text:
        text = _RANK.sub("", text)
    elif _LONG_FLOAT.fullmatch(text):
        short = f"{float(text):.15g}"
        text = short if len(short) < 13 else text
    elif _SPACED_LIST.fullmatch(text):
        return text.replace(" ", "; ")
    if "根号" in text:
        text = _CHINESE_ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
    if "-" in text:
        text = _HYPHENATED_UNIT.sub(r" \\text{\1 \2}", text)
    if "circ" in text:
        text = _DEGREES_ABOVE.sub(r"\\frac{\1}{\2}^\\circ ", text)
        text = _ARC.sub(lambda m: rf"({m[1]} + {m[2]}/60 + {m[3] or 0}/3600)^\circ ", text)
    if "mod" in text:
        text = _MOD.sub(lambda m: rf" \pmod {m[1] or m[2] or m[3]}", text)
        text = _CONGRUENT.sub("", _REMAINDER_IS.sub(r"\1 \\equiv \3 \\pmod \2", text))
    if "base" in text and (found := _BASE_TEXT.match(text)):
        text = f"{found[1]}_{{{_WORD_NUMBERS.get(found[2], found[2])}}}"
    if "_" in text:
        text = _BASE_WORD.sub(lambda m: f"_{{{_WORD_NUMBERS.get(m[1], m[1])}}}", text)
        text = _BASE_BRACKETS.sub(r"\1_", text)
        text = _HEXADECIMAL.sub(lambda m: re.sub(r"\\text|[{}\s]", "", m[1]).upper() + f"_{{{m[2]}}}", text)
        text = _OVERLINED.sub(r"\1_", text)
    if "C" in text or "P" in text or "A" in text:
        text = _CHOOSE.sub(_as_binomial, _CHOOSE_BEFORE.sub(r"\2_{\1}^{\3}", _CHOOSE_SWAPPED.sub(r"\1_\3^\2", text)))
        if text[0] != "C":  # "C(4, 3)" may be a point
            text = _CHOOSE_CALL.sub(r"\\binom{\1}{\2}", text)
    if found := _REMAINDER.match(text):
        return rf"{found[1]}; \text{{remainder}}; {found[2]}"
    if found := _OUT_OF.match(text):
        return f"{found[1]}/{found[2]}"
    if found := _TO.match(text):
        return f"{found[1]}:{found[2]}"
    if _CYCLES.match(text):
        return _canonical_cycles(text)
    text = _TRANSPOSED.sub(r"(\1)", text)
    if text.count("\\{") > text.count("\\}"):
        text = re.sub(r"\\\{\s*(?=\\begin)", "", text)  # \left\{ \begin{array} ... \right.
    if found := _CLOCK.match(text):
        return f"{found[1]}:{found[2] or '00'} {found[3].lower()}m"
    text = _QUOTED_PART.sub(r"\1", text)
    parts = list(_PART.finditer(text))
    names = [p[1] for p in parts]
    if len(parts) > 1 and parts[0].start() == 0 and any(names == known[: len(names)] for known in _PART_NAMES):
        ends = [p.start() for p in parts[1:]] + [len(text)]
        return "; ".join(text[p.end() : end].strip(" ,;.") for p, end in zip(parts, ends, strict=True))
    text = _FRENCH.sub(_as_interval, text)
    if "(" in text:
        text = _ALSO.sub(r" \\text{ or } \1", text)
    if "\\ge" in text:
        text = _ENDLESS.sub(r"\\\1_{\2=\3}^{\\infty}", text)
    if "\\dots" in text:
        text = _OPEN_SUM.sub("", text)
    if "\\text" in text or "\\approx" in text:
        text = _COMPARED.sub(_as_inequality, _ALL_X.sub("", _SUCH_THAT.sub("|", text)))
        text = _ROUGHLY.sub(lambda m: r" \approx " + (m[1] or ""), text)
        text = re.sub(r"\\text\s*\{\s*const(?:ant)?\.?\s*\}", "C", text)
        text = _TEXT_LIST.sub(
            lambda m: rf"\text{{{m[1]}}} {m[2] or m[3]} \text{{{m[4]}}}".replace(r"\text{}", ""), text
        )
    text = _POINT_COLON.sub(r"\1", _NAMED_CURVE.sub("", text))
    text = _WHERE.sub(", ", text)
    text = _INTEGER.sub(r", \1 \\in \\Z ", text)
    text = _FOR_INTEGERS.sub(r", \1 \\in \\Z ", text)
    return _ASIDE.sub(r", \1", text)


def _canonical_cycles(text: str) -> str:
    """A permutation as words, each cycle from its least element, the cycles in order."""
    cycles = []
    for cycle in re.findall(r"\(([^()]*)\)", text):
        numbers = [int(number) for number in cycle.split()]
        least = numbers.index(min(numbers))
        cycles.append(numbers[least:] + numbers[:least])
    return r"\text{permutation }" + "".join(f"({' '.join(map(str, cycle))})" for cycle in sorted(cycles))


def _as_binomial(found: re.Match) -> str:
    """`C_5^2` chooses; `C_1^2` is a constant squared."""
    kind, bottom, top = found[1], found[2].strip("{} "), found[3].strip("{} ")
    if kind in "PA":
        return (
            rf"\frac{{{bottom}!}}{{({bottom}-{top})!}}"
            if bottom.isdigit() and top.isdigit() and int(bottom) >= max(3, int(top))
            else found[0]
        )
    if bottom.isdigit() and (not top.isdigit() or int(bottom) < max(3, int(top))):
        return found[0]
    return rf"\binom{{{bottom}}}{{{top}}}"


def _as_inequality(found: re.Match) -> str:
    """`all real numbers greater than 3`."""
    sign = ">" if found[1].lower() in ("greater", "at least") else "<"
    closed = found[3] or found[1].lower().startswith("at")
    return f"x {sign}{'=' if closed else ''} {found[4]}"


def _as_interval(found: re.Match) -> str:
    return ("(" if found[1] == "]" else "[") + found[2] + (")" if found[3] == "[" else "]")


_ROW = re.compile(r"\\\\\s*\*?(?:\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\])?")  # "\\[4pt]"
_COLUMNS = r"(?:\s*\[[a-z]\])?(?:\s*\{[lcr|\s]*\})?"
_MATRIX = re.compile(rf"^\\begin\{{([pbB]?matrix\*?|[pb]?smallmatrix|array)\}}{_COLUMNS}(.*)\\end\{{\1\}}$")
_BRACKETED_MATRIX = re.compile(
    r"^(?:\(|\[|\\\{)\s*(\\begin\{(smallmatrix|array|matrix)\}.*\\end\{\2\})\s*(?:\)|\]|\\\})$", re.DOTALL
)
_SYSTEM = re.compile(
    rf"^(?:\\\{{)?\s*\\begin\{{(aligned|align\*?|[dr]?cases|gathered|split|array|matrix|eqnarray\*?)\}}{_COLUMNS}(.*)"
    r"\\end\{\1\}\s*(?:\\\})?$",
)
_RELATION = re.compile(r"[<>=]|\\[lg]e(?![a-z])|\\neq|\\in(?![a-z])")
_CONDITION = re.compile(r"\\text\s*\{\s*(?:if|when|for|as)?\s*\}|\b(?:if|when|for)\b")
MAX_CELLS = 400


def matrix_cells(text: str) -> list[list[str]] | None:
    r"""Cells of `\begin{pmatrix}...\end{pmatrix}` and its relatives; None for anything else, or rows of unequal length."""
    if bracketed := _BRACKETED_MATRIX.match(text):
        text = bracketed[1]
    found = _MATRIX.match(text)
    if not found or "\\begin" in found[2]:
        return None
    body = re.sub(r"\\hline|\\\\\s*$", "", found[2].strip())
    rows = [[cell.strip() for cell in row.split("&")] for row in _ROW.split(body)]
    return rows if len({len(row) for row in rows}) == 1 and sum(map(len, rows)) <= MAX_CELLS else None


def system_rows(text: str) -> list[str] | None:
    r"""Rows of `\begin{cases} x = 1 \\ y = 2 \end{cases}` and of aligned formulas; None for anything else."""
    found = _SYSTEM.match(text)
    if (
        not found
        or "\\text" in text
        or not (_RELATION.search(found[2]) or found[1] not in ("array", "cases", "matrix"))
    ):
        return None
    rows = [row.replace("&", "").strip(" ,;.") for row in _ROW.split(found[2])]
    return [row for row in rows if row]


def branches(text: str) -> list[tuple[str, str]] | None:
    r"""`(value, condition)` of each row of a function by cases; None for anything else."""
    found = _SYSTEM.match(text)
    if not found or found[1] not in ("cases", "array", "aligned", "matrix"):
        return None
    pairs = []
    for row in filter(str.strip, _ROW.split(found[2])):
        value, _, condition = row.partition("&")
        condition = _CONDITION.sub(" ", condition).strip(" ,.;&").replace("elsewhere", "otherwise")
        if (
            condition[:1] == "="
            or _RELATION.search(value)
            or not (_RELATION.search(condition) or "other" in condition)
        ):
            return None
        pairs.append((value.strip(" ,"), condition))
    return pairs if len(pairs) > 1 else None
