"""`dsmath corpus`: starts the recipe script `recipes/corpus/corpus.py`."""

import os
import runpy
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def main(argv: list[str]) -> int:
    """Runs the script; 0 when the corpus is written, 3 while prefixes wait for a person."""
    places = [folder / "recipes" / "corpus" / "corpus.py" for folder in (_PACKAGE, _PACKAGE.parent)]
    script = next(place for place in places if place.is_file())
    os.environ["TRL_DSMATH_COMMAND"] = "dsmath corpus"
    before = sys.argv
    sys.argv = [str(script), *argv]
    try:
        return runpy.run_path(str(script))["main"]()
    finally:
        sys.argv = before
