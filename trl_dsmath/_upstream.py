"""The only module that names what is private to TRL or tells releases apart, so that a new one is checked in one place.

Checked on trl 1.14.2 with transformers 4.57.6 and 5.23, and on trl 1.16.0 with 5.23 (`make test-oldest` asks the oldest pair).
`trl.trainer.utils` and `trl.extras.profiling` are not exported by `trl`, and may move.
"""

import asyncio
import atexit
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from trl import GRPOTrainer
from trl.extras.profiling import profiling_context
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import (
    get_callable_name,
    is_async_callable,
    shutdown_event_loop_in_daemon,
    start_event_loop_in_daemon,
)

__all__ = [
    "GRPO_METHODS",
    "EventLoop",
    "get_callable_name",
    "is_async_callable",
    "liger_loss",
    "policy_for_generation",
    "profiling_context",
    "settle_warmup",
    "unwrap_model_for_generation",
]

# Methods of `GRPOTrainer` that `StepGRPOTrainer` overrides or calls, with their arguments. The first is called once a
# generation batch, by the second, before metrics and columns are flushed; the second returns the dict whose tensors are
# shuffled and split along dimension 0; `_compute_loss` takes `advantages` of shape (B,) and of shape (B, T).
# `_tokenize_prompts` gives the ids first; `_generate` calls `rollout_func(prompts, trainer)`, takes `env_mask` out of what
# it returns, and puts the columns that it does not know into `inputs`, where `_calculate_rewards` finds them.
GRPO_METHODS = {
    "_calculate_rewards": ["self", "inputs", "prompts", "completions", "completion_ids_list"],
    "_generate_and_score_completions": ["self", "inputs"],
    "_log_completion_extra": ["self", "column", "values"],
    "_log_metric": ["self", "name", "value"],
    "_compute_loss": ["self", "model", "inputs"],
    "_tokenize_prompts": ["self", "prompts"],
    "_generate": ["self", "prompts"],
}


def liger_loss(args: Any) -> bool:
    """Whether GRPO's loss would be computed by Liger (TRL up to 1.13), which takes one advantage a completion."""
    return hasattr(GRPOTrainer, "compute_liger_loss") and bool(
        getattr(args, "use_liger_loss", False) or args.use_liger_kernel
    )


def settle_warmup(args: Any) -> None:
    """Says the warm-up as transformers 4 takes it: whole updates as an integer, a share of the run as `warmup_ratio`."""
    if not hasattr(args, "warmup_ratio"):
        return  # transformers 5: a `warmup_steps` below 1 is the share
    if 0 < args.warmup_steps < 1:
        args.warmup_ratio, args.warmup_steps = args.warmup_steps, 0
    args.warmup_steps = int(args.warmup_steps)


@contextmanager
def policy_for_generation(trainer: GRPOTrainer) -> Iterator[Any]:
    """The policy, out of the wrapper of DDP or DeepSpeed and ready to generate, as TRL's own generation takes it."""
    args: Any = trainer.args
    checkpointing = {"gradient_checkpointing_kwargs": args.gradient_checkpointing_kwargs}
    if "gradient_checkpointing_kwargs" not in inspect.signature(unwrap_model_for_generation).parameters:
        checkpointing = {}  # TRL 1.14
    with (
        profiling_context(trainer, "generation with tools"),
        unwrap_model_for_generation(
            trainer.model_wrapped,
            trainer.accelerator,
            gather_deepspeed3_params=args.ds3_gather_for_generation,
            **checkpointing,
        ) as model,
    ):
        yield model


class EventLoop:
    """TRL's event loop on a daemon thread, on which asynchronous reward functions run; it lives as long as the process."""

    def __init__(self, name: str) -> None:
        thread, self._loop, ready = start_event_loop_in_daemon(name=name)
        ready.wait()
        atexit.register(shutdown_event_loop_in_daemon, thread, self._loop)

    def run(self, calls: Sequence[Callable[[], Awaitable]]) -> list:
        """Runs asynchronous calls side by side and returns their results in order."""

        async def all_of_them() -> list:
            return list(await asyncio.gather(*(call() for call in calls)))

        return asyncio.run_coroutine_threadsafe(all_of_them(), self._loop).result()
