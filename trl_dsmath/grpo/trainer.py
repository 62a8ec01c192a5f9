"""The trainer of the reinforcement-learning stage with an outcome reward (§4.1.2)."""

from typing import Any

from trl import GRPOTrainer

from ..rewards import boxed_accuracy_reward
from .config import DeepSeekMathGRPOConfig
from .tools import check_trainer, with_tools


class DeepSeekMathGRPOTrainer(GRPOTrainer):
    """
    Trainer of DeepSeekMath's RL stage: [`~trl.GRPOTrainer`] with the paper's values and a verified reward as defaults.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`]):
            Model to train, as in [`~trl.GRPOTrainer`].
        reward_funcs (`RewardFunc` or `list[RewardFunc]`, *optional*):
            Reward functions. If `None`, [`~rewards.boxed_accuracy_reward`], which reads the gold from the column
            `solution`. (The paper uses a learned reward model here; see docs/differences.md.)
        args ([`DeepSeekMathGRPOConfig`] or [`~trl.GRPOConfig`], *optional*):
            Configuration. If `None`, a [`DeepSeekMathGRPOConfig`] with its defaults.
        kwargs (`Any`):
            The other arguments of [`~trl.GRPOTrainer`].

    Raises:
        ConfigError: `tool_rounds` with something that excludes it.
    """

    # Read by TRL's model card and by the hub; the paper's citation is TRL's own.
    _tag_names = ["trl", "trl-dsmath", "grpo"]  # noqa: RUF012

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: DeepSeekMathGRPOConfig | Any | None = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            name = model if isinstance(model, str) else model.config._name_or_path
            args = DeepSeekMathGRPOConfig(f"{name.split('/')[-1]}-GRPO")
        if reward_funcs is None and kwargs.get("environment_factory") is None:  # an environment may own its reward
            reward_funcs = boxed_accuracy_reward
        super().__init__(model, reward_funcs=reward_funcs, args=args, **with_tools(args, kwargs))
        if getattr(args, "tool_rounds", 0):
            check_trainer(self)
