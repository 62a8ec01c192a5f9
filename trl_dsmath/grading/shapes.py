r"""The shape of an answer: one value, a list, a tuple or interval, a set, a union, a relation, a matrix, or words.

`parse_answer` reads the shape from canonical LaTeX and leaves expressions to [`latex`]; it never fails: what it cannot
read becomes [`Words`], which equal only the same words.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from .expressions import Node, Unsupported
from .latex import MAX_LENGTH, parse_expression
from .rewrite import branches, matrix_cells, system_rows
from .tokens import resolve


@dataclass(frozen=True)
class Value:
    """An expression with an optional unit."""

    node: Node
    unit: str = ""
    text: str = ""


@dataclass(frozen=True)
class Words:
    """Text, or mathematics that this package does not read."""

    text: str


@dataclass(frozen=True)
class Items:
    """Answers side by side: `1, 2`; ordered when the parts have places of their own (`5; 10`)."""

    items: tuple["Answer", ...]
    ordered: bool = False


@dataclass(frozen=True)
class Group:
    r"""Answers in brackets: `(1, 2)`, `[0, 1)`, `\{1, 2\}`, `\langle 1, 2\rangle`."""

    opening: str
    closing: str
    items: tuple["Answer", ...]


@dataclass(frozen=True)
class Union:
    r"""`A \cup B`, or inequalities joined by "or"."""

    parts: tuple["Answer", ...]


@dataclass(frozen=True)
class Relation:
    r"""A chain such as `x = 5`, `1 < x \le 3`, `x \in A`: `len(parts) == len(signs) + 1`."""

    signs: tuple[str, ...]
    parts: tuple["Answer", ...]
    text: str = ""


@dataclass(frozen=True)
class Matrix:
    """Rows of answers."""

    rows: tuple[tuple["Answer", ...], ...]


Answer: TypeAlias = Value | Words | Items | Group | Union | Relation | Matrix

_OPEN = {"(", "[", "{", "\\{", "\\langle"}
_CLOSE = {")", "]", "}", "\\}", "\\rangle"}
_PIECE = re.compile(
    r"\\(?:begin|end)\s*\{[^{}]*\}|\\text\s*\{[^{}]*\}|\\[a-zA-Z]+|\\.|\d{1,3}(?:,\d{3})+(?!\d)|[A-Za-z]+|[\u4e00-\u9fff]+|.",
)
_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "\\le": "<=", "\\ge": ">=", "\\neq": "!=", "\\in": "in", "\\approx": "~", "\\equiv": "==",
    "\\subseteq": "sub", "\\subset": "sub", "\\to": "to", "\\parallel": "par", "\\perp": "perp", "\\notin": "notin", "\\sim": "sim",
}  # fmt: skip
_RANGE_SIGNS = {"<", ">", "<=", ">=", "in", "!="}
_AND = {"and", "\\land", "和", "与", "及", "以及", "且", "und"}
_OR = {"or", "\\lor", "或", "或者", "oder", "ou", "или"}
_PART_LABEL = re.compile(r"^\((?:[1-9]|[a-h]|[ivx]{1,4})\)\s*(?=\S)")
_NAMED_POINT = re.compile(r"^([A-Z]'?)\s*(\([^()]*,[^()]*\))$")  # "P(2, 3)"
_NAMED_NUMBER = re.compile(  # "length 12 cm", "最大值为5" in a list
    r"^(?:\\text\s*\{)?\s*((?!about|and|or)[A-Za-z]{3,}(?: [a-z]+)?|[\u4e00-\u9fff]+?)\s*(?:is|为|是|:|=)?\s*\}?\s*(?=[-\d$])"
)
_QUOTED = re.compile(r"^\\text\s*\{([^{}]*)\}$")
_FAMILY = re.compile(r"^([^|:]+?)\s*(?:\||:)\s*([^|]+)$")  # \{n\pi : n \in \Z\}
_BUILDER = re.compile(r"^([A-Za-z](?:\([a-z]\))?)\s*(?:\\in\s*\\[RZNQC]\s*)?(?:\||:|;)\s*(.+)$")


def pieces(text: str) -> list[str]:
    """Cuts canonical LaTeX into commands, words, numbers with separators and single characters."""
    return _PIECE.findall(text)


def _split(parts: list[str], separators) -> list[list[str]] | None:
    """Splits at separators outside all brackets; None when there is none or the brackets do not match."""
    out: list[list[str]] = [[]]
    depth = 0
    for part in parts:
        if part in _OPEN or part.startswith("\\begin"):
            depth += 1
        elif part in _CLOSE or part.startswith("\\end"):
            depth -= 1
        if depth == 0 and _plain(part) in separators:
            out.append([])
        else:
            out[-1].append(part)
    return out if len(out) > 1 and depth == 0 else None


def _plain(part: str) -> str:
    return part[part.index("{") + 1 : -1].strip().lower() if part.startswith("\\text") and part[-1] == "}" else part


def parse_answer(text: str, thousands: bool = True, depth: int = 0) -> Answer:
    r"""Reads the shape of an answer.

    Args:
        text (`str`):
            Canonical LaTeX, see [`text.normalize`].
        thousands (`bool`, *optional*, defaults to `True`):
            Read `1,234` as one number; inside brackets and as a second reading it is two.

    Returns:
        `Answer`: never an exception; [`Words`] for everything else.
    """
    text = text.strip()
    if depth > 12 or len(text) > 40 * MAX_LENGTH:
        return Words(text)
    depth += 1
    if text.isdigit():
        return _value(text)
    if quoted := _QUOTED.match(text):
        inner = parse_answer(quoted[1], thousands, depth)
        return (
            Words(text) if isinstance(inner, Words | Value) and re.search(r"[A-Za-z]", quoted[1][:1] or "a") else inner
        )
    if (pairs := branches(text)) is not None:
        sides = ([parse_answer(part, depth=depth) for part in pair] for pair in pairs)
        return Items(tuple(Group("if", "", tuple(pair)) for pair in sides))
    if (rows := system_rows(text)) is not None:
        return parse_answer(", ".join(rows), thousands, depth)
    if point := _NAMED_POINT.match(text):
        text = f"{point[1]} = {point[2]}"
    parts = pieces(text)
    if thousands is False:
        parts = [piece for part in parts for piece in (re.split("(,)", part) if part[0].isdigit() else [part])]
    parsed = _structure(parts, text, thousands, depth)
    return parsed if parsed is not None else _value(text)


def _join(parts: list[str]) -> str:
    return "".join(parts).strip(" ,;")


def _structure(parts: list[str], text: str, thousands: bool, depth: int) -> Answer | None:
    def parse(piece: list[str]) -> Answer:
        return parse_answer(_join(piece), thousands, depth)

    def member(piece: list[str]) -> Answer:
        if name := _NAMED_NUMBER.match(_join(piece)):
            value = parse_answer(_join(piece)[name.end() :], thousands, depth)
            return Relation(("=",), (Words(name[1].lower()), value))
        return parse(piece)

    if (split := _split(parts, {";"})) and all(_join(p) for p in split):
        if all(_PART_LABEL.match(_join(p)) for p in split):  # "(1) 5; (2) 10"
            return Items(tuple(parse([_PART_LABEL.sub("", _join(p))]) for p in split), ordered=True)
        return Items(tuple(parse(p) for p in split), ordered=True)
    if text.count("\\pmod") == 1 and (congruence := _congruence(text)) is not None:
        return congruence
    if (split := _split(parts, _OR)) and all(_join(p) for p in split):
        found = tuple(parse(p) for p in split)
        ranges = [isinstance(a, Relation) and _RANGE_SIGNS.issuperset(a.signs) for a in found]
        points = [isinstance(a, Relation) and a.signs == ("=",) for a in found]  # "x = 1 or 2 < x < 3"
        if all(
            isinstance(a, Items) and all(isinstance(x, Relation) and x.signs == ("=",) for x in a.items) for a in found
        ):
            return Items(found)  # "x = 2, y = 3 or x = 3, y = 2"
        mixed = any(ranges) and all(map(max, ranges, points))
        return Union(found) if mixed else _flat(found)
    if split := _split(parts, _AND):
        split = [p for p in split if _join(p)]
        if len(split) > 1:
            return _labelled(_flat(tuple(member(p) for p in split)))
    if split := _split(parts, {","}):
        split = [p for p in split if _join(p)]
        if len(split) > 1:
            return _labelled(_flat(tuple(member(p) for p in split)))
        if split:
            return parse(split[0])
    if (relation := _relation(parts, parse)) is not None:
        return relation
    if split := _split(parts, {"\\cup"}):
        return Union(tuple(parse(p) for p in split))
    if (split := _split(parts, {"\\setminus"})) and len(split) == 2 and _join(split[0]) != "\\R":
        return Group("setminus", "", tuple(parse(p) for p in split))
    return _brackets(parts, text, depth) or _matrix(text, depth)


def _flat(answers: tuple[Answer, ...]) -> Items:
    """`1, 2 and 3` is one list."""
    flat: list[Answer] = []
    for answer in answers:
        flat += answer.items if isinstance(answer, Items) and not answer.ordered else (answer,)
    return Items(tuple(_by_unit(flat)))


def _by_unit(items: list[Answer]) -> list[Answer]:
    """`5 nickels, 7 dimes`: different words behind the numbers name them."""
    named = [item for item in items if isinstance(item, Value) and item.unit and resolve(item.unit) is None]
    if len(named) != len(items) or len({item.unit for item in named}) != len(items):
        return items
    return [
        Relation(("=",), (Words(item.unit.lower().rstrip("s")), Value(item.node, "", item.text))) for item in named
    ]


def _labelled(items: Items) -> Answer:
    """`x = 1, 2` labels the whole list."""
    first, rest = items.items[0], items.items[1:]
    if (compound := _compound(items.items)) is not None:
        return compound
    if isinstance(first, Relation) and first.signs == ("=",) and not any(isinstance(a, Relation) for a in rest):
        return Relation(("=",), (first.parts[0], Items((first.parts[1], *rest))))
    return items


def _compound(items: tuple[Answer, ...]) -> Value | None:
    """`5 feet, 4 inches` is one length."""
    values = [item for item in items if isinstance(item, Value) and item.unit]
    sizes = [size for item in values if (size := resolve(item.unit))]
    factors = [size for _, size in sizes]
    if len(sizes) != len(items) or len({dimension for dimension, _ in sizes}) != 1:
        return None
    if not all(one > other for one, other in pairwise(factors)):
        return None
    terms = (("mul", ("num", factor / factors[0]), item.node) for factor, item in zip(factors, values, strict=True))
    return Value(("add", *terms), values[0].unit, "")


def _relation(parts: list[str], parse) -> Relation | None:
    signs: list[str] = []
    sides: list[list[str]] = [[]]
    depth = 0
    for part in parts:
        depth += (part in _OPEN or part.startswith("\\begin")) - (part in _CLOSE or part.startswith("\\end"))
        if depth == 0 and part in _RELATIONS:
            if part == "=" and not _join(sides[-1]) and signs and signs[-1] in "<>":
                signs[-1] += "="  # "<="
                continue
            signs.append(_RELATIONS[part])
            sides.append([])
        else:
            sides[-1].append(part)
    if not signs or depth != 0 or not all(_join(side) for side in sides):
        return None
    return Relation(tuple(signs), tuple(parse(side) for side in sides), _join(parts))


def _brackets(parts: list[str], text: str, depth: int) -> Answer | None:
    if not parts or parts[0] not in _OPEN or parts[-1] not in _CLOSE:
        return None
    level = 0
    for index, part in enumerate(parts):
        level += (part in _OPEN) - (part in _CLOSE)
        if level == 0 and index < len(parts) - 1:
            return None
    opening, closing = parts[0].strip("\\"), parts[-1].strip("\\")
    start, stop = text.index(parts[0]) + len(parts[0]), text.rindex(parts[-1])
    inner = text[start:stop]
    if parts[0] == "{":
        return parse_answer(inner, depth=depth)
    if parts[0] == "\\{":
        if (builder := _BUILDER.match(inner)) and re.search(r"[<>=]|\\le|\\ge|\\neq|\\in", builder[2]):
            return parse_answer(builder[2], depth=depth)
        if (family := _FAMILY.match(inner)) and re.search(r"\\in|=", family[2]):
            return Group("{|", "}", tuple(parse_answer(part, depth=depth) for part in family.groups()))
    elif opening == "langle":
        opening, closing = "<", ">"
    if not inner:
        return Group(opening, closing, ()) if parts[0] == "\\{" else None
    content = parse_answer(inner, thousands=False, depth=depth)
    if isinstance(content, Items) and opening + closing == "[]":
        rows = [x.items for x in content.items if isinstance(x, Group) and x.opening + x.closing == "[]"]
        if len(rows) == len(content.items) and len(set(map(len, rows))) == 1:
            return Matrix(tuple(rows))  # [[1, 2], [3, 4]]
        if all(isinstance(x, Relation) for x in content.items):
            return content  # [x = 1, x = 2]: solutions as Maxima lists them
    if isinstance(content, Items):  # "[1; 2]" where a comma is the decimal point
        return Group(opening, closing, content.items)
    if parts[0] == "\\{":
        return Group("{", "}", (content,))
    alone = isinstance(content, Value) or (opening + closing == "()" and not isinstance(content, Words))
    return content if alone else None


def _matrix(text: str, depth: int) -> Matrix | None:
    cells = matrix_cells(text)
    if cells is None:
        return None
    return Matrix(tuple(tuple(parse_answer(cell, depth=depth) for cell in row) for row in cells))


_DOTS = re.compile(r"(?<=\d)\s*\\dots\s*$")  # "0.333..."
_CONGRUENCE = re.compile(r"^(.*\S)\s*\\pmod\s*\{?\s*(\d+)\s*\}?$")
_MULTIPLE = re.compile(
    r"^(-|.*[\w}])\s*(\\langle.*\\rangle|\\begin\{[pb]matrix\}.*\\end\{[pb]matrix\}|(?<=[\d}])\([^()]*,[^()]*\))$",
)


def _congruence(text: str) -> Group | None:
    r"""`1, 5 \pmod 6`: residues and modulus."""
    found = _CONGRUENCE.match(text)
    return Group("mod", "", (parse_answer(found[1]), _value(found[2]))) if found else None


def _multiple(text: str) -> Answer | None:
    r"""`\frac{1}{3} \begin{pmatrix} ... \end{pmatrix}`."""
    found = _MULTIPLE.match(text)
    if not found:
        return None
    factor, whole = _value("-1" if found[1] == "-" else found[1]), parse_answer(found[2])

    def times(part: Answer) -> Answer:
        return (
            Value(("mul", factor.node, part.node)) if isinstance(part, Value) and isinstance(factor, Value) else part
        )

    if isinstance(factor, Value) and isinstance(whole, Group):
        return Group(whole.opening, whole.closing, tuple(map(times, whole.items)))
    if isinstance(factor, Value) and isinstance(whole, Matrix):
        return Matrix(tuple(tuple(map(times, row)) for row in whole.rows))
    return None


_SUMMAND = re.compile(
    r"\s*([+-]?)\s*((?:[^+\-(){}\\<>=,]|\\(?!begin|langle)[A-Za-z]+|\{[^{}]*\})*)"
    r"(\\langle.*?\\rangle|\\begin\{[pb]matrix\}.*?\\end\{[pb]matrix\}|\([^()]*,[^()]*\))\s*",
)


def _sum_of_vectors(text: str) -> Group | Matrix | None:
    r"""`(1, 2) + t(3, 4)` as `(1 + 3t, 2 + 4t)`; matrices too."""
    terms: list[tuple[Answer, ...]] = []
    last: Group | Matrix
    at = 0 if len(text) < MAX_LENGTH else len(text)
    while at < len(text):
        found = _SUMMAND.match(text, at)
        if not found or found[0] == text or (terms and not found[1]) or re.fullmatch(r"[fghFGHP]\s*", found[2]):
            return None
        sign, factor, vector = found.groups()
        vector = rf"\langle {vector[1:-1]} \rangle" if vector[0] == "(" else vector
        scale = sign.strip("+") + factor
        whole = _multiple(scale + vector) if scale else parse_answer(vector)
        if not isinstance(whole, Group | Matrix):
            return None
        cells = whole.items if isinstance(whole, Group) else sum(whole.rows, ())
        if not all(isinstance(cell, Value) for cell in cells):
            return None
        terms.append(cells)
        last, at = whole, found.end()
    if len(set(map(len, terms))) != 1:
        return None
    added = tuple(Value(("add", *(cell.node for cell in cells))) for cells in zip(*terms, strict=True))
    if isinstance(last, Group):
        return Group("(", ")", added)
    width = len(last.rows[0])
    return Matrix(tuple(added[start : start + width] for start in range(0, len(added), width)))


_CLOCK_SUFFIX = re.compile(r"\s*(?:\\text\s*\{)?\s*\b([ap]\.?m\.?|hours?)\s*\}?$", re.IGNORECASE)


def _value(text: str) -> Answer:
    text = text.strip()
    if re.fullmatch(r"\d{1,3}(?: \d{3})+(?:\.\d+)?", text):
        text = text.replace(" ", "")
    if ":" in text and len(text) < 100:
        suffix = _CLOCK_SUFFIX.search(text)
        parts = [_value(part) for part in text[: suffix.start() if suffix else None].split(":")]
        if 2 <= len(parts) <= 4 and all(isinstance(part, Value) and not part.unit for part in parts):
            return Group(":", suffix[1].replace(".", "").lower() if suffix else "", tuple(parts))
    try:
        node, unit = parse_expression(_DOTS.sub("", text))
    except (Unsupported, RecursionError, ValueError, IndexError):
        return _congruence(text) or _sum_of_vectors(text) or _multiple(text) or Words(text)
    return Value(node, unit, text)
