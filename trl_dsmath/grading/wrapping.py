"""What an answer may wear: a name before the equals sign, brackets around one value, conditions, domains, plus-minus."""

import re

from .equality import equal
from .expressions import TooLarge, Undefined, Unsupported, contains, symbols, value
from .shapes import Answer, Group, Items, Matrix, Relation, Union, Value, Words
from .tokens import FUNCTIONS
from .values import expand, same_value


def unwrap(answer: Answer) -> Answer:
    """The plainest form of one answer: `\\{5\\}` is 5, `x \\in A` is A, `3 \\pm 1` is two values, `0, x \\neq 1` is 0."""
    if isinstance(answer, Value):
        return expand(answer)
    if isinstance(answer, Matrix) and len(answer.rows) == len(answer.rows[0]) == 1:
        [[inside]] = answer.rows
        return unwrap(inside)
    if isinstance(answer, Group) and answer.opening + answer.closing == "()" and (both := _by_sign(answer.items)):
        return Items(tuple(Group("(", ")", items) for items in both))  # (\pm 4, 0) is two points
    if isinstance(answer, Group) and len(answer.items) == 1 and answer.opening in "{(":
        [item] = answer.items
        inner = unwrap(item)
        return answer if inner == Words("\\emptyset") else inner  # the set that holds the empty set is not empty
    if isinstance(answer, Group) and answer.opening == "{|" and _domain(answer.items[1]):
        return unwrap(answer.items[0])
    if isinstance(answer, Group) and answer.opening == "{" and answer.items:
        found = [unwrap(item) for item in answer.items]
        return Group("{", "}", tuple(x for one in found for x in (one.items if isinstance(one, Items) else (one,))))
    if isinstance(answer, Group) and not answer.items:
        return Words("\\emptyset")
    if isinstance(answer, Items):
        told = _without_conditions(answer.items)
        if len(told) < len(answer.items):
            return unwrap(Items(told, answer.ordered) if len(told) > 1 else told[0])
        items = tuple(unwrap(item) for item in answer.items)
        flat = tuple(
            x for item in items for x in (item.items if isinstance(item, Items) and not answer.ordered else (item,))
        )
        return Items(flat, answer.ordered)
    if isinstance(answer, Relation) and answer.signs == ("in",) and not isinstance(answer.parts[1], Union | Words):
        return answer.parts[1]
    if isinstance(answer, Relation) and answer.signs == ("=",) and isinstance(answer.parts[1], Relation):
        return answer.parts[1]  # "A \\cap B = \\{x \\mid x > 2\\}"
    if (
        isinstance(answer, Relation)
        and answer.signs == ("=",)
        and (both := _by_sign(answer.parts))
        and any(symbols(getattr(part, "node", ())) for part in answer.parts)
    ):
        return Items(tuple(Relation(("=",), parts, "") for parts in both))  # y = \pm 2x is two lines
    if isinstance(answer, Relation) and len(answer.signs) > 1 and set(answer.signs) == {"="}:
        *labels, last = answer.parts
        if constant(last) and all(isinstance(label, Value) and label.node[0] == "sym" for label in labels):
            return Items(tuple(Relation(("=",), (label, last), "") for label in labels))  # x = y = 2
    if isinstance(answer, Relation) and set(answer.signs) <= {">", ">="}:
        return Relation(tuple(sign.replace(">", "<") for sign in answer.signs[::-1]), answer.parts[::-1], answer.text)
    return answer


def _by_sign(parts: tuple[Answer, ...]) -> list[tuple[Answer, ...]]:
    """The two choices of a plus-minus sign that one of the parts holds; none where no part or more than one holds it."""
    signed = [isinstance(part, Value) and contains(part.node, "pm") for part in parts]
    if sum(signed) != 1:
        return []
    at = signed.index(True)
    both = unwrap(parts[at])
    return [(*parts[:at], one, *parts[at + 1 :]) for one in both.items] if isinstance(both, Items) else []


def _without_conditions(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    r"""Leaves out `x \in \R`, and what follows a formula to say where it holds: `\frac{1}{x-1}, x \neq 1`."""
    told = tuple(item for item in items if not _domain(item))
    if not told:
        return items
    if isinstance(told[0], Relation) and told[0].signs[0] not in ("=", "~"):
        return told
    kept: list[Answer] = []
    excluding = False
    for item in told:
        condition = isinstance(item, Relation) and all(
            sign in ("!=", "<", ">", "<=", ">=", "in") for sign in item.signs
        )
        if condition and isinstance(item, Relation):
            excluding = item.signs == ("!=",)
        elif not (excluding and isinstance(item, Value)):  # "x \neq 2, -5"
            kept.append(item)
    return tuple(kept)


def _domain(answer: Answer) -> bool:
    """`x \\in \\R`: says where a variable lives, and no more."""
    return (
        isinstance(answer, Relation)
        and answer.signs == ("in",)
        and isinstance(answer.parts[1], Words)
        and answer.parts[1].text in ("\\R", "\\Z")
    )


_DERIVATIVE = re.compile(r"^\\frac\s*\{\s*(?:d|\\partial)")
_LEIBNIZ = re.compile(r"\\frac\{d(?:\^\{?(\d)\}?)?\\?(?P<name>[a-z]+)\}\{d([a-z])(?:\^\{?\d\}?)?\}")  # \frac{dy}{dx}
_DEFINITION = re.compile(r"\\?([A-Za-z]+)(?:_\{?\w+\}?)?'*(?:\^\{?-1\}?)?\(((?:\\?[a-z]+)(?:,\\?[a-z]+)*)\)")
FUNCTION_CALL = re.compile(r"^\{?(?:\\vec\s*\{?)?\\?[A-Za-z]+\}?(?:_\{?\w+\}?)?'*(?:\^\{?-1\}?)?\s*\(.*\)$")
_SEGMENT_SQUARED = re.compile(r"(?:[A-Z]{2}|[sS]|\\sigma)\s*\^\s*\{?\s*2\s*\}?")


def is_label(part: Answer) -> bool:
    """`x`, `f(x)`, `\\angle ABC`, `P(A)`, `\\sin A`, `m+n`, `AB^2`: names what follows the equals sign. `2x`, `x^2` do not."""
    if isinstance(part, Words):
        return True
    if not isinstance(part, Value):
        return isinstance(part, Group) and all(isinstance(x, Value) and symbols(x.node) for x in part.items)
    names = symbols(part.node)
    if part.node[0] == "pow" and part.node[1][0] == "sym" and part.node[2] == ("neg", ("num", 1)):
        return part.node[1][1].isupper() or part.node[1][1] in "fgh"  # the inverse of a matrix or a function
    if part.node[0] == "sym" or FUNCTION_CALL.match(part.text) or part.unit or _SEGMENT_SQUARED.fullmatch(part.text):
        return True
    if part.node[0] in ("fn", "log", "sum"):
        return bool(names)
    return len(names) >= 2 and not contains(part.node, "num", "pow", "root")


def bare(answer: Answer, trusted: bool) -> Answer | None:
    """The value that a chain `label = ... = value` gives; None when it gives none or contradicts itself."""
    if not isinstance(answer, Relation):
        return answer
    if any(sign not in ("=", "~") for sign in answer.signs):
        return answer
    parts = list(answer.parts)
    if not constant(parts[-1]) and constant(parts[0]) and is_label(parts[-1]):
        parts.reverse()  # "5 = x"
    last = parts[-1]
    if trusted and len(parts) > 2 and constant(last):
        return last  # a derivation and its result
    if trusted:
        first = parts[0]
        plain = (
            not isinstance(first, Value)
            or _DERIVATIVE.match(first.text)
            or (first.node[0] == "div" and all(side[0] == "sym" for side in first.node[1:]) and constant(last))
            or first.node[0] in ("sym", "fn")
            or (first.text.isupper() and constant(last))
            or (constant(first) and constant(last))
        )
        return last if plain or FUNCTION_CALL.match(getattr(first, "text", "")) or _identity(first, last) else None
    for index, part in enumerate(parts[:-1]):
        if index == 0 and isinstance(part, Value) and part.node in (("sym", "e"), ("sym", "i")):
            continue  # an eccentricity, a current
        if isinstance(part, Value) and isinstance(last, Value) and not symbols(part.node):
            if not _agree(part, last, approximately="~" in answer.signs):
                return None
        elif index == 0 and not (is_label(part) or _combination(part, last) or _identity(part, last)):
            return None
    return last


def _combination(part: Answer, last: Answer) -> bool:
    """`a^2 + b^2` before a number, `A^6` or `2u - v` before a matrix: asked for as it stands, since one equation solves
    for none of its letters. `2x = 6` may be half a solution."""
    names = symbols(part.node) if isinstance(part, Value) and (constant(last) or isinstance(last, Matrix)) else set()
    return len(names) > 1 or (isinstance(last, Matrix) and any(name[0].isupper() for name in names))


def _identity(part: Answer, last: Answer) -> bool:
    """`x^2 + 2x + 1 = (x + 1)^2` says one thing twice."""
    return isinstance(part, Value) and isinstance(last, Value) and _agree(part, last, approximately=False)


def constant(part: Answer) -> bool:
    return isinstance(part, Value) and not symbols(part.node)


def _agree(part: Value, last: Value, approximately: bool) -> bool:
    try:
        if equal(part.node, last.node):
            return True
        if approximately:
            left, right = complex(value(part.node)), complex(value(last.node))
            return abs(left - right) <= 0.05 * max(abs(left), abs(right))
    except (TooLarge, Undefined, Unsupported, OverflowError):
        return False
    return bool(same_value(last, part))


def compatible_labels(one: Answer, other: Answer) -> bool:
    r"""Whether two left sides may name the same thing.

    The names of variables must agree. A function under definition may have any name and any variable (`f(x)`, `g(t)`,
    `y`), but `P(A)` is not `P(B)`, `f(2)` is not `f(3)`, `\sin(2x)` is not `\cos(2x)`.
    """
    if isinstance(one, Value) and isinstance(other, Value) and one.node == other.node:
        return True
    names = [_squeezed(side) for side in (one, other)]
    both = alike_definitions(one, other)
    if isinstance(one, Value) and isinstance(other, Value) and one.node[0] == other.node[0] == "sym":
        return both
    if not any(map(_names_a_value, (one, other))):
        return True
    return names[0] == names[1] or both


def definition(side: Answer) -> str | None:
    """The variables of a function under definition: `x` of `f(x)` and of `y`, `x,y` of `f(x, y)`; `None` for other things."""
    text = _squeezed(side)
    if text.rstrip("'") == "y":
        return "x"
    if found := _LEIBNIZ.fullmatch(text):
        return found[3]
    found = _DEFINITION.fullmatch(text)
    return found[2] if found and found[1] not in FUNCTIONS else None


def differentiated(side: Answer) -> str:
    """`y` of `\\frac{dy}{dt}`."""
    found = _LEIBNIZ.fullmatch(_squeezed(side))
    return found["name"] if found else ""


def names_function(one: Answer, other: Answer) -> bool:
    """`y_2` and `y_2(x)`, `f` and `f(x)`."""
    short, long = sorted(re.sub(r"[{}]", "", _squeezed(side)) for side in (one, other))
    return short != "" and re.fullmatch(r"\([a-z](?:,[a-z])*\)", long.removeprefix(short)) is not None


def alike_definitions(one: Answer, other: Answer) -> bool:
    """Whether both define a function, or both its n-th derivative, or both its inverse (which may be called `y`)."""
    if not definition(one) or not definition(other):
        return False
    names = [_squeezed(side).split("(")[0] for side in (one, other)]
    leibniz = [_LEIBNIZ.match(name) for name in names]
    orders = [int(found[1] or 1) if found else name.count("'") for found, name in zip(leibniz, names, strict=True)]
    return orders[0] == orders[1] and ("y" in names or ("-1" in names[0]) == ("-1" in names[1]))


def _names_a_value(side: Answer) -> bool:
    """A function of something: `f(3)`, `\\sin 2x`; not `S`, `AB`, "the area", whose name is the writer's choice."""
    return bool(FUNCTION_CALL.match(getattr(side, "text", ""))) or (
        isinstance(side, Value) and side.node[0] in ("fn", "log")
    )


def _squeezed(side: Answer) -> str:
    return re.sub(r"\s+|(?<![A-Za-z])\{(?=[A-Za-z]\})|(?<=[A-Za-z])\}(?=\()", "", getattr(side, "text", ""))
