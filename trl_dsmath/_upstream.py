"""The only module that names what is private to TRL, so that a new release is checked in one place.

Checked on trl 1.14.2 and 1.16.0 with transformers 5.23 (`tests/grpo/test_step_contract.py` asks the installed release).
`trl.trainer.utils` and `trl.extras.profiling` are not exported by `trl`, and may move.
"""

import asyncio
import atexit
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from trl import GRPOTrainer
from trl.extras.profiling import profiling_context
from trl.trainer.utils import (
    get_callable_name,
    is_async_callable,
    shutdown_event_loop_in_daemon,
    start_event_loop_in_daemon,
)

__all__ = ["GRPO_METHODS", "EventLoop", "get_callable_name", "is_async_callable", "liger_loss", "profiling_context"]

# Methods of `GRPOTrainer` that `StepGRPOTrainer` overrides or calls, with their arguments. The first is called once a
# generation batch, by the second, before metrics and columns are flushed; the second returns the dict whose tensors are
# shuffled and split along dimension 0; `_compute_loss` takes `advantages` of shape (B,) and of shape (B, T).
GRPO_METHODS = {
    "_calculate_rewards": ["self", "inputs", "prompts", "completions", "completion_ids_list"],
    "_generate_and_score_completions": ["self", "inputs"],
    "_log_completion_extra": ["self", "column", "values"],
    "_log_metric": ["self", "name", "value"],
    "_compute_loss": ["self", "model", "inputs"],
}


def liger_loss(args: Any) -> bool:
    """Whether GRPO's loss would be computed by Liger (TRL up to 1.13), which takes one advantage a completion."""
    return hasattr(GRPOTrainer, "compute_liger_loss") and bool(
        getattr(args, "use_liger_loss", False) or args.use_liger_kernel
    )


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
