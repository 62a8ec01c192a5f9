"""What depends on the version of transformers, by hand: `make test-oldest` runs it on the oldest pair."""

from types import SimpleNamespace

import pytest

from trl_dsmath._upstream import settle_warmup


@pytest.mark.parametrize(
    ("steps", "settled"),
    [(0.03, (0.03, 0)), (7, (0.1, 7)), (7.0, (0.1, 7)), (1, (0.1, 1)), (0, (0.1, 0))],
)
def test_warm_up_of_transformers_4(steps: float, settled: tuple[float, int]) -> None:
    args = SimpleNamespace(warmup_ratio=0.1, warmup_steps=steps)
    settle_warmup(args)
    assert (args.warmup_ratio, args.warmup_steps) == settled
    assert isinstance(args.warmup_steps, int)


def test_warm_up_of_transformers_5_is_left_alone() -> None:
    args = SimpleNamespace(warmup_steps=0.03)
    settle_warmup(args)
    assert vars(args) == {"warmup_steps": 0.03}
