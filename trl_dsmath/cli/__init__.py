"""The command `dsmath`: it finds a recipe script and starts it. Everything is imported when it is called for."""

import os
import runpy
import sys
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..errors import DsMathError, did_you_mean
from ..scripts.recipes import recipe_script
from ..scripts.run import PROGRAM, quiet_libraries

RECIPES = {
    "quickstart": "every stage of the paper on a toy task, in minutes on a CPU",
    "smollm2": "a real model of 135M weights through the stages, in some hours on a CPU",
    "corpus": "find mathematical text in a crawl: the fastText loop and its annotation (§2.1)",
    "pretrain": "go on training a base model on a mixture of texts (paper §2.3)",
    "sft": "fine-tune a model on worked solutions (paper §3)",
    "rft": "a model's own right solutions as training data: rejection sampling (§5.2.1)",
    "annotate": "label the steps of solutions by rollouts, for a reward model (§4.1.3)",
    "prm": "train a process reward model on step labels (§4.1.3)",
    "grpo": "reinforcement learning with a verified reward (paper §4)",
    "iterate": "policy and reward model in turns (paper, Algorithm 1)",
    "solve": "answer questions, by vote and with programs, in 16, 8 or 4 bits",
    "demo": "a page that answers questions: samples, votes, steps by score, programs",
    "evaluate": "the paper's benchmarks, each metric beside the published one (Tables 2, 3, 5)",
}
SMALL = {
    "grade": ("grade", "judge the answers in a file of completions"),
    "check-data": ("check_data", "list the answers of a data set that cannot be verified"),
    "pass-rate": ("pass_rate", "keep the problems that a model solves sometimes, from existing samples"),
    "view": ("view", "one page of the completions that a GRPO run logged: steps by score, verdicts, growth"),
    "audit": ("audit", "judge a GRPO run's logged completions again, with two graders"),
    "plan": ("plan", "forecast the memory of a run, and what to change where it does not fit"),
    "recipes": ("recipes", "list the recipes; copy a script and its YAML files for editing"),
}
COMMANDS = {**RECIPES, **{name: what for name, (_, what) in SMALL.items()}}


def _help() -> str:
    def table(commands: dict[str, str]) -> list[str]:
        return [f"  {name:<12}{what}" for name, what in commands.items()]

    return "\n".join(
        [
            "usage: dsmath COMMAND [--config NAME] [--key value ...]",
            "",
            "DeepSeekMath (arXiv 2402.03300) on top of Hugging Face TRL.",
            "",
            "stages, each a recipe script:",
            *table(RECIPES),
            "",
            "tools:",
            *table({name: what for name, (_, what) in SMALL.items()}),
            "",
            "`dsmath COMMAND --help` lists the options of a command. `--config` takes a YAML file, or the name of a recipe",
            "that comes with the package: cpu, cpu-real, gpu24, paper ...",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point of `dsmath`.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the program's name. If `None`, those of the process.

    Returns:
        `int`: the exit code: 0, 2 for an error of the user's input or settings, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print(_help())
        return 0
    if argv[0] in {"-V", "--version"}:
        print(f"trl-dsmath {__version__}")
        return 0
    if argv[0] not in COMMANDS:
        hint = did_you_mean(argv[0], COMMANDS)
        print(f"dsmath: there is no command {argv[0]!r}.{hint} Commands: {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    return run(argv[0], argv[1:])


def run(command: str, argv: list[str]) -> int:
    """Runs one command and returns its exit code."""
    quiet_libraries()  # before its imports: bitsandbytes complains at its own
    if command in RECIPES:
        return run_script_file(command, recipe_script(command), argv)
    try:
        return import_module(f"trl_dsmath.cli.{SMALL[command][0]}").main(argv)
    except DsMathError as error:
        print(f"dsmath {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ndsmath {command}: stopped. Run the same command again to resume.", file=sys.stderr)
        return 130


def run_script_file(command: str, script: Path, argv: list[str]) -> int:
    """Runs a recipe script in this process, as `python SCRIPT ARGUMENTS` would."""
    before = sys.argv, list(sys.path)
    sys.argv = [str(script), *argv]
    sys.path.insert(0, str(script.parent))
    os.environ[PROGRAM] = f"dsmath {command}"
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv, sys.path[:] = before
        del os.environ[PROGRAM]
    return 0
