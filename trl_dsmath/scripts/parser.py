"""The parser of the recipe scripts: dataclasses, a YAML recipe, flags that override it, and help that fits on a page."""

import argparse
import dataclasses
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from trl import TrlParser

from ..errors import ConfigError
from .launch import launch, launch_names, launched
from .recipes import read_recipe, recipe_path

# What people set most often of TRL's own options, in the order of the help.
_USUAL = (
    "model_name_or_path",
    "dataset_name",
    "output_dir",
    "learning_rate",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "eval_strategy",
    "use_peft",
    "load_in_4bit",
    "use_cpu",
    "push_to_hub",
)
_TRUTH = {"true", "false", "yes", "no", "1", "0", "y", "n", "t", "f"}


def given_settings(argv: Sequence[str] | None = None) -> set[str]:
    """
    Names of the settings that flags or the recipe give, to choose a configuration class before it is parsed.

    Args:
        argv (`Sequence[str]`, *optional*):
            Arguments after the script's name. If `None`, those of the process.

    Returns:
        `set[str]`: names with underscores; `"help"` where help is asked for.
    """
    flags, recipe = take_config(list(sys.argv[1:] if argv is None else argv))
    names = {_name(word) for word in flags if word.startswith("-")}
    names |= {"help"} if {"h", "help_all"} & names else set()
    return names | {key for key, value in (read_recipe(recipe) if recipe else {}).items() if value is not None}


def take_config(argv: list[str]) -> tuple[list[str], Path | None]:
    """Takes `--config FILE`, or the name of a YAML file beside the running script, out of the arguments.

    Raises:
        ConfigError: there is no such file; the message lists those beside the script.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    found, rest = parser.parse_known_args(argv)
    return rest, recipe_path(Path(sys.argv[0]).parent, found.config) if found.config else None


class ScriptParser(TrlParser):
    """
    [`~trl.TrlParser`] for recipe scripts.

    Beyond TRL's parser: `--config` also takes the bare name of a YAML file beside the script; a setting that neither the
    dataclasses nor `accelerate launch` know is refused with the nearest names; values are checked against their choices
    also where the recipe gives them; `--help` shows what people set, `--help-all` everything. Settings of `accelerate
    launch` (`--num_processes 2`, `--accelerate_config zero3`), as flags or in the recipe, start the script again through it.

    Args:
        dataclass_types (`Iterable[type]`):
            Dataclasses whose fields are the settings.
        **kwargs:
            Arguments of [`argparse.ArgumentParser`], such as `description`.

    Example:
    ```python
    parser = ScriptParser((GRPOScriptArguments, DeepSeekMathGRPOConfig, ModelConfig))
    script_args, training_args, model_args = parser.parse_args_and_config()
    ```
    """

    def __init__(self, dataclass_types: Iterable[Any], **kwargs: Any) -> None:
        types = tuple(dataclass_types)
        program = program_name()
        options: dict[str, Any] = {
            "prog": program,
            "usage": f"{program} [--config FILE] [--key value ...]",
            "allow_abbrev": False,
            "add_help": False,
            **kwargs,
        }
        super().__init__(types, **options)
        self.recipe: Path | None = None
        self._own = {name for kind in types for name in _own_fields(kind)}
        self._show = _USUAL
        for flags, everything in ((("-h", "--help"), False), (("--help-all", "--help_all"), True)):
            self.add_argument(*flags, action=_Help, everything=everything, help="show the settings and exit")

    def parse_args_and_config(self, args: Iterable[str] | None = None, **kwargs: Any) -> tuple[Any, ...]:  # type: ignore[override]
        """
        Reads the recipe and the flags.

        Args:
            args (`Iterable[str]`, *optional*):
                Arguments after the script's name. If `None`, those of the process.

        Returns:
            `tuple`: one object per dataclass, and a namespace of arguments that were added to the parser, if any.

        Raises:
            ConfigError: a file that is not there, a setting that nobody knows, or a value that cannot work.
        """
        argv, self.recipe = take_config(list(sys.argv[1:] if args is None else args))
        settings = read_recipe(self.recipe) if self.recipe else {}
        for name, value in (settings.pop("env", None) or {}).items():
            os.environ[name] = str(value)
        actions = {action.dest: action for action in reversed(self._actions)}  # a flag before its `--no_` twin
        self.set_defaults_with_config(**{key: value for key, value in settings.items() if key in actions})
        self._check_choices(settings, actions)
        argv = self._bare_switches(argv)
        namespace, rest = self.parse_known_args(argv)
        for_launcher = {key: value for key, value in settings.items() if key not in actions}
        if rest or for_launcher:
            refuse_unknown(rest, for_launcher, set(actions), self.recipe)
            own = without(argv, rest)
            if not launched():
                own = [*(("--config", str(self.recipe)) if self.recipe else ()), *own]
                raise SystemExit(launch(for_launcher, rest, own, use_cpu=bool(getattr(namespace, "use_cpu", False))))
            argv = own
        try:
            return self.parse_args_into_dataclasses(argv, look_for_args_file=False)
        except ValueError as error:  # ours, and what TRL and transformers refuse: the message is for the user
            raise ConfigError(str(error)) from error

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[0].upper()}{message[1:]}. `{self.prog} --help` lists the settings.")

    def _check_choices(self, settings: dict[str, Any], actions: dict[str, argparse.Action]) -> None:
        for key, value in settings.items():
            choices = getattr(actions.get(key), "choices", None)
            if choices and value is not None and value not in choices:
                allowed = ", ".join(map(str, choices))
                raise ConfigError(f"{self.recipe}: {key} must be one of {allowed}, not {value!r}.")

    def _bare_switches(self, argv: list[str]) -> list[str]:
        """Writes `--use_cpu` as `--use_cpu=true` where a word follows that is no truth value, such as a question."""
        if not any(not action.option_strings for action in self._actions):
            return argv
        switches = {
            name
            for action in self._actions
            if action.nargs == "?" and action.const is True
            for name in action.option_strings
        }
        return [
            f"{word}=true" if word in switches and after.lower() not in _TRUTH else word
            for word, after in zip(argv, [*argv, ""][1:], strict=True)
        ]

    def format_help(self, everything: bool = False) -> str:
        """Returns the help: our own settings and TRL's usual ones, or everything."""
        width = min(shutil.get_terminal_size().columns, 118)
        options = [action for action in self._actions if action.option_strings and not isinstance(action, _Help)]
        twins = {id(action) for action in options if action.option_strings[0].startswith(("--no_", "--no-"))}
        options = [action for action in options if id(action) not in twins]
        ours = [action for action in options if action.dest in self._own]
        theirs = [action for action in options if action.dest not in self._own]
        shown = theirs if everything else [a for name in self._show for a in theirs if a.dest == name]
        lines = [f"usage: {self.usage}", ""]
        if self.description:
            lines += [*textwrap.wrap(self.description, width), ""]
        for title, group in (("settings of trl-dsmath", ours), ("of TRL and transformers", shown)):
            if group:
                lines += [
                    f"{title}:",
                    *(line for action in group for line in self._line(action, width, everything)),
                    "",
                ]
        lines.append(
            "--config takes a YAML file with any of these, or the name of one beside the script; flags override it."
        )
        if not everything and len(shown) < len(theirs):
            lines.append(f"{len(theirs) - len(shown)} more settings of TRL and transformers: --help-all")
        return "\n".join(lines) + "\n"

    def _line(self, action: argparse.Action, width: int, whole: bool) -> list[str]:
        flag = f"  --{action.dest}"
        if action.choices:
            flag += f" {{{','.join(map(str, action.choices))}}}"
        text = " ".join(str(action.help or "").split())
        known = action.default not in (None, argparse.SUPPRESS, "", [])
        text += f" (default: {action.default})" if known and "%(default)" not in text else ""
        text = text.replace("%(default)s", str(action.default)).replace("%%", "%")
        room = width - 34
        words = textwrap.wrap(text, room) if whole else [textwrap.shorten(text, room, placeholder=" ...")]
        if len(flag) < 33:
            return [f"{flag:<33} {words[0] if words else ''}".rstrip(), *(f"{'':<34}{line}" for line in words[1:])]
        return [flag, *(f"{'':<34}{line}" for line in words)]


class _Help(argparse.Action):
    """Prints the help and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, everything: bool, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)
        self._everything = everything

    def __call__(self, parser: Any, *args: Any, **kwargs: Any) -> None:
        print(parser.format_help(self._everything), end="")
        parser.exit()


def program_name() -> str:
    """How the user started this: `dsmath grpo`, or the name of the script."""
    return os.environ.get("TRL_DSMATH_COMMAND") or Path(sys.argv[0]).name


def refuse_unknown(rest: Sequence[str], from_file: dict[str, Any], own: set[str], recipe: Path | None) -> None:
    """Raises for settings that neither the script nor `accelerate launch` knows."""
    in_flags = [_name(word) for word in rest if word.startswith("-")]
    places = [*((key, "flag --") for key in in_flags), *((key, f"key in {recipe}: ") for key in from_file)]
    known = launch_names() if places else set()
    for key, place in places:
        if key not in known:
            close = get_close_matches(key, sorted(own | known), n=3)
            raise ConfigError(f"Unknown {place}{key}." + (f" Did you mean {' or '.join(close)}?" if close else ""))
    if rest and not rest[0].startswith("-"):
        raise ConfigError(f"What does {rest[0]!r} belong to? Settings are given as --key value.")


def without(argv: Sequence[str], rest: Sequence[str]) -> list[str]:
    """`argv` without `rest`, which argparse left over in the same order."""
    own, left = [], list(rest)
    for word in argv:
        if left and word == left[0]:
            left.pop(0)
        else:
            own.append(word)
    return own


def _own_fields(kind: Any) -> set[str]:
    """Fields that a dataclass of this package, or of a script, adds to its bases or gives another default."""
    bases = [base for base in kind.__mro__ if not base.__module__.startswith(("trl.", "transformers.", "builtins"))]
    names = {name for base in bases for name in vars(base).get("__annotations__", {})}
    return names & {field.name for field in dataclasses.fields(kind)}


def _name(word: str) -> str:
    return word.split("=")[0].lstrip("-").replace("-", "_")
