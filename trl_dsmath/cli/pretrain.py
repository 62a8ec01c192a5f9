"""`dsmath pretrain`: go on training a base model on a mixture (§2.3). Also `accelerate launch -m trl_dsmath.cli.pretrain`."""

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from . import run
from .launch import parse, stage_parser

if TYPE_CHECKING:
    from trl import TrlParser

    from ..pretrain import Source
    from ..scripts.arguments import PretrainScriptArguments

_TINY_MODEL_TEXTS = 2000  # documents that a tiny model's tokenizer is trained on


def make_parser() -> "TrlParser":
    """The parser of this stage: script arguments, [`PretrainConfig`], TRL's model arguments."""
    from trl import ModelConfig

    from ..pretrain import PretrainConfig
    from ..scripts.arguments import PretrainScriptArguments

    return stage_parser("pretrain", PretrainScriptArguments, PretrainConfig, ModelConfig)


def read_sources(script_args: "PretrainScriptArguments") -> list["Source"]:
    """The sources that the arguments name.

    Raises:
        ConfigError: there is none, or one has a key that is not known or lacks one that is needed.
    """
    from ..pretrain import Source

    if script_args.sources is None:
        if not script_args.dataset_name:
            raise ConfigError(
                "Which text? Give --dataset_name (a .jsonl, .jsonl.gz or .parquet file, a folder of them, or a name on "
                "the hub), or `sources:` in a --config file."
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


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    parsed = parse("pretrain", make_parser(), sys.argv[1:] if argv is None else argv)
    if isinstance(parsed, int):
        return parsed
    script_args, training_args, model_args = parsed

    from ..pretrain import PretrainTrainer
    from ..scripts import training

    if training_args.max_length is None or training_args.max_steps <= 0:
        raise ConfigError("Give max_length, and train_tokens or max_steps: the sources are read without end.")
    say = training.sayer(training_args)
    sources = read_sources(script_args)
    resume = training.resume_or_say_done(training_args, say)
    if resume.finished:
        return 0
    with training_args.main_process_first(desc="making the model"):
        if script_args.make_tiny_model and not Path(str(model_args.model_name_or_path)).exists():
            from ..scripts.tiny_model import make_tiny_model

            say(make_tiny_model(_first_texts(sources), model_args.model_name_or_path, training_args.max_length))
        tokenizer = training.load_tokenizer(model_args, training_args, plain=True, say=say)
    trainer = PretrainTrainer(
        train_dataset=sources, **training.trainer_arguments(training_args, model_args, tokenizer)
    )
    for source in sources:
        files = source.files()
        what = f"{len(files):,} files" if files else "streamed from the hub"
        say(f"source      {source.title}: {source.fraction:.1%} of the tokens, {source.path}, {what}")
    training.say_plan(trainer, "sequences", sys.maxsize, say)
    rows = training_args.train_batch_size * training_args.gradient_accumulation_steps * training_args.world_size
    tokens = rows * training_args.max_length
    say(f"tokens      {tokens:,} an update, {tokens * training_args.max_steps:,} in all", flush=True)
    training.train_and_save(trainer, resume, script_args.dataset_name, say)
    return 0


def _first_texts(sources: list["Source"]) -> list[str]:
    """The first documents of every source: what a tiny model's tokenizer is trained on."""
    from ..pretrain.sources import Position, Reader

    texts: list[str] = []
    for source in sources:
        # The texts themselves in place of their tokens.
        reader = Reader(source, seed=0, tokenize=lambda found: found, position=Position())  # type: ignore[arg-type,return-value]
        texts += islice(reader.documents(), _TINY_MODEL_TEXTS // len(sources))  # type: ignore[arg-type]
    return texts


if __name__ == "__main__":
    raise SystemExit(run("pretrain", sys.argv[1:]))
