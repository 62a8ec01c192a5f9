"""The trainer of the reinforcement-learning stage with an outcome reward (§4.1.2)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from trl import GRPOTrainer

from .._upstream import EpochOrder, given
from ..errors import ConfigError, DataError
from ..rewards import boxed_accuracy_reward
from .config import DeepSeekMathGRPOConfig
from .tools import check_trainer, with_tools

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from peft import PeftConfig, PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR
    from torch.utils.data import Sampler
    from transformers import (
        BitsAndBytesConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
        TrainerCallback,
    )
    from trl import GRPOConfig

    from .._upstream import RewardFunc, RolloutFunc


class DeepSeekMathGRPOTrainer(GRPOTrainer):
    """
    Trainer of DeepSeekMath's RL stage: [`~trl.GRPOTrainer`] with the paper's values and a verified reward as defaults.

    A resumed run sees the prompts of the uninterrupted one, in every epoch.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]):
            Model to train, as in [`~trl.GRPOTrainer`].
        reward_funcs (`RewardFunc` or `list[RewardFunc]`, *optional*):
            Reward functions. If `None`, [`~rewards.boxed_accuracy_reward`], which reads the gold from the column
            `solution`. (The paper uses a learned reward model here; see docs/background/differences.md.)
        args ([`DeepSeekMathGRPOConfig`] or [`~trl.GRPOConfig`], *optional*):
            Configuration. If `None`, a [`DeepSeekMathGRPOConfig`] with its defaults.
        train_dataset, eval_dataset, processing_class, reward_processing_classes, callbacks, optimizers, quantization_config, peft_config, tools, rollout_func, environment_factory:
            As in [`~trl.GRPOTrainer`].
        **kwargs:
            Arguments that a later release of TRL adds.

    Raises:
        ConfigError: `tool_rounds` with something that excludes it, or `advantage="correct"` with several rewards.
        DataError: `train_dataset` has no column `prompt`.
    """

    # Read by TRL's model card and by the hub; the paper's citation is TRL's own.
    _tag_names = ["trl", "trl-dsmath", "grpo"]  # noqa: RUF012

    def __init__(
        self,
        model: "str | PreTrainedModel | PeftModel",
        reward_funcs: "RewardFunc | list[RewardFunc] | None" = None,
        args: "DeepSeekMathGRPOConfig | GRPOConfig | None" = None,
        train_dataset: "Dataset | IterableDataset | None" = None,
        eval_dataset: "Dataset | IterableDataset | dict[str, Dataset | IterableDataset] | None" = None,
        processing_class: "PreTrainedTokenizerBase | ProcessorMixin | None" = None,
        reward_processing_classes: "PreTrainedTokenizerBase | list[PreTrainedTokenizerBase] | None" = None,
        callbacks: "list[TrainerCallback] | None" = None,
        optimizers: "tuple[Optimizer | None, LambdaLR | None]" = (None, None),
        quantization_config: "BitsAndBytesConfig | None" = None,
        peft_config: "PeftConfig | None" = None,
        tools: list[Callable] | None = None,
        rollout_func: "RolloutFunc | None" = None,
        environment_factory: Callable[[], Any] | dict[str, Callable[[], Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            name = model if isinstance(model, str) else model.config._name_or_path
            args = DeepSeekMathGRPOConfig(f"{name.split('/')[-1]}-GRPO")
        columns = getattr(train_dataset, "column_names", None)
        if columns and "prompt" not in columns:
            raise DataError(
                f"The data set has no column 'prompt'; its columns are: {', '.join(columns)}. Turn problems into prompts and "
                "golds with `trl_dsmath.data.convert(dataset, 'grpo').dataset`."
            )
        if reward_funcs is None and environment_factory is None:  # an environment may own its reward
            reward_funcs = boxed_accuracy_reward
        arguments = given(
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            reward_processing_classes=reward_processing_classes,
            callbacks=callbacks,
            quantization_config=quantization_config,
            peft_config=peft_config,
            tools=tools,
            rollout_func=rollout_func,
            environment_factory=environment_factory,
        )
        arguments = with_tools(args, arguments | kwargs)
        self.advantage = getattr(args, "advantage", "group")
        super().__init__(model, reward_funcs=reward_funcs, args=args, optimizers=optimizers, **arguments)
        if self.advantage == "correct" and len(self.reward_funcs) > 1:
            raise ConfigError(
                f'advantage="correct" needs one reward that tells right from wrong, not {len(self.reward_funcs)}: pass one.'
            )
        if getattr(args, "tool_rounds", 0):
            check_trainer(self)

    def _calculate_rewards(
        self, inputs: list[dict], prompts: list, completions: list, completion_ids_list: list[list[int]]
    ) -> torch.Tensor:
        """TRL's rewards, kept for [`_generate_and_score_completions`]: those of all processes, one column per function."""
        self._rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        return self._rewards

    def _generate_and_score_completions(self, inputs: list[dict]) -> dict:
        """TRL's batch; with `advantage="correct"` its advantages are 1 for right and 0 for other completions, shape (B,)."""
        output = super()._generate_and_score_completions(inputs)
        if self.advantage == "correct":
            right = (self._rewards[:, 0] > 0).to(output["advantages"])  # NaN, which is not judged, is not right
            logged: Any = self._logs["advantages"]  # TRL's column of the completions table
            for _ in range(min(len(right), len(logged))):
                logged.pop()
            logged.extend(right.tolist())
            size = len(output["advantages"])
            output["advantages"] = right[self.accelerator.process_index * size :][:size]
        return output

    def _get_train_sampler(self, dataset: "Dataset | None" = None) -> "Sampler":
        """TRL's sampler, in an order that a resumed run finds again."""
        sampler: Any = super()._get_train_sampler(dataset)
        return EpochOrder(sampler, lambda: int(self.state.epoch or 0))
