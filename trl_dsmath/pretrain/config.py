"""Continued pre-training with the paper's values as defaults."""

from dataclasses import dataclass, field

from trl import SFTConfig

from .._upstream import settle_warmup
from ..data.batch import accumulation_of_tokens, check_batch, processes_at_start, tell_papers_batch
from ..data.precision import settle_bf16
from ..errors import ConfigError
from ..paper import PRETRAIN


@dataclass
class PretrainConfig(SFTConfig):
    r"""
    Configuration class for the [`PretrainTrainer`]: [`~trl.SFTConfig`] with the values of DeepSeekMath-Base.

    Only what differs from [`~trl.SFTConfig`] is listed.

    Parameters:
        learning_rate (`float`, *optional*, defaults to `4.2e-4`):
            Peak of the learning rate. Source: §2.3.
        adam_beta1 (`float`, *optional*, defaults to `0.9`), adam_beta2 (`float`, *optional*, defaults to `0.95`):
            Source: §2.2.1.
        weight_decay (`float`, *optional*, defaults to `0.1`):
            Source: §2.2.1.
        warmup_steps (`float`, *optional*):
            Updates of the warm-up; below 1, a share of the run. If `None`, 2,000 (source: §2.2.1), or in a run too short
            for them the same share as the paper's, 4 %.
        lr_scheduler_type (`str`, *optional*, defaults to `"constant_with_warmup"`):
            With this type, the two drops below are applied; others are used as transformers defines them.
        first_drop_at (`float`, *optional*, defaults to `0.8`), first_drop_factor (`float`, *optional*, defaults to `0.316`):
            From this share of the run on, the rate is this share of the peak. Source: §2.2.1.
        second_drop_at (`float`, *optional*, defaults to `0.9`), second_drop_factor (`float`, *optional*, defaults to `0.1`):
            The same for the second drop, a share of the peak as well. Source: §2.2.1.
        max_length (`int`, *optional*, defaults to `4096`):
            Tokens of a sequence. Source: §2.2.1.
        packing (`bool`, *optional*, defaults to `True`), packing_strategy (`str`, *optional*, defaults to `"wrapped"`):
            Documents are joined and cut into sequences of `max_length`. A [`Mixture`] is packed so by itself.
        train_tokens (`int`, *optional*):
            Tokens of the run; `max_steps` follows from it. If `None`, `max_steps` or `num_train_epochs` counts; without
            either, 500 billion (source: §2.3).
        num_train_epochs (`float`, *optional*):
            Epochs of the run, for a data set that is not a mixture.
        global_batch_tokens (`int`, *optional*):
            Tokens of one update over all processes, to within 5 %, since sequences come in whole micro-batches. The
            paper's is 10 million (§2.3); `recipes/pretrain/paper.yaml` sets it. If `None`, the batch follows from
            `gradient_accumulation_steps`, as in TRL, and one line names the paper's.
        gradient_accumulation_steps (`int`, *optional*):
            If `None`, derived from `global_batch_tokens`, or 1 without it.

    Raises:
        ConfigError: the global batch cannot be divided, or settings contradict each other.
    """

    learning_rate: float = field(
        default=PRETRAIN.learning_rate, metadata={"help": "Peak of the learning rate (DeepSeekMath §2.3)."}
    )
    adam_beta1: float = field(default=PRETRAIN.adam_beta1, metadata={"help": "AdamW (DeepSeekMath §2.2.1)."})
    adam_beta2: float = field(default=PRETRAIN.adam_beta2, metadata={"help": "AdamW (DeepSeekMath §2.2.1)."})
    weight_decay: float = field(default=PRETRAIN.weight_decay, metadata={"help": "AdamW (DeepSeekMath §2.2.1)."})
    warmup_steps: float | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": "Updates of the warm-up, or a share of the run below 1. Default: 2,000 (§2.2.1), if they fit."
        },
    )
    lr_scheduler_type: str = field(
        default="constant_with_warmup",
        metadata={"help": "With this type the two drops are applied; others are used as transformers defines them."},
    )
    first_drop_at: float = field(
        default=PRETRAIN.first_drop_at, metadata={"help": "Share of the run at the first drop of the rate (§2.2.1)."}
    )
    first_drop_factor: float = field(
        default=PRETRAIN.first_drop_factor, metadata={"help": "Share of the peak after the first drop (§2.2.1)."}
    )
    second_drop_at: float = field(
        default=PRETRAIN.second_drop_at, metadata={"help": "Share of the run at the second drop of the rate (§2.2.1)."}
    )
    second_drop_factor: float = field(
        default=PRETRAIN.second_drop_factor, metadata={"help": "Share of the peak after the second drop (§2.2.1)."}
    )
    max_length: int | None = field(
        default=PRETRAIN.max_length, metadata={"help": "Tokens of a sequence (DeepSeekMath §2.2.1)."}
    )
    packing: bool = field(default=True, metadata={"help": "Whether to join documents and cut them into sequences."})
    packing_strategy: str = field(
        default="wrapped", metadata={"help": "How to pack a plain data set; a mixture is always wrapped."}
    )
    train_tokens: int | None = field(
        default=None,
        metadata={
            "help": "Tokens of the run. Default: 500 billion (§2.3), unless max_steps or num_train_epochs is set."
        },
    )
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Epochs of the run, for a data set that is not a mixture."}
    )
    global_batch_tokens: int | None = field(
        default=None,
        metadata={"help": "Tokens of one update over all processes; the paper's: 10 million (§2.3)."},
    )
    gradient_accumulation_steps: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Micro-batches of one update (default: from global_batch_tokens)."}
    )

    def __post_init__(self) -> None:
        if not 0 < self.first_drop_at <= self.second_drop_at <= 1:
            raise ConfigError(
                f"The drops of the learning rate should come in order between 0 and 1, not at {self.first_drop_at} and "
                f"{self.second_drop_at}."
            )
        if self.train_tokens is not None and (self.max_steps > 0 or self.num_train_epochs is not None):
            other = "max_steps" if self.max_steps > 0 else "num_train_epochs"
            raise ConfigError(
                f"{other} ({getattr(self, other):,}) and train_tokens ({self.train_tokens:,}) both say how long to train: "
                "give one."
            )
        if self.max_steps <= 0 and self.num_train_epochs is None and self.train_tokens is None:
            self.train_tokens = PRETRAIN.tokens
        self.num_train_epochs = SFTConfig.num_train_epochs if self.num_train_epochs is None else self.num_train_epochs
        processes = processes_at_start()
        self.gradient_accumulation_steps = self._accumulation_steps(processes)
        if self.max_steps <= 0 and self.train_tokens is not None and self.max_length is not None:
            rows = self.per_device_train_batch_size * processes * self.gradient_accumulation_steps
            self.max_steps = max(1, round(self.train_tokens / (rows * self.max_length)))
        if self.warmup_steps is None:
            long_enough = self.max_steps * self.first_drop_at >= PRETRAIN.warmup_steps
            papers_share = PRETRAIN.warmup_steps * PRETRAIN.batch_tokens / PRETRAIN.tokens
            self.warmup_steps = PRETRAIN.warmup_steps if long_enough else papers_share
        settle_warmup(self)
        settle_bf16(self)
        super().__post_init__()
        steps = self.gradient_accumulation_steps
        if self.global_batch_tokens is not None:
            announced = steps * self.per_device_train_batch_size * processes
            check_batch(announced, steps, self.train_batch_size, self.world_size)
        elif self.max_length is not None:
            actual = steps * self.train_batch_size * self.world_size
            tell_papers_batch(actual * self.max_length, PRETRAIN.batch_tokens, "tokens", "global_batch_tokens")

    @property
    def drops(self) -> tuple[tuple[float, float], ...]:
        """Pairs `(share of the run, share of the peak)`."""
        return (self.first_drop_at, self.first_drop_factor), (self.second_drop_at, self.second_drop_factor)

    def _accumulation_steps(self, processes: int) -> int:
        """How many micro-batches come nearest to `global_batch_tokens`."""
        if self.global_batch_tokens is None:
            return self.gradient_accumulation_steps or 1
        if self.max_length is None:
            raise ConfigError(
                "global_batch_tokens counts sequences of max_length tokens: set max_length, or leave global_batch_tokens "
                "out."
            )
        return accumulation_of_tokens(
            self.global_batch_tokens,
            self.per_device_train_batch_size,
            processes,
            self.max_length,
            self.gradient_accumulation_steps,
        )
