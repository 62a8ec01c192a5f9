"""`dsmath annotate` starts `recipes/annotate/annotate.py`; to go when the command line finds recipe scripts by itself."""

import os
import runpy
import sys

from ..scripts import ScriptParser, recipe_script


def make_parser() -> ScriptParser:
    """The parser of the recipe script."""
    return ScriptParser(runpy.run_path(str(recipe_script("annotate")))["ARGUMENTS"])


def main(argv: list[str] | None = None) -> int:
    """Runs the recipe script in this process and returns its exit code."""
    script = str(recipe_script("annotate"))
    before, sys.argv = sys.argv, [script, *(sys.argv[1:] if argv is None else argv)]
    os.environ["TRL_DSMATH_COMMAND"] = "dsmath annotate"
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before
        del os.environ["TRL_DSMATH_COMMAND"]
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
