"""Equations and inequalities: `4x + 2y = 2` is `2x + y = 1`, and `xy = 3` is `y = 3/x`."""

from .answer import Relation, Value
from .equality import proportional, solves
from .labels import FUNCTION_CALL, is_label
from .tree import Node, TooLarge, Unsupported
from .values import same_value


def same_equation(gold: Relation, answer: Relation) -> bool | None:
    """Compares two equations or inequalities of two sides each: the same up to a factor, or one solved for a variable."""
    (a, b), (c, d) = gold.parts, answer.parts
    assert isinstance(a, Value) and isinstance(b, Value) and isinstance(c, Value) and isinstance(d, Value)
    sign, other = gold.signs[0], answer.signs[0]
    left = _difference(a.node, b.node, sign)
    right = _difference(c.node, d.node, other)
    sign, other = sign.replace(">", "<"), other.replace(">", "<")
    if sign != other:
        return False
    try:
        if proportional(left, right, positive=sign in ("<", "<=")):
            return True
    except TooLarge:
        return left == right
    except Unsupported:
        return None
    if sign == "=" and is_label(a) and is_label(c):
        functions = [part.text == "y" or bool(FUNCTION_CALL.match(part.text)) for part in (a, c)]
        if a.node == c.node or all(functions):
            return same_value(b, d)
    if sign == "=" and _is_constant_name(b) and _is_constant_name(d):
        return same_value(a, c)  # a family of curves
    if sign == "=":
        return solves(a.node, b.node, right) or solves(c.node, d.node, left)
    return False


def _is_constant_name(side: Value) -> bool:
    return side.node[0] == "sym" and side.node[1] in ("C", "c", "K", "k", "C_1", "c_1")


def _difference(left: Node, right: Node, sign: str) -> Node:
    return ("add", right, ("neg", left)) if ">" in sign else ("add", left, ("neg", right))
