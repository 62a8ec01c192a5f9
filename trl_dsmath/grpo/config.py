"""GRPO with the paper's values as defaults."""

import math
from dataclasses import dataclass, field
from typing import Literal

from trl import GRPOConfig

from .._upstream import liger_loss
from ..data.batch import accumulation_steps, check_batch, largest_group, processes_at_start, tell_papers_batch
from ..data.precision import settle_bf16
from ..errors import ConfigError
from ..paper import GRPO_STAGE, TOOL_USE
from .tools import check_tool_settings


@dataclass
class DeepSeekMathGRPOConfig(GRPOConfig):
    r"""
    Configuration class for the [`DeepSeekMathGRPOTrainer`]: [`~trl.GRPOConfig`] with the values of DeepSeekMath-RL.

    Only what differs from [`~trl.GRPOConfig`], or is kept against a later change of it, is listed.

    Parameters:
        learning_rate (`float`, *optional*, defaults to `1e-6`):
            Source: §4.2. It is the one for all weights of a 7B model; see docs/guides/grpo.md for LoRA and for small models.
        lr_scheduler_type (`str`, *optional*, defaults to `"constant"`):
            The paper names no schedule for this stage; TRL's is `"linear"`. See docs/background/differences.md.
        beta (`float`, *optional*, defaults to `0.04`):
            Coefficient of the KL term. Source: §4.2.
        num_generations (`int`, *optional*):
            Outputs of one question, the group. If `None`, 64 (source: §4.2); where `gradient_accumulation_steps` makes a
            batch that is not a multiple of 64, the largest number below it of which the batch holds whole groups.
        max_completion_length (`int`, *optional*, defaults to `1024`):
            Source: §4.2.
        global_batch_size (`int`, *optional*):
            Completions of one update over all processes. The paper's is 1,024, i.e. 16 questions with 64 outputs each
            (§4.2); `recipes/grpo/paper.yaml` sets it. If `None`, the batch follows from the settings below, as in TRL,
            and one line names the paper's.
        gradient_accumulation_steps (`int`, *optional*):
            If `None`, `global_batch_size / (per_device_train_batch_size * processes)`; without `global_batch_size`, the
            smallest number that keeps groups whole.
        num_iterations (`int`, *optional*, defaults to `1`):
            Updates of one batch of samples. Source: §4.2, "a single update following each exploration stage".
        loss_type (`str`, *optional*, defaults to `"grpo"`):
            Mean over the tokens of an output, then over outputs. Source: equation 3.
        scale_rewards (`str`, *optional*, defaults to `"group"`):
            Rewards divided by the group's standard deviation. Source: §4.1.2.
        temperature (`float`, *optional*, defaults to `1.0`):
            Sampling from the policy itself, as the objective assumes; the paper names no other.
        advantage (`str`, *optional*, defaults to `"group"`):
            What multiplies the gradient of a completion: `"group"`, its reward relative to its group (GRPO); `"correct"`, 1 where
            its reward is above 0 and 0 otherwise, i.e. fine-tuning on the policy's own right samples (online RFT; set `beta` to
            0 for the paper's). Source: Table 10. See docs/background/unified.md.
        use_bias_correction_kl (`bool`, *optional*, defaults to `False`):
            `True`, TRL's default, multiplies the KL term by the ratio, which changes its gradient even where the ratio
            is 1. Source: equation 4, which has no such factor.
        tool_rounds (`int`, *optional*, defaults to `0`):
            How often a completion may write when it can run programs: it sees the output of the programs of all rounds
            but the last. The authors' harness has 2. 0: no tools. See docs/guides/tools.md.
        tool_timeout (`float`, *optional*, defaults to `10.0`):
            Seconds for a program. Source: the authors' harness, as for the next.
        tool_output_chars (`int`, *optional*, defaults to `100`):
            Characters of a program's output that the model is shown: the first and the last halves of a longer one.

    Raises:
        ConfigError: the global batch cannot be divided, or holds broken groups, or a setting excludes tools.
    """

    learning_rate: float = field(
        default=GRPO_STAGE.learning_rate, metadata={"help": "Learning rate (DeepSeekMath §4.2)."}
    )
    lr_scheduler_type: str = field(
        default="constant", metadata={"help": "Schedule of the learning rate (the paper names none)."}
    )
    beta: float = field(
        default=GRPO_STAGE.kl_coefficient, metadata={"help": "Coefficient of the KL term (DeepSeekMath §4.2)."}
    )
    num_generations: int | None = field(
        default=None,
        metadata={"help": f"Outputs of one question, the group. Default: {GRPO_STAGE.group_size} (§4.2), if it fits."},
    )
    max_completion_length: int | None = field(
        default=GRPO_STAGE.max_completion_length,
        metadata={"help": "Longest completion in tokens (DeepSeekMath §4.2)."},
    )
    global_batch_size: int | None = field(
        default=None,
        metadata={
            "help": f"Completions of one update over all processes; the paper's: {GRPO_STAGE.batch_size:,} (§4.2)."
        },
    )
    gradient_accumulation_steps: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Micro-batches of one update (default: from global_batch_size)."}
    )
    num_iterations: int = field(
        default=GRPO_STAGE.updates_per_exploration,
        metadata={"help": "Updates of one batch of samples (DeepSeekMath §4.2: a single one)."},
    )
    loss_type: str = field(
        default="grpo", metadata={"help": "Form of the loss (DeepSeekMath equation 3: `grpo`). See `GRPOConfig`."}
    )
    scale_rewards: str = field(
        default="group",
        metadata={"help": "What rewards are divided by (DeepSeekMath §4.1.2: `group`). See `GRPOConfig`."},
    )
    temperature: float = field(default=1.0, metadata={"help": "Temperature of sampling (the paper names none)."})
    advantage: Literal["group", "correct"] = field(
        default="group",
        metadata={
            "help": "Reward relative to its group (GRPO), or 1 for right samples and 0 for wrong ones (online RFT)."
        },
    )
    use_bias_correction_kl: bool = field(
        default=False,
        metadata={"help": "Whether to multiply the KL term by the ratio (DeepSeekMath equation 4 does not)."},
    )
    tool_rounds: int = field(
        default=0, metadata={"help": "Rounds in which a completion may run programs (authors: 2); 0: no tools."}
    )
    tool_timeout: float = field(default=TOOL_USE.timeout, metadata={"help": "Seconds for a program of a completion."})
    tool_output_chars: int = field(
        default=TOOL_USE.output_chars, metadata={"help": "Characters of a program's output that the model is shown."}
    )

    def __post_init__(self) -> None:
        check_tool_settings(self)
        if self.advantage not in ("group", "correct"):
            raise ConfigError(f'advantage must be "group" or "correct", not {self.advantage!r}.')
        if self.advantage == "correct" and liger_loss(self):
            raise ConfigError(
                'Liger\'s loss computes its own advantages: set use_liger_kernel=False for advantage="correct".'
            )
        processes = processes_at_start()
        if self.num_generations is None:
            self.num_generations = self._group(self.per_device_train_batch_size * processes)
        self.gradient_accumulation_steps = accumulation_steps(
            self.global_batch_size,
            self.per_device_train_batch_size,
            processes,
            self.gradient_accumulation_steps,
            self.num_generations,
        )
        settle_bf16(self)
        super().__post_init__()
        check_batch(self.global_batch_size, self.gradient_accumulation_steps, self.train_batch_size, self.world_size)
        if self.global_batch_size is None:
            batch = self.gradient_accumulation_steps * self.train_batch_size * self.world_size
            unit = f"completions in groups of {self.num_generations}"
            tell_papers_batch(batch, GRPO_STAGE.batch_size, unit, "global_batch_size")

    def _group(self, together: int) -> int:
        """The paper's group, or the largest that the user's batches hold whole; `together`: rows of a micro-batch."""
        if self.global_batch_size is not None or self.gradient_accumulation_steps is None:
            return GRPO_STAGE.group_size
        generated = self.generation_batch_size or together * (
            self.steps_per_generation or self.gradient_accumulation_steps
        )
        return largest_group(math.gcd(together * self.gradient_accumulation_steps, generated), GRPO_STAGE.group_size)


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
        if self.advantage != "group":
            raise ConfigError(
                'advantage="correct" knows no steps: train with DeepSeekMathGRPOTrainer (leave step scorers out), or set "group".'
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
                "Liger's GRPO loss takes one advantage per completion. Set use_liger_kernel=False, or install trl>=1.14.2, "
                "which no longer has that loss."
            )
        super().__post_init__()
