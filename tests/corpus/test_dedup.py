"""Which of two pages stays, and that pages that differ are both kept."""

import numpy as np
import pytest

pytest.importorskip("rensa")

from trl_dsmath.corpus.dedup import find_duplicates, normalize_url, sign

LONG = " ".join(
    f"The sum of the first {n} odd numbers is {n * n}, as a picture of {n} rows shows." for n in range(2, 40)
)


def _drop(*shards: list[tuple[str, str]]) -> list[list[tuple[int, int, int, bool]]]:
    found = find_duplicates([sign({"url": url, "text": text} for url, text in shard) for shard in shards])
    return [[tuple(row) for row in rows.tolist()] for rows in found]


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("http://www.A.org:80/b/index.html#top", "https://a.org/b", True),
        ("https://a.org/x?b=2&a=1&utm_source=z", "https://a.org/x?a=1&b=2", True),
        ("https://a.org/%7Ejo/", "https://a.org/~jo", True),
        ("https://a.org/B", "https://a.org/b", False),
        ("https://a.org/x?a=1", "https://a.org/x?a=2", False),
        ("https://a.org:8080/", "https://a.org/", False),
    ],
)
def test_addresses_of_one_page(one: str, two: str, same: bool) -> None:
    assert (normalize_url(one) == normalize_url(two)) == same


def test_the_first_page_of_an_address_stays_across_shards() -> None:
    assert _drop([("", "a"), ("http://a.org/p/", "one text")], [("https://www.a.org/p", "quite another text")]) == [
        [],
        [(0, 0, 1, True)],
    ]


def test_a_near_copy_goes_and_a_page_on_something_else_stays() -> None:
    near = LONG.replace("picture of 20 rows", "drawing with 20 rows")
    other = " ".join(
        f"A square with side {n} has the perimeter {4 * n}; halve it to get {2 * n}." for n in range(2, 40)
    )
    assert _drop([("u1", LONG), ("u2", other)], [("u3", near)]) == [[], [(0, 0, 0, False)]]


def test_short_texts_are_compared_by_their_signs_too() -> None:
    assert _drop([("1", "2+3"), ("2", "2-3"), ("3", " 2 + 3 "), ("4", ""), ("5", "")]) == [[(2, 0, 0, False)]]


def test_a_page_dropped_for_its_address_takes_no_other_with_it() -> None:
    # The second page loses to the first by address; the third has the text of the second, which is nowhere else.
    assert _drop([("http://a.org", "first text"), ("http://a.org/", LONG), ("http://b.org", LONG)]) == [
        [(1, 0, 0, True)]
    ]


def test_nothing_and_empty_shards() -> None:
    assert find_duplicates([]) == []
    assert [len(rows) for rows in find_duplicates([sign([]), sign([{"url": "a", "text": "b"}])])] == [0, 0]


def test_signatures_do_not_depend_on_the_batch() -> None:
    pages = [{"url": f"http://a.org/{n}", "text": f"{LONG} {n}"} for n in range(300)]
    assert np.array_equal(sign(pages)[:7], sign(pages[:7]))
