"""Files of completions that somebody recorded."""

import json
from pathlib import Path

import pytest

from trl_dsmath.data.benchmarks import Problem
from trl_dsmath.data.files import read_jsonl
from trl_dsmath.errors import DataError
from trl_dsmath.inference import load_benchmark, load_recordings, score
from trl_dsmath.inference.recorded_rows import Finder, labels_of, own_problem, texts_of
from trl_dsmath.inference.recordings import write_agreement
from trl_dsmath.inference.run import load_plan, read_samples


def _file(tmp_path: Path, rows: list[dict]) -> Path:
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


FORMS = {
    "ours": [{"question": "1+1?", "completions": ["\\boxed{2}", "3"], "gold": "2"}],
    "a row a completion": [
        {"problem": "1+1?", "completion": "\\boxed{2}", "answer": "#### 2"},
        {"problem": "1+1?", "completion": "3", "answer": "#### 2"},
    ],
    "code, gt": [{"idx": 0, "question": "1+1?", "gt": "2", "code": ["\\boxed{2}", "3"], "pred": ["2", "3"]}],
    "doc, resps": [{"doc_id": 0, "doc": {"question": "1+1?", "answer": "#### 2"}, "resps": [["\\boxed{2}", "3"]]}],
    "messages": [
        {
            "prompt": [{"role": "user", "content": "1+1?"}],
            "completion": [[{"role": "assistant", "content": "\\boxed{2}"}], [{"role": "assistant", "content": "3"}]],
            "solution": "\\boxed{2}",
        }
    ],
    "number only": [{"id": "7", "responses": ["\\boxed{2}", "3"], "ground_truth": 2}],
}


@pytest.mark.parametrize("form", FORMS)
def test_usual_forms(form: str, tmp_path: Path) -> None:
    found = load_recordings(_file(tmp_path, FORMS[form]))
    assert [task.samples for task in found.tasks] == [2]
    figures = {f.name: f.value for f in score(found.tasks, found.samples).metrics if f.filter == "flexible"}
    assert figures == {"avg@2": 0.5, "maj@2": 1.0, "pass@2": 1.0}


def test_labels_are_compared(tmp_path: Path) -> None:
    rows = [
        {"question": "1+1?", "code": ["\\boxed{2}", "\\boxed{3}"], "gt": "2", "score": [True, True]},
        {"question": "2+2?", "code": ["It is 4"], "gt": "4", "score": [1.0]},
    ]
    found = load_recordings(_file(tmp_path, rows))
    graded = score(found.tasks, found.samples).graded
    assert write_agreement(tmp_path, found.samples, graded, found.tasks) == (2, 3)
    (row,) = read_jsonl(tmp_path / "disagreements.jsonl")[0]
    assert (row["problem"], row["sample"], row["verdict"]) == (0, 1, "wrong")
    assert any("1 to 2 completions" in remark for remark in found.remarks)


def test_a_folder_as_if_drawn_there_and_what_differs_from_labels(tmp_path: Path) -> None:
    rows = [
        {"question": "1+1?", "completion": "\\boxed{3}", "gold": "2", "correct": True},
        {"question": "2+2?", "completion": "\\boxed{4}", "gold": "4", "correct": True},
        {"question": "3+3?", "completion": "\\boxed{7}", "gold": "6"},
    ]
    found = load_recordings(_file(tmp_path, rows), mode="pot", form="program")
    folder = found.save(tmp_path / "run", {"model": "m"})
    samples = read_samples(folder)
    tasks, record = load_plan(folder)
    assert samples == found.samples and record["model"] == "m"
    assert [(task.mode, task.form, task.problem.gold, task.samples) for task in tasks] == [
        ("pot", "program", gold, 1) for gold in ("2", "4", "6")
    ]
    graded = score(tasks, samples).graded
    assert write_agreement(folder, samples, graded, tasks) == (1, 2)
    (line,) = (folder / "disagreements.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "benchmark": "recorded", "problem": 0, "sample": 0, "question": "1+1?", "gold": "2", "label": True, "read": "3",
        "verdict": "wrong", "completion": "\\boxed{3}",
    }  # fmt: skip
    assert write_agreement(tmp_path / "no", samples[2:], graded[2:], tasks) is None and not (tmp_path / "no").exists()


def test_a_document_that_is_there_once_for_each_filter_is_read_once(tmp_path: Path) -> None:
    rows = [
        {"doc_id": 0, "doc": {"question": "1+1?", "answer": "#### 2"}, "resps": [["\\boxed{2}"]], "filter": name}
        for name in ("strict-match", "flexible-extract")
    ]
    found = load_recordings(_file(tmp_path, rows))
    assert [task.samples for task in found.tasks] == [1]
    assert found.remarks == [
        "Each document is there once for each filter (strict-match, flexible-extract); the rows of strict-match are read."
    ]
    assert not load_recordings(_file(tmp_path, rows[:1])).remarks


def test_columns_that_are_named(tmp_path: Path) -> None:
    rows = [{"question": "1+1?", "answer": "\\boxed{3}", "solution": "2", "mine": "3"}]
    (one,) = load_recordings(_file(tmp_path, rows), completion_column="answer").tasks
    assert one.problem.gold == "2"  # a completion is no gold
    (one,) = load_recordings(_file(tmp_path, rows), completion_column="answer", gold_column="mine").tasks
    assert one.problem.gold == "3"


def test_rows_of_a_benchmark_are_found_by_question_prompt_or_number(benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark("gsm8k", benchmarks_dir)
    rows = [
        {"question": "a lorry carries 1,250 kg twice. How many  kg?", "completion": "#### 2500", "gold": "2600"},
        {"question": problems[0].question, "completion": "so 18", "gold": "18.0"},  # as the benchmark says
        {"prompt": f"Question: 1+1?\nAnswer: 2\n\nQuestion: {problems[0].question}\nAnswer:", "completion": "18"},
    ]
    found = load_recordings(_file(tmp_path, rows), problems)
    assert [(task.problem.index, task.samples) for task in found.tasks] == [(1, 1), (0, 2)]
    assert found.remarks[0].startswith("1 rows have another gold than the benchmark (problem 1);")
    assert [one.right("flexible") for one in score(found.tasks, found.samples).graded] == [True] * 3
    found = load_recordings(_file(tmp_path, [{"idx": 1, "completion": "2500"}]), problems)
    assert [task.problem.index for task in found.tasks] == [1]
    with pytest.raises(DataError, match="is in none of gsm8k"):
        load_recordings(_file(tmp_path, [{"question": "What is love?", "completion": "18"}]), problems)


def test_a_choice_without_its_options_is_found(benchmarks_dir: Path, tmp_path: Path) -> None:
    problems = load_benchmark("sat", benchmarks_dir)
    found = load_recordings(
        _file(tmp_path, [{"question": "What is $2n$ if $n=6$?", "completion": "\\boxed{12}"}]), problems
    )
    assert score(found.tasks, found.samples).graded[0].answers["flexible"] == "C"


def test_a_question_that_stands_twice_among_single_ones_is_two_problems(tmp_path: Path) -> None:
    rows = [
        {"question": f"{i % 5}+1?", "completion": f"\\boxed{{{i % 5 + 1}}}", "gold": str(i % 5 + 1)} for i in range(6)
    ]
    found = load_recordings(_file(tmp_path, rows))
    assert len(found.tasks) == 6 and not found.remarks


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 0: no gold"):
        load_recordings(_file(tmp_path, [{"question": "1+1?", "completion": "2"}]))
    nothing = _file(tmp_path, [{"question": "1+1?", "gold": "2"}])
    with pytest.raises(
        DataError, match=r"row 0: no completion. Looked for completions, .* \(completion_column names another\) in"
    ):
        load_recordings(nothing)
    with pytest.raises(DataError, match=r"no completion\. Looked for said in question, gold"):
        load_recordings(nothing, completion_column="said")
    with pytest.raises(DataError, match=r"no column .right.\. The columns are: question, gold"):
        load_recordings(nothing, completion_column="gold", gold_column="right")
    path = _file(tmp_path, FORMS["ours"])
    path.write_text(path.read_text() + "{broken\n")
    with pytest.raises(DataError, match="line 2"):
        load_recordings(path)


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("a", ["a"]),
        ("", [""]),
        (["a", "", ["b"]], ["a", "", "b"]),
        ({"content": "a", "text": "b"}, ["a"]),
        ([{"text": "a"}, {"generated_text": "b"}], ["a", "b"]),
        (
            [
                {"role": "system", "content": r"Put it in \boxed{}."},
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "a"},
                {"role": "tool", "content": "b"},
            ],
            ["a\nb"],
        ),
        ([{"role": "user", "content": "q"}], None),
        ([{"role": "assistant", "content": None}], [""]),
        (["a", 3], None),
        ([], None),
        (None, None),
        ({"other": "a"}, None),
    ],
)
def test_texts_of_a_cell(cell: object, texts: list[str] | None) -> None:
    assert texts_of(cell) == texts


@pytest.mark.parametrize(
    ("row", "count", "labels"),
    [
        ({"correct": [True, False]}, 2, [True, False]),
        ({"score": 1}, 1, [True]),
        ({"score": [0.5, 0.51, 0, 1.0]}, 4, [False, True, False, True]),
        ({"correct": [" True", "INCORRECT"]}, 2, [True, False]),
        ({"correct": ["correct", "right", "false", "wrong"]}, 4, [True, True, False, False]),
        ({"correct": ["perhaps"]}, 1, None),
        ({"score": 5}, 1, None),
        ({"score": -1, "acc": 0}, 1, [False]),  # points say nothing, and the next column is looked at
        ({"correct": [True]}, 2, None),
        ({}, 1, None),
    ],
)
def test_labels_of_a_row(row: dict, count: int, labels: list[bool] | None) -> None:
    assert labels_of(row, count) == labels


def test_a_row_that_brings_its_own_gold() -> None:
    choice = own_problem(
        {"question": "?", "gold": "A, C", "options": "A: 1\nB: 2\nC: 3", "dataset": "GSM8K"}, "file", "row 0"
    )
    assert (choice.benchmark, choice.kind, choice.gold) == ("gsm8k", "number", "A, C")
    own = own_problem({"question": "?", "gold": "A, C", "data_source": "Mine"}, "file", "row 0")
    assert (own.benchmark, own.kind, own.gold, own.index) == ("Mine", "choice", "AC", 0)
    assert own_problem({"id": 0, "gold": "5"}, "file", "row 0").question == "problem 0"
    assert own_problem({"id": 0, "gold": "5"}, "file", "row 0").benchmark == "file"
    with pytest.raises(DataError, match="row 3: no question and no number"):
        own_problem({"gold": "5"}, "file", "row 3")


def test_which_problem_a_row_means() -> None:
    questions = ["Find b", "b", "Is it so?", "Is it so?", "Find c (A) 1", "c", "Find c (B) 1"]
    problems = [Problem("one", i, question, (), "5", "number") for i, question in enumerate(questions)]
    problems += [Problem("two", i, question, (), "6", "number") for i, question in enumerate(["b", "Is it so?"])]

    def found(**row: object) -> tuple[str, int]:
        problem = finder.find(row, "row 0")
        return problem.benchmark, problem.index

    finder = Finder(problems)
    assert found(question="FIND  b!", benchmark="One") == ("one", 0)  # not what is inside it
    assert found(question="b", dataset="two") == ("two", 0)
    assert found(question="Find c", benchmark="one") == ("one", 4)  # without its options
    assert found(question="Find b. Now: b. Go", benchmark="one") == ("one", 1)  # the last of a prompt
    assert found(question="Q: Find b. Go", benchmark="two") == ("two", 0)
    # A question that is there several times: by its number, or else in turn.
    assert [found(question="Is it so?", benchmark="one")[1] for _ in range(3)] == [2, 3, 2]
    assert found(question="Is it so?", benchmark="one", idx="3") == ("one", 3)
    assert [found(benchmark="two", idx=number) for number in (1, "0")] == [("two", 1), ("two", 0)]
    for row in ({"benchmark": "two", "idx": 2}, {"idx": 1}, {"benchmark": "two", "idx": "x"}):  # of which benchmark?
        with pytest.raises(DataError, match="no number of a problem of"):
            finder.find(row, "row 0")
    with pytest.raises(DataError, match="is in none of two: 'Find d'"):
        finder.find({"question": "Find d", "benchmark": "two"}, "row 0")
    assert Finder(problems[:2]).find({"idx": 1}, "row 0").index == 1
