r"""Rows of data sets in TRL's columns, with values worked by hand."""

import pytest
from datasets import Dataset

from trl_dsmath.data.columns import find_columns, read_gold, read_question, split_gsm8k
from trl_dsmath.data.problems import convert
from trl_dsmath.data.solutions import read_worked
from trl_dsmath.errors import ConfigError, DataError

NATALIA = {
    "question": "How many clips did Natalia sell?",
    "answer": "In May she sold 48/2 = <<48/2=24>>24 clips.\nThat is 48+24 = <<48+24=72>>72 clips altogether.\n#### 72",
}
NATALIA_WORKED = (
    "In May she sold 48/2 = 24 clips.\nThat is 48+24 = 72 clips altogether.\nTherefore, the answer is \\boxed{72}."
)
MATH = {"problem": "Solve $2x=3$.", "solution": "Halve: $x=\\boxed{\\dfrac{3}{2}}$.", "level": "Level 1"}


def test_gsm8k_row_for_sft() -> None:
    row = convert(Dataset.from_list([NATALIA]), "sft").dataset[0]
    assert row == {
        "prompt": [
            {
                "role": "user",
                "content": "How many clips did Natalia sell?\nPlease reason step by step, and put your final answer "
                "within \\boxed{}.",
            }
        ],
        "completion": [{"role": "assistant", "content": NATALIA_WORKED}],
    }


def test_gsm8k_row_for_grpo_keeps_other_columns() -> None:
    row = convert(Dataset.from_list([NATALIA]), "grpo").dataset[0]
    assert row["solution"] == "72"
    assert row["answer"] == NATALIA["answer"]
    assert row["prompt"][0]["role"] == "user"


def test_math_row_keeps_its_box() -> None:
    data = Dataset.from_list([MATH])
    assert convert(data, "sft").dataset[0]["completion"][0]["content"] == MATH["solution"]
    row = convert(data, "grpo").dataset[0]
    assert row["solution"] == "\\dfrac{3}{2}"
    assert row["level"] == "Level 1"


def test_solution_beside_a_bare_answer() -> None:
    row = {"problem": "p", "solution": "Because.", "answer": "\\frac12"}
    data = Dataset.from_list([row])
    content = convert(data, "sft").dataset[0]["completion"][0]["content"]
    assert content == "Because.\nTherefore, the answer is \\boxed{\\frac12}."
    assert convert(data, "grpo").dataset[0]["solution"] == "\\frac12"


def test_plain_strings() -> None:
    row = convert(Dataset.from_list([NATALIA]), "sft", plain_prompts=True).dataset[0]
    assert row["prompt"].startswith("User: How many clips")
    assert row["prompt"].endswith("\\boxed{}.\n\nAssistant:")
    assert row["completion"] == " " + NATALIA_WORKED


def test_broken_rows_are_counted_and_named() -> None:
    rows = [
        NATALIA,
        {"question": " ", "answer": "#### 1"},
        {"question": "q", "answer": None},
        {"question": "q", "answer": ""},
    ]
    converted = convert(Dataset.from_list(rows), "grpo")
    assert converted.dropped == {"no question": [1], "no answer": [2, 3]}
    assert len(converted.dataset) == 1
    assert converted.report() == "1 rows used, 3 dropped; no question: 1 (row 1); no answer: 2 (row 2, 3)"


def test_bare_answers_cannot_be_imitated() -> None:
    with pytest.raises(DataError, match="no worked solution"):
        convert(Dataset.from_list([{"question": "q", "answer": "18"}]), "sft")


def test_the_first_answer_column_that_is_filled_counts() -> None:
    rows = [{"question": "q", "answer": None, "label": "D"}, {"question": "q", "answer": "2", "label": None}]
    assert convert(Dataset.from_list(rows), "grpo").dataset["solution"][:] == ["D", "2"]


def test_unknown_columns_are_named_with_the_argument() -> None:
    with pytest.raises(DataError, match=r"text, score.*question_column"):
        find_columns(["text", "score"])
    with pytest.raises(DataError, match=r"question, n.*gold_column"):
        find_columns(["question", "n"])
    with pytest.raises(DataError, match=r"no column 'x'; the columns are question, n\. Set gold_column"):
        find_columns(["question", "n"], gold_column="x")
    assert find_columns(["Question", "n"], gold_column="n").question == ("Question",)


def test_data_in_trls_own_form_are_left_alone() -> None:
    row = {"prompt": [{"role": "user", "content": "q"}], "solution": "1"}
    data = Dataset.from_list([row])
    assert convert(data, "grpo").dataset is data
    text = Dataset.from_list([{"prompt": "q", "completion": "a"}])
    assert convert(text, "sft").dataset is text


def test_string_prompt_is_a_question() -> None:
    row = convert(Dataset.from_list([{"prompt": "q", "solution": "$\\frac12$"}]), "grpo").dataset[0]
    assert row["prompt"][0]["content"].startswith("q\nPlease")
    assert row["solution"] == "$\\frac12$"


@pytest.mark.parametrize(
    ("cell", "gold"),
    [
        ("#### 1,234", "1,234"),
        ("x\n#### -5 ", "-5"),
        ("so \\boxed{a} and then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("2\\sqrt{3}", "2\\sqrt{3}"),
        (18, "18"),
        (0, "0"),
        (None, ""),
        ("  ", ""),
        (float("nan"), ""),
        ({"answer": 1}, ""),
        (["3"], "3"),
        (["3", "\\boxed{4}"], "3, 4"),
    ],
)
def test_read_gold(cell: object, gold: str) -> None:
    assert read_gold(cell) == gold


def test_split_gsm8k_takes_the_last_mark() -> None:
    assert split_gsm8k("a #### b\n#### 3") == ("a #### b", "3")
    assert split_gsm8k("no mark") is None


def test_read_worked_of_a_bare_answer_is_empty() -> None:
    assert read_worked("18", "18") == ""
    assert read_worked(None, "18") == ""


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["1", "2"], "q\n(A) 1\n(B) 2"),
        (["(A)1", "(B)2"], "q\n(A)1\n(B)2"),
        ("A) 1 B) 2", "q\nA) 1 B) 2"),
        (None, "q"),
        ([], "q"),
    ],
)
def test_options_stand_below_the_question(options: object, text: str) -> None:
    assert read_question("q", options) == text


def test_question_in_messages() -> None:
    messages = [{"role": "user", "content": "珍妮特"}, {"role": "assistant", "content": ""}]
    assert read_question(messages) == "珍妮特"


def test_an_instruction_of_ones_own() -> None:
    data = Dataset.from_list([NATALIA])
    for stage in ("sft", "grpo"):
        row = convert(data, stage, instruction="none", system_prompt="Be brief.").dataset[0]
        user = {"role": "user", "content": "How many clips did Natalia sell?"}
        assert row["prompt"] == [{"role": "system", "content": "Be brief."}, user]
    ready = Dataset.from_list([{"prompt": [{"role": "user", "content": "?"}], "solution": "1"}])
    assert convert(ready, "grpo").dataset[0]["prompt"] == [{"role": "user", "content": "?"}]
    with pytest.raises(ConfigError, match="brings its own prompts"):
        convert(ready, "grpo", instruction="none")
