"""`dsmath quickstart`: starts the recipe script."""

import runpy
import sys
from pathlib import Path

import trl_dsmath


def main(argv: list[str]) -> int:
    """Runs `recipes/quickstart/quickstart.py`, of the checkout or of the installed package."""
    package = Path(trl_dsmath.__file__).parent
    homes = (package / "recipes", package.parent / "recipes")
    script = next(path for home in homes if (path := home / "quickstart" / "quickstart.py").is_file())
    sys.path.insert(0, str(script.parent))
    sys.argv = [str(script), *argv]
    runpy.run_path(str(script), run_name="__main__")
    return 0
