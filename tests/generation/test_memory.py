"""Memory counted on the meta device against arithmetic by hand, the notes' figures, and a model that was loaded."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from trl_dsmath.generation.memory import GIB, model_memory
from trl_dsmath.paper import MODEL

SMALL = {
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
EMBEDDING = 100 * 64
ATTENTION = 2 * 64 * 64 + 2 * 64 * 32  # queries and output; keys and values of two heads of 16
LINEAR = 2 * (ATTENTION + 3 * 64 * 128)
NORMS = 5 * 64


def test_weights_and_cache_by_hand() -> None:
    counted = model_memory(LlamaConfig(**SMALL, tie_word_embeddings=False))
    assert counted.parameters == 2 * EMBEDDING + LINEAR + NORMS
    assert counted.weight_bytes == 2 * counted.parameters
    assert counted.cache_bytes_per_token == 2 * 2 * 2 * 16 * 2  # keys and values, layers, heads, size, bytes
    assert counted.cache_bytes(10, 3) == 30 * 256
    tied = model_memory(LlamaConfig(**SMALL, tie_word_embeddings=True), torch.float32)
    assert tied.parameters == counted.parameters - EMBEDDING
    assert tied.weight_bytes == 4 * tied.parameters


def test_quantized_weights_by_hand() -> None:
    config = LlamaConfig(**SMALL, tie_word_embeddings=False)
    kept = 2 * (2 * EMBEDDING + NORMS)  # embedding, head and norms stay in bfloat16
    rows = 2 * (64 + 32 + 32 + 64 + 128 + 128 + 64)
    assert model_memory(config, quantization="8bit").weight_bytes == kept + LINEAR + 4 * rows
    assert model_memory(config, quantization="4bit").weight_bytes == kept + LINEAR // 2 + 4 * LINEAR // 64 + 14 * 64


def test_the_published_7b() -> None:
    config = LlamaConfig(**asdict(MODEL), tie_word_embeddings=False)
    sizes = {kind: model_memory(config, torch.bfloat16, kind) for kind in (None, "8bit", "4bit", "4bit-double")}
    assert [round(size.weight_bytes / GIB, 2) for size in sizes.values()] == [12.87, 7.22, 4.74, 4.48]
    assert sizes[None].parameters == 6_910_365_696
    assert sizes[None].cache_bytes(4096) == 1.875 * GIB
    assert sizes[None].rows_that_fit(16 * GIB, 4096) == 1
    assert sizes["4bit-double"].rows_that_fit(4 * GIB, 4096) == 0


@pytest.mark.parametrize("quantization", ["8bit", "4bit", "4bit-double"])
def test_what_is_predicted_is_what_is_loaded(tiny: Path, quantization: str) -> None:
    pytest.importorskip("bitsandbytes")
    from trl_dsmath.generation import SamplerConfig, load_policy

    flags = {"load_in_8bit": quantization == "8bit", "load_in_4bit": quantization != "8bit"}
    model, _ = load_policy(SamplerConfig(str(tiny), use_bnb_nested_quant=quantization == "4bit-double", **flags))
    held = sum(p.numel() * p.element_size() for p in model.parameters())
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        nested = getattr(state, "state2", None)
        for tensor in (
            getattr(parameter, "SCB", None),
            *(getattr(state, name, None) for name in ("absmax", "code", "offset")),
            *(getattr(nested, name, None) for name in ("absmax", "code")),
        ):
            held += 0 if tensor is None else tensor.numel() * tensor.element_size()
    from transformers import AutoConfig

    counted = model_memory(AutoConfig.from_pretrained(tiny), torch.bfloat16, quantization)  # type: ignore[arg-type]
    assert held == counted.weight_bytes
