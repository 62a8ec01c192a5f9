r"""One row, one question and one right answer, whoever reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from trl_dsmath.cli import main
from trl_dsmath.data.benchmarks import load_benchmark
from trl_dsmath.data.columns import columns_of, find_columns
from trl_dsmath.data.problems import convert
from trl_dsmath.errors import DataError
from trl_dsmath.grading import grade
from trl_dsmath.inference import load_recordings
from trl_dsmath.rewards import boxed_accuracy_reward
from trl_dsmath.shepherd.problems import read_problems

MATH500 = Path(__file__).parents[2].parent / "shared" / "data" / "math500" / "test.jsonl"
# The columns of MATH-500. By hand: `answer` lacks the base in the first; the second's solution has two boxes, of which
# `answer` is one; the third's solution has no answer; in the fourth both say the same.
ROWS: list[dict[str, Any]] = [
    {"problem": "Add in base 5.", "solution": r"So it is $\boxed{204_5}$.", "answer": "204"},
    {
        "problem": "Add.",
        "solution": r"$\boxed{15\frac{39}{40}}$ or $\boxed{\frac{639}{40}}$.",
        "answer": r"\frac{639}{40}",
    },
    {"problem": "Halve.", "solution": "Because.", "answer": r"\frac12"},
    {"problem": "Double.", "solution": r"\boxed{4}", "answer": "4"},
]
GOLDS = ["204_5", r"\frac{639}{40}", r"\frac12", "4"]


def _of_check_data(rows: list[dict[str, Any]], folder: Path) -> list[str]:
    path, report = folder / "rows.jsonl", folder / "report.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["check-data", str(path), "--output", str(report)]) == 0
    return [json.loads(line)["gold"] for line in report.read_text().splitlines()]


def _of_recordings(rows: list[dict[str, Any]], folder: Path) -> list[str]:
    path = folder / "recorded.jsonl"
    path.write_text("".join(json.dumps({**row, "completion": "\\boxed{1}"}) + "\n" for row in rows))
    return [task.problem.gold for task in load_recordings(path).tasks]


def test_everyone_reads_the_same_gold(tmp_path: Path) -> None:
    assert [columns_of(row).gold_of(row) for row in ROWS] == GOLDS
    converted = convert(Dataset.from_list(ROWS), "grpo").dataset
    assert converted["solution"][:] == GOLDS
    assert _of_check_data(ROWS, tmp_path) == GOLDS
    assert _of_recordings(ROWS, tmp_path) == GOLDS
    assert [
        problem.gold for problem in read_problems([{**row, "prompt": row["problem"]} for row in ROWS]).problems
    ] == GOLDS
    # and of what GRPO trains on, which keeps the other columns
    assert _of_check_data(converted.to_list(), tmp_path) == GOLDS
    assert [problem.gold for problem in read_problems(converted.to_list()).problems] == GOLDS


def test_the_reward_reads_the_same_gold_under_any_name() -> None:
    answers = [rf"\boxed{{{gold}}}" for gold in GOLDS]
    columns = {name: [row[name] for row in ROWS] for name in ("problem", "answer")}
    assert boxed_accuracy_reward(answers, solution=GOLDS) == [1.0] * 4
    assert boxed_accuracy_reward(answers[1:], **{name: cells[1:] for name, cells in columns.items()}) == [1.0] * 3
    assert boxed_accuracy_reward([r"\boxed{B}"], label=[1], options=[["7", "8"]]) == [1.0]
    with pytest.raises(DataError, match=r"the data set has problem, year\. Call it `solution`"):
        boxed_accuracy_reward(answers, problem=["?"] * 4, year=[1] * 4, prompts=["?"] * 4, completion_ids=[[1]] * 4)


@pytest.mark.skipif(not MATH500.exists(), reason=f"no {MATH500}")
def test_the_real_math500(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in MATH500.read_text().splitlines()]
    golds = convert(Dataset.from_list(rows), "grpo").dataset["solution"][:]
    assert {i: gold for i, gold in enumerate(golds) if "_" in gold and "_" not in rows[i]["answer"]} == {
        311: "204_5",
        325: "4343_6",
        331: "40_9",
        336: "2516_8",
        355: "52_8",
    }
    # A right answer was judged wrong by the bare column in five rows; 18 others that say more add a unit (145 degrees).
    assert [str(verdict) for verdict in grade(golds, [row["answer"] for row in rows])].count("wrong") == 5
    assert golds[330] == r"\frac{639}{40}"
    assert [problem.gold for problem in load_benchmark("math500", MATH500)] == golds
    assert _of_check_data(rows, tmp_path) == golds


@pytest.mark.parametrize(
    ("row", "gold"),
    [
        ({"answer": "2", "solution": r"\boxed{2\sqrt{3}}"}, r"2\sqrt{3}"),
        ({"answer": "204", "solution": r"\boxed{2040}"}, "204"),  # another number, not a longer one
        ({"answer": "1", "solution": r"\boxed{1.5}"}, "1"),
        ({"answer": "1", "solution": r"\boxed{1,500}"}, "1"),
        ({"answer": "x", "solution": r"\boxed{xy}"}, "x"),
        ({"answer": "x", "solution": r"\boxed{y, x}"}, "x"),
        ({"expected_answer": "5", "answer": r"My guess is \boxed{6}"}, "5"),
        ({"answer": None, "label": "D"}, "D"),
        ({"answer": "2", "label": None}, "2"),
        ({"Answer": "A"}, "A"),
        ({"answer": 2, "choices": ["a", "b", "c"]}, "C"),
        ({"answer": [0, 2], "choices": ["a", "b", "c"]}, "AC"),
        ({"answer": 3, "choices": ["a", "b", "c"]}, "3"),
        ({"answer": 0}, "0"),
        ({"answer": ["3", "4"]}, "3, 4"),
        ({"prompt": [{"role": "user", "content": "q"}], "solution": "3", "answer": "4"}, "3"),
        ({"prompt": "q", "solution": "Because.", "answer": "4"}, "4"),
        ({"answer": "  "}, ""),
        ({}, ""),
    ],
)
def test_the_rule(row: dict[str, Any], gold: str) -> None:
    assert columns_of(row).gold_of(row) == gold


def test_a_named_column_is_the_only_one() -> None:
    row = {"question": "q", "problem": "p", "answer": "204", "solution": r"\boxed{204_5}"}
    columns = find_columns(row, "problem", "answer")
    assert (columns.question_of(row), columns.gold_of(row)) == ("p", "204")


def test_which_columns_hold_a_solution_and_a_program() -> None:
    columns = columns_of(["code", "Response", "Program", "solution", "n"])
    assert (columns.worked, columns.program, columns.question, columns.options) == ("solution", "Program", (), ())
    assert (columns_of(["code"]).worked, columns_of(["code"]).program) == (None, "code")
    assert (columns_of(["n"], gold_column="n").worked, columns_of(["n"], gold_column="n").program) == ("n", None)
    assert columns_of(["Answer", "answer"]).gold == ("Answer",)  # the first of two that differ in capitals


def test_questions_and_their_options() -> None:
    for row, question in (
        ({"Question": "q", "options": ["1", "2"]}, "q\n(A) 1\n(B) 2"),
        ({"problem": None, "query": "q", "choices": ["1"]}, "q\n(A) 1"),
        ({"question": "q", "Possible Answers": "A) 1 B) 2"}, "q\nA) 1 B) 2"),
        ({"query": "问题：一加一？ 选项：(A)1 (B)2\n答案：从A到B, 我们应选择"}, "一加一？"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "q"),
    ):
        assert columns_of(row).question_of(row) == question
