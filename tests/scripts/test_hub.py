"""What is asked of the hub's client, and what is said where it fails; tests/cli/test_push_to_hub.py pushes to a server."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import huggingface_hub
import pytest
from huggingface_hub import constants

from trl_dsmath.errors import ConfigError, HubError
from trl_dsmath.scripts import make_repository, push_dataset
from trl_dsmath.scripts.hub import check_hub, push, push_saved

HUB = constants.ENDPOINT


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """The functions of `huggingface_hub` that are used; a login is stored."""
    found = MagicMock()
    found.get_token.return_value = "stored"
    found.create_repo.return_value.repo_id = "me/out"
    for name in ("create_repo", "upload_folder", "get_token"):
        monkeypatch.setattr(huggingface_hub, name, getattr(found, name))
    return found


def _args(folder: Path, **settings: object) -> SimpleNamespace:
    usual = {
        "push_to_hub": True,
        "process_index": 0,
        "hub_model_id": None,
        "hub_private_repo": None,
        "hub_token": None,
    }
    return SimpleNamespace(**{**usual, "output_dir": str(folder), **settings})


def test_the_repository_is_made_before_training_and_by_the_first_process(client: MagicMock, tmp_path: Path) -> None:
    check_hub(_args(tmp_path / "out", push_to_hub=False))
    check_hub(_args(tmp_path / "out", process_index=1))
    assert not client.mock_calls
    check_hub(_args(tmp_path / "out"))
    check_hub(_args(tmp_path / "out", hub_model_id="me/x", hub_private_repo=True, hub_token="given"))
    assert client.create_repo.mock_calls == [
        call("out", token="stored", private=None, repo_type="model", exist_ok=True),
        call("me/x", token="given", private=True, repo_type="model", exist_ok=True),
    ]


def test_a_refusal_names_the_flag(client: MagicMock) -> None:
    client.create_repo.side_effect = OSError("403:\n\n you may not. ")
    for kind, flag, wanted in (
        ("model", "--push_to_hub", "--hub_model_id USER/NAME"),
        ("dataset", "--hub_dataset_id", "--hub_dataset_id USER/NAME"),
    ):
        said = f"{flag}: the hub refuses the repository me/x: 403: you may not. Give a {wanted} that you may write to"
        with pytest.raises(ConfigError, match=said):
            make_repository("me/x", flag, kind)
    client.get_token.return_value = None
    with pytest.raises(ConfigError, match=r"push the dataset later with `hf upload`"):
        make_repository("me/x", "--hub_dataset_id", "dataset")


def test_a_model_that_cannot_be_pushed_is_saved(tmp_path: Path) -> None:
    trainer = MagicMock(args=SimpleNamespace(output_dir="runs/out"), hub_model_id="me/x")
    assert push(trainer, "openai/gsm8k") == f"{HUB}/me/x"
    assert trainer.push_to_hub.mock_calls == [call(dataset_name="openai/gsm8k")]
    trainer.push_to_hub.side_effect = ValueError("no.")
    said = r"saved in runs/out, but pushing it failed: no\. Push it with `hf upload me/x runs/out \. --exclude"
    with pytest.raises(HubError, match=said):
        push(trainer, None)


def test_a_finished_run_is_pushed_without_its_checkpoints(client: MagicMock, tmp_path: Path) -> None:
    assert push_saved(_args(tmp_path / "out", hub_private_repo=True, hub_token="given")) == f"{HUB}/me/out"
    assert client.mock_calls == [
        call.create_repo("out", token="given", private=True, exist_ok=True),
        call.upload_folder(
            repo_id="me/out",
            folder_path=str(tmp_path / "out"),
            token="given",
            ignore_patterns=["checkpoint-*", "_*", "*.lock"],
        ),
    ]
    client.upload_folder.side_effect = OSError("broken pipe")
    with pytest.raises(HubError, match=r"failed: broken pipe\. The same command tries again\."):
        push_saved(_args(tmp_path / "out"))


def test_a_data_set_is_its_files(client: MagicMock) -> None:
    assert push_dataset(Path("runs/rft 1"), "me/data", ["train.jsonl", "README.md"]) == f"{HUB}/datasets/me/data"
    assert client.upload_folder.mock_calls == [
        call(
            repo_id="me/data",
            repo_type="dataset",
            folder_path="runs/rft 1",
            allow_patterns=["train.jsonl", "README.md"],
        )
    ]
    client.upload_folder.side_effect = OSError("gone")
    said = r"`hf upload me/data 'runs/rft 1' \. --repo-type dataset --include train\.jsonl --include README\.md`"
    with pytest.raises(HubError, match=said):
        push_dataset("runs/rft 1", "me/data", ["train.jsonl", "README.md"])
