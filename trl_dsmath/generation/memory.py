"""How much memory a model takes, counted on the meta device before anything is loaded."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

Quantization = Literal["8bit", "4bit", "4bit-double"]

GIB = 2**30
_BLOCK = 64  # weights that share a scale in bitsandbytes' nf4
_NESTED_BLOCK = 256  # scales that share a scale of their own (double quantization)


@dataclass(frozen=True)
class ModelMemory:
    """Memory of a model for inference."""

    parameters: int  # each counted once: a head that is tied to the embedding adds none
    weight_bytes: int  # as they are loaded, with the scales of a quantized model
    cache_bytes_per_token: int  # keys and values in one row
    dtype: torch.dtype  # of everything that is not quantized, and of the cache
    quantization: Quantization | None

    def cache_bytes(self, tokens: int, rows: int = 1) -> int:
        """Bytes of the keys and values of `rows` sequences of `tokens` tokens."""
        return self.cache_bytes_per_token * tokens * rows

    def rows_that_fit(self, memory_bytes: float, tokens: int) -> int:
        """Sequences of this length whose cache fits beside the weights; 0 when not even one does."""
        return max(0, int((memory_bytes - self.weight_bytes) // self.cache_bytes(tokens)))

    def report(self, tokens: int, rows: int) -> str:
        """One line: the weights, the cache of a token, and of the samples."""
        kind = str(self.dtype).removeprefix("torch.") if self.quantization is None else self.quantization
        return (
            f"{self.parameters / 1e9:.2f} B parameters, weights {self.weight_bytes / GIB:.2f} GiB ({kind}); cache "
            f"{self.cache_bytes_per_token / 1024:.0f} KiB per token, {self.cache_bytes(tokens, rows) / GIB:.2f} GiB for "
            f"{rows} {'sequence' if rows == 1 else 'sequences'} of {tokens:,} tokens"
        )


def model_memory(
    config: Any,
    dtype: torch.dtype = torch.bfloat16,
    quantization: Quantization | None = None,
    trust_remote_code: bool = False,
) -> ModelMemory:
    """Counts the memory of a model from its config alone.

    Covered: grouped-query attention, tied embeddings, biases, bitsandbytes' int8 and nf4 with their scales (embedding,
    norms and head stay in `dtype`). Not covered: activations (small beside the cache when one token per row is computed),
    the scores of a large vocabulary, and what the driver takes (about 0.5 GiB on a GPU).

    Args:
        config ([`~transformers.PreTrainedConfig`]):
            The model's config.
        quantization (`str`, *optional*):
            `"8bit"`, `"4bit"` (nf4) or `"4bit-double"` (nf4 with double quantization).
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Whether the config may bring its own model class.
    """
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=trust_remote_code)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    weight_bytes = parameters * dtype.itemsize
    if quantization is not None:
        head = model.get_output_embeddings()
        for module in model.modules():
            if isinstance(module, torch.nn.Linear) and module is not head:
                weight_bytes += _quantized_bytes(module, quantization) - module.weight.numel() * dtype.itemsize
    return ModelMemory(parameters, weight_bytes, cache_bytes_per_token(config, dtype.itemsize), dtype, quantization)


def key_value_width(config: Any) -> int:
    """Numbers of the keys of a token in a layer; its values are as many."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return heads * (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)


def cache_bytes_per_token(config: Any, itemsize: int) -> int:
    """Bytes of the keys and values of a token in all layers."""
    return 2 * config.get_text_config().num_hidden_layers * key_value_width(config) * itemsize


def _quantized_bytes(module: torch.nn.Linear, quantization: Quantization) -> int:
    """Bytes of a linear layer's matrix and its scales."""
    weights = module.weight.numel()
    if quantization == "8bit":
        return weights + 4 * module.out_features  # one float per row
    scales = -(-weights // _BLOCK)
    table = 16 * 4
    if quantization == "4bit":
        return weights // 2 + 4 * scales + table
    # One byte per scale, a float for 256 of them, a float for their mean, and the table of the 256 values.
    return weights // 2 + scales + 4 * -(-scales // _NESTED_BLOCK) + 4 + 256 * 4 + table


def free_memory(device: str) -> int:
    """Bytes that are free on the GPUs together, or in this machine's memory."""
    if device == "cuda":
        return sum(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count()))
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # macOS
        import psutil

        return int(psutil.virtual_memory().available)
