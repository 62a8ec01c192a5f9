"""Stage `quantize`: the last model answers in 32, 8 and 4 bits; beside it the memory of the paper's 7B."""

import time
from typing import Any

from transformers import LlamaConfig

from ..generation import SamplerConfig, load_policy
from ..generation.memory import GIB, model_memory
from ..paper import MODEL
from . import measure
from .context import Context, Done

FORMS: dict[str, dict[str, Any]] = {"32": {}, "8": {"load_in_8bit": True}, "4": {"load_in_4bit": True}}


def run(context: Context) -> Done:
    """Greedy accuracy, bytes of the weights and seconds in each form."""
    path = context.folder.model("step_grpo")
    figures: dict[str, Any] = {"problems": len(context.held_out)}
    for number, (bits, form) in enumerate(FORMS.items()):
        model, tokenizer = load_policy(SamplerConfig(path, use_cpu=True, **form))
        began = time.monotonic()
        texts = measure.complete(model, tokenizer, context.held_out)
        right = sum(measure.judge(context.held_out, texts))
        seconds = time.monotonic() - began
        figures[bits] = {"right": right, "bytes": model.get_memory_footprint(), "seconds": seconds}
        context.progress.update((number + 1) / len(FORMS), f"{bits} bit: {right / len(texts):.1%}")
    figures["paper_gib"] = _paper_memory()
    total = figures["problems"]
    line = "greedy " + ", ".join(f"{figures[bits]['right'] / total:.1%} in {bits} bit" for bits in FORMS)
    return Done(f"greedy answers to {total} held-out problems, by bitsandbytes on the CPU", line, figures)


def _paper_memory() -> dict[str, float]:
    """GiB of the weights of a model of the published shape, counted without making it."""
    config = LlamaConfig(
        vocab_size=MODEL.vocab_size,
        hidden_size=MODEL.hidden_size,
        num_hidden_layers=MODEL.num_hidden_layers,
        num_attention_heads=MODEL.num_attention_heads,
        intermediate_size=MODEL.intermediate_size,
    )
    import torch

    forms = {"16": None, "8": "8bit", "4": "4bit-double"}
    return {
        bits: model_memory(config, torch.bfloat16, form).weight_bytes / GIB  # type: ignore[arg-type]
        for bits, form in forms.items()
    }
