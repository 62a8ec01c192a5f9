"""Pushing to the hub: what can go wrong is found before training, and the push comes after everything is saved."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, HubError

if TYPE_CHECKING:
    from transformers import TrainingArguments


def check_hub(args: "TrainingArguments") -> None:
    """With `push_to_hub`, makes the repository: a day of training should not end with a login that is missing.

    Raises:
        ConfigError: nobody is logged in, or the hub refuses the repository.
    """
    if args.push_to_hub and not args.process_index:
        name = args.hub_model_id or Path(str(args.output_dir)).absolute().name
        make_repository(name, "--push_to_hub", "model", args.hub_private_repo, args.hub_token)


def make_repository(name: str, flag: str, kind: str, private: bool | None = None, token: str | None = None) -> None:
    """Makes a repository on the hub, unless it is there.

    Args:
        name (`str`):
            Its name, `user/name`.
        flag (`str`):
            The flag that asked for it, for the message.
        kind (`str`):
            `"model"` or `"dataset"`.
        private (`bool`, *optional*):
            Whether a new one is private.
        token (`str`, *optional*):
            Access token. If `None`, the one that `hf auth login` stored.

    Raises:
        ConfigError: nobody is logged in, or the hub refuses.
    """
    from huggingface_hub import create_repo, get_token
    from huggingface_hub.errors import HTTPError

    token = token or get_token()
    if not token:
        raise ConfigError(
            f"{flag}: you are not logged in to the hub. Run `hf auth login`, set HF_TOKEN, or leave it out and "
            f"push the {kind} later with `hf upload`."
        )
    try:
        create_repo(name, token=token, private=private, repo_type=kind, exist_ok=True)
    except (HTTPError, OSError, ValueError) as error:
        wanted = "--hub_model_id USER/NAME" if kind == "model" else f"{flag} USER/NAME"
        raise ConfigError(
            f"{flag}: the hub refuses the repository {name}: {_reason(error)}. Give a {wanted} that you may write to, "
            "with a token that may write."
        ) from error


def push(trainer: Any, dataset_name: str | None) -> str:
    """Pushes the model that a trainer saved; returns its address. `dataset_name` is on the hub, for the card.

    Raises:
        HubError: it cannot be pushed.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HTTPError

    folder = trainer.args.output_dir
    try:
        trainer.push_to_hub(dataset_name=dataset_name)
    except (HTTPError, OSError, ValueError) as error:
        raise HubError(
            f"The model is saved in {folder}, but pushing it failed: {_reason(error)}. Push it with `hf upload "
            f"{trainer.hub_model_id} {folder} . --exclude 'checkpoint-*'`."
        ) from error
    return f"{constants.ENDPOINT}/{trainer.hub_model_id}"


def push_saved(args: "TrainingArguments") -> str:
    """Pushes the folder of a run that is finished, for one whose push failed; returns the address of the model.

    What is there already is not sent again.

    Raises:
        HubError: it cannot be pushed.
    """
    from huggingface_hub import constants, create_repo, upload_folder
    from huggingface_hub.errors import HTTPError

    folder = str(args.output_dir)
    name = args.hub_model_id or Path(folder).absolute().name
    try:
        name = create_repo(name, token=args.hub_token, private=args.hub_private_repo, exist_ok=True).repo_id
        ignored = ["checkpoint-*", "_*", "*.lock"]
        upload_folder(repo_id=name, folder_path=folder, token=args.hub_token, ignore_patterns=ignored)
    except (HTTPError, OSError, ValueError) as error:
        raise HubError(f"Pushing {folder} failed: {_reason(error)}. The same command tries again.") from error
    return f"{constants.ENDPOINT}/{name}"


def push_dataset(folder: str | Path, name: str, files: Sequence[str]) -> str:
    """Pushes the data set that a finished run wrote.

    Args:
        folder (`str` or `Path`):
            Folder of the run.
        name (`str`):
            `user/name` on the hub, of a repository that is there; see [`make_repository`].
        files (`Sequence[str]`):
            The files of the folder that are the data set and its card.

    Returns:
        `str`: address of the data set.

    Raises:
        HubError: it cannot be pushed.
    """
    from huggingface_hub import constants, upload_folder
    from huggingface_hub.errors import HTTPError

    try:
        upload_folder(repo_id=name, repo_type="dataset", folder_path=str(folder), allow_patterns=list(files))
    except (HTTPError, OSError, ValueError) as error:
        chosen = " ".join(f"--include {shlex.quote(file)}" for file in files)
        raise HubError(
            f"The data set is saved in {folder}, but pushing it failed: {_reason(error)}. Push it with `hf upload {name} "
            f"{shlex.quote(str(folder))} . --repo-type dataset {chosen}`, or run the same command again."
        ) from error
    return f"{constants.ENDPOINT}/datasets/{name}"


def _reason(error: BaseException) -> str:
    return " ".join(line.strip() for line in str(error).split("\n") if line.strip()).rstrip(".")
