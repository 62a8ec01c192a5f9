"""The recipe of the real model: its problems, its commands and the numbers of its report. The run itself takes hours."""

import json
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import problems
import pytest
import results
import smollm2

from trl_dsmath.data.journal import write_rows
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.scripts import ScriptParser, recipe_script, script_parser

GSM8K = {
    "question": "Tom has 3 bags of 4 pens and 1 more pen. How many pens does he have?",
    "answer": "He has 3*4=<<3*4=12>>12 pens.\nThat makes 12+1=<<12+1=13>>13.\n#### 13",
}


def test_the_answers_of_each_kind() -> None:
    numbers = {
        "add": ((30, 14), 44),
        "subtract": ((49, 3), 46),
        "multiply": ((5, 7), 35),
        "divide": ((6, 2), 2),
        "add, add": ((20, 5, 7), 32),
        "multiply, add": ((9, 7, 8), 71),
        "multiply, subtract": ((7, 6, 3), 39),
        "compare": ((19, 9), 47),
    }
    assert {name: kind.answer(*numbers[name][0]) for name, kind in problems.KINDS.items()} == {
        name: answer for name, (_, answer) in numbers.items()
    }


def test_a_division_tells_the_product() -> None:
    row = next(row for row in problems.word_problems(8, 0, held_out=False) if row["kind"] == "divide")
    told = [int(word) for word in row["question"].replace(".", " ").split() if word.isdigit()]
    assert max(told) == min(told) * int(row["answer"]) or max(told) == int(row["answer"]) * min(told)


def test_held_out_problems_have_numbers_and_forms_that_no_training_problem_has() -> None:
    training, test = problems.word_problems(400, 0, held_out=False), problems.word_problems(64, 0, held_out=True)

    def numbers(rows: list[dict]) -> set[tuple[str, ...]]:
        return {
            (row["kind"], *(word for word in row["question"].replace(".", " ").split() if word.isdigit()))
            for row in rows
        }

    assert not numbers(training) & numbers(test)
    assert not any(row["unseen"] for row in training)
    assert [row["kind"] for row in training[:5]] == ["add", "subtract", "multiply", "divide", "add"]
    assert [row["unseen"] for row in test[:24]] == [False] * 8 + [True] * 8 + [False] * 8
    assert [row["kind"] for row in test[:8]] == list(problems.KINDS)
    assert all("Of " in row["question"] for row in test if row["kind"] == "subtract" and row["unseen"])
    assert problems.word_problems(64, 0, held_out=True) == test
    assert problems.word_problems(64, 1, held_out=True) != test


def test_gsm8k_is_cut_to_short_problems_with_small_whole_answers(tmp_path: Path) -> None:
    others = [
        GSM8K | {"question": "x" * 200},
        GSM8K | {"answer": "<<1+1=2>> <<2+1=3>> <<3+1=4>>\n#### 4"},
        GSM8K | {"answer": "<<100+1=101>>\n#### 101"},
        GSM8K | {"answer": "#### 0.5"},
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*others, GSM8K]))
    assert problems.short_gsm8k(str(tmp_path), "train", 1, 0) == [GSM8K]
    with pytest.raises(DataError, match="1 short problems, 2 are needed"):
        problems.short_gsm8k(str(tmp_path), "train", 2, 0)
    with pytest.raises(DataError, match="is not GSM8K"):
        problems.short_gsm8k(str(tmp_path), "test", 1, 0)


def test_each_stage_is_a_command_that_its_parser_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(smollm2.stages(tmp_path, smollm2.Settings(), 3))
    assert [command.split()[0] for command in found.values()] == [
        "evaluate", "sft", "evaluate", "grpo", "evaluate", "annotate", "prm", "grpo", "evaluate", "solve", "solve", "evaluate",
        "evaluate",
    ]  # fmt: skip
    assert set(results.MODELS) == {name for name in found if name.startswith("evaluate")}
    for command in found.values():
        stage, *words = shlex.split(command)
        if stage in {"solve", "evaluate", "annotate"}:
            monkeypatch.setattr(sys, "argv", ["script"])
            parser = ScriptParser(runpy.run_path(str(recipe_script(stage)))["ARGUMENTS"])
            if stage == "solve":
                parser.add_argument("question", nargs="?")
            parser.parse_args_and_config(words)
        else:
            args = script_parser(stage).parse_args_and_config(words)[1]
            assert args.seed == 3 and args.use_cpu


def test_a_folder_belongs_to_its_settings(tmp_path: Path) -> None:
    smollm2.claim(tmp_path / "run", smollm2.Settings())
    smollm2.claim(tmp_path / "run", smollm2.Settings())
    with pytest.raises(ConfigError, match=r"sft_steps.*--output_dir"):
        smollm2.claim(tmp_path / "run", smollm2.Settings(sft_steps=1))


def test_mcnemar() -> None:
    assert results.mcnemar(10, 2) == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert results.mcnemar(1, 1) == 1.0
    assert results.mcnemar(0, 0) == 1.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of four problems: SFT has the first right, GRPO the first three."""
    data = [
        {"question": "a", "answer": "1", "kind": "add", "unseen": False},
        {"question": "b", "answer": "2", "kind": "add", "unseen": True},
        {"question": "c", "answer": "3", "kind": "add, add", "unseen": True},
        {"question": "d", "answer": "4", "kind": "GSM8K"},
    ]
    smollm2.claim(tmp_path, smollm2.Settings())
    seed = tmp_path / "seed-0"
    write_rows(seed / "data/test.jsonl", data)
    for name, right in {"evaluate-sft": 1, "evaluate-grpo": 3}.items():
        scores = [
            {"problem": i, "strict_verdict": "correct" if i < right else "no_answer", "flexible_verdict": "correct"}
            for i in range(4)
        ]
        write_rows(seed / name / "scores.jsonl", scores[::-1])
        (seed / name / "report.json").write_text(json.dumps({"cut_off_samples": {"gsm8k": right}}))
    cost = json.dumps({"wall": 60, "cpu": 90, "peak_gib": 2})
    write_rows(seed / "finished/x.jsonl", [])
    (seed / "finished/sft.json").write_text(cost)
    (seed / "prm").mkdir()
    figures = {"eval_step_accuracy": 0.75, "eval_auroc": 0.5, "eval_first_error_f1": 0.25, "eval_loss": 0.6}
    (seed / "prm/trainer_state.json").write_text(json.dumps({"log_history": [{"loss": 1.0}, figures]}))
    drawn = [("5", 0.2), ("5", 0.2), ("6", 0.9), (None, 0.1)]
    samples = [{"id": "q", "index": i, "answer": answer, "score": score} for i, (answer, score) in enumerate(drawn)]
    write_rows(seed / "solve-sft.samples.jsonl", samples)
    write_rows(seed / "solve-sft.jsonl", [{"id": "q", "answer": "6", "gold": "6"}])
    return tmp_path


def test_the_report_counts_kinds_forms_and_votes(run: Path) -> None:
    results.write(run)
    page = (run / "report.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    sft, grpo = (next(row for row in rows if row[0] == name) for name in ("SFT", "GRPO, outcome"))
    assert [cell.split(" [")[0] for cell in sft] == ["SFT", "100.0 %", "0.0 %", "0.0 %", "0.0 %", "100.0 %", "25%"]
    assert [cell.split(" [")[0] for cell in grpo] == [
        "GRPO, outcome", "100.0 %", "100.0 %", "100.0 %", "0.0 %", "100.0 %", "75%",
    ]  # fmt: skip
    assert ["add", "1 of 1 / 0 of 1", "1 of 1 / 1 of 1"] in rows
    assert ["SFT, one operation", "GRPO, outcome", "2", "1", "0", "1.000"] in rows
    assert ["SFT, two operations", "GRPO, outcome", "1", "1", "0", "1.000"] in rows
    votes = next(row for row in rows if row[:2] == ["SFT", "25.0 %"])
    assert [cell.split(" [")[0] for cell in votes[2:]] == ["0.0 %", "100.0 %", "100.0 %"]
    assert ["sft", "1.0", "1.5", "2.0"] in rows
    assert ["0", "0.75", "0.5", "0.25", "0.6"] in rows
    assert (
        "on 2 problems of one operation from 50.0% to 100.0%, on 1 problems of two" in page
        and (run / "report.html").exists()
    )
    assert "Each seed" not in page

    shutil.copytree(run / "seed-0", run / "seed-1")
    for name in ("sft", "grpo"):  # all right in the second seed
        scores = run / f"seed-1/evaluate-{name}/scores.jsonl"
        scores.write_text(scores.read_text().replace("no_answer", "correct"))
    results.write(run)
    page = (run / "report.md").read_text()
    assert "| SFT | 100.0, 100.0 | 0.0, 100.0 | 0.0, 100.0 | 0.0, 100.0 |" in page and "Each seed" in page

    (run / "seed-0/evaluate-grpo/scores.jsonl").unlink()  # the second seed alone has both, and loses nothing
    results.write(run)
    page = (run / "report.md").read_text()
    assert "| GRPO, outcome | -, 100.0 | -, 100.0 | -, 100.0 | -, 100.0 |" in page
    assert "| SFT, one operation | GRPO, outcome | 2 | 0 | 0 | 1.000 |" in page
