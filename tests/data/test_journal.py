"""Files that survive a kill: what is dropped, refused, kept and written in one piece."""

import json
from pathlib import Path

import pytest

from trl_dsmath.data.journal import (
    Journal,
    differing,
    keep_settings,
    lock,
    read_journal,
    read_settings,
    settings_path,
    whole_file,
    write_whole,
)
from trl_dsmath.errors import ConfigError, DataError


def test_a_later_run_continues(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    with Journal(path, ("id", "index"), {"seed": 0}) as journal:
        assert journal.done == set()
        journal.append([{"id": "a", "index": 0, "text": "一"}, {"id": "a", "index": 1, "text": "二"}])
        assert list(journal.rows())[1] == {"id": "a", "index": 1, "text": "二"}
    with Journal(path, ("id", "index"), {"seed": 0}) as journal:
        assert journal.done == {("a", 0), ("a", 1)}


def test_a_cut_off_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1}\n{"id": 2')
    assert [row["id"] for row in read_journal(path, ("id",))] == [1]
    assert path.read_text() == '{"id": 1}\n{"id": 2'  # read without a change
    with Journal(path, ("id",)) as journal:
        journal.append([{"id": 3}])
    assert path.read_text() == '{"id": 1}\n{"id": 3}\n'


def test_the_first_row_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "n": 1}\n{"id": 1, "n": 2}\n')
    assert [row["n"] for row in read_journal(path, ("id",))] == [1]
    assert list(read_journal(tmp_path / "missing.jsonl", ("id",))) == []


@pytest.mark.parametrize("line", ['{"question": 1}', "not JSON", "[1]", '{"id": [1]}', '"id"'])
def test_a_line_that_is_no_row_is_refused_and_kept(line: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"id": 1}}\n{line}\n')
    with pytest.raises(DataError, match="line 2, is not a row with id"):
        Journal(path, ("id",))
    assert path.read_text() == f'{{"id": 1}}\n{line}\n'
    lock(path).close()  # the lock is free again


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path, waited = tmp_path / "rows.jsonl", []
    first = Journal(path, ("id",))
    with pytest.raises(ConfigError, match="being written by another process"):
        Journal(path, ("id",))
    lock(path, wait=lambda: (waited.append(1), first.close())).close()
    assert waited == [1]
    with pytest.raises(ConfigError, match="cannot be written"):
        Journal(tmp_path, ("id",))
    for place in (tmp_path, path / "below" / "a.json"):  # a folder, and one that cannot be made: a file has its name
        with pytest.raises(ConfigError, match="cannot be written"):
            write_whole(place, "1")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Journal(path, ("id",), {"stop": ("a",), "grpo": {"beta": 0.1}}, holds="labels") as journal:
        journal.append([{"id": 1}])
    with pytest.raises(ConfigError, match=r"holds labels made with other settings: grpo\.beta 0\.1 \(now 0\.2\)\. "):
        Journal(path, ("id",), {"stop": ("a",), "grpo": {"beta": 0.2}}, holds="labels")
    Journal(path, ("id",), {"stop": ["a"], "grpo": {"beta": 0.1}}).close()
    settings_path(path).unlink()
    with pytest.raises(ConfigError, match=r"rows\.settings\.yaml is missing"):
        Journal(path, ("id",), {"stop": ["a"]})


def test_settings_may_change_while_nothing_is_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Journal(path, ("id",), {"seed": 0}).close()
    Journal(path, ("id",), {"seed": 1}).close()
    assert read_settings(settings_path(path)) == {"seed": 1}


@pytest.mark.parametrize("name", ["settings.json", "settings.yaml"])
def test_settings_of_a_folder(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    settings = {"rate": 1e-5, "name": "一", "none": None, "path": Path("x")}
    keep_settings(file, settings, fresh=True, holds="x holds a run")
    keep_settings(file, settings, fresh=False, holds="x holds a run")
    assert read_settings(file) == {**settings, "path": "x"}
    with pytest.raises(ConfigError, match=r"^x holds a run made with other settings: rate 1e-05 \(now 2e-05\)"):
        keep_settings(file, {**settings, "rate": 2e-5}, fresh=False, holds="x holds a run")
    file.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_settings(file)


def test_differing_names_what_is_new_and_what_is_gone() -> None:
    assert differing({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"d": 3}}) == "b.c 2 (now None), b.d None (now 3)"
    assert differing({"a": [1]}, {"a": (1,)}) == ""


def test_half_a_surrogate_pair_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Journal(path, ("id",)) as journal:
        journal.append([{"id": "\ud83d"}, {"id": "一"}])
        assert [row["id"] for row in journal.rows()] == ["\ud83d", "一"]
    json.loads(path.read_text(encoding="utf-8").splitlines()[0])  # any reader takes the file


def test_a_file_is_written_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_whole(path, "old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", "no bytes"])  # type: ignore[list-item]
    assert path.read_text() == "old"
    write_whole(path, b"new")
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"] and path.read_bytes() == b"new"
