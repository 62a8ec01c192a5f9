"""From the command line to the dataclasses of a stage, or on to `accelerate launch`."""

import os
import subprocess
import sys
from difflib import get_close_matches
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, MissingDependencyError
from .recipes import read_recipe, take_config

if TYPE_CHECKING:
    from trl import TrlParser

_LAUNCHED = "TRL_DSMATH_LAUNCHED"  # set for the processes that this module starts, so that they start no others


def stage_parser(stage: str, *arguments: Any) -> "TrlParser":
    """The parser of a stage that `parse` reads: one for these dataclasses."""
    from trl import TrlParser

    return TrlParser(
        arguments,
        prog=f"dsmath {stage}",
        usage=f"dsmath {stage} --config FILE [--key value ...]",
        allow_abbrev=False,
    )


def parse(stage: str, parser: "TrlParser", argv: list[str]) -> tuple[Any, ...] | int:
    """Reads the recipe and the flags of a stage. What the stage does not know but `accelerate launch` does starts it.

    Args:
        stage (`str`):
            Name of the command, also of its module in `trl_dsmath.cli`.
        parser ([`~trl.TrlParser`]):
            Parser of the stage.
        argv (`list[str]`):
            Arguments after the command.

    Returns:
        `tuple` or `int`: the dataclasses of the parser, or, when other processes did the work, their exit code.

    Raises:
        ConfigError: a file that is not there, a key that nobody knows, or a value that cannot work.
    """
    argv, config_file = take_config(stage, argv)
    namespace, rest = parser.parse_known_args(argv)
    config = read_recipe(config_file) if config_file else {}
    from_file = {key: value for key, value in config.items() if key not in vars(namespace) and key != "env"}
    if rest or from_file:
        refuse_unknown(rest, from_file, set(vars(namespace)), config_file)
        if _LAUNCHED not in os.environ and "WORLD_SIZE" not in os.environ:
            own = _without(argv, rest)
            if config_file:
                own = ["--config", str(config_file), *own]
            by_flag = any(word.split("=")[0] == "--use_cpu" for word in argv)
            use_cpu = bool(namespace.use_cpu if by_flag else config.get("use_cpu"))
            return _launch(stage, _flags(from_file) + rest, own, use_cpu)
    own = _without(argv, rest)
    if config_file:
        own = ["--config", str(config_file), *own]
    try:
        return parser.parse_args_and_config(own, return_remaining_strings=True)[:-1]
    except ValueError as error:  # ours, and what TRL and transformers refuse: the message is for the user either way
        raise ConfigError(str(error)) from error


def _launch_names() -> set[str]:
    from accelerate.commands.launch import launch_command_parser

    names = set(vars(launch_command_parser().parse_args(["script"]))) - {"training_script", "training_script_args"}
    return names | {"accelerate_config"}


def refuse_unknown(rest: list[str], from_file: dict[str, Any], own: set[str], config_file: Path | None) -> None:
    """Raises for keys that neither the stage nor `accelerate launch` knows."""
    launch = _launch_names()
    in_flags = [word.split("=")[0].lstrip("-").replace("-", "_") for word in rest if word.startswith("-")]
    if rest and not rest[0].startswith("-"):
        raise ConfigError(f"What does {rest[0]!r} belong to? Settings are given as --key value.")
    for key, place in [
        *((key, "flag --") for key in in_flags),
        *((key, f"key in {config_file}: ") for key in from_file),
    ]:
        if key not in launch:
            close = get_close_matches(key, own | launch, n=3)
            raise ConfigError(f"Unknown {place}{key}." + (f" Did you mean {' or '.join(close)}?" if close else ""))


def _without(argv: list[str], rest: list[str]) -> list[str]:
    """`argv` without `rest`, which argparse left over in the same order."""
    own, left = [], list(rest)
    for word in argv:
        if left and word == left[0]:
            left.pop(0)
        else:
            own.append(word)
    return own


def _flags(settings: dict[str, Any]) -> list[str]:
    words: list[str] = []
    for key, value in settings.items():
        if value is True:
            words.append(f"--{key}")
        elif value not in (False, None):
            words += [f"--{key}", str(value)]
    return words


def _launch(stage: str, launch_args: list[str], own: list[str], use_cpu: bool) -> int:
    """Starts the stage in processes of its own and waits for them."""
    import torch

    module = f"trl_dsmath.cli.{stage}"
    environment = {**os.environ, _LAUNCHED: "1"}
    launch_args = [part for word in launch_args for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    if "--accelerate_config" in launch_args:
        at = launch_args.index("--accelerate_config")
        if at + 1 == len(launch_args):
            raise ConfigError("--accelerate_config needs a name (zero3, fsdp2, multi_gpu ...) or a file.")
        config = _accelerate_config(launch_args[at + 1])
        _check_sharding(config, launch_args[at + 1], use_cpu)
        launch_args[at : at + 2] = ["--config_file", config]
    if launch_args[:1] == ["--num_processes"] and len(launch_args) == 2 and (use_cpu or not torch.cuda.is_available()):
        # On a CPU, `accelerate launch --num_processes 2` starts one process and says nothing (accelerate 1.15).
        environment["ACCELERATE_USE_CPU"] = "true"
        # --standalone takes a free port: two runs at once on the default one would wait for each other's processes.
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", launch_args[1], "-m", module]
    else:
        launcher = ["accelerate.commands.launch", *launch_args, "--module", module]
    return subprocess.call([sys.executable, "-m", *launcher, *own], env=environment)


def _accelerate_config(name: str) -> str:
    """A file, or the name of one that TRL ships (`zero3`)."""
    if Path(name).is_file():
        return name
    folder = resources.files("trl") / "accelerate_configs"
    names = sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml"))
    if name not in names:
        raise ConfigError(f"--accelerate_config {name}: no such file. TRL ships: {', '.join(names)}.")
    return str(folder / f"{name}.yaml")


def _check_sharding(config: str, name: str, use_cpu: bool) -> None:
    """Raises for what accelerate would run without sharding, or end with a traceback in each process."""
    kind = str(read_recipe(Path(config)).get("distributed_type"))
    if use_cpu and kind in {"FSDP", "DEEPSPEED"}:
        raise ConfigError(
            f"--accelerate_config {name} shards over GPUs; with use_cpu, accelerate would quietly give each process the "
            "whole model. Leave it out: --num_processes alone is enough on a CPU."
        )
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        raise MissingDependencyError(
            f"--accelerate_config {name} needs DeepSpeed: pip install deepspeed. Or shard with --accelerate_config fsdp2."
        )
