"""What the pre-training script takes besides its configuration: the sources of the mixture."""

from dataclasses import dataclass, field
from itertools import islice

from trl import ScriptArguments

from ..errors import ConfigError
from .sources import Position, Reader, Source


@dataclass
class PretrainScriptArguments(ScriptArguments):
    """
    [`~trl.ScriptArguments`], and the sources of the mixture.

    Args:
        sources (`list[Source]`, *optional*):
            Sources to mix, each with `path`, `fraction` and, where needed, `label`, `name`, `split`, `text_column`. Given
            in a file (`--config`). If `None`, `dataset_name` is the only source.
        text_column (`str`, *optional*, defaults to `"text"`):
            Column of the documents of `dataset_name`.
        make_tiny_model (`bool`, *optional*, defaults to `False`):
            Whether to make a tiny model at `model_name_or_path` from the first documents when nothing stands there.
    """

    sources: list[dict] | None = field(
        default=None, metadata={"help": "Sources to mix (in a --config file): path, fraction, label, name, split ..."}
    )
    text_column: str = field(default="text", metadata={"help": "Column of the documents of dataset_name."})
    make_tiny_model: bool = field(
        default=False,
        metadata={"help": "Make a tiny model at model_name_or_path from the documents when nothing stands there."},
    )


def read_sources(script_args: PretrainScriptArguments) -> list[Source]:
    """
    The sources that the arguments name.

    Raises:
        ConfigError: there is none, or one has a key that is not known or lacks one that is needed.
    """
    if script_args.sources is None:
        if not script_args.dataset_name:
            raise ConfigError(
                "Which text? Give dataset_name (a .jsonl, .jsonl.gz or .parquet file, a folder of them, or a name on "
                "the hub), or `sources:` in a recipe."
            )
        return [
            Source(
                script_args.dataset_name,
                1.0,
                name=script_args.dataset_config,
                split=script_args.dataset_train_split,
                text_column=script_args.text_column,
            )
        ]
    if script_args.dataset_name:
        raise ConfigError("dataset_name and sources both name the text: give one.")
    found = []
    for number, keys in enumerate(script_args.sources, start=1):
        try:
            found.append(Source(**keys))
        except TypeError as error:
            raise ConfigError(
                f"Source {number} ({keys}): it should have `path` and `fraction`, and may have `label`, `name`, `split` "
                f"and `text_column`. ({error})"
            ) from error
    return found


def first_texts(sources: list[Source], documents: int = 2000) -> list[str]:
    """The first documents of every source, so many of all together, such as a tiny model's tokenizer is trained on."""
    texts: list[str] = []
    for source in sources:
        # The texts themselves in place of their tokens.
        reader = Reader(source, seed=0, tokenize=lambda found: found, position=Position())  # type: ignore[arg-type,return-value]
        texts += islice(reader.documents(), documents // len(sources))  # type: ignore[arg-type]
    return texts
