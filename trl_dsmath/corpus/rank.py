"""Ranking to a token budget without sorting: counts by score, then a cut."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from .score import read_scores

_TIES = 1 << 16


@dataclass(frozen=True)
class Cut:
    """
    Where the ranking ends.

    Args:
        score (`int`):
            Thousandths of log-odds: pages above it are kept.
        ties (`int`):
            Pages at the score are kept if their URL's hash, of 65,536, is under this.
        pages (`int`), tokens (`int`):
            Kept.
        all_pages (`int`), all_tokens (`int`):
            In the crawl.
        above_pages (`int`), above_tokens (`int`):
            Above the least score, before the budget.
    """

    score: int
    ties: int
    pages: int
    tokens: int
    all_pages: int
    all_tokens: int
    above_pages: int
    above_tokens: int

    def keeps(self, score: int, url: str) -> bool:
        """Whether a page is kept."""
        return score > self.score or (score == self.score and _tie(url) < self.ties)


def find_cut(files: Iterable[Path], budget_tokens: int | None, min_score: float) -> Cut:
    """
    The best pages that fit the budget and have at least the least score.

    Two passes over the files of scores, in memory that does not grow with them. Of pages with the score at which the
    budget ends, a part is kept, chosen by a hash of the URL.

    Args:
        files (`Iterable[Path]`):
            Files of scores.
        budget_tokens (`int`, *optional*):
            Tokens to keep at most.
        min_score (`float`):
            Least probability.
    """
    files = list(files)
    pages: dict[int, int] = defaultdict(int)
    tokens: dict[int, int] = defaultdict(int)
    for file in files:
        for score, count, _ in read_scores(file):
            pages[score] += 1
            tokens[score] += count
    least = math.ceil(1000 * math.log(min_score / (1 - min_score)))
    above = [score for score in pages if score >= least]
    totals = (sum(pages.values()), sum(tokens.values()), sum(pages[s] for s in above), sum(tokens[s] for s in above))
    kept_pages = kept_tokens = 0
    for score in sorted(above, reverse=True):
        if budget_tokens is not None and kept_tokens + tokens[score] > budget_tokens:
            ties, tied_pages, tied_tokens = _split(files, score, budget_tokens - kept_tokens)
            return Cut(score, ties, kept_pages + tied_pages, kept_tokens + tied_tokens, *totals)
        kept_pages += pages[score]
        kept_tokens += tokens[score]
    return Cut(least - 1, 0, kept_pages, kept_tokens, *totals)


def _split(files: list[Path], score: int, room: int) -> tuple[int, int, int]:
    """How many of the hashes fit: the limit, and the pages and tokens under it."""
    pages, tokens = [0] * _TIES, [0] * _TIES
    for file in files:
        for found, count, url in read_scores(file):
            if found == score:
                pages[_tie(url)] += 1
                tokens[_tie(url)] += count
    kept_pages = kept_tokens = 0
    for limit in range(_TIES):
        if kept_tokens + tokens[limit] > room:
            return limit, kept_pages, kept_tokens
        kept_pages += pages[limit]
        kept_tokens += tokens[limit]
    return _TIES, kept_pages, kept_tokens


def _tie(url: str) -> int:
    return int.from_bytes(blake2b(url.encode(), digest_size=2).digest())
