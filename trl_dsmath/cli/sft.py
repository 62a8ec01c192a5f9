"""`dsmath sft`: fine-tune a model on worked solutions (paper §3). Also `accelerate launch -m trl_dsmath.cli.sft`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import run
from .launch import parse, stage_parser

if TYPE_CHECKING:
    from trl import TrlParser


def make_parser() -> "TrlParser":
    """The parser of this stage: script arguments, [`MathSFTConfig`], TRL's model and mixture arguments."""
    from trl import DatasetMixtureConfig, ModelConfig

    from ..scripts.arguments import SFTScriptArguments
    from ..sft import MathSFTConfig

    return stage_parser("sft", SFTScriptArguments, MathSFTConfig, ModelConfig, DatasetMixtureConfig)


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    parsed = parse("sft", make_parser(), sys.argv[1:] if argv is None else argv)
    if isinstance(parsed, int):
        return parsed
    script_args, training_args, model_args, mixture = parsed

    from ..scripts import training
    from ..sft import MathSFTTrainer

    say = training.sayer(training_args)
    resume = training.resume_or_say_done(training_args, say)
    if resume.finished:
        return 0
    with training_args.main_process_first(desc="reading the data"):
        train, evaluation = training.load_problems("sft", script_args, training_args, mixture, say)
        if script_args.make_tiny_model and not Path(str(model_args.model_name_or_path)).exists():
            from ..scripts.tiny_model import make_tiny_model, texts_of

            say(make_tiny_model(texts_of(train), model_args.model_name_or_path, training_args.max_length or 1024))
        tokenizer = training.load_tokenizer(model_args, training_args, script_args.plain_prompts, say)
    common = training.trainer_arguments(training_args, model_args, tokenizer)
    trainer = MathSFTTrainer(train_dataset=train, eval_dataset=evaluation, **common)
    training.say_packing(trainer, len(train), say)
    training.say_plan(trainer, "sequences", len(trainer.train_dataset), say)  # type: ignore[arg-type]
    training.train_and_save(trainer, resume, script_args.dataset_name, say)
    return 0


if __name__ == "__main__":
    raise SystemExit(run("sft", sys.argv[1:]))
