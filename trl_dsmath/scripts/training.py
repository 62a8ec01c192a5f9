"""What the training commands share: reading the data, saying what will happen, and saving what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data import CHAT_TEMPLATE, convert
from ..data.files import load
from ..errors import ConfigError, DataError, need
from .card import add_run_to_card
from .checkpoints import Resume, find_resume
from .hub import check_hub, push

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, TrainingArguments
    from trl import DatasetMixtureConfig, ModelConfig

    from .arguments import MathScriptArguments

Say = Callable[..., None]  # a print that only the first process does


def sayer(args: "TrainingArguments") -> Say:
    """A `print` for the first process; the others keep quiet."""
    return print if args.process_index == 0 else lambda *_, **__: None


def resume_or_say_done(args: "TrainingArguments", say: Say) -> Resume:
    """Finds the checkpoint to go on from and says so; a run that is to be pushed gets its repository."""
    resume = find_resume(args)
    for remark in resume.remarks:
        say(f"resume      {remark}")
    if resume.finished:
        say(
            f"The run in {args.output_dir} is finished; nothing is left to do. Raise --max_steps to go on with it, or "
            "give another --output_dir."
        )
    else:
        check_hub(args)
    return resume


def load_splits(script_args: "MathScriptArguments", mixture: "DatasetMixtureConfig", say: Say) -> dict[str, "Dataset"]:
    """Loads the data set that the arguments name.

    Raises:
        ConfigError: no data set is named, or it is to be streamed.
        DataError: it cannot be read.
    """
    if script_args.dataset_streaming or mixture.streaming:
        raise ConfigError("Problems are counted and checked before training, which streaming rules out: leave it out.")
    if mixture.datasets:
        from trl import get_dataset

        try:
            return dict(get_dataset(mixture))
        except (OSError, ValueError) as error:
            raise DataError(f"The mixture under `datasets` cannot be loaded: {error}") from error
    return load_named(script_args, say)


def load_named(args: Any, say: Say) -> dict[str, "Dataset"]:
    """Loads `dataset_name`.

    Raises:
        ConfigError: no data set is named.
        DataError: it cannot be read.
    """
    if not args.dataset_name:
        raise ConfigError(
            "Which problems? Give --dataset_name: a .jsonl file, a folder with train.jsonl, or a name on the hub "
            "(openai/gsm8k, with --dataset_config main)."
        )
    splits, remarks = load(args.dataset_name, args.dataset_config)
    for remark in remarks:
        say(f"data        {remark}")
    return splits


def pick_split(splits: dict[str, "Dataset"], split: str, flags: str = "--dataset_train_split") -> "Dataset":
    """One split.

    Raises:
        DataError: there is no such split.
    """
    if split not in splits:
        raise DataError(f"There is no split {split!r}; there are: {', '.join(splits)}. Name one with {flags}.")
    return splits[split]


def convert_problems(dataset: "Dataset", split: str, stage: Literal["sft", "grpo"], args: Any, say: Say) -> "Dataset":
    """Rows of problems in TRL's columns; says how many are used and what was dropped.

    Raises:
        DataError: no row can be used.
    """
    converted = convert(dataset, stage, args.question_column, args.gold_column, args.prompt_mode, args.plain_prompts)
    say(f"data        {args.dataset_name or 'mixture'}, {split}: {converted.report()}")
    return converted.dataset


def load_problems(
    stage: Literal["sft", "grpo"],
    script_args: "MathScriptArguments",
    args: "TrainingArguments",
    mixture: "DatasetMixtureConfig",
    say: Say,
) -> tuple["Dataset", "Dataset | None"]:
    """The problems to train on and, where the run evaluates, those to evaluate on, in TRL's columns.

    Raises:
        ConfigError: no data set is named, or it is to be streamed.
        DataError: it cannot be read, has no such split, or no row of it can be used.
    """
    splits = load_splits(script_args, mixture, say)
    names = [script_args.dataset_train_split]
    if args.eval_strategy != "no":
        names.append(script_args.dataset_test_split)
    flags = "--dataset_train_split or --dataset_test_split"
    found = [convert_problems(pick_split(splits, name, flags), name, stage, script_args, say) for name in names]
    return found[0], found[1] if len(found) > 1 else None


def load_tokenizer(model_args: "ModelConfig", args: Any, plain: bool, say: Say) -> "PreTrainedTokenizerBase":
    """The model's tokenizer. One without a chat template gets DeepSeekMath's, which is saved with the model."""
    from transformers import AutoTokenizer

    from ..generation.loading import model_errors

    if not model_args.model_name_or_path:
        raise ConfigError("Which model? Give --model_name_or_path: a folder or a name on the hub.")
    with model_errors(model_args.model_name_or_path):
        tokenizer = AutoTokenizer.from_pretrained(
            model_args.model_name_or_path,
            revision=model_args.model_revision,
            trust_remote_code=args.trust_remote_code,
            padding_side="left",  # what GRPO generates with; SFT pads by itself
            truncation_side="left",
        )
    if tokenizer.chat_template is None and not plain:
        say("prompts     the tokenizer has no chat template: DeepSeekMath's is used and saved with the model")
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def set_model_init(args: Any, model_args: "ModelConfig") -> None:
    """Hands the model's settings to the trainer, as TRL's own scripts do."""
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "trust_remote_code": args.trust_remote_code,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
    }


def check_extras(args: Any, model_args: "ModelConfig") -> None:
    """Raises for a package that the settings need and that is not there, before a model is loaded.

    Raises:
        MissingDependencyError: the message names the extra.
    """
    if model_args.use_peft:
        need("peft", "LoRA adapters", "peft")
    if model_args.load_in_8bit or model_args.load_in_4bit:
        need("bitsandbytes", "8-bit and 4-bit weights", "quantization")
    if getattr(args, "use_vllm", False):  # TRL's client of a server wants it too
        need("vllm", "Samples by vLLM", "vllm")


def trainer_arguments(args: Any, model_args: "ModelConfig", tokenizer: "PreTrainedTokenizerBase") -> dict[str, Any]:
    """What the trainers of policies are given besides data and rewards: model, settings, tokenizer, quantization, LoRA."""
    from trl import get_peft_config, get_quantization_config

    check_extras(args, model_args)
    set_model_init(args, model_args)
    return {
        "model": model_args.model_name_or_path,
        "args": args,
        "processing_class": tokenizer,
        "quantization_config": get_quantization_config(model_args),
        "peft_config": get_peft_config(model_args),
    }


def say_plan(trainer: Any, unit: str, rows: int, say: Say) -> None:
    """Says in a few lines what is about to be trained, in what batches, and for how long.

    Args:
        trainer ([`~transformers.Trainer`]):
            The trainer, ready to train.
        unit (`str`):
            What a batch is made of.
        rows (`int`):
            How many of them the data give in one epoch.
        say (`callable`):
            Prints a line.
    """
    args = trainer.args
    total = sum(parameter.numel() for parameter in trainer.model.parameters())
    trained = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    say(f"model       {trainer.model.config._name_or_path}: {total:,} parameters, {trained:,} trained")
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    say(
        f"batch       {batch:,} {unit} = {args.train_batch_size} a process x {args.gradient_accumulation_steps} "
        f"micro-batches x {args.world_size} processes"
    )
    if rows < batch:
        flag = "--global_batch_size" if hasattr(args, "global_batch_size") else "--gradient_accumulation_steps"
        say(f"warning     an epoch has only {rows:,} {unit}, and no update sees more: lower {flag}")
    length = f"{args.max_steps:,} updates" if args.max_steps > 0 else f"{args.num_train_epochs:g} epochs"
    say(
        f"training    {length}, learning rate {args.learning_rate:g} ({args.lr_scheduler_type.value}), seed {args.seed}"
    )
    say(f"output      {args.output_dir}", flush=True)


def say_packing(trainer: Any, rows: int, say: Say) -> None:
    """Says into how many sequences the examples went, and how many were cut off: they lose their final answer.

    Raises:
        DataError: every example is cut off, so that hardly anything would be learnt.
    """
    args = trainer.args
    data = trainer.train_dataset
    if args.packing:
        say(f"packing     {rows:,} examples into {len(data):,} sequences of at most {args.max_length:,} tokens")
    if args.max_length is None or (args.packing and args.packing_strategy != "bfd") or args.dataset_kwargs:
        return  # nothing is cut off, or the user prepared the data
    if args.packing:
        lengths = [length for lengths in data["seq_lengths"] for length in lengths]
    else:  # TRL leaves out examples of which only a part of the prompt is left
        lengths = [len(ids) for ids in data["input_ids"]] + [args.max_length] * (rows - len(data))
    cut = sum(length >= args.max_length for length in lengths)
    if cut == len(lengths):
        raise DataError(
            f"Every example has {args.max_length:,} tokens or more and would be cut off: raise --max_length."
        )
    if cut:
        say(
            f"warning     {cut:,} examples are cut off at {args.max_length:,} tokens and lose their end: see --max_length"
        )


def train_and_save(trainer: Any, resume: Resume, dataset_name: str | None, say: Say) -> None:
    """Trains, saves the model, its card with recipe and figures, and the logged figures, and closes the trackers."""
    args = trainer.args
    add_run_to_card(trainer)
    trainer.train(resume_from_checkpoint=resume.checkpoint)
    trainer.save_model(args.output_dir, _internal_call=True)  # the other kind pushes before state and card are there
    trainer.save_state()
    # A card names a data set on the hub; a local path would become a dead link.
    on_hub = dataset_name if dataset_name and not Path(dataset_name).exists() else None
    trainer.create_model_card(model_name=Path(str(args.output_dir)).name, dataset_name=on_hub)
    say(f"saved       {args.output_dir} (figures of every logged step: trainer_state.json)")
    if args.push_to_hub:
        say(f"pushed      {push(trainer, on_hub)}")
    if hasattr(trainer, "end"):  # transformers >= 5.18: closes trackers and the process group
        trainer.end()
