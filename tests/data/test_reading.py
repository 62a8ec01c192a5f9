"""How an answer is read for votes, rewards and labels, and what is said where none was."""

import pytest

from trl_dsmath.data.reading import final_answer, kind_of, why_unread


@pytest.mark.parametrize(
    ("text", "stated", "flexible"),
    [
        ("17 + 5 = 22", None, "22"),
        ("So he has 7 apples left.", None, "7"),
        ("Thus $x = 3$ or so", None, "x = 3"),
        ("First 12, so \\boxed{7}, not 9.", "7", "7"),
        ("The answer is 5. I checked 3 times.", "5", "5"),
        ("I do not know.", None, None),
    ],
)
def test_filters(text: str, stated: str | None, flexible: str | None) -> None:
    assert final_answer(text) == stated
    assert final_answer(text, "flexible") == flexible


def test_what_was_cut_off_has_an_answer_only_in_a_box() -> None:
    for answer_filter in ("stated", "flexible"):
        assert final_answer("The answer is 1", answer_filter, finished=False) is None
        assert final_answer("17 + 5", answer_filter, finished=False) is None
        assert final_answer("so \\boxed{22} and", answer_filter, finished=False) == "22"


def test_kind_and_program() -> None:
    assert final_answer("It is (B) as shown in 1.", "flexible", kind="choice") == "B"
    assert final_answer("See above.", "flexible", printed="42") == "42"
    assert final_answer("See above.", "stated", printed="42") is None
    kinds = {
        "choice": ("B", "AC", "(A), (C)"),
        "number": ("-1,200", "$18", "$ 2.5 $"),
        "formula": ("\\frac12", "b", "(A) , (C)", "x5"),
    }
    assert {kind: tuple(gold for gold in golds if kind_of(gold) == kind) for kind, golds in kinds.items()} == kinds


def test_reasons() -> None:
    assert why_unread(5, 1) == "5 cut off, 1 without a box"
    assert why_unread(0, 1_200, "program") == "1,200 whose program printed nothing"
    assert why_unread(0, 0) == ""
