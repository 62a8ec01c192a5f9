"""Pushing models to the hub, against a small server that keeps what it is sent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from hub_server import Hub

from trl_dsmath.cli import main

TWO_RUNS = """
import json, sys
from trl_dsmath.cli import main
for argv in json.loads(sys.argv[1]):
    sys.argv = ["dsmath", *argv]
    print("exit", main(argv), flush=True)
"""


@pytest.mark.slow
def test_model_and_card_arrive_and_a_refused_push_keeps_the_model(hub: Hub, small: list[str], tmp_path: Path) -> None:
    """In a process of its own: the hub's address is read on import."""
    argv = ["sft", "--config", "cpu", *small, "--max_length", "128", "--make_tiny_model", "false", "--push_to_hub"]
    argv += ["--hub_strategy", "end"]
    runs = [
        [*argv, "--hub_model_id", "me/x"],
        [*argv, "--hub_model_id", "me/refused", "--output_dir", str(tmp_path / "kept")],
        # The run is finished, and the same command pushes what it could not push.
        [*argv, "--hub_model_id", "me/later", "--output_dir", str(tmp_path / "kept")],
    ]
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}
    environment["HF_HUB_OFFLINE"] = "0"
    done = subprocess.run(
        [sys.executable, "-c", TWO_RUNS, json.dumps(runs)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.count("exit 0") == 2 and done.stdout.count("exit 2") == 1, done.stdout + done.stderr
    assert hub.tokens == {"Bearer hf_test"}

    sent = hub.files["me/x"]
    assert {"model.safetensors", "config.json", "tokenizer.json", "trainer_state.json", "README.md"} <= set(sent)
    assert sent["model.safetensors"] == (tmp_path / "out" / "model.safetensors").read_bytes()
    assert not any(name.startswith("checkpoint-") for name in sent)
    card = sent["README.md"].decode()
    assert "`sft/cpu`" in card and "| loss | " in card and "2402.03300" in card
    assert f"pushed      {hub.url}/me/x" in done.stdout

    assert "me/refused" not in hub.files
    later = hub.files["me/later"]
    assert later["model.safetensors"] == (tmp_path / "kept" / "model.safetensors").read_bytes()
    assert "README.md" in later and not any(name.startswith("checkpoint-") for name in later)
    assert "is finished" in done.stdout and f"pushed      {hub.url}/me/later" in done.stdout
    error = next(line for line in done.stderr.splitlines() if line.startswith("dsmath sft: "))
    assert f"The model is saved in {tmp_path / 'kept'}, but pushing it failed" in error
    assert f"hf upload me/refused {tmp_path / 'kept'} ." in error
    assert {"model.safetensors", "trainer_state.json", "README.md"} <= set(os.listdir(tmp_path / "kept"))


def test_without_a_login_it_stops_before_training(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for stage in ("sft", "grpo", "prm"):
        flags = small if stage != "prm" else [*small[: small.index("--global_batch_size")], "--max_steps", "1"]
        groups = ["--num_generations", "4"] if stage == "grpo" else []
        assert main([stage, *flags, *groups, "--push_to_hub"]) == 2
        error = capsys.readouterr().err
        assert "not logged in" in error and "hf auth login" in error and "Traceback" not in error
    assert main(["annotate", *small[:6], "--hub_dataset_id", "me/labels"]) == 2
    assert "--hub_dataset_id: you are not logged in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
