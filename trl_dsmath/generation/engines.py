"""The model of `dsmath solve` and `dsmath evaluate`: what their flags ask for, and an engine with it."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from . import Sampler
    from .loading import Loading


ENGINES = ("transformers", "vllm", "server")
SERVER_URL = "http://localhost:8000"


def loading_of(args: argparse.Namespace, **more: Any) -> "Loading":
    """How the flags want the model loaded; `more` are settings that only one of the commands has.

    Raises:
        ConfigError: a value that cannot work.
    """
    from .loading import Loading

    loading = Loading(
        args.model_name_or_path,
        adapter=args.adapter,
        dtype=args.dtype,
        load_in_8bit=args.load_in_8bit,
        load_in_4bit=args.load_in_4bit,
        use_cpu=args.use_cpu,
        revision=args.model_revision,
        trust_remote_code=args.trust_remote_code,
        attn_implementation=args.attn_implementation,
        **more,
    )
    check_engine(args.engine, bool(loading.quantization or loading.adapter))
    return loading


def check_engine(engine: str, reduced: bool) -> None:
    """Raises for an engine that is none, or that cannot take a model in 8 or 4 bits or with an adapter (`reduced`)."""
    if engine not in ENGINES:
        raise ConfigError(f"--engine must be transformers, vllm or server, not {engine!r}.")
    if engine != "transformers" and reduced:
        raise ConfigError(
            f"--engine {engine} takes whole models: merge the adapter first, and leave --load_in_8bit and --load_in_4bit out."
        )


def load_sampler(
    args: argparse.Namespace,
    loading: "Loading",
    tokens: int | None = None,
    rows: int = 1,
    say: Callable[[str], None] | None = None,
) -> tuple["Sampler", Any]:
    """Loads the model into the engine, with the loop that runs programs where the mode asks for it.

    Args:
        args (`argparse.Namespace`):
            `engine`, `vllm_server_base_url`, `batch_size` and `mode`.
        loading ([`~trl_dsmath.generation.loading.Loading`]):
            Which model, and in what form.
        tokens (`int`, *optional*), rows (`int`, *optional*, defaults to `1`), say (`Callable`, *optional*):
            As in [`~trl_dsmath.generation.loading.load_policy`].

    Returns:
        `tuple`: the engine, and the model's configuration.

    Raises:
        ConfigError: the model cannot be loaded.
        MissingDependencyError: the engine, bitsandbytes or peft is absent.
    """
    from . import Sampler, ServerSampler, ToolSampler, TransformersSampler, VLLMSampler
    from .loading import load_policy, model_errors

    sampler: Sampler
    if args.engine != "transformers":
        from transformers import AutoConfig, AutoTokenizer

        hub: dict[str, Any] = {"revision": loading.revision, "trust_remote_code": loading.trust_remote_code}
        with model_errors(loading.model):
            config = AutoConfig.from_pretrained(loading.model, **hub)
            tokenizer = AutoTokenizer.from_pretrained(loading.model, **hub)
        if args.engine == "server":
            sampler = ServerSampler(args.vllm_server_base_url, tokenizer, model=loading.model)
        else:
            sampler = VLLMSampler(loading.model, tokenizer, **hub, dtype=loading.dtype or "auto")
    else:
        model, tokenizer = load_policy(loading, tokens, rows, say)
        config = model.config
        sampler = TransformersSampler(model, tokenizer, batch_size=args.batch_size)
    return (ToolSampler(sampler) if args.mode == "tool" else sampler), config
