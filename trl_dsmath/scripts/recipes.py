"""The recipes that come with the package: where they are, what their headers say, and a copy of them for editing."""

import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
# The stages, in the order of the paper: each has a recipe script.
STAGES = (
    *("quickstart", "smollm2", "corpus", "pretrain", "sft", "rft", "annotate", "prm", "grpo", "iterate"),
    *("solve", "demo", "evaluate"),
)


def recipes_folder() -> Path:
    """The folder of the recipes: the wheel carries it in the package, a checkout has it beside the package."""
    return next(folder for folder in (_PACKAGE / "recipes", _PACKAGE.parent / "recipes") if folder.is_dir())


def recipe_script(stage: str) -> Path:
    """
    The script of a stage, to be read, copied or started.

    Args:
        stage (`str`):
            Name of the stage, such as `"grpo"`.

    Returns:
        `Path`: `recipes/<stage>/<stage>.py`.

    Raises:
        ConfigError: there is no such stage.
    """
    script = recipes_folder() / stage / f"{stage}.py"
    if not script.is_file():
        raise ConfigError(f"There is no recipe script {stage!r}. There are: {', '.join(STAGES)}.")
    return script


def recipe_path(folder: Path, name: str, flag: str = "--config") -> Path:
    """The file behind `--config NAME`, or another flag: a path, or the name of a YAML file in a folder, with or without its ending.

    Raises:
        ConfigError: there is neither; the message lists the files of the folder.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    if (stem := name.removesuffix(".yaml")) in names:
        return folder / f"{stem}.yaml"
    raise ConfigError(f"{flag} {name}: no such file. The recipes of this stage are: {', '.join(names) or 'none'}.")


def take_config(words: list[str], folder: Path | None = None) -> tuple[list[str], Path | None]:
    """Takes `--config NAME` or `--config=NAME` out of arguments: the others, and the file where one is named.

    A name is that of a file in the folder, where there is one.

    Raises:
        ConfigError: there is no such file, or no name.
    """
    rest, file = [], None
    left = iter(words)
    for word in left:
        flag, equals, name = word.partition("=")
        if flag != "--config":
            rest.append(word)
            continue
        name = name if equals else next(left, "")
        if not name:
            raise ConfigError("--config needs the name of a recipe or a YAML file.")
        if folder is None and not Path(name).is_file():
            raise ConfigError(f"--config {name}: no such file.")
        file = Path(name) if folder is None else recipe_path(folder, name)
    return rest, file


def flag_name(word: str) -> str:
    """The setting that a flag is for: `max_steps` of `--max-steps=5`."""
    return word.split("=")[0].lstrip("-").replace("-", "_")


def stray_word(word: str) -> ConfigError:
    """The error for a word of a command line that is no flag and belongs to none."""
    return ConfigError(f"What does {word!r} belong to? Settings are given as --key value.")


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe; a file is read once in a process.

    Raises:
        ConfigError: it is not YAML, or not a mapping.
    """
    try:
        return dict(_read(path, path.stat().st_mtime_ns))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a YAML file: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} should hold one `key: value` per line.")
    return config


@dataclass(frozen=True)
class RecipeInfo:
    """What the header of a recipe says. `time` and `expect` are "not run" where nobody has run it."""

    name: str
    hardware: str
    time: str
    expect: str


def recipe_infos() -> list[RecipeInfo]:
    """The headers of all recipes, by stage."""
    return [_info(stage, file) for stage in STAGES for file in sorted((recipes_folder() / stage).glob("*.yaml"))]


def _info(stage: str, file: Path) -> RecipeInfo:
    header = re.split(r"^(?!#)", file.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
    text = " ".join(line.strip("# ") for line in header.splitlines()) + " "

    def sentence(what: str) -> str:
        found = re.search(rf"\b{what}: (.+?)[.;] ", text)
        return found[1].strip() if found and not found[1].startswith("NOT RUN") else "not run"

    return RecipeInfo(f"{stage}/{file.stem}", sentence("Hardware"), sentence("Time"), sentence("Expect"))


def copy_recipe(stage: str, folder: Path) -> list[Path]:
    """
    Copies the scripts and the YAML files of a stage, for editing, and what a Space needs.

    Args:
        stage (`str`):
            Name of the stage.
        folder (`Path`):
            Where to; made if it is not there. Nothing in it is overwritten.

    Returns:
        `list[Path]`: the files that were written.

    Raises:
        ConfigError: there is no such stage, a file of that name is there, or the folder cannot be written.
    """
    files = [
        file
        for file in sorted(recipe_script(stage).parent.iterdir())
        if file.suffix in {".py", ".yaml", ".j2", ".txt", ".md"}
    ]
    if there := [file.name for file in files if (folder / file.name).exists()]:
        raise ConfigError(f"{folder} already holds {', '.join(there)}: name another folder, or move them away.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copyfile(file, folder / file.name)) for file in files]
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from error
