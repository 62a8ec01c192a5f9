"""Ratios, times of day and congruences."""

from fractions import Fraction

from .answer import Answer, Group, Items, Value
from .evaluate import value
from .simplify import unwrap
from .tree import TooLarge, Undefined, Unsupported
from .values import same_value


def same_ratio(gold: Answer, answer: Answer) -> bool | None:
    """Compares two ratios, `6:8` with `3:4`, or two times of day."""
    assert isinstance(gold, Group) and isinstance(answer, Group)
    if gold.closing or answer.closing:
        bare = [side for side in (gold, answer) if not side.closing]
        if not bare or _clock(bare[0]) is None or (_clock(bare[0]) or 0) >= 13 * 60:
            return _clock(gold) == _clock(answer) is not None
    same = _same_parts(gold, answer)
    if same or len(gold.items) != len(answer.items):
        return same and (not gold.closing or not answer.closing or gold.closing == answer.closing)
    if (
        gold.closing
        or answer.closing
        or any(len(getattr(group.items[1], "text", "")) > 1 and len(group.items) == 2 for group in (gold, answer))
    ):
        return False  # a time of day: 3:45 is not 1:15
    numbers = [[value(x.node) for x in group.items if isinstance(x, Value)] for group in (gold, answer)]
    return (
        all(a * numbers[1][0] == b * numbers[0][0] for a, b in zip(*numbers, strict=True))
        if all(n[0] for n in numbers)
        else False
    )


def congruent(gold: tuple[Answer, ...], answer: tuple[Answer, ...]) -> bool | None:
    """Compares residues with their modulus: `19 \\pmod{12}` with `7 \\pmod{12}`."""
    if not (isinstance(gold[1], Value) and isinstance(answer[1], Value) and same_value(gold[1], answer[1])):
        return False
    residues = []
    for side in (gold[0], answer[0]):
        parts = unwrap(side)
        try:
            values = {
                value(x.node) for x in (parts.items if isinstance(parts, Items) else (parts,)) if isinstance(x, Value)
            }
            modulus = value(gold[1].node) if isinstance(gold[1], Value) else Fraction(1)
            residues.append({x % modulus for x in values if isinstance(x, Fraction)})
        except (TooLarge, Undefined, Unsupported, ZeroDivisionError):
            return None
    return bool(residues[0]) and residues[0] == residues[1]


def _clock(time: Group) -> Fraction | None:
    """Minutes since midnight; a time without a.m. or p.m. is taken as it stands."""
    try:
        hours, minutes, *_ = (
            value(x.node) for x in (*time.items, Value(("num", Fraction(0)))) if isinstance(x, Value)
        )
    except (TooLarge, Undefined, Unsupported):
        return None
    return (hours % 12 + 12 * (time.closing == "pm") if time.closing in ("am", "pm") else hours) * 60 + minutes


def ratio_as_fraction(gold: Answer, answer: Answer) -> bool | None:
    """`3:4` against `\\frac{3}{4}`."""
    ratio, other = (gold, answer) if isinstance(gold, Group) else (answer, gold)
    if (
        isinstance(ratio, Group)
        and ratio.opening == ":"
        and not ratio.closing
        and len(ratio.items) == 2
        and isinstance(other, Value)
    ):
        top, bottom = ratio.items
        if isinstance(top, Value) and isinstance(bottom, Value):
            return same_value(other, Value(("div", top.node, bottom.node)))
    return False


def _same_parts(gold: Group, answer: Group) -> bool:
    pairs = zip(gold.items, answer.items, strict=False)
    same = [isinstance(a, Value) and isinstance(b, Value) and same_value(a, b) is True for a, b in pairs]
    return len(gold.items) == len(answer.items) and all(same)
