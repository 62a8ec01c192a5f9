"""Benchmark texts are found however they are wrapped, cased and punctuated, and nothing else is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trl_dsmath.errors import ConfigError
from trl_dsmath.text.ngrams import NgramIndex, _keys, words

QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May."
CHINESE = "小明有十二个苹果，吃了三个，又买了五个，现在一共有几个？"


def _index(*texts: str) -> NgramIndex:
    index = NgramIndex()
    for number, text in enumerate(texts):
        assert index.add(text, f"set/{number}")
    return index


def test_words_are_lower_case_runs_and_single_chinese_characters() -> None:
    assert words("Let  x_1 = ３.5, 求值 OK") == ["let", "x_1", "3", "5", "求", "值", "ok"]


@example(f"一{CHINESE}a\x7fb")
@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet="aB é１，求。-_ \n\tİ²²½かカ한"))
def test_the_fast_way_finds_the_same_words(text: str) -> None:
    assert [word.decode() for word in _keys(text)] == words(text)


def test_a_rewrapped_recased_question_is_found_where_it_stands() -> None:
    changed = QUESTION.upper().replace(",", " --").replace(" ", "\n", 5)
    text = f"Something before.\n\n{changed}\n\nSomething after it."
    (hit,) = _index(QUESTION).find(text)
    assert (hit.source, hit.rule) == ("set/0", "10-gram")
    assert text[hit.start : hit.end] == changed.rstrip(".")


def test_ten_words_in_a_row_are_needed() -> None:
    index = _index(QUESTION)
    ten = words(QUESTION)[3:13]
    assert index.find("a b c " + " ".join(ten) + " d")
    assert not index.find("a b c " + " ".join(ten[:9]) + " d " + " ".join(ten[9:]))


def test_every_tenth_word_position_is_seen() -> None:
    index = _index(QUESTION)
    ten = " ".join(words(QUESTION)[2:12])
    assert all(len(index.find("word " * shift + ten)) == 1 for shift in range(13))


def test_chinese_is_compared_by_characters() -> None:
    index = _index(CHINESE)
    assert index.find("题目：" + CHINESE.replace("，", " ").replace("？", "") + "答案是十四。")
    assert not index.find("小明有十二个苹果。他又去了学校。")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Compute\n$\\SIN 60^\\circ$!", True),
        ("That was easy. Compute $\\sin 60^\\circ$. And now this.", True),
        ("12) Compute $\\sin 60^\\circ$", True),
        ("We compute $\\sin 60^\\circ$ from the triangle.", False),
        ("Compute $\\sin 60^\\circ + 1$.", False),
    ],
)
def test_a_short_text_is_found_only_as_a_whole(text: str, found: bool) -> None:
    assert bool(_index(r"Compute $\sin 60^\circ$.").find(text)) == found


def test_signs_count_where_a_short_text_has_no_word() -> None:
    index = _index("8 + 8 ÷ 2 + 2 =")
    assert index.find("8 + 8 ÷ 2\n+ 2 = ?")
    assert not index.find("8   8   2   2")


def test_numbers_and_tex_commands_name_no_question() -> None:
    index = _index(
        "Write the numbers 1 2 3 4 5 6 7 8 9 10 11 12 13 14 in the boxes of the square so that all sums agree"
    )
    assert not index.find("Table: 1 2 3 4 5 6 7 8 9 10 11 12 13 14")
    index = _index(r"$\mathbf{a} \times \mathbf{b} + \mathbf{a} \times \mathbf{b} + \mathbf{c}$")
    assert not index.find(r"so $\mathbf{a} \times \mathbf{b} + \mathbf{a} \times \mathbf{b} + \mathbf{c} = 0$ holds")


def test_an_ngram_needs_three_telling_words() -> None:
    index = _index("1 2 of to 5 6 7 the box sum", "1 2 of to 5 6 7 8 bag net")
    assert index.find("so 1 2 of to 5 6 7 the box sum holds")
    assert not index.find("so 1 2 of to 5 6 7 8 bag net holds")


def test_less_than_three_words_are_not_looked_for() -> None:
    index = NgramIndex()
    assert not index.add("Simplify 3.", "set/0")
    assert len(index) == 0 and index.find("Simplify 3.") == []
    assert index.add("Simplify x 3.", "set/1") and index.find("Simplify x 3!")


def test_sizes_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="min_n"):
        NgramIndex(n=5, min_n=6)
    with pytest.raises(ConfigError, match="2 <= min_n"):
        NgramIndex(n=5, min_n=1)
    assert NgramIndex(n=2, min_n=2).find("a b") == []
