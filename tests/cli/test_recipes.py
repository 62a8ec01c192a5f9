"""Every recipe: those for a CPU run, each in the folders that it names; all others are read by their own command."""

import json
import os
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trl_dsmath.cli import main
from trl_dsmath.inference import EvaluateConfig
from trl_dsmath.scripts import ScriptParser, recipe_script, script_parser

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))
sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))

import small_crawl
from replay import write_benchmarks

RECIPES = {
    f"{file.parent.name}/{file.stem}": file for file in (Path(__file__).parents[2] / "recipes").glob("*/*.yaml")
}
CPU = sorted(name for name in RECIPES if "cpu" in name)
# Run there: phases that are processes of their own; a model that is right sometimes.
ELSEWHERE = {"iterate/cpu": "tests/test_iterate.py", "rft/cpu": "tests/cli/test_rft.py"}
TRAINED = ("logging_steps=1", "disable_tqdm=true")
# What shortens a recipe, and what it goes on from. Paths of models are left to the recipes, so that each finds what the
# one before it made. A recipe without an entry here fails.
SHORT: dict[str, tuple[str, ...]] = {
    "sft/cpu": ("dataset_name=problems", "max_steps=2", *TRAINED),
    # words as steps: an untrained model ends no line in 12 tokens
    "annotate/cpu": ("dataset_name=problems", "max_problems=3", "max_new_tokens=12", "step_separator= "),
    "prm/cpu": ("dataset_name=labels", "max_steps=2", *TRAINED),
    "grpo/cpu": ("dataset_name=problems", "max_steps=1", "max_completion_length=8", *TRAINED),
    "grpo/steps-cpu": ("dataset_name=problems", "max_steps=1", "max_completion_length=8", *TRAINED),
    "sft/tools-cpu": ("dataset_name=problems", "max_steps=2", *TRAINED),
    "grpo/tools-cpu": ("dataset_name=problems", "max_steps=1", "max_completion_length=8", *TRAINED),
    # The real model is not there: the tiny one takes its place at the beginning of the chain.
    "sft/cpu-real": ("model_name_or_path=runs/cpu/sft", "dataset_name=problems", "max_steps=1", *TRAINED),
    "annotate/cpu-real": ("dataset_name=problems", "max_problems=2", "max_new_tokens=12", "step_separator= "),
    "prm/cpu-real": ("dataset_name=labels", "max_steps=1", *TRAINED),
    "grpo/cpu-real": ("dataset_name=problems", "max_steps=1", "max_completion_length=8", *TRAINED),
    "grpo/steps-cpu-real": ("dataset_name=problems", "max_steps=1", "max_completion_length=8", *TRAINED),
    "solve/cpu-real": ("input=problems/test.jsonl", "limit=1", "n=2", "max_new_tokens=8", "output=solved-real.jsonl"),
    "evaluate/cpu-real": ("benchmarks_dir=benchmarks", "limit=1", "max_new_tokens=4"),
    "solve/cpu": ("input=problems/test.jsonl", "limit=1", "n=2", "max_new_tokens=8", "output=solved.jsonl"),
    "evaluate/cpu": ("benchmarks_dir=benchmarks", "limit=1", "num_samples=1", "max_new_tokens=4"),
    "corpus/cpu": (
        *("pages=crawl/pages", "seed_pages=crawl/seed.jsonl", "rules=crawl/rules.csv", "iterations=1"),
        *("epochs=5", "learning_rate=0.5", "bucket=40000"),
    ),
    "pretrain/cpu": ("max_steps=2", "train_tokens=none", *TRAINED),
}
BEFORE = {
    "annotate/cpu": ["sft/cpu"],
    "prm/cpu": ["sft/cpu"],
    "grpo/cpu": ["sft/cpu"],
    "grpo/steps-cpu": ["sft/cpu", "prm/cpu"],
    "grpo/tools-cpu": ["sft/tools-cpu"],
    "sft/cpu-real": ["sft/cpu"],
    "annotate/cpu-real": ["sft/cpu-real"],
    "prm/cpu-real": ["sft/cpu-real"],
    "grpo/cpu-real": ["sft/cpu-real"],
    "grpo/steps-cpu-real": ["sft/cpu-real", "prm/cpu-real"],
    "solve/cpu-real": ["sft/cpu-real"],
    "evaluate/cpu-real": ["sft/cpu-real"],
    "solve/cpu": ["sft/cpu"],
    "evaluate/cpu": ["sft/cpu"],
    "pretrain/cpu": ["corpus/cpu"],
}
MADE = {  # a file that shows that the recipe came to its end
    "sft/cpu": "runs/cpu/sft/model.safetensors",
    "annotate/cpu": "runs/cpu/annotate/train.jsonl",
    "prm/cpu": "runs/cpu/prm/model.safetensors",
    "grpo/cpu": "runs/cpu/grpo/completions/completions_00001.parquet",
    "grpo/steps-cpu": "runs/cpu/grpo-steps/model.safetensors",
    "sft/tools-cpu": "runs/cpu/sft-tools/model.safetensors",
    "grpo/tools-cpu": "runs/cpu/grpo-tools/model.safetensors",
    "sft/cpu-real": "runs/cpu-real/sft/model.safetensors",
    "annotate/cpu-real": "runs/cpu-real/annotate/train.jsonl",
    "prm/cpu-real": "runs/cpu-real/prm/model.safetensors",
    "grpo/cpu-real": "runs/cpu-real/grpo/model.safetensors",
    "grpo/steps-cpu-real": "runs/cpu-real/grpo-steps/model.safetensors",
    "solve/cpu-real": "solved-real.jsonl",
    "evaluate/cpu-real": "runs/cpu-real/evaluate/report.html",
    "solve/cpu": "solved.jsonl",
    "evaluate/cpu": "runs/cpu/evaluate/report.html",
    "corpus/cpu": "runs/cpu/corpus/corpus",
    "pretrain/cpu": "runs/cpu/pretrain/model.safetensors",
}


@pytest.fixture(scope="module")
def run(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs a recipe, once, after those that it goes on from; returns the folder in which all of them ran."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "problems").symlink_to(problems)
    (folder / "labels").mkdir()
    step = {"prompt": "1+1?", "completions": ["1+1=2.", "So 3."], "labels": [True, False]}
    rows = [{**step, "prompt": f"1+{i}?"} for i in range(10)]
    (folder / "labels" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    small_crawl.write(folder / "crawl")
    write_benchmarks(folder / "benchmarks")
    done: set[str] = set()

    def once(name: str) -> Path:
        if name in done:
            return folder
        for before in BEFORE.get(name, ()):
            once(before)
        stage, _, recipe = name.partition("/")
        argv = [stage, "--config", recipe, *_flags(SHORT.get(name, ()))]
        before_it = os.getcwd()
        os.chdir(folder)
        try:
            assert main(argv) == 0, f"dsmath {' '.join(argv)}"
        finally:
            os.chdir(before_it)
        done.add(name)
        return folder

    return once


def _flags(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in (f"--{setting.partition('=')[0]}", setting.partition("=")[2])]


def test_no_cpu_recipe_is_left_out() -> None:
    assert set(CPU) == set(SHORT) | set(ELSEWHERE)
    assert set(SHORT) == set(MADE)
    for name, place in ELSEWHERE.items():
        assert f'recipes_folder() / "{name}.yaml"' in (Path(__file__).parents[2] / place).read_text()


def _read_and_written(recipe: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The folders under `runs/` that a recipe reads, and those that it writes."""
    written = {recipe["output_dir"]} if "output_dir" in recipe else set()
    if recipe.get("merge_adapter"):
        written |= {f"{recipe['output_dir']}-merged"}
    if recipe.get("make_tiny_model"):
        written |= {recipe["model_name_or_path"]}
    named = re.findall(r"runs/[\w./-]+", json.dumps({key: recipe[key] for key in recipe if key != "output_dir"}))
    # What the corpus loop and annotation write lies in their folders.
    return {re.sub(r"((?<=/corpus)/corpus|/train\.jsonl)$", "", name) for name in named} - written, written


def test_no_recipe_reads_a_folder_that_none_writes() -> None:
    read: dict[str, set[str]] = {}
    written: set[str] = set()
    for name, file in RECIPES.items():
        read[name], own = _read_and_written(yaml.safe_load(file.read_text()))
        written |= own
    assert {name: folders - written for name, folders in read.items() if folders - written} == {}
    # What the SFT of a scale writes, all later stages of that scale read.
    for scale, model in (("cpu", "sft"), ("cpu-real", "sft"), ("gpu24-small", "sft"), ("gpu24", "sft-merged")):
        for stage in ("annotate", "prm", "grpo", "solve", "evaluate"):
            assert f"runs/{scale}/{model}" in read[f"{stage}/{scale}"], f"{stage}/{scale}"
    assert {"runs/gpu24/sft-merged", "runs/gpu24/prm-small", "runs/gpu24/annotate"} == read["iterate/gpu24"]


@pytest.mark.parametrize("name", sorted(SHORT))
def test_cpu_recipes_run(name: str, run: Callable[[str], Path]) -> None:
    if name in {"corpus/cpu", "pretrain/cpu"}:
        pytest.importorskip("fasttext", reason="fastText is not installed")
    assert (run(name) / MADE[name]).exists()


TRAINING = {"pretrain", "sft", "prm", "grpo", "annotate"}
NEEDED = {"corpus": ["--pages", "p", "--seed_pages", "s", "--output_dir", "o"]}  # what a recipe leaves to the user


def _parse_training(stage: str, file: Path, folder: Path) -> tuple[Any, ...]:
    argv = ["--config", str(file), "--use_cpu", "--output_dir", str(folder / stage)]
    return script_parser(stage).parse_args_and_config(argv)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_is_read_by_its_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from trl_dsmath.iterate import IterateConfig

    monkeypatch.setenv("TRL_DSMATH_LAUNCHED", "1")  # keys of the launcher are read, and start nothing
    stage, file = name.partition("/")[0], RECIPES[name]
    recipe = yaml.safe_load(file.read_text())
    if stage == "iterate":
        IterateConfig(**recipe)
        for section in ("grpo", "annotate", "prm"):
            own = {"step_scorer": recipe["prm_name_or_path"]} if section == "grpo" else {}
            (tmp_path / f"{section}.yaml").write_text(yaml.safe_dump({**recipe[section], **own}))
            _parse_training(section, tmp_path / f"{section}.yaml", tmp_path)
    elif stage in TRAINING:
        _parse_training(stage, file, tmp_path)
    elif stage in {"solve", "evaluate", "rft"}:
        script = recipe_script(stage)
        monkeypatch.setattr(sys, "argv", [str(script)])
        parser = ScriptParser(runpy.run_path(str(script))["ARGUMENTS"])
        found: dict[str, Any] = {}
        for one in parser.parse_args_and_config(["--config", str(file)]):
            found |= vars(one)
        benchmarks = EvaluateConfig(recipe.get("benchmarks", [])).benchmarks  # a string of names, or `all`
        recipe |= {"benchmarks": benchmarks} if benchmarks else {}
        assert {key: found[key] for key in recipe} == recipe
    else:
        script = runpy.run_path(str(recipe_script("corpus")))
        kinds = script["ARGUMENTS"]
        args = ScriptParser(kinds).read_settings(["--config", str(file), *NEEDED.get(stage, [])])
        given = {key: value for key, value in recipe.items() if f"--{key}" not in NEEDED.get(stage, [])}
        assert {key: str(args[key]) for key in given} == {key: str(value) for key, value in given.items()}

    # And a key that nobody knows stops the command itself, before anything is loaded.
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(file.read_text() + "\nno_such_key: 1\n")
    assert main([stage, "--config", str(wrong), *NEEDED.get(stage, [])]) == 2
    assert "no_such_key" in capsys.readouterr().err
