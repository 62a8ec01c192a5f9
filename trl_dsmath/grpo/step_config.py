"""Settings of GRPO with process supervision."""

from dataclasses import dataclass, field

from .._upstream import liger_loss
from ..errors import ConfigError
from .config import DeepSeekMathGRPOConfig


@dataclass
class StepGRPOConfig(DeepSeekMathGRPOConfig):
    r"""
    Configuration class for the [`StepGRPOTrainer`]: [`DeepSeekMathGRPOConfig`] and what step rewards need.

    Parameters:
        process_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the process advantage.
        outcome_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the outcome advantage, TRL's own. Without outcome reward functions it is 0: the paper's process
            run. With them and `outcome_weight=0.0` the run is the same, and verified accuracy is logged beside it.
        step_separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step: a newline; `"\n\n"`, a blank line; `" ки"`, Math-Shepherd's tag; `"Step N:"`, a label at
            the start of a line that starts one; or any other string. `\n` may be written as a backslash and an `n`, as
            a shell passes it.
        step_reward_weights (`list[float]` or `None`, *optional*):
            One weight for each step reward function; `None`: all 1.
        drift_window (`int`, *optional*, defaults to `40`):
            Generation batches over which step reward and outcome reward are compared; 0: not at all. See
            [`~grpo.drift.DriftMonitor`].

    Raises:
        ConfigError: a setting under which the advantage of a step would lose its meaning, though TRL accepts it.
    """

    process_weight: float = field(default=1.0, metadata={"help": "Weight of the process advantage."})
    outcome_weight: float = field(
        default=1.0, metadata={"help": "Weight of the outcome advantage; 0 without outcome reward functions."}
    )
    step_separator: str = field(
        default="\n", metadata={"help": "What ends a step: \\n, \\n\\n, ' ки', 'Step N:' or any other string."}
    )
    step_reward_weights: list[float] | None = field(
        default=None, metadata={"help": "One weight for each step reward function; none: all 1."}
    )
    drift_window: int = field(
        default=40,
        metadata={"help": "Generation batches over which step reward and outcome reward are compared; 0: not at all."},
    )

    def __post_init__(self) -> None:
        self.step_separator = self.step_separator.replace("\\n", "\n")
        if not self.step_separator:
            raise ConfigError(r'step_separator is empty. Set it to "\n", or to the string that ends a step.')
        if min(self.process_weight, self.outcome_weight) < 0 or self.process_weight == self.outcome_weight == 0:
            raise ConfigError(
                f"process_weight ({self.process_weight}) and outcome_weight ({self.outcome_weight}) must not be "
                "negative, nor both 0. Set process_weight=1.0."
            )
        if self.drift_window < 0 or 0 < self.drift_window < 4:
            raise ConfigError(f"drift_window ({self.drift_window}) must be 0, for none, or at least 4. Set it to 40.")
        if self.importance_sampling_level != "token":
            raise ConfigError(
                f"importance_sampling_level={self.importance_sampling_level!r} clips a completion as a whole, by the sign "
                'of one advantage; its steps have several. Set importance_sampling_level="token".'
            )
        if self.loss_type == "vespo":
            raise ConfigError(
                'loss_type="vespo" weighs a completion as a whole, by the sign of one advantage; its steps have several. '
                'Set loss_type="grpo", the paper\'s, or another per-token loss.'
            )
        if self.off_policy_mask_threshold is not None:
            raise ConfigError(
                "off_policy_mask_threshold drops a completion as a whole when its advantage is negative; its steps have "
                "several. Leave it out."
            )
        if liger_loss(self):
            raise ConfigError(
                "Liger's GRPO loss takes one advantage a completion. Set use_liger_kernel=False, or install trl>=1.14.2, "
                "which no longer has that loss."
            )
        super().__post_init__()
