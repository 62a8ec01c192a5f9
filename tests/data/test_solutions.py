r"""The three forms of a solution, and programs out of GSM8K's calculator marks."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from datasets import Dataset

from trl_dsmath.data import convert
from trl_dsmath.data.columns import read_gold
from trl_dsmath.data.solutions import marks_to_program, read_solution

QUESTION = "A baker sells 48 rolls in the morning and half as many in the evening. How many in all?"
WORKED = "She sells 48/2 = <<48/2=24>>24 rolls in the evening.\nIn all 48+24 = <<48+24=72>>72 rolls.\n#### 72"
PROGRAM = """\
# She sells 48/2 = 24 rolls in the evening.
step_1 = 48/2
# In all 48+24 = 72 rolls.
step_2 = 48+step_1
print(round(step_2))"""


def test_marks_become_a_program() -> None:
    assert marks_to_program(QUESTION, WORKED, "72") == (PROGRAM, "72")


@pytest.mark.parametrize(
    ("worked", "gold", "program"),
    [
        ("half: <<5/2=2.5>>2.5", "2.5", ("# half: 2.5\nstep_1 = 5/2\nprint(round(step_1, 6))", "2.5")),
        ("<<20%*$1,500=300>>", "300", ("# \nstep_1 = (20/100)*1500\nprint(round(step_1))", "300")),
        ("no marks", "3", None),
        ("<<1+1=2>>2", "3", None),  # the marks do not lead to the gold
        ("<<1+1=3>>3", "2", None),  # a mark is wrong
        ("<<__import__('os')=2>>2", "2", None),
        ("<<9**9**9=2>>2", "2", None),
        ("<<1/0=2>>2", "2", None),
        ("<<-3+5=2>>", "2", ("# \nstep_1 = -3+5\nprint(round(step_1))", "2")),
        ("<<+(3-1)X2=4>>", "4", ("# \nstep_1 = +(3-1)*2\nprint(round(step_1))", "4")),
        ("<<.1+.2=.3>>", "0.3", ("# \nstep_1 = .1+.2\nprint(round(step_1, 6))", "0.3")),
        ("<<2/3=0.67>>", "0.67", None),  # a mark may be rounded, a final answer may not
        (
            "<<2/3=0.67>> <<0.67*3=2.01>>",
            "2.01",
            ("#\nstep_1 = 2/3\nstep_2 = step_1*3\nprint(round(step_2, 6))", "2.01"),
        ),
        ("<<2/3=0.65>>", "0.65", None),  # rounded to two places it is 0.67
        ("<<1/2=50%>>", "50%", ("# \nstep_1 = 1/2\nprint(round(step_1, 6))", "0.5")),
        ("<<True+1=2>>", "2", None),
        (
            "<<1000+1=1,001>> <<1001+1=$1,002>>",
            "1,002",
            ("#\nstep_1 = 1000+1\nstep_2 = step_1+1\nprint(round(step_2))", "1002"),
        ),
    ],
)
def test_programs_by_hand(worked: str, gold: str, program: tuple[str, str] | None) -> None:
    found = marks_to_program("?", worked, gold)
    assert (found and ("\n".join(map(str.rstrip, found[0].split("\n"))), found[1])) == (
        program and ("\n".join(map(str.rstrip, program[0].split("\n"))), program[1])
    )


def test_a_number_that_the_question_names_is_not_a_variable() -> None:
    worked = "<<1000+1=1001>>\n<<1001+1=1002>>"
    assert "step_2 = step_1+1" in (marks_to_program("?", worked, "1002") or [""])[0]
    assert "step_2 = 1001+1" in (marks_to_program("Of 1,001 men?", worked, "1002") or [""])[0]


def test_forms_of_a_gsm8k_row() -> None:
    assert read_solution(WORKED, None, QUESTION, "72", "pot") == f"```python\n{PROGRAM}\n```"
    assert read_solution(WORKED, None, QUESTION, "72", "tool") == (
        "She sells 48/2 = 24 rolls in the evening.\nIn all 48+24 = 72 rolls.\nLet me compute this with a program.\n"
        f"```python\n{PROGRAM}\n```\n```output\n72\n```\nTherefore, the answer is \\boxed{{72}}."
    )


def test_chinese_questions_get_chinese_words() -> None:
    told = read_solution("一共 <<2+3=5>>5 个", None, "2 个和 3 个，一共几个？", "5", "tool")
    assert "用程序计算如下。" in told and told.endswith("因此，答案是\\boxed{5}。")
    assert read_solution("一共 2+3=5 个", None, "一共几个？", "5", "cot").endswith("因此，答案是\\boxed{5}。")


def test_programs_that_a_data_set_has() -> None:
    assert read_solution("text", "print(5)", "?", "5", "pot") == "```python\nprint(5)\n```"
    assert read_solution("text", "```python\nprint(5)\n```", "?", "5", "pot") == "```python\nprint(5)\n```"
    integrated = "First\n```python\nprint(5)\n```\n```output\n5\n```\nSo \\boxed{5}."
    assert read_solution(integrated, None, "?", "5", "tool") == integrated
    assert read_solution(integrated, None, "?", "5", "pot") == "```python\nprint(5)\n```"
    two = "First\n```python\nx = 1\n```\nthen\n```python\n\nprint(5)\n\n```\n"
    assert read_solution(two, None, "?", "5", "pot") == "```python\nprint(5)\n```"  # the last one
    assert read_solution("text", "print(5)", "?", "5", "tool") == ""  # what it prints is not known


def test_rows_without_a_program_are_counted() -> None:
    rows = [{"question": QUESTION, "answer": WORKED}, {"question": "1+1?", "answer": "It is two.\n#### 2"}]
    converted = convert(Dataset.from_list(rows), "sft", prompt_mode="pot")
    assert converted.dropped == {"no program": [1]}
    (row,) = converted.dataset
    assert row["prompt"][0]["content"].endswith("put your final answer within \\boxed{}.")
    assert "integrate natural language reasoning with programs" in row["prompt"][0]["content"]
    assert row["completion"][0]["content"].startswith("```python\n")


def test_real_marks_run_and_print_the_gold() -> None:
    file = Path(__file__).parents[3] / "shared" / "data" / "gsm8k" / "test.jsonl"
    if not file.exists():
        pytest.skip("the real GSM8K is not at ../shared/data")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    made = 0
    for row in rows:
        gold = read_gold(row["answer"])
        found = marks_to_program(row["question"], row["answer"].rpartition("####")[0], gold)
        if found is None:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(found[0], {})  # nothing but the arithmetic of the marks, and print and round
        assert printed.getvalue().strip() == found[1], row
        assert float(found[1]) == float(gold.replace(",", "")), row
        made += 1
    assert made > 0.9 * len(rows)
