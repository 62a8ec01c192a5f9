"""What the GRPO script takes besides its configuration: the problems and the rewards, by name or by dotted path."""

import importlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from ..data.arguments import MathScriptArguments
from ..errors import ConfigError, did_you_mean
from ..rewards.difficulty import BANDS, get_reward_by_difficulty

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass
class GRPOScriptArguments(MathScriptArguments):
    """
    [`MathScriptArguments`], and the rewards.

    Args:
        reward_funcs (`list[str]`, *optional*):
            Reward functions: names in `trl_dsmath.rewards` or `trl.rewards`, or dotted paths of your own. If `None`,
            `boxed_accuracy_reward`, unless a reward model is given. `none` beside step rewards: the paper's process run.
        reward_model_name_or_path (`str`, *optional*):
            A model with one score as its head, as the paper uses: a folder or a name on the hub. It is added to the
            reward functions.
        step_scorer (`list[str]`, *optional*):
            Process reward models that score each step: folders or names on the hub. With any of them, or of
            `step_reward_funcs`, the trainer is [`StepGRPOTrainer`].
        step_reward_funcs (`list[str]`, *optional*):
            Step reward functions: dotted paths of your own.
    """

    reward_funcs: list[str] | None = field(
        default=None,
        metadata={
            "help": "Reward functions: names in trl_dsmath.rewards or trl.rewards, or dotted import paths. "
            "Default: boxed_accuracy_reward. none, beside step rewards, for the paper's process run."
        },
    )
    reward_model_name_or_path: str | None = field(
        default=None, metadata={"help": "A reward model with one score as its head, added to the reward functions."}
    )
    step_scorer: list[str] | None = field(
        default=None, metadata={"help": "Process reward models that score each step (§4.1.3): folders or names."}
    )
    step_reward_funcs: list[str] | None = field(
        default=None, metadata={"help": "Step reward functions: dotted import paths of your own."}
    )

    def __post_init__(self) -> None:
        # A recipe may name one without brackets; its letters would be taken for the list.
        for name in ("reward_funcs", "step_scorer", "step_reward_funcs"):
            if isinstance(value := getattr(self, name), str):
                setattr(self, name, [value])


def find_reward(name: str, places: Sequence[str] = ("trl_dsmath.rewards", "trl.rewards")) -> Callable[..., Any]:
    """
    Finds a reward function by its name in one of `places`, or its dotted path; modules in the current folder are found too.

    Raises:
        ConfigError: there is no such function, or it returns reward functions and is not one itself.
    """
    module_name, _, function_name = name.rpartition(".")
    if module_name and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    known: list[str] = []
    for place in [module_name] if module_name else places:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise ConfigError(f"The reward function {name} cannot be imported: {error}") from error
        found = getattr(module, function_name, None)
        if callable(found):
            if function_name.startswith("get_"):
                raise ConfigError(
                    f"{name} returns a reward function and is not one. Call it in a module of yours "
                    f"(my_reward = {function_name}(...)) and give that: mymodule.my_reward."
                )
            return found
        known += getattr(module, "__all__", None) or [key for key in vars(module) if not key.startswith("_")]
    near = did_you_mean(function_name, (key for key in known if not key.startswith("get_")))
    raise ConfigError(
        f"There is no reward function {name}.{near or ' Give a dotted path, such as mymodule.my_reward.'}"
    )


def load_rewards(script_args: GRPOScriptArguments, weights: Sequence[float] | None = None) -> list[Callable | str]:
    """
    The outcome rewards that the arguments name, as [`~trl.GRPOTrainer`] takes them; none in the paper's process run.

    `weights`, the `reward_weights` of the configuration, are checked against them.

    Raises:
        ConfigError: a function cannot be found, there is no reward at all, or the weights do not fit.
    """
    model = script_args.reward_model_name_or_path
    names = script_args.reward_funcs or ([] if model else ["boxed_accuracy_reward"])
    if names == ["none"]:
        if not model and not (script_args.step_scorer or script_args.step_reward_funcs):
            raise ConfigError("reward_funcs none leaves no reward: give step_scorer or step_reward_funcs.")
        names = []
    rewards: list[Callable | str] = [*([model] if model else []), *map(find_reward, names)]
    if weights is not None and len(weights) != len(rewards):
        raise ConfigError(f"reward_weights has {len(weights)} values for {len(rewards)} rewards.")
    return rewards


def log_difficulty(rewards: Sequence[Callable | str], dataset: "Dataset") -> tuple[list[Callable | str], str]:
    """
    Has the first reward function log its accuracy by difficulty, where the problems have pass rates (the column of
    `dsmath pass-rate`) that differ.

    Returns:
        `tuple`: the rewards, and a line that says what is logged; empty where nothing is.
    """
    rates = [rate for rate in dataset["pass_rate"] if rate is not None] if "pass_rate" in dataset.column_names else []
    found = next(((i, one) for i, one in enumerate(rewards) if callable(one) and not iscoroutinefunction(one)), None)
    if found is None or len(set(rates)) < 2:
        return list(rewards), ""
    place, reward = found
    watched = get_reward_by_difficulty(reward, rates)
    counts = Counter(watched.band(rate) for rate in rates)
    ends = dict(zip(BANDS, (f" up to {watched.edges[0]:.2g}", f" up to {watched.edges[1]:.2g}", ""), strict=True))
    parts = [f"{band}{ends[band]} ({counts[band]:,})" for band in BANDS if counts[band]]
    told = f"accuracy/{{{','.join(band for band in BANDS if counts[band])}}} is logged, by pass rate: {', '.join(parts)} problems"
    return [*rewards[:place], watched, *rewards[place + 1 :]], told


def load_step_rewards(script_args: GRPOScriptArguments) -> list[Callable]:
    """
    The step reward functions that the arguments name by dotted path.

    Raises:
        ConfigError: one cannot be found.
    """
    return [find_reward(name, places=()) for name in script_args.step_reward_funcs or []]
