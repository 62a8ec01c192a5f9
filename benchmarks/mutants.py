"""Would a test notice? Changes one thing at a time in a file, runs the tests, and lists the changes that pass them all.

    python benchmarks/mutants.py trl_dsmath/corpus/decontaminate.py -- tests/corpus/test_decontaminate.py
    python benchmarks/mutants.py trl_dsmath/text --sample 40 -- tests/text
    python benchmarks/mutants.py trl_dsmath/text --sample 40 -- tests/text/test_answers.py -- tests/text tests/grading

The changes: a comparison made strict or lax or reversed, a number one more or one less, a truth value, `and` and `or`
exchanged, a `not` left out, `+` and `-` or `*` and `//` exchanged; and left out: a guard (`if ...: return`), a statement, a
`with` without `as`, a decorator that is called, the condition of a comprehension, a keyword argument, a method call without
arguments (`x.float()`), a flag of a regular expression. What is after `--` goes to pytest. What is after a second one, slower
tests of the same part, is run where the first tests pass. Everything happens in a copy of the working tree, one mutant at a
time, each in a fork of a process that has imported the other packages (not this one). A mutant that survives is either a
missing test or changes nothing that matters: that is for a reader to tell.
"""

import argparse
import ast
import contextlib
import copy
import gc
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
}  # fmt: skip
_SAID = {
    "metadata",
    "help",
    "desc",
    "encoding",
    "strict",
    "stacklevel",
    "maxsize",
    "frozen",
}  # keywords: no result depends on them
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Mutant(NamedTuple):
    line: int
    what: str
    source: Callable[[], str]  # most are never drawn


def mutants(source: str) -> Iterator[Mutant]:
    """All single changes of a file, from top to bottom."""
    tree = ast.parse(source)
    ignored = {id(node) for part in _not_run(tree) for node in ast.walk(part)}
    sites = [node for node in ast.walk(tree) if id(node) not in ignored and hasattr(node, "lineno")]
    for node in sorted(sites, key=lambda node: (node.lineno, node.col_offset)):
        for what, new in _changes(node):
            yield Mutant(node.lineno, what, partial(_with, tree, node, new))


def _not_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, imports, help texts, a cache's size, `zip(strict=True)`: no test is about them. Strings are not changed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.keyword) and node.arg in _SAID):
            yield node
        for name in ("annotation", "returns"):
            if isinstance(part := getattr(node, name, None), ast.AST):
                yield part


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """What can be put in the place of a node, in words; `None` leaves a statement out."""
    match node:
        case ast.Compare(ops=[*ops]):
            for index, op in enumerate(ops):
                new = copy.deepcopy(node)
                new.ops[index] = _COMPARISONS[type(op)]()
                yield f"{type(op).__name__} -> {type(new.ops[index]).__name__}", new
        case ast.BoolOp(op=ast.And()):
            yield "and -> or", ast.BoolOp(ast.Or(), node.values)
        case ast.BoolOp(op=ast.Or()):
            yield "or -> and", ast.BoolOp(ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", node.operand
        case ast.BinOp() if type(node.op) in _OPERATORS:
            new_op = _OPERATORS[type(node.op)]
            yield f"{type(node.op).__name__} -> {new_op.__name__}", ast.BinOp(node.left, new_op(), node.right)
        case ast.Constant(value=bool(value)):
            yield f"{value} -> {not value}", ast.Constant(not value)
        case ast.Constant(value=int() | float() as number):
            for other in (number + 1, number - 1):
                if other != number:  # 1e16 + 1 is 1e16
                    yield f"{number} -> {other}", ast.Constant(other)
        case ast.If(body=[*_, last], orelse=[]) if isinstance(last, _LEAVES):
            yield "guard left out", None
        case ast.AugAssign() | ast.Delete() | ast.Expr(value=ast.Call() | ast.Await()):
            yield "statement left out", None
        case ast.With(items=items, body=body) if not any(item.optional_vars for item in items):
            yield "with left out", ast.If(ast.Constant(1), body, [])
        case ast.FunctionDef(decorator_list=[*_, ast.Call(func=func)]) if ast.unparse(func) != "lru_cache":
            yield "decorator left out", _but(node, "decorator_list", -1)
        case ast.Attribute(value=ast.Name("re"), attr="IGNORECASE" | "DOTALL" | "MULTILINE" | "VERBOSE"):
            yield "flag left out", ast.Constant(0)
        case ast.Call(func=ast.Attribute(value=value), args=[], keywords=[]) if not isinstance(value, ast.Name) or (
            node.func.attr not in ("items", "values", "keys")
        ):
            yield "call left out", value
    for index, part in enumerate(getattr(node, "generators", ())):
        if part.ifs:
            new = _but(node, "generators", index)
            new.generators.insert(index, _but(part, "ifs", 0))
            yield "condition left out", new
    if isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            if keyword.arg and keyword.arg not in _SAID:
                yield f"{keyword.arg}= left out", _but(node, "keywords", index)


def _but(node: ast.AST, field: str, index: int) -> ast.AST:
    """The node without one part of a list."""
    new = copy.copy(node)
    parts = list(getattr(node, field))
    del parts[index]
    setattr(new, field, parts)
    return new


def _with(tree: ast.AST, old: ast.AST, new: ast.AST | None) -> str:
    """The source with one node exchanged."""

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is old:
                return ast.copy_location(ast.Pass() if new is None else new, node)
            # Copied on the way down, so that the tree stays as it is for the next mutant.
            return super().visit(copy.copy(node)) if not isinstance(node, ast.expr_context) else node

        def generic_visit(self, node: ast.AST) -> ast.AST:
            for name, value in ast.iter_fields(node):
                if isinstance(value, list):
                    setattr(node, name, [self.visit(part) if isinstance(part, ast.AST) else part for part in value])
                elif isinstance(value, ast.AST):
                    setattr(node, name, self.visit(value))
            return node

    return ast.unparse(ast.fix_missing_locations(Exchange().visit(tree)))


def copy_tree(folder: Path) -> None:
    """The files of the working tree that git knows or would take."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def passes(tests: list[str], seconds: float | None = None, names: Path | None = None) -> bool:
    """Whether the tests pass in a fork of this process; a run that takes too long does not."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        sys.dont_write_bytecode = names is None  # the first run writes it, for all modules but the changed one
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        code = 1
        try:
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
            if names:
                names.write_text("\n".join(sys.modules))
        finally:
            os._exit(code)
    until = time.monotonic() + (seconds or 3600)
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < until:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if ended == (0, 0):
        os.waitpid(pid, 0)
    return ended != (0, 0) and os.waitstatus_to_exitcode(ended[1]) == 0


def import_others(names: Path, folder: Path) -> None:
    """Imports what the tests import beside this package and themselves, in the order in which they did."""
    own = {path.stem for path in folder.rglob("*.py")} | {"trl_dsmath", "tests", "conftest"}
    for name in names.read_text().splitlines():
        if name.split(".")[0] not in own and not name.startswith("_pytest"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy all of it


def main() -> None:
    argv, *runs = [list(words) for dashes, words in groupby(sys.argv[1:], "--".__eq__) if not dashes] or [[]]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="files or folders of the package")
    parser.add_argument("--sample", type=int, help="how many mutants, drawn at random; all when left out")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    args = parser.parse_args(argv)
    if not runs:
        parser.error("which tests? Give them after --: -- tests/text")
    files = [file for path in args.paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = [(file.resolve().relative_to(ROOT), mutant) for file in files for mutant in mutants(file.read_text())]
    if args.sample is not None and args.sample < len(found):
        chosen = sorted(random.Random(args.seed).sample(range(len(found)), args.sample))
        found = [found[index] for index in chosen]
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # a test of the sandbox reads the tests as another user
        copy_tree(folder)
        os.chdir(folder)
        sys.path.insert(0, name)
        os.environ.update(PYTHONPATH=name, OMP_NUM_THREADS="1")
        if not all(passes(tests, names=folder / "names") for tests in reversed(runs)):
            raise SystemExit("The tests do not pass as things are: mutants would show nothing.")
        import_others(folder / "names", folder)
        limits = []
        for tests in runs:
            began = time.monotonic()
            passes(tests)
            seconds = time.monotonic() - began
            print(f"{len(found)} mutants, {tests[0]} and what follows it take {seconds:.1f} s", flush=True)
            limits.append(3 * seconds + 20)
        survivors = 0
        for file, mutant in found:
            original, times = (folder / file).read_text(), os.stat(folder / file)
            (folder / file).write_text(mutant.source())
            os.utime(folder / file, (0, 0))  # not the time of the bytecode
            survived = all(map(passes, runs, limits))
            (folder / file).write_text(original)
            os.utime(folder / file, ns=(times.st_atime_ns, times.st_mtime_ns))
            survivors += survived
            line = original.splitlines()[mutant.line - 1].strip()
            verdict = "SURVIVED" if survived else "killed"
            print(f"{verdict:<9} {file}:{mutant.line}: {mutant.what:<18} {line}", flush=True)
    killed = len(found) - survivors
    print(f"{killed} of {len(found)} killed ({killed / max(1, len(found)):.0%})")


if __name__ == "__main__":
    main()
