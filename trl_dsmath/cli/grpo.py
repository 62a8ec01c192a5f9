"""`dsmath grpo`: reinforcement learning with verified rewards (§4). Also `accelerate launch -m trl_dsmath.cli.grpo`."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import run
from .launch import parse

if TYPE_CHECKING:
    from trl import TrlParser


def make_parser(prog: str = "dsmath grpo") -> "TrlParser":
    """The parser of this stage: script arguments, [`DeepSeekMathGRPOConfig`], TRL's model and mixture arguments."""
    from trl import DatasetMixtureConfig, ModelConfig, TrlParser

    from ..grpo import DeepSeekMathGRPOConfig
    from .arguments import GRPOScriptArguments

    return TrlParser(
        (GRPOScriptArguments, DeepSeekMathGRPOConfig, ModelConfig, DatasetMixtureConfig),  # type: ignore[arg-type]
        prog=prog,
        usage=f"{prog} --config FILE [--key value ...]",
        allow_abbrev=False,
    )


def find_reward(name: str) -> Callable[..., Any]:
    """Finds a reward function by its name or its dotted path.

    Args:
        name (`str`):
            A name in `trl_dsmath.rewards` or `trl.rewards`, or a dotted path; modules beside you are found too.

    Raises:
        ConfigError: there is no such function, or it makes rewards and is none itself.
    """
    module_name, _, function_name = name.rpartition(".")
    if module_name and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for place in [module_name] if module_name else ["trl_dsmath.rewards", "trl.rewards"]:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise ConfigError(f"--reward_funcs {name}: {error}") from error
        found = getattr(module, function_name, None)
        if callable(found):
            if function_name.startswith("get_"):
                raise ConfigError(
                    f"--reward_funcs {name} makes a reward and is none. Call it in a module of yours "
                    f"(my_reward = {function_name}(...)) and give that: --reward_funcs mymodule.my_reward."
                )
            return found
    raise ConfigError(f"--reward_funcs {name}: no such function. Give a dotted path, such as mymodule.my_reward.")


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    parsed = parse("grpo", make_parser(), sys.argv[1:] if argv is None else argv)
    if isinstance(parsed, int):
        return parsed
    script_args, training_args, model_args, mixture = parsed

    from trl import get_peft_config, get_quantization_config

    from ..grpo import DeepSeekMathGRPOTrainer
    from . import training

    say = training.sayer(training_args)
    reward_model = script_args.reward_model_name_or_path
    names = script_args.reward_funcs or ([] if reward_model else ["boxed_accuracy_reward"])
    rewards: list[Any] = [*([reward_model] if reward_model else []), *map(find_reward, names)]
    if training_args.reward_weights is not None and len(training_args.reward_weights) != len(rewards):
        raise ConfigError(
            f"--reward_weights has {len(training_args.reward_weights)} values for {len(rewards)} rewards."
        )
    resume = training.resume_or_say_done(training_args, say)
    if resume.finished:
        return 0
    with training_args.main_process_first(desc="reading the data"):
        splits = training.load_splits(script_args, mixture, say)
        train = training.convert_split(splits, script_args.dataset_train_split, "grpo", script_args, say)
        evaluation = None
        if training_args.eval_strategy != "no":
            evaluation = training.convert_split(splits, script_args.dataset_test_split, "grpo", script_args, say)
        tokenizer = training.load_tokenizer(model_args, training_args, script_args.plain_prompts, say)
    training.set_model_init(training_args, model_args)
    trainer = DeepSeekMathGRPOTrainer(
        model=model_args.model_name_or_path,
        reward_funcs=rewards,
        args=training_args,
        train_dataset=train,
        eval_dataset=evaluation,
        processing_class=tokenizer,
        quantization_config=get_quantization_config(model_args),
        peft_config=get_peft_config(model_args),
    )
    group = training_args.num_generations
    say(f"rewards     {', '.join(trainer.reward_func_names)}; {group} completions a question")
    training.say_plan(trainer, "completions", len(train) * group, say)
    training.train_and_save(trainer, resume, script_args.dataset_name, say)
    return 0


if __name__ == "__main__":
    raise SystemExit(run("grpo", sys.argv[1:]))
