"""A policy for inference: number format, 8 or 4 bits, adapters; what cannot work is said before weights are read."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..data.prompts import CHAT_TEMPLATE
from ..errors import ConfigError, need

DType = Literal["bfloat16", "float16", "float32"]
_SHORT: dict[str, DType] = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True)
class Loading:
    """
    Which model, and in what form.

    Args:
        model (`str`):
            Folder or name on the hub. A folder with a LoRA adapter loads its base model too.
        adapter (`str`, *optional*):
            LoRA adapter to put on the model.
        dtype (`str`, *optional*):
            `"bfloat16"`, `"float16"`, `"float32"` (or `"bf16"`, `"fp16"`, `"fp32"`). If `None`, bfloat16 on a GPU or when
            quantised, else the format that the model was saved in.
        load_in_8bit (`bool`, *optional*, defaults to `False`):
            Whether to load linear layers as int8.
        load_in_4bit (`bool`, *optional*, defaults to `False`):
            Whether to load linear layers as nf4.
        double_quantization (`bool`, *optional*, defaults to `True`):
            Whether to quantise the scales of 4-bit weights too: 0.4 bits less a weight.
        device_map (`str`, *optional*):
            As in transformers. If `None`, `"auto"` on GPUs.
        use_cpu (`bool`, *optional*, defaults to `False`):
            Whether to stay on the CPU where there is a GPU.
        revision (`str`, *optional*):
            Revision of a model on the hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Whether a model may bring its own code.
        attn_implementation (`str`, *optional*):
            As in transformers: `"sdpa"`, `"flash_attention_2"`, `"eager"`.

    Raises:
        ConfigError: 8 and 4 bits at once, or an unknown number format.
    """

    model: str
    adapter: str | None = None
    dtype: str | None = None
    load_in_8bit: bool = False
    load_in_4bit: bool = False
    double_quantization: bool = True
    device_map: str | None = None
    use_cpu: bool = False
    revision: str | None = None
    trust_remote_code: bool = False
    attn_implementation: str | None = None

    def __post_init__(self) -> None:
        if self.load_in_8bit and self.load_in_4bit:
            raise ConfigError("load_in_8bit and load_in_4bit exclude each other: choose one.")
        if self.dtype not in (None, "auto", *_SHORT, *_SHORT.values()):
            raise ConfigError(f"dtype must be bfloat16, float16 or float32, not {self.dtype!r}.")

    @classmethod
    def names(cls) -> set[str]:
        """The settings besides the model."""
        return {field.name for field in fields(cls)} - {"model"}

    @property
    def quantization(self) -> Literal["8bit", "4bit", "4bit-double"] | None:
        """The kind of quantisation, as `solve.memory` names it."""
        if self.load_in_8bit:
            return "8bit"
        return ("4bit-double" if self.double_quantization else "4bit") if self.load_in_4bit else None


def load_policy(
    loading: Loading, tokens: int | None = None, rows: int = 1, say: Callable[[str], None] | None = None
) -> tuple[Any, Any]:
    """Loads model and tokenizer.

    Args:
        loading ([`Loading`]):
            Which model, and in what form.
        tokens (`int`, *optional*):
            Length of a sequence to count the cache for.
        rows (`int`, *optional*, defaults to `1`):
            Sequences to count the cache for.
        say (`Callable`, *optional*):
            Prints a line about memory before the weights are read.

    Returns:
        `tuple`: model, in evaluation mode, and tokenizer. A tokenizer without a chat template gets DeepSeekMath's.

    Raises:
        ConfigError: there is no such model, an adapter that does not fit, or not enough memory; the message says what
            to change.
        MissingDependencyError: bitsandbytes or peft is needed and absent.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    base, adapter = _base_and_adapter(loading)
    _check_machine(loading, torch.cuda.is_available())
    on_gpu = torch.cuda.is_available() and not loading.use_cpu
    hub = {"revision": loading.revision, "trust_remote_code": loading.trust_remote_code}
    with model_errors(base):
        config = AutoConfig.from_pretrained(base, **hub)
    dtype = _dtype(loading, config, on_gpu)
    _check_memory(loading, config, dtype, "cuda" if on_gpu else "cpu", tokens, rows, say)
    tokenizer = _load_tokenizer(adapter, base, hub)
    settings: dict[str, Any] = {"dtype": dtype, "attn_implementation": loading.attn_implementation, **hub}
    if loading.quantization is not None:
        settings["quantization_config"] = _quantization_config(loading, dtype)
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns at every call of every layer
    if loading.device_map or on_gpu:
        settings["device_map"] = loading.device_map or "auto"
    elif loading.quantization is not None:
        settings["device_map"] = "cpu"
    with model_errors(base):
        model: Any = AutoModelForCausalLM.from_pretrained(base, **settings)
    if adapter is not None:
        model = _put_on(model, adapter, base)
    return model.eval(), tokenizer


def _base_and_adapter(loading: Loading) -> tuple[str, str | None]:
    """The base model and the adapter, which may be what was named as the model."""
    adapter = loading.adapter
    folder = Path(loading.model)
    base = loading.model
    if adapter is None and (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        adapter = loading.model
        need("peft", "LoRA adapters", "peft")
        from peft import PeftConfig

        base = str(PeftConfig.from_pretrained(adapter).base_model_name_or_path or "")
        if not base:
            raise ConfigError(
                f"{adapter} is an adapter that does not name its base model: give --model and --adapter."
            )
    if adapter is not None:
        need("peft", "LoRA adapters", "peft")
        if Path(adapter).exists() and not (Path(adapter) / "adapter_config.json").is_file():
            raise ConfigError(f"{adapter} holds no adapter_config.json: it is no LoRA adapter.")
    return base, adapter


def _check_machine(loading: Loading, cuda: bool) -> None:
    """Raises for settings that this machine cannot serve."""
    if loading.quantization is not None:
        need("bitsandbytes", "8-bit and 4-bit weights", "quantization")
    if cuda and not loading.use_cpu:
        return
    if loading.device_map and loading.device_map.startswith(("cuda", "balanced", "sequential")):
        raise ConfigError(
            f"device_map {loading.device_map!r} needs a GPU, and torch sees none: leave it out to use the CPU."
        )
    if (loading.attn_implementation or "").startswith("flash_attention"):
        raise ConfigError(
            f"{loading.attn_implementation} needs a GPU, and torch sees none: use --attn_implementation sdpa."
        )


def _dtype(loading: Loading, config: Any, on_gpu: bool) -> Any:
    import torch

    name = _SHORT.get(loading.dtype or "", loading.dtype)
    if name is None and (on_gpu or loading.quantization is not None):
        name = "bfloat16"
    if name in (None, "auto"):
        return getattr(config, "dtype", None) or torch.float32
    return getattr(torch, str(name))


def _check_memory(
    loading: Loading,
    config: Any,
    dtype: Any,
    device: str,
    tokens: int | None,
    rows: int,
    say: Callable[[str], None] | None,
) -> None:
    """Says what the model takes; raises when the weights alone do not fit."""
    from .memory import GIB, Quantization, free_memory, model_memory

    if loading.quantization is None and getattr(config, "quantization_config", None):
        return  # saved quantised, in one of many forms: its size is not known from the shape
    counted = model_memory(config, dtype, loading.quantization, loading.trust_remote_code)
    free = free_memory(device)
    where = "on the GPU" if device == "cuda" else "in memory"
    if say is not None:
        line = counted.report(tokens, rows) if tokens else counted.report(1, 1).split(", 0.00")[0]
        say(f"{line}; {free / GIB:.1f} GiB free {where}")
        if tokens and counted.weight_bytes < free < counted.weight_bytes + counted.cache_bytes(tokens, rows):
            fit = counted.rows_that_fit(free, tokens)
            say(f"all {rows} sequences do not fit at once: about {max(1, fit)} at a time (--batch_size sets it)")
    if counted.weight_bytes > free and loading.device_map is None:
        kinds: dict[str, Quantization] = {"load_in_8bit": "8bit", "load_in_4bit": "4bit-double"}
        sizes = {flag: model_memory(config, dtype, kind, loading.trust_remote_code) for flag, kind in kinds.items()}
        smaller = [
            f"--{flag} takes {size.weight_bytes / GIB:.1f} GiB"
            for flag, size in sizes.items()
            if size.weight_bytes < counted.weight_bytes
        ]
        raise ConfigError(
            f"The weights of {loading.model} take {counted.weight_bytes / GIB:.1f} GiB and {free / GIB:.1f} GiB are free "
            f"{where}. {'; '.join([*smaller, 'or choose a smaller model'])}; --device_map auto spreads it over GPUs, "
            "memory and disk, slowly."
        )


def _quantization_config(loading: Loading, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    if loading.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=loading.double_quantization,
        bnb_4bit_compute_dtype=dtype,
    )


def _load_tokenizer(adapter: str | None, base: str, hub: dict[str, Any]) -> Any:
    """The adapter's tokenizer where it brings one, which may have been given tokens of its own; else the model's."""
    from transformers import AutoTokenizer

    own = adapter is not None and (Path(adapter) / "tokenizer_config.json").is_file()
    with model_errors(base):
        tokenizer = (
            AutoTokenizer.from_pretrained(adapter, padding_side="left")
            if own
            else AutoTokenizer.from_pretrained(base, padding_side="left", **hub)
        )
    if tokenizer.chat_template is None:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _put_on(model: Any, adapter: str, base: str) -> Any:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(model, adapter)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"The adapter {adapter} does not fit {base}: {reason}. Name the model that it was trained on "
            "(base_model_name_or_path in its adapter_config.json)."
        ) from error


@contextmanager
def model_errors(model: str) -> Iterator[None]:
    """Turns what transformers raises for a model that cannot be loaded into one line."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        no_hub_name = model.count("/") > 1 or model.startswith((".", "/", "~"))
        if no_hub_name and not Path(model).exists():
            reason = "there is no such folder" + ("; an earlier stage makes it" if "runs/" in model else "")
        raise ConfigError(f"The model {model} cannot be loaded: {reason}") from error
