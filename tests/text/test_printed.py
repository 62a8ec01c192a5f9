"""What Python, sympy and numpy print, as LaTeX."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.text.printed import listed, printed_latex


@pytest.mark.parametrize(
    ("printed", "latex"),
    [
        ("Interval(0, 1)", "[0, 1]"), ("Interval.open(0, 1)", "(0, 1)"), ("Interval.Ropen(0, 1)", "[0, 1)"), ("Interval.Lopen(0, 1)", "(0, 1]"),
        ("Interval(0, 1, True)", "(0, 1]"), ("Interval(0, 1, False, True)", "[0, 1)"), ("Interval(-oo, 3)", r"(-\infty, 3]"), ("Interval(3, oo)", r"[3, \infty)"),
        ("Union(Interval.open(-oo, -1), Interval.open(2, oo))", r"(-\infty, -1) \cup (2, \infty)"), ("FiniteSet(1, 2)", r"\{1, 2\}"),
        ("Complement(Reals, FiniteSet(1))", r"\mathbb{R} \setminus \{1\}"),
        ("Matrix([[1, 2], [3, x]])", r"\begin{pmatrix}1 & 2 \\ 3 & x\end{pmatrix}"), ("Matrix([\n[1, 2],\n[3, x]])", r"\begin{pmatrix}1 & 2 \\ 3 & x\end{pmatrix}"), (" Fraction(1, 2)\n", r"\frac{1}{2}"), ("Fraction(1, 2, 3)", r"\frac{1}{2}"), ("array([1, 2], dtype=int64)", r"\begin{pmatrix}1 \\ 2\end{pmatrix}"), ("Matrix([1, 2], [3])", r"\begin{pmatrix}1 \\ 2\end{pmatrix}"), ("Matrix([1, 2])", r"\begin{pmatrix}1 \\ 2\end{pmatrix}"),
        ("array([1., 2.5])", r"\begin{pmatrix}1.0 \\ 2.5\end{pmatrix}"), ("[1. 2.5]", "[1.0, 2.5]"), ("[[1 2] [3 4]]", r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}"), ("[[1], [2]]", r"\begin{pmatrix}1 \\ 2\end{pmatrix}"),
        ("(-oo < x) & (x < 3)", "x < 3"), ("(x < 3) | (x > oo)", r"x < 3 \text{or} x > \infty"), ("Point2D(1, 2)", "(1, 2)"), ("Decimal('1.5')", "1.5"), ("5j", "5 i"), ("[(1, 2)]", None),
        ("Eq(y, 2*x - (x - 1))", r"y = 2 \cdot x - \left(x - 1\right)"), ("{x: 1, theta: -2}", r"x = 1, \theta = -2"), ("[{x: 1}, {x: 2}]", "(x = 1), (x = 2)"), ("[{x: 1, y: 2}]", "(x = 1, y = 2)"), ("{x: 1, **y}", "x = 1"),
        ("(x > 0) & (x <= 3)", r"x > 0 \text{and} x \le 3"), ("Or(x < 0, Ne(x, 3))", r"x < 0 \text{ or } \operatorname{Ne}\left(x, 3\right)"),
        ("Piecewise((x, x > 0), (-x, True))", r"\begin{cases}x & x > 0 \\ -x & \text{otherwise}\end{cases}"),
        ("Rational(1, 2)", r"\frac{1}{2}"), ("Fraction(-1, 2)", r"\frac{-1}{2}"), ("np.float64(2.5)", "2.5"), ("(1+2j)", "1 + 2 i"), ("-oo", r"-\infty"), ("'5'", "5"),
        ("Poly(x**2 + 1, x, domain='ZZ')", "{x}^{2} + 1"), ("Abs(x + 1)/2", r"\frac{\left|x + 1\right|}{2}"), ("factorial(n)**2", "{(n)!}^{2}"), ("binomial(n, 2)", r"\binom{n}{2}"),
        ("floor(sin(x))", r"\lfloor \operatorname{sin}\left(x\right) \rfloor"), ("Fraction(2, 3)*sqrt(x_1)*(E + I)", r"\left(\frac{2}{3} \cdot \sqrt{x_1}\right) \cdot \left(e + i\right)"),
        # by hand, or no Python
        ("sqrt(3)/2", None), ("[1, 2]", None), ("x**2 + 1", None), (r"\frac{1}{2}", None), ("Interval(0, 1", None), ("Interval(0)", None), ("Rational(1)", None), ("Matrix(5)", None), ("Piecewise(x)", None), ("array()", None), ("'\\d'", None), ("~(x > 0) & (x > 1)", None), ("Abs(x if y else z)", None), ("Abs(*x)", None), ("Abs()", None), ("floor(x) % 2", None), ("oo", r"\infty"), ("foo", None),
    ],
)  # fmt: skip
def test_printed_latex(printed: str, latex: str | None) -> None:
    assert printed_latex(printed) == latex


def test_long_and_deep_texts_are_left_alone() -> None:
    assert printed_latex("oo" + " " * 1998) == r"\infty"
    assert printed_latex("Abs(" * 600 + "x" + ")" * 600) is None
    assert printed_latex("oo" + " " * 1999) is None


def test_listed() -> None:
    assert [listed(text) for text in ("[2, 3]", " [x] ", "[[1], [2]]", "[1. 2.]", "[[1], 2]", "[0], [1]]")] == [
        "2, 3",
        "x",
        None,  # a matrix
        "1.0, 2.0",
        "[1], 2",
        None,
    ]
    assert listed(r"\left[ 1, \  2\right]").split() == ["1,", "2"]
    assert [listed(text) for text in ("[0, 1], [2, 3]", "[0, 1)", "Interval(0, 1)", "2, 3")] == [None] * 4


@given(
    st.lists(
        st.sampled_from(
            [
                *"()[]{}:,.=<>&|*+-'\\x1 ",
                "oo",
                "5j",
                "Matrix(",
                "Piecewise(",
                "Interval(",
                "Eq(",
                "np.int64(",
                "lambda x:",
                " if ",
                " else ",
            ]
        )
    )
)
def test_any_text_is_read_or_left(parts: list[str]) -> None:
    for text in ("".join(parts), f"Abs({''.join(parts)})"):
        assert isinstance(printed_latex(text), str | None) and isinstance(listed(text), str | None)
