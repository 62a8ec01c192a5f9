"""The scorecard of reward models: formats of three benchmarks, their authors' metrics on cases worked by hand, recorded scores."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trl_dsmath.cli import main
from trl_dsmath.errors import DataError
from trl_dsmath.prm.benchmarks import MR_GSM8K, PRMBENCH, PROCESSBENCH, read_benchmarks
from trl_dsmath.prm.scorecard import (
    PUBLISHED,
    figures,
    read_scores,
    score_solutions,
    scorecard,
    scorecard_tables,
    tune_threshold,
)

# ProcessBench: `label` is the index of the first wrong step, -1 where there is none.
PROCESS = [
    ("gsm8k-0", 3, 1),
    ("gsm8k-1", 2, -1),
    ("gsm8k-2", 2, 0),
    ("gsm8k-3", 2, -1),
    ("math-0", 2, 1),
    ("math-1", 2, -1),
]
PROCESS_SCORES = [[0.9, 0.3, 0.9], [0.8, 0.4], [0.2, 0.9], [0.9, 0.7], [0.9, 0.36], [0.9, 0.45]]
# MR-GSM8K: steps are counted from 1. The last one is wrong at no step and is left out.
MR = [("a", 2, "correct", "N/A", "original"), ("b", 3, "wrong", "2", "original"), ("c", 2, "wrong", 1, "POT"),
      ("d", 2, "correct", "N/A", "POT"), ("e", 1, "wrong", "N/A", "POT")]  # fmt: skip
MR_SCORES = [[0.9, 0.8], [0.9, 0.4, 0.1], [0.7, 0.3], [0.6, 0.2]]
# PRMBench: all wrong steps, counted from 1; one idx in two classes.
PRM = [("redundency", "p_0", 4, [2, 4]), ("multi_solutions", "p_0", 2, []), ("circular", "circular_p_0", 2, [1])]
PRM_SCORES = [[0.9, 0.1, 0.2, 0.8], [0.9, 0.2], [0.3, 0.9]]


def steps(count: int) -> list[str]:
    return [f"step {i}" for i in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    process = [
        {
            "id": name,
            "generator": "m",
            "problem": "?",
            "steps": steps(n),
            "final_answer_correct": label < 0,
            "label": label,
        }
        for name, n, label in PROCESS
    ]
    (tmp_path / "process").mkdir()
    (tmp_path / "process/gsm8k.json").write_text(json.dumps(process[:4]))
    (tmp_path / "process/math.json").write_text(json.dumps(process[4:]))
    mr = [
        {"uuid": name, "question": "?", "model_output_steps": steps(n), "model_output_solution_correctness": word,
         "model_output_solution_first_error_step": error, "question_type": kind}
        for name, n, word, error, kind in MR
    ]  # fmt: skip
    (tmp_path / "MR-GSM8K.json").write_text(json.dumps(mr))
    prm = [
        {
            "idx": idx,
            "classification": kind,
            "modified_question": "?",
            "modified_process": steps(n),
            "error_steps": errors,
        }
        for kind, idx, n, errors in PRM
    ]
    (tmp_path / "prmbench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*prm, prm[0]]))
    return tmp_path


def scores(rows: list[list[float]]) -> list[np.ndarray]:
    return [np.array(row) for row in rows]


def test_the_three_formats(folder: Path) -> None:
    found = read_benchmarks([str(folder / "process"), str(folder / "MR-GSM8K.json"), str(folder / "prmbench.jsonl")])
    shown = [
        (one.benchmark, one.group, one.id, [None if np.isnan(x) else int(x) for x in one.labels]) for one in found
    ]
    assert shown[:2] == [(PROCESSBENCH, "gsm8k", "gsm8k-0", [1, 0, None]), (PROCESSBENCH, "gsm8k", "gsm8k-1", [1, 1])]
    assert shown[4][1] == "math"
    assert shown[6:10] == [
        (MR_GSM8K, "original", "a", [1, 1]),
        (MR_GSM8K, "original", "b", [1, 0, None]),
        (MR_GSM8K, "POT", "c", [0, None]),
        (MR_GSM8K, "POT", "d", [1, 1]),
    ]
    assert shown[10:] == [
        (PRMBENCH, "NR", "redundency_p_0", [1, 0, 1, 0]),
        (PRMBENCH, "MS", "multi_solutions_p_0", [1, 1]),
        (PRMBENCH, "NCL", "circular_p_0", [0, 1]),
    ]
    # The subset is in the name of a row, or else that of its split.
    rows = [{"id": name, "problem": "?", "steps": ["a"], "label": -1} for name in ("omni-math-7", "7", "math-1")]
    (folder / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.group for one in read_benchmarks([str(folder / "all.jsonl")])] == ["omni-math", "train", "math"]
    (folder / "other.jsonl").write_text('{"question": "?"}\n')
    with pytest.raises(DataError, match="not in the format of ProcessBench"):
        read_benchmarks([str(folder / "other.jsonl")])


def test_processbench_with_a_threshold_tuned_on_gsm8k(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "process")])
    rows = scores(PROCESS_SCORES)
    # At 0.5: of the two wrong GSM8K solutions both first errors are found, of the two right ones one is left alone: F1 2/3. Below
    # 0.4 and above 0.3 all four are right; the nearest to 0.5 of the thresholds between neighbouring scores there is 0.35.
    assert tune_threshold(solutions, rows) == pytest.approx(0.35)
    card = scorecard(solutions, rows)
    by_group = card["benchmarks"][PROCESSBENCH]
    assert by_group["gsm8k"]["at_half"]["first_error_f1"] == pytest.approx(2 / 3)
    assert by_group["gsm8k"]["tuned"]["first_error_f1"] == 1.0
    # MATH: 0.36 is above 0.35, so its one error is missed; at 0.5 it is found and the right solution is not left alone.
    assert by_group["math"]["tuned"]["error_accuracy"] == 0.0 and by_group["math"]["tuned"]["correct_accuracy"] == 1.0
    assert (
        by_group["math"]["at_half"]["error_accuracy"] == 1.0 and by_group["math"]["at_half"]["correct_accuracy"] == 0.0
    )
    assert by_group["all"]["tuned"]["first_error_f1"] == 0.5  # the mean over subsets, as published
    assert by_group["all"]["solutions"] == 6
    table = scorecard_tables(card)[PROCESSBENCH]
    assert table[0] == ["ProcessBench", "all", "gsm8k", "math"]
    assert ["F1", "50.0", "100.0", "0.0"] in table and ["Math-Shepherd-7B", "-", "47.9", "29.5"] in table
    assert scorecard(solutions, rows, threshold=0.5)["benchmarks"][PROCESSBENCH]["gsm8k"]["tuned"][
        "first_error_f1"
    ] == pytest.approx(2 / 3)
    assert tune_threshold(solutions[4:], rows[4:]) is None
    for alike in ([0, 2], [1, 3]):  # all wrong, all right
        assert tune_threshold([solutions[i] for i in alike], [rows[i] for i in alike]) is None


def test_a_step_after_the_first_error_counts_for_nothing(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "process")])[:1]
    late, early = (figures(solutions, scores([row])) for row in ([0.9, 0.9, 0.1], [0.1, 0.1, 0.9]))
    assert late["error_accuracy"] == early["error_accuracy"] == 0.0
    assert figures(solutions, scores([[0.9, 0.1, 0.1]]))["error_accuracy"] == 1.0


def test_prmbench_by_class(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "prmbench.jsonl")])
    groups = scorecard(solutions, scores(PRM_SCORES))["benchmarks"][PRMBENCH]
    # NR: right steps 1, 3, said 1, 4: F1 1/2; wrong steps 2, 4, said 2, 3: F1 1/2.
    assert groups["NR"]["at_half"]["prm_score"] == 0.5
    # MS has no wrong step: the F1 of right ones alone, as in the authors' table: 1 of 2 said, all of them right, 2/3.
    assert groups["MS"]["at_half"]["prm_score"] == pytest.approx(2 / 3)
    assert groups["NCL"]["at_half"]["prm_score"] == 1.0
    # All: right 5, said 4, both 3: 6/9; wrong 3, said 4, both 2: 4/7.
    assert groups["all"]["at_half"]["prm_score"] == pytest.approx((6 / 9 + 4 / 7) / 2)
    assert groups["NR"]["at_half"]["auroc"] == pytest.approx(2 / 4 + 1 / 4)
    assert list(groups) == ["all", "NR", "NCL", "MS"]  # in the order of the authors' tables, and others after them
    other = [replace(one, group=group) for one, group in zip(solutions, ("new", "MS", "NR"), strict=True)]
    assert list(scorecard(other, scores(PRM_SCORES))["benchmarks"][PRMBENCH]) == ["all", "NR", "MS", "new"]


def test_a_score_at_the_threshold_is_not_above_it(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "prmbench.jsonl")])[2:]  # wrong, right
    assert figures(solutions, scores([[0.5, 0.6]]))["prm_score"] == 1.0
    assert figures(solutions, scores([[0.5, 0.6]]), threshold=0.6)["prm_score"] == pytest.approx((0 + 2 / 3) / 2)


def test_mr_gsm8k(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "MR-GSM8K.json")])
    groups = scorecard(solutions, scores(MR_SCORES))["benchmarks"][MR_GSM8K]
    whole = groups["all"]["at_half"]
    # Right: a is said right, d wrong. Wrong: b and c are said wrong. TP 1, FN 1, TN 2, FP 0: MCC 2 / sqrt(1 * 2 * 2 * 3).
    assert whole["mcc"] == pytest.approx(2 / 12**0.5)
    assert whole["error_accuracy"] == 0.5  # b at its second step; c at the second, not the first
    # Lowest scores: right 0.8, 0.2; wrong 0.1, 0.3. Three of four pairs in order.
    assert whole["solution_auroc"] == 0.75
    assert set(groups) == {"all", "original", "POT"}


def test_published_figures_have_the_published_averages() -> None:
    process = {"Math-Shepherd-7B": 31.5, "Skywork-PRM-7B": 42.1, "Qwen2.5-Math-PRM-7B": 73.5}
    for model, average in process.items():
        assert np.mean(list(PUBLISHED[PROCESSBENCH][model].values())) == pytest.approx(average, abs=0.06)
    # PRMBench: overall, simplicity (2 classes), soundness (4), sensitivity (3).
    prm = {
        "Math-Shepherd-7B": [47.0, 47.1, 45.7, 60.7],
        "RLHFlow-Mistral-8B": [54.4, 46.7, 57.5, 68.5],
        "Skywork-PRM-7B": [65.1, 59.6, 68.5, 73.3],
        "Qwen2.5-Math-PRM-7B": [65.5, 52.1, 71.0, 75.5],
    }
    for model, averages in prm.items():
        row = list(PUBLISHED[PRMBENCH][model].values())
        found = [row[0], np.mean(row[1:3]), np.mean(row[3:7]), np.mean(row[7:])]
        assert found == pytest.approx(averages, abs=0.08)
    assert [row["all"] for row in PUBLISHED[MR_GSM8K].values()] == [30.4, 63.3, 48.8]


def test_where_all_solutions_are_judged_alike(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "MR-GSM8K.json")])
    all_right = figures(solutions, scores([[0.9, 0.9], [0.9, 0.9, 0.9], [0.8, 0.9], [0.7, 0.9]]))
    assert all_right["mcc"] == 0.0  # no correlation with what does not vary
    # Labelled steps: right, right; right, wrong; wrong; right, right. F1 of right ones 2 * 5 / (7 + 5), of wrong ones 0.
    assert all_right["prm_score"] == pytest.approx(10 / 12 / 2)
    # One step, wrong and said to be wrong: nothing right is there or found, which counts 0.
    assert figures(solutions[2:3], scores([[0.1, 0.9]]))["prm_score"] == 0.5


def test_recorded_scores_are_read_and_refused(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "prmbench.jsonl")])
    file = folder / "scores.jsonl"
    rows = [{"id": one.id, "scores": row} for one, row in zip(solutions, PRM_SCORES, strict=True)]
    rows[1] = {
        "idx": rows[1]["id"],
        "scores": {"step_level_validity_scores": rows[1]["scores"]},
    }  # PRMBench's own toolkit

    def write(rows: list[dict]) -> None:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    write(rows)
    assert [row.tolist() for row in read_scores(file, solutions)] == PRM_SCORES
    write([{"id": "circular_p_0", "scores": [0.5] * 9}, *rows])  # another solution of that name
    assert read_scores(file, solutions)[2].tolist() == PRM_SCORES[2]
    write(rows[:2])
    with pytest.raises(DataError, match="no scores for 1 of 3 solutions, such as circular_p_0"):
        read_scores(file, solutions)
    write([*rows[:2], {"id": "circular_p_0", "scores": [0.1]}])
    with pytest.raises(DataError, match="circular_p_0 needs 2 numbers"):
        read_scores(file, solutions)
    file.write_text(file.read_text() + "[0.5]\n")
    with pytest.raises(DataError, match="line 4, is no JSON object"):
        read_scores(file, solutions)


def test_a_model_scores_what_is_left(folder: Path) -> None:
    solutions = read_benchmarks([str(folder / "prmbench.jsonl")])
    asked: list[list[list[str]]] = []

    def scorer(prompts: list[str], steps: list[list[str]]) -> list[list[float]]:
        asked.append(steps)
        return [[0.5] * len(one) for one in steps]

    file = folder / "out/scores.jsonl"
    score_solutions(solutions[:2], scorer, file, "prm")
    found = score_solutions(solutions, scorer, file, "prm", at_once=1)
    assert [len(one) for one in asked] == [2, 1] and [len(row) for row in found] == [4, 2, 2]


def test_the_command_judges_a_file_without_a_model(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    rows = [{"id": name, "scores": row} for (name, _, _), row in zip(PROCESS, PROCESS_SCORES, strict=True)]
    Path("recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["prm", "--evaluate", "process", "--scores", "recorded.jsonl", "--output_dir", "card"]) == 0
    printed = capsys.readouterr().out
    assert "threshold   0.35" in printed and "Skywork-PRM-7B" in printed
    assert json.loads(Path("card/scorecard.json").read_text())["threshold"] == pytest.approx(0.35)
    assert main(["prm", "--evaluate", "process"]) == 2
    assert "model_name_or_path" in capsys.readouterr().err
