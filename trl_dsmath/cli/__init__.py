"""The command `dsmath`. Each command is imported when it is called, so that help and grading start without torch."""

import os
import runpy
import sys
from difflib import get_close_matches
from importlib import import_module

from .. import __version__
from ..errors import DsMathError

COMMANDS: dict[str, tuple[str | None, str]] = {  # None: the recipe script of that name
    "quickstart": (None, "every stage of the paper on a toy task, in minutes on a CPU"),
    "corpus": (
        "trl_dsmath.cli.corpus",
        "find mathematical text in a crawl: the fastText loop and its annotation (§2.1)",
    ),
    "pretrain": ("trl_dsmath.cli.pretrain", "go on training a base model on a mixture of texts (paper §2.3)"),
    "sft": ("trl_dsmath.cli.sft", "fine-tune a model on worked solutions (paper §3)"),
    "annotate": ("trl_dsmath.cli.annotate", "label the steps of solutions by roll-outs, for a reward model (§4.1.3)"),
    "prm": ("trl_dsmath.cli.prm", "train a process reward model on step labels (§4.1.3)"),
    "grpo": ("trl_dsmath.cli.grpo", "reinforcement learning with a verified reward (paper §4)"),
    "iterate": ("trl_dsmath.cli.iterate", "policy and reward model in turns (paper, Algorithm 1)"),
    "plan": ("trl_dsmath.cli.plan", "forecast the memory of a run, and what to change where it does not fit"),
    "solve": (None, "answer questions, by vote and with programs, in 16, 8 or 4 bits"),
    "evaluate": (
        None,
        "the paper's benchmarks, each figure beside the published one (Tables 2, 3, 5)",
    ),
    "grade": ("trl_dsmath.cli.grade", "judge the answers in a file of completions"),
    "check-data": ("trl_dsmath.cli.check_data", "list the answers of a data set that cannot be verified"),
}


def _help() -> str:
    lines = [f"  {name:<12}{what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: dsmath COMMAND [--config FILE] [--key value ...]",
            "",
            "DeepSeekMath (arXiv 2402.03300) on top of Hugging Face TRL.",
            "",
            "commands:",
            *lines,
            "",
            "`dsmath COMMAND --help` lists the keys of a command. `--config` takes a YAML file, or the name of a recipe",
            "that comes with the package: cpu, gpu24, paper.",
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
        close = get_close_matches(argv[0], COMMANDS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        print(f"dsmath: there is no command {argv[0]!r}.{hint} Commands: {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    return run(argv[0], argv[1:])


def run(command: str, argv: list[str]) -> int:
    """Runs one command; an error that the package raised on purpose is printed as one line instead of a traceback."""
    module = COMMANDS[command][0]
    if module is None:
        return run_recipe(command, argv)
    try:
        return import_module(module).main(argv)
    except DsMathError as error:
        print(f"dsmath {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ndsmath {command}: stopped.", file=sys.stderr)
        return 130


def run_recipe(stage: str, argv: list[str]) -> int:
    """Runs the recipe script of a stage in this process, as `python recipes/STAGE/STAGE.py` does."""
    from ..scripts import recipe_script

    script = str(recipe_script(stage))
    before, sys.argv = sys.argv, [script, *argv]
    sys.path.insert(0, os.path.dirname(script))  # as Python does: a script may import the files beside it
    os.environ["TRL_DSMATH_COMMAND"] = f"dsmath {stage}"
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before
        del os.environ["TRL_DSMATH_COMMAND"]
    return 0
