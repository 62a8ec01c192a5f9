"""Which pages a classifier is trained on, worked by hand on a crawl of a few pages."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.corpus import trainset
from trl_dsmath.corpus.classifier import MATH, OTHER
from trl_dsmath.corpus.records import write_jsonl
from trl_dsmath.corpus.rules import Decisions
from trl_dsmath.corpus.score import Cut, Scored, write_scores
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.corpus.trainset import Example, choose, kept_apart, page_hash, write_lines
from trl_dsmath.errors import DataError

CUT = Cut(0, 0, 0, 0, 0, 0, 0, 0)  # what scores above 0 was collected
DECISIONS = {"a.test": "math", "n.test": "not", "s.test": "skip"}


def _urls(host: str, count: int, apart: bool = False) -> list[str]:
    urls = (f"https://{host}/{n}.html" for n in range(10_000))
    return list(islice((url for url in urls if kept_apart(url, 0) == apart), count))


@pytest.fixture
def crawl(tmp_path: Path) -> tuple[list[str], list[Path]]:
    """3 accepted pages of which 1 was collected, 3 rejected of which 2 were, 3 skipped, 6 others, and 4 kept apart."""
    rows = [(url, 1000 if n == 0 else -1000) for n, url in enumerate(_urls("a.test", 3))]
    rows += [(url, 1000 if n < 2 else -1000) for n, url in enumerate(_urls("n.test", 3))]
    rows += [(url, 1000) for url in [*_urls("s.test", 3), *_urls("r.test", 6), *_urls("a.test", 4, apart=True)]]
    files, scores = [tmp_path / f"{n}.jsonl" for n in (0, 1)], [tmp_path / f"{n}.tsv.gz" for n in (0, 1)]
    for n in (0, 1):
        files[n].write_text("".join(json.dumps({"url": url, "text": f"Of {url}"}) + "\n" for url, _ in rows[n::2]))
        write_scores(scores[n], [Scored(score, 1, url) for url, score in rows[n::2]])
    return list(map(str, files)), scores


def _settings(**changes: int) -> LoopSettings:
    sizes = {"positive_examples": 3, "negative_examples": 4, "pages_per_prefix": 2}
    return LoopSettings(pages="p", seed_pages="s", **{**sizes, **changes})


def _mapped(name: str, function: Callable[[int], Any], numbers: Iterable[int]) -> Iterator[Any]:
    return map(function, numbers)


def _merged(name: str, function: Callable[[int], Any], merge: Callable[[Any, Any], object]) -> Any:
    total = function(0)
    merge(total, function(1))
    return total


def _choose(crawl, seed=(("", "Of the seed"),), cut=CUT, held_out=(), **changes: int) -> dict[str, list[str]]:
    settings = _settings(**changes)
    found = choose(list(seed), *crawl, 19, cut, Decisions(DECISIONS), set(held_out), settings, _mapped, _merged)
    assert found == sorted(found, key=lambda example: page_hash(example.url, 0, "order"))
    assert all(example.line.split()[0] == "of" and example.sure for example in found if example.source)
    return {
        label: sorted(example.url for example in found if example.label == label and example.source != "seed")
        for label in (MATH, OTHER)
    }


def test_pages_that_the_classifier_missed_come_first_and_false_positives_are_half_of_the_others(crawl) -> None:
    chosen = _choose(crawl)
    assert chosen[MATH] == _urls("a.test", 3)[1:]  # the two that were not collected: with the seed page, three
    assert len(chosen[OTHER]) == 4 and set(_urls("n.test", 2)) <= set(chosen[OTHER])
    assert not any("s.test" in url or "a.test" in url for url in chosen[OTHER])
    assert _choose(crawl, positive_examples=10, pages_per_prefix=3)[MATH] == _urls("a.test", 3)
    assert _choose(crawl, positive_examples=1)[MATH] == []


def test_as_many_others_as_mathematical_pages_and_a_third_of_a_small_crawl_at_least(crawl) -> None:
    # 19 pages: 6 others, of the 9 that there are.
    assert len(_choose(crawl, negative_examples=100)[OTHER]) == 6
    seed = [(f"https://seed.test/{n}", "Of the seed") for n in range(8)]
    assert len(_choose(crawl, seed=seed, negative_examples=100)[OTHER]) == 8


def test_seed_and_held_out_pages_are_not_drawn(crawl) -> None:
    taken = [*_urls("r.test", 6), *_urls("n.test", 3)]
    chosen = _choose(crawl, seed=[(taken[0], "Of the seed")], held_out=taken[1:6], negative_examples=100)
    assert chosen[OTHER] == sorted(taken[6:])
    with pytest.raises(DataError, match="No page is left as a negative example"):
        _choose(crawl, held_out=taken)


def test_without_a_round_before_nothing_was_collected(crawl) -> None:
    drawn = _choose(crawl, cut=None, pages_per_prefix=1, positive_examples=2)
    assert drawn[MATH] == [min(_urls("a.test", 3), key=lambda url: page_hash(url, 0))]


def test_a_prefix_with_many_pages_does_not_crowd_out_another(tmp_path: Path) -> None:
    rows = [*_urls("big.test", 9), *_urls("small.test", 1), *_urls("r.test", 9)]
    (tmp_path / "0.jsonl").write_text("".join(json.dumps({"url": url, "text": "y" * 10_001}) + "\n" for url in rows))
    write_scores(tmp_path / "0.tsv.gz", [Scored(0, 1, url) for url in rows])
    decisions = Decisions({"big.test": "math", "small.test": "math"})
    for most, counts in ((3, (2, 1)), (2, (1, 1)), (5, (4, 1)), (20, (9, 1))):
        settings = _settings(positive_examples=most, negative_examples=1, pages_per_prefix=100)
        shards, files = [str(tmp_path / "0.jsonl")], [tmp_path / "0.tsv.gz"]
        find = lambda name, function, merge: function(0)  # noqa: E731
        found = choose([], shards, files, 19, None, decisions, set(), settings, _mapped, find)
        sources = [example.source for example in found if example.label == MATH]
        assert (sources.count("big.test"), sources.count("small.test")) == counts
        assert {len(example.line) for example in found} == {10_000}
        assert [example.sure for example in found if example.label == OTHER] == [False]


@pytest.mark.parametrize("skipped", [False, True])
def test_random_pages_do_not_depend_on_the_share_that_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skipped: bool
) -> None:
    shards, files = [], []
    for number in range(2):
        # With `skipped`, three quarters of the crawl cannot be used: the first share holds too few pages.
        hosts = ["a.test", "b.test", "c.test", "d.test"] if skipped else ["d.test"]
        urls = [f"https://{hosts[i % len(hosts)]}/{number}/{i}" for i in range(200)]
        shards.append(str(tmp_path / f"{number}.jsonl"))
        files.append(tmp_path / f"{number}.tsv.gz")
        write_jsonl(shards[-1], ({"url": url, "text": f"text of {url}"} for url in urls))
        write_scores(files[-1], [Scored(0, 1, url) for url in urls])
    decisions = Decisions(dict.fromkeys(("a.test", "b.test", "c.test"), "skip"))
    settings = LoopSettings("pages", "seed", negative_examples=30)
    steps: list[str] = []

    def merged(name: str, *given: Any) -> Any:
        steps.append(name)
        return _merged(name, *given)

    def others() -> list[str]:
        steps.clear()
        chosen = choose(
            [("https://seed.test", "a theorem")] * 40,
            shards,
            files,
            400,
            None,
            decisions,
            set(),
            settings,
            _mapped,
            merged,
        )
        return [example.url for example in chosen if example.label == OTHER]

    few = others()
    assert len(few) == 30 and len(steps) == (2 if skipped else 1)  # again with more
    monkeypatch.setattr(trainset, "_SHARE", 1000)  # everything
    assert others() == few and len(steps) == 1


def test_a_fifth_is_kept_apart() -> None:
    bytes_of = {url: page_hash(url, 3, "apart")[0] for url in (f"u{n}" for n in range(4000))}
    assert {50, 51} <= set(bytes_of.values())
    assert all(kept_apart(url, 3) == (first <= 50) for url, first in bytes_of.items())  # 51 of 256


@pytest.mark.parametrize(("math", "other", "lines"), [(1, 3, (3, 3)), (5, 2, (5, 4)), (2, 2, (2, 2)), (0, 2, (0, 2))])
def test_the_rarer_label_is_repeated(math: int, other: int, lines: tuple[int, int], tmp_path: Path) -> None:
    examples = [
        Example(label, "", f"{label}{n}", f"x{n}") for label, n in ((MATH, math), (OTHER, other)) for n in range(n)
    ]
    assert write_lines(tmp_path / "t.txt", examples) == sum(lines)
    written = (tmp_path / "t.txt").read_text().splitlines()
    assert tuple(sum(line.startswith(f"{label} x") for line in written) for label in (MATH, OTHER)) == lines
    assert len(set(written[: math + other])) == math + other  # whole rounds
