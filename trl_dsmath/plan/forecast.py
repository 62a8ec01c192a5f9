"""Memory of a run, part by part. The formulas and their limits stand in docs/plan.md."""

from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigError
from ..generation.memory import GIB
from .run import Run
from .shapes import Shape

When = Literal["always", "sampling", "update"]

_DRIVER = 1.0 * GIB  # CUDA context, libraries, and what the allocator cannot use: an assumption
_COLLECTIVES = 1.0 * GIB  # buffers of NCCL and of the sharding, with more than one card: an assumption
_VLLM_OWN = 1.0 * GIB  # what vLLM's activations take of its share: an assumption
_TILE_TOKENS, _TILE_WORDS = 4096, 32768  # trl 1.16, kernels/chunked_logprob.py and trainer/utils.py
_STATES = {"adamw": 8, "adamw_bnb_8bit": 2, "adamw_8bit": 2, "paged_adamw_8bit": 2, "sgd": 0}  # bytes, float32 weights


@dataclass(frozen=True)
class Part:
    """
    A part of the memory of a card.

    Attributes:
        name (`str`):
            What it is.
        bytes (`float`):
            Its size.
        when (`str`):
            `"always"`, or only while completions are written, or only during the update.
        how (`str`):
            The arithmetic in words.
        ppo_only (`bool`):
            Whether PPO has it and GRPO has not.
    """

    name: str
    bytes: float
    when: When
    how: str
    ppo_only: bool = False


@dataclass(frozen=True)
class Forecast:
    """
    The parts of a run, and what they come to.

    Attributes:
        run (`Run`):
            The run.
        parts (`list[Part]`):
            Its parts, those of PPO's critic included.
        notes (`list[str]`):
            What decides whether it works, and is no part of the memory.
        works (`bool`):
            False where it cannot work whatever the memory: vLLM's share holds no model.
    """

    run: Run
    parts: list[Part]
    notes: list[str]
    works: bool = True

    def peak(self, ppo: bool = False) -> float:
        """Bytes of the fullest card at its fullest moment."""
        held = [part for part in self.parts if ppo or not part.ppo_only]
        times = {
            when: sum(part.bytes for part in held if part.when == when) for when in ("always", "sampling", "update")
        }
        return times["always"] + max(times["sampling"], times["update"])

    def allocated(self, ppo: bool = False) -> float:
        """As `peak`, without the assumed parts: what `torch.cuda.max_memory_allocated` should show."""
        return self.peak(ppo) - sum(part.bytes for part in self.parts if part.name in ("driver", "collectives"))

    def fits(self, ppo: bool = False) -> bool:
        """Whether the card holds it."""
        return self.works and self.peak(ppo) <= self.run.memory * GIB


def forecast(run: Run) -> Forecast:
    """Forecasts the memory of a card.

    Args:
        run ([`Run`]):
            The run.

    Returns:
        [`Forecast`]

    Raises:
        ConfigError: the optimiser is unknown.
    """
    parts = [Part("driver", _DRIVER, "always", "assumed")]
    if run.cards > 1:
        parts.append(Part("collectives", _COLLECTIVES, "always", "assumed"))
    parts += _trained(run, run.model, "") if run.trains else _frozen_policy(run)
    if run.trains:
        parts += [*_activations(run, ""), *_logits(run)]
    for name, shape, itemsize, cut in run.scorers:
        shards = run.shards if cut else 1
        size = (shape.parameters - shape.head) * itemsize / shards
        parts.append(Part(name, size, "always", f"{shape.name}, {itemsize} bytes a weight{_over(shards)}"))
    if run.reference:
        itemsize = 2 if run.sharding == "zero3" and run.mixed else run.itemsize
        size = run.model.weight_bytes(itemsize) / run.shards
        parts.append(Part("reference", size, "always", f"{itemsize} bytes a weight{_over(run.shards)}"))
    sampling, notes, works = _sampling(run)
    parts += sampling
    if run.stage == "grpo":
        critic = _trained(run, run.model, "critic: ", without_head=True) + _activations(run, "critic: ")
        parts += [Part(part.name, part.bytes, part.when, part.how, ppo_only=True) for part in critic]
    return Forecast(run, parts, notes, works)


def _over(shards: int) -> str:
    return f" / {shards} cards" if shards > 1 else ""


def _frozen_policy(run: Run) -> list[Part]:
    how = run.quantization or f"{run.itemsize} bytes a weight"
    if run.sampling == "vllm colocated":
        return []  # inside its share
    return [Part("weights", run.model.weight_bytes(run.itemsize, run.quantization), "always", how)]


def _trained(run: Run, shape: Shape, prefix: str, without_head: bool = False) -> list[Part]:
    """Weights, gradients and the optimiser's states of the policy, or of PPO's critic: the same without a head."""
    share, over = run.shards, _over(run.shards)
    left_out = shape.head if without_head else 0
    base = (
        shape.weight_bytes(run.itemsize, run.quantization) - left_out * (2 if run.quantization else run.itemsize)
    ) / share
    how = run.quantization or f"{run.itemsize} bytes a weight"
    parts = [Part(f"{prefix}weights", base, "always", how + over)]
    if run.adapter is None:
        trained, itemsize = shape.parameters - left_out, run.itemsize
        what = f"{trained / 1e9:.2f} B"
    else:
        # peft keeps adapters in float32, TRL those of a quantised model in bfloat16.
        trained, itemsize = run.adapter, 2 if run.quantization else 4
        what = f"adapters, {trained / 1e6:.0f} M"
        parts.append(Part(f"{prefix}adapters", trained * itemsize / share, "always", f"{itemsize} bytes each{over}"))
    states = trained * _state_bytes(run.optim, itemsize) / share
    parts += [
        Part(f"{prefix}gradients", trained * itemsize / share, "update", f"{what}, {itemsize} bytes each{over}"),
        Part(f"{prefix}optimiser", states, "always", f"{run.optim}, {what}{over}"),
    ]
    if run.shards > 1:
        layer = shape.linear_weights // shape.layers
        whole = 2 * (2 * layer + shape.embedding + shape.head - left_out)
        parts.append(Part(f"{prefix}gathered", whole, "always", "two layers, embedding and head whole, bfloat16"))
    elif run.cards > 1:
        parts.append(Part(f"{prefix}buckets", trained * itemsize, "update", "DDP's copy of the gradients"))
    if run.shards == 1 and run.mixed and run.itemsize == 4:
        parts.append(
            Part(f"{prefix}bf16 copies", 2 * shape.linear_weights, "update", "linear layers, made by autocast")
        )
    return parts


def _state_bytes(optim: str, itemsize: int) -> float:
    """Bytes of the optimiser's states for a weight of this size."""
    name = "adamw" if optim.startswith("adamw_torch") else optim
    if name not in _STATES:
        raise ConfigError(
            f"The states of optim={optim} are not known here. Known: adamw_torch*, {', '.join(_STATES)}."
        )
    return _STATES[name] * itemsize / 4 if name == "adamw" else _STATES[name]


def _activations(run: Run, prefix: str) -> list[Part]:
    """What backward needs of a micro-batch: measured on Llama and Qwen2 layers with SDPA (docs/plan.md)."""
    shape, tokens = run.model, run.rows * run.tokens
    inner = 2 * shape.key_value + 4 * shape.intermediate
    if not run.mixed and run.itemsize == 4:
        kept, between = 4 * (8 * shape.hidden + inner), 4 * shape.hidden
    elif run.itemsize == 4 and run.shards == 1:  # the stream between layers stays in float32
        kept, between = 2 * (15 * shape.hidden + inner), 4 * shape.hidden
    else:
        kept, between = 2 * (10 * shape.hidden + inner), 2 * shape.hidden
    rows = f"{run.rows} x {run.tokens:,} tokens"
    # While a layer's gradients are computed, three widths of its MLP and two of the stream are there at once.
    itemsize = 2 if run.mixed or run.itemsize == 2 else 4
    size = tokens * (3 * shape.intermediate + 2 * shape.hidden) * itemsize
    passing = Part(f"{prefix}backward", size, "update", "gradients inside a layer")
    if run.checkpointing:
        size = tokens * (shape.layers * between + kept)
        return [Part(f"{prefix}activations", size, "update", f"{rows}, checkpointing: one layer whole"), passing]
    return [Part(f"{prefix}activations", tokens * shape.layers * kept, "update", f"{rows}, all layers"), passing]


def _logits(run: Run) -> list[Part]:
    shape, tokens = run.model, run.rows * run.scored
    itemsize = 2 if run.mixed else 4
    if not tokens:
        return []
    if not run.fused:
        size: float = tokens * shape.vocabulary * (itemsize + 4)
        return [Part("logits", size, "update", f"{tokens:,} tokens x {shape.vocabulary:,}, twice")]
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS) * itemsize
    # Gradients of the hidden states, and of the head where it is trained, are added up in float32.
    head = 4 * shape.vocabulary * shape.hidden if run.adapter is None else 0
    size = tile + 4 * tokens * shape.hidden + head
    what = " and gradient of the head" if head else ""
    return [Part("logits", size, "update", f"{tokens:,} tokens in tiles{what}")]


def _sampling(run: Run) -> tuple[list[Part], list[str], bool]:
    """Parts of writing completions, what is to be said about it, and whether it can work."""
    shape = run.model
    cache = shape.cache_bytes(2 if run.mixed or run.itemsize == 2 else 4)
    if run.sampling == "none":
        return [], [], True
    if run.sampling == "vllm served":
        return [], ["vLLM runs elsewhere (`trl vllm-serve`), on cards that are not counted here."], True
    if run.sampling == "transformers":
        size = cache * run.sampled * run.tokens
        how = f"{run.sampled} x {run.tokens:,} tokens, {cache / 1024:.0f} KiB each"
        parts = [Part("cache", size, "sampling" if run.trains else "always", how)]
        if run.trains and run.sharding == "zero3" and run.shards > 1:
            parts.append(Part("whole weights", 2 * shape.parameters, "sampling", "gathered to write completions"))
        return parts, [], True
    share = run.vllm_share * run.memory * GIB
    room = share - shape.weight_bytes(2) / run.vllm_parallel - _VLLM_OWN
    rows = int(room // (cache * run.tokens / run.vllm_parallel))
    when: When = "sampling" if run.vllm_sleeps else "always"
    part = Part("vLLM's share", share, when, f"{run.vllm_share:g} of the card")
    if rows < 1:
        needed = (shape.weight_bytes(2) / run.vllm_parallel + _VLLM_OWN + cache * run.tokens) / (run.memory * GIB)
        fix = f"set vllm_gpu_memory_utilization to {needed + 0.05:.2f} or more"
        return [part], [f"vLLM's share holds no sequence beside its weights: {fix}."], False
    return [part], [f"vLLM has room for {rows:,} sequences of {run.tokens:,} tokens at once."], True
