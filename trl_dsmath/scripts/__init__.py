"""What the recipe scripts share, for scripts of your own: arguments, data, tokenizer, resuming, saving, the model card, the hub.

Names are loaded on first use: help and messages come before torch is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adapters import merge_adapter as merge_adapter
    from .card import recipe_name as recipe_name
    from .checkpoints import Resume as Resume
    from .checkpoints import find_resume as find_resume
    from .hub import make_repository as make_repository
    from .hub import push_dataset as push_dataset
    from .learning import LearningCheck as LearningCheck
    from .learning import usual_rate as usual_rate
    from .parser import ScriptParser as ScriptParser
    from .parser import script_parser as script_parser
    from .recipes import copy_recipe as copy_recipe
    from .recipes import recipe_infos as recipe_infos
    from .recipes import recipe_script as recipe_script
    from .recipes import recipes_folder as recipes_folder
    from .run import run_script as run_script
    from .run import say as say
    from .tiny_model import make_tiny_model as make_tiny_model
    from .training import describe_lengths as describe_lengths
    from .training import describe_run as describe_run
    from .training import load_held_out as load_held_out
    from .training import load_problems as load_problems
    from .training import load_splits as load_splits
    from .training import load_tokenizer as load_tokenizer
    from .training import make_missing_model as make_missing_model
    from .training import pick_split as pick_split
    from .training import set_model_init as set_model_init
    from .training import show_prompt as show_prompt
    from .training import start_or_resume as start_or_resume
    from .training import train_and_save as train_and_save

_NAMES = {
    "adapters": ("merge_adapter",),
    "card": ("recipe_name",),
    "checkpoints": ("Resume", "find_resume"),
    "hub": ("make_repository", "push_dataset"),
    "learning": ("LearningCheck", "usual_rate"),
    "parser": ("ScriptParser", "script_parser"),
    "recipes": ("copy_recipe", "recipe_infos", "recipe_script", "recipes_folder"),
    "run": ("run_script", "say"),
    "tiny_model": ("make_tiny_model",),
    "training": (
        *("describe_lengths", "describe_run", "load_held_out", "load_problems", "load_splits", "load_tokenizer"),
        *("make_missing_model", "pick_split", "set_model_init", "show_prompt", "start_or_resume", "train_and_save"),
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
