"""Verdicts of pairs, golds as data sets store them, and any string whatever."""

import json
import pickle
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trl_dsmath.errors import DataError
from trl_dsmath.grading import Verdict, batch, check_golds, grade, judge_printed
from trl_dsmath.grading.gold import computable, gold_text, parse_gold, squeeze
from trl_dsmath.rewards import boxed_accuracy_reward

RIGHT, WRONG, NONE, BAD = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER, Verdict.BAD_GOLD


@pytest.mark.parametrize(
    ("answer", "gold", "verdict"),
    [
        # a gold is never read by a prefix of it (TRL 1.16 takes each of these for right)
        ("2", r"2\sqrt{3}", WRONG), ("7", r"7\pi", WRONG), ("4", "4a-2", WRONG), (r"\frac35", r"12\frac{3}{5}", WRONG), ("10", "10{,}000", WRONG),
        # hacks
        (r"\boxed{6=5}", "5", WRONG), (r"\boxed{5 \text{ or } 6}", "5", WRONG), (r"\boxed{1,2,3,4,5}", "5", WRONG), (r"\boxed{2800\%}", "28", WRONG),
        (r"\boxed{204_6}", "204_5", WRONG), (r"\boxed{[3,2]}", "(3,2)", WRONG), (r"\boxed{\{3,2\}}", "(3,2)", WRONG), (r"\boxed{3.5 \text{ km}}", r"3.5 \text{ m}", WRONG),
        (r"\boxed{x=6=5}", "5", WRONG), (r"\boxed{\text{not }5}", "5", WRONG), (r"\boxed{[1,5] \text{ or } (1,5)}", "[1,5]", WRONG),
        # the same in other clothes
        (r"\boxed{\frac{2}{4}}", r"\frac12", RIGHT), (r"\boxed{x=5}", "5", RIGHT), (r"\boxed{2+3=5}", "5", RIGHT), (r"\boxed{28\%}", "28", RIGHT),
        (r"\boxed{0.28}", r"28\%", RIGHT), (r"\boxed{x\in[2,\infty)}", r"x\ge 2", RIGHT), (r"\boxed{\{2,1\}}", "1,2", RIGHT), (r"\boxed{y=2,x=1}", "(1,2)", RIGHT),
        (r"\boxed{3\pm\sqrt2}", r"3-\sqrt2, 3+\sqrt2", RIGHT), (r"\boxed{4x+2y=2}", "2x+y=1", RIGHT), (r"\boxed{B. 30\%}", "B", RIGHT), (r"\boxed{350\text{ cm}}", r"3.5\text{ m}", RIGHT),
        (r"\boxed{１２元}", "12", RIGHT), (r"\boxed{12个}", "12", RIGHT), ("答案是12。", "12", RIGHT), (r"\boxed{c_1e^x+c_2}", "C_1e^x+C_2", RIGHT),
        (r"\boxed{1,000,000}", "1000000", RIGHT), (r"\boxed{\begin{pmatrix}1\\2\end{pmatrix}}", "(1,2)", RIGHT), (r"\boxed{xy=3}", r"y=\frac3x", RIGHT),
        # order, ends, parts
        (r"\boxed{(2,3)}", "(3,2)", WRONG), (r"\boxed{[2,3)}", "[2,3]", WRONG), (r"\boxed{10;5}", "$5$;$10$", WRONG), (r"\boxed{5}", "$5$;$10$", WRONG), (r"\boxed{1331}", "1331 and 1728", WRONG),
        # golds as they are stored
        ("72", "Natalia sold 24+48 = <<24+48=72>>72 clips.\n#### 72", RIGHT), ("2", r"Thus there are $\boxed{2}$ of them.", RIGHT), ("18", 18, RIGHT), ("1.5", 1.5, RIGHT),
        ("1/3", Fraction(1, 3), RIGHT), ("4", ["4"], RIGHT), ("1,2", ["1", "2"], RIGHT), ("3", float("nan"), BAD), ("3", None, BAD), ("3", "", BAD), ("3", {}, BAD), ("3", r"\boxed{", BAD),
        # no answer
        (None, "3", NONE), ("", "3", NONE), (r"\boxed{}", "3", NONE), ("<think> 3", "3", NONE),
    ],
)  # fmt: skip
def test_grade(answer: str | None, gold: object, verdict: Verdict) -> None:
    assert grade([answer], [gold]) == [verdict]


def test_math_verify_judges_what_this_package_does_not_read() -> None:
    golds = [r"\int_0^1 2t \, dt"] * 3
    assert grade([r"\boxed{\int_0^1 2x \, dx}", r"\boxed{\int_0^1 3x \, dx}", r"\boxed{1}"], golds) == [
        RIGHT,
        WRONG,
        RIGHT,
    ]


def test_lists_must_match() -> None:
    with pytest.raises(DataError, match="one gold per answer"):
        grade(["1"], ["1", "2"])


def test_one_answer_against_one_gold() -> None:
    assert grade(r"\boxed{5}", "5") is RIGHT
    assert grade(r"\boxed{\frac24}", 0.5) is RIGHT
    assert grade("6", "5") is WRONG
    assert grade("x" * 20_001, "5") is WRONG and grade("x" * 20_002, "5") is NONE  # 20,000 and as many as the gold has
    with pytest.raises(DataError, match="one str for a list of answers"):
        grade(["5", "6"], "56")


@pytest.mark.parametrize(
    ("answer", "gold", "verdict"),
    [
        # what stands left of the equals sign is part of the answer
        (r"\boxed{\sin(2x)=1}", r"\cos(2x)=1", WRONG), (r"\boxed{\cos 2x=1}", r"\cos(2x)=1", RIGHT), (r"\boxed{\ln(x)=3}", r"\log_2(x)=3", WRONG), (r"\boxed{P(A)=\frac12}", r"P(B)=\frac12", WRONG),
        (r"\boxed{f(2)=5}", "f(3)=5", WRONG), (r"\boxed{\cos\pi=-1, \sin\pi=3}", r"\cos\pi=-1, \sin\pi=0", WRONG), (r"\boxed{\sin\pi=0, \cos\pi=-1}", r"\cos\pi=-1, \sin\pi=0", RIGHT),
        (r"\boxed{f(1)=3; f(2)=2}", "f(1)=2; f(2)=3", WRONG), (r"\boxed{f(2)=2; f(1)=3}", "f(1)=2; f(2)=3", WRONG), (r"\boxed{P(A)=\frac12}", r"\frac12", RIGHT),
        (r"\boxed{1=\sin A; \sin B=0}", r"\sin A=1; \sin B=0", RIGHT), (r"\boxed{1=P(A); x=2}", "P(A)=1; 2x=4", RIGHT),
        # but a function under definition may have any name and variable
        (r"\boxed{g(t)=t^2}", "f(x)=x^2", RIGHT), (r"\boxed{y=x^2}", "f(x)=x^2", RIGHT), (r"\boxed{f(t)=x^2}", "f(x)=x^2", WRONG),
        (r"\boxed{g(a,b)=a+2b}", "f(x,y)=x+2y", RIGHT), (r"\boxed{f(y,x)=x+2y}", "f(x,y)=x+2y", WRONG), (r"\boxed{y=t^2}", "f(x)=x^2", WRONG),
        # GSM8K's mark, with prose behind the number
        ("#### 18 dollars every day at the farmers' market.", "18", RIGHT), ("#### 60% of the students", "60", RIGHT), ("#### 118 000", "118000", RIGHT), ("#### 118 000", "118", WRONG),
        ("#### 118 000 people live there", "118", WRONG), ("#### 118 000 people live there", "118000", RIGHT), ("#### 18 of the 24 eggs, so 24", "18", WRONG), ("#### 5 or six of the eggs", "5", WRONG),
        # units, degrees, signs
        (r"\boxed{12\ N-m}", r"12\text{ N m}", RIGHT), (r"\boxed{9.8 m/s^2}", "9.8", RIGHT), (r"\boxed{9.8 m/s}", r"9.8\text{ m/s}^2", WRONG), (r"\boxed{5.13\text{ ft / sec}}", r"5.13\text{ ft/s}", RIGHT), (r"\boxed{63^\circ45'0''}", "63°45'", RIGHT), (r"\boxed{63^\circ45'30''}", "63°45'", WRONG),
        (r"\boxed{\text{\$}37.50}", "37.5", RIGHT), (r"\boxed{根号3}", r"\sqrt3", RIGHT), (r"\boxed{根号13}", r"\sqrt3", WRONG),
        # golds that say it twice, or derive it
        (r"\boxed{0.3}", r"\frac{3}{10} \#\# 0.3", RIGHT), (r"\boxed{10}", r"\frac{3}{10} \#\# 0.3", WRONG), (r"\boxed{\frac12}", r"$\frac{1}{2}$ or $0.5$", RIGHT), (r"\boxed{0}", r"\|u\times v\|^2 = \varepsilon_{ijk}u_j = 0", RIGHT),
        # systems in any order and on either side
        (r"\boxed{B=2D, E=2C}", "B=2D, 2C=E", RIGHT), (r"\boxed{B=2D, C=2E}", "B=2D, 2C=E", WRONG),
        # where the answer is
        (r"So \framebox{5}.", "5", RIGHT), (r"\boxed{\text{the value is } 5}", "5", RIGHT), (r"\boxed{\text{the value is not } 5}", "5", WRONG), (r"\boxed{5\text{ is not the answer}}", "5", WRONG),
        ("<think>7</think><answer>5</answer>", "5", RIGHT), ("<think><answer>5</answer></think>", "5", NONE), ("<answer>5</answer> no: <answer>6</answer>", "5", WRONG),
        # only the flexible reading of inference.extraction goes further
        ("Hence the sum is $3$.", "3", NONE), ("It is (B) Sb.", "B", WRONG),
        # an identity says nothing of the curve
        (r"\boxed{xy=yx}", r"y=\frac3x", WRONG),
    ],
)  # fmt: skip
def test_forms_that_models_write(answer: str, gold: str, verdict: Verdict) -> None:
    assert grade(answer, gold) is verdict


@pytest.mark.parametrize(
    ("answer", "gold", "verdict"),
    [
        # sets of numbers: semicolons, holes, points beside intervals
        ("[-4; 9)", "[-4,9)", RIGHT), ("[-4; 9]", "[-4,9)", WRONG), (r"\mathbb{R} \setminus [4,6)", r"(-\infty,4)\cup[6,\infty)", RIGHT), (r"\mathbb{R} \setminus (4,6)", r"(-\infty,4)\cup[6,\infty)", WRONG),
        (r"[0,5] \setminus [1,2]", r"[0,1)\cup(1,5]", WRONG), (r"x \neq 4, -9", r"(-\infty,-9)\cup(-9,4)\cup(4,\infty)", RIGHT), (r"x \ne 4 \text{ and } x \ne -9", r"(-\infty,-9)\cup(-9,4)\cup(4,\infty)", RIGHT),
        (r"\{x \mid x \neq -9, x \neq 5\}", r"(-\infty,-9)\cup(-9,4)\cup(4,\infty)", WRONG), (r"x \neq 4, y \neq -9", r"(-\infty,-9)\cup(-9,4)\cup(4,\infty)", WRONG),
        (r"x=5 \text{ or } 6<x\le 8", r"\{5\}\cup(6,8]", RIGHT), (r"x=5 \text{ or } 6<x<8", r"\{5\}\cup(6,8]", WRONG), ("x=5", r"x=5 \text{ or } 6<x\le 8", WRONG),
        # names: polar coordinates in their order, powers of a matrix, a squared segment, a segment from either end
        (r"r=2, \theta=\frac{\pi}{3}", r"(2,\frac{\pi}{3})", RIGHT), (r"\theta=2, r=\frac{\pi}{3}", r"(2,\frac{\pi}{3})", WRONG), (r"z=7, \theta=\pi, r=2", r"(2,\pi,7)", RIGHT),
        (r"A^4=\begin{pmatrix}1&8\\0&1\end{pmatrix}", r"\begin{pmatrix}1&8\\0&1\end{pmatrix}", RIGHT), (r"2=\begin{pmatrix}1&8\\0&1\end{pmatrix}", r"\begin{pmatrix}1&8\\0&1\end{pmatrix}", WRONG),
        (r"-\begin{pmatrix}1\\3\end{pmatrix}", r"\begin{pmatrix}-1\\-3\end{pmatrix}", RIGHT), (r"-\begin{pmatrix}1\\3\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}", WRONG),
        ("PQ^2 = 50", "50", RIGHT), ("x^2 = 50", "50", WRONG), ("u^2 + 3v = 50", "50", RIGHT), ("u^2 + 3v = 51", "50", WRONG), ("2u = 50", "50", WRONG), ("u^2 + 3v = 50", "2u + 3v = 50", WRONG),
        (r"2u-v=\begin{pmatrix}6\\5\end{pmatrix}", r"\begin{pmatrix}6\\5\end{pmatrix}", RIGHT), (r"\text{all real numbers except } 7", r"(-\infty,7)\cup(7,\infty)", RIGHT), (r"\overline{BA}", r"\overline{AB}", RIGHT), (r"\overline{AC}", r"\overline{AB}", WRONG), (r"\overline{ba}", r"\overline{ab}", WRONG), (r"\overline{CBA}", r"\overline{ABC}", WRONG), (r"\overrightarrow{BA}", r"\overrightarrow{AB}", WRONG),
        # bases: signs, brackets, sums
        ("-121_{4}", "-121_4", RIGHT), ("(-121)_{4}", "-121_4", RIGHT), ("121_4", "-121_4", WRONG), ("-121_5", "-121_4", WRONG), ("(0.101)_2", "0.101_2", RIGHT), ("(0.101)_3", "0.101_2", WRONG),
        ("324_5+112_5=441_5", "441_5", RIGHT), ("324_5+113_5=441_5", "441_5", WRONG),
        # units and slashes: letters without a space are one denominator
        (r"30\text{ g}", r"30 \text{ gm}", RIGHT), (r"30\text{ m}", r"30 \text{ gm}", WRONG), ("Ae^{-x/LC}", r"Ae^{-\frac{x}{LC}}", RIGHT), ("Ae^{-x/L C}", r"Ae^{-\frac{xC}{L}}", RIGHT), ("60 km/hr", r"60\text{ km/h}", RIGHT),
        # a differential equation is about what it differentiates
        (r"\frac{dy}{dt}=3x-b", r"\frac{dx}{dt}=3x-b", WRONG), (r"\frac{dy}{dt}=3y-b", r"\frac{dx}{dt}=3x-b", RIGHT),
        # vectors by their axes, and only those of two or three dimensions
        ("5", "(5,5)", WRONG), (r"\hat{i}", "(1,0,0,0)", WRONG), (r"2\hat{i}-\hat{k}", "(2,0,-1)", RIGHT), (r"\hat{k}", "(0,1)", WRONG),
        # residues: a formula with an integer, and which integers
        (r"n = 4k+1, k \in \mathbb{Z}", r"1 \pmod 4", RIGHT), (r"n = 4k+1, k \in \mathbb{N}", r"1 \pmod 4", WRONG), ("4k+3", r"1 \pmod 4", WRONG), (r"4k+1 \text{ cm}", r"1 \pmod 4", WRONG),
        (r"4k \pm 1", r"1, 3 \pmod 4", RIGHT), (r"4k+\frac12", r"\frac12 \pmod 4", WRONG), (r"19 \pmod{12}", r"7 \pmod{12}", RIGHT), (r"7 \pmod{11}", r"7 \pmod{12}", WRONG),
        (r"5, 1 \pmod 6", r"1, 5 \pmod 6", RIGHT), (r"1 \pmod 6", r"1, 5 \pmod 6", WRONG),
        # a function by cases against absolute values: its edges count
        (r"\begin{cases} x-1 & x \ge 1 \\ 1-x & x < 1 \end{cases}", "|x-1|", RIGHT), (r"\begin{cases} x-1 & x > 1 \\ 1-x & x < 1 \end{cases}", "|x-1|", WRONG),
        (r"\begin{cases} x-1 & x \ge 0 \\ 1-x & x < 0 \end{cases}", "|x-1|", WRONG), (r"\begin{cases} 10-2x & x<0 \\ 10 & x \ge 0 \end{cases}", "|x|+|x-10|", WRONG),
        (r"\begin{cases} 10-2x & x<0 \\ 10 & 0 \le x \le 10 \\ 2x-10 & x > 10 \end{cases}", "|x|+|x-10|", RIGHT), (r"\begin{cases} x^2-400 & x > 0 \\ 400-x^2 & x \le 0 \end{cases}", "|x^2-400|", WRONG),
        # one thing said twice, lists and sets
        (r"\frac{3}{8} \text{ or } 37.5\%", "0.375", RIGHT), ("5, 5", "5", WRONG), (r"\frac12, \frac13", r"\frac12", WRONG), (r"\{1,1,2\}", r"\{2,1\}", RIGHT),
        ("1,1,2", "1,2", WRONG), (r"\{1,2\}", "2;1", RIGHT), (r"\langle 1,2 \rangle", "(1,2)", RIGHT), ("2,1", "(1,2)", WRONG), ("y=2, x=1", "1,2", RIGHT),
        (r"x=\pm 1", "-1, 1", RIGHT),
        # relations
        ("y > 3", "x > 3", WRONG), ("2x+2y > 2", "x+y > 1", RIGHT), ("1 < x+y", "x+y > 1", RIGHT), ("x+y < 1", "x+y > 1", WRONG), ("x=2+3=5", "x=5", RIGHT),
        ("z=2+3=5", "x=5", WRONG), ("x=2+3=5", "x=6", WRONG), ("x^2+y^2=K", "x^2+y^2=C", RIGHT), ("x^2-y^2=K", "x^2+y^2=C", WRONG), ("x=5.2", r"x \approx 5.2", RIGHT), (r"x \approx 5.2", "x=5.2", RIGHT), ("y=5.2", r"x \approx 5.2", WRONG),
        (r"x \approx 5.3", r"x \approx 5.2", WRONG), ("(a,b)=(1,2)", "(x,y)=(1,2)", WRONG), (r"x=(1,2)", r"x \approx (1,2)", RIGHT), (r"2+3=\frac{10}{2}", "2+3=5", RIGHT),
        # matrices and vectors
        (r"\begin{pmatrix}1&2&3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", WRONG), ("(1,2,3,4)", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", WRONG),
        ("[1,2]", r"\begin{pmatrix}1&2\end{pmatrix}", WRONG), ("(1,2)", r"\begin{pmatrix}1&2\end{pmatrix}", RIGHT),
        (r"\begin{pmatrix}1+s\\2s\\3\end{pmatrix}", r"\begin{pmatrix}1+t\\2t\\3\end{pmatrix}", RIGHT), (r"\begin{pmatrix}1&s\\0&1\end{pmatrix}", r"\begin{pmatrix}1&t\\0&1\end{pmatrix}", WRONG),
        (r"\begin{pmatrix}1&s&2\\0&1&3\end{pmatrix}", r"\begin{pmatrix}1&t&2\\0&1&3\end{pmatrix}", WRONG),
        (r"\text{Real numbers}", r"(-\infty,\infty)", RIGHT), (r"\text{Real numbers}", r"(-\infty,3)", WRONG), ("|x|>2, x>5", r"(-\infty,-2)\cup(5,\infty)", WRONG),
        (r"\text{Real numbers greater than }3", r"(3,\infty)", RIGHT), (r"\text{Real numbers less than }3", r"(3,\infty)", WRONG),
        (r"\sqrt{(x-1)^2}", "x-1", WRONG), (r"\sqrt{(x-1)^2}", "|x-1|", RIGHT),
        # labels inside a tuple, roots of an irrational degree
        ("(y=1, x=2)", "(x=1, y=2)", WRONG), ("(x=1, y=2)", "(x=1, y=2)", RIGHT), ("(a=1, b=2)", "(x=1, y=2)", WRONG),
        (r"\sqrt[\pi]{2}", r"2^{1/\pi}", RIGHT), (r"\sqrt[\pi]{2}", r"2^{2/\pi}", WRONG),
        # degrees, roundings, percentages
        (r"60^\circ", r"\frac{\pi}{3}", RIGHT), (r"60^\circ", r"\frac{\pi}{4}", WRONG), ("0.333333", r"\frac13", RIGHT), ("0.33333", r"\frac13", WRONG),
        ("0.666667", r"\frac23", RIGHT), ("0.666666", r"\frac23", WRONG), ("0.666668", r"\frac23", WRONG), (r"0.666\dots", r"\frac23", RIGHT), ("0.6666666666666667", r"\frac23", RIGHT),
        ("A^{-1} = 5", "5", RIGHT), ("g^{-1} = 5", "5", RIGHT), ("x^{-1} = 5", "5", WRONG), (r"5 \text{ NOT}", "5", WRONG), ("B", r"\text{ B }", RIGHT), ("A", r"\text{ B }", WRONG),
        ("A_{12}^2", "132", RIGHT), ("A_5^3", "60", RIGHT), ("A_2^2", "2", WRONG), ("A_3^5", "0", WRONG),
        (r"\begin{pmatrix}x\\2x\end{pmatrix}", r"\begin{pmatrix}t\\2t\end{pmatrix}", WRONG), (r"\begin{pmatrix}c\\2c\end{pmatrix}", r"\begin{pmatrix}t\\2t\end{pmatrix}", RIGHT), (r"0^{10^{30}}", "0", RIGHT),
        (r"\text{2x+1}", "1+2x", RIGHT), (r"\text{2x+1}", "1-2x", WRONG),
        ("2beta", r"2\beta", RIGHT), ("2zeta", r"2\beta", WRONG), (r"\frac23", "0.666667", RIGHT), (r"\frac23", "0.66667", WRONG), (r"2\sqrt3 \approx 3.46", r"\sqrt{12}", RIGHT),
        ("5k", r"5\text{ k}", RIGHT), ("6k", r"5\text{ k}", WRONG), ("2ak", r"2a\text{ k}", RIGHT), ("2bk", r"2a\text{ k}", WRONG),
        ("1.414213", r"\sqrt2", WRONG), ("1.414214", r"\sqrt2", RIGHT),
        ("0.333335", r"\frac13", WRONG), (r"0.333\dots", r"\frac13", RIGHT), (r"0.33\dots", r"\frac13", WRONG), (r"0.001\dots", r"\frac{1}{950}", WRONG), (r"0.001\dots", r"\frac{1}{999}", RIGHT), ("0.000001", r"\frac{1}{1500000}", WRONG),
        (r"50\%", "0.5", RIGHT), (r"0.5\%", "0.5", WRONG), (r"100\%", "1", RIGHT), ("1", r"1\%", RIGHT), (r"1\%", "1", WRONG), (r"250\%", "2.5", RIGHT),
        (r"1050\%", "10.5", WRONG), (r"950\%", "9.5", RIGHT), (r"x\%", "x", RIGHT), (r"0\%", "0", RIGHT),
        # bases
        ("204", "204_5", RIGHT), ("204_5", "204", WRONG), ("204_{10}", "204", RIGHT), ("-204", "-204_5", RIGHT),
        # names of constants and parameters
        (r"2n\pi", r"2k\pi", RIGHT), ("2n", "2k", WRONG), ("Bx+A", "Ax+B", RIGHT), ("Bx^2+Cx+A", "Ax^2+Bx+C", RIGHT), ("Bx^2+Cx", "Ax^2+Bx+C", WRONG), ("B", "A", WRONG), (r"\sin^2 x + C", r"-\cos^2 x + C", RIGHT),
        (r"\sin^2 x + C", r"\cos^2 x + C", WRONG), (r"\sin^2 x", r"-\cos^2 x + C", WRONG),
        # words, ratios and times
        (r"\text{twelve}", "12", RIGHT), ("十二", "12", RIGHT), (r"\text{thirteen}", "12", WRONG), ("6:8", "3:4", RIGHT), ("2:4:6", "1:2:3", RIGHT), ("2:4:7", "1:2:3", WRONG),
        ("3:45", "1:15", WRONG), (r"\frac34", "3:4", RIGHT), (r"\text{3:45 pm}", "15:45", RIGHT), (r"\text{3:00 am}", r"\text{3:00 pm}", WRONG),
        (r"\text{12:15 am}", r"\text{12:15 pm}", WRONG),
        # units of which one is not known contradict the other only by their power or direction
        (r"5\text{ square units}", r"5\text{ cm}^2", RIGHT), (r"5\text{ units}^2", r"5\text{ units}^3", WRONG), (r"5\text{ km north}", r"5\text{ km south}", WRONG), (r"5\text{ km North}", r"5\text{ km south}", WRONG),
        (r"5\text{ km north}", r"5\text{ km}", RIGHT), (r"1\text{ min}", r"60\text{ s}", RIGHT), (r"1\text{ min}", r"60\text{ m}", WRONG),
        (r"\pi\text{ rad}", r"180^\circ", RIGHT), (r"4\text{ rad/s}", r"4\text{ s}^{-1}", RIGHT), (r"2\text{ ft}^2", r"288\text{ in}^2", RIGHT), ("5 m", r"5\text{ m}", RIGHT),
        # what an answer wears: brackets around one, sets of signs, domains, conditions, names
        (r"\{\pm 2, 0\}", r"\{-2,0,2\}", RIGHT), (r"\begin{pmatrix}5\end{pmatrix}", "5", RIGHT), (r"(\pm 4, 0)", "(4,0), (-4,0)", RIGHT), (r"(\pm 4, 0)", "(4,0), (4,1)", WRONG),
        (r"\{5\}", "5", RIGHT), (r"\{\}", r"\emptyset", RIGHT), (r"\{n\pi : n \in \mathbb{Z}\}", r"n\pi", RIGHT), (r"A \cap B = \{x \mid x > 2\}", "x > 2", RIGHT),
        (r"y = \pm 2x", "y=2x, y=-2x", RIGHT), (r"y = \pm 2x", "y=2x, y=-3x", WRONG), (r"\frac{1}{x-1}, x \neq 1", r"\frac{1}{x-1}", RIGHT), (r"5, x \neq 2, -5", "5", RIGHT),
        ("5 = x", "5", RIGHT), (r"\angle ABC = 30^\circ", r"30^\circ", RIGHT), ("AB = 5", "5", RIGHT), ("x+y = 5", "5", RIGHT), ("2x = 6", "6", WRONG), ("x^2 = 4", "4", WRONG),
        ("4", "x^2=4", WRONG), ("2x", r"\frac{dy}{dx}=2x", RIGHT), ("2", r"\frac{a}{b}=2", RIGHT), ("5", "2+3=5", RIGHT), ("5", "5=x", RIGHT), ("3+3=5", "5", WRONG),
        (r"\pi \approx 3.14", "3.14", RIGHT), (r"\sqrt2 \approx 1.9", "1.9", WRONG), ("1, 2", "y=2, x=1", RIGHT),
        # definitions: derivatives and inverses of the same order
        ("f'(x)=2x", "f(x)=2x", WRONG), ("y'=2x", "f'(x)=2x", RIGHT), ("f^{-1}(x)=x+1", "f(x)=x+1", WRONG), ("y=x+1", "f^{-1}(x)=x+1", RIGHT),
        ("f''(x)=2", r"\frac{d^2y}{dx^2}=2", RIGHT), ("f'(x)=2", r"\frac{d^2y}{dx^2}=2", WRONG),
        # a comma that may part thousands or the items of a list, but no pair
        ("100200", "100,200", RIGHT), ("100, 200", "100,200", RIGHT), ("100,200", "100, 200", RIGHT), ("(100,200)", "100,200", WRONG), ("200, 100", "100,200", RIGHT), ("100,200", "200, 100", RIGHT), ("100,200", r"\{200,100\}", RIGHT),
        # choices
        ("A", "B", WRONG), (r"\text{(B) Sb}", "B", RIGHT), ("B, A", "AB", RIGHT), ("3", "B. 3", RIGHT), ("4", "B. 3", WRONG),
        # sentences: a unit of three words, of two, of one
        ("The car needs 60 miles per hour.", r"88\text{ ft/s}", RIGHT), ("The car needs 60 miles per hour.", r"60\text{ miles}", WRONG), ("The field has 3 square feet.", r"432\text{ in}^2", RIGHT), ("The box weighs 5 kg.", r"5000\text{ g}", RIGHT),
        # what is too large is compared as it stands
        ("x=9^{9^{9^9}}", "9^{9^{9^9}}", RIGHT), ("x=9^{9^{9^8}}", "9^{9^{9^9}}", WRONG),
        # leaves that are read in rare ways
        (r"20^\circ C", r"20\text{ C}", RIGHT), (r"\$5", r"5\%", WRONG), ("A3_{16}", r"\text{A}3_{16}", RIGHT), ("A4_{16}", "A3_{16}", WRONG), ("2x m", r"2x\text{ m}", RIGHT),
        ("十二", r"\text{twelve}", RIGHT), ("十三", r"\text{twelve}", WRONG), (r"\text{03:00 pm}", r"\text{3:00 pm}", RIGHT), ("1:2", "1:2:3", WRONG), ("(1,2)", "(1,2,3)", WRONG),
        (r"x \to \frac42", r"x \to 2", RIGHT), (r"x \to 3", r"x \to 2", WRONG), ("x+y < 1", "x+y = 1", WRONG),
        (r"A^{-1}=\begin{pmatrix}1&0\\0&2\end{pmatrix}", r"\begin{pmatrix}1&0\\0&2\end{pmatrix}", RIGHT), (r"\text{area} = 5", "5", RIGHT), ("AB = 2+3 = 5", "CD = 5", RIGHT),
        (r"P(A) = \frac14+\frac14 = \frac12", r"P(B) = \frac12", WRONG), (r"P(A) = \frac14+\frac14 = \frac12", "P(A) = 0.5", RIGHT),
        # what must stay as it is: one row for each thing that a comparison may take for granted
        (r"\ln(-x) + C", r"\ln x + C", WRONG), ("1:2, 2:3", "1:2, 2:3", RIGHT), ("5 feet, 4 inches", r"64\text{ inches}", RIGHT), ("x = 1, 2", "x = 2, 1", RIGHT),
        ("0.5!", r"\frac{\sqrt\pi}{2}", RIGHT), (r"x^2\frac{1}{2}", r"\frac{x^2}{2}", RIGHT), (r"x^2\frac{1}{2}", "x^{5/2}", WRONG), (r"\sqrt3\frac12", r"\frac{\sqrt3}{2}", RIGHT),
        (r"\frac12\frac34", r"\frac38", RIGHT), (r"\frac12\frac34", r"\frac{4}{11}", WRONG), (r"\lvert x \rvert", "|x|", RIGHT), (r"\frac{x^2-1}{x-1}", "x+1", RIGHT), ("2^{x+1}", r"2 \cdot 2^x", RIGHT),
        (r"\sqrt{x^2}", "x", RIGHT), (r"\log_2 8", "3", RIGHT), ("i^2", "-1", RIGHT), (r"\binom{5}{2}", "10", RIGHT), ("3+4i", "3-4i", WRONG),
        ("x^2+y^2-4=0", "x^2+y^2=4", RIGHT), ("2x^2+2y^2=8", "x^2+y^2=4", RIGHT), ("x^2+y^2=8", "x^2+y^2=4", WRONG), ("y-1=2(x-3)", "y=2x-5", RIGHT),
        ("y-1=2(x-3)", "y=2x-4", WRONG), ("E = mc^2", "mc^2", RIGHT), (r"A = \{1,2\}", r"\{1,2\}", RIGHT), ("(a,b) = (1,2)", "(1,2)", RIGHT), ("(b,a) = (1,2)", "(1,2)", RIGHT),
        (r"x = 1 \text{ and } y = 2", "(1,2)", RIGHT), (r"\frac{1}{3}, \frac{2}{3}", r"\frac23, \frac13", RIGHT), (r"1\frac12 \text{ hours}", r"90\text{ minutes}", RIGHT),
        (r"1\frac12 \text{ hours}", r"95\text{ minutes}", WRONG), (r"\text{the Monday}", r"\text{monday.}", RIGHT), (r"\text{yes}", r"\text{Yes}", RIGHT),
        (r"\text{no solution}", r"\emptyset", RIGHT),
        # inequalities and intervals: two bounds, distances, parts that touch, overlap or come in another order
        ("x > 1, x < 3", "(1,3)", RIGHT), ("x < 3, x > 1", "(1,3]", WRONG), ("x > 3, x < 1", "(1,3)", WRONG), ("(3,4), (1,2)", r"(1,2) \cup (3,4)", RIGHT),
        ("(1,3), (2,4)", "(1,4)", WRONG), ("|x-1| < 2", "(-1,3)", RIGHT), ("2 < |x-1|", r"(-\infty,-1) \cup (3,\infty)", RIGHT), (r"|1-2x| \le 3", "[-1,2]", RIGHT),
        (r"|x-1| \ge 2", r"(-\infty,-1) \cup (3,\infty)", WRONG), (r"[1,2) \cup [2,3]", "[1,3]", RIGHT), (r"[1,2) \cup (2,3]", "[1,3]", WRONG),
        (r"[1,2] \cup [1,3)", "[1,3)", RIGHT), (r"[1,3) \cup [1,3]", "[1,3]", RIGHT), (r"(0,2) \cup [0,1]", "[0,2)", RIGHT), (r"(0,2] \cup [0,1]", "(0,2]", WRONG),
        (r"x > 2, x \ne 3", r"(2,3) \cup (3,\infty)", RIGHT), (r"x > 2, x \ne 3", r"(2,\infty)", WRONG), (r"3 \ge x > 1", "(1,3]", RIGHT), (r"3 \ge x > 1", "[1,3)", WRONG),
        (r"3 \le x", r"[3,\infty)", RIGHT), (r"x \le 3", r"(-\infty,3)", WRONG), (r"\text{all real numbers}", r"(-\infty,\infty)", RIGHT),
        (r"\mathbb{R} \setminus \{2,1\}", r"(-\infty,1) \cup (1,2) \cup (2,\infty)", RIGHT), ("1 < y < 3", "1 < x < 3", WRONG), (r"x \in \{2,1\}", r"\{1,2\}", RIGHT),
        (r"3 > x > 1 \text{ or } 6 \ge x > 5", r"(1,3) \cup (5,6]", RIGHT), (r"3 > x > 1 \text{ or } 6 > x \ge 5", r"(1,3) \cup (5,6]", WRONG),
        # a point is taken out where it lies: inside, or at an end that belongs to the set
        (r"[1,3] \setminus \{3\}", "[1,3)", RIGHT), (r"[1,3] \setminus \{1\}", "(1,3]", RIGHT), (r"[1,3] \setminus \{0\}", "(0,3]", WRONG), (r"[1,3] \setminus \{4\}", "[1,4)", WRONG),
    ],
)  # fmt: skip
def test_forms_of_the_second_blind_set(answer: str, gold: str, verdict: Verdict) -> None:
    assert grade(rf"\boxed{{{answer}}}", gold) is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("The answer is $9$, as claimed.", RIGHT), ("The answer is $9$, or $8$.", WRONG), ("The answer is $9$, or less.", WRONG)],
)  # fmt: skip
def test_a_sentence_that_goes_on_behind_the_formula(text: str, verdict: Verdict) -> None:
    assert grade(text, "9") is verdict


@pytest.mark.parametrize(
    ("answer", "gold", "verdict"),
    [
        # equal for small numbers only: the edge is far from 0, on either side of it, or between two variables
        ("20-x", "|x-20|", WRONG), ("1000000-x", "|x-1000000|", WRONG), ("x+5", "|x+5|", WRONG), ("x+50", "|x+50|", WRONG), ("20+b-a", "|a-b-20|", WRONG), ("x+|x-30|", "30", WRONG), ("900-x^2", "|x^2-900|", WRONG),
        ("20-x", r"\sqrt{(x-20)^2}", WRONG), ("20-x", r"\sqrt{x^2-40x+400}", WRONG), ("20-x", "((x-20)^2)^{1/2}", WRONG), ("y=20-x", "y=|x-20|", WRONG), (r"\lceil\frac{n}{100}\rceil", "1", WRONG), (r"\lfloor\frac{x}{100}\rfloor", "0", WRONG),
        ("|20-x|", "|x-20|", RIGHT), ("2|x-20|", "|2x-40|", RIGHT), ("(x-20)^2", "|x-20|^2", RIGHT), ("|x-20||x+20|", "|x^2-400|", RIGHT), ("|x-20|", r"\sqrt{(x-20)^2}", RIGHT), ("y=|20-x|", "y=|x-20|", RIGHT), ("x", r"\sqrt{x^2}", RIGHT),
        # integers where a sign alternates, other variables anything
        (r"\cos n\pi", "(-1)^n", RIGHT), (r"\sin n\pi", "(-1)^n", WRONG), (r"\cos 2n\pi", "(-1)^n", WRONG), (r"\cos\pi x", "(-1)^x", WRONG), ("i^{2n}", "(-1)^n", RIGHT), (r"\cos m\pi\cos n\pi", "(-1)^{m+n}", RIGHT), (r"\cos m\pi", "(-1)^{m+n}", WRONG),
        (r"\frac{\cos n\pi-1}{n^2-1}", r"\frac{(-1)^n-1}{n^2-1}", RIGHT), (r"\cos(n\pi)\sin x", r"(-1)^n\sin x", RIGHT), (r"\cos(n\pi)\sin 2x", r"(-1)^n\sin x", WRONG), ("(-x)^n", "(-1)^nx^n", RIGHT),
        (r"\sum_{n=1}^\infty\frac{(-1)^n}{n!}", r"\sum_{n=0}^\infty\frac{(-1)^n}{n!}", WRONG),
        # far away: what cancels, what is next to nothing, what is too large, and what is beyond the domain
        (r"\frac{1}{\sqrt{x^2+1}+x}", r"\sqrt{x^2+1}-x", RIGHT), (r"\frac{1}{\sqrt{x^4+1}+x^2}", r"\sqrt{x^4+1}-x^2", RIGHT), (r"\sqrt2x-\sqrt{2x^2}", "0", RIGHT), (r"e^{-\sqrt{x}}", r"\frac{1}{e^{\sqrt x}}", RIGHT),
        (r"2^{|x|}2^{|x|}", "4^{|x|}", RIGHT), (r"10^{10^{|x|}}", "10^{10^{|-x|}}", RIGHT), (r"\sqrt{20-x}\sqrt{30-x}", r"\sqrt{(20-x)(30-x)}", RIGHT), (r"\lfloor 2^n\rfloor", "2^n", RIGHT),
    ],
)  # fmt: skip
def test_functions_are_compared_where_they_can_differ(answer: str, gold: str, verdict: Verdict) -> None:
    assert grade(rf"\boxed{{{answer}}}", gold) is grade(rf"\boxed{{{gold}}}", answer) is verdict


@pytest.mark.parametrize(("branches", "verdict"), [(12, RIGHT), (13, WRONG)])
def test_a_function_of_twelve_cases_is_compared(branches: int, verdict: Verdict) -> None:
    parts = ["-x & x < 0", *(f"x & {i} \\le x < {i + 1}" for i in range(branches - 2)), f"x & x \\ge {branches - 2}"]
    assert grade(r"\boxed{\begin{cases}" + r"\\".join(parts) + r"\end{cases}}", "|x|") is verdict


@pytest.mark.parametrize(
    ("answer", "gold", "verdict"),
    [
        # functions by cases
        (r"\begin{cases} x & x\ge0 \\ -x & \text{otherwise}\end{cases}", "|x|", RIGHT), (r"\begin{cases} x & x\ge0 \\ x & \text{otherwise}\end{cases}", "|x|", WRONG),
        (r"\begin{cases} x & x\ge0 \\ -x & x<0\end{cases}", "|x|", RIGHT), (r"\begin{cases} x & x>0 \\ -x & x<0\end{cases}", "|x|", WRONG),
        (r"\begin{cases} x & x>0 \\ -x & x<0 \\ 0 & \text{otherwise}\end{cases}", "|x|", RIGHT), (r"\begin{cases} x & x>0 \\ -x & x<0 \\ 1 & \text{otherwise}\end{cases}", "|x|", WRONG),
        (r"\begin{cases} x & 0\le x<100 \\ 0 & 100\le x\le 100.1 \\ x & x>100.1 \\ -x & x<0\end{cases}", "|x|", WRONG),
        (r"\begin{cases} x & 0\le x<100 \\ x & 100\le x\le 100.1 \\ x & x>100.1 \\ -x & x<0\end{cases}", "|x|", RIGHT),
        (r"\begin{cases} 0 & x<5 \\ 0 & x\ge5\end{cases}", "|2x-2000|+|2x-2004|-2|2x-2002|", WRONG),
        (r"\begin{cases} 0 & x<5 \\ 0 & x\ge5\end{cases}", r"\max(0,2x-2000)-2\max(0,2x-2002)+\max(0,2x-2004)", WRONG),
        (r"\begin{cases} 0 & x<5 \\ 2x-10 & x\ge5\end{cases}", r"\max(0,2x-10)", RIGHT),
        (r"\begin{cases} 1 & x>0 \\ 2 & x<0 \\ 3 & \text{otherwise}\end{cases}", r"\begin{cases} 1 & x>0 \\ 2 & x<0 \\ 3 & x=0\end{cases}", RIGHT),
        (r"\begin{cases} 1 & x>0 \\ 3 & \text{otherwise}\end{cases}", r"\begin{cases} 1 & x>0 \\ 2 & x<0 \\ 3 & x=0\end{cases}", WRONG),
        (r"\begin{cases} 1 & x>0 \\ 2 & x<0 \\ 3 & x=0\end{cases}", r"\begin{cases} 1 & x>0 \\ 2 & x<0 \\ 3 & \text{otherwise}\end{cases}", RIGHT),
        (r"\begin{cases} 1 & x>0 \\ 2 & \text{otherwise}\end{cases}", r"\begin{cases} 1 & x>0 \\ 2 & \text{otherwise}\end{cases}", RIGHT),
        (r"\begin{cases} 1 & x>0 \\ 2 & \text{otherwise}\end{cases}", r"\begin{cases} 1 & x>0 \\ 3 & \text{otherwise}\end{cases}", WRONG),
        (r"\begin{cases} 2 & \text{otherwise} \\ 1 & x>0\end{cases}", r"\begin{cases} 1 & x>0 \\ 2 & x\le 0\end{cases}", RIGHT),
        (r"\begin{cases} 1 & x>0 \\ 2 & \text{otherwise}\end{cases}", "1, 2", WRONG),
        (r"\begin{cases} 1 & x>0 \\ 2 & x \le 0\end{cases}", r"\begin{cases} 2 & x \le 0 \\ 1 & x>0\end{cases}", RIGHT),
        # sets of numbers
        ("(1,2,3)", "x>1", WRONG), ("((1,2),3)", "x>1", WRONG), (r"x > 1, x \neq 2", r"(1,2)\cup(2,\infty)", RIGHT), (r"x>1, x \neq (2,3)", r"(1,2)\cup(2,\infty)", WRONG),
        ("[1,2], 5, [3,4]", r"[1,2] \cup [3,4]", WRONG), (r"x \notin \{(1,2)\}", "x>1", WRONG), (r"x \notin (-\infty, 2]", "x>2", RIGHT), (r"x \notin (-\infty, 2]", r"x \ge 2", WRONG),
        ("x > 1, x > 3", "x>1", WRONG), (r"x \ge 1, x \le 1", "x=1", RIGHT), ("x > 1, x < 1", "x=1", WRONG), (r"3 \ne x", "x>3", WRONG), ("1 < |x^2| < 3", "x>1", WRONG),
        ("-1 < |x| < 3", "x>1", WRONG), ("2x > 3", r"(3,\infty)", WRONG), ("x^2 > 3", r"(3,\infty)", WRONG), ("f(x) > 3", r"(3,\infty)", RIGHT), (r"|x| \le 0", "x=0", RIGHT),
        (r"0 \le |x| < 3", "(-3,3)", RIGHT), ("|x| < -1", "(-1,1)", WRONG), (r"|1-\frac{x}{2}|<3", "(-4,8)", RIGHT), (r"[1,5]\cup[2,3]", "[1,5]", RIGHT),
        (r"[1,5]\cup[2,3]", "[1,3]", WRONG), (r"[1,5]\cup[2,4.5]", "[1,5]", RIGHT), (r"[1,3]\cup[2,3)", "[1,3]", RIGHT), (r"[0,1]\cup[2,4]\cup[3,5]", r"[0,1]\cup[2,5]", RIGHT),
        (r"|x|<\frac12", r"(-\frac12,\frac12)", RIGHT), (r"y > x \ge 1", r"1 \le x < y", RIGHT), (r"x \in \R, y \in \Z", "5", WRONG), (r"B \cup A", r"A \cup B", RIGHT),
        (r"A \cap B", r"A \cup B", WRONG), (r"\sum_{n\ge1} \frac{1}{n^2}", r"\sum_{n=1}^\infty \frac1{n^2}", RIGHT), (r"\text{All real numbers Greater than } 3", "x>3", RIGHT),
        (r"\text{all real numbers At least } 3", r"x\ge3", RIGHT), (r"\text{all real numbers less than } 3", "x<3", RIGHT),
        (r"\text{all real numbers greater than or equal to } 3", r"x\ge3", RIGHT), (r"|x| \le 0", r"x\ge0", WRONG), ("|x|<0", "x=0", WRONG), ("|x|>0", r"x \ne 0", RIGHT),
        (r"x> -i \text{ and } x < 7", "(1,7)", WRONG), (r"x> -i \text{ and } i < 7", r"x> -i \text{ and } x < 7", WRONG), ("ix < 3i", "x<3", WRONG),
        # times of day, ratios, residues
        (r"18 \equiv 0 \pmod 9", "0", RIGHT), (r"18 \equiv 9 \pmod 9", "9", WRONG), (r"8 \equiv -1 \pmod 9", "-1", WRONG), (r"\text{a}:\text{b}", "1:2", WRONG),
        (r"\text{red}:3", "2:3", WRONG), (r"\text{red}:3", r"\frac23", WRONG), ("3:45 pm", "15:45", RIGHT), ("3:45 am", "15:45", WRONG), ("13:00", "1:00 pm", RIGHT),
        ("12:50 am", "12:50", RIGHT), ("1:00", "1:00 pm", RIGHT), ("0:59", "12:59 am", RIGHT), ("12:30 pm", "12:30 am", WRONG), ("3 pm", "3:00 pm", RIGHT),
        ("13:45 hours", "1:45 pm", RIGHT), ("1:45 hours", "1:45 pm", WRONG), (r"1, \text{a} \pmod 6", r"1 \pmod 6", WRONG), (r"1, \sqrt2 \pmod 6", r"1 \pmod 6", WRONG),
        ("0:30", "12:30 pm", WRONG), (r"1:\pm 1:\sqrt{3}", r"1:2:\sqrt{3}", WRONG), ("9^{9^{9^9}}:4:2", "2:4:2", WRONG), (r"\frac10:9", "16:9", WRONG), ("i:30", "3:30 pm", WRONG),
        ("i:30 pm", "3:30 pm", WRONG),
        # sentences and words
        (r"\text{right-angled triangle}", r"\text{right triangle}", RIGHT), (r"\boxed{\text{THE BOX WEIGHS 5 KG}}", "5", RIGHT), (r"\boxed{\text{The train needs 5 hours}}", "x=5", WRONG),
        (r"\boxed{\text{It needs 5 hours}}", "5", RIGHT), (r"\boxed{\text{The box weighs twice } 5 \text{ kg}}", "5", WRONG),
        (r"\boxed{\text{The train runs 60 miles per hour}}", r"60\text{ km/h}", WRONG), (r"\boxed{\text{The train runs 60 miles per hour}}", r"60\text{ mi/h}", RIGHT),
        (r"\boxed{\text{THE ANSWER IS 5}}", "5", RIGHT), (r"\boxed{\text{The Answer: 5}}", "5", RIGHT), (r"\boxed{\text{There are 5 apples}}", "5", RIGHT),
        (r"\boxed{\text{The year 2024}}", "2024", RIGHT), (r"\boxed{\text{the year } 2024}", "2024", RIGHT), (r"\boxed{\text{exactly 5 apples}}", "5", RIGHT),
        (r"\boxed{\text{It has 2 real roots}}", "x=2", WRONG), (r"\boxed{\text{It has 2 real roots}}", "2", RIGHT),
        # units, percentages, bases
        (r"25\text{ degrees celsius}", r"25^\circ\text{C}", RIGHT), (r"\boxed{1a}", "1A_{16}", RIGHT), (r"5\text{ apples}", r"5\%", WRONG), (r"5\%\text{ increase}", "5", RIGHT),
        (r"\boxed{2\pi m}", r"2\pi\text{ m}", RIGHT), (r"\boxed{2\pi r}", r"2\pi\text{ m}", WRONG), (r"77^\circ\text{F}", r"25\text{ degrees celsius}", RIGHT), (r"1.5\%", "1.5", RIGHT),
        (r"100\%", "1", RIGHT), ("1", r"100\%", RIGHT), ("(1,3)", r"(\sum_{n=1}^\infty 2^{-n}, 3)", RIGHT), (r"\frac{1}{0}", r"5\%", WRONG),
        (r"\boxed{\frac{45^\circ}{2}}", r"22.5^\circ", RIGHT), (r"\boxed{€5}", "5 €", RIGHT), (r"101_{\text{seven}}", "101_7", RIGHT), (r"101_{\text{two}}", "101_2", RIGHT),
        (r"101_{\text{7}}", "101_7", RIGHT), ("5 gal", r"5\text{ liters}", WRONG),
        # names, systems, vectors
        ("((a,b),c)=(1,2,3)", "(1,2,3)", WRONG), ("(3,4)=(1,2)", "(1,2)", WRONG), ("5", r"\frac{2}{x}=5", WRONG), ("5", r"\frac{a}{b}=5", RIGHT), ("2u + 3v = x", "x", WRONG),
        ("u^2+3v = x+1", "x+1", WRONG), (r"2u=\begin{pmatrix}6\\5\end{pmatrix}", r"\begin{pmatrix}6\\5\end{pmatrix}", WRONG),
        (r"A_1^6=\begin{pmatrix}6\\5\end{pmatrix}", r"\begin{pmatrix}6\\5\end{pmatrix}", RIGHT), (r"\frac10 \approx 5", "5", WRONG), (r"P(A \cup B) = 0.5", r"P(A\cup B)=\frac12", RIGHT),
        (r"P(A \cap B) = 0.5", r"P(A\cup B)=\frac12", WRONG), (r"\theta = 2t", r"\theta(t)=2t", RIGHT), (r"C(\{1\},3)", "120", WRONG), ("C(10,3)", "120", RIGHT),
        (r"\hat{i}+2\hat{j}", r"\begin{pmatrix}1&2\end{pmatrix}", RIGHT), (r"S \approx 6", r"\frac12ab\cdot 2 = ab \approx 6", RIGHT), (r"2x = x+x \approx 6", r"S \approx 6", WRONG),
        ("(3,4)=(1,2)", r"\vec{r}=(1,2)", WRONG), ("f(t)=t^2", "y=t^2", RIGHT), (r"\{1,2\}", r"\begin{pmatrix}1\\2\end{pmatrix}", WRONG),
        (r"\begin{pmatrix}c\\(1,2)\end{pmatrix}", r"\begin{pmatrix}t\\-2t\end{pmatrix}", WRONG), (r"x=2, y=3 \text{ or } x=3, y=2", r"x=3, y=2 \text{ or } x=2, y=3", RIGHT),
        ("1, z=1", "x=1, z=2", WRONG), ("x=1, z=2", "1, z=1", WRONG), (r"x=\pm1, x=2", "-1,1,2", RIGHT), ("-1,1,2", r"x=\pm1, x=2", RIGHT), ("x_1=2, x_2=1", "y=1, y=2", WRONG),
        ("y=1, y=2", "x_1=2, x_2=1", WRONG), ("x_1=2, x_2=1", "x=1, x=2", RIGHT), ("1,1,2", "1,2,2", WRONG), (r"\frac{2y}{2}=t", "y=x", WRONG), ("Q_D=5-2P", "Q=5-2P", RIGHT),
        (r"\theta_D=5-2P", r"\theta=5-2P", RIGHT), ("Q_D=5-2P", "Q_S=5-2P", WRONG),
        (r"\{\begin{pmatrix}1\\2\end{pmatrix}, \begin{pmatrix}3\\4\end{pmatrix}\}", r"\{\begin{pmatrix}3\\4\end{pmatrix}, \begin{pmatrix}1\\2\end{pmatrix}\}", RIGHT),
        (r"\phi=1, r=2", "(1,2)", WRONG), (r"\begin{pmatrix}s&-2s\end{pmatrix}", r"\begin{pmatrix}t&-2t\end{pmatrix}", RIGHT),
        (r"\begin{pmatrix}s&2s\end{pmatrix}", r"\begin{pmatrix}t&-2t\end{pmatrix}", WRONG),
        # constants of integration, differential equations
        (r"\arctan x + C", r"-\arctan\frac1x + C", RIGHT), (r"\ln x + C", r"\ln(-x) + C", WRONG), ("x^2+C^2", "x^2+C", WRONG), (r"\ln x+Cx^2", r"\ln x+Cx", WRONG),
        (r"\frac{C+2}{x}", r"\frac{C}{x}", WRONG), (r"\frac{C}{x}", r"\frac{C+2}{x}", RIGHT), ("K", "C", WRONG), ("y'=3y-b", r"\frac{dy}{dt}=3y-b", RIGHT),
        (r"\frac{d^2y}{dt^2}=3y-b", r"\frac{d^2x}{dt^2}=3x-b", RIGHT), (r"\frac{d^2y}{dt^2}=3y-b", r"\frac{dx}{dt}=3x-b", WRONG), (r"\arctan x + C", r"\text{arccot} x + C", WRONG),
        ("|x|+C", "x+C", WRONG),
        # parts without a value, and what is left
        (r"\boxed{\frac{2X}{2}}", "X", RIGHT), ("2K", "C", WRONG), ("0.000000", "10^{-7}", WRONG), ("0", "0.000000", RIGHT), ("$$", "5", NONE), (r"\boxed{$$}", "5", NONE),
        (r"\boxed{9^{9^{9^9}}}", r"\int_0^1 x dx", WRONG), (r"\boxed{(A) (B) 5}", "5", WRONG), ("The train needs 5 hours", "5", NONE), (r"\frac13", r"\frac13 \#\# 0.33", RIGHT),
        ("5", "?!", BAD), (r"\boxed{\max x}", "x", WRONG), (r"\boxed{\max\{1,2\}}", "2", RIGHT), ("A_3^2", "6", RIGHT), ("A_5^3", "60", RIGHT), ("A_n^2", "6", WRONG),
        ("A_5^n", "6", WRONG), (r"\max(x,y,-\infty)", r"\max(x,y,z)", WRONG), (r"\max(1,\sqrt2)", r"\sqrt2", RIGHT),
    ],
)  # fmt: skip
def test_odd_inputs(answer: str, gold: str, verdict: Verdict) -> None:
    assert grade([answer], [gold]) == [verdict]


def test_long_lists_are_compared_by_their_values() -> None:
    up, down = (",".join(map(str, numbers)) for numbers in (range(61), range(60, -1, -1)))
    assert grade(rf"\boxed{{{down}}}", up) is grade(rf"\boxed{{\{{{down},60\}}}}", rf"\{{{up}\}}") is RIGHT
    others = [
        down.replace("59", "61"),
        down.replace("59", "x"),
        f"{down},60",
        rf"\{{{down},61\}}",
        rf"{down},\text{{red}}",
        f"{down},9^{{9^{{9^9}}}}",
    ]
    assert {grade(rf"\boxed{{{other}}}", up) for other in others} == {WRONG}
    assert grade(rf"\boxed{{{down},\text{{red}}}}", rf"{up},\text{{blue}}") is WRONG


def test_check_golds() -> None:
    reports = check_golds(["12", "", None, r"\text{Monday}", "B", "word " * 100, r"\boxed{3", "#### 4"])
    assert [report.ok for report in reports] == [True, False, False, True, True, False, False, True]
    assert reports[3].note.startswith("words")
    assert reports[4].note == "choice"
    assert reports[7].read_as == "4"
    by_other, points, nothing = check_golds([r"\int_0^1 x dx", "1, 2", "?!"])
    assert by_other.ok and by_other.note == "left to math-verify" and points.note == "items" and not nothing.ok


def test_text_of_a_gold() -> None:
    golds = (1e15, 1e16, 10**16, True, Fraction(1, 3), [1, 2], ["4"], [], -2.5, float("inf"), [None], "x")
    assert [gold_text(gold) for gold in golds] == ["1000000000000000", "1e+16", "1" + "0" * 16, "True", "1/3", "1, 2", "4", None, "-2.5", None, None, "x"]  # fmt: skip
    texts = (" ['3', '4']", "The answer is 5 apples.", "word " * 61 + "the answer is 5", "x" * 99_999)
    read = [parse_gold(text) for text in texts]
    assert [gold and gold.text for gold in read] == ["3, 4", "5 apples", "5", "x" * 99_999]
    assert parse_gold("x" * 100_000) is parse_gold("word " * 61) is None and parse_gold("word " * 60) is not None


def test_blanks_and_braces_around_the_whole_do_not_count() -> None:
    assert [squeeze(text) for text in ("{ 5 x }", "{1}+{2}", "5}", "{5", "")] == ["5x", "{1}+{2}", "5}", "{5", ""]


def test_what_is_worth_the_time_of_a_worker() -> None:
    worth = ("e", "2" * 59, "x^2" * 30, r"\int x dx", "area 5", "1+" * 200)
    not_worth = ("abc", "2" * 60, "x^2" * 31, "{x^2", "x^{}", "not 5", "area length 5", "5元", "1+" * 200 + "1")
    assert [computable(text) for text in worth + not_worth] == [True] * len(worth) + [False] * len(not_worth)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120), st.text(max_size=60))
def test_any_string_gives_a_verdict(answer: str, gold: str) -> None:
    assert grade([answer, f"\\boxed{{{answer}}}"], [gold, gold], time_limit=1.0)[0] in set(Verdict)


LATEX = st.lists(st.sampled_from([*"0123456789+-*/^_{}()[]|!%.,:;=<>$ xyei", "\\frac", "\\sqrt", "\\text{", "\\pi", "\\pm", "\\{", "\\}", "\\le", "\\cup", "\\\\", "&", "\\begin{pmatrix}", "\\end{pmatrix}", "\\sum_{k=1}^{9}", "\\infty", "\\binom", "^\\circ", "元", " or ", "and "]), max_size=25).map("".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(LATEX, LATEX)
def test_any_latex_gives_a_verdict(answer: str, gold: str) -> None:
    (verdict,) = grade([f"\\boxed{{{answer}}}"], [gold], time_limit=1.0)
    assert verdict in set(Verdict)


@settings(max_examples=200, deadline=None)
@given(st.fractions(), st.fractions())
def test_fractions_are_judged_exactly(one: Fraction, other: Fraction) -> None:
    answer = rf"\boxed{{\frac{{{one.numerator}}}{{{one.denominator}}}}}"
    assert grade([answer], [f"{other.numerator}/{other.denominator}"]) == [RIGHT if one == other else WRONG]


def test_reward_takes_every_form_of_completion() -> None:
    box = r"hence \boxed{5}"
    messages = [
        {"role": "assistant", "content": "let me compute"},
        {"role": "tool", "content": r"\boxed{7}"},
        {"role": "assistant", "content": box},
    ]
    parts = [{"role": "assistant", "content": ["so", {"type": "image"}, {"type": "text", "text": box}]}]
    cut_off = [{"content": "I compute"}, {"content": box}, {"role": "tool", "content": r"\boxed{7}"}]
    completions = [
        box,
        [{"role": "assistant", "content": box}],
        messages,
        parts,
        cut_off,
        [{"role": "assistant", "content": None}],
        None,
        [],
    ]
    assert boxed_accuracy_reward(completions, solution=[5] * 8) == [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_reward_finds_the_gold_column_and_says_when_there_is_none() -> None:
    assert boxed_accuracy_reward([r"\boxed{5}"], answer=["#### 5"]) == [1.0]
    assert boxed_accuracy_reward([r"\boxed{5}"], prompts=["?"], golden=["6"]) == [0.0]
    with pytest.raises(DataError, match=r"the data set has level\. .*rename_column"):
        boxed_accuracy_reward([r"\boxed{5}"], prompts=["?"], level=["1"], trainer_state=object())
    with pytest.raises(DataError, match="one gold per completion"):
        boxed_accuracy_reward([r"\boxed{5}"], solution=["5", "6"])


def test_reward_logs_why() -> None:
    extra: dict[str, list] = {}
    metrics: dict[str, float] = {}
    rewards = boxed_accuracy_reward(
        [r"\boxed{5}", "?", r"\boxed{1}", r"\boxed{2}"],
        ["5", "5", "", "3"],
        log_extra=extra.__setitem__,
        log_metric=metrics.__setitem__,
    )
    assert rewards == [1.0, 0.0, None, 0.0]
    assert extra["verdict"] == ["correct", "no_answer", "bad_gold", "wrong"]
    assert extra["read_answer"] == ["5", "", "1", "2"]
    assert metrics == {
        f"verdict/{name}": share
        for name, share in zip(
            ["correct", "wrong", "no_answer", "bad_gold", "timeout"], [0.25, 0.25, 0.25, 0.25, 0.0], strict=True
        )
    }


def test_an_answer_that_could_not_be_judged_has_no_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics: dict[str, float] = {}
    gold, answer = r"\int_0^1 2t \, dt", r"\boxed{\int_0^1 2x \, dx}"
    assert grade([answer], [gold], time_limit=1e-6) == [Verdict.TIMEOUT]
    monkeypatch.setattr(batch._POOL, "run", lambda pairs, _: [None] * len(pairs))
    rewards = boxed_accuracy_reward([answer, r"\boxed{5}"], [gold, "5"], log_metric=metrics.__setitem__)
    assert rewards == [None, 1.0]
    assert metrics["verdict/timeout"] == 0.5


def test_reward_is_picklable() -> None:
    again = pickle.loads(pickle.dumps(boxed_accuracy_reward))
    assert again([r"\boxed{5}"], ["5"]) == [1.0]


def test_verdicts_are_plain_strings() -> None:
    assert json.dumps(Verdict.CORRECT) == '"correct"'
    assert Path(Verdict.TIMEOUT).name == "timeout"


@pytest.mark.parametrize(
    ("printed", "gold", "verdict"),
    [
        ("Interval(0, 1)", "[0,1]", Verdict.CORRECT), ("Interval(0, 1)", "(0,1)", Verdict.WRONG), ("{x: 1, y: 2}", "x=1, y=2", Verdict.CORRECT), ("{x: 2, y: 1}", "x=1, y=2", Verdict.WRONG),
        ("(x >= 0) & (x < 3)", "[0,3)", Verdict.CORRECT), ("(x > 0) & (x < 3)", "[0,3)", Verdict.WRONG), ("(1+2j)", "1+2i", Verdict.CORRECT), ("(1-2j)", "1+2i", Verdict.WRONG),
        ("[{x: 1, y: 2}, {x: 3, y: 4}]", "(1,2),(3,4)", Verdict.CORRECT), ("[{x: 1, y: 2}, {x: 3, y: 4}]", "(1,2),(4,3)", Verdict.WRONG),
        ("Piecewise((x, x > 0), (-x, True))", r"\begin{cases}x & x > 0\\-x & x\le0\end{cases}", Verdict.CORRECT), ("Piecewise((x, x > 0), (x, True))", r"\begin{cases}x & x > 0\\-x & x\le0\end{cases}", Verdict.WRONG),
    ],
)  # fmt: skip
def test_what_python_prints_is_read(printed: str, gold: str, verdict: Verdict) -> None:
    """Also in a box, into which models copy it."""
    assert judge_printed([printed], [gold]) == [verdict]
    assert grade(rf"Therefore \boxed{{{printed}}}.", gold) is verdict


def test_a_printed_list_may_be_the_answers() -> None:
    golds = [r"\begin{pmatrix}2\\3\end{pmatrix}", "2, 3", "[2, 3]", "(2, 3)", "3, 2", "(3, 2)", "2, 4", "", "e"]
    right, wrong = Verdict.CORRECT, Verdict.WRONG
    found = judge_printed([*["[2, 3]"] * 8, "E"], golds)
    assert found == [right, right, right, right, right, wrong, wrong, Verdict.BAD_GOLD, right]
    assert grade(r"\boxed{[2, 3]}", "2, 3") is wrong  # in a box it is an interval
    assert judge_printed([None], ["2"]) == [Verdict.NO_ANSWER]


def test_a_reading_that_could_not_be_judged_in_time_may_be_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong, late = Verdict.CORRECT, Verdict.WRONG, Verdict.TIMEOUT
    for first, second, verdict in (
        (wrong, right, right),
        (wrong, late, late),
        (late, right, right),
        (late, wrong, late),
    ):
        rounds = iter(([first], [second], [wrong]))
        monkeypatch.setattr(batch, "judge", lambda *_, rounds=rounds: next(rounds))
        assert judge_printed(["[2, 3]"], ["2, 3"]) == [verdict]
