"""What the recipe scripts share, for scripts of your own: arguments, data, tokenizer, resuming, saving, the model card, the hub.

    from trl_dsmath.scripts import ScriptParser, run_script

    def main() -> None:
        script, args, model = ScriptParser((MathScriptArguments, MathSFTConfig, ModelConfig)).parse_args_and_config()
        ...

    if __name__ == "__main__":
        run_script(main)

Names are loaded on first use: help and messages come before torch is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checkpoints import Resume as Resume
    from .checkpoints import find_resume as find_resume
    from .hub import make_repository as make_repository
    from .parser import ScriptParser as ScriptParser
    from .recipes import recipe_path as recipe_path
    from .recipes import recipes_folder as recipes_folder
    from .recipes import script_path as script_path
    from .run import run_script as run_script
    from .run import say as say
    from .tiny_model import make_tiny_model as make_tiny_model

_HOME = {
    "Resume": "checkpoints",
    "ScriptParser": "parser",
    "find_resume": "checkpoints",
    "make_repository": "hub",
    "make_tiny_model": "tiny_model",
    "recipe_path": "recipes",
    "recipes_folder": "recipes",
    "run_script": "run",
    "say": "run",
    "script_path": "recipes",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
