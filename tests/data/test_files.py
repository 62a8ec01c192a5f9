"""Reading files: one bad line does not cost the file, and is told."""

from pathlib import Path

import pytest

from trl_dsmath.data.files import first_few, load, load_split, read_jsonl, read_rows
from trl_dsmath.errors import ConfigError, DataError


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


def test_rows_of_a_file_or_of_a_folder_of_parquet_files(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('\ufeff{"n": 1}\n\n7\n{"n": 2}\n')
    assert read_rows(str(file)) == read_jsonl(file) == ([{"n": 1}, {"n": 2}], [3])
    file.write_text(' [{"n": 1}, 7]')
    assert read_rows(file) == ([{"n": 1}], [2])
    file.write_text("[1")
    with pytest.raises(DataError, match=r"is not JSON.*one object per line"):
        read_rows(file)
    with pytest.raises(DataError, match=r"no \.parquet file"):
        read_rows(tmp_path)
    with pytest.raises(DataError, match="no file or folder"):
        read_rows(tmp_path / "b.jsonl")
    file.write_text('{"n": 3}\n')
    for name in ("2", "1"):
        load(str(file))[0]["train"].to_parquet(tmp_path / "logs" / f"{name}.parquet")
    assert read_rows(tmp_path / "logs") == ([{"n": 3}, {"n": 3}], [])
    assert read_rows(tmp_path / "logs" / "1.parquet") == ([{"n": 3}], [])
    with pytest.raises(DataError, match=r"no \.parquet file"):
        read_rows(tmp_path / "logs" / "3.parquet")
    (tmp_path / "logs" / "3.parquet").write_bytes(b"PAR1 and no more")  # a run that is still writing it
    with pytest.raises(DataError, match="logs cannot be read: "):
        read_rows(tmp_path / "logs")


def test_a_split_is_found_or_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n")
    assert load_split(str(tmp_path / "a.csv"))["n"][:] == [1]
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "test.jsonl").write_text('{"n": 1}\n2\n')
    told: list[str] = []
    assert load_split(str(tmp_path / "s"), split="test", notify=told.append)["n"][:] == [1]
    assert len(told) == 1 and "1 lines are not JSON objects" in told[0]
    with pytest.raises(DataError, match="has no split 'train'; there are: test"):
        load_split(str(tmp_path / "s"))
    assert "line 2" in capsys.readouterr().out  # without notify it is printed
    with pytest.raises(ConfigError, match="Which data set"):
        load_split(None)
    (tmp_path / "mixed.jsonl").write_text('{"n": [1]}\n{"n": {"a": 1}}\n')
    with pytest.raises(DataError, match="columns of one type each"):
        load(str(tmp_path / "mixed.jsonl"))


def test_of_many_numbers_five_are_named() -> None:
    assert first_few([1, 2, 3, 4, 5]) == "1, 2, 3, 4, 5" and first_few(range(6)) == "0, 1, 2, 3, 4, ..."
