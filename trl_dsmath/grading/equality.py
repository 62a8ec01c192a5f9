"""Are two expressions, or two equations, the same? See `expressions` for how and how surely."""

from fractions import Fraction
from itertools import product

from .expressions import (
    DIGITS,
    FAR,
    MORE_DIGITS,
    POINTS,
    Node,
    Number,
    TooLarge,
    Undefined,
    Unsupported,
    as_float,
    close,
    contains,
    context,
    has_fractional_power,
    rename,
    symbols,
    value,
)

_INTEGERS = {"n", "m", "k", "N"}  # names of integers


def _equal_at(a: Node, b: Node, point: int = 0, log10: bool = False) -> bool:
    left, right = (value(node, point, log10=log10) for node in (a, b))
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    if not close(left, right) and not _looks_zero(left):
        return False  # most pairs end here
    one, other = (value(node, point, MORE_DIGITS, log10) for node in (a, b))
    # A true zero computed by cancellation shrinks with the precision; 2^{-99} does not.
    return close(one, other, MORE_DIGITS) or (_is_zero(left, one) and _is_zero(right, other))


def _looks_zero(number: Number) -> bool:
    return number == 0 or (not isinstance(number, Fraction) and abs(number) < 1e-35)  # 15 of 50 digits may be lost


def _is_zero(low: Number, high: Number) -> bool:
    before = abs(low) or 1e-50  # by luck nothing at all was left
    # with 50 digits more a true zero shrinks by some 1e-50
    return high == 0 or (not isinstance(high, Fraction) and abs(high) < before * 1e-30)


def equal(a: Node, b: Node) -> bool:
    """Whether two expressions are equal for all values of their variables.

    Where a radical or a logarithm of a variable occurs and no absolute value, variables are taken as positive, as
    textbooks do; otherwise both signs are tried.

    Raises:
        TooLarge, Unsupported: see [`value`].
    """
    bounds = _upper_bounds(a) | _upper_bounds(b)
    if bounds and bounds <= _INTEGERS:
        return _equal_at_integers(a, b, sorted(bounds))
    if contains(a, "sum") != contains(b, "sum") and (_endless(a) or _endless(b)):
        raise Unsupported("an infinite sum against its value")
    logs = contains(a, "log") or contains(b, "log")
    if _equal(a, b, log10=False) or (logs and _equal(a, b, log10=True)):
        return True
    whole = sorted(_alternating(a) | _alternating(b))
    return bool(whole) and _equal_at_integers(a, b, whole)


def _alternating(node: object) -> set[str]:
    """Names of integers in the exponent of something negative or of i: `(-1)^n`."""
    if not isinstance(node, tuple) or not node:
        return set()
    found: set[str] = set().union(*map(_alternating, node))
    if node[0] == "pow" and (node[1][0] == "neg" or node[1] == ("sym", "i")):
        found |= symbols(node[2]) & _INTEGERS
    return found - {node[1]} if node[0] in ("sum", "prod") else found


def _equal_at_integers(a: Node, b: Node, names: list[str], steps: tuple[int, ...] = (1,), count: int = 8) -> bool:
    r"""Whether two expressions agree where these variables are multiples of the steps: `(-1)^n` and `\cos n\pi`."""
    agreed = 0
    for step, first in product(steps, range(1, count + 1)):
        fixed = {name: ("num", Fraction(first * 11**place % 37 * step)) for place, name in enumerate(names)}
        try:
            if not _equal_at(rename(a, fixed), rename(b, fixed)):
                return False
        except (Undefined, TooLarge):
            continue
        agreed += 1
    return agreed > 4


def _upper_bounds(node: object) -> set[str]:
    """Names in the upper bounds of sums and products; infinity is no integer."""
    if not isinstance(node, tuple) or not node:
        return set()
    found: set[str] = set().union(*map(_upper_bounds, node))
    if node[0] in ("sum", "prod"):
        found = (found - {node[1]}) | symbols(node[3]) | ({"infinity"} if node[3] == ("inf",) else set())
    return found


def _endless(node: object) -> bool:
    if not isinstance(node, tuple) or not node:
        return False
    return (node[0] == "sum" and (node[3] == ("inf",) or bool(symbols(node[3])))) or any(map(_endless, node))


def _equal(a: Node, b: Node, log10: bool) -> bool:
    names = symbols(a) | symbols(b)
    if names and contains(("", a, b), "floor", "ceil"):
        if not _equal_at_integers(a, b, sorted(names), (1, 1009), 32):  # squares and powers, and far from 0
            return False
        if names <= _INTEGERS:
            return True
    if not names:
        try:
            return _equal_at(a, b, log10=log10)
        except Undefined:
            return False
    restricted = any(contains(node, "root", "log") or has_fractional_power(node) for node in (a, b))
    absolute = contains(("", a, b), "abs", "max", "min")
    points = range(POINTS if absolute or not restricted else 3)
    compared = False
    for point in points:
        try:
            if _equal_at(a, b, point, log10):
                compared = True
            elif not (restricted and _beyond(a, b, point)):
                return False
        except (Undefined, TooLarge):
            continue
    return compared and _agree_far_away(a, b)


def _beyond(a: Node, b: Node, point: int) -> bool:
    """Whether two real expressions are both complex at a point, where `\\ln(1 - x) - \\ln(1 - y)` may take another branch."""
    number = context(DIGITS).mpc
    real = all(rename(node, {"i": "j"}) == node for node in (a, b))
    return real and all(isinstance(value(node, point), number) for node in (a, b))


def _far(*nodes: Node) -> range:
    """Points at which an absolute value or a root that is hidden near 0 comes out: `|x - 20|` is no `20 - x`."""
    if any(contains(node, "abs", "max", "min") for node in nodes):
        return FAR
    return FAR[:2] if any(contains(node, "root") or has_fractional_power(node) for node in nodes) else FAR[:0]


def _agree_far_away(a: Node, b: Node) -> bool:
    """Whether no point far away tells two expressions apart. Beyond their domain, where they are complex, none does."""
    for point in _far(a, b):
        try:
            left, right = (value(node, point, MORE_DIGITS) for node in (a, b))
        except (Undefined, TooLarge):
            continue
        beyond = any(isinstance(number, context(MORE_DIGITS).mpc) for number in (left, right))
        if not beyond and not close(left, right) and not (_looks_zero(left) and _looks_zero(right)):
            return False
    return True


def solves(variable: Node, formula: Node, equation: Node) -> bool:
    """Whether `variable = formula` turns `equation = 0` into an identity: `y = 3/x` and `xy - 3 = 0`.

    Only for rational formulas, which name every branch of the curve.
    """
    if variable[0] != "sym" or variable[1] in symbols(formula) or not symbols(formula):
        return False
    if (
        contains(formula, "root", "abs", "fn", "log")
        or has_fractional_power(formula)
        or variable[1] not in symbols(equation)
    ):
        return False
    try:
        for point in range(POINTS):
            solution = value(formula, point)
            at_solution = value(equation, point, fixed={variable[1]: solution})
            if not _looks_zero(at_solution) or _looks_zero(value(equation, point)):
                return False
    except (Undefined, TooLarge, Unsupported):
        return False
    return True


def linear(node: Node) -> tuple[Fraction, Fraction] | None:
    """`(a, b)` of `a x + b` in one variable, both rational and a not 0; `None` for anything else."""
    names = symbols(node)
    if len(names) != 1:
        return None
    [name] = names
    try:
        at = [value(node, fixed={name: Fraction(x)}) for x in (0, 1, 2, -7)]
    except (TooLarge, Undefined, Unsupported):
        return None
    if not all(isinstance(one, Fraction) for one in at):
        return None
    slope = at[1] - at[0]
    return (slope, at[0]) if slope and at[2:] == [at[0] + 2 * slope, at[0] - 7 * slope] else None


def proportional(a: Node, b: Node, positive: bool = False) -> bool:
    """Whether `a = c b` with one constant `c != 0` (`c > 0` if `positive`): the same equation, or inequality, `= 0`."""
    ratio = None
    for point in [*range(POINTS), *_far(a, b)]:
        try:
            left, right = value(a, point), value(b, point)
        except (Undefined, TooLarge):
            continue
        if left == 0 or right == 0:
            if left != right:
                return False
            continue
        here = as_float(left) / as_float(right)
        if ratio is None:
            ratio = here
        elif not close(ratio, here):
            return False
    if ratio is None:
        return False
    mp = context(DIGITS)
    return not positive or (mp.im(ratio) == 0 and mp.re(ratio) > 0)
