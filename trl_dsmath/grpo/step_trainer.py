"""GRPO with process supervision (§4.1.3): TRL's trainer with one advantage per token instead of one per completion."""

from typing import TYPE_CHECKING, Any

import torch
from accelerate.logging import get_logger
from accelerate.utils import gather_object

from .._upstream import tensorboard_writers
from ..errors import ConfigError
from .advantages import combine_advantages, combine_scores, normalize_step_rewards, process_advantages
from .alignment import StepAligner, align_own_steps
from .config import StepGRPOConfig
from .drift import DriftMonitor
from .step_rewards import (
    StepRewardFunc,
    StepRewardFunctions,
    listing,
    mean_or_none,
    score_columns,
    step_metrics,
    weighted_rewards,
)
from .tools import OWN
from .trainer import DeepSeekMathGRPOTrainer

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from peft import PeftConfig, PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import (
        BitsAndBytesConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
        TrainerCallback,
    )

    from .._upstream import RewardFunc, RolloutFunc

logger = get_logger(__name__)

_NOT_COLUMNS = ("prompt", "completion", "completion_ids")  # what TRL hands to reward functions under names of its own


class StepGRPOTrainer(DeepSeekMathGRPOTrainer):
    r"""
    Trainer for GRPO with process supervision: [`~trl.GRPOTrainer`] whose tokens carry the normalized rewards of the steps
    that end at or after them (§4.1.3 of DeepSeekMath), added to the outcome advantage.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]):
            Model to train, as in [`~trl.GRPOTrainer`].
        reward_funcs (`RewardFunc` or `list[RewardFunc]`, *optional*):
            Outcome reward functions. If `None`, the run is the paper's process run: step rewards alone; the lowest step
            reward of each completion is logged as its reward, under the name `lowest_step_score`.
        step_reward_funcs (`Callable` or `list[Callable]`):
            Step reward functions: TRL's signature plus `steps`, the texts of the steps of each completion. They return
            one score per step, `list[list[float]]`, and may be asynchronous. A score or a row that is `None` is left out;
            NaN is an error.
        args ([`StepGRPOConfig`], *optional*):
            Configuration. If `None`, a [`StepGRPOConfig`] with its defaults.
        train_dataset, eval_dataset, processing_class, reward_processing_classes, callbacks, optimizers, quantization_config, peft_config, rollout_func:
            As in [`~trl.GRPOTrainer`].
        **kwargs:
            Arguments that a later release of TRL adds. `tools` and `environment_factory` are refused; programs in
            completions are switched on by `tool_rounds` of the configuration.

    Raises:
        ConfigError: no step reward function, or TRL's tools: what a tool wrote would become a step of the policy's.

    Example:
    ```python
    def no_guessing(steps, **kwargs):
        return [[0.0 if "guess" in step else 1.0 for step in row] for row in steps]


    trainer = StepGRPOTrainer(
        model="Qwen/Qwen2.5-Math-1.5B-Instruct",
        reward_funcs=boxed_accuracy_reward,
        step_reward_funcs=no_guessing,
        args=StepGRPOConfig(output_dir="out"),
        train_dataset=dataset,
    )
    ```
    """

    # Read by TRL's model card and by the hub; the paper's citation is TRL's own.
    _tag_names = ["trl", "trl-dsmath", "step-grpo"]  # noqa: RUF012
    _name = "Step GRPO"

    def __init__(
        self,
        model: "str | PreTrainedModel | PeftModel",
        reward_funcs: "RewardFunc | list[RewardFunc] | None" = None,
        step_reward_funcs: StepRewardFunc | list[StepRewardFunc] | None = None,
        args: StepGRPOConfig | None = None,
        train_dataset: "Dataset | IterableDataset | None" = None,
        eval_dataset: "Dataset | IterableDataset | dict[str, Dataset | IterableDataset] | None" = None,
        processing_class: "PreTrainedTokenizerBase | ProcessorMixin | None" = None,
        reward_processing_classes: "PreTrainedTokenizerBase | list[PreTrainedTokenizerBase] | None" = None,
        callbacks: "list[TrainerCallback] | None" = None,
        optimizers: "tuple[Optimizer | None, LambdaLR | None]" = (None, None),
        quantization_config: "BitsAndBytesConfig | None" = None,
        peft_config: "PeftConfig | None" = None,
        rollout_func: "RolloutFunc | None" = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            name = model if isinstance(model, str) else model.config._name_or_path
            args = StepGRPOConfig(f"{name.split('/')[-1]}-StepGRPO")
        if not isinstance(args, StepGRPOConfig):
            raise ConfigError(f"args is a {type(args).__name__}. Pass a trl_dsmath.StepGRPOConfig.")
        if kwargs.get("tools") or kwargs.get("environment_factory"):
            raise ConfigError(
                "StepGRPOTrainer takes no tools and no environment: what a tool wrote would be cut into steps and credited "
                "to the policy. Leave them out (for programs set tool_rounds), or use DeepSeekMathGRPOTrainer."
            )
        self.step_rewards = StepRewardFunctions(step_reward_funcs, args.step_reward_weights)
        if args.multi_objective_aggregation != "sum_then_normalize" and len(self.step_rewards.functions) > 1:
            raise ConfigError(
                f"multi_objective_aggregation={args.multi_objective_aggregation!r} is not supported for several step "
                'reward functions: their weighted sum is normalized. Set it to "sum_then_normalize".'
            )
        self.has_outcome = not (reward_funcs is None or reward_funcs == [])
        if not self.has_outcome and not args.process_weight:
            raise ConfigError(
                "process_weight is 0 and there is no outcome reward. Pass reward_funcs, or set it to 1.0."
            )
        self.process_weight = args.process_weight
        self.outcome_weight = args.outcome_weight if self.has_outcome else 0.0
        self._shown: list[tuple[list[float | None], list[str]]] = []
        self.drift = DriftMonitor(args.drift_window) if self.has_outcome and args.drift_window else None
        super().__init__(
            model,
            reward_funcs=reward_funcs if self.has_outcome else self.lowest_step_score,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            reward_processing_classes=reward_processing_classes,
            callbacks=callbacks,
            optimizers=optimizers,
            quantization_config=quantization_config,
            peft_config=peft_config,
            rollout_func=rollout_func,
            **kwargs,
        )
        if self.drift is not None:
            self.add_callback(self.drift)
        tokenizer = getattr(self.processing_class, "tokenizer", self.processing_class)  # a processor holds one
        self.align_steps = StepAligner(tokenizer, args.step_separator)

    def lowest_step_score(self, completions: list, **kwargs: Any) -> list[float | None]:
        """Reward function of a run without outcome rewards: the lowest step reward, `None` without one."""
        return [min((r for r in row if r is not None), default=None) for row in self._local(self._step_totals)]

    def _calculate_rewards(
        self, inputs: list[dict], prompts: list, completions: list, completion_ids_list: list[list[int]]
    ) -> torch.Tensor:
        """Scores the steps, then lets TRL compute the outcome rewards."""
        self._marked = OWN in inputs[0]
        if self._marked:  # by `ToolRollout`
            aligned = [
                align_own_steps(self.align_steps, ids, row[OWN])
                for ids, row in zip(completion_ids_list, inputs, strict=True)
            ]
        else:
            aligned = [self.align_steps(ids) for ids in completion_ids_list]
        self._step_ends = [ends for ends, _ in aligned]
        steps = [texts for _, texts in aligned]
        scores = self.step_rewards(
            trainer=self,
            steps=steps,
            prompts=prompts,
            completions=completions,
            completion_ids=completion_ids_list,
            **{key: [row[key] for row in inputs] for key in inputs[0] if key not in _NOT_COLUMNS},
            trainer_state=self.state,
            log_extra=self._log_completion_extra,
            log_metric=self._log_metric,
        )
        # A group can lie on two processes, so all are gathered before anything is normalized.
        rows = gather_object([list(row) for row in zip(*scores, strict=True)])
        all_scores = [[row[i] for row in rows] for i in range(len(scores))]
        self._step_totals = combine_scores(all_scores, self.step_rewards.weights)
        training = self.model.training  # type: ignore[union-attr]
        group = (self.num_generations if training else self.num_generations_eval) or 1
        self._normalized = normalize_step_rewards(self._step_totals, group, self.scale_rewards)
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self._log_steps(steps, all_scores, group, rewards, training)
        return rewards

    def _generate_and_score_completions(self, inputs: list[dict]) -> dict:
        """TRL's batch, with advantages of shape (B, T) in place of (B,)."""
        output = super()._generate_and_score_completions(inputs)
        if "tool_mask" in output and not self._marked:
            raise ConfigError(
                "rollout_func returned env_mask: text of the environment would be cut into steps and credited to the "
                f"policy. Return the same mask as {OWN!r} as well, or completions of the policy alone."
            )
        process_BT = process_advantages(
            self._local(self._normalized), self._step_ends, length=output["completion_ids"].size(1)
        )
        output["advantages"] = combine_advantages(
            process_BT, output["advantages"], self.process_weight, self.outcome_weight
        )
        if "tool_mask" in output:  # the loss leaves these tokens out; nothing else may read an advantage there
            output["advantages"] *= output["tool_mask"]
        return output

    def _local(self, rows: list) -> list:
        """The rows of this process, out of those of all, sliced as TRL slices its rewards."""
        size = len(self._step_ends)
        return rows[self.accelerator.process_index * size : (self.accelerator.process_index + 1) * size]

    def _log_steps(
        self, steps: list[list[str]], all_scores: list, group: int, rewards: torch.Tensor, training: bool
    ) -> None:
        """Metrics, the same on every process, and the columns of the completions table."""
        metrics = step_metrics(self.step_rewards.names, all_scores, self._step_totals, group)
        if self.drift is not None and training:
            compared, warning = self.drift.update(
                [mean_or_none(row) for row in self._step_totals], weighted_rewards(rewards, self.reward_weights)
            )
            metrics |= compared
            if warning:
                logger.warning(warning)
        for name, value in metrics.items():
            self._log_metric(name, value)
        if self.log_completions:
            self._log_completion_extra("steps", steps)
            columns = score_columns(
                self.step_rewards.names, self._step_totals, all_scores, "wandb" in (self.args.report_to or ())
            )
            for column, rows in columns.items():
                self._log_completion_extra(column, self._local(rows))
            self._shown = list(zip(self._local(self._step_totals), steps, strict=True))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """TRL's; and in TensorBoard, to which TRL sends no completions, the steps of as many as it prints."""
        super().log(logs, start_time)
        shown = self._shown[: self.num_completions_to_print]
        if shown and self.accelerator.is_main_process:
            text = "\n\n".join(f"```\n{listing(scores, steps)}\n```" for scores, steps in shown)
            for writer in tensorboard_writers(self):
                writer.add_text("completions/steps", text, self.state.global_step)
