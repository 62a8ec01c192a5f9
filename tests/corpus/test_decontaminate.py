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
    long = f"Compute $\\sin 60^\\circ$. {' '.join(OTHER)}"  # as a sentence of a long paragraph
    assert _clean(f"One.\n\n{long}\n\nTwo.", index)[0] == "One.\n\nTwo."
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


NUMBERED = [f"w{chr(97 + n)}rd" for n in range(24)]  # a benchmark text of 24 different words
OTHER = [f"other{n}" for n in range(30)]


@pytest.fixture
def marked(tmp_path: Path):
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": " ".join(NUMBERED)}))
    return load_benchmarks([tmp_path / "b.jsonl"])


def _paragraphs(*parts: list[str]) -> str:
    return "\n\n".join(" ".join(part) for part in parts)


@pytest.mark.parametrize(("inside", "goes"), [(9, False), (10, True)])
def test_a_paragraph_with_ten_words_of_the_match_goes_however_long_it_is(marked, inside: int, goes: bool) -> None:
    text = _paragraphs(NUMBERED[:12], NUMBERED[12 : 12 + inside] + OTHER[:15])
    assert _clean(text, marked)[0] == ("" if goes else text.partition("\n\n")[2])


@pytest.mark.parametrize(("others", "goes"), [(6, True), (7, False)])
def test_a_paragraph_that_the_match_covers_by_half_goes(marked, others: int, goes: bool) -> None:
    text = _paragraphs(NUMBERED[:12], NUMBERED[12:18] + OTHER[:others])
    assert _clean(text, marked)[0] == ("" if goes else text.partition("\n\n")[2])


def test_of_a_match_that_covers_no_paragraph_the_one_with_most_of_it_goes(marked) -> None:
    first, second = OTHER[:20] + NUMBERED[:4], NUMBERED[4:10] + OTHER[:20]
    assert _clean(_paragraphs(first, second), marked)[0] == " ".join(first)


def test_lines_between_two_matches_of_one_text_go_with_them_but_not_over_a_blank_line(marked) -> None:
    drawing = "+---+---+ north 7 km east"
    before, after = " ".join(NUMBERED[:12]), " ".join(NUMBERED[12:])
    assert _clean(f"Title here\n{before}\n{drawing}\n{after}\nNext", marked)[0] == "Title here\nNext"
    assert _clean(f"{before}\n\n{drawing}\n\n{after}", marked)[0] == drawing


def test_which_answers_are_looked_for(tmp_path: Path) -> None:
    answers = [
        "no, 3 or 5",
        "see 3 or 5",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        "1, 2, 3, 4, 5, 6, 7, 8, 9",
        r"\\frac{3}{5}, x, y, z",
        "100, 200, 300",
        "or the",
    ]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"question": QUESTION, "answer": a}) + "\n" for a in answers))
    found = [source for source in load_benchmarks([tmp_path / "b.jsonl"]).sources if source.endswith("answer")]
    # A word of three letters, or ten words: the others are values, and stand on thousands of pages.
    assert [int(source.split("/")[-2]) for source in found] == [1, 2]


def test_of_messages_those_of_the_user_are_looked_for(tmp_path: Path) -> None:
    said = [
        {"role": "assistant", "content": QUESTION},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        QUESTION,
        {"role": "user", "content": "Where do the two clip makers meet?"},
    ]
    rows = [{"messages": said}, {"messages": None, "answer": "In the middle of the market"}]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    index = load_benchmarks([tmp_path / "b.jsonl"])
    assert [source.split("/")[1:] for source in index.sources] == [["b", "0", "messages"], ["b", "1", "answer"]]
    assert _clean(QUESTION, index) == (QUESTION, [])


@pytest.mark.parametrize("length", [2000, 2001])
def test_up_to_two_thousand_characters_a_block_is_one_paragraph(marked, length: int) -> None:
    """Alone, as a neighbour whose words are in the benchmark, and between two matches with one text."""
    lines = "A line here.\n" + "x" * (length - 13)
    text = f"First.\n\n{lines}"
    whole = [(0, 6), (8, 8 + length)]
    assert paragraphs(text) == (whole if length == 2000 else [(0, 6), (8, 20), (21, 8 + length)])
    beside = " ".join(NUMBERED[:2]).ljust(length, ".")
    text = _paragraphs(NUMBERED[2:14]) + f"\n\n{beside}\n\nThe end."
    assert _clean(text, marked)[0] == ("The end." if length == 2000 else f"{beside}\n\nThe end.")
    drawing = "north 7 km east " + "+" * (length - 18)
    text = f"Title\n{' '.join(NUMBERED[:12])}\n{drawing}\n{' '.join(NUMBERED[12:])}\nNext"
    assert _clean(text, marked)[0] == ("Title\nNext" if length == 2000 else f"Title\n{drawing}\nNext")


def test_lines_of_a_text_without_blank_lines() -> None:
    assert paragraphs("\na\n b \n") == [(1, 2), (3, 6)]
    assert paragraphs("") == paragraphs(" \n\n ") == []


def test_line_numbers_are_passed_over_and_other_numbers_are_words(tmp_path: Path) -> None:
    w = NUMBERED
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": " ".join([*w[:5], "7", *w[5:10]])}))
    (tmp_path / "c.jsonl").write_text(json.dumps({"question": " ".join(w[10:22])}))
    index = load_benchmarks([tmp_path])
    # 8 and 9 follow each other; neither may stay, for no ten words lie between them.
    numbered = [" ".join(w[10:14]), "8 " + " ".join(w[14:18]), "9) " + " ".join(w[18:22])]
    assert _clean("\n".join(numbered), index)[0] == ""
    # 30 and 7 do not; the soft hyphen sends the search to the text that a reader sees.
    text = f"30 {' '.join(w[:4])} {w[4][:2]}\u00ad{w[4][2:]}\n7 {' '.join(w[5:10])}"
    assert _clean(text, index)[0] == ""


def test_the_log_holds_the_match_as_the_page_writes_it(index) -> None:
    hidden = QUESTION.rstrip(".").replace("friends", "fri\u00ad\u200bends")
    for before in (
        "",
        "Su\u00adgar, bu\u00ad\u00adtter and sa\u00adlt. ",
        "1. Fi\u00adrst\n2. Second\n",
        "One. \u00ad",
    ):
        text = f"{before}{hidden}\u00ad\u00ad; and then"
        _, (removed, *_) = decontaminate(text, index)
        assert removed.matched == hidden
        assert text[removed.start :].startswith(removed.text) and hidden[-20:] in removed.text


FUNCTION = ["from", "with", "that", "this", "these", "those", "which", "where", "when", "there", "not", "than", "then"]


@pytest.mark.parametrize(
    ("benchmark", "phrase", "goes"),
    [
        (NUMBERED[:4] + FUNCTION[:6] + OTHER[:20], NUMBERED[:4] + FUNCTION[:6], False),  # six of ten prove nothing
        (NUMBERED[:5] + FUNCTION[:5] + OTHER[:20], NUMBERED[:5] + FUNCTION[:5], True),  # five do
        (FUNCTION[:12] + OTHER[:20], FUNCTION[:12], False),  # two words more than ten
        (FUNCTION[:13] + OTHER[:20], FUNCTION[:13], True),  # three more are a second witness
        (FUNCTION[:12] + OTHER[:9], FUNCTION[:12], False),  # 12 of 21 words of the benchmark text
        (FUNCTION[:12] + OTHER[:8], FUNCTION[:12], True),  # 12 of 20: 60 % of it
        (FUNCTION[:6], FUNCTION[:6], True),  # all of it
    ],
)
def test_how_much_a_phrase_of_function_words_proves(
    benchmark: list[str], phrase: list[str], goes: bool, tmp_path: Path
) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": " ".join(benchmark)}))
    text = f"Before it.\n\n{' '.join(phrase)}.\n\nAfter it."
    assert _clean(text, load_benchmarks([tmp_path]))[0] == ("Before it.\n\nAfter it." if goes else text)


def test_neighbours_on_both_sides_go_until_one_has_another_word(marked) -> None:
    w = NUMBERED
    parts = [OTHER[:2], w[20:22], w[22:24], w[4:16], w[:2], w[2:3] + OTHER[:1], w[1:3]]
    assert _clean(_paragraphs(*parts), marked)[0] == _paragraphs(OTHER[:2], w[2:3] + OTHER[:1], w[1:3])
    assert _clean(_paragraphs(w[20:22], w[4:16], w[:2]), marked)[0] == ""


@pytest.mark.parametrize(
    "hidden",
    [
        QUESTION.replace("friends", "fri\u00adends").replace("clips", "cl\u200bips"),
        " ".join(f"_{word}_" for word in QUESTION.rstrip(".").split()),
        f"__{QUESTION.rstrip('.')}__",
        "\n".join(f"{n + 8:3d}  {' '.join(QUESTION.split()[3 * n : 3 * n + 3])}" for n in range(7)),
        "\n".join(f"({n + 1}) {' '.join(QUESTION.split()[3 * n : 3 * n + 3])}" for n in range(7)),
        QUESTION.replace("friends", "fri-\nends").replace("Natalia", "Nata-\nlia").replace("half", "ha-\nlf"),
    ],
    ids=["invisible signs", "emphasis", "emphasis of all", "line numbers", "numbers in brackets", "hyphenation"],
)  # fmt: skip
def test_what_hides_a_question_from_a_search_does_not_hide_it_here(index, hidden: str) -> None:
    text, sources = _clean(f"Before it.\n\n{hidden}\n\nAfter it.", index)
    assert " ".join(text.split()) == "Before it. After it." and "set/test/0/question" in sources


def test_places_after_what_is_looked_through_are_right(index) -> None:
    many = "Sug\u00adar and but\u00adter and sa\u00adlt. " * 40
    wrapped = QUESTION.replace("friends", "fri\u00adends")
    text, sources = _clean(f"{many}\n\n{wrapped}\n\n{many}", index)
    assert len(sources) == 1 and text == f"{many}\n\n{many}".strip()


def test_lines_of_a_wrapped_question_between_blank_lines_all_go(tmp_path: Path) -> None:
    question = (
        "Compute the sum of the areas of all of the squares that lie inside of the circle, in $cm^2 + 3, 1, 2, 4$"
    )
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": question}))
    words = question.split()
    text = "\n\n".join(" ".join(words[at : at + 4]) for at in range(0, len(words), 4))
    assert _clean(f"A list of 3 things.\n\n{text}\n\n12\n\nThe end.", load_benchmarks([tmp_path / "b.jsonl"]))[0] == (
        "A list of 3 things.\n\n12\n\nThe end."
    )


def test_a_phrase_of_function_words_needs_a_second_witness(tmp_path: Path) -> None:
    question = (
        "A tree has 31 edges. Find f(N), where N is the number of elements in the largest set, if every leaf of the tree "
        "costs seven euros and each inner node is painted green or purple by Mary."
    )
    (tmp_path / "b.jsonl").write_text(json.dumps({"question": question}))
    index = load_benchmarks([tmp_path / "b.jsonl"])
    phrase = "The array has size M, where N is the number of elements in the largest of all."
    assert _clean(phrase, index) == (phrase, [])
    other = "Here every leaf of the tree costs seven euros and each inner node is red."
    assert _clean(f"{phrase}\n\n{other}\n\nNothing.", index)[0] == "Nothing."
    # A whole text of such words is a witness for itself.
    short = "What is the number of all elements that there are in one of these?"
    (tmp_path / "c.jsonl").write_text(json.dumps({"question": short}))
    assert _clean(f"Before it.\n\n{short}", load_benchmarks([tmp_path / "c.jsonl"]))[0] == "Before it."
