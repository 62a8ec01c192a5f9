"""Where the recipes are: in a checkout, or inside the installed package."""

from pathlib import Path

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
