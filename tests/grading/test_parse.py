"""Trees, shapes and values worked by hand."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trl_dsmath.grading.compare import same_answer
from trl_dsmath.grading.equality import equal, linear, proportional, solves
from trl_dsmath.grading.expressions import FAR, POINTS, TooLarge, Undefined, Unsupported, symbols, too_large, value
from trl_dsmath.grading.latex import parse_expression
from trl_dsmath.grading.rewrite import branches, matrix_cells, rewrite, system_rows
from trl_dsmath.grading.shapes import Group, Items, Matrix, Relation, Union, Value, Words, parse_answer
from trl_dsmath.grading.tokens import resolve, tokenize
from trl_dsmath.text import normalize


def tree(text: str):
    return parse_expression(normalize(text))[0]


@pytest.mark.parametrize(
    ("text", "result", "unit"),
    [
        ("12", "12", ""), ("-3.50", "-7/2", ""), (".5", "1/2", ""), ("1,234", "1234", ""), ("10{,}000", "10000", ""),
        (r"\frac12", "1/2", ""), (r"\frac{3}{4}", "3/4", ""), ("sqrt(9)+1", "4", ""), (r"\frac123", "3/2", ""), (r"\sqrt[3]{8}", "2", ""), (r"3\frac{1}{2}", "7/2", ""), ("3 1/2", "7/2", ""), ("-1/2", "-1/2", ""),
        (r"0.1\overline{6}", "1/6", ""), ("0.(3)", "1/3", ""), ("4.5e3", "4500", ""), (r"2\cdot 10^3", "2000", ""), ("2^{10}", "1024", ""),
        (r"\sqrt{16}", "4", ""), (r"\binom{5}{2}", "10", ""), ("5!", "120", ""), (r"30\%", "3/10", ""), (r"\sum_{k=1}^{4} k^2", "30", ""),
        (r"\prod_{k=1}^{4} k", "24", ""), (r"|-3|", "3", ""), (r"\lfloor 7/2 \rfloor", "3", ""), ("(1+2)(3+4)", "21", ""),
        (r"5\text{ cm}^2", "5", "cm^2"), (r"30^\circ", "30", "degree"), (r"\$6.50", "13/2", "dollar"), ("12个", "12", "个"), ("3万", "30000", ""),
        ("60 km/h", "60", "km/h"), ("2 hours 30 minutes", "5/2", "hours"), ("1.5 million", "1500000", ""),
        ("5 ft 6 in", "11/2", "ft"), ("1 day 2 hours 30 min", "53/48", "day"), ("about 5", "5", ""), (r"2^2^\circ", "4", "degree"), (r"-\$5", "-5", "dollar"), ("共5", "5", ""), (r"25^\circ C", "25", "°C"),
        (r"5\text{ kg}\cdot\text{m}", "5", "kg m"), ("15(个)", "15", "个"), (r"5 \frac{\text{miles}}{\text{hour}}", "5", "miles/hour"), (r"5 /\text{hour}", "5", "/hour"),
    ],
)  # fmt: skip
def test_numbers(text: str, result: str, unit: str) -> None:
    node, found = parse_expression(normalize(text))
    assert value(node) == Fraction(result)
    assert found == unit


@pytest.mark.parametrize(
    "text",
    [
        r"5 \text{ or more}", r"\int_0^1 x dx", "2^^3", "(", r"\frac{1}", "+", "", "at least 5", r"\unknown{3}", "1 2", "2^3^2", r"\sum_{k=1} k", r"\sum^{3} k", "大于5",
        # one more than may be nested, follow each other, or be written out; digits that a base does not have
        "(" * 25 + "1" + ")" * 25, "-" * 26 + "1", "1" + "/1" * 61, "1" + r"\pm 1" * 61, "1!!!!", r"\exp^{-1} 1", r"\sum_{k=1/2}^{3} k", "1" * 4001, "1e4001", "12_{37}", "2_2", "111" + "+1" * 999,
        "2 hours 30 cm", "2 hours 30 apples", r"5\text{cm}-3", r"\sum_{k=1}^{5/2} k", r"\sum_{k=1}^{\sqrt2} k", r"\prod_{k=1}^{\infty} k", "1E_{15}", "1E4001",
        "5/", r"\vec{v", "(1)(1)(1)*" + "(" * 25 + "1" + ")" * 25,
    ],
)  # fmt: skip
def test_unsupported(text: str) -> None:
    with pytest.raises(Unsupported):
        value(tree(text))


def _written(node) -> str:
    """A tree on one line: `(pow x 2)`."""
    if not isinstance(node, tuple):
        return str(node)
    return str(node[1]) if node[0] in ("num", "sym") else "(" + " ".join([node[0], *map(_written, node[1:])]) + ")"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # names: indices, primes, accents, derivatives, values of functions
        ("x_1", "x_1"), ("x_{1}'", "x_1'"), ("f''", "f''"), ("x_1x_2", "(mul x_1 x_2)"), ("y(0)e^{-t}", "(mul y(0) (pow e (neg t)))"), ("e(2)", "(mul e 2)"), ("y(x)", "(mul y x)"), ("y(2)(3)", "(mul y(2) 3)"),
        (r"\dot{x}", "x'"), (r"\dot{AB}", "dot A B"), (r"\ddot{x}", "ddot x"), (r"\hat i", "hat i"), (r"\overline{BA}", "overline A B"), (r"\overline{ba}", "overline b a"),
        (r"\frac{dx}{dt}", "x'"), (r"\frac{dx}{d2}", "(div (mul d x) (mul d 2))"), (r"\frac{dxy}{dt}", "(div (mul d x y) (mul d t))"), (r"\frac{d}{t}", "(div d t)"),
        # how far a sum, a function, a power reaches
        (r"\sum_{k=1}^{3} kx+1", "(add (sum k 1 3 (mul k x)) 1)"), (r"\sum^{3}_{k=1} k", "(sum k 1 3 k)"), (r"\prod_{k=1}^3 2k", "(prod k 1 3 (mul 2 k))"), (r"2\sin x\cos y", "(mul 2 (fn sin x) (fn cos y))"),
        (r"\sin 2xy", "(fn sin (mul 2 x y))"), (r"\sin x+1", "(add (fn sin x) 1)"), (r"\sin(x)y", "(mul (fn sin x) y)"), (r"\sin(x)^2", "(pow (fn sin x) 2)"), (r"\sin^2 x^3", "(pow (fn sin (pow x 3)) 2)"),
        (r"\sin^{-1} x", "(fn arcsin x)"), (r"\sin x^\circ", "(fn sin (mul x (div pi 180)))"), (r"\sin(30^\circ+x)", "(fn sin (add (mul 30 (div pi 180)) x))"), (r"\log_2 8x", "(log 2 (mul 8 x))"), (r"\log_2(8)x", "(mul (log 2 8) x)"),
        (r"\log^2 x", "(pow (log None x) 2)"), (r"\ln|x|", "(log e (fn abs x))"), ("x^2!", "(fact (pow x 2))"), ("x!^2", "(pow (fact x) 2)"), (r"3\%^2", "(pow (pct 3) 2)"), ("-x^2", "(neg (pow x 2))"), ("x^{y^z}", "(pow x (pow y z))"),
        # what TeX takes without braces is one token, and no mixed number
        (r"\frac12x", "(mul (div 1 2) x)"), (r"\frac1{2}x", "(mul (div 1 2) x)"), (r"\frac12\frac34", "(mul (div 1 2) (div 3 4))"), (r"\frac123", "(mul (div 1 2) 3)"), (r"\sqrt12", "(mul (root 2 1) 2)"), (r"\sqrt[3]2x", "(mul (root 3 2) x)"),
        (r"\binom52\frac12", "(mul (binom 5 2) (div 1 2))"), (r"x^2\frac{1}{2}", "(mul (pow x 2) (div 1 2))"), (r"x^-2\frac12", "(mul (pow x (neg 2)) (div 1 2))"), (r"\log_2\frac18", "(log 2 (div 1 8))"), (r"\sum_{k=1}^3\frac12", "(sum k 1 3 (div 1 2))"),
        (r"2\frac{1}{x}", "(mul 2 (div 1 x))"), (r"\frac{d5}{dx}", "(div (mul d 5) (mul d x))"), (r"\hat x", "hat x"), (r"2\frac{1}{0}", "(mul 2 (div 1 0))"), (r"2\frac{3}{1}", "5"), ("x_{1", "x_1"), ("x_{ab}+1", "(add x_ab 1)"), (r"2\frac12", "5/2"), (r"2\frac{1}{2}x", "(mul 5/2 x)"), (r"2\frac{x}{2}", "(mul 2 (div x 2))"), (r"2\frac1x", "(mul 2 (div 1 x))"), ("2 1/2", "5/2"), (r"5_2\frac12", "(mul (based 5 2) (div 1 2))"), ("012_3", "(based 12 3)"),
        # bars, signs, products, quotients
        ("|x|y|z|", "(mul (fn abs x) y (fn abs z))"), ("(|x|)|y|", "(mul (fn abs x) (fn abs y))"), ("|x-(|y|)|", "(fn abs (add x (neg (fn abs y))))"), (r"2\pm 3\mp 4", "(pm mp (pm pm 2 3) 4)"), (r"\mp x", "(pm mp 0 x)"),
        ("2--3", "(add 2 (neg (neg 3)))"), ("-+5", "(neg 5)"), ("2/3/4", "(div (div 2 3) 4)"), (r"2\cdot3/4x", "(mul (div (mul 2 3) 4) x)"), ("a/bc", "(div a (mul b c))"), ("2(3)(x)", "(mul 2 3 x)"), ("[x]{y}", "(mul x y)"),
        (r"\lfloor x+1\rfloor y", "(mul (fn floor (add x 1)) y)"), (r"\lceil x\rceil^2", "(pow (fn ceil x) 2)"), (r"\infty-1", "(add (inf) (neg 1))"), (r"\imath x", "(mul i x)"),
    ],
)  # fmt: skip
def test_trees(text: str, written: str) -> None:
    assert _written(tree(text)) == written


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}", True), ("(x+1)(x-1)", "x^2-1", True), ("(x+1)^2", "x^2+1", False),
        (r"\sin^2 x+\cos^2 x", "1", True), (r"\sin(30)^\circ", r"\frac12", True), (r"\sin(30)^2", r"\frac14", False), (r"e^{i\pi}", "-1", True), ("2^{-99}", "2^{-98}", False), (r"\sinx", r"\sin x", True), ("2sinx", r"2\sin x", True), ("1/2004!", "1/2006!", False),
        ("2004!-1", "2004!", False), ("0", r"\sqrt2\sqrt3-\sqrt6", True), (r"\sqrt[3]{-8}", "-2", True), (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2", True),
        ("10^{10^{10}}", "10^{10^{10}}", True), (r"|x-3|", "3-x", False), (r"\log_2 8", "3", True), (r"\log 100", "2", True), (r"\ln 100", "2", False),
        (r"\tan^{-1} 1", r"\frac{\pi}{4}", True), (r"\sin 30^\circ", "1/2", True), ("a/b", "ab^{-1}", True), ("x^{1/2}", r"\sqrt x", True),
        # the second precision decides: equal to 38 digits, and next to nothing without being nothing
        (r"\sqrt2", r"\sqrt2+10^{-45}", False), (r"10^{-60}\sqrt2", r"10^{-61}\sqrt2", False), (r"10^{-60}\sqrt2", "0", False), (r"\sqrt{3+2\sqrt2}-1-\sqrt2", "0", True),
        (r"10^{-61}\sqrt2", "0", False), (r"1+10^{-70}\sqrt2-1", "0", False), (r"\sqrt2\sqrt5-\sqrt{10}", "0", True),
        ("123456789012345678", "123456789012345679", False), (r"\frac{1}{0}", "5", False), (r"\sinh x", r"\frac{e^x-e^{-x}}{2}", True),
    ],
)  # fmt: skip
def test_equal(one: str, other: str, same: bool) -> None:
    assert equal(tree(one), tree(other)) is equal(tree(other), tree(one)) is same


def test_digits_are_smaller_than_their_base() -> None:
    assert parse_expression("01E_{15}") == (("based", "1E", ("num", Fraction(15))), "")
    assert parse_expression("1E_{14}")[0][0] != "based"


def test_degrees_behind_a_function_are_a_unit_again() -> None:
    assert parse_expression(normalize(r"\sin(30^\circ)+40^\circ"))[1] == "degree"
    assert parse_expression(normalize(r"\sin(30^\circ+40^\circ)"))[1] == ""


def test_a_chain_of_sixty_is_read() -> None:
    assert tree("1" + r"\pm 1" * 60)[0] == "pm"
    with pytest.raises(Unsupported, match="too long a chain"):
        tree("1" + r"\pm 1" * 61)


@pytest.mark.parametrize(
    "text",
    [
        "9^{9^{9^9}}",
        r"((((9!)!)!)!)!",
        r"10^{10^{10}}+1",
        r"\sum_{k=1}^{1000000000} k",
        r"\tan(10^{1000000})",
        r"\exp(10^{10^{10}})",
        r"\sum_{k=1}^{2000}\sum_{j=1}^{2000} 1",
        r"\sum_{k=1}^{2000} 2^{20000}",
    ],
)
def test_too_large_is_refused_and_not_computed(text: str) -> None:
    with pytest.raises(TooLarge):
        value(tree(text))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0!", "1"), ("1!", "1"), ("0^0", "1"), ("(-2)^3", "-8"), ("2^{-3}", "1/8"), (r"0^{1/2}", "0"), (r"\sqrt{4/9}", "2/3"),
        (r"\binom{5}{0}", "1"), (r"\binom{0}{0}", "1"), (r"\binom{2}{5}", "0"), (r"\lfloor -7/2 \rfloor", "-4"),
        (r"\lceil 7/2 \rceil", "4"), (r"\lfloor \sqrt2 \rfloor", "1"), (r"\lfloor \sqrt{17}\sqrt{17} \rfloor", "17"), (r"\lceil \sqrt{5}\sqrt{5} \rceil", "5"), (r"\lceil \sqrt2 \rceil", "2"), (r"\lfloor \log_{10} 10000000 \rfloor", "7"), (r"|2-5|", "3"),
        (r"\sum_{k=5}^{4} k", "0"), (r"\prod_{k=5}^{4} k", "1"), (r"\sum_{k=-1}^{1} (k+3)", "9"), (r"\prod_{k=3}^{3} k", "3"),
        (r"\sum_{k=1}^{2001} 1", "2001"), (r"\sum_{k=1}^{3}\sum_{j=1}^{k} j", "10"), ("300%", "3"), ("-(1-3)", "2"),
        ("(" * 24 + "1" + ")" * 24, "1"), ("-" * 25 + "1", "-1"), ("1" + "/1" * 60, "1"), ("1!!!", "1"), ("(1)" * 30, "1"), ("1" + r"\cdot -1" * 30, "1"), ("1" * 4000, "1" * 4000), ("1e4000", "1" + "0" * 4000),
        (r"3\frac12+1", "9/2"), (r"3\frac{1}{2}+1", "9/2"), ("3 1/2+1", "9/2"), (r"-3\frac{1}{2}", "-7/2"), (r"2\frac{100000}{100000}", "3"), (r"2\frac{1000000}{100000}", "20"),
        (r"0.\dot{3}", "1/3"), (r"1.2\overline{34}", "611/495"), ("0.(36)", "4/11"), (r"-.1\overline{3}", "-2/15"), ("101_2", "5"), ("77_8", "63"), ("10_{36}", "36"), ("11" + "+1" * 999, "1010"), (r"4\cdot -2", "-8"), ("4.5E-2", "9/200"),
        ("|1-3|*|2|", "4"), ("2|3|", "6"), (r"\frac{1}{2}3", "3/2"), ("[2+3]*2", "10"), (r"6\div 3", "2"), ("(1)(1)(1)*" + "(" * 24 + "1" + ")" * 24, "1"), ("2 dozen", "24"), ("3亿", "300000000"), ("2^-3", "1/8"), ("2^+3", "8"), ("30 percent", "3/10"), ("5 hundred", "500"), ("3 thousand", "3000"),
    ],
)  # fmt: skip
def test_exact_values_at_the_edges(text: str, result: str) -> None:
    found = value(tree(text))
    assert isinstance(found, Fraction) and found == Fraction(result)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (r"\sqrt2", 1.4142135623730951), (r"\sqrt[3]{-8}", -2), (r"(-8)^{2/3}", 4), (r"(-8)^{1/3}", -2), (r"2^{1/2}", 1.4142135623730951),
        (r"\ln 2", 0.6931471805599453), (r"\log_2 10", 3.3219280948873623), (r"\log_{1/2} 8", -3), (r"\arcsin 1", 1.5707963267948966),
        (r"\coth 1", 1.3130352854993312), (r"0.5!", 0.886226925452758), (r"\binom{1/2}{2}", -0.125), (r"\tan 1", 1.5574077246549023),
        (r"\sin^2 30^\circ", 0.25), (r"\sin(30^\circ)", 0.5), (r"\cos(60^\circ)^2", 0.25), (r"2\sin 30^\circ\cos 60^\circ", 0.5), (r"\log_2^2 8", 9), (r"\ln^2 e", 1), (r"\ln e^2", 2),
        (r"\binom{-1}{2}", 1), (r"\sum_{k=1}^{2}\sqrt{k}", 2.414213562373095), (r"\log 100", 4.605170185988092), (r"\sqrt2+\infty", float("inf")), (r"\lg 1000", 3), (r"\sin^{-1} 1", 1.5707963267948966), (r"\sqrt[3]{27}", 3), ("e^2", 7.38905609893065), ("2sqrt2", 2.8284271247461903), (r"\sin\frac{\pi}{2}", 1),
    ],
)  # fmt: skip
def test_values_at_fifty_digits(text: str, about: float) -> None:
    assert float(value(tree(text))) == pytest.approx(about, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [r"\frac{1}{0}", "(-1)!", "0^{-1}", r"0^{-1/2}", r"\ln 0", r"\cot 0", r"\log_1 5", r"\log_0 5", r"\sqrt[0]{2}", r"\frac{1}{1-1}", r"\sin\infty", r"\infty-\infty", r"\frac{\infty}{\infty}", r"\max(i, 1)"],
)  # fmt: skip
def test_undefined(text: str) -> None:
    with pytest.raises(Undefined):
        value(tree(text))


@pytest.mark.parametrize(
    ("largest", "larger", "exact"),
    [
        (r"\sum_{k=1}^{2001} k", r"\sum_{k=1}^{2002} k", True), ("(10^{12})!", "(10^{12}+1)!", False), (r"\lfloor 7\cdot 10^{49}\sqrt2 \rfloor", r"\lfloor 10^{50}\sqrt2 \rfloor", True),
        (r"\binom{10^{12}}{2/3}", r"\binom{10^{12}+1}{2/3}", False), (r"\binom{2/3}{10^{12}}", r"\binom{2/3}{10^{12}+1}", False), (r"\sin 2^{399}", r"\sin 2^{400}", False),
        (r"\sqrt2\cdot 2^{400}+\sqrt2", r"\sqrt2\cdot 2^{401}+\sqrt2", False),  # of 200 digits nothing would be left
        (r"2^{375299968947541}\cdot 2^{375299968947541}\cdot 2^{375299968947541}", r"2\cdot 2^{375299968947541}\cdot 2^{375299968947541}\cdot 2^{375299968947541}", False),
        ("2^{375299968947541}", "2^{375299968947542}", False),  # three bits times the exponent: 2^50 and no more
    ],
)  # fmt: skip
def test_what_is_just_too_large(largest: str, larger: str, exact: bool) -> None:
    assert isinstance(value(tree(largest)), Fraction) is exact
    with pytest.raises(TooLarge):
        value(tree(larger))


@pytest.mark.parametrize(
    ("last", "next_one"),
    [
        ("5000!", "5001!"), (r"\binom{5000}{2}", r"\binom{5001}{2}"), ("2^{20000}", "2^{20001}"),
        (r"2^{20000}\cdot 2^{20000}\cdot 2^{19996}", r"2^{20000}\cdot 2^{20000}\cdot 2^{19997}"),  # 60,000 bits of both factors
        (r"\prod_{k=1}^{3} 2^{19999}", r"\prod_{k=1}^{3} 2^{20000}"), (r"\sum_{k=1}^{2} 2^{20000}", r"\sum_{k=1}^{2} 2^{20001}"),
    ],
)  # fmt: skip
def test_the_last_that_is_exact(last: str, next_one: str) -> None:
    assert isinstance(value(tree(last)), Fraction) and not isinstance(value(tree(next_one)), Fraction)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"\sqrt{x^2}", "x", True), ("|x|", "x", False), (r"\sqrt{x^2}", "|x|", True), ("(x^3)^{1/3}", "x", True),
        (r"\log x", r"\frac{\ln x}{\ln 10}", True), (r"\log x", r"\ln x", True), (r"\log_2 x", r"\frac{\ln x}{\ln 2}", True),
        (r"\ln x", r"\frac{\ln x}{\ln 10}", False), (r"\log_3 x", r"\log_2 x", False), ("x", "y", False), ("x+y", "y+x", True),
        (r"\frac{1}{x-x}", r"\frac{1}{y-y}", False), (r"\frac{x^2}{x}", "x", True), (r"\frac{1}{0}", r"\frac{1}{0}", False),
        (r"\sum_{n=1}^\infty \frac{1}{n^2}", r"\sum_{k=1}^\infty k^{-2}", True), (r"\sum_{n=1}^\infty \frac{1}{n^2}", r"\sum_{n=1}^\infty \frac{1}{n^3}", False),
        (r"\sum_{n=1}^\infty \frac{1}{n^2}", r"\sum_{n=2}^\infty \frac{1}{n^2}", False), (r"\sum_{k=1}^n k", r"\sum_{j=1}^n j", True),
        (r"\sum_{k=1}^x k", r"\sum_{j=1}^x j", True), (r"\sum_{k=1}^x k", r"\sum_{j=1}^y j", False),
        (r"\sum_{k=1}^n k", r"\sum_{k=1}^m k", False), (r"\sum_{k=1}^{9} k", "45", True),
        # an odd function at both signs; what an absolute value hides near 0
        (r"\arctan x+\arctan\frac{1}{x}", r"\frac{\pi}{2}", False), (r"\arctan x+\arctan\frac{1}{x}+x^2", r"\frac{\pi}{2}+x^2", False), ("|20-x|+20-x", "40-2x", False),
        # at integers: powers of i, bounds of sums, floors; where nothing can be compared nothing is equal
        ("i^{4n}", "1", True), ("i^{2n}", "1", False), (r"\frac{(-1)^n}{n-n}", r"\frac{(-1)^n}{n-n}", False), ("(-1)^n n^{9^{9^n}}", "(-1)^n n", False), (r"\sum_{k=1}^n\sum_{j=1}^k j", r"\frac{n(n+1)(n+2)}{6}", True),
        (r"\sum_{j=1}^n 1+\sum_{j=1}^m 1+\sum_{j=1}^k 1+\sum_{j=1}^N 1", "n+m+k+N", True), (r"\lfloor n+m+k+N+\frac12\rfloor", "n+m+k+N", True), (r"\lfloor\frac{n}{100}\rfloor", "0", False),
        (r"\lfloor\frac{n}{n-n}\rfloor", r"\lfloor\frac{n}{n-n}\rfloor", False),
    ],
)  # fmt: skip
def test_equal_for_all_values_of_the_variables(one: str, other: str, same: bool) -> None:
    assert equal(tree(one), tree(other)) is equal(tree(other), tree(one)) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\sum_{n=1}^\infty \frac{1}{n^2}", r"\frac{\pi^2}{6}"),
        (r"\sum_{k=1}^x k", r"\frac{x(x+1)}{2}"),
        (r"\sum_{k=0}^\infty 2^{-k}+\sum_{k=1}^n k", r"2+\frac{n(n+1)}{2}"),
    ],
)
def test_an_endless_sum_is_not_compared_with_its_value_here(one: str, other: str) -> None:
    for pair in ((one, other), (other, one)):
        with pytest.raises(Unsupported):
            equal(*map(tree, pair))


def test_proportional() -> None:
    assert proportional(tree("2x+2y-2"), tree("x+y-1"))
    assert not proportional(tree("x+y+1"), tree("x+y-1"))
    assert not proportional(tree("-x"), tree("x"), positive=True)
    assert proportional(tree("-x"), tree("x")) and proportional(tree("2x"), tree("x"), positive=True)
    assert proportional(tree("ix"), tree("x")) and not proportional(tree("ix"), tree("x"), positive=True)
    assert not proportional(tree("x-x"), tree("y-y")) and not proportional(tree("x-x"), tree("y"))
    assert not proportional(tree(r"\sqrt2 x"), tree("x^2")) and proportional(tree(r"\sqrt2 x"), tree("x"))
    assert not proportional(tree(r"\frac{1}{x-x}"), tree("x"))
    assert proportional(tree("x"), tree("2x"), positive=True)
    assert not proportional(tree("-x"), tree("2x"), positive=True)
    assert proportional(tree("|x|-x"), tree("2|x|-2x")) and not proportional(tree("|x|-x"), tree("|y|-y"))


def test_an_identity_solves_nothing() -> None:
    curve = tree(r"\frac{3}{x}")
    assert solves(("sym", "y"), curve, tree("xy-3"))
    assert not solves(("sym", "y"), curve, tree("xy-yx"))
    assert not solves(("sym", "y"), curve, tree("xy-4")) and not solves(("sym", "y"), curve, tree(r"xy-\pi"))
    assert not solves(("sym", "y"), tree("3"), tree("y-3"))  # a number is no curve
    assert not solves(("sym", "y"), tree(r"\frac{3}{x}+y-y"), tree("xy-3"))
    assert not solves(("sym", "y"), tree(r"\sqrt{x}"), tree("y^2-x"))  # one branch of two
    assert not solves(("sym", "y"), tree("x^{1/2}"), tree("y^2-x"))
    assert not solves(("sym", "y"), curve, tree("x-3"))
    assert not solves(("num", Fraction(1)), curve, tree("xy-3"))
    assert not solves(("sym", "y"), tree(r"\frac{3}{x-x}"), tree("xy-3"))


def test_variables_are_tried_with_both_signs() -> None:
    values = [[value(("sym", name), point) for name in "abcdfghj"] for point in [*range(POINTS), *FAR]]
    one, other, both = {True}, {False}, {True, False}
    assert [{number > 0 for number in row} for row in values] == [
        one,
        one,
        one,
        other,
        both,
        one,
        one,
        other,
        both,
        both,
    ]
    assert len({number for row in values for number in row}) == 8 * len(values)
    assert min(values[2]) > 4 and max(map(abs, values[1])) < 1  # far from 1 on both sides
    assert min(abs(number) for point in FAR for number in values[point]) > 900 and min(values[6]) > 900_000


def test_symbols_leave_out_constants_and_bound_variables() -> None:
    assert symbols(tree(r"a e^{i\pi x}+\sum_{k=1}^{3} k b")) == {"a", "x", "b"}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("12", Value), ("1,234", Value), ("1,2,3", Items), ("5;10", Items), ("(1,2)", Group), ("[0,1)", Group), (r"\{1,2\}", Group),
        (r"(-\infty,2)\cup(3,\infty)", Union), ("x=5", Relation), (r"1<x\le 3", Relation), (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", Matrix),
        (r"\text{Monday}", Words), (r"x<-2 \text{ or } x>5", Union), ("3:4", Group), ("1331 and 1728", Items), (r"\{x \mid x>2\}", Relation),
    ],
)  # fmt: skip
def test_shapes(text: str, shape: type) -> None:
    assert isinstance(parse_answer(normalize(text)), shape)


def _show(answer) -> str:
    """An answer's parts: `[1, 2]` is a list, `[1; 2]` an ordered one, `'x'` words."""
    match answer:
        case Value():
            number = str(answer.node[1]) if answer.node[0] == "num" else answer.text or "?"
            return f"{number} {answer.unit}".rstrip()
        case Words():
            return f"'{answer.text}'"
        case Items():
            return "[" + ("; " if answer.ordered else ", ").join(map(_show, answer.items)) + "]"
        case Group():
            return f"{answer.opening}{', '.join(map(_show, answer.items))}{answer.closing}"
        case Union():
            return " U ".join(map(_show, answer.parts))
        case Relation():
            return "".join(
                part for pair in zip(map(_show, answer.parts), [*answer.signs, ""], strict=True) for part in pair
            )
        case Matrix():
            return " / ".join(" ".join(map(_show, row)) for row in answer.rows)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("5; 10", "[5; 10]"), ("(1) 5; (2) 10", "[5; 10]"), ("(1;2)", "(1, 2)"), ("[1;2]", "[1, 2]"), ("1, 2 and 3", "[1, 2, 3]"), ("1 or 2", "[1, 2]"),
        (r"x<-2 \text{ or } x>5", "x<-2 U x>5"), ("1,", "1"), ("1;", "1"), (r"2 \text{ and } (3,4)", "[2, (3, 4)]"),
        ("5 nickels, 7 dimes", "['nickel'=5, 'dime'=7]"), ("5 nickels, 7 nickels", "[5 nickels, 7 nickels]"),
        ("5 feet, 4 inches", "? feet"), ("4 inches, 5 feet", "[4 inches, 5 feet]"), ("5 feet, 4 pounds", "[5 feet, 4 pounds]"),
        ("x = 1, 2", "x=[1, 2]"), ("x=1, y=2", "[x=1, y=2]"), (r"\begin{cases} x=1 \\ y=2\end{cases}", "[x=1, y=2]"),
        ("x <= 3", "x<=3"), ("1 < x >= 3", "1<x>=3"), ("a < ", "'a <'"), (r"x \in (1,2)", "xin(1, 2)"), ("(x=1)", "x=1"),
        (r"\{1\}", "{1}"), (r"\{\}", "{}"), ("()", "'()'"), ("(5)", "5"), ("[5]", "5"), ("{5}", "5"), ("(1,2", "'(1,2'"),
        (r"\langle 1,2\rangle", "<1, 2>"), ("(1,2), (3,4)", "[(1, 2), (3, 4)]"), (r"[0,1] \cup (2,3]", "[0, 1] U (2, 3]"),
        ("1,234", "1234"), ("(1,234)", "(1, 234)"), (r"\{1,234\}", "{1, 234}"), ("118 000", "118000"), ("0.333...", "333/1000"),
        (r"1, 5 \pmod 6", "mod[1, 5], 6"), ("3:00 pm", ":3, 0pm"), ("1:2:3:4", ":1, 2, 3, 4"), ("1:2:3:4:5", "'1:2:3:4:5'"),
        (r"A \setminus B", "setminusA, B"), (r"2\langle 1, x\rangle", "<?, ?>"), (r"3\begin{pmatrix}x&1\\2&x\end{pmatrix}", "? ? / ? ?"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "1 2 / 3 4"), ("P(2,3)", "P=(2, 3)"), ("length 12 cm, width 5 cm", "['length'=12 cm, 'width'=5 cm]"),
        ("Length 12 cm, Width 5 cm", "['length'=12 cm, 'width'=5 cm]"), ("5 Nickels, 7 Dimes", "['nickel'=5, 'dime'=7]"), ("3:00 P.M.", ":3, 0pm"), (r"1 \text{ AND } 2", "[1, 2]"),
        (r"1 \le x < = 3", "1<=x<=3"), ("{1,234}", "1234"), ("{1,2}", "[1, 2]"), ("[[1,2],[3,4]]", "1 2 / 3 4"), ("[[1,2],[3]]", "[[1, 2], 3]"), ("[[1,2],(3,4)]", "[[1, 2], (3, 4)]"),
        (r"2\langle 1, (1,2)\rangle", "<?, (1, 2)>"), (r"\foo{2}\begin{pmatrix}1\end{pmatrix}", r"'\foo{2}\begin{pmatrix}1\end{pmatrix}'"), ("f(1,2)+f(3,4)", "'f(1,2)+f(3,4)'"), (r"(1, \text{a}) + (1,2)", r"'(1, \text{a}) + (1,2)'"),
        (r"\foo{2}(1,2) + (3,4)", r"'\foo{2}(1,2) + (3,4)'"), ("(1,2)+(3,4)", "(?, ?)"), ("((1,2)", "'((1,2)'"), ("(1,2))", "'(1,2))'"), (r"2\begin{pmatrix}1&2\\3&4\end{pmatrix}+\begin{pmatrix}1&2\\3&4\end{pmatrix}", "? ? / ? ?"),
        ("1,,2", "[1, 2]"), (r"1 \text{ and } \text{ and } 2", "[1, 2]"), (",5", "5"), (",", "''"), (r"\text{and } 5", r"'\text{and } 5'"),
        (r"\{x \mid x>2\}", "x>2"), (r"\{n\pi : n \in \Z\}", r"{|n\pi, nin'\Z'}"), (r"\text{5}", "5"), ("(" * 14 + "1" + ")" * 14, "1"),
    ],
)  # fmt: skip
def test_parts_of_a_shape(text: str, parts: str) -> None:
    assert _show(parse_answer(normalize(text))) == parts


def test_twelve_steps_inward_are_read() -> None:
    def levels(answer) -> int:
        return 1 + max(map(levels, getattr(answer, "items", ())), default=0)

    # A bracket is one step, and so is the list in it; what is deeper stays words.
    nested = (
        (r"\{", r"\}", 13 + 1),
        (r"\{", r", x\}", 7 + 1),
        ("(", ", x)", 6 + 1),
        ("(", " or x)", 6 + 1),
        ("(", "; x)", 6 + 1),
    )
    for opening, closing, found in nested:
        assert levels(parse_answer(opening * 20 + "1" + closing * 20)) == found
    sets = "x>2"
    for _ in range(13):
        sets = rf"\{{x \mid {sets}\}}"
    assert _show(parse_answer(sets)).startswith("{'") and _show(parse_answer("{" * 13 + "1" + "}" * 13)) == "'1'"


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("3 (mod 7)", r"3 \pmod 7"), (r"x \equiv 3 \pmod{7}", r"3 \pmod 7"), ("7 R 3", r"7; \text{remainder}; 3"), ("8……2", r"8; \text{remainder}; 2"),
        ("2:30 p.m.", "2:30 pm"), ("3 PM", "3:00 pm"), (r"1 + x + \dots", "1 + x"), ("C_5^2", r"\binom{5}{2}"), ("C_1^2", "C_1^2"), ("C_2^2", "C_2^2"),
        ("C_3^3", r"\binom{3}{3}"), ("C_3^4", "C_3^4"), ("C_{n}^{k}", r"\binom{n}{k}"), ("C_{5}^{k}", "C_{5}^{k}"), ("]0, 1]", "(0, 1]"), ("[0,1[", "[0,1)"), ("]0,1[", "(0,1)"),
        ("[0,1]", "[0,1]"), ("(5 4)(3 1 2)", r"\text{permutation }(1 2 3)(4 5)"), ("1010 base two", "1010_{2}"), (r"12_{\text{seven}}", "12_{7}"), (r"12_{\text{ten}}", "12_{10}"),
        (r"12_{\text{two}}", "12_{2}"), (r"12_{\text{twelve}}", "12_{12}"), ("(12)_5", "12_5"), (r"(\text{a}3)_{16}", "A3_{16}"), ("3 out of 4", "3/4"), ("3 to 4", "3:4"),
        (r"\text{the answer is 5}", "5"), (r"\text{the year } 2024", "2024"), (r"\text{The value of x is } 5", "5"), (r"5 \mu\text{m}", r"5 \text{µm}"),
        (r"5 \text{ k}\Omega", r"5 \text{kΩ}"), (r"5\Omega", r"5 \text{Ω}"), ("9.8 m/s^2", r"9.8 \text{ m/s^2}"), ("根号{x}", r"\sqrt{x}"), ("12 N-m", r"12 \text{N m}"),
        ("63^\\circ 45'", r"(63 + 45/60 + 0/3600)^\circ"), ("(1) 5 (2) 7", "5; 7"), ("(a) 5, (b) 7", "5; 7"), ("(i) 1 (ii) 2 (iii) 3 (iv) 4 (v) 5", "1; 2; 3; 4; 5"),
        ("(1) 1 (2) 2 (3) 3 (4) 4 (5) 5 (6) 6 (7) 7 (8) 8 (9) 9", "1; 2; 3; 4; 5; 6; 7; 8; 9"), ("(a) 5", "(a) 5"), ("(1) 5 (3) 7", "(1) 5 (3) 7"), ("5 (1) 6 (2)", "5 (1) 6 (2)"),
        ("(1,2)^T", "(1,2)"), (r"\text{x and y}", r"\text{x} and \text{y}"), ("P: (1,2)", "P(1,2)"), ("0.10200000000000001", "0.102"), ("0.12345678910000001", "0.1234567891"), ("0.12345678901000001", "0.12345678901000001"), (r"\frac1x \text{ where } x \neq 0", r"\frac1x, x \neq 0"),
        (r"\frac1x (x \neq 0)", r"\frac1x, x \neq 0"), (r"2n, n \text{ is an integer}", r"2n, n \in \Z"), (r"\text{3 apples}", "3 apples"),
    ],
)  # fmt: skip
def test_rare_forms_are_rewritten(text: str, rewritten: str) -> None:
    assert " ".join(rewrite(normalize(text)).split()) == rewritten


def test_rows_of_environments() -> None:
    two = r"\begin{pmatrix}1&2\\ \hline 3&4\\ \end{pmatrix}"
    assert matrix_cells(normalize(two)) == [["1", "2"], ["3", "4"]]
    assert matrix_cells(normalize(r"\left(\begin{array}{cc}1&2\end{array}\right)")) == [["1", "2"]]
    assert matrix_cells(r"\begin{pmatrix}1&2\\3\end{pmatrix}") is matrix_cells("1&2") is None
    rows = r"\\".join(["1&2"] * 200)  # 400 cells are read, 402 are not
    assert len(matrix_cells(rf"\begin{{matrix}}{rows}\end{{matrix}}") or "") == 200
    assert matrix_cells(rf"\begin{{matrix}}{rows}\\1&2\end{{matrix}}") is None
    assert system_rows(r"\begin{aligned} x&=1 \\ &y=2;\\ \end{aligned}") == ["x=1", "y=2"]
    assert system_rows(r"\begin{aligned} 1 \\ 2\end{aligned}") == ["1", "2"]
    assert system_rows(r"\begin{cases} 1 \\ 2\end{cases}") is system_rows("x=1") is None
    cases = r"\begin{cases} x & \text{if } x>0 \\ 0 & \text{otherwise}\end{cases}"
    assert branches(cases) == [("x", "x>0"), ("0", r"\text{otherwise}")] and system_rows(cases) is None
    no_function = [r"\begin{cases} x & x>0 \end{cases}", r"\begin{cases} x=2 & x>0 \\ 1 & x<0\end{cases}", r"\begin{cases} x & 1 \\ 2 & x>0\end{cases}", r"\begin{gathered} x & x>0 \\ 0 & x<0\end{gathered}", r"\begin{aligned} x & =2 \\ 0 & =3\end{aligned}"]  # fmt: skip
    assert [branches(text) for text in no_function] == [None] * 5


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # one letter in `\text` is a variable, or a unit behind a number; i and e are numbers everywhere
        (r"\text{x}", "sym x"), (r"5\text{m}", "num 5, text m"), (r"5\text{i}", "num 5, sym i"), (r"\text{元}", "text 元"), (r"\text{7}", "text 7"), (r"\text{alpha}", "text alpha"),
        # short words are units behind a number, and products elsewhere; four letters are a word, unless they are capitals
        ("5km", "num 5, text km"), ("x km", "sym x, sym k, sym m"), ("(3)km", "op (, num 3, op ), text km"), ("5 sq ft", "num 5, text sq, text ft"), ("5 kWh", "num 5, text kWh"), ("5 mph", "num 5, text mph"),
        ("abc", "sym a, sym b, sym c"), ("abcd", "text abcd"), ("ABCD", "sym A, sym B, sym C, sym D"), ("usd", "text usd"), ("or", "text or"), ("north", "text north"),
        ("t/RC", "sym t, op /, op (, sym R, sym C, op )"), (r"5\text{kg}/RC", "num 5, text kg, op /, sym R, sym C"),
        # names of functions and Greek letters, and what is glued to them
        ("sinx", "fn sin, sym x"), ("sinxy", "text sinxy"), ("2sqrt3", "num 2, cmd sqrt, num 3"), (r"\cotx", "fn cot, sym x"), ("pie", "cmd pi, sym e"), ("alpha", "sym alpha"), ("eta", "sym e, sym t, sym a"), ("infinity", "cmd infinity"),
        # numbers in words behind a number
        ("3dozen", "num 3, op *, num 12"), ("2万3", "num 2, op *, num 10000, num 3"), ("5 percent", "num 5, op %"), ("percent", "text percent"),
        ("3 Million", "num 3, op *, num 1000000"), ("5 Percent", "num 5, op %"), ("Two", "text Two"), ("beta", "sym beta"), ("5 sec ", "num 5, text sec"), ("5 ", "num 5"),
        ("5 GRAMS", "num 5, text GRAMS"), ("5dev", "num 5, sym d, sym e, sym v"), ("5 MPH", "num 5, text MPH"), ("5 SQ FT", "num 5, text SQ, text FT"), ("OR", "text OR"), ("5 gal", "num 5, text gal"),
        ("1,234.5", "num 1234.5"), ("4e+7", "num 4e+7"), ("4e+7p", "num 4, sym e, op +, num 7, sym p"), ("0.(36)", "rep 0.(36)"),
    ],
)  # fmt: skip
def test_tokens(text: str, tokens: str) -> None:
    assert ", ".join(f"{kind} {value}" for kind, value in tokenize(text)) == tokens


def test_units() -> None:
    assert resolve("cm^2") == ((("length", 2),), Fraction(1, 10_000))
    assert resolve("square feet") == resolve("ft^2") == resolve("sq ft")
    assert resolve("km/h") == resolve("km per hour")
    assert resolve("m s^-1") == resolve("m/s") == resolve("米/秒") == resolve("ms^-1") == resolve("ms^{-1}")
    assert resolve("ms^-2") == resolve("m/s^2") and resolve("kmh^{-1}") == resolve("km/h")
    assert resolve("MPH") == resolve("mph") and resolve("KHZ") == resolve("kHz")
    assert resolve("mhz") is None  # mega or milli
    assert resolve("apples") is None


@pytest.mark.parametrize(
    ("one", "other", "times"),
    [
        ("MW", "mW", 10**9), (r"\mu m", "nm", 1000), (r"\text{µm}", "m", Fraction(1, 10**6)), ("GHz", "MHz", 1000), ("MeV", "keV", 1000),
        ("KG", "g", 1000), ("kWh", "J", 3_600_000), (r"k\Omega", "ohms", 1000), ("milliamperes", "A", Fraction(1, 1000)),
        (r"N\cdot m", "J", 1), ("J/s", "W", 1), ("V/m", "N/C", 1), ("mL", "cm^3", 1), ("J/(kg K)", "J/kg/K", 1), ("bytes", "bits", 8),
        ("A s", "C", 1), ("C/V", "F", 1), ("V/A", "Ω", 1), ("V s", "Wb", 1), ("Wb/m^2", "T", 1), ("Wb/A", "H", 1), ("N/m^2", "Pa", 1), ("s^{-1}", "Hz", 1),
        ("week", "days", 7), ("day", "h", 24), ("h", "min", 60), ("min", "s", 60), ("year", "months", 12), ("in", "mm", Fraction(254, 10)), ("ft", "in", 12),
        ("yd", "ft", 3), ("mi", "yd", 1760), ("lb", "oz", 16), ("lb", "g", Fraction(45_359_237, 100_000)), ("ton", "kg", 1000), ("L", "cc", 1000), ("gal", "L", Fraction("3.785411784")), ("gal", "quarts", 4), ("gal", "pints", 8), ("gal", "cups", 16), ("acre", "ft^2", 43_560), ("hectare", "m^2", 10_000), ("century", "decades", 10), ("decade", "years", 10), ("dollars", "cents", 100),
        ("元", "角", 10), ("米", "分米", 10), ("米", "厘米", 100), ("米", "毫米", 1000), ("公里", "m", 1000), ("公斤", "克", 1000), ("克", "毫克", 1000), ("升", "毫升", 1000),
        ("cal", "J", Fraction(4184, 1000)), ("J", "eV", Fraction(10**28, 1_602_176_634)), ("bar", "Pa", 10**5), ("g", "fg", 10**15), ("g", "pg", 10**12), ("g", "ng", 10**9),
        ("g", "cg", 100), ("g", "dg", 10), ("TJ", "GJ", 1000), ("GJ", "MJ", 1000), ("kJ", "J", 1000), ("meters", "femtometers", 10**15), ("m", "picometers", 10**12),
        ("m", "nanometers", 10**9), ("m", "micrometers", 10**6), ("m", "millimeters", 1000), ("m", "centimeters", 100), ("m", "decimeters", 10), ("kilometers", "m", 1000),
        ("t", "kg", 1000), ("amps", "milliamps", 1000), ("ms", "msec", 1), ("kohm", "Ω", 1000), ("Mbit", "kbits", 1000), ("euros", "centimes", 100),
        ("megawatts", "W", 10**6), ("gigawatts", "W", 10**9), ("terawatts", "W", 10**12),
    ],
)  # fmt: skip
def test_units_of_one_dimension(one: str, other: str, times: int) -> None:
    left, right = resolve(one), resolve(other)
    assert left is not None and right is not None and left[0] == right[0]
    assert left[1] == times * right[1]


def test_which_answers_are_too_large_for_a_worker() -> None:
    answers = [parse_answer(text) for text in ("9^{9^{9^9}}", "5", r"\frac{1}{0}", r"\int x dx")]
    assert [too_large(answer) for answer in answers] == [True, False, False, False]


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("1, 5", r"5, \int_0^1 2x dx", None), ("1, 5", "5, 2", False), ("1, 5", r"6, \int_0^1 2x dx", None), (r"(1, \int x dx)", "(1, 2)", None), (r"(1, \int x dx)", "(2, 2)", False),
    ],
)  # fmt: skip
def test_lists_with_a_part_that_is_not_read_here(gold: str, answer: str, same: bool | None) -> None:
    assert same_answer(parse_answer(gold), parse_answer(answer)) is same


def test_linear() -> None:
    assert linear(tree("3 - 2x")) == (-2, 3)
    assert linear(tree("x/4")) == (Fraction(1, 4), 0)
    assert all(linear(tree(text)) is None for text in ("5", "x-x", "x^2", "x(x-1)(x-2)+x", "x+y", r"\sqrt{2}x", "1/x"))


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="0123456789+-*/^_{}()[]|!%.,:;=<>\\ xyeipabc'frac sqrt{}text$", max_size=60))
def test_any_formula_has_a_shape(text: str) -> None:
    assert isinstance(parse_answer(normalize(text)), Value | Items | Group | Union | Relation | Matrix | Words)
