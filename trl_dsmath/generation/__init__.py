"""Engines that continue prompts: one protocol; transformers, vLLM, a vLLM server. The engines are loaded on first use.

[`load_sampler`] is the one place that chooses an engine. [`ToolSampler`] wraps any of them and runs the programs that the
samples ask for.

What is covered: exact continuation of token ids, an own random stream for every sample, the shared prompt computed once.
What is not: bit-equal samples across engines, number formats or GPUs; see [`Sampler`].
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .config import SamplerConfig
from .loading import load_policy, load_sampler, load_tokenizer
from .programs import run_completions
from .protocol import Decoding, Program, Prompt, Sample, Sampler
from .rendering import describe_prompt
from .tools import ToolSampler

if TYPE_CHECKING:
    from .server_engine import ServerSampler as ServerSampler
    from .transformers_engine import TransformersSampler as TransformersSampler
    from .vllm_engine import VLLMSampler as VLLMSampler

_ENGINES = {
    "ServerSampler": "server_engine",
    "TransformersSampler": "transformers_engine",
    "VLLMSampler": "vllm_engine",
}
__all__ = [
    "Decoding",
    "Program",
    "Prompt",
    "Sample",
    "Sampler",
    "SamplerConfig",
    "ToolSampler",
    "describe_prompt",
    "load_policy",
    "load_sampler",
    "load_tokenizer",
    "run_completions",
    *_ENGINES,
]


def __getattr__(name: str) -> object:
    if name not in _ENGINES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ENGINES[name]}", __name__), name)
