"""The learning rate of §2.2.1, by hand."""

import pytest

from trl_dsmath.paper import PRETRAIN
from trl_dsmath.pretrain.trainer import multi_step_factor

DROPS = ((0.8, 0.316), (0.9, 0.1))


@pytest.mark.parametrize(
    ("step", "factor"),
    [
        (0, 0.0),
        (1000, 0.5),
        (2000, 1.0),
        (39_999, 1.0),
        (40_000, 0.316),
        (44_999, 0.316),
        (45_000, 0.1),  # of the peak: 4.2e-5, not 0.1 x 0.316
        (49_999, 0.1),
    ],
)
def test_the_papers_run(step: int, factor: float) -> None:
    steps = PRETRAIN.tokens // PRETRAIN.batch_tokens
    assert steps == 50_000
    assert multi_step_factor(step, PRETRAIN.warmup_steps, steps, DROPS) == pytest.approx(factor)


def test_no_warmup_begins_at_the_peak() -> None:
    assert multi_step_factor(0, 0, 10, DROPS) == 1.0
