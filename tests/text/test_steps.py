"""Steps of a solution: worked cases, and for any string the spans tile it and no step is blank."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_dsmath.text.steps import BLANK_LINE, KI_TAG, NEWLINE, STEP_LABEL, end_step, split_steps, step_spans

SEPARATORS = [NEWLINE, BLANK_LINE, STEP_LABEL, KI_TAG, "<sep>", ". "]

CASES = [
    (NEWLINE, "a\nb\nc", ["a\n", "b\n", "c"]),
    (NEWLINE, "a\nb\n", ["a\n", "b\n"]),
    (NEWLINE, "a\n\n \nb", ["a\n\n \n", "b"]),
    (NEWLINE, "\n\na\nb", ["\n\na\n", "b"]),
    (NEWLINE, "a\r\nb", ["a\r\n", "b"]),
    (NEWLINE, "一\n二", ["一\n", "二"]),
    (NEWLINE, "only", ["only"]),
    (NEWLINE, "", []),
    (NEWLINE, " \n\n ", []),
    (BLANK_LINE, "a\nb\n\nc", ["a\nb\n\n", "c"]),
    (BLANK_LINE, "a\n \t\n\n  b", ["a\n \t\n\n", "  b"]),
    (BLANK_LINE, "a\n\n\n\n", ["a\n\n\n\n"]),
    (STEP_LABEL, "Step 1: a\nStep 2: b, by Step 1: c", ["Step 1: a\n", "Step 2: b, by Step 1: c"]),
    (STEP_LABEL, "Let us see.\n## Step 1: a\n**Step 12.** b", ["Let us see.\n", "## Step 1: a\n", "**Step 12.** b"]),
    (STEP_LABEL, "\nStep 1: a", ["\nStep 1: a"]),
    (KI_TAG, "Step 1: a ки\nStep 2: b ки\n", ["Step 1: a ки\n", "Step 2: b ки\n"]),
    (KI_TAG, "a ки b кино ки", ["a ки", " b кино ки"]),
    ("<sep>", "a<sep>b<sep><sep>", ["a<sep>", "b<sep><sep>"]),
    ("<sep>", "<sep>a", ["<sep>a"]),
    ("<sep>", "<sep> <sep>", []),
]


@pytest.mark.parametrize(("separator", "text", "steps"), CASES)
def test_cut(separator: str, text: str, steps: list[str]) -> None:
    assert split_steps(text, separator) == steps


text_like = st.lists(
    st.one_of(st.text(max_size=6), st.sampled_from(["\n", "\n\n", " ", " ки", "\nStep 2: ", "<sep>"]))
)


@given(pieces=text_like, separator=st.sampled_from(SEPARATORS))
def test_spans_tile_the_text(pieces: list[str], separator: str) -> None:
    text = "".join(pieces)
    spans = step_spans(text, separator)
    assert spans or not text.replace(separator, "").strip() or separator == KI_TAG
    if spans:
        assert spans[0][0] == 0 and spans[-1][1] == len(text)
        assert all(end == start for (_, end), (start, _) in pairwise(spans))
        assert all(text[start:end].strip() for start, end in spans)
    assert "".join(split_steps(text, separator)) == (text if spans else "")


@given(pieces=text_like)
def test_a_newline_ends_every_step_but_the_last(pieces: list[str]) -> None:
    assert all(step.endswith("\n") for step in split_steps("".join(pieces))[:-1])


def test_empty_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="separator of steps is empty"):
        step_spans("a", "")


@pytest.mark.parametrize(
    ("step", "separator", "ended"),
    [
        ("a", "\n", "a\n"),
        ("a ", "\n", "a "),
        ("a", "\n\n", "a\n\n"),
        ("a\n \n", "\n\n", "a\n \n"),
        ("a ки", " ки", "a ки"),
        ("a ки\n", " ки", "a ки\n"),
        ("a", " ки", "a ки"),
        ("Step 1: a", "Step N:", "Step 1: a\n"),
        ("a;", ";", "a;"),
        ("a", ";", "a;"),
    ],
)
def test_a_step_gets_the_separator_that_it_lacks(step: str, separator: str, ended: str) -> None:
    assert end_step(step, separator) == ended
