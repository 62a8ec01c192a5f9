"""`dsmath grade` and `dsmath check-data` as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trl_dsmath.cli import main


@pytest.fixture
def completions(tmp_path: Path) -> Path:
    rows = [
        {"prompt": "1+1?", "completion": r"It is \boxed{2}.", "solution": "#### 2"},
        {"prompt": "1+2?", "completion": [{"role": "assistant", "content": r"It is \boxed{4}."}], "solution": "3"},
        {"prompt": "1+3?", "completion": "I do not know.", "solution": "4"},
        {"prompt": "?", "completion": r"\boxed{1}", "solution": ""},
    ]
    path = tmp_path / "completions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"prompt": "cut o')
    return path


def verdicts(path: Path) -> list[str]:
    return [json.loads(line)["verdict"] for line in path.read_text().splitlines()]


def test_grade(completions: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["grade", str(completions)]) == 0
    out = capsys.readouterr().out
    assert verdicts(completions.with_name("completions.jsonl.verdicts.jsonl")) == [
        "correct",
        "wrong",
        "no_answer",
        "bad_gold",
    ]
    assert "line 5" in out  # the half-written row
    assert "accuracy 33.3% of 3 rows" in out


def test_grade_resumes(completions: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    output = tmp_path / "out.jsonl"
    assert main(["grade", str(completions), "--output", str(output)]) == 0
    whole = output.read_text()
    lines = whole.splitlines(keepends=True)
    output.write_text(lines[0] + lines[1][:30])  # killed in the middle of a row
    assert main(["grade", str(completions), "--output", str(output)]) == 0
    assert output.read_text() == whole
    assert "1 rows are judged already" in capsys.readouterr().out


def test_grade_refuses_the_output_of_another_input(
    completions: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text(json.dumps({"read_answer": "99", "verdict": "wrong"}) + "\n")
    assert main(["grade", str(completions), "--output", str(output)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["grade", str(completions), "--output", str(output), "--overwrite"]) == 0
    assert len(verdicts(output)) == 4


def test_grade_reads_what_trl_writes(tmp_path: Path) -> None:
    import pandas

    folder = tmp_path / "completions"
    folder.mkdir()
    table = pandas.DataFrame(
        {
            "step": [1, 1],
            "prompt": ["?", "?"],
            "completion": [r"\boxed{2}", r"\boxed{3}"],
            "gold": ["2", "2"],
            "read_answer": ["2", "3"],
        }
    )
    table.to_parquet(folder / "completions_00001.parquet")
    output = tmp_path / "verdicts.jsonl"
    assert main(["grade", str(folder), "--output", str(output)]) == 0
    assert verdicts(output) == ["correct", "wrong"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["grade", "absent.jsonl"], "no file or folder absent.jsonl"),
        (["grade", "{file}", "--gold_column", "answr"], "the columns are prompt, completion, solution"),
        (["grade", "{file}", "--config", "absent.yaml"], "--config absent.yaml: no such file."),
        (["grade", "{file}", "--config"], "--config needs the name of a recipe or a YAML file"),
        (["grade", "{file}", "stray"], "What does 'stray' belong to?"),
        (["check-data", "{file}", "--gold_column", "x"], "Set gold_column to one of them"),
        (["grade", "{file}", "--completion_column", "x"], "Name one with completion_column"),
    ],
)
def test_errors_hold_the_fix(argv: list[str], message: str, completions: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([word.replace("{file}", str(completions)) for word in argv]) == 2
    assert message in capsys.readouterr().err


def test_config_file_and_unknown_keys(completions: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / "grade.yaml"
    config.write_text(f"input: {completions}\noutput: {tmp_path / 'from_config.jsonl'}\n")
    assert main(["grade", "--config", str(config)]) == 0
    assert (tmp_path / "from_config.jsonl").exists()
    config.write_text("outptu: x\n")
    assert main(["grade", str(completions), "--config", str(config)]) == 2
    assert "Did you mean output?" in capsys.readouterr().err


def test_check_data(completions: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    report = tmp_path / "report.jsonl"
    assert main(["check-data", str(completions), "--output", str(report)]) == 1
    out = capsys.readouterr().out
    assert "1  cannot be verified" in out
    assert "row 3: ''" in out
    assert [json.loads(line)["ok"] for line in report.read_text().splitlines()] == [True, True, True, False]


def test_a_broken_line_is_not_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "?", "answer": "1"}\nno JSON\n')
    assert main(["check-data", str(path)]) == 1
    assert "1 lines are not JSON objects and are not checked (line 2)" in capsys.readouterr().out
    path.write_text('{"question": "?", "answer": "1"}\n')
    assert main(["check-data", str(path)]) == 0


def test_a_completion_is_no_gold(tmp_path: Path) -> None:
    """The model's solutions are in a column that the table of golds knows."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"problem": "?", "solution": "So \\boxed{2_3}", "answer": "2"}) + "\n")
    output = tmp_path / "verdicts.jsonl"
    assert main(["grade", str(path), "--completion_column", "solution", "--output", str(output)]) == 0
    assert json.loads(output.read_text())["gold"] == "2"


def test_grade_refuses_other_settings(completions: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["grade", str(completions)]) == 0
    assert main(["grade", str(completions), "--time_limit", "7"]) == 2
    assert "other settings: time_limit 5.0 (now 7.0)" in capsys.readouterr().err


def test_grading_starts_without_torch() -> None:
    code = "import sys; from trl_dsmath.cli import main; main(['grade', '--help'])"
    script = f"try:\n    exec({code!r})\nfinally:\n    import sys; assert not {{'torch', 'trl', 'transformers'}} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
