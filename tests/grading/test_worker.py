"""What math-verify parses, compared: values and sides of equations, not digits of the text."""

import pytest

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
        # math-verify leaves out what follows: the number in it is missing from what was parsed
        (r"\frac12", r"\int_0^1 x dx \approx 5", False),
        # equations: both sides count
        (r"\cos(2x)=\int_0^1 x dx", r"\sin(2x)=\int_0^1 x dx", False), (r"f(x)=\int_0^x t dt", r"g(x)=\int_0^x t dt", False), (r"f(x)=\int_0^x t dt", r"f(x)=\frac{x^2}{2}", True),
        (r"\int_0^x t dt", r"f(x)=\int_0^x t dt", True), (r"\int_0^x t dt", r"2f(x)=\int_0^x t dt", False), (r"\cos\pi=-1, \sin\pi=0", r"\cos\pi=-1, \sin\pi=3", False),
        # matrices: every entry counts (math-verify accepts any two equations between matrices)
        (SYSTEM, SYSTEM, True), (SYSTEM, SYSTEM.replace("e^{3t}", "e^{2t}"), False), (SYSTEM, SYSTEM.replace(r"1 \\ 2", r"1 \\ 3"), False), (SYSTEM, SYSTEM.replace("e^{-t}", "e^{t}"), False),
        (SYSTEM, r"c_1 e^{3t} \begin{bmatrix} 1 \\ 2 \end{bmatrix} + c_2 e^{-t} \begin{bmatrix} 1 \\ -1 \end{bmatrix}", True), (SYSTEM, r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", False),
    ],
)  # fmt: skip
def test_same_formula(gold: str, answer: str, same: bool) -> None:
    assert same_formula(normalize(gold), normalize(answer)) is same


def test_what_cannot_be_read_is_not_equal() -> None:
    assert same_formula(r"\oint x dx", r"\oint x dx") is False
