"""What the recipe scripts share, for scripts of your own: arguments, data, tokenizer, resuming, saving, the model card, the hub.

Names are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hub import make_repository as make_repository
    from .parser import ScriptParser as ScriptParser
    from .parser import given_settings as given_settings
    from .recipes import copy_recipe as copy_recipe
    from .recipes import recipe_infos as recipe_infos
    from .recipes import recipe_script as recipe_script
    from .run import main_print as main_print
    from .run import run_script as run_script

_HOME = {
    "ScriptParser": "parser",
    "copy_recipe": "recipes",
    "given_settings": "parser",
    "make_repository": "hub",
    "main_print": "run",
    "recipe_infos": "recipes",
    "recipe_script": "recipes",
    "run_script": "run",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
