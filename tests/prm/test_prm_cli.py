"""`dsmath prm` through the real path: rows on disk, a summary, training, figures, a model that loads without flags."""

import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from processes import Script, run
from safetensors.torch import load_file

from trl_dsmath import load_step_scorer
from trl_dsmath.cli import main
from trl_dsmath.prm.arguments import hold_out
from trl_dsmath.scripts import recipe_script, script_parser
from trl_dsmath.scripts.recipes import recipes_folder


@pytest.fixture
def labels(tmp_path: Path, make_toy: Callable[..., Dataset]) -> Path:
    """A folder as `dsmath annotate` leaves it: one train.jsonl, prompts as messages, more columns than needed."""
    folder = tmp_path / "labels"
    folder.mkdir()
    rows = [
        {
            "prompt": [{"role": "user", "content": f"a step {number % 10}"}],
            "completions": [step + "\n" for step in row["completions"]],
            "labels": row["labels"],
            "right": [8] * len(row["labels"]),
        }
        for number, row in enumerate(make_toy(60, seed=4))
    ]
    rows.append({**rows[0], "labels": []})
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _flags(model: Path, data: Path, output_dir: Path, **changes: object) -> list[str]:
    flags = {
        "model_name_or_path": model,
        "dataset_name": data,
        "output_dir": output_dir,
        "use_cpu": "true",
        "bf16": "false",
        "gradient_checkpointing": "false",
        "report_to": "none",
        "learning_rate": "1e-3",
        "logging_steps": 1,
        "max_steps": 3,
        "holdout": 0.2,
        "disable_tqdm": "true",
        **changes,
    }
    return [word for key, value in flags.items() for word in (f"--{key}", str(value))]


@pytest.mark.parametrize("form", ["token_classification", "causal", "likelihood"])
def test_prm_step(form: str, causal: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = _flags(causal, labels, tmp_path / "out", prm_type=form)
    assert main(["prm", *flags]) == 0
    shown = capsys.readouterr().out
    assert "12 solutions of 20% of the prompts are held out" in shown or "13 solutions of 20%" in shown
    assert "1 dropped; as many labels as steps are needed: 1" in shown
    assert "labelled steps, " in shown
    assert "batch       8 solutions = 8 per process x 1 micro-batches x 1 processes" in shown
    assert "step AUROC" in shown and "first-error F1" in shown
    scorer = load_step_scorer(str(tmp_path / "out"))
    assert len(scorer([[{"role": "user", "content": "a step 1"}]], steps=[["505\n", "313"]])[0]) == 2
    card = (tmp_path / "out" / "README.md").read_text()
    assert "step AUROC" in card and "- trl-dsmath" in card
    assert main(["prm", *flags]) == 0
    assert "is finished; nothing is left to do" in capsys.readouterr().out


def test_a_test_split_is_used_and_lora_is_saved(
    causal: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    rows = (labels / "train.jsonl").read_text().splitlines()
    (labels / "test.jsonl").write_text("\n".join(rows[:5]))
    flags = _flags(causal, labels, tmp_path / "out", lora_r=2, lora_target_modules="all-linear")
    assert main(["prm", *flags, "--use_peft"]) == 0
    shown = capsys.readouterr().out
    assert "held out" not in shown
    assert "labels      eval: 5 rows used, 0 dropped" in shown
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()
    assert load_step_scorer(str(tmp_path / "out"))(["a"], steps=[["1", "2"]])[0] != []


@pytest.mark.parametrize("form", ["token_classification", "causal"])
def test_qlora(form: str, causal: Path, labels: Path, tmp_path: Path) -> None:
    """The base in 4 bits, the new head as it is."""
    pytest.importorskip("bitsandbytes")
    flags = _flags(causal, labels, tmp_path / "out", prm_type=form, lora_r=2, lora_target_modules="all-linear")
    assert main(["prm", *flags, "--use_peft", "--load_in_4bit", "--max_steps", "1"]) == 0
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_an_extra_that_is_absent_is_one_line(
    causal: Path, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))
    assert main(["prm", *_flags(causal, labels, tmp_path / "out"), "--use_peft"]) == 2
    assert "LoRA adapters need peft: pip install 'trl-dsmath[peft]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_name": "./nothing.jsonl"}, "no file or folder ./nothing.jsonl"),
        ({"dataset_train_split": "dev"}, "has no split 'dev'; there are: train"),
        ({"holdout": 1.5}, "holdout is a share"),
        ({"holdout": 0, "eval_strategy": "steps"}, "nothing to evaluate on"),
        ({"max_length": 3}, "No row of the train data can be used"),
        ({"model_name_or_path": "./nothing"}, "The model ./nothing cannot be loaded: there is no such folder"),
    ],
)
def test_mistakes_are_one_line(
    changes: dict, message: str, causal: Path, labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prm", *_flags(causal, labels, tmp_path / "out", **changes)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_hold_out_splits_by_prompt() -> None:
    rows = Dataset.from_list([{"prompt": str(number % 10), "n": number} for number in range(50)])
    train, test = hold_out(rows, 0.2, seed=0)
    assert len(test) == 10 and len(train) == 40
    assert not set(train["prompt"]) & set(test["prompt"])
    assert hold_out(rows, 0.2, seed=0)[1]["n"] == test["n"]
    assert hold_out(rows, 0.0, seed=0)[1] is None
    # At least one prompt on either side; a single one is trained on.
    assert [len(part) for part in hold_out(rows, 0.01, seed=0)] == [45, 5]
    assert [len(part) for part in hold_out(rows, 0.99, seed=0)] == [5, 45]
    assert hold_out(rows.select([3, 13]), 0.9, seed=0)[1] is None


@pytest.mark.parametrize("recipe", ["cpu", "gpu24", "paper"])
def test_recipes_hold_known_keys_only(recipe: str, tmp_path: Path) -> None:
    import yaml

    known = set(script_parser("prm").read_settings([f"--output_dir={tmp_path}"]))
    assert set(yaml.safe_load((recipes_folder() / f"prm/{recipe}.yaml").read_text())) <= known


@pytest.mark.slow
def test_a_killed_run_ends_like_an_uninterrupted_one(causal: Path, labels: Path, tmp_path: Path) -> None:
    def command(folder: Path) -> list[str]:
        flags = _flags(causal, labels, folder, max_steps=40, save_steps=6, prm_type="likelihood", likelihood_bias=20)
        return [str(recipe_script("prm")), *flags]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(*command(whole))
    process = Script(*command(killed))
    while not (killed / "checkpoint-12" / "trainer_state.json").exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    assert not (killed / "model.safetensors").exists()
    shown = run(*command(killed))
    assert f"resumes from {killed}/checkpoint-" in shown
    expected, found = load_file(whole / "model.safetensors"), load_file(killed / "model.safetensors")
    assert "step_bias.weight" in expected
    assert all(torch.equal(expected[name], found[name]) for name in expected)
