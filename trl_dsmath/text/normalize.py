r"""One canonical spelling for the many ways to write the same formula.

Only spelling changes here (`\dfrac` to `\frac`, full-width digits to ASCII, `\left(` to `(`): nothing is computed and
nothing that could carry meaning is dropped. Two texts with the same normal form are the same answer.
"""

import re
import unicodedata

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi psi omega epsilon phi theta "
    "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_CHARS: dict[int, int | str] = {
    **_FULL_WIDTH,
    **dict.fromkeys(map(ord, "−–—﹣‐‑‒―"), "-"),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\ufeff\u2060"), ""),
    **dict.fromkeys([*range(0x20), 0x7E, 0x7F, 0xA0, 0x3000, *range(0x2000, 0x200B), 0x202F], " "),
    **{ord(a): b for a, b in zip("￥￡", "¥£", strict=True)},
    **{ord(a): b for a, b in zip("「」『』【】〔〕［］、。；", '""""[][][],.;', strict=True)},
    **{ord(a): b for a, b in zip("‘’“”′ʼ٫٬،٪", "''\"\"''.,,%", strict=True)},
    **{code: str(unicodedata.decimal(chr(code))) for code in range(0x660, 0x1820) if chr(code).isdecimal()},
    **{
        ord(char): text
        for char, text in {
            "∶": ":", "×": r"\times ", "⋅": r"\cdot ", "·": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ", "∗": "*", "∕": "/", "⁄": "/",
            "π": r"\pi ", "∞": r"\infty ", "√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]", "±": r"\pm ", "∓": r"\mp ",
            "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\neq ", "≈": r"\approx ", "≡": r"\equiv ", "∥": r"\parallel ", "⊥": r"\perp ", "∼": r"\sim ",
            "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "Ø": r"\emptyset ", "ℝ": r"\R ", "∖": r"\setminus ",
            "→": r"\to ", "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ", "℃": r"^\circ C", "¢": r"\text{ cents}",
            **dict(zip("αβγδεζηθικλμνξρστφχψωϵϕϑΓΔΘΛΞΠΣΦΨΩ", (rf"\{name} " for name in _GREEK.split()), strict=True)),
            "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
            **{c: rf"\frac{{{f[0]}}}{{{f[1]}}}" for c, f in zip("⅖⅗⅘⅙⅚⅐⅜⅝⅞⅑", ["25", "35", "45", "16", "56", "17", "38", "58", "78", "19"], strict=True)},
            "⇒": r"\Rightarrow ", "⟹": r"\Rightarrow ", "⇔": r"\iff ", "⅕": r"\frac{1}{5}", "⅛": r"\frac{1}{8}", "…": r"\dots ", "⋯": r"\dots ", "∠": r"\angle ", "△": r"\triangle ",
            **{chr(0x2460 + n): rf"\textcircled{{{n + 1}}}" for n in range(20)},
            "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ",
        }.items()
    },
}  # fmt: skip
_LETTERS = re.compile("[\U0001d400-\U0001d7ff]+")  # "𝑥", "𝟓"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ", "0123456789-n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_ROOT = re.compile(
    r"([√∛∜]|(?<![\\A-Za-z])sqrt)\s*(\d+(?:\.\d+)?)"
)  # the sign reaches over the number; TeX's command over one digit
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ]+")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")

# Commands that only change how a formula looks.
_SPACES = re.compile(
    r"\\(?:q?quad|enspace|(?:neg)?(?:thin|med|thick)space|hfill|newline|noindent|par|(?:small|med|big)skip|nobreak|(?:nobreak)?space|null)(?![a-zA-Z])|\\[;: ]|\\,"
    r"|\\m?(?:kern|skip)\s*-?[\d.]+\s*[a-z]{2}|\\hskip\s*-?[\d.]+\s*[a-z]{2}|\\(?:begin|end)\{(?:equation|displaymath|math|center)\*?\}"
)
_INVISIBLE = re.compile(
    r"\\(?:large|Large|LARGE|huge|Huge|small|tiny|normalsize|footnotesize|displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it|sf|tt|cal|boldmath|m?left|m?right|middle"
    r"|[bB]igg?[lrm]?|mathopen|mathclose|mathord|mathrel|mathbin|mathstrut|strut|allowbreak|nonumber|protect|mathrm(?=\s*\\|\s+[A-Za-z])|therefore|checkmark|blacksquare|qed)(?![a-zA-Z])"
    r"|\\!\s*|\\/"
)
_GROUPING = re.compile(  # "14{,}916", "3{:}4", "3\\mathbin{:}4"
    r"\s*(?:\\(?:text|mathord)\s*)?\{\s*([,:]|\\times|\\cdot)\s*\}\s*"
)
_FACTOR_BEHIND = re.compile(  # "\\sin x\\, e^x", "\\ln 2\\, x"
    r"(\\(?:sin|cos|tan|cot|sec|csc|ln|log)\s*(?:\^\s*\{?\d\}?\s*)?(?:\d*\s*[a-zA-Z]|\d+|\d*\s*\\(?:pi|(?:var)?theta|(?:var)?phi|alpha|beta|omega)))"
    r"\s*\\[,;]\s*(?=[A-Za-z\d\\(])(?!d\s*\\?[a-z]|\\(?:text|mathrm|operatorname|dots|quad|[lg]e|neq|approx|to|cup|in)(?![a-z]))"
)
_THOUSANDS = re.compile(r"(?<=\d),\\,(?=\d{3}(?!\d))")  # "15,\\,400"
_OTHER_THOUSANDS = re.compile(
    r"(?<![\d.,'])(\d{1,3}(?:'\d{3})+|\d{1,3}(?:\.\d{3}){2,})(?![\d.'])"
)  # "1'200", "1.200.000"
_OLD_FONT = re.compile(r"\{\s*\\(?:rm|sf)\s+([A-Za-z][^{}\\]*)\}")  # "{\\rm cm}"
_LONE_IN_TEXT = re.compile(r"\\text\s*\{\s*(\\[a-zA-Z]+|\\?%|\^\s*\\circ)\s*\}")  # "5\\text{\\%}", "\\mathrm{\\pi}"
_CLASS = re.compile(r"\s*\\math(?:punct|bin|rel)\s*\{([^{}]*)\}\s*")
_FUNCTION = re.compile(
    r"\\text\s*\{\s*((?:arc)?(?:sin|cos|tan|tg|ctg|cot|csc)|(?:arc?)?(?:sin|cos|tan)h|ln|log|lg|exp)\s*\}"
)
_NOT = re.compile(r"\\not\s*(=|<|>|\\in(?![a-z]))")
_NEGATED = {"=": r"\neq ", "<": r"\ge ", ">": r"\le ", r"\in": r"\notin "}
_SIDE_BY_SIDE = re.compile(  # "x = 2 \\quad f(y) = 3"
    r"(?<=[\d}])\s*\\q?quad(?![a-z])\s*(?=(?!\\(?:text|math|q?quad|Right|Long|right|implies|iff|to|begin|end|[,;: ]))[A-Za-z\\][^=,&]{0,40}=)"
)
_ESCAPED_TWICE = re.compile(
    r"(?<!\\)\\\\(?=(?:[dt]?frac|sqrt|pi|infty|text|cdot|times|left|right|leq?|geq?|cup|circ|pm)(?![a-zA-Z]))"
)
_SIUNITX = re.compile(r"\\(?:SI|qty)\s*(?:\[\])?\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_SI_PREFIX = re.compile(r"\\(femto|pico|nano|micro|milli|centi|deci|kilo|mega|giga|tera)\s*\\")
_MEMBER = re.compile(r"\\in\s*\{?\s*([RZNQC])\s*\}?(?![\w(])")
_LEFT_DOT = re.compile(r"\\(?:left|right)\s*\.")
_FONT = re.compile(
    r"\\(?:mathbf|mathit|mathsf|mathtt|boldsymbol|bm|pmb|mathnormal|textstyle|bold|ensuremath|underline|mathop|mathcal"
    r"|mathscr|mathfrak|num|smash)(?![a-zA-Z])\s*"
)
_TWICE_BRACED = re.compile(r"(?<=hat|vec|bar|dot)\{\s*\{\s*([A-Za-z])\s*\}\s*\}")  # "\\hat{\\mathbf{r}}"
_STARRED = re.compile(r"(?<=[A-Za-z\d}])\s*\^\s*\{?\s*(?:\*|\\ast|\\star)\s*\}?(?=\s*(?:=|\\approx))")  # "Q^* = 20"
_TEXT = re.compile(
    r"\\(?:textbf|textit|textrm|textsf|texttt|textnormal|textup|textsl|emph|mbox|hbox|mathrm|operatorname\*?|mathtt|si|unit)\s*(?=\{)"
)
_COMMANDS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "nicefrac": "frac", "sfrac": "frac", "flatfrac": "frac", "surd": "sqrt", "textdegree": "circ", "dbinom": "binom", "tbinom": "binom", "leq": "le", "leqslant": "le",
    "leqq": "le", "geq": "ge", "geqslant": "ge", "geqq": "ge", "ne": "neq", "bot": "perp", "ast": "times", "cdotp": "cdot",
    "bullet": "cdot", "lbrace": "{", "rbrace": "}", "varnothing": "emptyset", "O": "emptyset", "ldots": "dots",
    "cdots": "dots", "dotsc": "dots", "dotsb": "dots", "vdots": "dots", "rightarrow": "to", "longrightarrow": "to", "arcsinh": "arsinh", "arccosh": "arcosh", "arctanh": "artanh", "degree": "circ", "deg": "circ",
    "tg": "tan", "ctg": "cot", "arctg": "arctan", "lg": "lg", "reals": "R", "Reals": "R", "vee": "lor", "wedge": "land",
    "backslash": "setminus", "smallsetminus": "setminus", "varphi": "phi", "varepsilon": "epsilon", "infin": "infty",
    "thinspace": "", "bigcup": "cup", "bigcap": "cap", "colon": ":", "overrightarrow": "vec", "widehat": "hat", "implies": "Rightarrow", "Longrightarrow": "Rightarrow", "lt": "<", "gt": ">", "lbrack": "[", "rbrack": "]", "mid": "|", "vert": "|",
    "lvert": "|", "rvert": "|", "percent": "%", "textdollar": "$", "mathdollar": "$", "and": "land", "or": "lor",
}  # fmt: skip
_TO_CHARACTER = {":", "<", ">", "[", "]", "|", "%", ""}
_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_BLACKBOARD = re.compile(r"\\(?:mathbb|Bbb|mathds)\s*\{?\s*([A-Z])\s*\}?")
_DEGREES = re.compile(
    r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\^\s*(?:\{\s*(?:\\text\s*\{\s*o\s*\}|\^\\circ)\s*\}|\\text\s*\{\s*o\s*\})"
)
_DEGREE_O = re.compile(r"(?<=\d)\s*\^\s*(?:o(?![a-z])|\{\s*o\s*\})")  # "60^{o}"
_LONE_DOLLAR = re.compile(r"^\s*\$\s*(\d[\d,]*(?:\.\d+)?)\s*\.?$")  # "$2.50" is money, "$2.50$" is not
_UNIT_OUTSIDE = re.compile(r"^\s*\$([^$]+)\$\s*([A-Za-z]+)\s*$")  # "$5$ m": what is outside is not a variable
_MATH_MODE = re.compile(r"\\[()\[\]]|(?<!\\)\$+")
_ANNOUNCED = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:the\s+)?(?:final\s+)?(?:answer|result)\s*(?:is|:)\s*:?\s*\}\s*|^(?:the\s+)?(?:final\s+)?(?:answer|result)\s*(?:is|:|=)\s*|^(?:故|所以|因此)?答案\s*(?:是|为|:)*\s*|^答\s*:\s*|^ans(?:wer)?\s*[:.]\s*",
    re.I,
)
_CIRCLED_LIST = re.compile(r"(?<=\})\s*[,;]\s*(?=\\textcircled)")  # ①、③ is ①③
_PLAIN_TEX = re.compile(r"\\(?:over|choose|[pbv]?matrix|cases|cr)(?![a-zA-Z])")
_TAKES_ARGUMENT = re.compile(r"(?:[\^_}\]]|\\[a-zA-Z]+)\s*$")
_BRACED = re.compile(r"^\{([^{}]*)\}$")
_PLAIN_TEX_PARTS = re.compile(rf"(\\[{{}}]|(?:\\(?:[pbv]?matrix|cases)\s*)?{{|}}|{_PLAIN_TEX.pattern})")
_COLOR = re.compile(r"\\(?:text)?color(?:box)?\s*\{[^{}]*\}|\\bbox\s*(?:\[[^\]]*\])?")
_TEXT_POWER = re.compile(r"(\\text\s*\{[^{}]*\^)\s*\{\s*(-?\d)\s*\}")  # \mathrm{m\,s^{-1}}
_NAMED_FIGURE = re.compile(r"\\(triangle|angle)\s*\{([A-Z]+)\}")
_UNIT_VECTOR = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|bf|hat|widehat|vec|overrightarrow)\s*(?:\{\s*\\?([ijk])(?:math)?\s*\}|([ijk])(?![A-Za-z]))"
)
_NESTED_HAT = re.compile(r"\\(?:hat|vec|mathbf)\s*\{\s*(\\hat\{[ijk]\})\s*\}")
_PLAIN_VECTOR = re.compile(r"\\vec\s*\{\s*([a-hl-z])\s*\}|\\vec\s+(?=[a-hl-z](?![a-z]))")
_OTHER_MONEY = re.compile(
    r"\b(?:US|AU|NZ|HK|[ACRS])(?=\\?\$\s*\d)|\b(?:CN|JP)(?=[¥￥])|\bRs\.?(?=\s*\d)|[₤₹₩₽₫₱฿₴₦₪₺]"
)  # "US$5", "₹5"
_CURRENCY = re.compile(r"\\(?:pounds|euro|yen|textsterling|texteuro)(?![a-z])\s*(?:\{\})?")
_SPACER = re.compile(r"\\(?:hspace|vspace|phantom|hphantom|vphantom|label|tag)\*?\s*\{[^{}]*\}")
_CHINESE_MIXED = re.compile(r"(?<=\d)\s*又\s*(?=[\d\\])|(?<=^)负(?=[\d\\])")
_CHINESE_RATIO = re.compile(r"(?<=\d)\s*比\s*(?=\d)")
_LETTER_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*\^)")  # "6.02 x 10^23"
_EMPTY_SCRIPT = re.compile(r"[_^]\s*\{\s*\}|(?<![\\^_a-zA-Z}\]])\{\s*\}")
_LEADING = ' ,;:!?*~\\"`，；'
_TRAILING = _LEADING + "."
_BRACED_UNIT = re.compile(  # "12{cm}", "12{\\rm cm}"
    r"(?<!frac\d)(?<=\d)\s*\{\s*(?:\\(?:text|mathrm|rm)\s*\{?\s*)?([a-z]{4}[a-z. ]*|[ckm]?m|[km]?g|ml|in|ft|lbs?|kgs)\s*\}{1,2}"
)
_LOST_ROW = re.compile(r"(?<!\\)\\(?=[-\d])")  # "\\begin{pmatrix}1\\-2\\end{pmatrix}" that lost half its backslashes
_ROW = "\ue000"  # in place of the row separator of a matrix while single backslashes are cleaned
_PRIME = re.compile(r"\^\s*(?:\{\s*((?:\\prime\s*)+)\}|\\prime(?![a-zA-Z]))")


def _command(match: re.Match) -> str:
    name = match[1]
    new = _COMMANDS.get(name)
    if new is None:
        return match[0]
    return new if new in _TO_CHARACTER else "\\" + new


def _quantity(match: re.Match) -> str:
    r"""`\SI{9.8}{\meter\per\second\squared}`."""
    unit = _SI_PREFIX.sub(r"\\\1", match[2]).replace("\\per", "/").replace("\\squared", "^2").replace("\\cubed", "^3")
    unit = unit.replace("\\", " ").strip()
    return f"{match[1]} \\text{{{unit}}}"


def _from_plain_tex(text: str) -> str:
    r"""`{{1}\over{2}}` as `\frac{1}{2}`, `\pmatrix{1 & 2 \cr 3 & 4}` as an environment."""
    groups = [["", "", ""]]  # of each open group: what opens it, a numerator with its command, the rest
    for part in _PLAIN_TEX_PARTS.split(text):
        if part != "\\{" and part.endswith("{"):
            groups.append([part, "", ""])
        elif part == "}" and len(groups) > 1:
            opening, above, inside = groups.pop()
            inside = _one_pair(above, inside)
            if name := opening.strip("\\{ "):
                inside = rf"\begin{{{name}}}{inside}\end{{{name}}}"
            elif not above or _TAKES_ARGUMENT.search(groups[-1][2]):
                inside = f"{{{inside}}}"
            groups[-1][2] += inside
        elif part in ("\\over", "\\choose") and not groups[-1][1]:
            command = "\\frac" if part == "\\over" else "\\binom"
            groups[-1][1:] = [_one_pair(command, groups[-1][2]), ""]
        else:
            groups[-1][2] += _ROW if part == "\\cr" else part
    return "".join(opening + _one_pair(above, inside) for opening, above, inside in groups)


def _one_pair(command: str, argument: str) -> str:
    r"""A command and its argument in one pair of braces; the argument alone where there is no command."""
    argument_alone = _BRACED.sub(r"\1", argument.strip())
    return f"{command}{{{argument_alone}}}" if command else argument


def normalize(text: str) -> str:
    r"""Rewrites an answer in the canonical spelling.

    Args:
        text (`str`):
            An answer as a model or a data set wrote it, e.g. `"$\\dfrac{1}{2}$."` or `"１２元"`.

    Returns:
        `str`: the same answer, e.g. `"\\frac{1}{2}"` or `"12元"`. Runs of blanks become one blank; `\text{...}` stays.
    """
    if text.isascii():
        if text.isalnum() and "sqrt" not in text:
            return text
    else:
        text = _SUPERSCRIPT_RUN.sub(lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}", text)
        text = _CHINESE_MIXED.sub(lambda m: "-" if m[0] == "负" else " ", text)
        text = _SUBSCRIPT_RUN.sub(lambda m: "_{" + m[0].translate(_SUBSCRIPTS) + "}", text)
    text = text.replace("\x0crac", "\\frac").replace("\times", "\\times")  # written without a raw string
    text = _LONE_DOLLAR.sub(r"\\$\1", _OTHER_MONEY.sub("", text))
    if "sqrt" in text or not text.isascii():
        text = _ROOT.sub(lambda m: str(_CHARS.get(ord(m[1][0]), "\\sqrt")) + "{" + m[2] + "}", text)
    text = _LETTERS.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text).translate(_CHARS)
    if "\\\\" in text:
        text = _ESCAPED_TWICE.sub(r"\\", text).replace("\\\\", _ROW)
    if "*" in text or "`" in text:
        text = re.sub(r"(?<![\w)}])\*\*(.+?)\*\*", r"\1", text).strip("` ")
        text = re.sub(r"(?<=[\w)}])\*\*(?=[\w({-])", "^", text)
    text = _MATH_MODE.sub(" ", _UNIT_OUTSIDE.sub(r"\1 \\text{\2}", text).replace("...", "\\dots "))
    if "{" in text:
        text = _BRACED_UNIT.sub(r" \\text{\1}", text)
    if "^" in text:
        text = _STARRED.sub("", _DEGREE_O.sub(r"^\\circ ", text))
    if "\\" in text:
        if "matrix}" in text:
            text = _LOST_ROW.sub(_ROW, text)
        text = _FACTOR_BEHIND.sub(r"\1 \\cdot ", text)
        text = _LEFT_DOT.sub("", _SIDE_BY_SIDE.sub(", ", _THOUSANDS.sub(",", text)))
        text = _INVISIBLE.sub("", _OLD_FONT.sub(r"\\text{\1}", _CLASS.sub(r" \1 ", text)))
        text = _SPACES.sub(" ", text)
        text = _BLACKBOARD.sub(r"\\\1 ", text)
        text = _TEXT.sub(lambda _: "\\text", _SIUNITX.sub(_quantity, text))
        text = _NOT.sub(lambda m: _NEGATED[m[1]], _FUNCTION.sub(r"\\\1 ", text))
        text = _CURRENCY.sub("", text)
        text = _SPACER.sub(" ", _COLOR.sub("", text))
        text = _TEXT_POWER.sub(r"\1\2", _TEXT_POWER.sub(r"\1\2", text))
        text = _UNIT_VECTOR.sub(lambda m: rf"\hat{{{m[1] or m[2]}}}", text)
        text = _NESTED_HAT.sub(r"\1", text)
        text = _PLAIN_VECTOR.sub(lambda m: m[1] or "", text)
        text = _TWICE_BRACED.sub(r"{\1}", _FONT.sub("", text))
        text = _NAMED_FIGURE.sub(r"\\\1 \2", text)
        text = _COMMAND.sub(_command, text)
        text = (
            text.replace("\\%", "%")
            .replace("\\#", "#")
            .replace("\\&", " and ")
            .replace("\\_", "_")
            .replace("\\|", "|")
        )
        text = _LONE_IN_TEXT.sub(r"\1 ", text)
        text = _DEGREES.sub(r"^\\circ ", text)
        text = _MEMBER.sub(r"\\in \\\1 ", text)
        text = _PRIME.sub(lambda m: "'" * max(1, (m[1] or "").count("prime")), text)
        text = _CIRCLED_LIST.sub("", text)
        if _PLAIN_TEX.search(text):
            text = _from_plain_tex(text)
    if "'" in text or "." in text:
        text = _OTHER_THOUSANDS.sub(lambda m: re.sub("[.']", "", m[1]), text)
    text = _CHINESE_RATIO.sub(":", text)
    text = _GROUPING.sub(r"\1", text).replace("，", ",").replace("np.", "")
    text = _LETTER_TIMES.sub(r"\\times ", text)
    text = _EMPTY_SCRIPT.sub("", text)
    text = " ".join(text.split()).removeprefix("\\approx").removeprefix("\\Rightarrow").removeprefix("\\to ").strip()
    text = _ANNOUNCED.sub("", text)
    if len(text) > 2 and text[0] == text[-1] == "'":
        text = text[1:-1]
    stripped = text.rstrip(_TRAILING + _ROW).lstrip(_LEADING + _ROW)
    if stripped[:1] == "." and not re.match(r"\.(?:\d|\\(?:overline|bar|dot)[ {])", stripped):
        stripped = stripped.lstrip(_TRAILING)
    # a factorial and an escaped brace end in characters that are otherwise punctuation
    if factorial := re.search(r"[\w)}\]](!+)$", text.rstrip(" .,;:")):
        stripped += factorial[1]
    if text[:1] == "\\" and stripped[:1] != "\\":
        stripped = "\\" + stripped
    stripped = stripped.replace(_ROW, "\\\\ ")
    return stripped.removeprefix("=").strip()
