"""What the scripts in benchmarks/ import from this package is there, also inside functions that only a long run reaches."""

import ast
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
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


def test_a_mutant_is_the_source_with_one_change() -> None:
    spec = spec_from_file_location("mutants", SCRIPTS[0].with_name("mutants.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    source = "@cache(1)\ndef f(x: int = 2) -> int:\n    if x > 1 and not y:\n        return x.strip()\n    with z:\n        g(x, k=True)\n    return [a + b for a in x if a]\n"
    found = list(module.mutants(source))
    assert [(mutant.line, mutant.what) for mutant in found] == [
        (1, "1 -> 2"), (1, "1 -> 0"), (2, "decorator left out"), (2, "2 -> 3"), (2, "2 -> 1"), (3, "guard left out"),
        (3, "and -> or"), (3, "Gt -> GtE"), (3, "1 -> 2"), (3, "1 -> 0"), (3, "not left out"), (4, "call left out"),
        (5, "with left out"), (6, "statement left out"), (6, "k= left out"), (6, "True -> False"), (7, "condition left out"),
        (7, "Add -> Sub"),
    ]  # fmt: skip
    lines = ast.unparse(ast.parse(source)).splitlines()
    for mutant in found:
        changed = sum(line not in lines for line in mutant.source().splitlines())
        assert changed <= 1 or mutant.what == "guard left out", mutant
