r"""Sets of real numbers as sorted intervals: `[2, \infty)`, `x \ge 2`, `\{1\} \cup (2, 3]`, `x \neq 3`, `\R`."""

import re
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise

from .equality import equal, linear
from .expressions import Node, Number, TooLarge, Undefined, Unsupported, as_float, close, contains, symbols, value
from .shapes import Answer, Group, Items, Relation, Union, Value, Words, parse_answer

_INFINITY: Node = ("inf",)
_MINUS_INFINITY: Node = ("neg", ("inf",))
_REALS = re.compile(
    r"^(?:\\R|(?:\\text\s*\{\s*)?(?:the set of )?(?:(?:all|any|every) )?real(?:s| numbers?)\s*(?:except(?: for)?|other than|but)?\s*\}?|(?:全体|一切|所有|任意)?实数集?)"
    r"\s*(?:(?:\\setminus|-|except\s*\}?)?\s*(?:[a-z]\s*=\s*)?(\\\{.*\\\}|[(\[].*[)\]]|-?\d+))?\s*\}?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Range:
    """One interval; `low` and `high` are trees."""

    low: Node
    high: Node
    low_closed: bool
    high_closed: bool


def as_ranges(answer: Answer) -> list[Range] | None:
    """Reads an answer as a set of real numbers; None when it is none."""
    if isinstance(answer, Group) and answer.opening == "setminus":
        whole, points = as_ranges(answer.items[0]), as_ranges(answer.items[1])
        return _minus(whole, points) if whole and points and all(p.low == p.high for p in points) else None
    if isinstance(answer, Words) and (found := _REALS.match(answer.text)):
        if found[1] is None:
            return [Range(_MINUS_INFINITY, _INFINITY, False, False)]
        hole = rf"\{{{found[1]}\}}" if found[1].lstrip("-").isdigit() else found[1]
        return _complement(as_ranges(parse_answer(hole)))
    if isinstance(answer, Group):
        if answer.opening == "{":
            return _points(answer)
        if len(answer.items) == 2 and answer.opening in "([" and answer.closing in ")]":
            low, high = answer.items
            if isinstance(low, Value) and isinstance(high, Value):
                return [Range(low.node, high.node, answer.opening == "[", answer.closing == "]")]
        return None
    if isinstance(answer, Relation):
        return _from_relation(answer)
    if isinstance(answer, Union):
        parts = [ranges for part in answer.parts if (ranges := as_ranges(part)) is not None]
        return _merge([one for part in parts for one in part]) if len(parts) == len(answer.parts) else None
    return _from_items(answer) if isinstance(answer, Items) else None


def _from_items(answer: Items) -> list[Range] | None:
    """`x > 1, x < 3`, or intervals side by side; overlapping ones are two answers, not one set."""
    holes = [item for item in answer.items if isinstance(item, Relation) and item.signs == ("!=",)]
    if answer.items[0] in holes and (points := _excluded(answer.items)):  # "x \\neq 1, x \\neq 2", "x \\neq 1, 2"
        return _complement(points)
    if holes and len(holes) == len(answer.items) - 1 and answer.items[0] not in holes:
        whole = as_ranges(answer.items[0])
        points = _points(Group("{", "}", tuple(hole.parts[1] for hole in holes)))
        return _minus(whole, points) if whole and points else None
    parts = [as_ranges(item) for item in answer.items]
    flat = [part[0] for part in parts if part and len(part) == 1]
    if len(flat) != len(answer.items):
        return None
    if len(flat) == 2 and all(isinstance(item, Relation) for item in answer.items) and (bounded := _bounded(*flat)):
        return bounded
    merged = _merge(flat)
    return merged if len(merged) == len(flat) else None


def _excluded(items: tuple[Answer, ...]) -> list[Range] | None:
    """The points of `x \\neq 1, x \\neq 2, 3`; None where an item says something else, or of another variable."""
    name = getattr(items[0], "parts", items)[0]
    values = (
        item.parts[1] if isinstance(item, Relation) and (item.parts[0], item.signs) == (name, ("!=",)) else item
        for item in items
    )
    return _points(Group("{", "}", tuple(values)))


def _points(answer: Group) -> list[Range] | None:
    found = [Range(item.node, item.node, True, True) for item in answer.items if isinstance(item, Value)]
    return found if len(found) == len(answer.items) else None


def _complement(ranges: list[Range] | None) -> list[Range] | None:
    """All other real numbers."""
    if ranges is None:
        return None
    below = Range(_MINUS_INFINITY, _MINUS_INFINITY, True, True)
    above = Range(_INFINITY, _INFINITY, True, True)
    gaps = [
        Range(one.high, two.low, not one.high_closed, not two.low_closed)
        for one, two in pairwise([below, *_merge(ranges), above])
    ]
    return [gap for gap in gaps if gap.low != gap.high or gap.low_closed]


def _minus(ranges: list[Range], points: list[Range]) -> list[Range] | None:
    """Intervals without single points; None where a point lies outside all of them."""
    try:
        for point in points:
            inside = [r for r in ranges if _order(r.low, point.low) <= 0 <= _order(r.high, point.low)]
            if not inside:
                return None
            whole = inside[0]
            halves = [
                Range(whole.low, point.low, whole.low_closed, False),
                Range(point.low, whole.high, False, whole.high_closed),
            ]
            ranges = [r for r in ranges if r is not whole] + [h for h in halves if _order(h.low, h.high) < 0]
        return _sorted(ranges)
    except (TooLarge, Undefined, Unsupported, TypeError):
        return None


def _bounded(first: Range, second: Range) -> list[Range] | None:
    """`x > 1, x < 3` as one interval."""
    if first.low == _MINUS_INFINITY:
        first, second = second, first
    try:
        if first.high == _INFINITY and second.low == _MINUS_INFINITY and _order(first.low, second.high) <= 0:
            return [Range(first.low, second.high, first.low_closed, second.high_closed)]
    except (TooLarge, Undefined, Unsupported, TypeError):
        return None
    return None


def _from_relation(answer: Relation) -> list[Range] | None:
    parts = answer.parts
    if answer.signs == ("in",):
        return as_ranges(parts[1])
    if answer.signs == ("notin",):
        return _complement(as_ranges(parts[1]))
    nodes = [part.node for part in parts if isinstance(part, Value)]
    if len(nodes) != len(parts):
        return None
    lone = [_is_name(node) for node in nodes]
    if answer.signs == ("!=",) and lone[0]:
        return _complement([Range(nodes[1], nodes[1], True, True)])
    if answer.signs == ("=",) and lone[0]:
        return [Range(nodes[1], nodes[1], True, True)]
    signs = answer.signs
    if all(sign in (">", ">=") for sign in signs):
        nodes, lone, signs = nodes[::-1], lone[::-1], tuple(sign.replace(">", "<") for sign in signs[::-1])
    if not all(sign in ("<", "<=") for sign in signs):
        return None
    low_closed, high_closed = signs[0] == "<=", signs[-1] == "<="
    if len(nodes) == 2 and contains(nodes[0], "abs") != contains(nodes[1], "abs"):
        return _absolute(nodes[0], nodes[1], low_closed)
    if len(nodes) == 3 and contains(nodes[1], "abs") and not any(contains(node, "abs") for node in nodes[::2]):
        outside, inside = _absolute(nodes[0], nodes[1], low_closed), _absolute(nodes[1], nodes[2], high_closed)
        if not outside or not inside:
            return None
        (left, right), (all_,) = outside, inside  # 1 < |x| < 3
        return [
            Range(all_.low, left.high, all_.low_closed, left.high_closed),
            Range(right.low, all_.high, right.low_closed, all_.high_closed),
        ]
    if lone == [False, True, False]:
        return [Range(nodes[0], nodes[2], low_closed, high_closed)]
    if lone == [True, False]:
        return [Range(_MINUS_INFINITY, nodes[1], False, high_closed)]
    if lone == [False, True]:
        return [Range(nodes[0], _INFINITY, low_closed, False)]
    return None


def _is_name(node: Node) -> bool:
    """`x`, and `f(x)`, which is read as a product."""
    if node[0] == "mul" and len(node) == 3 and node[1] in (("sym", "f"), ("sym", "g")):
        node = node[2]
    return node[0] == "sym" and bool(symbols(node))


def _absolute(low: Node, high: Node, closed: bool) -> list[Range] | None:
    """`|x - 1| < 2` as one interval, `2 < |x - 1|` as two."""
    inside = low[:2] == ("fn", "abs")
    distance, bound = (low, high) if inside else (high, low)
    line = linear(distance[2]) if distance[:2] == ("fn", "abs") else None
    if line is None or symbols(bound) or _negative(bound):
        return None
    slope, start = line
    left, right = (
        ("div", ("add", end, ("num", -start if slope > 0 else start)), ("num", abs(slope)))
        for end in (("neg", bound), bound)
    )
    if inside:
        return [Range(left, right, closed, closed)]
    return [Range(_MINUS_INFINITY, left, False, closed), Range(right, _INFINITY, closed, False)]


def _negative(node: Node) -> bool:
    try:
        return bool(as_float(value(node)) < 0)
    except (TooLarge, Undefined, Unsupported, TypeError):
        return True


def _order(a: Node, b: Node) -> Number:
    """Negative, 0 or positive."""
    left, right = as_float(value(a)), as_float(value(b))
    return 0 if close(left, right) else left - right


def _by_start(one: Range, other: Range) -> Number:
    return _order(one.low, other.low) or other.low_closed - one.low_closed


def _sorted(ranges: list[Range]) -> list[Range]:
    return sorted(ranges, key=cmp_to_key(_by_start))


def _merge(ranges: list[Range]) -> list[Range]:
    """Joins intervals that touch, so that `[1,2) \\cup [2,3]` is `[1,3]`."""
    try:
        merged: list[Range] = []
        for one in _sorted(ranges):
            if merged:
                last = merged[-1]
                gap = _order(last.high, one.low)
                if gap > 0 or (gap == 0 and (last.high_closed or one.low_closed)):
                    end = _order(last.high, one.high)
                    high = last if end > 0 or (end == 0 and last.high_closed) else one
                    merged[-1] = Range(last.low, high.high, last.low_closed, high.high_closed)
                    continue
            merged.append(one)
        return merged
    except (TooLarge, Undefined, Unsupported, TypeError):
        return ranges


def same_ranges(gold: list[Range], answer: list[Range]) -> bool:
    """Whether two sets of real numbers are equal, whatever the order of their parts."""
    gold, answer = _merge(gold), _merge(answer)
    if len(gold) != len(answer):
        return False
    try:
        return all(
            (one.low_closed, one.high_closed) == (other.low_closed, other.high_closed)
            and equal(one.low, other.low)
            and equal(one.high, other.high)
            for one, other in zip(gold, answer, strict=True)
        )
    except (TooLarge, Undefined, Unsupported):
        return False
