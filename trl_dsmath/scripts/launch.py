"""Starting a recipe script again in several processes, through `accelerate launch`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingDependencyError
from .recipes import read_recipe

_LAUNCHED = "TRL_DSMATH_LAUNCHED"  # set for the processes that this module starts, so that they start no others


def launched() -> bool:
    """Whether this process is one of a launcher's."""
    return _LAUNCHED in os.environ or "WORLD_SIZE" in os.environ


def launch_names() -> set[str]:
    """Names of the settings of `accelerate launch`."""
    from accelerate.commands.launch import launch_command_parser

    names = set(vars(launch_command_parser().parse_args(["script"])))
    return (names - {"training_script", "training_script_args", "env"}) | {"accelerate_config"}


def launch(settings: dict[str, Any], flags: Sequence[str], own: Sequence[str], use_cpu: bool) -> int:
    """
    Starts the running script in processes of its own, waits for them, and returns the exit code.

    `settings` of `accelerate launch` are a recipe's; `flags` are the same and win; `own` are the arguments of the script.

    Raises:
        ConfigError: a sharding configuration that does not exist or cannot work here.
        MissingDependencyError: it needs DeepSpeed, which is absent.
    """
    import torch

    environment = {**os.environ, _LAUNCHED: "1"}
    words = [
        part for word in [*_flags(settings), *flags] for part in (word.split("=", 1) if word[:2] == "--" else [word])
    ]
    if "--accelerate_config" in words:
        at = words.index("--accelerate_config")
        if at + 1 == len(words):
            raise ConfigError("accelerate_config needs a name (zero3, fsdp2, multi_gpu ...) or a file.")
        config = accelerate_config(words[at + 1])
        _check_sharding(config, words[at + 1], use_cpu)
        words[at : at + 2] = ["--config_file", config]
    if words[:1] == ["--num_processes"] and len(words) == 2 and (use_cpu or not torch.cuda.is_available()):
        # On a CPU, `accelerate launch --num_processes 2` starts one process and says nothing (accelerate 1.15).
        environment["ACCELERATE_USE_CPU"] = "true"
        # --standalone takes a free port: two runs at once on the default one would wait for each other's processes.
        launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", words[1]]
    else:
        launcher = ["accelerate.commands.launch", *words]
    return subprocess.call([sys.executable, "-m", *launcher, str(Path(sys.argv[0]).resolve()), *own], env=environment)


def accelerate_config(name: str) -> str:
    """A file, or the name of one that TRL ships (`zero3`)."""
    if Path(name).is_file():
        return name
    folder = resources.files("trl") / "accelerate_configs"
    names = sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml"))
    if name not in names:
        raise ConfigError(f"accelerate_config {name}: no such file. TRL ships: {', '.join(names)}.")
    return str(folder / f"{name}.yaml")


def _check_sharding(config: str, name: str, use_cpu: bool) -> None:
    """Raises for what accelerate would run without sharding, or end with a traceback in each process."""
    kind = str(read_recipe(Path(config)).get("distributed_type"))
    if use_cpu and kind in {"FSDP", "DEEPSPEED"}:
        raise ConfigError(
            f"accelerate_config {name} shards over GPUs; with use_cpu, accelerate would quietly give each process the "
            "whole model. Leave it out: num_processes alone is enough on a CPU."
        )
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        raise MissingDependencyError(
            f"accelerate_config {name} needs DeepSpeed: pip install deepspeed. Or shard with accelerate_config fsdp2."
        )


def _flags(settings: dict[str, Any]) -> list[str]:
    words: list[str] = []
    for key, value in settings.items():
        if value is True:
            words.append(f"--{key}")
        elif value not in (False, None):
            words += [f"--{key}", str(value)]
    return words
