"""What a user gets: the sdist and the wheel as they are built, and the command from the wheel in an empty environment."""

import email
import email.message
import os
import runpy
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = sorted(f"{file.parent.name}/{file.stem}" for file in (ROOT / "recipes").glob("*/*.yaml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _run(*command: str | Path, cwd: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of an environment with the wheel; its dependencies are those of this process, the checkout is out of sight."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env")
    python = folder / "env/bin/python"
    wheel = next(built.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    _run(*pip, "--no-deps", "--no-index", "--no-compile", wheel, cwd=folder)
    # A path in a .pth file is searched for packages, not for other .pth files: an editable install in it has no effect.
    site = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(site) / "dependencies.pth").write_text(
        "\n".join(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])) + "\n"
    )
    return python.parent


def _metadata(built: Path) -> email.message.Message:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(wheel.read(name).decode())


def test_the_wheel_holds_the_package_and_the_recipes_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "trl_dsmath").rglob("*.py")}
    modules |= {
        str(file.relative_to(ROOT))
        for file in (ROOT / "trl_dsmath").rglob("*.[jh]*")
        if file.suffix in {".j2", ".html"}
    }
    recipes = {
        f"trl_dsmath/{file.relative_to(ROOT)}"
        for file in (ROOT / "recipes").rglob("*")
        if file.is_file() and file.suffix in {".py", ".yaml", ".j2", ".md", ".txt"}
    }
    assert len(recipes) > 40 and "trl_dsmath/recipes/grpo/grpo.py" in recipes
    assert names == modules | recipes | {"trl_dsmath/py.typed"}


def test_the_sdist_holds_what_is_needed_to_test_and_to_document(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    folders = ("trl_dsmath", "recipes", "tests", "docs", "benchmarks", "examples")
    sources = {
        str(file.relative_to(ROOT))
        for folder in folders
        for ending in ("py", "yaml", "md", "jsonl", "png", "ipynb", "css")
        for file in (ROOT / folder).rglob(f"*.{ending}")
    }
    top = {
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "CITATION.cff",
        "Makefile",
        "mkdocs.yml",
        "pyproject.toml",
        "SECURITY.md",
        "Dockerfile",
    }
    assert sources | top | {"constraints.txt", "constraints-oldest.txt"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc") or "/." in name]


def test_the_metadata_tells_the_requirements_and_the_extras(built: Path) -> None:
    metadata = _metadata(built)
    assert (metadata["Name"], metadata["Requires-Python"]) == ("trl-dsmath", ">=3.11")
    assert set(metadata.get_all("Provides-Extra") or []) == set(PROJECT["optional-dependencies"])
    required = [line.replace(" ", "") for line in metadata.get_all("Requires-Dist") or []]
    core = {line.split(">")[0].split("!")[0].split("<")[0] for line in required if ";" not in line}
    assert core == {
        "trl",
        "transformers",
        "math-verify",
        "mpmath",
        "jinja2",
    }  # the rest comes with them or is an extra
    assert "bitsandbytes>=0.48;extra=='quantization'" in required


def test_links_of_the_published_package_are_whole() -> None:
    build = runpy.run_path(str(ROOT / "hatch_build.py"))
    readme = "![a](docs/x.png) [b](docs/y.md#z) [![c](https://i.test/c)](LICENSE) [d](#e) [f](https://g.test)"
    assert build["absolute"](readme, "https://h.test/o/r") == (
        "![a](https://h.test/o/r/raw/main/docs/x.png) [b](https://h.test/o/r/blob/main/docs/y.md#z) "
        "[![c](https://i.test/c)](https://h.test/o/r/blob/main/LICENSE) [d](#e) [f](https://g.test)"
    )
    assert build["absolute"](readme, "") == readme
    assert list(build["urls"]("")) == ["Paper"]
    assert build["urls"]("https://h.test/o/r")["Issues"] == "https://h.test/o/r/issues"


def test_recipes_and_the_command_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys, trl_dsmath; from trl_dsmath.scripts.recipes import recipes_folder\n"
        "print(trl_dsmath.__version__, *(recipes_folder() / f'{name}.yaml' for name in sys.argv[1:]), sep='\\n')"
    )
    version, *files = _run(installed / "python", "-c", code, *RECIPES, cwd=tmp_path).split()
    assert version == PROJECT["version"] == _run(installed / "dsmath", "--version", cwd=tmp_path).split()[-1]
    assert len(files) == len(RECIPES)
    for file, name in zip(files, RECIPES, strict=True):
        assert Path(file).is_relative_to(installed.parent)
        assert Path(file).read_bytes() == (ROOT / f"recipes/{name}.yaml").read_bytes()


def test_commands_run_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert "check-data" in _run(installed / "dsmath", "--help", cwd=tmp_path)
    (tmp_path / "completions.jsonl").write_text(
        r'{"completion": "so \\boxed{\\frac{1}{2}}", "solution": "0.5"}' + "\n"
    )
    assert "100.0" in _run(installed / "dsmath", "grade", "completions.jsonl", cwd=tmp_path)
    forecast = _run(installed / "dsmath", "plan", "--recipe", "corpus/one-machine", "--memory", "32", cwd=tmp_path)
    assert "fits:" in forecast
