"""Prefixes, which decision holds, and what is shown to a person."""

from pathlib import Path

import pytest

from trl_dsmath.corpus.domains import Domain, count_folders, count_hosts, merge_domains, to_show, with_registered
from trl_dsmath.corpus.review import Entry, automatic, undecided, write_review
from trl_dsmath.corpus.rules import Decisions, parts, read_rules
from trl_dsmath.corpus.score import Cut, Scored
from trl_dsmath.errors import DataError

CUT = Cut(-1, 0, 0, 0, 0, 0, 0, 0)  # what scores 0 or more


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
    with pytest.raises(DataError, match=r"a\.test: 'perhaps' is not a decision"):
        read_rules(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("host,verdict\na.test,math\n")
    with pytest.raises(DataError, match="columns prefix and decision"):
        read_rules(tmp_path / "bad.csv")


def test_mixed_hosts_are_shown_with_their_folders_and_missed_hosts_are_shown_too() -> None:
    rows = [Scored(2000, 3, f"https://forum.test/math/{i}.html") for i in range(10)]
    rows += [Scored(-2000, 1, f"https://forum.test/food/{i}.html") for i in range(10)]
    rows += [Scored(2000, 1, f"https://pure.test/wiki/{i}.html") for i in range(10)]
    rows += [Scored(-900, 1, f"https://missed.test/{i}.html") for i in range(10)]
    rows += [Scored(-9000, 1, f"https://shop.test/{i}.html") for i in range(10)]
    hosts = with_registered(count_hosts(rows, CUT, Decisions()))
    assert {name: domain.share for name, domain in hosts.items()} == {
        "forum.test": 0.5,
        "missed.test": 0.0,
        "pure.test": 1.0,
        "shop.test": 0.0,
    }
    folders = count_folders(rows, CUT, {"forum.test", "pure.test"}, Decisions())
    assert set(folders) == {"forum.test/math", "forum.test/food", "pure.test/wiki"}
    assert (hosts["forum.test"].tokens, folders["forum.test/math"].tokens) == (10 * 3 + 10, 30)
    assert (hosts["forum.test"].mean_score, hosts["missed.test"].mean_score) == (0.0, -900.0)
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
        Entry("a.test", "over", 10, 9, 0.9, 0.9, ""),
        Entry("b.test", "over", 10, 3, 0.3, 0.4, ""),
        Entry("c.test", "under", 10, 0, 0.0, 0.1, ""),
    ]
    decisions = automatic(entries)
    assert decisions.decided == {"a.test": "math", "c.test": "not"}
    assert [entry.prefix for entry in undecided(entries, decisions, Decisions(), 1)] == ["b.test"]


def _count(rows: list[tuple[str, int]], threshold: float = 0.1, decisions: Decisions | None = None):
    """Review of `rows` (URL, score; collected above 0): what is shown, and the counts of hosts and folders."""
    decisions = decisions or Decisions()
    scored = [Scored(score, 1, url) for url, score in rows]
    counts: dict[str, Domain] = {}
    for part in (scored[::2], scored[1::2]):  # two shards
        merge_domains(counts, count_hosts(part, CUT, decisions))
    hosts = with_registered(counts)
    over = {host for host, domain in hosts.items() if domain.share > threshold}
    folders: dict[str, Domain] = {}
    for part in (scored[1::2], scored[::2]):
        merge_domains(folders, count_folders(part, CUT, over, decisions))
    return list(to_show(hosts, folders, threshold, decisions)), hosts, folders


def _pages(prefix: str, yes: int, no: int) -> list[tuple[str, int]]:
    return [(f"https://{prefix}/{i}.html", 1000 if i < yes else -1000) for i in range(yes + no)]


def test_a_host_with_exactly_the_threshold_collected_is_under_it() -> None:
    shown, _, _ = _count(_pages("tenth.test", 1, 9) + _pages("more.test", 2, 17))
    assert shown == [("more.test", "over"), ("tenth.test", "under")]


def test_a_folder_that_holds_all_of_its_parent_is_passed_over_for_its_own_folders() -> None:
    rows = _pages("h.test/all/math", 8, 0) + _pages("h.test/all/food", 0, 8)
    shown, hosts, folders = _count(rows)
    assert folders["h.test/all"].pages == hosts["h.test"].pages == 16
    assert shown == [("h.test", "over"), ("h.test/all/math", "inside"), ("h.test/all/food", "inside")]


@pytest.mark.parametrize(
    ("yes", "no", "mixed"),
    [(19, 1, False), (18, 2, True), (2, 18, True), (1, 19, False)],  # 95 %, 90 %, 10 % and 5 % of the host
)
def test_folders_are_shown_where_a_host_is_mixed(yes: int, no: int, mixed: bool) -> None:
    rows = [(url, score) for url, score in _pages("h.test/a", yes, no)] + _pages("h.test/b", 0, 0)
    rows = [(url.replace("/a/", "/a/" if i % 2 else "/b/"), score) for i, (url, score) in enumerate(rows)]
    shown, _, _ = _count(rows, threshold=0.04)
    assert shown[0] == ("h.test", "over")
    assert {prefix for prefix, _ in shown[1:]} == ({"h.test/a", "h.test/b"} if mixed else set())


def test_folders_are_counted_down_to_the_fifth_and_the_page_is_no_folder() -> None:
    deep = "h.test/1/2/3/4/5/6/7"
    _, _, folders = _count(_pages(deep, 3, 3) + _pages("h.test/x", 0, 6))
    assert set(folders) == {"h.test/x", *("/".join(deep.split("/")[: n + 1]) for n in range(1, 6))}


def test_a_folder_or_an_under_host_of_four_pages_is_not_shown_and_one_of_five_is() -> None:
    rows = _pages("h.test/four", 4, 0) + _pages("h.test/five", 5, 0) + _pages("h.test/food", 0, 9)
    rows += _pages("small.test", 0, 4) + _pages("large.test", 0, 5)
    shown, _, _ = _count(rows)
    assert shown == [
        ("h.test", "over"), ("h.test/food", "inside"), ("h.test/five", "inside"), ("large.test", "under"),
    ]  # fmt: skip


def test_hosts_with_most_tokens_come_first_and_thirty_under_the_threshold_are_shown() -> None:
    rows = [page for i in range(31) for page in _pages(f"u{i:02d}.test", 0, 5)]
    rows += _pages("b.test", 6, 0) + _pages("a.test", 6, 0) + _pages("c.test", 7, 3) + _pages("near.test", 1, 19)
    shown, _, _ = _count(rows)
    assert [host for host, why in shown if why == "over"] == ["c.test", "a.test", "b.test"]
    assert [host for host, why in shown if why == "under"] == ["near.test", *(f"u{i:02d}.test" for i in range(29))]


def test_folders_of_a_mixed_host_come_by_tokens_and_then_by_collected_pages_and_go_on_inside_mixed_ones() -> None:
    rows = (
        _pages("h.test/b/x", 5, 0) + _pages("h.test/b/y", 0, 5) + _pages("h.test/a", 5, 1) + _pages("h.test/c", 6, 0)
    )
    shown, _, _ = _count(rows)
    assert shown == [
        ("h.test", "over"), ("h.test/b", "inside"), ("h.test/b/x", "inside"), ("h.test/b/y", "inside"),
        ("h.test/c", "inside"), ("h.test/a", "inside"),
    ]  # fmt: skip


def test_a_domain_of_several_hosts_is_shown_before_them_and_decides_for_them(tmp_path: Path) -> None:
    rows = _pages("algebra.site.co.uk/x", 6, 0) + _pages("food.site.co.uk/x", 0, 6) + _pages("one.org.uk/x", 5, 0)
    shown, hosts, _ = _count(rows)
    assert hosts["site.co.uk"].pages == 12 and hosts["site.co.uk"].collected == 6 and "co.uk" not in hosts
    assert shown == [
        ("site.co.uk", "over"), ("algebra.site.co.uk", "inside"), ("food.site.co.uk", "inside"), ("one.org.uk", "over"),
    ]  # fmt: skip
    decisions = Decisions({"site.co.uk": "math", "food.site.co.uk": "not"})
    assert decisions.of("https://algebra.site.co.uk/x/1.html") == "math"
    assert decisions.of("https://food.site.co.uk/x/1.html") == "not"
    assert decisions.of("https://othersite.co.uk/") is None
    entries = [Entry(name, why, 12, 6, 0.5, 0.5, "") for name, why in shown]
    assert [e.prefix for e in undecided(entries, decisions, Decisions(), 1)] == ["one.org.uk"]


def test_what_was_skipped_or_has_grown_is_asked_again_until_it_is_decided_in_this_round(tmp_path: Path) -> None:
    before = Decisions({"skipped.test": "skip", "forum.test/math": "math", "done.test": "not"}, {"skipped.test": 1})
    rows = _pages("skipped.test", 5, 5) + _pages("done.test", 5, 5)
    rows += _pages("forum.test/math", 20, 0) + _pages("forum.test/food", 6, 4)  # the false positives have grown
    shown, hosts, _ = _count(rows, decisions=before)
    assert hosts["forum.test"].undecided == 6 and hosts["done.test"].undecided == 0
    why = dict(shown)
    assert (why["skipped.test"], why["forum.test"], why["done.test"]) == ("again", "again", "over")
    entries = [Entry(name, reason, 10, 5, 0.5, 0.5, "") for name, reason in shown]
    assert {e.prefix for e in undecided(entries, before, before, 2)} == {"skipped.test", "forum.test"}
    again = before.over(Decisions())
    again.set("skipped.test", "skip", 2)  # the same word, but of this round
    again.set("forum.test/food", "not")  # by hand, without a round
    assert undecided(entries, again, before, 2) == []
    # What is decided well is not asked again.
    few = _pages("forum.test/math", 20, 0) + _pages("forum.test/food", 2, 8)
    assert dict(_count(few, decisions=before)[0])["forum.test"] == "over"


def test_a_filled_in_review_is_a_rules_file_whatever_a_spreadsheet_made_of_it(tmp_path: Path) -> None:
    write_review(tmp_path, [Entry("a.test", "over", 9, 8, 0.9, 0.8, ""), Entry("b.test", "under", 9, 0, 0.0, 0.1, "")])
    text = (tmp_path / "review.csv").read_text().replace("0.8,,", "0.8,Math,")
    for name, content in (
        ("x.csv", text),
        ("y.csv", "\ufeff" + text.replace(",", ";")),
        ("z.csv", text.replace(",", "\t")),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert read_rules(tmp_path / name).decided == {"a.test": "math"}
    Decisions({"a.test": "skip"}, {"a.test": 3}).write(tmp_path / "kept.csv")
    assert read_rules(tmp_path / "kept.csv").rounds == {"a.test": 3}
