"""The batch of one update, divided over processes and micro-batches."""

import logging
import math
import os
from functools import cache

from ..errors import ConfigError

logger = logging.getLogger(__name__)


def processes_at_start() -> int:
    """How many processes this run has, as torchrun and `accelerate launch` announce it before torch is set up."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def accumulation_steps(
    global_batch_size: int | None, per_device: int, processes: int, given: int | None = None, group: int = 1
) -> int:
    """Finds how many micro-batches make one update: `per_device * steps * processes == global_batch_size`.

    Args:
        global_batch_size (`int` or `None`):
            Rows of one update over all processes. If `None`, the batch follows from the other three.
        per_device (`int`):
            Rows of one micro-batch on one process (`per_device_train_batch_size`).
        processes (`int`):
            Number of processes.
        given (`int`, *optional*):
            `gradient_accumulation_steps`, where it is set. Without it and without `global_batch_size`, the smallest
            number that keeps groups whole.
        group (`int`, *optional*, defaults to `1`):
            Rows that an update must not part: `num_generations` in GRPO.

    Returns:
        `int`: `gradient_accumulation_steps`.

    Raises:
        ConfigError: the batch cannot be divided so, breaks a group, or the number set by hand gives another one.
    """
    together = per_device * processes
    whole = math.lcm(together, group)
    if global_batch_size is None:
        steps = whole // together if given is None else given
        if together * steps % group:
            raise ConfigError(
                f"An update's batch ({together * steps}) is not a multiple of num_generations ({group}): groups would be "
                f"broken. Set gradient_accumulation_steps to {_nearest(together * steps, whole) // together}, or "
                f"num_generations to a divisor of {together * steps}."
            )
        return steps
    if given is not None and together * given != global_batch_size:
        other = "" if together * given % group else f", or set global_batch_size to {together * given}"
        raise ConfigError(
            f"per_device_train_batch_size ({per_device}) x gradient_accumulation_steps ({given}) x processes "
            f"({processes}) is {together * given}, but global_batch_size is {global_batch_size}. Leave "
            f"gradient_accumulation_steps out and it is derived{other}."
        )
    if global_batch_size < whole or global_batch_size % whole:
        fitting = [n for n in range(1, per_device) if global_batch_size % math.lcm(n * processes, group) == 0]
        smaller = f"per_device_train_batch_size to {fitting[-1]}, or " if fitting else ""
        groups = f", or of num_generations ({group})" if group > 1 else ""
        divisor = "" if global_batch_size % together else f", or num_generations to a divisor of {global_batch_size}"
        left_out = " and leave gradient_accumulation_steps out" if given is not None else ""
        raise ConfigError(
            f"global_batch_size ({global_batch_size}) is not a multiple of per_device_train_batch_size ({per_device}) x "
            f"processes ({processes}){groups}. Set {smaller}global_batch_size to "
            f"{_nearest(global_batch_size, whole)}{left_out}{divisor}."
        )
    return global_batch_size // together


def accumulation_of_tokens(
    global_batch_tokens: int, per_device: int, processes: int, max_length: int, given: int | None = None
) -> int:
    """How many micro-batches come nearest to a batch in tokens, to within 5 %: sequences come in whole micro-batches.

    Raises:
        ConfigError: none comes so near, or the number that is given does not.
    """
    together = per_device * processes * max_length
    steps = given or max(1, round(global_batch_tokens / together))
    if abs(steps * together / global_batch_tokens - 1) > 0.05:
        raise ConfigError(
            f"per_device_train_batch_size ({per_device}) x micro-batches ({steps}) x processes ({processes}) x max_length "
            f"({max_length}) is {steps * together:,} tokens, more than 5 % from global_batch_tokens "
            f"({global_batch_tokens:,}). Leave gradient_accumulation_steps out, lower per_device_train_batch_size, or set "
            f"global_batch_tokens to {steps * together}."
        )
    return steps


def largest_group(batch: int, papers: int) -> int:
    """The size of a group where none is set: the paper's, or the largest below it of which a batch holds whole ones.

    Raises:
        ConfigError: the batch holds no whole groups of two or more.
    """
    for size in range(min(papers, batch), 1, -1):
        if batch % size == 0:
            return size
    raise ConfigError(
        f"A batch of {batch} completions cannot be divided into groups of 2 to {papers}: raise "
        "gradient_accumulation_steps or per_device_train_batch_size, or set num_generations."
    )


def tell_papers_batch(batch: int, papers: int, unit: str, option: str) -> None:
    """Says once, on the first process, that a batch which nobody asked for as a whole is not the paper's."""
    if batch != papers and os.environ.get("RANK", "0") == "0":
        _say_once(f"An update sees {batch:,} {unit}; the paper's saw {papers:,} ({option}={papers}).")


@cache
def _say_once(line: str) -> None:
    logger.warning(line)


def _nearest(number: int, whole: int) -> int:
    """The multiple of `whole` that is nearest, at least one of it."""
    return max(1, round(number / whole)) * whole


def check_batch(wanted: int | None, steps: int, train_batch_size: int, processes: int) -> None:
    """Compares the batch that was asked for with what transformers made of it once torch is set up.

    Raises:
        ConfigError: one process drives several GPUs (`DataParallel`), or the number of processes is not the announced
            one, so that an update would see another batch than the one that was asked for.
    """
    actual = steps * train_batch_size * processes
    if wanted is not None and actual != wanted:
        raise ConfigError(
            f"An update would see {actual} rows instead of {wanted}: one process sees several GPUs, or was started in an "
            "unusual way. Start one process a GPU (--num_processes N), or show one GPU to this one (CUDA_VISIBLE_DEVICES=0)."
        )
