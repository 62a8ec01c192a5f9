"""Prefixes, which decision holds, and what is shown to a person."""

from pathlib import Path

import pytest

from trl_dsmath.corpus.domains import count_folders, count_hosts, to_show
from trl_dsmath.corpus.rank import find_cut
from trl_dsmath.corpus.review import Entry, automatic, undecided
from trl_dsmath.corpus.rules import Decisions, parts, read_rules
from trl_dsmath.corpus.score import Scored, write_scores
from trl_dsmath.errors import DataError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.Site.org/A/b.html?x=1#y", ["site.org", "A", "b.html"]),
        ("site.org/a/", ["site.org", "a"]),
        ("http://user@h.test:8080//a", ["h.test:8080", "a"]),
        ("http://[broken/a", ["http://[broken/a"]),
    ],
)
def test_parts(url: str, expected: list[str]) -> None:
    assert parts(url) == expected


def test_the_longest_prefix_decides_and_only_whole_folders_match() -> None:
    decisions = Decisions({"h.test": "math", "h.test/blog": "no", "h.test/blog/algebra": "yes"})
    assert decisions.of("https://www.h.test/x.html") == "math"
    assert decisions.of("https://h.test/blog/x.html") == "not"
    assert decisions.of("https://h.test/blog/algebra/x.html") == "math"
    assert decisions.of("https://h.test/blogger/x.html") == "math"
    assert decisions.of("https://other.test/") is None


def test_rules_from_csv_and_yaml_are_the_same_and_bad_words_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("prefix,pages,decision\na.test,5,math\nb.test,6,reject\nc.test,7,\n")
    (tmp_path / "r.yaml").write_text("a.test: yes\nb.test: not\n")
    assert read_rules(tmp_path / "r.csv").decided == {"a.test": "math", "b.test": "not"}
    assert read_rules(tmp_path / "r.yaml").decided == {"a.test": "math", "b.test": "not"}
    (tmp_path / "bad.csv").write_text("prefix,decision\na.test,perhaps\n")
    with pytest.raises(DataError, match=r"a\.test: 'perhaps' is no decision"):
        read_rules(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("host,verdict\na.test,math\n")
    with pytest.raises(DataError, match="columns prefix and decision"):
        read_rules(tmp_path / "bad.csv")


def test_mixed_hosts_are_shown_with_their_folders_and_missed_hosts_are_shown_too(tmp_path: Path) -> None:
    rows = [Scored(2000, 1, f"https://forum.test/math/{i}.html") for i in range(10)]
    rows += [Scored(-2000, 1, f"https://forum.test/food/{i}.html") for i in range(10)]
    rows += [Scored(2000, 1, f"https://pure.test/wiki/{i}.html") for i in range(10)]
    rows += [Scored(-900, 1, f"https://missed.test/{i}.html") for i in range(10)]
    rows += [Scored(-9000, 1, f"https://shop.test/{i}.html") for i in range(10)]
    write_scores(tmp_path / "s.tsv.gz", rows)
    files = [tmp_path / "s.tsv.gz"]
    cut = find_cut(files, None, 0.5)
    hosts = count_hosts(files, cut)
    assert {name: domain.share for name, domain in hosts.items()} == {
        "forum.test": 0.5,
        "missed.test": 0.0,
        "pure.test": 1.0,
        "shop.test": 0.0,
    }
    folders = count_folders(files, cut, {"forum.test", "pure.test"})
    assert list(to_show(hosts, folders, 0.1)) == [
        ("forum.test", "over"),
        ("forum.test/math", "inside"),
        ("forum.test/food", "inside"),
        ("pure.test", "over"),
        ("missed.test", "under"),  # before the shop: the classifier is less sure of it
        ("shop.test", "under"),
    ]


def test_automatic_decisions_and_what_is_left_open() -> None:
    entries = [
        Entry("a.test", "over", 10, 9, 0.9, 0.9, "", []),
        Entry("b.test", "over", 10, 3, 0.3, 0.4, "", []),
        Entry("c.test", "under", 10, 0, 0.0, 0.1, "", []),
    ]
    decisions = automatic(entries)
    assert decisions.decided == {"a.test": "math", "c.test": "not"}
    assert [entry.prefix for entry in undecided(entries, decisions)] == ["b.test"]
