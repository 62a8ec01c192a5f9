"""TRL's own command takes our reward by its dotted path, and our command runs on two processes."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from processes import run

from trl_dsmath.scripts import recipe_script


@pytest.mark.slow
def test_trl_grpo_with_our_reward(small: list[str], problems: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    given = [json.loads(line) for line in (problems / "train.jsonl").read_text().splitlines()[1:]]
    rows = [{"prompt": [{"role": "user", "content": row["question"]}], "solution": row["answer"]} for row in given]
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = dict(zip(small[::2], small[1::2], strict=True)) | {
        "--dataset_name": str(data),
        "--reward_funcs": "trl_dsmath.rewards.boxed_accuracy_reward",
        "--num_generations": "4",
        "--max_completion_length": "8",
    }
    del flags["--global_batch_size"]  # ours
    script = find_spec("trl.scripts.grpo")
    assert script and script.origin
    shown = run(script.origin, *(word for pair in flags.items() for word in pair))
    assert "rewards/boxed_accuracy_reward/mean" in shown
    assert (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.slow
def test_two_processes_share_the_batch(small: list[str], tmp_path: Path) -> None:
    own = ["--num_generations", "8", "--max_completion_length", "8"]  # for SFT: tests/pretrain, by the same way
    shown = run(recipe_script("grpo"), *small, *own, "--num_processes", "2")
    assert "4 per process x 1 micro-batches x 2 processes" in shown
    assert shown.count("batch       ") == 1  # the second process keeps quiet
    assert (tmp_path / "out" / "model.safetensors").exists()
