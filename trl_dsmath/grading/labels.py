"""What stands before an equals sign: a name for the answer (`x = 5`), or part of an equation (`x^2 = 5`)?"""

import re

from .answer import Answer, Group, Relation, Value, Words
from .equality import equal
from .evaluate import value
from .tree import TooLarge, Undefined, Unsupported, contains, symbols
from .values import same_value

_DERIVATIVE = re.compile(r"^\\frac\s*\{\s*(?:d|\\partial)")
FUNCTION_CALL = re.compile(r"^\{?(?:\\vec\s*\{?)?\\?[A-Za-z]+\}?(?:_\{?\w+\}?)?'*(?:\^\{?-1\}?)?\s*\(.*\)$")


def is_label(part: Answer) -> bool:
    """`x`, `f(x)`, `\\angle ABC`, `P(A)`, `\\sin A`, `m+n`: names what follows the equals sign. `2x`, `x^2` do not."""
    if isinstance(part, Words):
        return True
    if not isinstance(part, Value):
        return isinstance(part, Group) and all(isinstance(x, Value) and symbols(x.node) for x in part.items)
    names = symbols(part.node)
    if part.node[0] == "pow" and part.node[1][0] == "sym" and part.node[2] == ("neg", ("num", 1)):
        return True  # the inverse of a matrix or a function
    if part.node[0] == "sym" or FUNCTION_CALL.match(part.text) or part.unit:
        return True
    if part.node[0] in ("fn", "log"):
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
    if trusted:
        first = parts[0]
        plain = (
            not isinstance(first, Value)
            or _DERIVATIVE.match(first.text)
            or (first.node[0] == "div" and all(side[0] == "sym" for side in first.node[1:]) and constant(last))
            or first.node[0] in ("sym", "fn")
            or (first.text.isupper() and constant(last))
            or constant(first)
        )
        return last if plain or FUNCTION_CALL.match(getattr(first, "text", "")) else None
    for index, part in enumerate(parts[:-1]):
        if isinstance(part, Value) and isinstance(last, Value) and not symbols(part.node):
            if not _agree(part, last, approximately="~" in answer.signs):
                return None
        elif index == 0 and not is_label(part):
            return None
    return last


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
    if isinstance(one, Value) and isinstance(other, Value) and one.node[0] == other.node[0] == "sym":
        return one.node == other.node
    return True
