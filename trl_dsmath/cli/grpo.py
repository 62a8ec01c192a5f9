"""`dsmath grpo`: reinforcement learning with verified and with step rewards (§4).

Also `accelerate launch -m trl_dsmath.cli.grpo`.
"""

import importlib
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import run
from .launch import parse, stage_parser
from .recipes import read_recipe, take_config

if TYPE_CHECKING:
    from trl import TrlParser

    from ..scripts.arguments import GRPOScriptArguments


_STEP_KEYS = ("step_scorer", "step_reward_funcs")


def wants_steps(argv: list[str]) -> bool:
    """Whether flags or recipe ask for step rewards: [`StepGRPOConfig`] refuses settings that plain GRPO may have."""
    flags, config_file = take_config("grpo", argv)
    given = {word.split("=")[0].lstrip("-").replace("-", "_") for word in flags if word.startswith("--")}
    config = read_recipe(config_file) if config_file else {}
    given |= {key for key, value in config.items() if value is not None}
    return any(key in given for key in _STEP_KEYS)


def make_parser(steps: bool = False) -> "TrlParser":
    """The parser of this stage: script arguments, [`DeepSeekMathGRPOConfig`] or, with step rewards, [`StepGRPOConfig`],
    TRL's model and mixture arguments."""
    from trl import DatasetMixtureConfig, ModelConfig

    from ..grpo import DeepSeekMathGRPOConfig, StepGRPOConfig
    from ..scripts.arguments import GRPOScriptArguments

    config = StepGRPOConfig if steps else DeepSeekMathGRPOConfig
    return stage_parser("grpo", GRPOScriptArguments, config, ModelConfig, DatasetMixtureConfig)


def find_reward(name: str, flag: str = "--reward_funcs") -> Callable[..., Any]:
    """Finds a reward function by its name or its dotted path.

    Args:
        name (`str`):
            A name in `trl_dsmath.rewards` or `trl.rewards`, or a dotted path; modules beside you are found too.
        flag (`str`, *optional*, defaults to `"--reward_funcs"`):
            Where the name was given, for the message. Step reward functions have dotted paths only.

    Raises:
        ConfigError: there is no such function, or it makes rewards and is none itself.
    """
    module_name, _, function_name = name.rpartition(".")
    if module_name and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    named = ["trl_dsmath.rewards", "trl.rewards"] if flag == "--reward_funcs" else []
    for place in [module_name] if module_name else named:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise ConfigError(f"{flag} {name}: {error}") from error
        found = getattr(module, function_name, None)
        if callable(found):
            if function_name.startswith("get_"):
                raise ConfigError(
                    f"{flag} {name} makes a reward and is none. Call it in a module of yours "
                    f"(my_reward = {function_name}(...)) and give that: {flag} mymodule.my_reward."
                )
            return found
    raise ConfigError(f"{flag} {name}: no such function. Give a dotted path, such as mymodule.my_reward.")


def find_rewards(script_args: "GRPOScriptArguments", args: Any) -> list[Any]:
    """The outcome rewards of the arguments; none in the paper's process run.

    Raises:
        ConfigError: a function cannot be found, there is no reward at all, or the weights do not fit.
    """
    reward_model = script_args.reward_model_name_or_path
    names = script_args.reward_funcs or ([] if reward_model else ["boxed_accuracy_reward"])
    if names == ["none"]:
        if not reward_model and not (script_args.step_scorer or script_args.step_reward_funcs):
            raise ConfigError("--reward_funcs none leaves no reward: give --step_scorer or --step_reward_funcs.")
        names = []
    rewards: list[Any] = [*([reward_model] if reward_model else []), *map(find_reward, names)]
    if args.reward_weights is not None and len(args.reward_weights) != len(rewards):
        raise ConfigError(f"--reward_weights has {len(args.reward_weights)} values for {len(rewards)} rewards.")
    return rewards


def find_step_rewards(script_args: "GRPOScriptArguments", args: Any) -> list[Callable[..., Any]]:
    """The step rewards of the arguments: process reward models, then functions.

    Raises:
        ConfigError: a model or a function cannot be found.
    """
    functions = [find_reward(name, "--step_reward_funcs") for name in script_args.step_reward_funcs or []]
    if not script_args.step_scorer:
        return functions
    from ..prm import load_step_scorer

    device = "cpu" if args.use_cpu else None
    return [*(load_step_scorer(name, device=device) for name in script_args.step_scorer), *functions]


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    # Help shows the keys of both.
    steps = wants_steps(argv) or any(word in {"-h", "--help"} for word in argv)
    parsed = parse("grpo", make_parser(steps=steps), argv)
    if isinstance(parsed, int):
        return parsed
    script_args, training_args, model_args, mixture = parsed

    from ..grpo import DeepSeekMathGRPOTrainer, StepGRPOTrainer
    from ..scripts import training

    say = training.sayer(training_args)
    rewards = find_rewards(script_args, training_args)
    resume = training.resume_or_say_done(training_args, say)
    if resume.finished:
        return 0
    with training_args.main_process_first(desc="reading the data"):
        train, evaluation = training.load_problems("grpo", script_args, training_args, mixture, say)
        tokenizer = training.load_tokenizer(model_args, training_args, script_args.plain_prompts, say)
    common = training.trainer_arguments(training_args, model_args, tokenizer)
    common |= {"reward_funcs": rewards, "train_dataset": train, "eval_dataset": evaluation}
    trainer: DeepSeekMathGRPOTrainer | StepGRPOTrainer
    if steps:
        step_rewards = find_step_rewards(script_args, training_args)
        trainer = StepGRPOTrainer(step_reward_funcs=step_rewards, **common)
        say(f"steps       scored by {', '.join(trainer.step_rewards.names)}")
    else:
        trainer = DeepSeekMathGRPOTrainer(**common)
    group = training_args.num_generations
    say(f"rewards     {', '.join(trainer.reward_func_names)}; {group} completions a question")
    if rounds := training_args.tool_rounds:
        say(f"tools       programs are run in a sandbox; {rounds} rounds, {training_args.tool_timeout:g} s each")
        if script_args.prompt_mode != "tool":
            say("warning     no question asks for programs: see --prompt_mode tool")
    training.say_plan(trainer, "completions", len(train) * group, say)
    training.train_and_save(trainer, resume, script_args.dataset_name, say)
    return 0


if __name__ == "__main__":
    raise SystemExit(run("grpo", sys.argv[1:]))
