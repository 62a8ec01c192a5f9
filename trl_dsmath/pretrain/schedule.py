"""The paper's learning rate: a warm-up, a plateau, and two drops."""

from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from ..errors import ConfigError

MULTI_STEP_TYPE = "constant_with_warmup"  # the type of transformers that the drops are added to


def multi_step_factor(step: int, warmup_steps: int, total_steps: int, drops: tuple[tuple[float, float], ...]) -> float:
    """The learning rate of an update as a share of the peak.

    Args:
        step (`int`):
            Number of the update, from 0.
        warmup_steps (`int`):
            Updates over which the rate rises linearly from 0.
        total_steps (`int`):
            Updates of the whole run. Each update has the same number of tokens, so a share of the updates is that share
            of the tokens.
        drops (`tuple[tuple[float, float], ...]`):
            Pairs `(from this share of the run, this share of the peak)`, in order.

    Returns:
        `float`: between 0 and 1.
    """
    if step < warmup_steps:
        return step / warmup_steps
    factor = 1.0
    for start, share in drops:
        if step >= start * total_steps:
            factor = share
    return factor


class MultiStepScheduleMixin:
    """
    Adds the paper's two drops to a trainer whose configuration is a [`PretrainConfig`].

    Put it before the trainer: `class MyTrainer(MultiStepScheduleMixin, SFTTrainer)`. With another `lr_scheduler_type`
    than `constant_with_warmup`, transformers' schedule of that name is used as it is.

    Source: §2.2.1, "multi-step learning rate schedule".
    """

    args: Any
    optimizer: Any
    lr_scheduler: Any

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """Sets up the schedule, as [`~transformers.Trainer`] asks for it."""
        if self.lr_scheduler is None and self.args.lr_scheduler_type == MULTI_STEP_TYPE:
            warmup = self.args.get_warmup_steps(num_training_steps)
            first = self.args.first_drop_at * num_training_steps
            if warmup > first:
                raise ConfigError(
                    f"The warm-up takes {warmup:,} of {num_training_steps:,} updates, and the first drop comes at "
                    f"{first:,.0f}: the peak would never be reached. Lower --warmup_steps (the paper warms up for 2,000 "
                    "of 50,000 updates), or train longer."
                )
            drops = self.args.drops

            def factor(step: int) -> float:
                return multi_step_factor(step, warmup, num_training_steps, drops)

            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)
            self._created_lr_scheduler = True  # what Trainer's own method sets
        return super().create_scheduler(num_training_steps, optimizer)  # type: ignore[misc]
