"""Calculations in steps: what is right, what is wrong, and what is left out because it cannot be read for certain."""

import pytest

from trl_dsmath.text.arithmetic import check_calculations


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ana has 16+16=24 stickers.", [False]),
        ("He has 72 - 7 = 64.", [False]),
        ("There are 5 boxes x 7 cookies/box = 35 cookies in all.", [True]),
        ("That is 40 apples + 8 more red apples = 49 apples.", [False]),
        ("In total (3 pens + 4 pens) * 2 = 14 pens.", [True]),
        ("3 + 4 = 7 and 7 * 2 = 15.", [True, False]),
        ("2 * 3 + 1 = 6 + 1 = 8", [True, False]),
        ("So $1,000 - $250 = $750.", [True]),
        ("So 12 * 1,000 = 12,000MB.", [True]),
        (r"\frac{1}{2} \times 10 = 5, \$3 \cdot 2 = 7", [True, False]),
        ("48/2 = <<48/2=24>>24 clips", [True]),
        ("80 – 30 = 50", [True]),
        ("-3 - 4 = -7", [True]),
        # a result may be rounded or cut off in its last place
        ("10 / 3 = 3.33", [True]),
        ("10 / 3 = 3.34", [True]),
        ("10 / 3 = 3.35", [False]),
        ("7 / 4 = 1", [True]),
        ("7 / 4 = 3", [False]),
        ("0.1 + 0.2 = 0.3", [True]),
        ("1.5 + 0.5 = 1.75", [False]),
        ("8.5 = 17 / 2 = 8", [True]),
        ("100 / 3 * 2 = 33.3 * 2", [True]),
        ("10 * 10 = 50 * 3", [False]),
        ("1.25 + 1.5 = 2.7", [True]),
        ("6.59 / 2 = 3.2", [True]),  # 0.095 away: less than a tenth
        ("3.1 + 0.2 = 3.2", [False]),
        ("10" + "+1" * 99 + "=109", [True]),  # with 200 characters read, with 201 left out
    ],
)
def test_right_and_wrong(text: str, found: list[bool]) -> None:
    assert check_calculations(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "He has 5 pens.",
        "x = 5",
        "5 = 5",
        "Shared among 5 friends = 250/5",
        "2x + 3 = 11",
        "x + 3 = 11",
        "3 * 2 = 5x",
        "25% * 80 = 20",
        "5 / 20 = 25%",
        r"5 / 20 = 25\%",
        "1 1/2 * 4 = 6",
        "half of 12 * 3 = 18",
        "twice 4 + 2 = 10",
        "5 hours and 30 minutes * 2 = 11 hours",
        "3^2 + 1 = 10",
        "2 + 1 = 3^2",
        "at 6:00+18 = 12 at night",
        "1 / 0 = 5",
        "2(3) + 1 = 7",
        "2 ** 3 + 1 = 9",
        "3 * 5 // 2 + 1 = 8",
        "(" * 150 + "1" + ")" * 150 + " + 1 = 3",
        "100" + "+1" * 99 + "=199",
        "3 + 4 = +7",
        "",
    ],
)
def test_what_is_left_out(text: str) -> None:
    assert check_calculations(text) == []
