"""`dsmath iterate`: iterative GRPO (Algorithm 1, paper §4.1.4), resumable at any point."""

import argparse
import os
import sys
from typing import Any

from ..errors import ConfigError
from ..paper import GRPO_STAGE
from ..scripts.options import parse_light
from . import run
from .recipes import take_config

_SECTIONS = ("grpo", "annotate", "prm")


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath iterate",
        description="Train policy and reward model in turns (paper, Algorithm 1). The sections grpo, annotate and prm of "
        "the configuration hold settings of those commands; --grpo.max_steps 5 overrides one of them. Run it again to go "
        "on after a stop.",
        allow_abbrev=False,
    )
    parser.add_argument("--model_name_or_path", help="the first policy: a folder or a name on the hub")
    parser.add_argument("--prm_name_or_path", help="the first reward model, made by `dsmath prm`")
    parser.add_argument("--output_dir", help="folder for the state and for a folder an iteration")
    parser.add_argument("--iterations", type=int, default=2, help="iterations of the algorithm (default: %(default)s)")
    parser.add_argument("--replay_from", help="labels that the first reward model learnt from, a .jsonl file")
    parser.add_argument(
        "--replay_fraction",
        type=float,
        default=GRPO_STAGE.replay_fraction,
        help="share of earlier labels in the reward model's data (paper: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="iteration i uses seed + i (default: %(default)s)")
    for name in _SECTIONS:
        parser.add_argument(f"--{name}", default={}, help=argparse.SUPPRESS)
    return parser


def take_section_flags(argv: list[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Takes `--grpo.key value` and its like out of the arguments; values are read as YAML.

    Raises:
        ConfigError: a flag without a value.
    """
    import yaml

    rest: list[str] = []
    taken: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        section, dot, key = flag.removeprefix("--").partition(".")
        if not (flag.startswith("--") and dot and section in taken):
            rest.append(word)
            continue
        given = value if equals else next(words, None)
        if given is None:
            raise ConfigError(f"{flag} needs a value.")
        taken[section][key] = yaml.safe_load(given)
    return rest, taken


def main(argv: list[str] | None = None) -> int:
    """Runs the loop.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    from ..iterate import IterateConfig, iterate

    argv, config_file = take_config("iterate", sys.argv[1:] if argv is None else argv)
    argv, taken = take_section_flags(argv)
    if config_file:
        argv = ["--config", str(config_file), *argv]
    given = vars(parse_light(make_parser(), argv))
    given.pop("config")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "The loop is one process and starts those of its stages: give --grpo.num_processes and --prm.num_processes "
            "instead of a launcher."
        )
    for name, flags in taken.items():
        section = given[name]
        given[name] = {**section, **flags} if isinstance(section, dict) else section
    iterate(IterateConfig(**given))
    return 0


if __name__ == "__main__":
    raise SystemExit(run("iterate", sys.argv[1:]))
