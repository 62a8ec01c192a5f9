"""`dsmath evaluate` end to end with a tiny model, on recordings, and again without a model."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from trl_dsmath.cli.check_data import main as check_data
from trl_dsmath.errors import ConfigError
from trl_dsmath.inference import BENCHMARKS
from trl_dsmath.scripts import ScriptParser, recipe_script
from trl_dsmath.scripts.tiny_model import make_tiny_model

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))

from replay import write_benchmarks

SCRIPT = recipe_script("evaluate")
ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data"
TEN = [name for name in BENCHMARKS if not name.startswith("aime")]


def evaluate(argv: list[str]) -> int:
    """What the script does, in this process and without `run_script`, so that errors come out."""
    before, sys.argv = sys.argv, [str(SCRIPT), *argv]
    try:
        return runpy.run_path(str(SCRIPT))["main"]() or 0
    finally:
        sys.argv = before


@pytest.fixture(scope="module")
def benchmarks_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmarks(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    make_tiny_model(["How many eggs are 3 boxes of 6? \\boxed{18} 一共多少颗糖"], folder, 8192, 400, 32, 2)
    return str(folder)


def _flags(model: str, output: Path, folder: object, **more: object) -> list[str]:
    settings = {
        "model_name_or_path": model,
        "output_dir": output,
        "benchmarks_dir": folder,
        "max_new_tokens": 8,
        "use_cpu": "true",
        **more,
    }
    return [word for key, value in settings.items() for word in (f"--{key}", str(value))]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the real test sets are not at ../shared/data")
def test_all_ten_real_benchmarks_by_the_cpu_recipe(model: str, tmp_path: Path) -> None:
    flags = _flags(model, tmp_path, REAL, limit=2, num_samples=2)
    assert evaluate(["--config", "cpu", *flags]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["complete"] and report["settings"]["benchmarks"] == ",".join(TEN)
    greedy = {f["benchmark"]: f["problems"] for f in report["metrics"] if f["name"] == "greedy"}
    assert greedy == dict.fromkeys(TEN, 2)
    samples = [json.loads(line) for line in (tmp_path / "samples.jsonl").open()]
    assert len(samples) == 10 * 2 * 3
    text = (tmp_path / "report.md").read_text()
    for name in TEN:
        assert f"| {BENCHMARKS[name].title} | 2 of {BENCHMARKS[name].size:,} | greedy |" in text
    assert "88.2" in text and "60.9" in text and "84.4" in text


@pytest.mark.slow
def test_few_shot_and_again_without_a_model(model: str, benchmarks_dir: Path, tmp_path: Path) -> None:
    flags = _flags(model, tmp_path, benchmarks_dir, benchmarks="gsm8k,gaokao_mathqa")
    assert evaluate([*flags, "--few_shot"]) == 0
    first = (tmp_path / "samples.jsonl").read_text()
    asked = json.loads((tmp_path / "problems.jsonl").read_text().splitlines()[0])
    assert asked["prompt"].count("The final answer is") == 8 and asked["form"] == "sentence"
    assert evaluate([*flags, "--few_shot"]) == 0
    assert (tmp_path / "samples.jsonl").read_text() == first
    text = (tmp_path / "report.md").read_text()
    assert "worked examples are of our own wording" in text and "Few-shot prompts are how the paper tests Base" in text

    rows = [json.loads(line) for line in first.splitlines()]
    rows.sort(key=lambda row: (row["benchmark"] != "gsm8k", row["problem"]))  # samples are written as they end
    rows[0]["completion"] = "3*6 = 18. The final answer is 18."
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert evaluate(["--rescore", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "report.json").read_text())["metrics"]
    gsm8k = {f["filter"]: f["value"] for f in figures if f["benchmark"] == "gsm8k"}
    assert gsm8k == {"flexible": 0.5, "strict": 0.5}

    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    assert evaluate(["--rescore", str(tmp_path)]) == 1  # a partial run
    assert "is not complete" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
def test_tools_and_programs(model: str, benchmarks_dir: Path, tmp_path: Path) -> None:
    """A tiny model writes no program; what is shown is that both modes run and are told apart."""
    for mode, few_shot, said in (
        ("tool", "false", "integrate natural language reasoning with programs"),
        ("pot", "true", "Program:\n```python\n"),
        ("pot", "false", "integrate natural language reasoning with programs"),
    ):
        folder = tmp_path / f"{mode}-{few_shot}"
        flags = _flags(model, folder, benchmarks_dir, benchmarks="gsm8k", mode=mode, few_shot=few_shot)
        assert evaluate(flags) == 0
        asked = json.loads((folder / "problems.jsonl").read_text().splitlines()[0])
        prompt = asked["prompt"] if isinstance(asked["prompt"], str) else asked["prompt"][0]["content"]
        assert said in prompt


def test_recordings_with_labels(benchmarks_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question": "Ann has 3 boxes of 6 eggs. How many eggs?", "code": ["\\boxed{18}", "19"], "score": [1, 0]},
        {"question": "A lorry carries 1,250 kg twice. How many kg?", "code": ["2500 kg", "2500"], "score": [1, 0]},
    ]
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ["--completions", str(file), "--benchmarks", "gsm8k", "--benchmarks_dir", str(benchmarks_dir)]
    assert evaluate(flags) == 0
    out = capsys.readouterr().out
    assert "3 of 4 agree with the flexible answer" in out
    folder = tmp_path / "recorded.jsonl.evaluation"
    assert json.loads((folder / "disagreements.jsonl").read_text())["completion"] == "2500"
    figures = json.loads((folder / "report.json").read_text())["metrics"]
    found = {(f["name"], f["filter"]): f["value"] for f in figures}
    assert (found["avg@2", "flexible"], found["avg@2", "strict"], found["pass@2", "strict"]) == (0.75, 0.25, 0.5)
    assert evaluate(["--rescore", str(folder)]) == 0


def test_what_cannot_work_is_said_before_a_model_is_loaded(benchmarks_dir: Path, tmp_path: Path) -> None:
    flags = _flags("nowhere", tmp_path, benchmarks_dir)
    for more, said in (
        ([], "Which benchmarks"),
        (["--benchmarks", "gsm9k"], "no benchmark"),
        (["--benchmarks", "gsm8k", "--mode", "tool", "--few_shot"], "without examples"),
        (["--benchmarks", "gsm8k", "--temperature", "-1", "--num_samples", "2"], "temperature"),
        (["--config", "huge"], "recipes of this stage are: cpu, cpu-real, gpu24, gpu24-small, paper"),
    ):
        with pytest.raises(ConfigError, match=said):
            evaluate([*flags, *more])


@pytest.mark.parametrize("name", ["cpu", "gpu24", "paper"])
def test_recipes_are_settings_that_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--config", name])
    _, config, model = ScriptParser(runpy.run_path(str(SCRIPT))["ARGUMENTS"]).parse_args_and_config()
    assert model.model_name_or_path and config.output_dir == f"runs/{name}/evaluate" and config.benchmarks
    assert (config.num_samples, config.temperature) == {"cpu": (4, 0.7), "gpu24": (0, 0.7), "paper": (64, 0.7)}[name]


def test_a_prompt_that_is_too_long_is_counted(
    model: str, benchmarks_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (benchmarks_dir / "gsm8k/test.jsonl").open()]
    rows[0]["question"] += " It is late." * 5000
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert evaluate(_flags(model, tmp_path / "out", tmp_path, benchmarks="gsm8k")) == 0
    assert "1 problems do not fit" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/report.json").read_text())["too_long_problems"] == {"gsm8k": 1}


def test_judging_again_needs_no_torch(benchmarks_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(json.dumps({"question": "1+1?", "completion": "\\boxed{2}", "gold": "2"}) + "\n")
    code = (
        f"import runpy, sys; sys.argv = ['evaluate.py', '--completions', {str(file)!r}]; "
        f"assert runpy.run_path({str(SCRIPT)!r})['main']() == 0; "
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=dict(os.environ)
    )
    assert done.stdout.strip().endswith("[]")


def test_check_data_lists_the_rows_that_repeat_a_benchmark(
    benchmarks_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "A farmer has 17 sheep in one field and 25 in another, and he sells 9 of them. How many are left?"
    (tmp_path / "gsm8k").mkdir()
    row = {"question": question, "answer": "17 + 25 = 42, and 42 - 9 = 33.\n#### 33"}
    (tmp_path / "gsm8k" / "test.jsonl").write_text(json.dumps(row) + "\n")
    rows = [
        {"question": "What is 1+1?", "solution": "2"},
        {"question": "SOLVE: " + question.replace(" ", "\n").upper(), "solution": "33"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"He asks: {question}"}]},
        {"question": "A farmer has 17 sheep in one field. How many are left when he sells 9?", "solution": "8"},
    ]
    file, clean = tmp_path / "train.jsonl", tmp_path / "clean.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = [str(file), "--benchmarks", "gsm8k", "--benchmarks_dir", str(tmp_path), "--output", str(clean)]
    assert check_data(flags) == 1
    out = capsys.readouterr().out
    assert "2  rows repeat gsm8k" in out and "row 1, question: gsm8k/0/question (10-gram)" in out
    assert [json.loads(line) for line in clean.read_text().splitlines()] == [rows[0], rows[3]]
    assert check_data([str(clean), *flags[1:5]]) == 0
