"""The file of labels: what survives, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.data.files import load
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import Decoding
from trl_dsmath.shepherd import annotate

RIGHT, WRONG = "\\boxed{7}", "\\boxed{8}"
ROWS = [
    {"prompt": f"Q{i}:", "gold": "7", "completions": ["a\n", f"b{j}\n", WRONG if j else RIGHT]}
    for i in range(4)
    for j in range(3)
]


def _script(prefix: str, index: int) -> str:
    return RIGHT if (len(prefix) * 7 + ord(prefix[1]) + index) % 5 == 0 else WRONG


def _labels(path: Path) -> dict[tuple[str, int], list[bool]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = {(row["problem_id"], row["index"]): row["labels"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("mode", ["hard", "soft", "first_error"])
@pytest.mark.parametrize("cut", [0, 1, 5, 7, 12])
def test_resume_after_any_number_of_rows(mode: Any, cut: int, scripted: Any, tmp_path: Path) -> None:
    """The file ends in the middle of a row (also in the middle of a problem): the same labels, and nothing redone."""
    whole, path = tmp_path / "whole.jsonl", tmp_path / "labels.jsonl"
    for target in (whole, path):
        annotate(ROWS, scripted(_script), target, mode=mode, progress=False)
    lines = path.read_bytes().splitlines(keepends=True)
    half = lines[cut][: len(lines[cut]) // 2] if cut < len(lines) else b""
    path.write_bytes(b"".join(lines[:cut]) + half)
    again = scripted(_script)
    summary = annotate(ROWS, again, path, mode=mode, progress=False)
    assert path.read_bytes().startswith(b"".join(lines[:cut]))
    assert _labels(path) == _labels(whole)
    assert summary.solutions == 12
    untouched = {json.loads(line)["prompt"] for line in lines} - {json.loads(line)["prompt"] for line in lines[cut:]}
    assert not any(text.startswith(tuple(untouched)) for text in again.counts()) or not untouched
    assert annotate(ROWS, scripted(lambda *_: 1 / 0), path, mode=mode, progress=False).solutions == 12  # nothing left


def test_more_data_continue_a_run(scripted: Any, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    annotate(ROWS[:6], scripted(_script), path, progress=False)
    before = path.read_bytes()
    annotate(ROWS, scripted(_script), path, progress=False)
    assert path.read_bytes().startswith(before)
    assert len(_labels(path)) == 12


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"mode": "soft"}, r"mode hard \(now soft\)"),
        ({"num_rollouts": 4}, r"num_rollouts 8 \(now 4\)"),
        ({"decoding": Decoding(seed=1)}, r"seed 0 \(now 1\)"),
        ({"decoding": Decoding(stop=("x",))}, r"stop \[\] \(now \['x'\]\)"),
    ],
)
def test_other_settings_are_refused(other: Any, message: str, scripted: Any, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    annotate(ROWS, scripted(_script), path, progress=False)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"{message}.*Choose another output, or delete this one and labels"):
        annotate(ROWS, scripted(_script), path, progress=False, **other)
    assert path.read_bytes() == before
    annotate(
        ROWS, scripted(_script), path, progress=False, rollout_batch_size=1, problems_at_once=1
    )  # change no label


def test_another_model_is_refused(scripted: Any, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    annotate(ROWS, scripted(_script), path, progress=False)
    other = scripted(_script)
    other.name = "another"
    with pytest.raises(ConfigError, match=r"sampler scripted \(now another\)"):
        annotate(ROWS, other, path, progress=False)


def test_the_folder_is_a_data_set(scripted: Any, tmp_path: Path) -> None:
    """`dataset_name: FOLDER` of the next stage: one split, the settings are not taken for another."""
    annotate(ROWS, scripted(_script), tmp_path / "train.jsonl", progress=False)
    splits, remarks = load(str(tmp_path))
    assert list(splits) == ["train"] and not remarks
    assert {"prompt", "completions", "labels"} <= set(splits["train"].column_names)
