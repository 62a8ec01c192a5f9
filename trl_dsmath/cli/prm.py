"""`dsmath prm`: train a process reward model on step labels (paper §4.1.3). Also `accelerate launch -m trl_dsmath.cli.prm`."""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import run
from .launch import parse, stage_parser

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import TrlParser


@dataclass
class PRMScriptArguments:
    """
    Where the labelled steps are.

    Args:
        dataset_name (`str`, *optional*):
            A `.jsonl` file or a folder with `train.jsonl` (what `dsmath annotate` writes), or a name on the hub. Rows with
            `prompt`, `completions` (steps) and `labels` (one a step).
        dataset_config (`str`, *optional*):
            Configuration of a data set on the hub.
        dataset_train_split (`str`, *optional*, defaults to `"train"`):
            Split to train on.
        dataset_test_split (`str`, *optional*, defaults to `"test"`):
            Split to evaluate on, where there is one.
        holdout (`float`, *optional*, defaults to `0.05`):
            Share of the prompts, with all their solutions, that is kept for the evaluation where there is no such split.
            0 trains on all and evaluates nothing.
        dataset_streaming (`bool`, *optional*, defaults to `False`):
            Not supported; here for a clear message.
    """

    dataset_name: str | None = field(
        default=None, metadata={"help": "File, folder or name on the hub: rows of prompt, completions, labels."}
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of a data set on the hub."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to train on."})
    dataset_test_split: str = field(default="test", metadata={"help": "Split to evaluate on, where there is one."})
    holdout: float = field(
        default=0.05, metadata={"help": "Share of the prompts kept for evaluation where there is no test split."}
    )
    dataset_streaming: bool = field(default=False, metadata={"help": "Not supported."})

    def __post_init__(self) -> None:
        if not 0.0 <= self.holdout < 1.0:
            raise ConfigError(f"holdout is a share of the prompts, from 0 to below 1, not {self.holdout}.")


def make_parser() -> "TrlParser":
    """The parser of this stage: script arguments, [`PRMConfig`], TRL's model and mixture arguments."""
    from trl import DatasetMixtureConfig, ModelConfig

    from ..prm import PRMConfig

    return stage_parser("prm", PRMScriptArguments, PRMConfig, ModelConfig, DatasetMixtureConfig)


def hold_out(rows: "Dataset", share: float, seed: int) -> tuple["Dataset", "Dataset | None"]:
    """Splits off a share of the prompts: solutions of one problem on both sides would make the figures too good."""
    keys = [json.dumps(prompt, sort_keys=True, default=str) for prompt in rows["prompt"]]
    prompts = sorted(set(keys))
    count = round(share * len(prompts))
    if share and len(prompts) > 1:
        count = max(1, count)
    if not count:
        return rows, None
    held = set(random.Random(seed).sample(prompts, count))
    train = [number for number, key in enumerate(keys) if key not in held]
    test = [number for number, key in enumerate(keys) if key in held]
    return rows.select(train), rows.select(test)


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    parsed = parse("prm", make_parser(), sys.argv[1:] if argv is None else argv)
    if isinstance(parsed, int):
        return parsed
    script_args, training_args, model_args, mixture = parsed

    from trl import get_peft_config, get_quantization_config

    from ..prm import PRMTrainer
    from ..scripts import training

    say = training.sayer(training_args)
    resume = training.resume_or_say_done(training_args, say)
    if resume.finished:
        return 0
    with training_args.main_process_first(desc="reading the data"):
        train, test = _read_splits(script_args, mixture, training_args, say)
        # A plain tokenizer: a PRM reads prompts as they are, so no chat template is put in.
        tokenizer = training.load_tokenizer(model_args, training_args, True, say)
    training.check_extras(training_args, model_args)
    training.set_model_init(training_args, model_args)
    quantization = get_quantization_config(model_args)
    if quantization is not None and training_args.prm_type == "token_classification":
        quantization.llm_int8_skip_modules = ["score", "classifier"]  # the head is new, and trained as it is
    training_args.model_init_kwargs["quantization_config"] = quantization
    trainer = PRMTrainer(
        str(model_args.model_name_or_path),
        args=training_args,
        train_dataset=train,
        eval_dataset=test,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
    )
    for name, prepared in trainer.prepared.items():
        say(f"labels      {name}: {prepared.report()}; {_count_labels(prepared.dataset)}")
    say(f"model is    {training_args.prm_type}, layout {training_args.layout}")
    training.say_plan(trainer, "solutions", len(trainer.train_dataset), say)  # type: ignore[arg-type]
    if test is not None:
        trainer.add_callback(_evaluate_at_the_end(trainer, say))
    training.train_and_save(trainer, resume, script_args.dataset_name, say)
    return 0


def _read_splits(
    script_args: PRMScriptArguments, mixture: Any, args: Any, say: Callable[..., None]
) -> "tuple[Dataset, Dataset | None]":
    """The rows to train on and, if there are any, to evaluate on."""
    from ..scripts import training

    splits = training.load_splits(script_args, mixture, say)  # type: ignore[arg-type]
    train = training.pick_split(splits, script_args.dataset_train_split)
    test = splits.get(script_args.dataset_test_split)
    if test is None and "prompt" in train.column_names:
        train, test = hold_out(train, script_args.holdout, args.seed)
        if test is not None:
            say(f"data        {len(test):,} solutions of {script_args.holdout:.0%} of the prompts are held out")
    if test is None and args.eval_strategy != "no":
        raise ConfigError("There is nothing to evaluate on: give a test split or a holdout, or --eval_strategy no.")
    return train, test


def _count_labels(rows: "Dataset") -> str:
    """How many steps have a label, and how many of them are right: what always saying "right" would get."""
    labels = [label for row in rows["labels"] for label in row if label is not None]
    return f"{len(labels):,} labelled steps, {sum(label >= 0.5 for label in labels) / len(labels):.1%} right"


def _evaluate_at_the_end(trainer: Any, say: Callable[..., None]) -> Any:
    """A callback that evaluates when training is over and prints the figures, before the model card is written."""
    from transformers import TrainerCallback

    from ..prm.metrics import metrics_table

    class EvaluateAtTheEnd(TrainerCallback):
        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            say(f"evaluation\n{metrics_table(trainer.evaluate())}", flush=True)

    return EvaluateAtTheEnd()


if __name__ == "__main__":
    raise SystemExit(run("prm", sys.argv[1:]))
