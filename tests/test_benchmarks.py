"""What the scripts in benchmarks/ import from this package is there, also inside functions that only a long run reaches."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_imports_are_there(script: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "trl_dsmath":
            continue
        try:
            module = import_module(str(node.module))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("trl_dsmath"):
                pytest.skip(f"needs {error.name}")
            missing.append(str(node.module))
            continue
        for alias in node.names:
            if not hasattr(module, alias.name):
                try:
                    import_module(f"{node.module}.{alias.name}")
                except ModuleNotFoundError:
                    missing.append(f"{node.module}.{alias.name}")
    assert missing == []
