"""Where the recipe scripts and their YAML files are, and how one is read."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError

_PACKAGE = Path(__file__).parents[1]


def recipes_folder(stage: str = "") -> Path:
    """The folder of the recipes, or of those of a stage. The wheel has them in the package, a checkout beside it."""
    places = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")
    return next((place for place in places if place.is_dir()), places[0]) / stage


def script_path(stage: str) -> Path:
    """The recipe script of a stage, `recipes/<stage>/<stage>.py`."""
    return recipes_folder(stage) / f"{stage}.py"


def recipe_path(stage: str, name: str) -> Path:
    """The YAML file behind a name: a path as it stands, or a recipe of this stage.

    Raises:
        ConfigError: there is neither; the message lists the recipes.
    """
    return find_config(name, recipes_folder(stage))


def find_config(name: str, folder: Path) -> Path:
    """The file behind `--config NAME`: a path, or the name of a YAML file in a folder, with or without its ending.

    Raises:
        ConfigError: there is no such file; the message lists those of the folder.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    recipes = {file.stem: file for file in sorted(folder.glob("*.yaml"))}
    if (stem := name.removesuffix(".yaml")) in recipes:
        return recipes[stem]
    raise ConfigError(f"--config {name}: no such file. The recipes of this stage are: {', '.join(recipes) or 'none'}.")


def take_config(words: list[str], folder: Path) -> tuple[list[str], Path | None]:
    """Takes `--config NAME` or `--config=NAME` out of arguments.

    Returns:
        `tuple`: the other arguments, and the file where one is named.

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
        file = find_config(name, folder)
    return rest, file


def named_recipe(stage: str, argv: list[str]) -> list[str]:
    """The arguments with the file behind the name in `--config NAME` or `--config=NAME`."""
    words, file = take_config(argv, recipes_folder(stage))
    return [*words, "--config", str(file)] if file else words


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe.

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
        raise ConfigError(f"{path} must hold one `key: value` per line.")
    return config
