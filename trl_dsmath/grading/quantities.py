"""A number or formula with an optional unit: `3\\sqrt{2}\\text{ cm}^2`, `\\$6.50`, `12个`, `2 hours 30 minutes`."""

import re
from fractions import Fraction

from .latex import Parser
from .tokens import PREFIXES, STOP_WORDS, Token, tokenize
from .tree import Node, Unsupported
from .units import resolve

MAX_LENGTH = 2000
_RATE = re.compile(
    r"\\frac\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}\s*\{\s*\\text\s*\{([^{}]*)\}(\^\d|\^\{\d\})?\s*\}"
)  # \frac{\text{miles}}{\text{hour}}
_PARENTHESISED_UNIT = re.compile(
    r"(?<=[\d}])\s*\(\s*([\u4e00-\u9fff]+|\\text\s*\{[^{}]*\}|[A-Za-z ]{3,})\s*\)$"
)  # "15(个)"
_NOT_A_PREFIX = re.compile(
    r"[不非或大小少多足超余第没无]"
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
    text = _PARENTHESISED_UNIT.sub(r" \1", text)
    tokens = tokenize(_RATE.sub(r"\\text{\1/\2}\3", text))
    prefix = ""
    while tokens and _is_prefix(tokens[0]):
        prefix = "dollar" if tokens[0][1] == "\\$" else prefix
        tokens = tokens[1:]
    if len(tokens) > 1 and tokens[0] == ("op", "-") and tokens[1] == ("op", "\\$"):
        prefix, tokens = "dollar", [tokens[0], *tokens[2:]]
    tokens = [token for token in tokens if token != ("op", "\\$")]
    if not tokens:
        raise Unsupported("empty")
    if compound := _compound(tokens):
        return compound
    parser = Parser(tokens)
    node = parser.sum()
    unit = _unit(tokens[parser.at :])
    return node, unit or prefix


def _compound(tokens: list[Token]) -> tuple[Node, str] | None:
    """`2 hours 30 minutes`, `5 ft 6 in`, `3小时20分`: one quantity in the first unit."""
    if len(tokens) < 4 or [kind for kind, _ in tokens] != ["num", "text"] * (len(tokens) // 2):
        return None
    sizes = [resolve(value) for _, value in tokens[1::2]]
    if any(size is None or size[0] != sizes[0][0] for size in sizes if sizes[0]) or sizes[0] is None:
        return None
    amounts = [Fraction(value) for _, value in tokens[::2]]
    total = sum(amount * size[1] for amount, size in zip(amounts, sizes, strict=True) if size)
    return ("num", total / sizes[0][1]), tokens[1][1]


def _is_prefix(token: Token) -> bool:
    kind, value = token
    if kind == "text":
        return value.lower().strip(" .") in PREFIXES or (not value.isascii() and not _NOT_A_PREFIX.search(value))
    return token == ("op", "\\$")


def _unit(tokens: list[Token]) -> str:
    unit = ""
    for kind, value in tokens:
        if kind == "text":
            words = re.findall(r"[a-z]+|[\u4e00-\u9fff]", value.lower())
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
