"""Imports point downward only (docs/guides/extending.md), and the reward can be imported without torch or trl."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "trl_dsmath"
# A module imports from layers below its own, never from its own or above. No exemptions.
LAYERS = [
    {"errors"},
    {"paper"},
    {"text"},
    {"grading", "sandbox"},
    {"data"},
    {"rewards", "generation", "report"},
    {"pretrain", "sft", "grpo", "prm", "shepherd", "inference", "corpus", "plan", "scripts", "audit", "integrations"},
    {"iterate"},
    {"cli"},
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
LIGHT = LAYER["grading"]  # up to here neither torch nor trl is imported
ANYWHERE = {"_upstream", "__version__"}
HEAVY = {"torch", "trl", "transformers", "datasets", "accelerate", "peft"}


def _imports(path: Path) -> set[str]:
    """Absolute dotted names of the modules that `path` imports, relative ones resolved."""
    package = ["trl_dsmath", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            found |= {".".join([*module, alias.name]) for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    part = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if part in {"__init__", "_upstream", "recipes"}:
        return
    assert part in LAYER, f"{part} is in no layer: add it to LAYERS in this test and to docs/guides/extending.md"
    for name in _imports(path):
        if not name.startswith("trl_dsmath."):
            if LAYER[part] <= LIGHT:
                assert name.split(".")[0] not in HEAVY, f"{part} (layer {LAYER[part]}) imports {name}"
            continue
        target = name.split(".")[1]
        if target == part or target in ANYWHERE:
            continue
        assert target in LAYER, f"{name} is in no layer"
        assert LAYER[target] < LAYER[part], f"{part} imports upward or sideways: {name}"


def _module_graph() -> dict[str, set[str]]:
    """Which module of the package imports which at its top level: a circle fails at import time, sooner or later."""
    graph: dict[str, set[str]] = {}
    modules = {
        ".".join(["trl_dsmath", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "recipes"
    }
    for module, path in modules.items():
        graph[module] = set()
        for name in _imports(path):
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules and target not in {module, "trl_dsmath"} and target != module.rpartition(".")[0]:
                graph[module].add(target)
    return graph


def test_no_circles() -> None:
    graph = _module_graph()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for target in graph[module]:
            visit(target, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize(
    "module", ["trl_dsmath", "trl_dsmath.rewards", "trl_dsmath.grading", "trl_dsmath.sandbox", "trl_dsmath.text"]
)
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'trl', 'transformers', 'sympy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
