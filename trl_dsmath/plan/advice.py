"""What to change where a run does not fit."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..generation.memory import GIB, Quantization
from .memory import forecast
from .runs import Run

_LORA_RANK = 32  # of the adapters that are advised: as in recipes/grpo/gpu24.yaml
_MOST_GPUS = 64  # that are advised

Change = tuple[str, Callable[[Run], Run]]


def advise(run: Run) -> list[str]:
    """Changes with which a run fits, the mildest first: one alone, or else several together.

    Args:
        run ([`Run`]):
            A run that does not fit.

    Returns:
        `list[str]`: one line per change with what it comes to; a single line when nothing helps.
    """
    if not run.trains:
        formats = [change for change in _formats(run) if forecast(change[1](run)).fits()]
        none = f"No number format makes it fit on {run.memory:g} GiB: take a smaller model."
        return [_line(run, [change]) for change in formats] or [none]
    alone = [change for change in _changes(run) if forecast(change[1](run)).fits()]
    if alone:
        return [_line(run, [change]) for change in alone]
    chosen: list[Change] = []
    for change in [*_mild(run), *_strong(run)]:
        before, after = forecast(_apply(run, chosen)), forecast(_apply(run, [*chosen, change]))
        if after.peak() < before.peak() or after.works > before.works:
            chosen.append(change)
        if forecast(_apply(run, chosen)).fits():
            for needless in list(chosen):  # a later change may have made an earlier one idle
                rest = [kept for kept in chosen if kept is not needless]
                chosen = rest if forecast(_apply(run, rest)).fits() else chosen
            return [_line(run, chosen)]
    return [f"No change known here makes it fit on {run.gpus} x {run.memory:g} GiB: take a smaller model."]


def _apply(run: Run, changes: list[Change]) -> Run:
    for _, change in changes:
        run = change(run)
    return run


def _line(run: Run, changes: list[Change]) -> str:
    words = " and ".join(words for words, _ in changes)
    return f"{words}: {forecast(_apply(run, changes)).peak() / GIB:.1f} GiB"


def _set(**settings: Any) -> Callable[[Run], Run]:
    return lambda run: replace(run, **settings)


def _formats(run: Run) -> Iterator[Change]:
    yield "--dtype bfloat16", _set(itemsize=2)
    if run.sampling != "vllm colocated":
        yield "--load_in_8bit", _set(itemsize=2, quantization="8bit")
        yield "--load_in_4bit", _set(itemsize=2, quantization="4bit-double")


def _changes(run: Run) -> Iterator[Change]:
    yield from _mild(run)
    yield from _strong(run)
    gpus = 2 * run.gpus
    while gpus <= _MOST_GPUS and run.quantization is None:
        more = _set(gpus=gpus, sharding="zero3" if run.sharding == "none" else run.sharding)
        if forecast(more(run)).fits():
            yield f"{gpus} GPUs (--accelerate_config zero3 --num_processes {gpus})", more
            return
        gpus *= 2


def _mild(run: Run) -> Iterator[Change]:
    """Changes that leave the update as it is."""
    if not run.checkpointing:
        yield "--gradient_checkpointing true", _set(checkpointing=True)
    if run.sampling == "vllm colocated" and not run.vllm_sleeps:
        yield "--vllm_enable_sleep_mode true", _set(vllm_sleeps=True)
    if run.sampling == "transformers":
        for fewer in range(run.sampled // run.rows, 0, -1):
            rows = run.rows * fewer
            if run.accumulation % fewer == 0 and rows * run.gpus % run.group == 0:
                yield f"--steps_per_generation {fewer}", _set(sampled=rows)
    for rows in range(run.rows // 2, 0, -1):
        if run.rows % rows == 0:
            yield f"--per_device_train_batch_size {rows}", _set(rows=rows)
    if run.sampling == "vllm colocated":
        yield "--vllm_mode server", _set(sampling="vllm served")


def _strong(run: Run) -> Iterator[Change]:
    """Changes of what is trained, or how."""
    lora = f"--use_peft --lora_r {_LORA_RANK} --lora_target_modules all-linear "
    if run.adapter is None:
        yield "--optim adamw_bnb_8bit", _set(optim="adamw_bnb_8bit")
        yield f"{lora}--dtype bfloat16", _lora(None)
    if run.quantization is None and run.gpus == 1:  # sharded 4-bit weights need settings of their own
        yield f"{'' if run.adapter else lora}--dtype bfloat16 --load_in_4bit", _lora("4bit")


def _lora(quantization: Quantization | None) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        changed = replace(run, itemsize=2, quantization=quantization, reference=False)
        if run.adapter:
            return changed
        targets = ("all-linear",)  # with TRL's default of lora_dropout
        weights, inputs = run.model.adapter_weights(_LORA_RANK, targets), run.model.adapter_inputs(targets)
        return replace(changed, adapter=weights, dropped=inputs)

    return change
