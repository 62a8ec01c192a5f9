"""`dsmath rft` and `dsmath pass-rate` with a model that is right by chance: a bigram table that boxes a digit from 1 to 5."""

import json
import sys
from pathlib import Path

import huggingface_hub
import processes
import pytest
from datasets import load_dataset
from hub_server import Hub

sys.path.insert(0, str(Path(__file__).parents[1]))
from tool_model import make_model, make_tokenizer

from trl_dsmath.cli import main
from trl_dsmath.scripts import recipe_script
from trl_dsmath.scripts.recipes import recipes_folder


@pytest.fixture(scope="module")
def boxer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxer")
    tokenizer = make_tokenizer()
    make_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def problems(folder: Path, golds: str) -> Path:
    rows = [{"question": f"Problem {i}", "answer": f"#### {gold}"} for i, gold in enumerate(golds)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "problems.jsonl"


def test_solutions_are_drawn_kept_and_taken_by_sft(
    boxer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rft"
    argv = ["rft", "--config", str(recipes_folder() / "rft/cpu.yaml"), "--model", str(boxer), "--output_dir", str(out)]
    argv += ["--dataset_name", str(problems(tmp_path, "1234"))]
    argv += [
        "--num_samples",
        "200",
        "--max_new_tokens",
        "24",
        "--temperature",
        "1.0",
        "--use_cpu",
        "--max_per_problem",
        "2",
    ]
    assert main(argv) == 0
    printed = capsys.readouterr().out
    assert "800 samples that were missing" in printed
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert rows and all(f"\\boxed{{{row['gold']}" in row["completion"][0]["content"] for row in rows)
    assert max(sum(row["problem"] == i for row in rows) for i in range(4)) <= 2
    assert main(argv) == 0
    assert "0 samples that were missing" in capsys.readouterr().out

    sft = [
        "--model_name_or_path",
        str(boxer),
        "--dataset_name",
        str(out / "train.jsonl"),
        "--output_dir",
        str(tmp_path / "sft"),
    ]
    sft += [
        "--max_steps",
        "1",
        "--use_cpu",
        "--bf16",
        "false",
        "--report_to",
        "none",
        "--per_device_train_batch_size",
        "1",
    ]
    sft += ["--global_batch_size", "1", "--packing", "false", "--learning_rate", "1e-3", "--disable_tqdm", "true"]
    assert main(["sft", *sft]) == 0

    output = tmp_path / "grpo.jsonl"
    assert main(["pass-rate", str(out), "--min", "0.001", "--max", "0.99", "--output", str(output)]) == 0
    kept = [json.loads(line) for line in output.read_text().splitlines()]
    assert f"{len(kept)} of 4 problems" in capsys.readouterr().out
    assert all(0 < row["pass_rate"] < 1 and row["samples"] == 200 for row in kept)

    rates = [0.1, 0.2, 0.4, 0.5, 0.7, 0.9]
    output.write_text("".join(json.dumps({**kept[0], "pass_rate": rate}) + "\n" for rate in rates))
    grpo = [*sft[:2], "--dataset_name", str(output), "--output_dir", str(tmp_path / "grpo"), *sft[6:8], *sft[8:13]]
    grpo += ["--per_device_train_batch_size", "12", "--num_generations", "2", "--max_completion_length", "8"]
    assert main(["grpo", *grpo, "--logging_steps", "1", "--disable_tqdm", "true"]) == 0
    assert "by pass rate: hard up to 0.2 (2), medium up to 0.5 (2), easy (2) problems" in capsys.readouterr().out
    state = json.loads((tmp_path / "grpo/checkpoint-1/trainer_state.json").read_text())
    assert {"accuracy/hard", "accuracy/medium", "accuracy/easy"} <= set(state["log_history"][0])


def test_the_data_set_and_its_card_are_pushed_and_a_refused_push_keeps_them(
    boxer: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    out = tmp_path / "rft"
    argv = ["rft", "--model", str(boxer), "--dataset_name", str(problems(tmp_path, "1234")), "--output_dir", str(out)]
    argv += ["--num_samples", "200", "--max_new_tokens", "24", "--temperature", "1.0", "--use_cpu"]
    assert main([*argv, "--hub_dataset_id", "me/refused"]) == 2
    error = capsys.readouterr().err
    assert f"dsmath rft: The data set is saved in {out}, but pushing it failed" in error
    assert f"`hf upload me/refused {out} . --repo-type dataset --include README.md --include train.jsonl" in error

    assert main([*argv, "--hub_dataset_id", "me/solutions"]) == 0
    printed = capsys.readouterr().out
    assert "0 samples that were missing" in printed and "/datasets/me/solutions" in printed
    sent = hub.files["me/solutions"]
    assert set(sent) == {"README.md", "train.jsonl", "pairs/train.jsonl"} and "me/refused" not in hub.files
    for name, content in sent.items():
        assert content == (out / name).read_bytes()
        (tmp_path / "hub" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hub" / name).write_bytes(content)
    for name, lines in (("default", sent["train.jsonl"]), ("pairs", sent["pairs/train.jsonl"])):
        found = load_dataset(str(tmp_path / "hub"), name, split="train", cache_dir=str(tmp_path / "cache"))
        assert found.to_list() == [json.loads(line) for line in lines.splitlines()]


def test_a_model_that_is_never_right_ends_with_what_to_do(
    boxer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        "rft",
        "--model",
        str(boxer),
        "--dataset_name",
        str(problems(tmp_path, "99")),
        "--output_dir",
        str(tmp_path / "r"),
    ]
    argv += ["--num_samples", "2", "--max_new_tokens", "8", "--use_cpu"]
    assert main(argv) == 2
    assert "No solution is kept" in capsys.readouterr().err
    assert main(["pass-rate", str(tmp_path / "r"), "--min", "0.5", "--output", str(tmp_path / "x.jsonl")]) == 2
    assert "widen --min and --max" in capsys.readouterr().err and not (tmp_path / "x.jsonl").exists()
    assert main([*argv, "--iterations", "2"]) == 2
    assert "Give --sft_config" in capsys.readouterr().err
    assert main([*argv, "--iterations", "2", "--sft_config", "nowhere", "--output_dir", str(tmp_path / "none")]) == 2
    assert "--sft_config nowhere: no such file. The recipes of this stage are: cpu" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()  # told before anything is drawn


@pytest.mark.slow
def test_rounds_sample_with_the_model_of_the_round_before(boxer: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "sft.yaml"
    recipe.write_text(
        "max_steps: 1\nuse_cpu: true\nbf16: false\nreport_to: none\nper_device_train_batch_size: 1\nglobal_batch_size: 1\n"
        "packing: false\nlearning_rate: 1.0e-3\n"
    )
    out = tmp_path / "rounds"
    argv = ["--model", str(boxer), "--dataset_name", str(problems(tmp_path, "123")), "--output_dir", str(out)]
    argv += ["--num_samples", "200", "--max_new_tokens", "24", "--temperature", "1.0", "--use_cpu"]
    processes.run(recipe_script("rft"), *argv, "--iterations", "2", "--sft_config", recipe, stages=True)
    assert {path.name for path in out.iterdir()} == {"round-0", "round-1"}
    second = [json.loads(line) for line in (out / "round-1/train.jsonl").read_text().splitlines()]
    assert {row["model"] for row in second} == {str(out / "round-0/model")}
    config = json.loads((out / "round-1/model/config.json").read_text())
    assert config["model_type"] == "llama"
