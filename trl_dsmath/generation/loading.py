"""Loading what samples: one function chooses the engine; what cannot work is refused before weights are read."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.precision import fast_bf16
from ..data.prompts import CHAT_TEMPLATE
from ..errors import ConfigError, need
from .config import SHORT_DTYPES, SamplerConfig
from .protocol import Sampler
from .tools import ToolSampler

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def load_sampler(
    config: SamplerConfig,
    tools: bool = False,
    tokens: int | None = None,
    rows: int = 1,
    notify: Callable[[str], None] | None = None,
) -> Sampler:
    """
    Loads a model into the engine that the configuration names. No other place chooses an engine.

    Args:
        config ([`SamplerConfig`]):
            Which model, in what form, by which engine.
        tools (`bool`, *optional*, defaults to `False`):
            Whether samples may run programs ([`ToolSampler`]).
        tokens (`int`, *optional*):
            Length of a sequence for which the cache is counted. transformers only, as the next two.
        rows (`int`, *optional*, defaults to `1`):
            Sequences for which the cache is counted.
        notify (`Callable`, *optional*):
            Called with a line about memory before the weights are read.

    Returns:
        [`Sampler`]

    Raises:
        ConfigError: the model cannot be loaded, or no server answers.
        MissingDependencyError: the engine, bitsandbytes or peft is absent.

    Example:
    ```python
    from trl_dsmath.generation import Decoding, SamplerConfig, load_sampler

    sampler = load_sampler(SamplerConfig("deepseek-ai/deepseek-math-7b-rl", load_in_4bit=True))
    samples = sampler.sample(["1 + 1 ="], Decoding(max_new_tokens=16), n=4)[0]
    ```
    """
    if config.engine == "transformers":
        from .transformers_engine import TransformersSampler

        model, tokenizer = load_policy(config, tokens, rows, notify)
        sampler: Sampler = TransformersSampler(model, tokenizer, batch_size=config.batch_size)
    elif config.engine == "openai":
        from .openai_engine import OpenAISampler

        base_url = config.base_url or os.environ.get("OPENAI_BASE_URL")
        if not base_url:
            raise ConfigError(
                "Which server? Give base_url (--base_url http://localhost:8080), or set OPENAI_BASE_URL."
            )
        requests: dict[str, Any] = {
            "concurrency": config.concurrency or 16,
            "generation_kwargs": config.generation_kwargs,
        }
        sampler = OpenAISampler(base_url, config.model, **requests)
    else:
        sampler = _load_vllm(config)
    return ToolSampler(sampler) if tools else sampler


def _load_vllm(config: SamplerConfig) -> Sampler:
    """vLLM in this process, or the client of a server."""
    from transformers import AutoConfig

    hub: dict[str, Any] = {"revision": config.model_revision, "trust_remote_code": config.trust_remote_code}
    with model_errors(config.model):
        shape = AutoConfig.from_pretrained(config.model, **hub)
    tokenizer = load_tokenizer(config.model, **hub)
    if config.engine == "server":
        from .server_engine import ServerSampler

        requests: dict[str, Any] = {
            "concurrency": config.concurrency or 64,
            "generation_kwargs": config.generation_kwargs,
        }
        server = ServerSampler(config.vllm_server_base_url, tokenizer, model=config.model, **requests)
        server.context_length = server.context_length or _context_length(shape)
        return server
    from .vllm_engine import VLLMSampler

    dtype = SHORT_DTYPES.get(config.dtype or "", config.dtype) or "auto"
    vllm = VLLMSampler(config.model, tokenizer, dtype=dtype, **hub)
    vllm.context_length = _context_length(shape)
    return vllm


def _context_length(config: "PreTrainedConfig") -> int | None:
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def load_policy(
    config: SamplerConfig, tokens: int | None = None, rows: int = 1, notify: Callable[[str], None] | None = None
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Loads model and tokenizer with transformers.

    Args:
        config ([`SamplerConfig`]):
            Which model, and in what form.
        tokens (`int`, *optional*), rows (`int`, *optional*, defaults to `1`), notify (`Callable`, *optional*):
            As in [`load_sampler`].

    Returns:
        `tuple`: model, in evaluation mode, and tokenizer.

    Raises:
        ConfigError: there is no such model, an adapter that does not fit, or not enough memory; the message says what
            to change.
        MissingDependencyError: bitsandbytes or peft is needed and absent.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    base, adapter = _base_and_adapter(config)
    on_gpu = torch.cuda.is_available() and not config.use_cpu
    _check_machine(config, on_gpu)
    hub: dict[str, Any] = {"revision": config.model_revision, "trust_remote_code": config.trust_remote_code}
    with model_errors(base):
        shape = AutoConfig.from_pretrained(base, **hub)
    dtype = _dtype(config, shape, on_gpu)
    _check_memory(config, shape, dtype, "cuda" if on_gpu else "cpu", tokens, rows, notify)
    tokenizer = load_tokenizer(base, adapter, **hub)
    settings: dict[str, Any] = {"dtype": dtype, "attn_implementation": config.attn_implementation, **hub}
    if config.quantization is not None:
        settings["quantization_config"] = _quantization_config(config, dtype)
        settings["device_map"] = "cpu"
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns at every call of every layer
    if config.device_map or on_gpu:
        settings["device_map"] = config.device_map or "auto"
    with model_errors(base):
        model: Any = AutoModelForCausalLM.from_pretrained(base, **settings)
    if adapter is not None:
        model = _put_on(model, adapter, base)
    return model.eval(), tokenizer


def load_tokenizer(
    model: str,
    adapter: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    chat_template: bool = True,
) -> "PreTrainedTokenizerBase":
    """Loads a model's tokenizer, padding and truncating on the left, as generation needs it.

    Args:
        model (`str`):
            Folder or name on the hub.
        adapter (`str`, *optional*):
            LoRA adapter, whose own tokenizer is taken where it brings one: it may have new tokens.
        revision (`str`, *optional*), trust_remote_code (`bool`, *optional*, defaults to `False`):
            As in transformers.
        chat_template (`bool`, *optional*, defaults to `True`):
            Whether a tokenizer without a chat template gets DeepSeekMath's (`trl_dsmath.data.CHAT_TEMPLATE`).

    Raises:
        ConfigError: there is no such model.
    """
    from transformers import AutoTokenizer

    own = adapter is not None and (Path(adapter) / "tokenizer_config.json").is_file()
    hub: dict[str, Any] = {} if own else {"revision": revision, "trust_remote_code": trust_remote_code}
    with model_errors(model):
        tokenizer = AutoTokenizer.from_pretrained(
            adapter if own else model, padding_side="left", truncation_side="left", **hub
        )
    if chat_template and tokenizer.chat_template is None:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _base_and_adapter(config: SamplerConfig) -> tuple[str, str | None]:
    """The base model and the adapter, which may be what was named as the model."""
    base, adapter = config.model, config.adapter
    if adapter is None and config.names_adapter:
        adapter = base
        need("peft", "LoRA adapters", "peft")
        from peft import PeftConfig

        base = str(PeftConfig.from_pretrained(adapter).base_model_name_or_path or "")
        if not base:
            raise ConfigError(
                f"{adapter} is an adapter that does not name its base model: give model_name_or_path and adapter."
            )
    if adapter is not None:
        need("peft", "LoRA adapters", "peft")
        if Path(adapter).exists() and not (Path(adapter) / "adapter_config.json").is_file():
            raise ConfigError(f"{adapter} holds no adapter_config.json: it is not a LoRA adapter.")
    return base, adapter


def _check_machine(config: SamplerConfig, on_gpu: bool) -> None:
    """Raises for settings that this machine cannot serve."""
    if config.quantization is not None:
        need("bitsandbytes", "8-bit and 4-bit weights", "quantization")
    if on_gpu:
        return
    if (config.device_map or "").startswith(("cuda", "balanced", "sequential")):
        raise ConfigError(
            f"device_map {config.device_map!r} needs a GPU, and torch sees none: leave it out to use the CPU."
        )
    if (config.attn_implementation or "").startswith("flash_attention"):
        raise ConfigError(
            f"{config.attn_implementation} needs a GPU, and torch sees none: set attn_implementation to sdpa."
        )


def _dtype(config: SamplerConfig, shape: "PreTrainedConfig", on_gpu: bool) -> Any:
    import torch

    name = SHORT_DTYPES.get(config.dtype or "", config.dtype)
    if name is None and (on_gpu or config.quantization is not None):
        name = "bfloat16"
    if name in (None, "auto"):
        saved = getattr(shape, "dtype", None) or torch.float32
        if name is None and saved is torch.bfloat16 and not fast_bf16():
            from .memory import free_memory, model_memory

            whole = model_memory(shape, torch.float32, None, config.trust_remote_code)
            return torch.float32 if whole.weight_bytes < free_memory("cpu") / 2 else saved
        return saved
    return getattr(torch, str(name))


def _check_memory(
    config: SamplerConfig,
    shape: "PreTrainedConfig",
    dtype: Any,
    device: str,
    tokens: int | None,
    rows: int,
    notify: Callable[[str], None] | None,
) -> None:
    """Says what the model takes; raises when the weights alone do not fit."""
    from .memory import GIB, Quantization, free_memory, model_memory

    if config.quantization is None and getattr(shape, "quantization_config", None):
        return  # saved quantized, in one of many forms: its size is not known from the shape
    counted = model_memory(shape, dtype, config.quantization, config.trust_remote_code)
    free = free_memory(device)
    where = "on the GPU" if device == "cuda" else "in memory"
    if notify is not None:
        line = counted.report(tokens, rows) if tokens else counted.report(1, 1).split(", 0.00")[0]
        notify(f"{line}; {free / GIB:.1f} GiB free {where}")
        if tokens and counted.weight_bytes < free < counted.weight_bytes + counted.cache_bytes(tokens, rows):
            fit = counted.rows_that_fit(free, tokens)
            notify(f"all {rows} sequences do not fit at once: about {max(1, fit)} at a time (batch_size sets it)")
    if counted.weight_bytes > free and config.device_map is None:
        kinds: dict[str, Quantization] = {"load_in_8bit": "8bit", "load_in_4bit": "4bit-double"}
        sizes = {flag: model_memory(shape, dtype, kind, config.trust_remote_code) for flag, kind in kinds.items()}
        smaller = [
            f"{flag} takes {size.weight_bytes / GIB:.1f} GiB"
            for flag, size in sizes.items()
            if size.weight_bytes < counted.weight_bytes
        ]
        raise ConfigError(
            f"The weights of {config.model} take {counted.weight_bytes / GIB:.1f} GiB and {free / GIB:.1f} GiB are free "
            f"{where}. {'; '.join([*smaller, 'or choose a smaller model'])}; device_map auto spreads it over GPUs, "
            "memory and disk, slowly."
        )


def _quantization_config(config: SamplerConfig, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    if config.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=config.use_bnb_nested_quant,
        bnb_4bit_compute_dtype=dtype,
    )


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
def model_errors(model: str, what: str = "model ") -> Iterator[None]:
    """Turns what transformers raises for a model that cannot be loaded, or `what` belongs to it, into one line."""
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        cause: BaseException = error
        # transformers says only which of its classes it lacks
        while isinstance(error, ImportError) and cause.__cause__:
            cause = cause.__cause__
        reason = str(cause).strip().split("\n")[0]
        no_hub_name = model.count("/") > 1 or model.startswith((".", "/", "~"))
        if no_hub_name and not Path(model).exists():
            reason = "there is no such folder" + ("; an earlier stage makes it" if "runs/" in model else "")
        if not Path(model).exists() and (close := near_folders(model)):
            reason += f" (did you mean {' or '.join(close)}?)"
        raise ConfigError(f"The {what}{model} cannot be loaded: {reason}") from error


def near_folders(name: str) -> list[str]:
    """Folders with a name like that of a path that does not exist, or of the first part of it that does not."""
    missing = Path(name)
    while not missing.parent.exists():
        missing = missing.parent
    folders = [folder.name for folder in missing.parent.iterdir() if folder.is_dir()]
    return [str(missing.parent / one) for one in get_close_matches(missing.name, folders, n=2)]
