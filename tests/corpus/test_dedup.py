"""Which of two pages stays, and that pages that differ are both kept."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

pytest.importorskip("datatrove")
pytest.importorskip("rensa")

from trl_dsmath.corpus.blocks import FindDuplicates, MatchDuplicates, SignPages
from trl_dsmath.corpus.dedup import BANDS, PERMUTATIONS, SIGNATURE, normalize_url, shingles, sign

LONG = " ".join(
    f"The sum of the first {n} odd numbers is {n * n}, as a picture of {n} rows shows." for n in range(2, 40)
)


def _found(shards: Sequence[np.ndarray], parts: int = 1) -> list[list[tuple[int, int, int, bool]]]:
    """The duplicates of each shard that has pages, through the stages of the pipeline."""
    with TemporaryDirectory() as folder:
        addresses, bands, duplicates = (f"{folder}/{name}" for name in ("addresses", "bands", "duplicates"))
        matched = f"{folder}/signatures", f"{folder}/keys"
        for number, rows in enumerate(shards):
            if len(rows):  # a shard without pages has no files
                SignPages(*matched).save(f"{number:06d}.npy", rows)
        for stage, tasks in (
            (FindDuplicates(*matched, addresses), parts),
            (FindDuplicates(*matched, bands, addresses), parts * BANDS),
        ):
            for rank in range(tasks):
                stage(None, rank, tasks)
        MatchDuplicates(matched[0], addresses, bands, duplicates)(None, 0, 1)
        return [np.load(path).tolist() for path in sorted(Path(duplicates).iterdir())]


def _drop(*shards: list[tuple[str, str]], parts: int = 1) -> list[list[tuple[int, int, int, bool]]]:
    return _found(
        [np.concatenate([np.zeros(0, SIGNATURE), *(sign(*page) for page in shard)]) for shard in shards], parts
    )


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("http://www.A.org:80/b/index.html#top", "https://a.org/b", True),
        ("https://a.org/x?b=2&a=1&utm_source=z", "https://a.org/x?a=1&b=2", True),
        ("https://a.org/%7Ejo/", "https://a.org/~jo", True),
        ("https://a.org/B", "https://a.org/b", False),
        ("https://a.org/x?a=1", "https://a.org/x?a=2", False),
        ("https://a.org:8080/", "https://a.org/", False),
        ("https://a.org:443", "http://user:word@a.org.//", True),
        ("a.org/b//c/Default.ASPX", "a.org/b/c", True),
        ("https://a.org/b;JSessionID=7F?x=", "https://a.org/b?x=&fbclid=9", True),
        ("https://a.org/x?a=", "https://a.org/x", False),
        ("https://a.org/index", "https://a.org/", False),
        ("http://a.org:port/b/", "http://a.org:port/b", False),  # no address: compared as it is
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


def _signed(*minhashes: np.ndarray) -> np.ndarray:
    rows = np.zeros(len(minhashes), SIGNATURE)
    rows["minhash"] = minhashes
    return rows


def _changed(minhash: np.ndarray, *columns: int) -> np.ndarray:
    return np.where(np.isin(np.arange(PERMUTATIONS), columns), minhash + 1000, minhash)


BASE = np.arange(PERMUTATIONS) + 1  # 14 bands of 8


@pytest.mark.parametrize(("different", "dropped"), [(22, 1), (23, 0)])  # 90 of 112 are 80.4 %, 89 are 79.5 %
def test_pages_alike_in_four_fifths_are_one(different: int, dropped: int) -> None:
    found = _found([_signed(BASE), _signed(_changed(BASE, *range(112 - different, 112)))])
    assert list(map(len, found)) == [0, dropped]


def test_pages_are_compared_where_they_share_a_band() -> None:
    once_a_band = range(0, PERMUTATIONS, 8)
    assert len(_found([_signed(BASE, _changed(BASE, *once_a_band))])[0]) == 0
    assert len(_found([_signed(BASE, _changed(BASE, *once_a_band[1:]))])[0]) == 1
    # The first page with that band is another one: the third is compared with the second as well.
    other = _changed(BASE, *range(8, PERMUTATIONS))
    found = _found([_signed(other, BASE, _changed(BASE, *once_a_band[1:]))])
    assert found == [[(2, 0, 1, False)]]


def test_a_chain_of_copies_goes_back_to_its_first_page() -> None:
    second = _changed(BASE, *range(90, 112))
    third = _changed(second, *range(22))  # like the second, not like the first
    empty = np.full(PERMUTATIONS, 0xFFFFFFFF)
    found = _found([_signed(empty, BASE), _signed(second, empty), _signed(third)])
    assert found == [[], [(0, 0, 1, False)], [(0, 0, 1, False)]]
    found = _found([_signed(third, BASE), _signed(second)])  # the link comes last
    assert found == [[(1, 0, 0, False)], [(0, 0, 0, False)]]


def test_shingles_by_hand() -> None:
    assert shingles("") == [] and shingles("a b, c d") == ["a b , c d"]
    assert sorted(shingles("A b c d e f")) == ["a b c d e", "b c d e f"]
    assert sorted(shingles("一二三四五六")) == ["一 二 三 四 五", "二 三 四 五 六"]


@pytest.mark.parametrize("parts", [1, 3])
def test_a_shard_without_pages_keeps_its_number(parts: int) -> None:
    pages = [("http://a.org", "a"), ("http://b.org", LONG)]
    found = _drop([], pages, [], [("http://a.org/", "b"), ("http://c.org", LONG)], parts=parts)
    assert found == [[], [(0, 1, 0, True), (1, 1, 1, False)]]
