"""README and docs: every block of code is run, links lead somewhere, recipes and benchmarks that are named exist."""

import io
import json
import os
import re
import runpy
import shlex
import sys
import types
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from docs_runner import Runner, blocks, cells, commands, listening, read_flags, run_page
from docs_world import furnish, make

from trl_dsmath.cli import COMMANDS
from trl_dsmath.cli.plan import runs_of
from trl_dsmath.corpus.rules import read_rules
from trl_dsmath.errors import ConfigError, SandboxError
from trl_dsmath.sandbox import run_python
from trl_dsmath.scripts.recipes import recipe_infos

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
NOTEBOOK = ROOT / "examples/quickstart.ipynb"
WITH_CODE = [page for page in PAGES if {"python", "bash"} & {language for language, _ in blocks(page)}]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def name(page: Path) -> str:
    """`README`, `guides/sft`."""
    return str(page.with_suffix("").relative_to(ROOT)).removeprefix("docs/")


_UPDATE = "--max_steps 1 --disable_tqdm true --save_steps 1"
_GRPO = (
    f"{_UPDATE} --num_generations 2 --global_batch_size 4 --per_device_train_batch_size 4 --max_completion_length 8"
)
_SAMPLES = "--max_new_tokens 8 --use_cpu true"
# An untrained model ends no line in 16 tokens, so its words are the steps.
_LABELS = "--step_separator ' ' --max_problems 4 --num_solutions 2 --num_rollouts 1 --max_new_tokens 64 --use_cpu true"
# Flags put behind the commands that are run; the longest beginning counts. Nothing else of a command is changed.
SMALLER = {
    "dsmath quickstart": "--stages corpus --pages 100",
    "dsmath corpus": "--iterations 1 --epochs 5 --learning_rate 0.5 --bucket 40000",
    "dsmath corpus prepare": "--tasks 2",
    "dsmath corpus annotate": "",
    "dsmath pretrain": "--train_tokens 4096 --global_batch_tokens 512 --max_length 128 --disable_tqdm true",
    "dsmath sft": _UPDATE,
    "dsmath annotate": _LABELS,
    "dsmath prm": f"{_UPDATE} --per_device_train_batch_size 2",
    "dsmath grpo": _GRPO,
    "dsmath plan": "",
    "dsmath solve": f"--n 2 {_SAMPLES}",
    "dsmath evaluate": f"--limit 1 {_SAMPLES}",
    "dsmath evaluate --config cpu": f"--limit 1 {_SAMPLES} --num_samples 1 --benchmarks_dir path/to/data",
    "dsmath evaluate --rescore": "",
    "dsmath evaluate --completions": "",
    "dsmath grade": "",
    "dsmath check-data": "",
    "dsmath recipes": "",
}
# The same on one page.
SMALLER_ON = {
    "tutorial/quickstart": {
        "dsmath quickstart": "--stages corpus,pretrain,sft,grpo --pages 100 --pretrain_steps 2 --sft_steps 1 "
        "--grpo_steps 1 --problems 4 --vote_problems 2"
    },
}
# Replaced in Python blocks: a machine without a GPU, and sizes.
CHANGED = {
    'args=GRPOConfig("qwen-math")': 'args=GRPOConfig("qwen-math", use_cpu=True)',
    'StepGRPOConfig(output_dir="out")': 'StepGRPOConfig(output_dir="out", use_cpu=True, max_steps=1, global_batch_size=64)',
    'SFTConfig("qwen-sft")': 'SFTConfig("qwen-sft", use_cpu=True)',
    "max_completion_length=256": "max_completion_length=8",
    "max_new_tokens=256": "max_new_tokens=8, use_cpu=True",
    "max_steps=20": "max_steps=2",
    "range(200)": "range(2)",
    "every=50": "every=2",
    "train_tokens=1_000_000_000, global_batch_tokens=524_288": "train_tokens=2048, global_batch_tokens=1024, "
    "max_length=128, use_cpu=True",
    "tasks=64, workers=8": "tasks=2, workers=2",
}
SERVER = "http://localhost:8000"  # replaced by the address of a listener of the test
# Not run here: pattern and reason. Their flags and recipes are read by the command's own parser (docs_runner.read_flags).
ELSEWHERE = [
    (r"^dsmath (?!plan).*--config \S*(gpu24|paper|r1_zero|one-machine|cpu-real)\b", "a real model, or a cluster"),
    (r"^make ", "the commands behind them are run on their own"),
    (r"^pip install |pre-commit install$", "installs"),
    (r"^dsmath iterate ", "processes of its own: run in tests/test_iterate.py"),
    (r"^trl (grpo|dpo) ", "processes of its own; `trl grpo` runs in tests/cli/test_trl_cli.py"),
    (r"^dsmath view ", "a run with completions: run in tests/cli/test_view.py"),
    (r"^dsmath demo ", "a server: run in tests/inference/test_demo.py"),
    (r"^dsmath prm --evaluate ", "benchmarks: run in tests/prm/test_prm_scorecard.py"),
    (r"^dsmath audit ", "a run with completions: run in tests/audit/test_audit.py"),
    (r"^dsmath (rft|pass-rate) ", "a model that is right sometimes: run in tests/cli/test_rft.py"),
    (r"^dsmath (sft|grpo) .*(runs/rft/|grpo\.jsonl)", "goes on from `dsmath rft`: run in tests/cli/test_rft.py"),
    (r"^trl vllm-serve ", "vLLM and a GPU"),
    (r"^dsmath .*--engine openai ", "a server of others; tests/generation/test_openai_engine.py runs such requests"),
    (r"^python benchmarks/", "minutes"),
]
# Exit codes that are right, where 0 alone is not.
CODES = {
    "dsmath corpus": {0, 3},  # 3: it waits for decisions
}
SLOW = {"guides/corpus", "guides/own-crawl", "tutorial/quickstart"}
# Optional packages that the code of a page needs; "sandbox" needs an isolation backend.
NEEDS = {
    "index": ["fasttext"],
    "tutorial/quickstart": ["fasttext"],
    "guides/corpus": ["fasttext", "datatrove", "gradio"],
    "guides/extraction": ["datatrove"],
    "guides/own-crawl": ["fasttext", "datatrove", "gradio"],
    "guides/solve": ["bitsandbytes"],
    "guides/quantization": ["bitsandbytes"],
    "guides/sandbox": ["sandbox"],
    "guides/tools": ["sandbox"],
}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make(folder)
    return folder


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=name(p), marks=[pytest.mark.slow] if name(p) in SLOW else []) for p in WITH_CODE],
)
def test_code_runs(page: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for needed in NEEDS.get(name(page), []):
        if needed == "sandbox":
            try:
                run_python("")
            except SandboxError as error:
                pytest.skip(str(error))
        else:
            pytest.importorskip(needed)
    furnish(world, name(page), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    with listening("MODEL") as address:
        changed = CHANGED | {SERVER: address}
        runner = Runner(SMALLER | SMALLER_ON.get(name(page), {}), changed, ELSEWHERE, CODES)
        run_page(page, runner, monkeypatch)


def test_the_notebook_runs(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(world, "notebook", tmp_path)
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    with redirect_stdout(io.StringIO()) as told:
        for cell in cells(NOTEBOOK):
            Runner(SMALLER, CHANGED, ELSEWHERE, CODES).python(cell, module)
    assert "correct wrong\n[True, True, False]\n" in told.getvalue()
    assert "'steps/drift'" in told.getvalue() and NOTEBOOK.stat().st_size < 10_000


def test_the_tables_hold_nothing_that_no_page_has() -> None:
    text = {page: page.read_text() for page in PAGES}
    everything = "\n".join([*text.values(), *cells(NOTEBOOK)])
    assert [old for old in CHANGED if old not in everything] == []
    lines = [line for page in PAGES for kind, block in blocks(page) if kind == "bash" for line in commands(block)]
    assert [start for start in SMALLER if not any(line.startswith(start) for line in lines)] == []
    assert [pattern for pattern, _ in ELSEWHERE if not any(re.search(pattern, line) for line in lines)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_other_blocks_are_read(page: Path, tmp_path: Path) -> None:
    for language, text in blocks(page):
        assert language in {"python", "bash", "yaml", "json", "text", "bibtex"}, (
            f"a block of {page.name} without a known language"
        )
        if language == "yaml":
            assert page.stem in COMMANDS, "of which command is this a recipe?"
            file = tmp_path / "recipe.yaml"
            file.write_text(text)
            runs_of(page.stem, file, [])  # refuses keys that the command does not know
        elif language == "json":
            json.loads(text)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "reference/" not in target:  # made by docs/_generate.py; `make docs` checks these
            assert (page.parent / target).exists(), target
        if page.parent != ROOT:
            assert (page.parent / target).resolve().is_relative_to(ROOT / "docs"), f"{target} is no page of the site"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_benchmarks_in_the_text_exist(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in re.findall(r"`([^`\n]+)`", page.read_text()):
        if words.startswith("python benchmarks/"):
            read_flags(shlex.split(words), monkeypatch)
        elif re.fullmatch(r"(benchmarks|tests|recipes|trl_dsmath|docs)/[\w/.-]+\.\w+", words):
            assert (ROOT / words).exists(), words


def test_the_generated_pages_hold_every_recipe_command_and_name() -> None:
    for needed in ("mkdocs", "latex2mathml"):
        pytest.importorskip(needed)
    generate = runpy.run_path(str(ROOT / "docs/_generate.py"))
    for file in (ROOT / "recipes").glob("*/*.yaml"):
        stage, recipe = file.parent.name, file.stem
        words = shlex.split(generate["command_of"](f"{stage}/{recipe}"))
        assert words[1] == stage and words[words.index("--config") + 1] == recipe
    infos = {info.name: info for info in recipe_infos()}
    forecast = generate["forecast"]
    assert forecast(infos["grpo/gpu24"]) == "16.3" and forecast(infos["sft/paper"]) == "23.1"  # docs/tutorial/gpu.md
    assert forecast(infos["sft/cpu"]) == ""
    commands = generate["command_pages"]()
    assert re.findall(r"^## dsmath (\S+)$", commands, re.MULTILINE) == list(COMMANDS)
    assert "| `--learning_rate` | `5e-05` |" in commands and "| `--budget_tokens` |" in commands
    names = generate["api_page"]("grading")
    assert "::: trl_dsmath.grading.grade.grade\n" in names or "::: trl_dsmath.grading" in names
    assert "`SandboxError`: see [errors](errors.md#trl_dsmath.errors.SandboxError)." in generate["api_page"]("sandbox")
    assert "::: trl_dsmath.errors.SandboxError\n" in generate["api_page"]("errors")
    assert "::: trl_dsmath.data.benchmarks.Problem\n" in generate["api_page"]("inference")  # on no other page
    formula = generate["on_page_content"]('<span class="arithmatex">\\(x^2\\)</span> [<code>~trl.GRPOTrainer</code>]')
    typed = generate["on_page_content"](
        "(<code>[`~trl.X`] or `str`, *optional*, defaults to `8`</code>, default: <code>Y</code> )"
    )
    assert typed == "(<code>trl.X or str</code>, optional, default <code>8</code>)"
    assert generate["on_page_content"]('<li class="field-body">\n<code>`Verdict` or `str`</code>').endswith(
        "<code>Verdict or str</code>"
    )
    assert formula.startswith("<math") and "<msup>" in formula and formula.endswith(" <code>GRPOTrainer</code>")


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.parent.name != "results" and p.name != "CONTRIBUTING.md"], ids=name
)
def test_a_page_is_short(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert sum(any(c.isalnum() for c in word) for word in text.split()) <= 900


def test_the_rules_of_the_corpus_figures_are_as_many_as_the_page_says() -> None:
    file = ROOT / "benchmarks/corpus_rules.csv"
    assert (
        f"{len(file.read_text().splitlines()) - 1} rules (`benchmarks/corpus_rules.csv`)"
        in (ROOT / "docs/results/corpus.md").read_text()
    )
    rules = read_rules(file)
    assert rules.of("https://doc.sagemath.test/html/en/reference/groups/x.html") == "math"
    assert rules.of("https://doc.sagemath.test/html/en/faq/x.html") == "not"
    assert rules.of("https://fftw.test/x.html") == "skip"
    assert rules.of("https://elsewhere.test/x.html") is None


@pytest.mark.parametrize(
    "command", ["dsmath sft --config cpu --learnin_rate 1", "dsmath sft --config gpu24 --lora_rr 1", "ls"]
)
def test_a_command_that_is_wrong_or_in_no_table_fails(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, ConfigError)):
        Runner(SMALLER, CHANGED, ELSEWHERE, CODES).bash(command, monkeypatch)
