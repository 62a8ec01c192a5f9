"""What math-verify parses, compared: values and sides of equations, not digits of the text."""

from fractions import Fraction

import math_verify
import pytest
import sympy
from sympy import Eq, FiniteSet, Float, Function, I, Integer, Matrix, Rational, oo, pi, sqrt, symbols

from trl_dsmath.grading import worker
from trl_dsmath.grading.worker import same_formula
from trl_dsmath.text import normalize

SYSTEM = r"x(t)=c_1 \begin{pmatrix} 1 \\ 2 \end{pmatrix} e^{3t} + c_2 \begin{pmatrix} 1 \\ -1 \end{pmatrix} e^{-t}"


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        # \int_0^1 x dx = 1/2 however the half is written
        (r"\frac12", r"\int_0^1 x dx", True), ("0.5", r"\int_0^1 x dx", True), (r"\frac{1}{2}", r"\int_0^1 x dx", True), ("0.6", r"\int_0^1 x dx", False),
        (r"\frac13", r"\int_0^1 x dx", False), ("e", r"\sum_{n=0}^\infty 1/n!", True), ("e", r"\sum_{n=1}^\infty 1/n!", False), ("1", r"\lim_{x\to 0}\frac{\sin x}{x}", True),
        ("0", r"\lim_{x\to 0}\frac{\sin x}{x}", False), ("0", r"\int_{-1}^1 x\,dx", True), (r"\frac{x^2}{2}", r"\int_0^x t\,\mathrm{d}t", True), (r"\frac{x^2}{3}", r"\int_0^x t\,dt", False),
        (r"10^{-20}\int_0^1 x dx", r"10^{-21}\int_0^1 x dx", False),  # relative, though both are next to nothing
        (r"\int_a^b f(x)\,dx", r"\int_a^b f(t)\,dt", True), (r"\int_a^b f(x)\,dx", r"\int_b^a f(x)\,dx", False),
        # math-verify leaves out what follows: the number in it is missing from what was parsed
        (r"\frac12", r"\int_0^1 x dx \approx 5", False),
        # equations: both sides count
        (r"\cos(2x)=\int_0^1 x dx", r"\sin(2x)=\int_0^1 x dx", False), (r"f(x)=\int_0^x t dt", r"g(x)=\int_0^x t dt", False), (r"f(x)=\int_0^x t dt", r"f(x)=\frac{x^2}{2}", True),
        (r"\int_0^x t dt", r"f(x)=\int_0^x t dt", True), (r"\int_0^x t dt", r"2f(x)=\int_0^x t dt", False), (r"\cos\pi=-1, \sin\pi=0", r"\cos\pi=-1, \sin\pi=3", False),
        # either side first; a set in any order
        (r"y=\int_0^x t dt", r"\frac{x^2}{2}=y", True), (r"y=\int_0^x t dt", r"\frac{x^2}{3}=y", False), (r"\{\int_0^1 x dx, 2\}", r"\{2, 0.5\}", True),
        (r"\{\int_0^1 x dx, 2\}", r"\{2, 0.6\}", False), (r"\{\int_0^1 x dx, 2\}", r"\{2, 0.5, 3\}", False), (r"\{\int_0^1 x dx, 2, 3\}", r"\{2, 0.5\}", False),
        # matrices: every entry counts (math-verify accepts any two equations between matrices)
        (SYSTEM, SYSTEM, True), (SYSTEM, SYSTEM.replace("e^{3t}", "e^{2t}"), False), (SYSTEM, SYSTEM.replace(r"1 \\ 2", r"1 \\ 3"), False), (SYSTEM, SYSTEM.replace("e^{-t}", "e^{t}"), False),
        (SYSTEM, r"c_1 e^{3t} \begin{bmatrix} 1 \\ 2 \end{bmatrix} + c_2 e^{-t} \begin{bmatrix} 1 \\ -1 \end{bmatrix}", True), (SYSTEM, r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", False),
    ],
)  # fmt: skip
def test_same_formula(gold: str, answer: str, same: bool) -> None:
    assert same_formula(normalize(gold), normalize(answer)) is same


def test_what_cannot_be_read_is_not_equal() -> None:
    assert same_formula(r"\oint x dx", r"\oint x dx") is False


x, t, y = symbols("x t y")


def test_what_was_parsed_is_searched_for_the_numbers_of_the_text() -> None:
    """Numerators, denominators, decimals, indices of symbols and of functions; of a matrix those of its entries."""
    assert worker._numbers(Rational(-3, 4) * symbols("a_12") + x) == {0, 1, 3, 4, Fraction(3, 4), 12}
    assert worker._numbers(Float("-0.25") + Function("log2")(y)) == {0, 1, 2, Fraction(1, 4)}
    assert worker._numbers(Matrix([[7, x], [Rational(8, 9), 1]])) == {0, 1, 7, 8, 9, Fraction(8, 9)}


def test_two_constants_are_near_far_or_too_close_to_tell() -> None:
    for other, verdict in ((1, True), (1 + Rational(1, 10**13), True), (1 + Rational(1, 10**9), None)):
        assert worker._same_number(Integer(1), sympy.sympify(other)) is verdict
    assert worker._same_number(Integer(1), 1 + Rational(2, 10**5)) is False
    assert worker._same_number(10**9 * Integer(1), 10**9 + Rational(1, 10**5)) is True  # relative to the larger
    for size in (10**5, 10**12):  # at the limits themselves it is too close to tell
        assert worker._same_number(Integer(size), Integer(size - 1)) is None
    assert worker._same_number(I, -I) is False and worker._same_number(sqrt(2) ** 2, Integer(2)) is True
    for none in (Integer(0), x, oo, Matrix([1])):  # no constant, or one that nothing can be relative to
        assert worker._same_number(none, Integer(1)) is None and worker._same_number(Integer(1), none) is None
    assert worker._number(pi) == pytest.approx(3.141592653589793)


def test_sets_and_equations_part_by_part() -> None:
    one, other = FiniteSet(x, 2), FiniteSet(x, 3)
    assert worker._same(one, one) and not worker._same(one, other) and not worker._same(one, FiniteSet(x))
    assert not worker._same(FiniteSet(x), one) and not worker._same(one, Integer(2))
    assert (
        worker._same(Eq(y, 2 * x), 2 * x) and worker._same(x + x, Eq(y, 2 * x)) and not worker._same(Eq(2 * y, x), x)
    )


def test_the_kernel_ends_a_hard_pair_and_not_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own limits are seconds by the clock, in which a busy machine does less."""
    limits: dict[str, object] = {}
    parse, verify = math_verify.parse, math_verify.verify
    monkeypatch.setattr(math_verify, "parse", lambda *args, **kwargs: limits.update(kwargs) or parse(*args, **kwargs))
    monkeypatch.setattr(
        math_verify, "verify", lambda *args, **kwargs: limits.update(kwargs) or verify(*args, **kwargs)
    )
    assert same_formula(r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k")
    assert limits == {"parsing_timeout": None, "timeout_seconds": None}


def test_names_and_matrices() -> None:
    f = Function("f")
    assert [worker._is_name(side) for side in (y, f(x), x * t, 2 * x, x + t, x**2)] == [True] * 3 + [False] * 3
    assert worker._has_matrix(x * Matrix([[1, 2]])) and not worker._has_matrix(x + 1)
    column, row = Matrix([(x + 1) ** 2, 3]), Matrix([[1, 3]])
    assert worker._same_matrix(column, Matrix([x**2 + 2 * x + 1, 3]))
    assert not worker._same_matrix(column, Matrix([x**2 + 2 * x + 1, 4])) and not worker._same_matrix(column, row)
    assert not worker._same_matrix(column, x) and not worker._same_matrix(x, column)


def test_too_little_memory_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, found in ((ValueError, False), (RecursionError, False), (MemoryError, None)):

        def read(_: str, error: type[Exception] = error) -> None:
            raise error

        monkeypatch.setattr(worker, "_read", read)
        if found is None:
            with pytest.raises(MemoryError):
                same_formula("1", "1")
        else:
            assert same_formula("1", "1") is False
