"""Imports point downward only (docs/extending.md), and the reward can be imported without torch or trl."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "trl_dsmath"
LAYERS = [
    {"text", "paper", "errors"},
    {"grading", "sandbox"},
    {"rewards", "sampling", "corpus", "data"},
    {"pretrain", "sft", "grpo", "prm", "shepherd", "solve"},
    {"cli", "quickstart", "evaluation", "iterate", "plan", "page"},
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
SIBLINGS_ALLOWED = {
    "text",
    "paper",
    "errors",
    "cli",
    "quickstart",
    "iterate",
    "evaluation",
    "plan",
    "page",
}  # layer 0 is one layer; the commands call the others
ANYWHERE = {"_upstream"}
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
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    room = parts[0]
    if room in {"__init__", "__main__", *ANYWHERE}:
        return
    assert room in LAYER, f"{room} stands in no layer: add it to LAYERS in this test and to the design"
    for name in _imports(path):
        if not name.startswith("trl_dsmath."):
            if LAYER[room] <= 1:
                assert name.split(".")[0] not in HEAVY, f"{room} (layer {LAYER[room]}) imports {name}"
            continue
        target = name.split(".")[1]
        if target == room or target in ANYWHERE or target == "__version__":
            continue
        assert target in LAYER, f"{name} stands in no layer"
        assert LAYER[target] < LAYER[room] or {room, target} <= SIBLINGS_ALLOWED, f"{room} imports upward: {name}"


@pytest.mark.parametrize(
    "module", ["trl_dsmath", "trl_dsmath.rewards", "trl_dsmath.grading", "trl_dsmath.sandbox", "trl_dsmath.text"]
)
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'trl', 'transformers', 'sympy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
