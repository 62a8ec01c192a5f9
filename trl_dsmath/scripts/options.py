"""Options of the commands that start without torch: flags, and a YAML file that the flags override."""

import argparse
import sys
from difflib import get_close_matches
from pathlib import Path

from ..errors import ConfigError


def parse_light(parser: argparse.ArgumentParser, argv: list[str]) -> argparse.Namespace:
    """Parses flags over the values of `--config FILE.yaml`, as `TrlParser` does, without importing transformers.

    Raises:
        ConfigError: the file is absent or no mapping, or it holds a key that the command does not know.
    """
    parser.allow_abbrev = False  # `--conf` would be read and its file not
    parser.add_argument("--config", type=Path, help="YAML file with any of these options; flags override it")
    config = _config_of(argv)
    if config is not None:
        options = {action.dest: action for action in parser._actions if action.dest not in ("help", "config")}
        for key, value in config.items():
            if key not in options:
                close = get_close_matches(key, options, n=1)
                hint = f" Did you mean {close[0]}?" if close else f" Known keys: {', '.join(options)}."
                raise ConfigError(f"unknown key {key!r} in the configuration.{hint}")
            options[key].default = value
            options[key].required = False
            if not options[key].option_strings:
                options[key].nargs = "?"
    args, rest = parser.parse_known_args(argv)
    if rest:
        flag = next((word for word in rest if word.startswith("-")), rest[0])
        name = flag.split("=")[0].lstrip("-").replace("-", "_")
        known = [action.dest for action in parser._actions]
        close = get_close_matches(name, known, n=1) if flag.startswith("-") else []
        if not flag.startswith("-"):
            raise ConfigError(f"What does {flag!r} belong to? Settings are given as --key value.")
        raise ConfigError(f"Unknown flag {flag}." + (f" Did you mean --{close[0]}?" if close else ""))
    return args


def _config_of(argv: list[str]) -> dict | None:
    import yaml

    for index, word in enumerate(argv):
        name = (
            word.removeprefix("--config=")
            if word.startswith("--config=")
            else argv[index + 1]
            if word == "--config" and index + 1 < len(argv)
            else None
        )
        if name is None:
            continue
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"there is no configuration file {path}")
        try:
            content = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not YAML: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{path} must hold `key: value` lines")
        return content
    return None


def progress(rows, total: int, what: str, done: int = 0):
    """A progress bar on a terminal, and nothing in a log file."""
    from tqdm.auto import tqdm

    return tqdm(rows, total=total, initial=done, desc=what, unit="row", disable=not sys.stderr.isatty(), leave=False)
