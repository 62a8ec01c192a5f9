"""Which of a model's own solutions are kept: equations, ways of solving, the cap, and pass rates, all by hand."""

import pytest

from trl_dsmath.data.rejection import Candidate, PassRate, equations, keep_ways, pass_rates, way


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"He has $3 \times 4 = 12$ pens, and 12 + 5 = 17 in all. \boxed{17}", ("3*4=12", "12+5=17")),
        ("Natalia sold 48/2 = <<48/2=24>>24 clips.\nThat is 48+24 = <<48+24=72>>72.", ("48/2=24", "48+24=72")),
        ("5 + 4 = 9 = 10 - 1.", ("5+4=9=10-1",)),
        (r"\frac{20}{4} = 5, so \dfrac{1}{2} is not an equation", ("(20)/(4)=5",)),
        ("She pays $1,200 + $300 = $1,500.", ("1200+300=1500",)),
        ("7 × 8 = 56; 56 ÷ 2 = 28; 9 − 1 = 8", ("7*8=56", "56/2=28", "9-1=8")),
        ("x = 5 and so y = 7", ()),
        ("Half of 10 is 5.", ()),
        ("(2 + 3) * 4 = 20", ("(2+3)*4=20",)),
    ],
)
def test_equations(text: str, found: tuple[str, ...]) -> None:
    assert equations(text) == found


def test_two_texts_with_the_same_equations_are_one_way() -> None:
    assert way("First 2 + 3 = 5. Then 5 * 2 = 10.") == way("We add: 2+3=5, and double it: 5*2=10")
    assert way("First 2 + 3 = 5. Then 5 * 2 = 10.") != way("5 * 2 = 10, since 2 + 3 = 5")
    assert way("It is  five.") == way("it is five.") != way("it is six.")


def test_programs_are_compared_as_programs() -> None:
    one, other = "```python\nx = 2 + 3  # sum\nprint(x)\n```", "Let me see.\n```python\nx=2+3\n\nprint(x)\n```"
    assert way(one) == way(other) != way("```python\nprint(2 + 3)\n```")
    assert way("```python\nx = (\n```") != way("```python\nx = [\n```")  # not Python: compared as text


def test_right_solutions_are_kept_one_of_a_way_and_not_too_many() -> None:
    drawn = [
        Candidate("a", "1 + 1 = 2", True),
        Candidate("a", "1+1=2, I say", True),  # the same way
        Candidate("a", "4 / 2 = 2", False),  # wrong
        Candidate("b", "4 / 2 = 2", True),  # another problem
        Candidate("a", "3 - 1 = 2", True),
        Candidate("a", "5 - 3 = 2", True),  # a third way
    ]
    assert keep_ways(drawn, most=2) == [0, 3, 4]
    assert keep_ways(drawn, most=None) == [0, 3, 4, 5]
    assert keep_ways([]) == []


def test_the_best_scored_stay() -> None:
    scores = [0.1, 0.9, 1.0, 0.5, 0.3, 0.2]
    texts = ["1+1=2", "1 + 1 = 2", "4/2=3", "3-1=2", "5-3=2", "6-4=2"]
    drawn = [Candidate("a", text, "3" not in text[-1:], score) for text, score in zip(texts, scores, strict=True)]
    assert keep_ways(drawn, most=3) == [1, 3, 4]


def test_pass_rates() -> None:
    drawn = [Candidate("a", "", True), Candidate("b", "", False), Candidate("a", "", False)]
    assert pass_rates(drawn) == {"a": PassRate(1, 2), "b": PassRate(0, 1)}
    assert pass_rates(drawn)["a"].share == 0.5
