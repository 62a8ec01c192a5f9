"""The memory of a run, part by part. The formulas and their limits are in docs/guides/plan.md."""

from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigError
from ..generation.memory import GIB
from .runs import Run

# Assumptions: what nobody has measured here.
_DRIVER = 1.0 * GIB  # CUDA context, libraries, and what the allocator cannot use
_PROCESS = 0.6 * GIB  # of a process on a CPU with its libraries, before anything is loaded
_COLLECTIVES = 1.0 * GIB  # buffers of NCCL and of the sharding, with more than one GPU
_ASSUMED = ("process", "driver", "collectives")  # parts that are no tensors
_VLLM_OWN = 1.0 * GIB  # what vLLM's activations take of its share
_TILE_TOKENS, _TILE_WORDS = 4096, 32768  # trl 1.16, kernels/chunked_logprob.py and trainer/utils.py
_TILE_COPIES = 4 * 7 + 1  # bytes a logit: seven float32 copies and a mask in TRL's backward pass without Triton
_STATES = {"adamw": 8, "adamw_bnb_8bit": 2, "adamw_8bit": 2, "paged_adamw_8bit": 2, "sgd": 0}  # bytes, float32 weights


@dataclass(frozen=True)
class Part:
    """A part of the memory of a GPU."""

    name: str
    bytes: float
    when: Literal["always", "sampling", "update"]
    how: str  # the arithmetic in words
    ppo_only: bool = False  # whether PPO has it and GRPO has not


@dataclass(frozen=True)
class Forecast:
    """The parts of a run, those of PPO's critic included, and what they come to."""

    run: Run
    parts: list[Part]
    notes: list[str]  # what decides whether it works, and is not a part of the memory
    works: bool = True  # False where it cannot work whatever the memory: vLLM's share holds no model

    def peak(self, ppo: bool = False) -> float:
        """Bytes of the fullest GPU at its fullest moment."""
        total = {"always": 0.0, "sampling": 0.0, "update": 0.0}
        for part in self.parts:
            total[part.when] += part.bytes if ppo or not part.ppo_only else 0.0
        return total["always"] + max(total["sampling"], total["update"])

    def allocated(self) -> float:
        """As `peak`, without the assumed parts: what `torch.cuda.max_memory_allocated` should show."""
        return self.peak() - sum(part.bytes for part in self.parts if part.name in _ASSUMED)

    def fits(self, ppo: bool = False) -> bool:
        """Whether the GPU holds it."""
        return self.works and self.peak(ppo) <= self.run.memory * GIB


def forecast(run: Run) -> Forecast:
    """Forecasts the memory of a GPU.

    Args:
        run ([`Run`]):
            The run.

    Returns:
        [`Forecast`]

    Raises:
        ConfigError: the optimizer is unknown.
    """
    own = Part("process", _PROCESS, "always", "libraries") if run.cpu else Part("driver", _DRIVER, "always", "assumed")
    parts = [own]
    if run.gpus > 1:
        parts.append(Part("collectives", _COLLECTIVES, "always", "assumed"))
    if run.trains:
        parts += [*_trained(run), *_activations(run), *_logits(run)]
    elif run.sampling != "vllm colocated":  # otherwise inside vLLM's share
        weights = run.model.weight_bytes(run.itemsize, run.quantization)
        parts.append(Part("weights", weights, "always", run.quantization or f"{run.itemsize} bytes per weight"))
    for scorer in run.scorers:  # trained in float32 and loaded as saved
        shards = run.shards if scorer.sharded else 1
        size = (scorer.shape.parameters - scorer.shape.head) * 4 / shards
        parts.append(Part(scorer.name, size, "always", f"{scorer.shape.name}, 4 bytes per weight{_over(shards)}"))
    if run.reference:
        itemsize = 2 if run.sharding == "zero3" and run.mixed else run.itemsize
        size = run.model.weight_bytes(itemsize) / run.shards
        parts.append(Part("reference", size, "always", f"{itemsize} bytes per weight{_over(run.shards)}"))
    sampling, notes, works = _sampling(run)
    parts += sampling
    if run.stage == "grpo":
        critic = [*_trained(run, without_head=True), *_activations(run)]
        parts += [Part(f"critic: {part.name}", part.bytes, part.when, part.how, ppo_only=True) for part in critic]
    return Forecast(run, [part for part in parts if part.bytes], notes, works)


def _over(shards: int) -> str:
    return f" / {shards} GPUs" if shards > 1 else ""


def _trained(run: Run, without_head: bool = False) -> list[Part]:
    """Weights, gradients and the optimizer's states of the policy, or of PPO's critic: the same without a head."""
    shape, share, over = run.model, run.shards, _over(run.shards)
    left_out = shape.head if without_head else 0
    base = shape.weight_bytes(run.itemsize, run.quantization) - left_out * (2 if run.quantization else run.itemsize)
    how = run.quantization or f"{run.itemsize} bytes per weight"
    parts = [Part("weights", base / share, "always", how + over)]
    if run.adapter is None:
        trained, itemsize = shape.parameters - left_out, run.itemsize
        what = f"{trained / 1e9:.2f} B"
    else:
        # peft keeps adapters in float32, TRL those of a quantized model in bfloat16.
        trained, itemsize = run.adapter, 2 if run.quantization else 4
        what = f"adapters, {trained / 1e6:.0f} M"
        parts.append(Part("adapters", trained * itemsize / share, "always", f"{itemsize} bytes each{over}"))
    gradients, states = trained * itemsize / share, trained * _state_bytes(run.optim, itemsize) / share
    parts.append(Part("gradients", gradients, "update", f"{what}, {itemsize} bytes each{over}"))
    parts.append(Part("optimizer", states, "always", f"{run.optim}, {what}{over}"))
    if share > 1:
        whole = 2 * (2 * shape.linear_weights // shape.layers + shape.embedding + shape.head - left_out)
        parts.append(Part("gathered", whole, "always", "two layers, embedding and head whole, bfloat16"))
    elif run.gpus > 1:
        parts.append(Part("buckets", trained * itemsize, "update", "DDP's copy of the gradients"))
    if share == 1 and run.mixed and run.itemsize == 4:
        parts.append(Part("bf16 copies", 2 * shape.linear_weights, "update", "linear layers, made by autocast"))
    return parts


def _state_bytes(optim: str, itemsize: int) -> float:
    """Bytes of the optimizer's states for a weight of this size."""
    name = "adamw" if optim.startswith("adamw_torch") else optim
    if name not in _STATES:
        raise ConfigError(
            f"The states of optim={optim} are not known here. Known: adamw_torch*, {', '.join(_STATES)}."
        )
    return _STATES[name] * itemsize / 4 if name == "adamw" else _STATES[name]


def _activations(run: Run) -> list[Part]:
    """What backward needs of a micro-batch: measured on Llama and Qwen2 layers with SDPA (docs/guides/plan.md)."""
    shape, tokens = run.model, run.rows * run.tokens
    inner = 2 * shape.key_value + 4 * shape.intermediate
    if not run.mixed and run.itemsize == 4:
        kept, between = 4 * (8 * shape.hidden + inner), 4 * shape.hidden
    elif run.itemsize == 4 and run.shards == 1:  # the stream between layers stays in float32
        kept, between = 2 * (15 * shape.hidden + inner), 4 * shape.hidden
    else:
        kept, between = 2 * (10 * shape.hidden + inner), 2 * shape.hidden
    how = f"{run.rows} x {run.tokens:,} tokens, "
    if run.checkpointing:
        size, how = tokens * (shape.layers * between + kept), how + "checkpointing: one layer whole"
    else:
        size, how = tokens * shape.layers * kept, how + "all layers"
    # While a layer's gradients are computed, three widths of its MLP and two of the stream are there at once.
    itemsize = 2 if run.mixed or run.itemsize == 2 else 4
    passing = tokens * (3 * shape.intermediate + 2 * shape.hidden) * itemsize
    # Dropout keeps what it lets through and a mask, of the same size on a CPU and of one byte on a GPU.
    layers = shape.layers if run.checkpointing else 1
    dropped = tokens * run.dropped / layers * (2 * itemsize if run.cpu else itemsize + 1)
    return [
        Part("activations", size, "update", how),
        Part("dropout", dropped, "update", "before the adapters: lora_dropout"),
        Part("backward", passing, "update", "gradients inside a layer"),
    ]


def _logits(run: Run) -> list[Part]:
    shape, tokens = run.model, run.rows * run.projected
    itemsize = 2 if run.mixed else 4
    if not run.fused:
        size = tokens * shape.vocabulary * (itemsize + 4)
        return [Part("logits", size, "update", f"{tokens:,} tokens x {shape.vocabulary:,}, twice")]
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS)
    # Gradients of the hidden states, and of the head where it is trained, are added up in float32.
    head = 4 * shape.vocabulary * shape.hidden if run.adapter is None else 0
    what = " and gradient of the head" if head else ""
    size = tile * itemsize + 4 * tokens * shape.hidden + head
    parts = [Part("logits", size, "update", f"{tokens:,} tokens in tiles{what}")]
    if run.cpu:
        parts.append(Part("copies of a tile", tile * _TILE_COPIES, "update", "float32, where there is no Triton"))
    return parts


def _sampling(run: Run) -> tuple[list[Part], list[str], bool]:
    """Parts of sampling completions, what is to be said about it, and whether it can work."""
    shape = run.model
    cache = shape.cache_bytes(2 if run.mixed or run.itemsize == 2 else 4)
    if run.sampling == "none":
        return [], [], True
    if run.sampling == "vllm served":
        return [], ["vLLM runs elsewhere (`trl vllm-serve`), on GPUs that are not counted here."], True
    if run.sampling == "transformers":
        size = cache * run.sampled * run.tokens
        how = f"{run.sampled} x {run.tokens:,} tokens, {cache / 1024:.0f} KiB each"
        parts = [Part("cache", size, "sampling" if run.trains else "always", how)]
        if run.trains and run.sharding == "zero3" and run.shards > 1:
            parts.append(Part("whole weights", 2 * shape.parameters, "sampling", "gathered to sample completions"))
        return parts, [], True
    share, weights = run.vllm_share * run.memory * GIB, shape.weight_bytes(2) / run.vllm_parallel
    rows = int((share - weights - _VLLM_OWN) // (cache * run.tokens / run.vllm_parallel))
    part = Part("vLLM's share", share, "sampling" if run.vllm_sleeps else "always", f"{run.vllm_share:g} of the GPU")
    if rows < 1:
        needed = (weights + _VLLM_OWN + cache * run.tokens) / (run.memory * GIB)
        fix = f"set vllm_gpu_memory_utilization to {needed + 0.05:.2f} or more"
        return [part], [f"vLLM's share holds no sequence beside its weights: {fix}."], False
    return [part], [f"vLLM has room for {rows:,} sequences of {run.tokens:,} tokens at once."], True
