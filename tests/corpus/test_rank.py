"""The cut: budget, score threshold, ties; nothing but counts in memory."""

import gzip
import random
from itertools import chain
from pathlib import Path

import pytest

from trl_dsmath.corpus.score import (
    Counts,
    Cut,
    Scored,
    add_counts,
    count_scores,
    count_ties,
    count_tokens,
    find_cut,
    read_scores,
    read_shard,
    shards,
    write_scores,
)
from trl_dsmath.errors import DataError


def _files(tmp_path: Path, rows: list[tuple[int, int]]) -> list[Path]:
    scored = [Scored(score, tokens, f"https://h.test/{i}") for i, (score, tokens) in enumerate(rows)]
    files = [tmp_path / "0.tsv.gz", tmp_path / "1.tsv.gz"]
    write_scores(files[0], scored[::2])
    write_scores(files[1], scored[1::2])
    return files


def _cut(files: list[Path], budget: int | None, least: float) -> Cut:
    counts: Counts = {}
    for file in files:
        add_counts(counts, count_scores(read_scores(file)))
    return find_cut(counts, budget, least, lambda score: count_ties(chain(*map(read_scores, files)), score))


def _kept(files: list[Path], cut: Cut) -> list[Scored]:
    return [row for file in files for row in read_scores(file) if cut.keeps(row.score, row.url)]


def test_score_threshold_alone(tmp_path: Path) -> None:
    files = _files(tmp_path, [(3000, 10), (1, 20), (0, 30), (-1, 40), (-5000, 50)])
    cut = _cut(files, None, 0.5)  # log-odds 0 and above
    assert sorted(row.score for row in _kept(files, cut)) == [0, 1, 3000]
    assert (cut.pages, cut.tokens, cut.all_pages, cut.all_tokens, cut.above_tokens) == (3, 60, 5, 150, 60)


def test_the_budget_is_kept_and_the_best_come_first(tmp_path: Path) -> None:
    files = _files(tmp_path, [(3000, 10), (2000, 20), (1000, 30), (500, 40)])
    cut = _cut(files, 45, 0.5)
    assert sorted(row.score for row in _kept(files, cut)) == [2000, 3000]  # the third has 30, and 15 are left
    assert (cut.tokens, cut.above_tokens) == (30, 100)


def test_a_page_below_the_threshold_is_not_kept_though_it_fits_the_budget(tmp_path: Path) -> None:
    files = _files(tmp_path, [(3000, 10), (-1, 10)])
    assert [row.score for row in _kept(files, _cut(files, 1000, 0.5))] == [3000]


def test_ties_at_the_cut_are_split_by_url_and_the_counts_agree(tmp_path: Path) -> None:
    files = _files(tmp_path, [(11512, 1)] * 1000)
    cut = _cut(files, 300, 0.5)
    kept = _kept(files, cut)
    assert len(kept) == cut.pages == cut.tokens
    assert 290 <= cut.pages <= 300
    assert _cut(files[::-1], 300, 0.5) == cut


def test_a_threshold_is_a_log_odds_in_thousandths(tmp_path: Path) -> None:
    files = _files(tmp_path, [(1098, 1), (1099, 1), (2000, 1)])  # 1000 ln 3 = 1098.6
    assert sorted(row.score for row in _kept(files, _cut(files, None, 0.75))) == [1099, 2000]
    exact = _cut(files, 3, 0.5)
    assert (exact.pages, exact.tokens) == (3, 3)  # the budget may be used up
    assert _cut(files, 2, 0.5).pages == 2 and _cut(files, 0, 0.5).pages == 0
    none = _cut(files, None, 0.999)
    assert (none.pages, none.above_pages, none.all_pages) == (0, 0, 3) and _kept(files, none) == []


def test_all_ties_fit_or_none(tmp_path: Path) -> None:
    files = _files(tmp_path, [(9, 2)] * 4 + [(8, 5), (8, 5)])
    for budget, pages in ((8, 4), (12, 4), (13, 5), (18, 6)):
        cut = _cut(files, budget, 0.5)
        assert (cut.pages, len(_kept(files, cut))) == (pages, pages)


def test_tokens_of_a_page() -> None:
    assert count_tokens({"text": "x" * 7}) == 1 and count_tokens({"text": "一二"}) == 1  # 6 bytes
    assert count_tokens({"text": "", "tokens": "9"}) == 9 and count_tokens({"text": "x" * 8, "tokens": 0}) == 0


def test_pages_are_read_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.jsonl or \.jsonl\.gz file"):
        shards(str(tmp_path))
    good = '{"url": "http://a.org", "text": "a"}\n'
    for name in ("b.jsonl", "a.jsonl.gz", "c.jsonl.part"):
        (tmp_path / name).write_bytes(gzip.compress(good.encode()) if name.endswith("gz") else good.encode())
    assert [Path(path).name for path in shards(str(tmp_path))] == ["a.jsonl.gz", "b.jsonl"]
    assert shards(str(tmp_path / "b.jsonl")) == [str(tmp_path / "b.jsonl")]
    assert [record["text"] for path in shards(str(tmp_path)) for record in read_shard(path)] == ["a", "a"]
    for bad in ('{"url": "http://a.org"}', '{"text": "a"}', '{"url": 1, "text": "a"}'):
        (tmp_path / "b.jsonl").write_text(good + bad + "\n")
        with pytest.raises(DataError, match="line 2, has no url or no text"):
            list(read_shard(str(tmp_path / "b.jsonl")))


@pytest.mark.parametrize("seed", range(5))
def test_against_sorting(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows = [(rng.randrange(-3000, 3000), rng.randrange(1, 50)) for _ in range(400)]
    files = _files(tmp_path, rows)
    budget = rng.randrange(100, 6000)
    cut = _cut(files, budget, 0.3)
    kept = _kept(files, cut)
    assert sum(row.tokens for row in kept) == cut.tokens <= budget
    left_out = [row for file in files for row in read_scores(file) if not cut.keeps(row.score, row.url)]
    assert min(row.score for row in kept) >= max((r.score for r in left_out), default=-(10**6))
