"""SFT with the paper's values as defaults."""

from dataclasses import dataclass, field

from trl import SFTConfig

from ..data.batch import accumulation_steps, check_batch, processes_at_start, tell_papers_batch
from ..data.precision import settle_bf16
from ..errors import ConfigError
from ..paper import SFT_STAGE


@dataclass
class MathSFTConfig(SFTConfig):
    r"""
    Configuration class for the [`MathSFTTrainer`]: [`~trl.SFTConfig`] with the values of DeepSeekMath-Instruct.

    Only what differs from [`~trl.SFTConfig`] is listed.

    Parameters:
        learning_rate (`float`, *optional*, defaults to `5e-5`):
            Constant learning rate. Source: §3.2. It is the one for all weights of a 7B model; see docs/guides/sft.md for LoRA
            and for small models.
        lr_scheduler_type (`str`, *optional*, defaults to `"constant"`):
            Source: §3.2.
        max_steps (`int`, *optional*):
            Updates of the run. If `None`, 500 (source: §3.2), or as many as `num_train_epochs` asks for.
        num_train_epochs (`float`, *optional*):
            Epochs of the run, in place of `max_steps`.
        max_length (`int`, *optional*, defaults to `4096`):
            Source: §3.2, examples are concatenated "until reaching a maximum context length of 4K tokens".
        packing (`bool`, *optional*, defaults to `True`):
            Source: §3.2. With TRL's `bfd`, examples stay whole and do not see each other.
        shuffle_dataset (`bool`, *optional*, defaults to `True`):
            Source: §3.2, "randomly concatenated".
        global_batch_size (`int`, *optional*):
            Rows (packed sequences) of one update over all processes. The paper's is 256 (§3.2); `recipes/sft/paper.yaml`
            sets it. If `None`, the batch follows from the settings below, as in TRL, and one line names the paper's.
        gradient_accumulation_steps (`int`, *optional*):
            If `None`, `global_batch_size / (per_device_train_batch_size * processes)`, or 1 without `global_batch_size`.

    Raises:
        ConfigError: the global batch cannot be divided, or settings contradict each other.
    """

    learning_rate: float = field(
        default=SFT_STAGE.learning_rate, metadata={"help": "Constant learning rate (DeepSeekMath §3.2)."}
    )
    lr_scheduler_type: str = field(
        default=SFT_STAGE.lr_scheduler_type, metadata={"help": "Schedule of the learning rate (DeepSeekMath §3.2)."}
    )
    max_steps: int | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": f"Number of updates. Default: {SFT_STAGE.max_steps} (§3.2), unless num_train_epochs is set."
        },
    )
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Number of epochs, in place of max_steps."}
    )
    max_length: int | None = field(
        default=SFT_STAGE.max_length, metadata={"help": "Tokens of a packed sequence (DeepSeekMath §3.2)."}
    )
    packing: bool = field(
        default=True, metadata={"help": "Whether to pack examples into sequences of max_length (DeepSeekMath §3.2)."}
    )
    shuffle_dataset: bool = field(
        default=True,
        metadata={"help": "Whether to shuffle before packing: 'randomly concatenated' (DeepSeekMath §3.2)."},
    )
    global_batch_size: int | None = field(
        default=None,
        metadata={"help": f"Rows of one update over all processes; the paper's: {SFT_STAGE.batch_size} (§3.2)."},
    )
    gradient_accumulation_steps: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Micro-batches of one update (default: from global_batch_size)."}
    )

    def __post_init__(self) -> None:
        if self.max_steps is None:
            self.max_steps = SFT_STAGE.max_steps if self.num_train_epochs is None else -1
        elif self.max_steps > 0 and self.num_train_epochs is not None:
            raise ConfigError(
                f"num_train_epochs ({self.num_train_epochs}) has no effect while max_steps is {self.max_steps}: set one of "
                "the two."
            )
        self.num_train_epochs = SFTConfig.num_train_epochs if self.num_train_epochs is None else self.num_train_epochs
        self.gradient_accumulation_steps = accumulation_steps(
            self.global_batch_size,
            self.per_device_train_batch_size,
            processes_at_start(),
            self.gradient_accumulation_steps,
        )
        settle_bf16(self)
        super().__post_init__()
        check_batch(self.global_batch_size, self.gradient_accumulation_steps, self.train_batch_size, self.world_size)
        if self.global_batch_size is None:
            batch = self.gradient_accumulation_steps * self.train_batch_size * self.world_size
            tell_papers_batch(batch, SFT_STAGE.batch_size, "rows", "global_batch_size")
