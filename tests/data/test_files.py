"""Reading files: one bad line does not cost the file, and is told."""

from pathlib import Path

import pytest

from trl_dsmath.data.files import load
from trl_dsmath.errors import DataError


def test_a_line_that_was_cut_off_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"question": "a", "answer": "1"}\n\n[1]\n{"question": "b", "ans')
    splits, remarks = load(str(tmp_path))
    assert splits["train"].to_list() == [{"question": "a", "answer": "1"}]
    assert len(remarks) == 1
    assert "2 lines" in remarks[0]
    assert "line 3, 4" in remarks[0]


def test_numbers_beside_strings_and_missing_cells(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(
        '{"question": "a", "answer": 1}\n{"question": "b", "answer": "x"}\n{"question": "c", "extra": 2}\n'
    )
    rows = load(str(file))[0]["train"].to_list()
    assert [row["answer"] for row in rows] == ["1", "x", None]
    assert [row["extra"] for row in rows] == [None, None, 2]


def test_options_of_two_types(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"options": [0, 1.5]}\n{"options": ["a", true]}\n{"options": null}\n')
    assert load(str(file))[0]["train"]["options"][:] == [["0", "1.5"], ["a", "true"], None]


def test_json_array_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"question": "a", "answer": "1"}]')
    data = load(str(tmp_path / "a.json"))[0]["train"]
    assert len(data) == 1
    data.to_parquet(tmp_path / "b.parquet")
    assert load(str(tmp_path / "b.parquet"))[0]["train"].to_list() == data.to_list()


def test_folder_has_a_split_a_file(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text(f'{{"question": "{split}"}}\n')
    splits, _ = load(str(tmp_path))
    assert {name: data["question"][0] for name, data in splits.items()} == {"train": "train", "test": "test"}


@pytest.mark.parametrize("name", ["./nothing.jsonl", "/nowhere/at/all", "missing.parquet"])
def test_missing_files_are_named(name: str) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        load(name)


def test_empty_and_odd_files(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no row"):
        load(str(tmp_path / "empty.jsonl"))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="only"):
        load(str(tmp_path / "a.txt"))
