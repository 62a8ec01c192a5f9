"""Options of the commands that start without torch: flags, and a YAML file that the flags override."""

import argparse

from ..errors import ConfigError, did_you_mean
from .recipes import flag_name, read_recipe, stray_word, take_config


def parse_light(parser: argparse.ArgumentParser, argv: list[str]) -> argparse.Namespace:
    """Parses flags over the values of `--config FILE.yaml`, as `TrlParser` does, without importing transformers.

    Raises:
        ConfigError: the file is absent or no mapping, or it holds a key that the command does not know.
    """
    parser.allow_abbrev = False  # `--conf` would be read and its file not
    parser.add_argument("--config", help="YAML file with any of these options; flags override it")
    words, file = take_config(argv)
    options = {action.dest: action for action in parser._actions if action.dest not in ("help", "config")}
    for key, value in (read_recipe(file) if file else {}).items():
        if key not in options:
            hint = did_you_mean(key, options) or f" Known keys: {', '.join(options)}."
            raise ConfigError(f"unknown key {key!r} in the configuration.{hint}")
        options[key].default = value
        options[key].required = False
        if not options[key].option_strings:
            options[key].nargs = "?"
    args, rest = parser.parse_known_args(words)
    if rest:
        flag = next((word for word in rest if word.startswith("-")), None)
        if flag is None:
            raise stray_word(rest[0])
        flags = [f"--{action.dest}" for action in parser._actions]
        raise ConfigError(f"Unknown flag {flag}.{did_you_mean(f'--{flag_name(flag)}', flags)}")
    return args
