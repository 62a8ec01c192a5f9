"""Which token is chosen: the nucleus and the draw, worked by hand and against transformers' own top-p."""

import numpy as np
import pytest
import torch
from transformers import TopPLogitsWarper

from trl_dsmath.errors import ConfigError
from trl_dsmath.generation.transformers_hooks import SeededChoice, nucleus

PROBABILITIES = torch.tensor([[0.125, 0.5, 0.125, 0.25], [0.25, 0.25, 0.25, 0.25]])


def _kept(scores: torch.Tensor, top_p: float) -> list[list[int]]:
    scores_BK, tokens_BK = nucleus(scores, top_p)
    return [tokens[row > -torch.inf].tolist() for row, tokens in zip(scores_BK, tokens_BK, strict=True)]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.4, [[1], [0, 1]]),  # 0.5; 0.25 + 0.25
        (0.7, [[1, 3], [0, 1, 2]]),
        (0.76, [[0, 1, 3], [0, 1, 2, 3]]),  # of the two with 0.125 the first; in the order of the vocabulary
        (0.99, [[0, 1, 2, 3], [0, 1, 2, 3]]),
    ],
)
def test_the_nucleus_by_hand(top_p: float, kept: list[list[int]]) -> None:
    assert _kept(PROBABILITIES.log(), top_p) == kept


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("top_p", [0.1, 0.6, 0.95, 0.999])
def test_the_nucleus_is_that_of_transformers(spread: float, top_p: float) -> None:
    """From flat distributions, where nothing is left out before the sort, to peaked ones."""
    scores = torch.randn(4, 5000, generator=torch.Generator().manual_seed(0)).double() * spread
    theirs = TopPLogitsWarper(top_p)(None, scores)  # type: ignore[arg-type]
    assert _kept(scores, top_p) == [(row > -torch.inf).nonzero()[:, 0].tolist() for row in theirs]


def test_few_tokens_are_sorted() -> None:
    scores = torch.randn(4, 50_000, generator=torch.Generator().manual_seed(0)) * 4
    assert nucleus(scores, 0.95)[0].shape[1] < 10_000


@pytest.mark.parametrize(
    ("top_p", "temperature", "tokens"),
    [
        # Cumulated 1/8, 5/8, 6/8, 1.
        (1.0, 1.0, {0.12: 0, 0.13: 1, 0.62: 1, 0.63: 2, 0.74: 2, 0.76: 3}),
        # Without tokens 0 and 2: 2/3 and 1/3.
        (0.7, 1.0, {0.0: 1, 0.66: 1, 0.67: 3, 0.99: 3}),
        # Squared: 1, 16, 1, 4 of 22; the nucleus of 0.7 is token 1 alone.
        (1.0, 0.5, {0.04: 0, 0.05: 1, 0.77: 1, 0.78: 2, 0.81: 2, 0.82: 3}),
        (0.7, 0.5, {0.0: 1, 0.99: 1}),
    ],
)
def test_the_draw_by_hand(top_p: float, temperature: float, tokens: dict[float, int]) -> None:
    choose = SeededChoice([np.array([draw]) for draw in tokens], temperature, top_p)
    scores = PROBABILITIES[:1].log().repeat(len(tokens), 1)
    only = choose(torch.zeros(len(tokens), 1, dtype=torch.long), scores)  # type: ignore[arg-type]
    assert only.argmax(dim=1).tolist() == list(tokens.values())
    assert (only > -torch.inf).sum() == len(tokens)


def test_edges_and_a_large_vocabulary() -> None:
    """The first token whose cumulated probability exceeds the draw, never one of probability 0; in double precision."""
    scores = torch.tensor([[0.0, 0.5, 0.5]]).log().repeat(3, 1)
    choose = SeededChoice([np.array([draw]) for draw in (0.0, 0.5, 1.0)])
    assert choose(torch.zeros(3, 1, dtype=torch.long), scores).argmax(dim=1).tolist() == [1, 2, 2]  # type: ignore[arg-type]
    choose = SeededChoice([np.array([0.7 + 2e-6])])
    assert choose(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 200_000)).argmax() == 140_000  # type: ignore[arg-type]


def test_scores_that_are_no_numbers() -> None:
    with pytest.raises(ConfigError, match="NaN"):
        nucleus(torch.tensor([[0.0, 1.0], [0.0, torch.nan]]), 0.9)
