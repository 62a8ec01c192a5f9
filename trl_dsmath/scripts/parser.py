"""The parser of a recipe script: [`~trl.TrlParser`] with named recipes, near names for mistakes, and help that fits a screen."""

import argparse
import dataclasses
import inspect
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from trl import TrlParser

from ..errors import ConfigError, did_you_mean
from .launch import launch, launch_names, launched
from .recipes import flag_name, read_recipe, recipe_script, stray_word, take_config
from .run import program

# What people set most among the options that TRL and transformers bring, in the order of the help.
_POPULAR = (
    *("model_name_or_path", "dataset_name", "dataset_config", "output_dir", "max_steps", "num_train_epochs"),
    *("learning_rate", "per_device_train_batch_size", "max_length", "use_peft", "load_in_4bit", "use_vllm", "use_cpu"),
    *("eval_strategy", "save_steps", "seed", "report_to", "push_to_hub"),
)
_LENGTHS = {"max_steps", "num_train_epochs", "train_tokens"}  # each says how long to train
_COLUMN = 34  # of the help text
_TRUTH = {"true", "false", "yes", "no", "t", "f", "y", "n", "0", "1"}


class ScriptParser(TrlParser):
    """
    Reads the settings of a script from flags and from a YAML file (`--config`), which the flags override.

    It is a [`~trl.TrlParser`] with these differences: `--config` also takes the name of a YAML file beside the running
    script; an unknown flag or key is refused with near names; a choice in the YAML file is checked as in a flag;
    `--section.key value` sets one key of an option that is a dictionary; every mistake is a `ConfigError`; `--help` fits
    a screen, and `--help-all` shows every option. Options of `accelerate launch` (`num_processes`, `accelerate_config`:
    a name of TRL's or a file), as flags or in the YAML file, start the script again through it.

    Args:
        dataclass_types (`type` or `Sequence[type]`):
            Dataclasses to fill.
        recipes (`str` or `Path`, *optional*):
            Folder in which names of recipes are looked up. If `None`, that of the running script.
        description (`str`, *optional*):
            What the script does, for the help. If `None`, the first line of the script's docstring.

    Example:
    ```python
    from trl import ModelConfig
    from trl_dsmath import MathSFTConfig
    from trl_dsmath.data.arguments import MathScriptArguments
    from trl_dsmath.scripts import ScriptParser

    parser = ScriptParser((MathScriptArguments, MathSFTConfig, ModelConfig))
    script_args, training_args, model_config = parser.parse_args_and_config()
    ```
    """

    def __init__(
        self,
        dataclass_types: type | Sequence[type],
        recipes: str | Path | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(dataclass_types, type):
            dataclass_types = (dataclass_types,)
        if description is None:
            main = sys.modules.get("__main__")
            description = next(iter((getattr(main, "__doc__", None) or "").strip().splitlines()), None)
        defaults: dict[str, Any] = {
            "prog": program(),
            "usage": f"{program()} --config NAME [--key value ...]",
            "description": description,
            "allow_abbrev": False,
            "add_help": False,
        }
        super().__init__(dataclass_types, **{**defaults, **kwargs})  # type: ignore[arg-type]
        self.recipes = Path(recipes) if recipes is not None else Path(sys.argv[0]).parent
        for flags, text in ((("-h", "--help"), self._short_help), (("--help-all", "--help_all"), self.format_help)):
            self.add_argument(*flags, action=_ShowHelp, text=text)

    @staticmethod
    def given(*names: str, args: Sequence[str] | None = None, recipes: str | Path | None = None) -> bool:
        """Whether flags or YAML file set any of these options, for scripts that choose their dataclasses by it.

        Args:
            names (`str`):
                Names of options.
            args (`Sequence[str]`, *optional*):
                Arguments. If `None`, those of the process.
            recipes (`str` or `Path`, *optional*):
                Folder in which names of recipes are looked up. If `None`, that of the running script.
        """
        folder = Path(recipes) if recipes is not None else Path(sys.argv[0]).parent
        words, file = take_config(list(sys.argv[1:] if args is None else args), folder)
        config = read_recipe(file) if file else {}
        found = {flag_name(word) for word in words if word.startswith("--")}
        found |= {key for key, value in config.items() if value is not None}
        return not found.isdisjoint(names)

    def parse_args_and_config(  # type: ignore[override]
        self, args: Iterable[str] | None = None, return_remaining_strings: bool = False, **kwargs: Any
    ) -> tuple[Any, ...]:
        """
        Fills the dataclasses from flags and YAML file.

        Args:
            args (`Iterable[str]`, *optional*):
                Arguments. If `None`, those of the process.
            return_remaining_strings (`bool`, *optional*, defaults to `False`):
                Whether words that belong to no flag are returned, as a list behind the dataclasses. If `False`, they are
                refused. Unknown flags are refused either way.

        Returns:
            `tuple`: one object per dataclass.

        Raises:
            ConfigError: a file that is absent, an unknown flag or key, or a value that cannot work.
        """
        words = self._read(list(sys.argv[1:] if args is None else args), start=True)
        given, rest = self.parse_known_args(words)
        if rest and not return_remaining_strings:
            raise stray_word(rest[0])
        batch = getattr(given, "per_device_train_batch_size", None)
        if batch is not None and batch < 1:  # transformers would divide by it
            raise ConfigError(f"per_device_train_batch_size must be at least 1, not {batch}.")
        try:
            parsed = self.parse_args_into_dataclasses(words, return_remaining_strings=True, look_for_args_file=False)
        except ConfigError:
            raise
        except (ValueError, TypeError) as error:  # what TRL and transformers refuse: the message is for the user too
            raise ConfigError(_with_fix(str(error))) from error
        return parsed if return_remaining_strings else parsed[:-1]

    def read_settings(self, args: Iterable[str] | None = None) -> dict[str, Any]:
        """All settings of a script as plain values: defaults, YAML file, flags, in this order. No dataclass is filled.

        Raises:
            ConfigError: a file that is absent, an unknown flag or key, or a word that belongs to no flag.
        """
        for action in self._actions:
            action.required = False
        words = self._read(list(sys.argv[1:] if args is None else args), start=False)
        namespace, rest = self.parse_known_args(words)
        if rest:
            raise stray_word(rest[0])
        return vars(namespace)

    def _read(self, words: list[str], start: bool) -> list[str]:
        """Takes in the YAML file and returns the flags that are left for argparse. With `start`, options of `accelerate
        launch` start the script through it; this process then ends with its exit code."""
        words, file = take_config(words, self.recipes)
        config = read_recipe(file) if file else {}
        for name, value in (config.pop("env", None) or {}).items():
            os.environ[name] = str(value)
        words = self._take_sections(words, config)
        config = overridden(config, words)
        known = {action.dest: action for action in reversed(self._actions) if action.dest != argparse.SUPPRESS}
        for_launcher = {key: value for key, value in config.items() if key not in known}
        refuse_unknown((), for_launcher, known, file)
        for key, value in config.items():
            if key in known:
                _check_choice(known[key], value, f"{key} in {file}")
        self.set_defaults_with_config(**{key: value for key, value in config.items() if key in known})
        words = self._bare_switches(words)
        namespace, rest = self.parse_known_args(words)
        flags = [word for word in rest if word.startswith("--")]
        refuse_unknown(flags, (), known, file)
        if not for_launcher and not flags:
            return words
        own = without(words, rest)
        if start and not launched():
            own = [*(("--config", str(file)) if file else ()), *own]
            raise SystemExit(launch(for_launcher, rest, own, use_cpu=bool(getattr(namespace, "use_cpu", False))))
        return own

    def _take_sections(self, words: list[str], config: dict[str, Any]) -> list[str]:
        """Moves `--section.key value` into the dictionary of the section; values are read as YAML."""
        import yaml

        fields = [field for kind in self.dataclass_types for field in dataclasses.fields(kind)]
        sections = {field.name for field in fields if field.default_factory is dict}
        rest, left = [], iter(words)
        for word in left:
            flag, equals, value = word.partition("=")
            section, dot, key = flag.removeprefix("--").partition(".")
            if not (flag.startswith("--") and dot and section in sections):
                rest.append(word)
                continue
            given = value if equals else next(left, None)
            if given is None:
                raise ConfigError(f"{flag} needs a value.")
            before = config.get(section) or {}
            if isinstance(before, dict):  # anything else is for the dataclass to refuse
                config[section] = {**before, key: yaml.safe_load(given)}
        return rest

    def _bare_switches(self, words: list[str]) -> list[str]:
        """Writes `--use_cpu` as `--use_cpu=true` where a word follows that argparse would take for its value."""
        actions = [action for action in self._actions if action.nargs == "?" and action.const is True]
        switches = {flag for action in actions for flag in action.option_strings}
        following = [*words, ""][1:]
        return [
            f"{word}=true" if word in switches and after.lower() not in _TRUTH else word
            for word, after in zip(words, following, strict=True)
        ]

    def error(self, message: str) -> NoReturn:
        """What argparse would print with the usage of all options."""
        raise ConfigError(message[0].upper() + message[1:] + ".")

    def _short_help(self) -> str:
        """Help of at most a screen: our own options by dataclass, then the popular ones of TRL."""
        width = min(shutil.get_terminal_size((120, 0)).columns, 140)
        lines = [f"usage: {self.usage}", ""]
        if self.description:
            lines += [self.description, ""]
        if names := sorted(file.stem for file in self.recipes.glob("*.yaml")):
            lines += [f"--config takes a YAML file or the name of a recipe: {', '.join(names)}", ""]
        if words := [action for action in self._actions if not action.option_strings]:
            lines += [*(f"  {action.dest:<{_COLUMN - 2}}{action.help or ''}" for action in words), ""]
        for title, actions in self.option_groups():
            lines += [f"{title}:", *(_line(action, width) for action in actions), ""]
        lines.append(f"`--help-all` shows all {len({action.dest for action in self._actions}) - 2} options.")
        return "\n".join(lines)

    def option_groups(self) -> list[tuple[str, list[argparse.Action]]]:
        """Our own options by dataclass, then those of TRL that people set most; each under its title."""
        actions = {action.dest: action for action in reversed(self._actions)}
        groups, shown = [], set[str]()
        for kind in self.dataclass_types:
            own = [field.name for field in dataclasses.fields(kind) if field.init and _is_own(kind, field.name)]
            own = [name for name in own if name not in shown]
            shown |= set(own)
            if own:
                groups.append((kind.__name__, [actions[name] for name in own]))
        popular = [actions[name] for name in _POPULAR if name in actions and name not in shown]
        return [*groups, *([("often set, of TRL", popular)] if popular else [])]


class _ShowHelp(argparse.Action):
    def __init__(self, option_strings: Sequence[str], text: Callable[[], str], **kwargs: Any) -> None:
        super().__init__(
            option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help="show help and exit"
        )
        self.text = text

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        print(self.text())
        parser.exit()


def script_parser(stage: str) -> ScriptParser:
    """The parser of a recipe script, without running the script: it is made from the script's `ARGUMENTS`.

    Args:
        stage (`str`):
            Name of the stage. The parser of `"grpo"` knows the settings of step rewards too.

    Raises:
        ConfigError: there is no such script.
    """
    script = recipe_script(stage)
    names = runpy.run_path(str(script), run_name=f"recipe_{stage}")
    return ScriptParser(names.get("STEP_ARGUMENTS") or names["ARGUMENTS"], recipes=script.parent)


def refuse_unknown(flags: Iterable[str], keys: Iterable[str], known: Iterable[str], file: Path | None) -> None:
    """Refuses flags that argparse left over, and keys of a file, that neither a script nor `accelerate launch` knows.

    Raises:
        ConfigError: the message has the nearest names of those that the script knows.
    """
    places = [(flag_name(word), "flag --") for word in flags if word.startswith("--")]
    for name, place in [*places, *((key, f"key in {file}: ") for key in keys)]:
        if name not in launch_names():
            near = did_you_mean(name, [*known, "num_processes", "accelerate_config"], most=3)
            raise ConfigError(f"Unknown {place}{name}.{near}")
    if (first := next(iter(flags), "--")) and not first.startswith("-"):
        raise stray_word(first)


def overridden(config: dict[str, Any], flags: Sequence[str]) -> dict[str, Any]:
    """A YAML file's settings without what flags override under another name: `--max_steps 2` takes the place of the file's
    `num_train_epochs`; -1, which is no length, does not."""
    words = " ".join(flags).replace("=", " ").split()
    pairs = zip(words, [*words, ""][1:], strict=True)
    named = {flag_name(word) for word, value in pairs if word.startswith("--") and not value.startswith("-")}
    return {key: value for key, value in config.items() if key not in _LENGTHS or not named & _LENGTHS - {key}}


def without(words: Sequence[str], rest: Sequence[str]) -> list[str]:
    """`words` without `rest`, which argparse left over in the same order."""
    own, left = [], list(rest)
    for word in words:
        if left and word == left[0]:
            left.pop(0)
        else:
            own.append(word)
    return own


def _is_own(kind: type, name: str) -> bool:
    """Whether a field is declared, or declared anew, outside of TRL and transformers."""
    home = next(base for base in kind.__mro__ if name in inspect.get_annotations(base))
    return home.__module__.partition(".")[0] not in {"trl", "transformers"}


def _check_choice(action: argparse.Action, value: Any, where: str) -> None:
    if action.choices is None or value is None:
        return
    for one in value if isinstance(value, list) else [value]:
        if one not in action.choices and str(one) not in map(str, action.choices):
            raise ConfigError(f"{where}: {one!r} is not one of {', '.join(map(str, action.choices))}.")


def _with_fix(message: str) -> str:
    """Adds what to do where a library speaks of its own arguments."""
    if "use_cpu" in message or "bf16" in message:
        return (
            f"{message.rstrip('. ')}. Without a GPU give --use_cpu --bf16 false, or start from the recipe for a CPU: "
            "--config cpu."
        )
    return message


def _line(action: argparse.Action, width: int) -> str:
    """One option in one line: name, choices, what it is, default."""
    if action.choices is not None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    elif action.nargs == "?":
        value = ""
    else:
        value = "X ..." if action.nargs == "+" else "X"
    head = f"  --{action.dest} {value}".rstrip()
    default = "" if action.default in (None, False, "") or isinstance(action.default, list | dict) else action.default
    shown = repr(default) if isinstance(default, str) and default.split() != [default] else default
    tail = f" ({shown})" if default != "" else ""
    text = " ".join((action.help or "").split()).replace("`", "")
    room = width - max(_COLUMN, len(head) + 2) - len(tail)
    if len(text) > room:
        text = text[: max(room - 4, 8)].rsplit(" ", 1)[0] + " ..."
    return f"{head:<{_COLUMN - 2}}  {text}{tail}"
