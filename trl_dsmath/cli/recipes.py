"""`--config NAME`: finding it among the arguments, where the recipes are, and reading one."""

import argparse
from pathlib import Path
from typing import Any

from ..errors import ConfigError

_PACKAGE = Path(__file__).parents[1]


def recipe_path(stage: str, name: str) -> Path:
    """The file behind `--config NAME`: a path as it stands, or a bare name of a recipe of this stage.

    Raises:
        ConfigError: there is no such file and no such recipe; the message lists the recipes.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    # The wheel carries them in the package, a checkout has them beside it.
    folder = next(
        (place for place in (_PACKAGE / "recipes" / stage, _PACKAGE.parent / "recipes" / stage) if place.is_dir()),
        None,
    )
    recipes = sorted(file.stem for file in folder.glob("*.yaml")) if folder else []
    if folder and name in recipes:
        return folder / f"{name}.yaml"
    raise ConfigError(f"--config {name}: no such file. The recipes of this stage are: {', '.join(recipes) or 'none'}.")


def named_recipe(stage: str, argv: list[str]) -> list[str]:
    """The arguments with the file behind the name in `--config NAME` or `--config=NAME`."""
    found = list(argv)
    for i, word in enumerate(argv):
        if word == "--config" and i + 1 < len(argv):
            found[i + 1] = str(recipe_path(stage, argv[i + 1]))
        elif word.startswith("--config="):
            found[i] = f"--config={recipe_path(stage, word.removeprefix('--config='))}"
    return found


def take_config(stage: str, argv: list[str]) -> tuple[list[str], Path | None]:
    """Takes `--config NAME` or `--config=NAME` out of the arguments."""
    config = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    config.add_argument("--config")
    found, rest = config.parse_known_args(argv)
    return rest, recipe_path(stage, found.config) if found.config else None


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe.

    Raises:
        ConfigError: it is no YAML, or no mapping.
    """
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML file: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} should hold one `key: value` a line.")
    return config
