"""Expression trees and their values: exact where the arithmetic is rational, at 50 and 100 digits where it is not.

Trees are plain tuples, so that they compare, hash and print as they are:
`("num", Fraction)`, `("sym", name)`, `("add", a, b, ...)`, `("neg", a)`, `("mul", a, b, ...)`, `("div", a, b)`,
`("pow", a, b)`, `("root", degree, a)`, `("fn", name, a)`, `("log", base | None, a)`, `("binom", n, k)`, `("fact", a)`,
`("pct", a)`, `("pm", sign, a, b)`, `("sum" | "prod", variable, low, high, body)`, `("based", digits, base)`, `("inf",)`.

Variables get fixed pseudo-random values, rational so that polynomials are compared exactly (two different ones agree at
a random point with a probability near zero). Every size is bounded before it is computed: whatever a model writes, one
comparison costs milliseconds.
"""

import math
import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

Node = tuple
CONSTANTS = ("pi", "e", "i")


class Unsupported(Exception):
    """Not an expression of this small language. Never leaves the grading package."""


class TooLarge(Exception):
    """A value too large to be an answer anyone would write out, such as a power tower."""


class Undefined(Exception):
    """Division by zero, infinity minus infinity and the like."""


def symbols(node: object) -> set[str]:
    """Names of the free variables of a tree."""
    if not isinstance(node, tuple) or not node:
        return set()
    if node[0] == "sym":
        return set() if node[1] in CONSTANTS else {node[1]}
    found: set[str] = set().union(*map(symbols, node))
    return found - {node[1]} if node[0] in ("sum", "prod") else found


def contains(node: object, *names: str) -> bool:
    """Whether a tree holds a node of one of these kinds, or a function of that name."""
    if not isinstance(node, tuple) or not node:
        return False
    return node[0] in names or (node[0] == "fn" and node[1] in names) or any(contains(part, *names) for part in node)


def rename(node: object, names: Mapping[str, str | Node]):
    """A tree with other names, or trees, for its variables."""
    if not isinstance(node, tuple) or not node:
        return node
    if node[0] == "sym":
        new = names.get(node[1], node[1])
        return ("sym", new) if isinstance(new, str) else new
    return tuple(rename(part, names) for part in node)


def has_fractional_power(node: object) -> bool:
    """Whether something is raised to a power that is no integer, as in `x^{1/2}`."""
    if not isinstance(node, tuple) or not node:
        return False
    if node[0] == "pow" and not (node[2][0] == "num" and node[2][1].denominator == 1) and not symbols(node[2]):
        return True
    return any(has_fractional_power(part) for part in node[1:])


MAX_BITS = 60_000  # of an exact integer; larger ones are held as high-precision floats
MAX_COST = 2_000_000  # of one evaluation: bits of its exact results, and 500 for each high-precision one
MAX_EXPONENT = 1 << 50  # of a high-precision float, in bits
MAX_TERMS = 2_000  # of a sum or product
DIGITS, MORE_DIGITS = 50, 100  # equal at both is equal
POINTS = 5  # variables are positive at the first three, negative at the fourth, of both signs at the last
# Points beyond what an answer may hide in `|x - 20|`: positive at two, negative at one, of both signs at two.
FAR = range(5, 10)

_ENDLESS_TERMS = 8

Number = Any  # Fraction, mpmath.mpf or mpmath.mpc


@lru_cache(maxsize=4096)
def _sample(name: str, point: int) -> Fraction:
    generator = random.Random(f"{name}:{point}")
    size = (2, Fraction(1, 2), 10)[point % 3] * (10**6 if point in FAR else 1)
    value = size * Fraction(generator.randint(500, 1500), 1009)
    # x' has the sign of x: the constant of an integral may be another one on the other side of 0
    plain = name.rstrip("'")
    either = random.Random(f"{point}:{plain}").random() < 0.5
    return -value if point in (3, 7) or (point in (4, 8, 9) and either) else value


class Evaluator:
    def __init__(self, digits: int, point: int, fixed: Mapping[str, Number] | None, log10: bool) -> None:
        self.mp = context(digits)
        self.point = point
        self.fixed = dict(fixed or {})
        self.log10 = log10
        self.cost = 0

    def float(self, value: Number) -> Number:
        return self.mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value

    def check(self, value: Number) -> Number:
        exact = isinstance(value, Fraction)
        self.cost += 50 + _bits(value) if exact else 500
        if self.cost > MAX_COST:
            raise TooLarge
        if exact:
            return value
        if self.mp.isnan(value):
            raise Undefined
        if not self.mp.isinf(value) and value != 0 and abs(self.mp.mag(value)) > MAX_EXPONENT:
            raise TooLarge
        return value

    def __call__(self, node: Node) -> Number:
        return self.check(getattr(self, "_" + node[0])(*node[1:]))

    def _num(self, value: Fraction) -> Number:
        return value

    def _inf(self) -> Number:
        return self.mp.inf

    def _sym(self, name: str) -> Number:
        if name in self.fixed:
            return self.fixed[name]
        if name == "pi":
            return +self.mp.pi
        if name == "e":
            return +self.mp.e
        if name == "i":
            return self.mp.mpc(0, 1)
        return _sample(name, self.point)

    def _alike(self, left: Number, right: Number) -> tuple[Number, Number]:
        if isinstance(left, Fraction) and isinstance(right, Fraction):
            return left, right
        return self.float(left), self.float(right)

    def _add(self, *terms: Node) -> Number:
        total: Number = Fraction(0)
        for term in terms:
            total = self.check(self._plus(total, self(term)))
        return total

    def _plus(self, left: Number, right: Number) -> Number:
        left, right = self._alike(left, right)
        finite = (
            not isinstance(left, Fraction) and left and right and not (self.mp.isinf(left) or self.mp.isinf(right))
        )
        if finite and abs(self.mp.mag(left) - self.mp.mag(right)) > 4 * MORE_DIGITS:
            raise TooLarge  # the smaller one would be lost, and 10^{10^{10}} + 1 equal to 10^{10^{10}}
        return left + right

    def _neg(self, a: Node) -> Number:
        return -self(a)

    def _mul(self, *factors: Node) -> Number:
        total: Number = Fraction(1)
        for factor in factors:
            left, right = self._alike(total, self(factor))
            if isinstance(left, Fraction) and _bits(left) + _bits(right) > MAX_BITS:
                left, right = self.float(left), self.float(right)
            total = self.check(left * right)
        return total

    def _div(self, a: Node, b: Node) -> Number:
        left, right = self._alike(self(a), self(b))
        return left / right

    def _pct(self, a: Node) -> Number:
        return self._div(a, ("num", Fraction(100)))

    def _pow(self, a: Node, b: Node) -> Number:
        base, exponent = self(a), self(b)
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            power = exponent.numerator
            if isinstance(base, Fraction):
                if abs(power) * _bits(base) <= MAX_BITS:
                    return base**power
                base = self.float(base)
            self._guard_power(base, power)
            return base**power
        return self._real_power(base, exponent)

    def _guard_power(self, base: Number, exponent: Number) -> None:
        if base == 0 or self.mp.isinf(base):
            return
        size = abs(self.mp.mag(base)) + 1
        if abs(self.float(exponent)) * size > MAX_EXPONENT:
            raise TooLarge

    def _real_power(self, base: Number, exponent: Number) -> Number:
        base_float = self.float(base)
        if base_float == 0:
            if self.mp.re(self.float(exponent)) > 0:
                return Fraction(0)
            raise Undefined
        self._guard_power(base_float, exponent)
        # an odd root of a negative number is real, as in school: (-8)^{1/3} = -2
        if (
            isinstance(exponent, Fraction)
            and exponent.denominator % 2 == 1
            and self.mp.im(base_float) == 0
            and base_float < 0
        ):
            magnitude = (-base_float) ** self.float(Fraction(exponent))
            return -magnitude if exponent.numerator % 2 else magnitude
        return base_float ** self.float(exponent)

    def _root(self, degree: Node, a: Node) -> Number:
        order, value = self(degree), self(a)
        if isinstance(value, Fraction) and order == 2 and value >= 0:
            top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
            if top * top == value.numerator and bottom * bottom == value.denominator:
                return Fraction(top, bottom)
        exponent = 1 / order if isinstance(order, Fraction) else 1 / self.float(order)
        return self._real_power(value, exponent)

    def _fact(self, a: Node) -> Number:
        value = self(a)
        if isinstance(value, Fraction) and value.denominator == 1 and value <= 5000:
            return Fraction(math.factorial(value.numerator))
        number = self.float(value)
        if abs(number) > 1e12:
            raise TooLarge
        return self.mp.gamma(number + 1)

    def _binom(self, n: Node, k: Node) -> Number:
        top, bottom = self(n), self(k)
        whole = all(isinstance(x, Fraction) and x.denominator == 1 for x in (top, bottom))
        if whole and 0 <= top <= 5000 and bottom >= 0:
            return Fraction(math.comb(top.numerator, bottom.numerator))
        if abs(self.float(top)) > 1e12 or abs(self.float(bottom)) > 1e12:
            raise TooLarge
        return self.mp.binomial(self.float(top), self.float(bottom))

    def _log(self, base: Node | None, a: Node) -> Number:
        value = self.float(self(a))
        if value == 0:
            raise Undefined
        if base is None:
            return self.mp.log(value) / (self.mp.log(10) if self.log10 else 1)
        bottom = self.float(self(base))
        if bottom in (0, 1):
            raise Undefined
        return self.mp.log(value) / self.mp.log(bottom)

    def _fn(self, name: str, a: Node) -> Number:
        value = self(a)
        if name == "abs":
            return abs(value)
        if name in ("floor", "ceil"):
            number = value if isinstance(value, Fraction) else self.mp.re(value)
            if not isinstance(number, Fraction) and abs(number) > 10**DIGITS:
                raise TooLarge
            nearest = number if isinstance(number, Fraction) else self.mp.nint(number)
            if abs(number - nearest) < 1e-35:
                number = nearest  # \log_2 8
            return Fraction(int(math.floor(number) if name == "floor" else math.ceil(number)))
        number = self.float(value)
        if self.mp.isinf(number):
            raise Undefined
        if name in ("exp", "sinh", "cosh", "tanh", "coth"):
            if abs(number) > MAX_EXPONENT:
                raise TooLarge
        elif number != 0 and self.mp.mag(number) > 400:
            raise TooLarge
        if name == "cis":
            return self.mp.expj(number)
        function = getattr(self.mp, MPMATH_NAMES.get(name, name))
        try:
            return function(number)
        except (ZeroDivisionError, ValueError) as error:  # a pole
            raise Undefined from error

    def _max(self, *sides: Node) -> Number:
        return self._extreme(max, sides)

    def _min(self, *sides: Node) -> Number:
        return self._extreme(min, sides)

    def _extreme(self, choose: Callable, sides: tuple[Node, ...]) -> Number:
        values = [self(side) for side in sides]
        if any(isinstance(value, self.mp.mpc) for value in values):
            raise Undefined
        return choose(values if all(isinstance(value, Fraction) for value in values) else map(self.float, values))

    def _sum(self, variable: str, low: Node, high: Node, body: Node) -> Number:
        return self._series(variable, low, high, body, "sum")

    def _prod(self, variable: str, low: Node, high: Node, body: Node) -> Number:
        return self._series(variable, low, high, body, "prod")

    def _series(self, variable: str, low: Node, high: Node, body: Node, kind: str) -> Number:
        first, last = self(low), self(high)
        if not isinstance(first, Fraction) or first.denominator != 1:
            raise Unsupported("a series that begins between integers")
        if kind == "sum" and last == self.mp.inf:
            return self._endless(variable, first.numerator, body)
        if kind == "sum" and symbols(high) - self.fixed.keys():
            return self._endless(variable, first.numerator, body) + self.float(last)
        if not isinstance(last, Fraction) or last.denominator != 1:
            raise Unsupported("a series that does not end")
        if last - first > MAX_TERMS:
            raise TooLarge
        total: Number = Fraction(0 if kind == "sum" else 1)
        outer = self.fixed
        for index in range(first.numerator, last.numerator + 1):
            self.fixed = {**outer, variable: Fraction(index)}
            term = self(body)
            if not (isinstance(total, Fraction) and isinstance(term, Fraction)):
                total, term = self.float(total), self.float(term)
            total = self.check(total + term if kind == "sum" else total * term)
            if isinstance(total, Fraction) and _bits(total) > MAX_BITS:
                total = self.float(total)
        self.fixed = outer
        return total

    def _endless(self, variable: str, first: int, body: Node) -> Number:
        """A stand-in for an infinite sum: its first terms with fixed random weights. Equal only for equal terms, so two
        such sums can be compared with each other, and with nothing else (see `equality.equal`)."""
        total: Number = self.mp.mpf(0)
        outer = self.fixed
        for index in range(first, first + _ENDLESS_TERMS):
            self.fixed = {**outer, variable: Fraction(index)}
            total += self.float(self(body)) * self.float(_sample(f"weight {index - first}", 2))
        self.fixed = outer
        return total

    def _based(self, digits: str, base: Node) -> Number:
        size = self(base)
        if not digits.isdigit() or size not in range(int(max(digits)) + 1, 37):
            raise Unsupported("no whole number in a base")
        return Fraction(int(digits, int(size)))

    def _pm(self, *_: object) -> Number:
        raise Unsupported("plus-minus stands for two values")


MPMATH_NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsec": "asec", "arccsc": "acsc",
    "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh",
}  # fmt: skip


@lru_cache(maxsize=4)
def context(digits: int):
    import mpmath

    private = mpmath.MPContext()  # a private context: the caller's mpmath precision is left alone
    private.dps = digits
    return private


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def value(
    node: Node,
    point: int = 0,
    digits: int = DIGITS,
    log10: bool = False,
    fixed: Mapping[str, Number] | None = None,
) -> Number:
    """Value of a tree: a `Fraction` where the arithmetic is rational, else an mpmath number. Variables have the values that
    are `fixed`, the others those of sample point `point`.

    Raises:
        TooLarge: the value, or one on the way to it, is beyond every bound.
        Undefined: the expression has no value there.
        Unsupported: it holds something that is not evaluated here.
    """
    try:
        return Evaluator(digits, point, fixed, log10)(node)
    except (OverflowError, ZeroDivisionError, ValueError, RecursionError) as error:
        raise Undefined from error


def too_large(answer: object) -> bool:
    """Whether an answer is one expression beyond every bound: not worth the time of a worker."""
    try:
        value(getattr(answer, "node", ("num", Fraction(0))))
    except TooLarge:
        return True
    except (Undefined, Unsupported):
        return False
    return False


def as_float(number: Number, digits: int = DIGITS) -> Number:
    """An mpmath number; mpmath does not compare or divide fractions."""
    if isinstance(number, Fraction):
        return context(digits).mpf(number.numerator) / number.denominator
    return number


def close(a: Number, b: Number, digits: int = DIGITS) -> bool:
    """Equality of two values up to the last few of `digits` digits."""
    mp = context(digits)
    a, b = as_float(a, digits), as_float(b, digits)
    if mp.isinf(a) or mp.isinf(b):
        return a == b
    return abs(a - b) <= max(abs(a), abs(b)) * mp.mpf(10) ** -(digits - 12)
