"""What to change so that a run fits: each change is forecast in its turn."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..generation.memory import GIB, Quantization
from .forecast import forecast
from .run import Run
from .shapes import Shape

_LORA_RANK = 32  # as in recipes/grpo/gpu24.yaml
_MOST_CARDS = 64

Change = tuple[str, Callable[[Run], Run]]


def advise(run: Run) -> list[str]:
    """Changes with which a run fits, the mildest first: one alone, or else several together.

    Args:
        run ([`Run`]):
            A run that does not fit.

    Returns:
        `list[str]`: one line a change with what it comes to; a single line when nothing helps.
    """
    if not run.trains:
        return _for_inference(run)
    alone = [_line(words, change(run)) for words, change in _changes(run) if forecast(change(run)).fits()]
    if alone:
        return alone
    chosen: list[Change] = []
    for change in [*_mild(run), *_strong(run)]:
        before, after = forecast(_apply(run, chosen)), forecast(_apply(run, [*chosen, change]))
        if after.peak() < before.peak() or after.works > before.works:
            chosen.append(change)
        if forecast(_apply(run, chosen)).fits():
            for needless in list(chosen):  # a later change may have made an earlier one idle
                rest = [kept for kept in chosen if kept is not needless]
                chosen = rest if forecast(_apply(run, rest)).fits() else chosen
            return [_line(" and ".join(words for words, _ in chosen), _apply(run, chosen))]
    return [f"No change known here makes it fit on {run.cards} x {run.memory:g} GiB: take a smaller model."]


def _apply(run: Run, changes: list[Change]) -> Run:
    for _, change in changes:
        run = change(run)
    return run


def _line(words: str, run: Run) -> str:
    return f"{words}: {forecast(run).peak() / GIB:.1f} GiB"


def _for_inference(run: Run) -> list[str]:
    changes: list[Change] = [
        ("--dtype bfloat16", lambda r: replace(r, itemsize=2)),
        ("--load_in_8bit", lambda r: replace(r, itemsize=2, quantization="8bit")),
        ("--load_in_4bit", lambda r: replace(r, itemsize=2, quantization="4bit-double")),
    ]
    if run.sampling == "vllm colocated":
        changes = changes[:1]
    lines = [_line(words, change(run)) for words, change in changes if forecast(change(run)).fits()]
    return lines or [f"No number format makes it fit on {run.memory:g} GiB: take a smaller model."]


def _changes(run: Run) -> Iterator[Change]:
    yield from _mild(run)
    yield from _strong(run)
    cards = 2 * run.cards
    while cards <= _MOST_CARDS and run.quantization is None:
        words, change = _more_cards(cards)
        if forecast(change(run)).fits():
            yield words, change
            return
        cards *= 2


def _more_cards(cards: int) -> Change:
    words = f"{cards} cards (--accelerate_config zero3 --num_processes {cards})"
    return words, lambda r: replace(r, cards=cards, sharding="zero3" if r.sharding == "none" else r.sharding)


def _mild(run: Run) -> Iterator[Change]:
    """Changes that leave the update as it is."""
    if not run.checkpointing:
        yield "--gradient_checkpointing true", lambda r: replace(r, checkpointing=True)
    if run.sampling == "vllm colocated" and not run.vllm_sleeps:
        yield "--vllm_enable_sleep_mode true", lambda r: replace(r, vllm_sleeps=True)
    if run.sampling == "transformers":
        steps = max(1, run.sampled // run.rows)
        for fewer in range(steps - 1, 0, -1):
            rows = run.rows * fewer
            if run.accumulation % fewer == 0 and rows * run.cards % run.group == 0:
                yield f"--steps_per_generation {fewer}", _sampled(rows)
    rows = run.rows // 2
    while rows >= 1 and run.rows % rows == 0:
        yield f"--per_device_train_batch_size {rows}", _rows(rows)
        rows //= 2
    if run.sampling == "vllm colocated":
        yield "--vllm_mode server", lambda r: replace(r, sampling="vllm served")


def _strong(run: Run) -> Iterator[Change]:
    """Changes of what is trained, or how."""
    if run.adapter is None:
        yield "--optim adamw_bnb_8bit", lambda r: replace(r, optim="adamw_bnb_8bit")
        yield f"--use_peft --lora_r {_LORA_RANK} --lora_target_modules all-linear --dtype bfloat16", _lora(None)
    if run.quantization is None and run.cards == 1:  # sharded 4-bit weights need settings of their own
        adapter = "" if run.adapter else f"--use_peft --lora_r {_LORA_RANK} --lora_target_modules all-linear "
        yield f"{adapter}--dtype bfloat16 --load_in_4bit", _lora("4bit")


def _sampled(rows: int) -> Callable[[Run], Run]:
    return lambda r: replace(r, sampled=min(rows, r.sampled))


def _rows(rows: int) -> Callable[[Run], Run]:
    return lambda r: replace(r, rows=rows, accumulation=r.accumulation * r.rows // rows)


def _lora(quantization: Quantization | None) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        model: Shape = run.model
        adapter = run.adapter or model.adapter_weights(_LORA_RANK, ("all-linear",))
        return replace(run, adapter=adapter, itemsize=2, quantization=quantization, reference=False)

    return change
