"""The batch that the paper gives, divided over processes and micro-batches."""

import os

from ..errors import ConfigError


def processes_at_start() -> int:
    """How many processes this run has, as torchrun and `accelerate launch` announce it before torch is set up."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def accumulation_steps(
    global_batch_size: int | None, per_device: int, processes: int, given: int | None = None
) -> int:
    """Finds how many micro-batches make one update: `per_device * steps * processes == global_batch_size`.

    Args:
        global_batch_size (`int` or `None`):
            Rows of one update over all processes. If `None`, the batch is not checked.
        per_device (`int`):
            Rows of one micro-batch on one process (`per_device_train_batch_size`).
        processes (`int`):
            Number of processes.
        given (`int`, *optional*):
            `gradient_accumulation_steps` where it was set by hand.

    Returns:
        `int`: `gradient_accumulation_steps`.

    Raises:
        ConfigError: the batch cannot be divided so, or the number set by hand gives another one.
    """
    if global_batch_size is None:
        return 1 if given is None else given
    together = per_device * processes
    if given is not None:
        if together * given != global_batch_size:
            raise ConfigError(
                f"per_device_train_batch_size ({per_device}) x gradient_accumulation_steps ({given}) x processes "
                f"({processes}) is {together * given}, but global_batch_size is {global_batch_size}. Leave "
                f"gradient_accumulation_steps out and it is derived, or set global_batch_size to {together * given}."
            )
        return given
    if global_batch_size < together or global_batch_size % together:
        fitting = [n for n in range(1, per_device) if global_batch_size % (n * processes) == 0]
        smaller = f"per_device_train_batch_size to {fitting[-1]}, or " if fitting else ""
        raise ConfigError(
            f"global_batch_size ({global_batch_size}) is no multiple of per_device_train_batch_size ({per_device}) x "
            f"processes ({processes}). Set {smaller}global_batch_size to "
            f"{max(1, round(global_batch_size / together)) * together}."
        )
    return global_batch_size // together


def check_batch(global_batch_size: int | None, steps: int, train_batch_size: int, processes: int) -> None:
    """Compares the batch with what transformers made of it once torch is set up.

    Raises:
        ConfigError: one process drives several GPUs (`DataParallel`), or the number of processes is not the announced
            one, so that an update would see another batch than the one that was asked for.
    """
    actual = steps * train_batch_size * processes
    if global_batch_size is not None and actual != global_batch_size:
        raise ConfigError(
            f"An update would see {actual} rows instead of global_batch_size ({global_batch_size}): one process sees "
            "several GPUs, or was started in an unusual way. Start one process a GPU (--num_processes N), or show one "
            "GPU to this one (CUDA_VISIBLE_DEVICES=0)."
        )
