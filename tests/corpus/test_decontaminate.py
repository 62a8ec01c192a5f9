"""The paragraph with the benchmark text goes, its neighbours stay, and the log says why."""

import json
from pathlib import Path

import pytest

from trl_dsmath.corpus.decontaminate import decontaminate, load_benchmarks, paragraphs
from trl_dsmath.errors import DataError

DATA = Path(__file__).parents[3] / "shared" / "data"
QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May."


@pytest.fixture
def index(tmp_path: Path):
    rows = [
        {"question": QUESTION, "answer": "3,5,7"},
        {"problem": r"Compute $\sin 60^\circ$.", "solution": "By Vieta's formulas, $abc = 5.$"},
        {"messages": [{"role": "user", "content": "小明有十二个苹果，吃了三个，又买了五个，现在一共有几个？"}]},
    ]
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return load_benchmarks([folder])


def _clean(text: str, index) -> tuple[str, list[str]]:
    cleaned, removed = decontaminate(text, index)
    return cleaned, [item.source for item in removed]


def test_a_rewrapped_question_goes_and_its_neighbours_stay(index) -> None:
    wrapped = QUESTION.upper().replace(",", ";").replace(" ", "\n", 9)
    assert _clean(f"Before it.\n\n{wrapped}\n\nAfter it.", index) == (
        "Before it.\n\nAfter it.",
        ["set/test/0/question"],
    )


def test_a_question_across_paragraphs_takes_each_of_them(index) -> None:
    parts = QUESTION.split()
    broken = "\n\n".join(" ".join(parts[at : at + 6]) for at in range(0, len(parts), 6))
    text, sources = _clean(f"Before it.\n\n{broken}\n\nAfter it.", index)
    assert text == "Before it.\n\nAfter it." and len(sources) == 4


def test_a_neighbour_that_lends_a_word_stays(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": QUESTION + " The clips were small"}))
    text = f"Before it.\n\n{QUESTION}\n\nThe clips here are of another kind, and nobody sold them."
    assert _clean(text, load_benchmarks([tmp_path]))[0] == text.replace(QUESTION + "\n\n", "")


def test_lines_are_paragraphs_where_no_line_is_blank(index) -> None:
    assert _clean(f"Before it.\n{QUESTION}\nAfter it.", index)[0] == "Before it.\nAfter it."
    listed = "\n".join(f"Exercise {n} of a long list, which is about something else entirely." for n in range(60))
    text, _ = _clean(f"Title\n\n{listed}\n{QUESTION}\n{listed}", index)
    assert text == f"Title\n\n{listed}\n{listed}"


def test_short_texts_go_as_a_whole_only(index) -> None:
    assert _clean("One.\n\nCOMPUTE\n$\\sin 60^\\circ$\n\nTwo.", index)[0] == "One.\n\nTwo."
    assert _clean("One.\n\nBy Vieta's formulas, abc = 5.\n\nTwo.", index)[0] == "One.\n\nTwo."
    same = "The triple 3,5,7 is prime.\n\n3,5,7\n\nBy Vieta's formulas, abc = 5 times c."
    assert _clean(same, index) == (same, [])


def test_chinese_and_a_page_that_is_nothing_else(index) -> None:
    assert _clean("小明有十二个苹果, 吃了三个, 又买了五个, 现在一共有几个?", index) == ("", ["set/test/2/messages"])


def test_a_clean_text_comes_back_itself(index) -> None:
    text = "Nothing of the kind.\n\n\n\nHere. "
    assert decontaminate(text, index) == (text, [])


def test_paragraphs_cover_all_that_is_not_blank() -> None:
    text = "a\nb\n \n\n c \n\n" + "x" * 1500 + "\n" + "y" * 1500
    assert [text[first:last].strip()[:3] for first, last in paragraphs(text)] == ["a\nb", "c", "xxx", "yyy"]


def test_a_missing_benchmark_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing-here"):
        load_benchmarks([tmp_path / "nothing-here"])
    (tmp_path / "x.jsonl").write_text('{"other": "text"}')
    with pytest.raises(DataError, match=r"x\.jsonl"):
        load_benchmarks([tmp_path / "x.jsonl"])


@pytest.mark.skipif(not DATA.exists(), reason="needs the benchmark files in ../shared/data")
def test_every_planted_question_of_real_benchmarks_is_found() -> None:
    files = [DATA / "math500/test.jsonl", DATA / "cmath/test.jsonl", DATA / "mgsm_zh/test.jsonl"]
    index = load_benchmarks(files)
    missed = []
    for file, column in zip(files[:2], ("problem", "question"), strict=True):
        for row in map(json.loads, file.read_text().split("\n")[:500]):
            words = row[column].upper().split()
            planted = "\n".join(" ".join(words[at : at + 4]) for at in range(0, len(words), 4))
            text, sources = _clean(f"The page begins here.\n\n{planted}\n\nThe page ends here.", index)
            if text != "The page begins here.\n\nThe page ends here.":
                missed.append((row[column], sources))
    assert missed == [("Evaluate $\\log_264$.", [])]  # two words: too short to be looked for
