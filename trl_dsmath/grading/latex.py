r"""A small parser from canonical LaTeX (see `text.normalize`) to expression trees (see `expressions`), with a unit.

It reads what occurs in answers: numbers, radicals, powers, fractions, functions, sums and products with numeric
bounds, and a unit behind them: `3\sqrt{2}\text{ cm}^2`, `\$6.50`, `12个`, `2 hours 30 minutes`. Anything else raises
[`Unsupported`] and is left to math-verify. Nothing is evaluated here, and no text is ever handed to Python's own parser.
"""

import re
from fractions import Fraction

from .expressions import Node, Unsupported
from .tokens import FUNCTIONS, PREFIXES, STOP_WORDS, Token, resolve, tokenize

MAX_DEPTH = 25
MAX_CHAIN = 60  # divisions, signs or factorials in a row: each one nests the tree
MAX_DIGITS = 4000  # longer integers are compared as text; Python's int() is quadratic
ONE_DEGREE: Node = ("div", ("sym", "pi"), ("num", Fraction(180)))
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_ACCENTS = {
    "vec", "hat", "widehat", "bar", "tilde", "dot", "ddot", "overrightarrow", "overleftarrow", "overline", "angle", "triangle",
}  # fmt: skip


def _flat(kind: str, node: Node, more: Node) -> Node:
    """`a + b + c` is one node, so that a sum of a thousand terms stays shallow."""
    return (*node, more) if node[0] == kind else (kind, node, more)


class Parser:
    r"""Recursive descent over tokens: sum > product > sign > power > postfix > atom, one method each.

    A method reads as much as belongs to its level, leaves `at` behind it and returns a tree; what follows (a unit) is
    the caller's. Nesting and chains are bounded, so the parser never meets Python's recursion limit.

    Attributes:
        at (`int`):
            Number of the token to be read next.
        depth (`int`):
            Nesting of sums and signs so far, at most `MAX_DEPTH`.
        bars (`int`):
            Open absolute values: inside one, the next `|` closes it and opens no factor.
        angles (`int`):
            Open arguments of functions: inside one, `40^\circ` is an angle and no unit.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.bars = 0
        self.angles = 0

    def peek(self) -> Token:
        """The next token, `("end", "")` behind the last."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, value: str | None = None) -> Token:
        """The next token, which is consumed; it must be `value` if one is given."""
        token = self.peek()
        if token[0] == "end" or (value is not None and token[1] != value):
            raise Unsupported(f"expected {value}")
        self.at += 1
        return token

    def sum(self) -> Node:
        r"""`a + b - c \pm d`: the entry point, also for the inside of brackets."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unsupported("too deeply nested")
        kind, value = self.peek()
        if value in ("+", "-") and kind == "op":
            self.at += 1
            node = self.product()
            node = ("neg", node) if value == "-" else node
        elif value in ("pm", "mp"):
            self.at += 1
            node = ("pm", value, ("num", Fraction(0)), self.product())
        else:
            node = self.product()
        chain = 0
        while True:
            kind, value = self.peek()
            if kind == "op" and value in "+-":
                self.at += 1
                right = self.product()
                node = _flat("add", node, right if value == "+" else ("neg", right))
            elif value in ("pm", "mp") and kind == "cmd":
                self.at += 1
                chain = self.count(chain)
                node = ("pm", value, node, self.product())
            else:
                self.depth -= 1
                return node

    @staticmethod
    def count(chain: int) -> int:
        """One link more of a chain that nests the tree."""
        if chain == MAX_CHAIN:
            raise Unsupported("too long a chain")
        return chain + 1

    def product(self) -> Node:
        r"""`a \cdot b`, `a / b`, and factors side by side (`2x`, `3\sqrt2`)."""
        node = self.signed()
        chain = 0
        while True:
            kind, value = self.peek()
            if (kind == "op" and value == "*") or (kind == "cmd" and value in ("cdot", "times")):
                self.at += 1
                node = _flat("mul", node, self.signed())
            elif (kind == "op" and value == "/") or (kind == "cmd" and value == "div"):
                if self.tokens[self.at + 1 : self.at + 2] and self.tokens[self.at + 1][0] == "text":
                    return node  # a unit such as "5 /hour" follows
                self.at += 1
                chain = self.count(chain)
                node = ("div", node, self.signed())
            elif self._starts_factor():
                if kind == "num" and self.tokens[self.at - 1][0] == "num":
                    raise Unsupported("two numbers side by side")  # a cycle such as (1 2 3) is no product
                node = _flat("mul", node, self.power())
            else:
                return node

    def _starts_factor(self) -> bool:
        """Whether the next token begins a factor of a product that is written without a sign."""
        kind, value = self.peek()
        if kind in ("num", "rep", "sym", "fn"):
            return True
        if kind == "cmd":
            return value in _PREFIX_COMMANDS
        return (kind == "op" and value in ("(", "[", "{")) or (value == "|" and not self.bars)

    def signed(self) -> Node:
        r"""A factor with its signs: the second one of `2 \cdot -3`."""
        kind, value = self.peek()
        if kind == "op" and value in "+-":
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise Unsupported("too many signs")
            self.at += 1
            node = self.signed()
            self.depth -= 1
            return ("neg", node) if value == "-" else node
        return self.power()

    def power(self) -> Node:
        r"""`a^b`; `a^\circ` is left for the unit, except inside the argument of a function."""
        node = self.postfix(self.atom())
        if self.degrees():
            if not self.angles:
                return node  # a unit, read by the caller
            self.at += 2
            return ("mul", node, ONE_DEGREE)
        if self.exponent():
            self.at += 1
            node = self.postfix(("pow", node, self.argument()))
            if self.exponent():
                raise Unsupported("double superscript")
        return node

    def degrees(self) -> bool:
        r"""Whether `^\circ` follows."""
        return self.tokens[self.at : self.at + 2] == [("op", "^"), ("cmd", "circ")]

    def exponent(self) -> bool:
        """Whether an exponent follows that is no degree sign."""
        return self.peek() == ("op", "^") and not self.degrees()

    def postfix(self, node: Node) -> Node:
        """Factorials and percent signs behind an atom."""
        chain = MAX_CHAIN - 3
        while self.peek() in (("op", "!"), ("op", "%")):
            chain = self.count(chain)
            node = ("fact" if self.take()[1] == "!" else "pct", node)
        return node

    def argument(self) -> Node:
        r"""What follows `^`, `\sqrt` or `\frac`: a group, or one token. A whole number counts as one, and is no part of a mixed
        number: `x^2\frac{1}{2}`."""
        kind, value = self.peek()
        if kind == "op" and value in "+-":
            self.at += 1
        node = self._plain(self.take()[1]) if self.peek()[0] == "num" else self.atom()
        return ("neg", node) if value == "-" else node

    def fraction_part(self) -> Node:
        r"""`\frac12`: TeX takes one character, so a number gives its first digit and keeps the rest."""
        kind, value = self.peek()
        if kind == "num" and value.isdigit() and len(value) > 1:
            self.tokens[self.at] = ("num", value[1:])
            return ("num", Fraction(int(value[0])))
        return self.argument()

    def group(self, opening: str, closing: str) -> Node:
        """A sum in brackets; bars outside do not close inside."""
        self.take(opening)
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        self.take(closing)
        return node

    def symbol(self, name: str) -> Node:
        """A variable with its indices and primes (`x_1`, `f'`); `y(0)` is one variable, the value of a function."""
        following = self.tokens[self.at : self.at + 3]
        if (
            name not in ("e", "i")
            and [kind for kind, _ in following] == ["op", "num", "op"]
            and following[0][1] + following[2][1] == "()"
        ):
            self.at += 3
            if name == "zeta":
                return ("fn", name, self._plain(following[1][1]))
            return ("sym", f"{name}({following[1][1]})")  # as in y(0) e^{-t}: never a product with 0
        if name == "Gamma" and following[:1] == [("op", "(")]:
            return ("fn", "gamma", self.group("(", ")"))
        while True:
            if self.peek() == ("op", "_"):
                self.at += 1
                if self.peek() == ("op", "{"):
                    end = self.at
                    while end < len(self.tokens) and self.tokens[end] != ("op", "}"):
                        end += 1
                    name += "_" + "".join(value for _, value in self.tokens[self.at + 1 : end])
                    self.at = min(end + 1, len(self.tokens))
                else:
                    name += "_" + self.take()[1]
            elif self.peek() == ("op", "'"):
                self.at += 1
                name += "'"
            else:
                return ("sym", name)

    def atom(self) -> Node:
        """A number, a variable, a function with its argument, a bracket, an absolute value, or a command."""
        kind, value = self.take()
        if kind == "num":
            return self._number(value)
        if kind == "rep":
            return ("num", _repeating(value))
        if kind == "sym":
            return self.symbol(value)
        if kind == "fn":
            return self._function(value)
        if kind == "op":
            if value in _BRACKETS:
                self.at -= 1
                return self.group(value, _BRACKETS[value])
            if value == "|":
                self.bars += 1
                node = self.sum()
                self.bars -= 1
                self.take("|")
                return ("fn", "abs", node)
        if kind == "cmd" and value in _PREFIX_COMMANDS:
            return _PREFIX_COMMANDS[value](self)
        raise Unsupported(f"cannot read {value!r}")

    def _number(self, digits: str) -> Node:
        """A number: with a base behind it (`204_5`), as part of a mixed number, or plain."""
        node = self._plain(digits)
        if self.peek() == ("op", "_"):
            self.at += 1
            base = self.argument()
            return ("based", digits.lstrip("0") or "0", base)
        mixed = self._mixed(int(digits)) if digits.isdigit() else None
        return node if mixed is None else mixed

    @staticmethod
    def _plain(digits: str) -> Node:
        if len(digits) > MAX_DIGITS:
            raise Unsupported("number too long")
        mantissa, _, exponent = digits.lower().partition("e")
        if exponent and abs(int(exponent)) > MAX_DIGITS:
            raise Unsupported("exponent too large")
        return ("num", Fraction(digits.rstrip(".") if not exponent else mantissa.rstrip(".") + "e" + exponent))

    def _mixed(self, whole: int) -> Node | None:
        r"""`3\frac{1}{2}` and `3 1/2` are mixed numbers, not products."""
        values = [value for _, value in self.tokens[self.at : self.at + 7]]
        if values[:2] == ["frac", "{"] and values[3:5] == ["}", "{"] and values[6:] == ["}"]:
            top, bottom, length = values[2], values[5], 7
        elif values[:1] == ["frac"] and len("".join(values[1:2])) == 2:
            top, bottom, length = *values[1], 2
        elif values[1:2] == ["/"]:
            top, bottom, length = values[0], "".join(values[2:3]), 3
        else:
            return None
        if not (top.isdigit() and bottom.isdigit()) or len(top) + len(bottom) > 12 or int(bottom) == 0:
            return None
        self.at += length
        return ("num", whole + Fraction(int(top), int(bottom)))

    def _function(self, name: str) -> Node:
        r"""`\sin^2 2x`, `\log_2(8)`, `\tan^{-1} 1`: index and exponent, then the argument with or without brackets."""
        base: Node | None = None
        exponent: Node | None = None
        while self.peek() in (("op", "_"), ("op", "^")):
            if self.take()[1] == "_":
                base = self.argument()
            else:
                exponent = self.argument()
        kind, value = self.peek()
        if value in _BRACKETS and kind == "op":
            self.angles += 1  # "\\sin(40^\\circ)"
            argument = self.group(value, _BRACKETS[value])
            self.angles -= 1
        else:
            argument = self.signed()
            while self._starts_factor() and self.peek()[0] != "fn" and not self._exponential(argument):
                argument = _flat("mul", argument, self.power())
        if self.degrees():
            self.at += 2
            argument = ("mul", argument, ONE_DEGREE)
        if exponent == ("neg", ("num", Fraction(1))):
            name, exponent = ("ar" if name[-1] == "h" else "arc") + name, None
            if name not in FUNCTIONS:
                raise Unsupported(name)
        if name in ("log", "lg", "ln"):
            # a bare \log is natural or decimal, as the comparison needs; \ln and \lg are what they say
            usual = {"ln": ("sym", "e"), "lg": ("num", Fraction(10))}
            node: Node = ("log", base if base is not None else usual.get(name), argument)
        else:
            node = ("fn", name, argument)
        return node if exponent is None else ("pow", node, exponent)

    def _exponential(self, before: Node) -> bool:
        r"""Whether `e^` follows: it ends the argument in `\sin x e^x`, not in `\ln 2e^x`."""
        return before[0] != "num" and [value for _, value in self.tokens[self.at : self.at + 2]] == ["e", "^"]

    def frac(self) -> Node:
        r"""`\frac{a}{b}`."""
        if derivative := self._derivative():
            return derivative
        return ("div", self.fraction_part(), self.fraction_part())

    def _derivative(self) -> Node | None:
        r"""`\frac{dx}{dt}` is `x'`."""
        ahead = self.tokens[self.at : self.at + 8]
        if _OPERATOR.match(" ".join(value for _, value in self.tokens[self.at : self.at + 12])):
            raise Unsupported("a derivative that is not computed")
        if [value for _, value in ahead[:2] + ahead[3:6] + ahead[7:]] != ["{", "d", "}", "{", "d", "}"]:
            return None
        if ahead[2][0] != "sym" or ahead[6][0] != "sym":
            return None
        self.at += 8
        return ("sym", ahead[2][1] + "'")

    def sqrt(self) -> Node:
        r"""`\sqrt[n]{a}`, `sqrt(a)`."""
        degree: Node = ("num", Fraction(2))
        if self.peek() == ("op", "["):
            degree = self.group("[", "]")
        return ("root", degree, self.fraction_part())

    def binom(self) -> Node:
        r"""`\binom{n}{k}`."""
        return ("binom", self.fraction_part(), self.fraction_part())

    def accent(self) -> Node:
        r"""`\vec{v}`, `\angle ABC`: one variable, whatever is under the accent."""
        name = self.tokens[self.at - 1][1]
        if self.peek() == ("op", "{"):
            self.at += 1
            under: list[str] = []
            while self.peek() != ("op", "}"):
                under.append(self.take()[1])
            self.at += 1
            if name == "overline" and len(under) == 2 and "".join(under).isupper():
                under.sort()  # the segment from A to B is that from B to A
        else:
            under = [self.take()[1]]
        name = under[0] + "'" if name == "dot" and len(under) == 1 else " ".join([name, *under])
        return self.symbol(name)

    def floor(self) -> Node:
        r"""`\lfloor a \rfloor`, `\lceil a \rceil`."""
        name = self.tokens[self.at - 1][1]
        node = self.sum()
        self.take("rfloor" if name == "lfloor" else "rceil")
        return ("fn", "floor" if name == "lfloor" else "ceil", node)

    def extreme(self) -> Node:
        r"""`\max(a, b)`, `\min\{a, b\}`."""
        name, opening = self.tokens[self.at - 1][1], self.peek()[1]
        self.take(opening)
        sides = [self.sum()]
        while self.peek() == ("op", ","):
            self.at += 1
            sides.append(self.sum())
        self.take(")" if opening == "(" else "\\}")
        return (name, *sides)

    def series(self) -> Node:
        r"""`\sum_{k=1}^{n} a`, `\prod_{k=1}^{n} a`; the body reaches as far as a product does."""
        name = self.tokens[self.at - 1][1]
        low = high = variable = None
        while self.peek() in (("op", "_"), ("op", "^")):
            if self.take()[1] == "^":
                high = self.argument()
                continue
            self.take("{")
            variable = self.take()[1]
            self.take("=")
            low = self.sum()
            self.take("}")
        if variable is None or low is None or high is None:
            raise Unsupported("a sum without bounds")
        return (name, variable, low, high, self.product())


_OPERATOR = re.compile(r"\{ (d|partial)(?: \^ (?:\w+|\{ \w+ \}))? \} \{ \1 (?!\})")  # d/dx, d^2/dx^2
_PREFIX_COMMANDS = {
    "frac": Parser.frac, "sqrt": Parser.sqrt, "binom": Parser.binom, "lfloor": Parser.floor, "lceil": Parser.floor,
    "sum": Parser.series, "prod": Parser.series, "max": Parser.extreme, "min": Parser.extreme, "pi": lambda _: ("sym", "pi"), "infty": lambda _: ("inf",),
    "infinity": lambda _: ("inf",), "inf": lambda _: ("inf",), "imath": lambda _: ("sym", "i"),
    **dict.fromkeys(_ACCENTS, Parser.accent),
}  # fmt: skip


def _repeating(text: str) -> Fraction:
    r"""`0.1\overline{6}` and `0.\dot{3}` as exact fractions."""
    whole, _, rest = text.partition(".")
    fixed = re.match(r"\d*", rest)[0]  # type: ignore[index]
    period = "".join(re.findall(r"\d+", rest[len(fixed) :]))
    scale = 10 ** len(fixed)
    return int(whole or 0) + Fraction(int(fixed or 0), scale) + Fraction(int(period), scale * (10 ** len(period) - 1))


MAX_LENGTH = 2000
_HEXADECIMAL = re.compile(r"(?=.*\d.*_)(?=.*[A-F])([0-9A-F]+)_\{?(\d\d)\}?$")  # digits and letters with a base
_RATE = re.compile(
    r"\\frac\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}\s*\{\s*\\text\s*\{([^{}]*)\}(\^\d|\^\{\d\})?\s*\}"
)  # \frac{\text{miles}}{\text{hour}}
_MONEY = {"\\$": "dollar", "€": "€", "£": "£", "¥": "¥"}
_PARENTHESISED_UNIT = re.compile(
    r"(?<=[\d}])\s*\(\s*([\u4e00-\u9fff]+|\\text\s*\{[^{}]*\}|[A-Za-z ]{3,})\s*\)$"
)  # "15(个)"
_NOT_A_PREFIX = re.compile(
    r"[不非或少多足超余第没无]|(?<!最)[大小]"
)  # Chinese words that change what the number after them means


def parse_expression(text: str) -> tuple[Node, str]:
    r"""Parses one expression with an optional unit.

    Args:
        text (`str`):
            Canonical LaTeX, e.g. `"3\\sqrt{2}\\text{ cm}^2"`.

    Returns:
        `tuple`: the tree and the unit as text (`"cm^2"`, `"degree"`, `""`).

    Raises:
        Unsupported: the text is something else.
    """
    if len(text) > MAX_LENGTH and not text.isdigit():
        raise Unsupported("too long")
    if (found := _HEXADECIMAL.match(text)) and all(int(digit, 36) < int(found[2]) for digit in found[1]):
        return ("based", found[1].lstrip("0"), ("num", Fraction(int(found[2])))), ""
    text = _PARENTHESISED_UNIT.sub(r" \1", text)
    tokens = tokenize(_RATE.sub(r"\\text{\1/\2}\3", text))
    prefix = ""
    while tokens and _is_prefix(tokens[0]):
        prefix = _MONEY.get(tokens[0][1], prefix)
        tokens = tokens[1:]
    if money := [token for token in tokens if token[0] == "op" and token[1] in _MONEY]:  # "-$5", "25 €"
        prefix = prefix or _MONEY[money[0][1]]
        tokens = [token for token in tokens if token not in money]
    if compound := _compound(tokens):
        return compound
    parser = Parser(tokens)
    node = parser.sum()
    unit = _unit(tokens[parser.at :])
    return node, unit or prefix


def _compound(tokens: list[Token]) -> tuple[Node, str] | None:
    """`2 hours 30 minutes`, `5 ft 6 in`, `3小时20分`: one quantity in the first unit."""
    if not tokens or [kind for kind, _ in tokens] != ["num", "text"] * (len(tokens) // 2):
        return None
    sizes = [size for _, value in tokens[1::2] if (size := resolve(value))]
    if 2 * len(sizes) != len(tokens) or len({dimension for dimension, _ in sizes}) != 1:
        return None
    amounts = [Fraction(value) for _, value in tokens[::2]]
    total = sum(amount * size for amount, (_, size) in zip(amounts, sizes, strict=True))
    return ("num", total / sizes[0][1]), tokens[1][1]


def _is_prefix(token: Token) -> bool:
    kind, value = token
    return kind == "text" and (
        value.lower().strip(" .") in PREFIXES
        or (re.search(r"[\u4e00-\u9fff]|^[^\w\s]$", value) is not None and not _NOT_A_PREFIX.search(value))
    )


def _unit(tokens: list[Token]) -> str:
    unit = ""
    for kind, value in tokens:
        if kind == "text":
            words = re.findall(r"[\u4e00-\u9fff]|[^\W\d_\u4e00-\u9fff]+", value.lower())
            if any(word in STOP_WORDS for word in words) or re.search(r"(?<!\^)(?<!\^-)\d", value):
                raise Unsupported("words that are no unit")
            unit += " " + value if unit and unit[-1].isalnum() else value
        elif (kind, value) in (("cmd", "circ"),):
            unit += "degree"
        elif (
            (kind == "op" and value in "^/{}().")
            or (kind == "num" and value in ("1", "2", "3"))
            or (value == "-" and unit.endswith(("^", "^{")))
        ):
            unit += value
        elif kind == "sym" and value in ("C", "F") and unit.endswith("degree"):
            unit = unit[: -len("degree")] + "°" + value
        elif kind == "sym" and unit:  # "5 m/s" after a unit, "30^\circ N"
            unit += value
        elif kind == "cmd" and value in ("cdot", "times") and unit:
            unit += " "
        else:
            raise Unsupported(f"cannot read {value!r}")
    return unit.replace("^degree", "degree").replace("^°", "°").strip(" {}")
