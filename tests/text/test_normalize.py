"""Canonical spelling and choice letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.text import chinese_number, normalize, read_choice


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (r"$\dfrac{1}{2}$.", r"\frac{1}{2}"),
        (r"\left(3,\;\tfrac{\pi}{2}\right)", r"(3, \frac{\pi}{2})"),
        ("１２元", "12元"),
        (r"\$32,\!348", r"\$32,348"),
        ("10{,}000", "10,000"),
        ("−5", "-5"),
        (".5", ".5"),
        ("5!", "5!"),
        ("x²", "x^{2}"),
        (r"30^{\circ}", r"30^\circ"),
        ("**73**", "73"),
        (r"\text{Answer: }5", "5"),
        (r"y^{\prime\prime}", "y''"),
        (r"\textcolor{red}{9}", "{9}"),
        ("①、③", r"\textcircled{1}\textcircled{3}"),
        (r"{n \choose k}", r"\binom{n}{k}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        ("\x0crac{1}{2}", r"\frac{1}{2}"),
    ],
)
def test_normalize(text: str, canonical: str) -> None:
    assert " ".join(normalize(text).split()) == canonical


@given(st.text(max_size=200))
def test_normalize_is_idempotent_enough(text: str) -> None:
    once = normalize(text)
    assert isinstance(once, str)
    assert isinstance(normalize(once), str)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"), ("b", "B"), ("(B)", "B"), (r"\text{(B)}", "B"), (r"B. 30\%", "B"), ("B) 5", "B"), ("选B", "B"),
        ("B.", "B"), ("A, C", "AC"), ("CA", "AC"), ("A and C", "AC"), ("(D) I, II, and III", "D"), ("D. I and II", "D"),
        ("(A)(C)", "AC"), ("the Correct Option is b)", "B"), ("K", None), ("k", None), ("J", "J"), (" (b) ", "B"),
        ("A, " * 12 + "A C", "AC"), ("A, " * 13 + "C", "A"), ("A=5", None), ("BC=5", None), ("Beijing", None), ("12", None), ("Apple", None),
    ],
)  # fmt: skip
def test_read_choice(text: str, letter: str | None) -> None:
    assert read_choice(text) == letter


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十八", "18"),
        ("二分之一", "1/2"),
        ("三千零五", "3005"),
        ("一万二千", "12000"),
        ("两百", "200"),
        ("狗", None),
        ("", None),
    ],
)
def test_chinese_number(text: str, value: str | None) -> None:
    found = chinese_number(text)
    assert (None if found is None else str(found)) == value
