"""Canonical spelling and choice letters."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.text import chinese_number, english_number, normalize, read_choice


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
        ("60^{o}", r"60^\circ"),
        ("Q^{*} = 20", "Q = 20"),
        (r"{n \choose k}", r"\binom{n}{k}"),
        (r"{{15}\over{8}}", r"\frac{15}{8}"),
        (r"1 \over 2", r"\frac{1}{2}"),
        (r"x^{{{1}\over{3}}}", r"x^{\frac{1}{3}}"),
        (r"{1\over{2\over3}}", r"\frac{1}{\frac{2}{3}}"),
        (r"\sqrt{a \over b}", r"\sqrt{\frac{a}{b}}"),
        (r"{1 \over 2 \over 3}", r"\frac{1}{2 \over 3}"),
        (r"\{ {1\over 2}, 3\}", r"\{ \frac{1}{2}, 3\}"),
        (r"-1 \over 2}", r"\frac{-1}{2}}"),
        (r"x + {1 \over 2", r"x + {\frac{1}{2}"),
        (r"\pmatrix{1 & 2 \cr 3 & 4}", "\\begin{pmatrix}1 & 2 \\\\ 3 & 4\\end{pmatrix}"),
        (r"\SI{9.8}{\meter\per\second\squared}", r"9.8 \text{meter/ second^2}"),
        (r"\SI[]{2}{\kilo\newton}", r"2 \text{kilonewton}"),
        (r"\qty{2}{\newton\meter\cubed}", r"2 \text{newton meter^3}"),
        (r"\SI{5}{km}", r"5 \text{km}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        ("\x0crac{1}{2}", r"\frac{1}{2}"),
        ("x₁₂", "x_{12}"), ("x⁻²ⁿ", "x^{-2n}"), ("√12", r"\sqrt{12}"), ("∛8.5x", r"\sqrt[3]{8.5}x"), ("5又1/2", "5 1/2"), ("负5", "-5"),
        ("$2.50", r"\$2.50"), ("$5$ m", r"5 \text{m}"), (r"5\quad m", "5 m"), (r"\left.x\right|", "x|"), (r"\mathbb{R}", r"\R"),
        (r"\mathrm{cm}", r"\text{cm}"), (r"\pounds 5", "5"), (r"\hspace{1cm}5", "5"), (r"\mathbf{i}", r"\hat{i}"), (r"\vec{\hat{i}}", r"\hat{i}"),
        (r"\vec{a}", "a"), (r"\triangle{ABC}", r"\triangle ABC"), (r"50\%", "50%"), (r"A\&B", "A and B"), (r"{a \over b}", r"\frac{a}{b}"),
        ("3比4", "3:4"), ("6.02 x 10^23", r"6.02\times 10^23"), ("x^{}", "x"), (r"\approx 5", "5"), ("答案是5", "5"), ("'5'", "5"), ("=5", "5"),
        (".x", "x"), ("5!!", "5!!"), ("5!.", "5!"), (r"\{1\}", r"\{1\}"), ("a...b", r"a\dots b"), ("30°", r"30^\circ"), (r"f^{\prime}", "f'"),
        (r"f^\prime", "f'"), ("''", "''"), (r"\approx \{1\}", r"\{1\}"),
        ("（１，２）", "(1,2)"), ("a—b", "a-b"), ("【5】", "[5]"), ("``5``", "5"), ("5 .", "5"), ("5 !", "5"), (r"\dfrac{1}{2}\\ ", r"\frac{1}{2}"),
    ],
)  # fmt: skip
def test_normalize(text: str, canonical: str) -> None:
    assert " ".join(normalize(text).split()) == canonical


@pytest.mark.parametrize(
    ("characters", "canonical"),
    [
        (["\t", "\x1f", "\x7f", "\xa0", "\u2000", "\u200a", "\u202f", "\u3000"], "5 m"),
        (["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"], "5m"),
        (["−", "–", "—", "﹣", "‐", "‑", "‒", "―"], "5-m"),
    ],
)
def test_every_blank_and_every_minus_is_one(characters: list[str], canonical: str) -> None:
    assert {normalize(f"5{character}m") for character in characters} == {canonical}


def test_signs_for_numbers() -> None:
    assert [normalize(sign) for sign in "①⑳⅖⅙⅞"] == [
        r"\textcircled{1}", r"\textcircled{20}", r"\frac{2}{5}", r"\frac{1}{6}", r"\frac{7}{8}",
    ]  # fmt: skip
    assert [normalize(text) for text in (r"\mathbf i", r"\hat j", "！", "～", "Ａ", "= 5")] == [
        r"\hat{i}",
        r"\hat{j}",
        "",
        "",
        "A",
        "5",
    ]


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
        ("A, " * 12 + "A C", "AC"), ("A, " * 13 + "C", "A"), ("A to C", None), (r"A\to C", None), ("A but not B", None), ("A is wrong", None), ("A is right", "A"), ("C tomato", "C"), ("Tokyo (B)", "B"), (r"\text{Tokyo (B)}", "B"), ("30% (C)", "C"), ("f(B)", None), ("x (A)", None), ("not (B)", None), ("Tokyo or (B)", None), ("It isn't 30 (B)", None), ("A=5", None), ("BC=5", None), ("Beijing", None), ("12", None), ("Apple", None),
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
        ("三亿二千万零五", "320000005"),
        ("一万二千亿", "1200000000000"),
        ("一百〇六", "106"),
        (" 〇 ", "0"),
        ("零", "0"),
        ("三分之零", "0"),
        ("一点五", "3/2"),
        ("二十四点〇五", "481/20"),
        ("三点", None),
        ("三点十五", None),
        ("点五", None),
        ("零分之一", None),
        ("三分之狗", None),
        ("狗", None),
        ("", None),
    ],
)
def test_chinese_number(text: str, value: str | None) -> None:
    found = chinese_number(text)
    assert (None if found is None else str(found)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("three fourths", "3/4"), ("One-half", "1/2"), ("a quarter", "1/4"), ("minus two thirds", "-2/3"), ("twenty-five", "25"),
        ("one hundred twenty", "120"), ("two thousand three hundred four", "2304"), ("zero", "0"), ("negative seven", "-7"),
        ("third", None), ("seven eight", None), ("twenty zero", None), ("hundred", None), ("twenty-fifth", None), ("", None), ("minus", None),
        ("two thousand million", None), ("three dogs", None), ("twenty-nine", "29"), ("twenty ten", None), ("seven one", None), ("nineteen one", None),
        ("nine hundred", "900"), ("ten hundred", None), ("thousand", None), ("two thousand three thousand", None), ("a", None), ("an eighth", "1/8"),
        ("three halves", "3/2"), ("five billion six million", "5006000000"), ("one hundred one thousand ninety", "101090"), (" two ", "2"),
        ("one hundred and five", "105"), ("a hundred and one", "101"), ("one million two hundred and three thousand and five", "1203005"),
        ("five and six", None), ("two thousand and", None), ("and two", None), ("two and half", None), ("one and one", None),
        ("two thousand, one hundred", "2100"), ("two thousand, five", None), ("one hundred, two hundred", None),
        ("two million, thirty thousand", "2030000"), ("four point five", "9/2"), ("minus zero point zero five", "-1/20"), ("one point ten", None),
        ("point five", None), ("two point", None), ("two and a half", "5/2"), ("minus one and a half", "-3/2"), ("one hundred and five and a quarter", "421/4"),
        ("two and three halves", None), ("a half and a half", None),
    ],
)  # fmt: skip
def test_english_number(text: str, value: str | None) -> None:
    found = english_number(text)
    assert (None if found is None else str(found)) == value


def test_parts_in_english() -> None:
    names = "half third quarter fourth fifth sixth seventh eighth ninth tenth twelfth sixteenth twentieth hundredth"
    sizes = [2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 100]
    assert [english_number(f"one {name}") for name in names.split()] == [Fraction(1, size) for size in sizes]
