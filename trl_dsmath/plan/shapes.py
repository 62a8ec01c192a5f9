"""The shape of a model, from its config alone."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..generation.memory import Quantization, key_value_width, model_memory
from ..paper import MODEL

# Shapes that need no hub. Qwen2.5: `config.json` of Qwen/Qwen2.5-0.5B, -1.5B and -7B; the Math models have the same.
_QWEN_KEYS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
              "vocab_size", "tie_word_embeddings")  # fmt: skip
_QWEN = {
    "0.5b": (896, 24, 14, 2, 4864, 151936, True),
    "1.5b": (1536, 28, 12, 2, 8960, 151936, True),
    "7b": (3584, 28, 28, 4, 18944, 152064, False),
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a model, from its config alone: see [`shape_of`]."""

    name: str  # where it came from
    config: str  # as JSON
    parameters: int  # each counted once
    head: int  # weights of an output head that is not tied to the embedding
    embedding: int  # weights of the embedding
    linear: dict[str, tuple[int, int, int]]  # layers but the head, by the end of their name: inputs, outputs, how many
    layers: int
    hidden: int
    intermediate: int
    key_value: int
    vocabulary: int

    @property
    def linear_weights(self) -> int:
        """Weights in linear layers other than the head."""
        return sum(inputs * outputs * count for inputs, outputs, count in self.linear.values())

    def adapter_weights(self, rank: int, targets: tuple[str, ...]) -> int:
        """Weights of LoRA adapters of this rank on these layers; `("all-linear",)` is all but the head.

        Raises:
            ConfigError: no layer has such a name.
        """
        return sum(rank * (inputs + outputs) * count for inputs, outputs, count in self._adapted(targets))

    def adapter_inputs(self, targets: tuple[str, ...]) -> int:
        """Numbers that enter the layers with adapters, for one token."""
        return sum(inputs * count for inputs, _, count in self._adapted(targets))

    def _adapted(self, targets: tuple[str, ...]) -> list[tuple[int, int, int]]:
        found = [v for k, v in self.linear.items() if targets == ("all-linear",) or k in targets]
        if not found:
            raise ConfigError(f"lora_target_modules {', '.join(targets)}: {self.name} has {', '.join(self.linear)}.")
        return found

    def weight_bytes(self, itemsize: int, quantization: Quantization | None = None) -> int:
        """Bytes of the weights as they are loaded."""
        return _weight_bytes(self.config, itemsize, quantization)

    def cache_bytes(self, itemsize: int) -> int:
        """Bytes of the keys and values of one token."""
        return 2 * self.layers * self.key_value * itemsize


def shape_of(name: str, config_file: Path | None = None) -> Shape:
    """Finds the shape of a model: a known one, a folder, a config file, or a name on the hub.

    Args:
        name (`str`):
            Name or folder of the model.
        config_file (`Path`, *optional*):
            Its `config.json`, where neither the name is known nor the hub can be reached.

    Raises:
        ConfigError: no config can be found.
    """
    config: dict[str, Any] | None
    if config_file is not None:
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"model_config {config_file}: {error}") from error
    else:
        config = _known(name)
    if config is None:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(name).to_dict()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The config of {name} cannot be loaded: {str(error).strip().splitlines()[0]} "
                "Set model_config to a config.json, or model_name_or_path to another model."
            ) from error
    return _shape(name, json.dumps(config, sort_keys=True, default=str))


def _known(name: str) -> dict[str, Any] | None:
    """Config of a model whose shape is written here."""
    short = name.lower().rsplit("/", 1)[-1].removesuffix("-instruct").removesuffix("-base")
    if short in {"deepseek-math-7b", "deepseek-math-7b-rl", "deepseek-coder-7b-base-v1.5"}:
        return {"model_type": "llama", **asdict(MODEL), "tie_word_embeddings": False}
    family, _, size = short.rpartition("-")
    if family not in {"qwen2.5", "qwen2.5-math"} or size not in _QWEN:
        return None
    return {"model_type": "qwen2", **dict(zip(_QWEN_KEYS, _QWEN[size], strict=True))}


def _config(text: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"This config cannot be used: {error}") from error


@lru_cache
def _weight_bytes(config: str, itemsize: int, quantization: Quantization | None) -> int:
    import torch

    dtype = torch.float32 if itemsize == 4 else torch.bfloat16
    return model_memory(_config(config), dtype, quantization).weight_bytes


@lru_cache
def _shape(name: str, text: str) -> Shape:
    import torch
    from transformers import AutoModelForCausalLM

    config = _config(text)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    linear: dict[str, tuple[int, int, int]] = {}
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            key = path.rsplit(".", 1)[-1]
            linear[key] = (module.in_features, module.out_features, linear.get(key, (0, 0, 0))[2] + 1)
    inner = config.get_text_config()
    return Shape(
        name=name,
        config=text,
        parameters=sum(p.numel() for p in model.parameters()),
        head=0 if head.weight is embedding else head.weight.numel(),
        embedding=embedding.numel(),
        linear=linear,
        layers=inner.num_hidden_layers,
        hidden=inner.hidden_size,
        intermediate=inner.intermediate_size,
        key_value=key_value_width(config),
        vocabulary=inner.vocab_size,
    )
