"""What README and docs show: links lead somewhere, Python parses and imports what it names, commands and recipes exist."""

import ast
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from trl_dsmath.cli import COMMANDS
from trl_dsmath.cli.recipes import recipe_path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text()) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_parses_and_imports(page: Path) -> None:
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), str(page), "exec"), {})


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "bash")], ids=lambda page: page.stem)
def test_commands_and_recipes_exist(page: Path) -> None:
    for line in "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|;|\|", line.partition(" #")[0]):
            words = shlex.split(part)
            if words[:1] == ["dsmath"]:
                assert words[1] in COMMANDS, line
                for flag, value in pairwise(words):
                    if flag == "--config" and "." not in value and value.isidentifier():
                        recipe_path(words[1], value)
            if words[:1] == ["make"]:
                assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(), line
