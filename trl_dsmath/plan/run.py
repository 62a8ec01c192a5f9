"""A run as a forecast sees it."""

from dataclasses import dataclass
from typing import Literal

from ..generation.memory import Quantization
from .shapes import Shape

Sampling = Literal["none", "transformers", "vllm colocated", "vllm served"]


@dataclass(frozen=True)
class Run:
    """
    What decides the memory of a run, per process (= card).

    Attributes:
        stage (`str`):
            Name of the command.
        model (`Shape`):
            The policy, or the model that is trained.
        cards (`int`):
            Cards, one process each.
        memory (`float`):
            GiB of a card.
        itemsize (`int`):
            Bytes of a weight as loaded: 4 for float32, 2 for bfloat16.
        mixed (`bool`):
            Whether the passes run in bfloat16.
        quantization (`str`, *optional*):
            As in [`~solve.memory.model_memory`].
        trains (`bool`):
            Whether weights are trained.
        adapter (`int`, *optional*):
            Trained weights of LoRA; `None`: all weights are trained.
        optim (`str`):
            Optimiser's name in transformers.
        sharding (`str`):
            `"zero3"`, `"fsdp2"`, or `"none"`: every card holds everything.
        checkpointing (`bool`):
            Whether activations are computed twice.
        rows (`int`):
            Rows of a micro-batch.
        tokens (`int`):
            Tokens of a row.
        scored (`int`):
            Tokens of a row whose logits are computed.
        fused (`bool`):
            Whether logits are computed in tiles (TRL's fused head).
        sampling (`str`):
            What writes completions.
        sampled (`int`):
            Rows that a process samples at a time.
        group (`int`):
            Completions of a question.
        accumulation (`int`):
            Micro-batches of an update.
        vllm_share (`float`), vllm_parallel (`int`), vllm_sleeps (`bool`):
            vLLM's share of a card, its tensor parallelism, and whether it gives its share back during the update.
        reference (`bool`):
            Whether a reference model is held.
        scorers (`tuple[tuple[str, Shape, int, bool], ...]`):
            Models that give rewards: what they are, shape, bytes a weight, and whether sharding reaches them.
    """

    stage: str
    model: Shape
    cards: int
    memory: float
    itemsize: int = 4
    mixed: bool = True
    quantization: Quantization | None = None
    trains: bool = True
    adapter: int | None = None
    optim: str = "adamw_torch_fused"
    sharding: str = "none"
    checkpointing: bool = True
    rows: int = 1
    tokens: int = 1024
    scored: int = 1024
    fused: bool = True
    sampling: Sampling = "none"
    sampled: int = 0
    group: int = 1
    accumulation: int = 1
    vllm_share: float = 0.0
    vllm_parallel: int = 1
    vllm_sleeps: bool = False
    reference: bool = False
    scorers: tuple[tuple[str, Shape, int, bool], ...] = ()

    @property
    def shards(self) -> int:
        """Into how many parts weights, gradients and states are cut."""
        return self.cards if self.sharding in {"zero3", "fsdp2"} else 1
