"""The cut: budget, score threshold, ties; nothing but counts in memory."""

import random
from pathlib import Path

import pytest

from trl_dsmath.corpus.score import (
    Counts,
    Cut,
    Scored,
    add_counts,
    count_scores,
    count_ties,
    find_cut,
    read_scores,
    write_scores,
)


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
    return find_cut(counts, budget, least, lambda score: [count_ties(read_scores(file), score) for file in files])


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
