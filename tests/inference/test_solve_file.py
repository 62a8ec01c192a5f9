"""Files of questions and answers, and what the settings of solver and evaluation say."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Decoding
from trl_dsmath.grading.votes import Vote
from trl_dsmath.inference import EvaluateConfig, SolveConfig, summary_of_answers
from trl_dsmath.inference.solution import Solution, SolvedSample
from trl_dsmath.inference.solve_file import (
    QuestionArguments,
    default_output,
    load_questions,
    question_keys,
    solve_file,
)


def test_questions_of_a_text_file(tmp_path: Path) -> None:
    file = tmp_path / "q.txt"
    file.write_text("\ufeff 1+1? \n\n 2+2?\n3+3?", encoding="utf-8")
    assert load_questions(file) == [{"question": f"{n}+{n}?", "gold": None} for n in (1, 2, 3)]
    assert [row["question"] for row in load_questions(file, limit=2)] == ["1+1?", "2+2?"]
    with pytest.raises(ConfigError, match="limit must be at least 1, not -1"):  # not all but the last
        load_questions(file, limit=-1)
    file.write_text(" \n")
    with pytest.raises(DataError, match="holds no question"):
        load_questions(file)
    file.write_bytes(b"\xff\xfe1")
    with pytest.raises(DataError, match="cannot be read"):
        load_questions(file)


def test_questions_of_a_folder_with_splits(tmp_path: Path) -> None:
    rows = {
        "train": [{"question": "1?", "answer": "1"}],
        "test": [{"question": "2?", "answer": None}, {"question": ""}],
    }
    for split, own in rows.items():
        (tmp_path / f"{split}.jsonl").write_text(
            "".join(json.dumps({"id": 0, "answer": "", **row}) + "\n" for row in own)
        )
    assert load_questions(tmp_path) == [{"question": "2?", "gold": None}]
    assert load_questions(tmp_path, dataset_split="train") == [{"question": "1?", "gold": "1"}]
    with pytest.raises(DataError, match="has no split 'dev'; there are: test, train"):
        load_questions(tmp_path, dataset_split="dev")
    with pytest.raises(DataError, match="nothing"):
        load_questions(tmp_path, question_column="nothing")


def test_questions_need_no_right_answers(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "1?", "id": 5}\n')
    assert load_questions(tmp_path / "q.jsonl") == [{"question": "1?", "gold": None}]
    (tmp_path / "a.jsonl").write_text('{"answer": "1"}\n')
    with pytest.raises(DataError, match="question_column"):
        load_questions(tmp_path / "a.jsonl")


def test_a_script_may_leave_every_question_argument_out() -> None:
    assert set(vars(QuestionArguments()).values()) == {None}


def test_where_answers_go(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Give output"):
        default_output(tmp_path / "a/dataset")
    (tmp_path / "q.parquet").touch()
    assert default_output(tmp_path / "q.parquet") == tmp_path / "q.parquet.solutions.jsonl"


def test_a_repeated_question_has_a_key_of_its_own() -> None:
    one, two, again, third = question_keys(["1?", "2?", "1?", "1?"])
    assert (again, third) == (f"{one}-2", f"{one}-3") and one != two and len(one) == 16


def test_the_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Three questions of four samples at most; the first is solved, of the second one sample is there."""
    told: list = []

    class Bar:
        def __init__(self, **options: object) -> None:
            told.append({name: options[name] for name in ("total", "initial", "disable", "leave")})

        def update(self, count: int) -> None:
            told.append(count)

        def set_postfix_str(self, text: str) -> None:
            told.append(text)

        def close(self) -> None:
            told.append("closed")

        external_write_mode = staticmethod(lambda file: nullcontext())

    sample = SolvedSample("\\boxed{2}", "2", True, 9)
    solution = Solution("?", "2", 0, Vote("2", (), 0), [sample] * 2, 4)

    def solve(questions: list[str], known: dict, drawn: Callable, show: Callable) -> Iterator[tuple[int, Solution]]:
        told.append((questions, {place: len(samples) for place, samples in known.items()}))
        for place in range(len(questions)):
            drawn(place, len(known.get(place, ())), [sample])
            show(700)
            yield place, solution

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(Solution, "to_dict", lambda self: {"answer": self.answer})
    rows, output = [{"question": f"{n}?"} for n in range(3)], tmp_path / "out.jsonl"
    solve_file(solve, 4, {"n": 4}, rows[:1], output)
    assert "resume" not in capsys.readouterr().err
    with pytest.raises(RuntimeError):
        solve_file(lambda *given: _one_and_fail(solve, *given), 4, {"n": 4}, rows[:2], output)
    told.clear()
    shown: list = []
    found = solve_file(solve, 4, {"n": 4}, rows, output, shown.append)
    assert told == [
        {"total": 8, "initial": 1, "disable": True, "leave": False}, (["1?", "2?"], {0: 1, 1: 0}),
        1, "700 tokens", 2, 1, "1,400 tokens", 2, "closed",
    ]  # fmt: skip
    assert "1 questions are solved in" in capsys.readouterr().err and len(shown) == 2
    assert [row["answer"] for row in found] == ["2"] * 3 and [row["gold"] for row in found] == [None] * 3
    with pytest.raises(ConfigError, match="other settings: n 4"):
        solve_file(solve, 4, {"n": 5}, rows, output)


def _one_and_fail(solve: Callable, *given: object) -> Iterator:
    for _ in solve(*given):
        raise RuntimeError
    yield


def test_a_summary_by_hand() -> None:
    row = {"samples": 3, "n": 4, "tokens": 500, "answer": "2", "gold": "2"}
    rows = [
        row,
        {**row, "answer": None, "cut_off": 2, "without_answer": 1},
        {**row, "answer": "3"},
        {**row, "gold": ""},
    ]
    assert summary_of_answers([*rows, {**row, "gold": None}]).splitlines() == [
        "samples     15 of 20 (25% saved), 2,500 tokens",
        "answers     4 of 5 questions (samples without one: 2 cut off, 1 without a box)",
        "accuracy    33.3% (1 of 3 with a readable right answer)",
    ]
    assert summary_of_answers([{**row, "gold": None}]).splitlines()[1:] == ["answers     1 of 1 questions"]
    assert summary_of_answers([rows[3]]).splitlines()[-1].startswith("accuracy    0.0% (0 of 0")
    assert "1 whose program printed nothing)" in summary_of_answers(rows, printed=True)
    of_program = {**row, "answer": "[2, 3]", "gold": "2, 3"}
    for printed, accuracy in ((False, "0.0%"), (True, "100.0%")):
        assert f"accuracy    {accuracy}" in summary_of_answers([of_program], printed=printed)


def test_what_is_drawn() -> None:
    config = EvaluateConfig(["gsm8k, ,math ", " ocw"], num_samples=3, top_p=0.9, seed=5, max_new_tokens=7)
    assert config.benchmarks == ["gsm8k", "math", "ocw"]
    assert config.decodings(("x",)) == {
        "greedy": (Decoding(7, 0.0, 1.0, ("x",), 5), 1),
        "sampled": (Decoding(7, 0.7, 0.9, ("x",), 5), 3),
    }
    assert list(EvaluateConfig([]).decodings()) == ["greedy"]
    assert list(EvaluateConfig([], greedy=False, num_samples=1).decodings()) == ["sampled"]
    assert EvaluateConfig(None).benchmarks == []
    solve = SolveConfig(n=3, adaptive=False, step_separator="\\n\\n", seed=2)
    assert (solve.samples, solve.stopping, solve.step_separator) == (3, "off", "\n\n")
    assert solve.decoding(("y",)) == Decoding(1024, 0.6, 0.95, ("y",), 2)
    assert SolveConfig(n=3, temperature=0.0).samples == 1
    assert SolveConfig(vote="best_of_n").stopping == "off" and SolveConfig(vote="weighted").stopping == "exact"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (EvaluateConfig, {"num_samples": -1}, "Nothing to draw"),
        (EvaluateConfig, {"samples_at_once": 0}, "samples_at_once must be at least 1, not 0"),
        (EvaluateConfig, {"num_samples": 1, "temperature": 0}, "above 0 for num_samples"),
        (EvaluateConfig, {"max_new_tokens": 0}, "max_new_tokens"),
        (EvaluateConfig, {"benchmarks": ["gsm9k"]}, "no benchmark"),
        (SolveConfig, {"problems_at_once": 0}, "problems_at_once must be at least 1, not 0"),
        (SolveConfig, {"aggregation": "mean"}, "aggregation must be one of min, product, last"),
        (SolveConfig, {"mode": "tool", "few_shot": "gsm8k"}, "leave few_shot out"),
    ],
)
def test_settings_that_cannot_work(kind: type, settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**settings)


def test_worked_examples_without_a_solution(tmp_path: Path) -> None:
    (tmp_path / "shots.jsonl").write_text('{"question": "1?", "solution": "1"}\n{"question": "2?", "solution": ""}\n')
    with pytest.raises(DataError, match="needs `question` and `solution`"):
        SolveConfig(few_shot=str(tmp_path / "shots.jsonl"))
    assert SolveConfig(few_shot="").examples == ()
