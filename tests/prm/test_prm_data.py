"""From rows of steps and labels to token ids: same ids as in scoring, and no row that vanishes without a word."""

import math

import pytest
from datasets import Dataset, Value

from trl_dsmath.errors import DataError
from trl_dsmath.prm.data import prepare
from trl_dsmath.prm.layouts import LAYOUTS, StepEncoder

GOOD = {"prompt": "a step", "completions": ["1", "2"], "labels": [True, False]}


def _rows(*changes: dict) -> Dataset:
    return Dataset.from_list([{**GOOD, **change} for change in changes])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("prompt", ["a step", [{"role": "user", "content": "a step"}]])
def test_training_sees_the_ids_that_scoring_sees(layout: str, prompt, tokenizer) -> None:
    encoder = StepEncoder(layout, tokenizer)
    row = prepare(_rows({"prompt": prompt}), encoder).dataset[0]
    solution = encoder(prompt, GOOD["completions"])
    assert row["input_ids"] == solution.input_ids
    assert row["positions"] == solution.positions
    assert row["completion_start"] == solution.completion_start
    assert row["labels"] == [1.0, 0.0]


def test_labels_may_be_soft_and_may_be_absent(tokenizer) -> None:
    """TRL's former trainer rounded 0.25 down to 0 and took no null."""
    encoder = StepEncoder("newline", tokenizer)
    hard = prepare(_rows({}), encoder).dataset
    assert hard.features["labels"].feature == Value("float32")  # not truth values, as those of the input
    soft = prepare(_rows({"labels": [0.25, None]}), encoder).dataset
    assert soft[0]["labels"] == [0.25, None]
    hard = prepare(_rows({"labels": [None, False]}), encoder).dataset
    assert hard[0]["labels"] == [None, 0.0]
    assert prepare(_rows({"labels": [math.nan, 0.0]}), encoder).dataset[0]["labels"] == [
        None,
        0.0,
    ]  # as numpy says None
    assert prepare(_rows({"labels": [1.0, 0.0]}), encoder).dataset[0]["labels"] == [1.0, 0.0]  # the ends are labels


def test_a_row_without_a_label_is_an_error_with_its_number(tokenizer) -> None:
    encoder = StepEncoder("newline", tokenizer)
    rows = _rows({}, {"labels": [None, None]}, {}, {"labels": [None, None]})
    with pytest.raises(DataError, match=r"2 rows of the train data have no label \(row 1, 3\)"):
        prepare(rows, encoder)
    with pytest.raises(DataError, match=r"1 rows .* \(row 0\)"):
        prepare(_rows({"labels": [True, None]}), encoder, last_step_only=True)


def test_dropped_rows_are_counted_with_reasons(tokenizer) -> None:
    encoder = StepEncoder("newline", tokenizer)
    long = {"completions": ["1" * 40, "2"], "labels": [True, False]}
    late = {"completions": ["1", "2" * 40], "labels": [True, False]}
    rows = _rows(
        {}, {"labels": [1.0]}, {"labels": [2.0, 0.0]}, {"completions": [], "labels": []}, {"prompt": ""}, long, late
    )
    prepared = prepare(rows, encoder, max_length=30)
    assert prepared.report() == (
        "2 rows used, 5 dropped; as many labels as steps are needed: 1 (row 1); a label is not between 0 and 1: 1 (row 2); "
        "no steps, or a step that is null: 1 (row 3); no prompt: 1 (row 4); no labelled step within max_length: 1 (row 5); "
        "1 rows lose the steps beyond max_length"
    )
    assert prepared.dataset[1]["labels"] == [1.0]
    assert len(prepared.dataset[1]["positions"]) == 1
    with pytest.raises(DataError, match="No row of the train data can be used"):
        prepare(rows, encoder, max_length=3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": [1.0, 0.0, 1.0]}, "as many labels as steps are needed"),
        ({"labels": []}, "as many labels as steps are needed"),
        ({"labels": [-0.25, 1.0]}, "a label is not between 0 and 1"),
        ({"labels": [0.5, 1.25]}, "a label is not between 0 and 1"),
        ({"completions": ["1", None]}, "no steps, or a step that is null"),
    ],
)
def test_rows_that_cannot_be_used(change: dict, reason: str, tokenizer) -> None:
    prepared = prepare(_rows({}, change), StepEncoder("newline", tokenizer))
    assert prepared.dropped == {reason: [1]} and len(prepared.dataset) == 1
    with pytest.raises(DataError, match=f"{reason}: 1"):
        prepare(_rows(change), StepEncoder("newline", tokenizer))


def test_what_was_prepared_is_taken_as_it_is_and_six_rows_are_named_as_five(tokenizer) -> None:
    encoder = StepEncoder("newline", tokenizer)
    once = prepare(_rows(GOOD, *[{"labels": [2.0, 0.0]}] * 6), encoder)
    assert once.report().endswith("a label is not between 0 and 1: 6 (row 1, 2, 3, 4, 5, ...)")
    again = prepare(once.dataset, encoder)
    assert again.dataset is once.dataset and again.report() == "1 rows used, 0 dropped"
    with pytest.raises(DataError, match=r"5 rows .* \(row 0, 1, 2, 3, 4\)"):
        prepare(_rows(*[{"labels": [None, None]}] * 5), encoder)


def test_columns_are_named(tokenizer) -> None:
    rows = Dataset.from_list([{"prompt": "a", "steps": ["1"]}])
    with pytest.raises(DataError, match=r"no column completions and no column labels; it has prompt, steps"):
        prepare(rows, StepEncoder("newline", tokenizer))


def test_last_step_only(tokenizer) -> None:
    row = prepare(_rows({}), StepEncoder("newline", tokenizer), last_step_only=True).dataset[0]
    assert row["labels"] == [None, 0.0]
