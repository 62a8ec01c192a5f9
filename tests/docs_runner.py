"""Runs the code blocks of a page of the documentation, one after the other, as a reader would, in a folder of the test."""

import io
import json
import re
import runpy
import shlex
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest

from trl_dsmath.cli import main

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LOOP = re.compile(r"^for (\w+) in (.*?); do (.*?); done", re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    return _BLOCK.findall(page.read_text())


def cells(notebook: Path) -> list[str]:
    """The code cells of a notebook."""
    found = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


def commands(block: str) -> Iterator[str]:
    """The commands of a bash block: without comments, lines joined, loops over words written out."""
    text = re.sub(r"\s#[^\n]*", "", block.replace("\\\n", " "))
    text = _LOOP.sub(lambda loop: "\n".join(loop[3].replace(f"${loop[1]}", word) for word in loop[2].split()), text)
    for line in text.splitlines():
        yield from (" ".join(part.split()) for part in re.split(r"&&|;", line) if part.strip())


@dataclass
class Runner:
    """
    Runs blocks in the current folder.

    Args:
        smaller (`dict[str, str]`):
            Flags that are put behind a command that begins so; the longest beginning counts.
        changed (`dict[str, str]`):
            Texts of Python blocks that are replaced.
        elsewhere (`list[tuple[str, str]]`):
            Patterns of commands whose flags are read and which are not run, with the reason.
        codes (`dict[str, set[int]]`):
            Exit codes that are right, where 0 alone is not.
    """

    smaller: dict[str, str]
    changed: dict[str, str]
    elsewhere: list[tuple[str, str]]
    codes: dict[str, set[int]]

    def python(self, text: str, module: types.ModuleType) -> None:
        """Runs a Python block in the page's namespace; a script that starts processes is run as one."""
        for old, new in self.changed.items():
            if old in text:
                text = text.replace(old, new)
        if "__main__" in text:
            Path("script.py").write_text(text)
            done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return
        exec(compile(text, module.__name__, "exec"), vars(module))

    def bash(self, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Runs a command, or reads its flags where the table says so. Fails on a command that is in no table."""
        reason = next((why for pattern, why in self.elsewhere if re.search(pattern, command)), None)
        words = shlex.split(command)
        if reason is not None:
            read_flags(words, monkeypatch)
            return
        assert words[0] == "dsmath", f"{command}: neither run nor in the table of commands that are not"
        begins = max((start for start in self.smaller if command.startswith(start)), key=len, default=None)
        assert begins, f"{command}: the table of smaller settings has no line for it"
        own = [*words[1:], *shlex.split(self.smaller[begins])]
        monkeypatch.setattr(sys, "stdin", io.StringIO("What is 1 + 1?\n"))
        if own[:2] == ["corpus", "annotate"]:
            serve(own)
        else:
            code = main(own)
            assert code in self.codes.get(begins, {0}), f"{command}: exit code {code}"


def serve(argv: list[str]) -> None:
    """Starts the page for annotation, asks for it once, and ends it."""
    import urllib.request

    code = f"import sys; from trl_dsmath.cli import main; sys.exit(main({argv!r}))"
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        line = next(line for line in server.stdout if line.startswith("annotate"))
        with urllib.request.urlopen(line.split()[1], timeout=30) as answer:
            assert answer.status == 200
    finally:
        server.kill()
        server.communicate()


@contextmanager
def listening(model: str) -> Iterator[str]:
    """A listener on a free port that names its model as `trl vllm-serve` does; what it draws: tests/sampling."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps({"data": [{"id": model, "max_model_len": 2048}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def read_flags(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads the flags of a command by the command's own parser, or checks that what it names is there."""
    root = Path(__file__).parents[1]
    match words:
        case ["dsmath", ("corpus" | "solve" | "evaluate" | "rft" | "demo") as stage, *argv]:
            from trl_dsmath.scripts import ScriptParser, recipe_script

            script = recipe_script(stage)
            monkeypatch.setattr(sys, "argv", [str(script)])
            parser = ScriptParser(runpy.run_path(str(script))["ARGUMENTS"])
            parser.add_argument("question", nargs="?")
            parser.parse_args_and_config(argv)
        case ["dsmath", "iterate", *argv]:
            from trl_dsmath.cli.plan import runs_of
            from trl_dsmath.scripts.recipes import recipe_path, recipes_folder

            assert argv[0] == "--config"
            runs_of("iterate", recipe_path(recipes_folder() / "iterate", argv[1]), argv[2:])
        case ["dsmath", ("recipes" | "pass-rate" | "audit" | "view") as name, *argv]:
            from trl_dsmath.scripts.options import parse_light

            parse_light(import_module(f"trl_dsmath.cli.{name.replace('-', '_')}").make_parser(), argv)
        case ["dsmath", "prm", "--evaluate", *_]:
            from trl_dsmath.prm.arguments import PRMEvaluateArguments
            from trl_dsmath.scripts import ScriptParser

            ScriptParser(PRMEvaluateArguments).parse_args_and_config(words[2:])
        case ["dsmath", stage, *argv]:
            from trl_dsmath.scripts import script_parser

            monkeypatch.setenv("TRL_DSMATH_LAUNCHED", "1")  # flags of `accelerate launch` are read, and nothing starts
            script_parser(stage).parse_args_and_config([*argv, "--use_cpu"])
            monkeypatch.delenv("TRL_DSMATH_LAUNCHED")
        case ["trl", "grpo", *argv]:
            from trl.scripts.grpo import make_parser

            make_parser().parse_args_and_config([*argv, "--use_cpu", "--output_dir", "out"])
        case ["trl", "dpo", *argv]:
            from trl.scripts.dpo import make_parser as dpo_parser

            dpo_parser().parse_args_and_config([*argv, "--use_cpu"])
        case ["trl", "vllm-serve", *argv]:
            from trl.scripts.vllm_serve import make_parser as serve_parser

            serve_parser().parse_args(argv)
        case ["make", target, *_]:
            assert f"\n{target}:" in (root / "Makefile").read_text()
        case ["pip", "install", name]:
            import tomllib

            project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
            bare, _, extras = name.rstrip("]").partition("[")
            assert bare == project["name"]
            assert set(filter(None, extras.split(","))) <= set(project["optional-dependencies"])
        case [".venv/bin/pre-commit", "install"]:
            assert "pre-commit" in (root / "pyproject.toml").read_text()
            assert (root / ".pre-commit-config.yaml").exists()
        case ["python", script, *argv]:
            source = (root / script).read_text()
            flags = [word for word in argv if word.startswith("--")]
            assert [flag for flag in flags if f'"{flag}"' not in source] == []
        case _:
            raise AssertionError(f"{shlex.join(words)}: how is it checked?")


def run_page(page: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs all blocks of a page in order."""
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # functions of the page can be found by their module
    for language, text in blocks(page):
        if language == "python":
            with redirect_stdout(io.StringIO()):
                runner.python(text, module)
        elif language == "bash":
            for command in commands(text):
                runner.bash(command, monkeypatch)
