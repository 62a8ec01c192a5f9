"""What the training scripts share: reading the data, saying what will happen, and saving what came out."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data import convert
from ..data.files import load, pick_split
from ..data.journal import keep_settings, write_settings
from ..errors import ConfigError, DataError, need
from ..generation.loading import load_tokenizer as _load_tokenizer
from ..generation.rendering import describe_prompt
from .card import add_run_to_card
from .checkpoints import Resume, find_resume
from .hub import check_hub, push, push_saved
from .learning import LearningCheck, rate_warning
from .recipes import flag_name
from .run import say
from .tiny_model import make_tiny_model, texts_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments
    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments

    from ..data.arguments import MathScriptArguments

Stage = Literal["sft", "grpo"]


def start_or_resume(args: "TrainingArguments", script_args: "MathScriptArguments | None" = None) -> Resume:
    """
    Finds where a run goes on, says so, and checks what would otherwise fail after training: the hub and the output folder.

    A finished run is not trained again; with `push_to_hub` it is pushed, since the push may be what failed.

    Args:
        args ([`~transformers.TrainingArguments`]):
            Configuration of the run.
        script_args ([`MathScriptArguments`], *optional*):
            How its prompts are written. They are kept in `prompts.yaml` of the output folder; a run with other ones does not go
            on from its checkpoints.

    Returns:
        [`Resume`]: with `finished` there is nothing left to do.

    Raises:
        ConfigError: the checkpoint that was asked for is not there or not complete, it was trained on other prompts, nobody
            is logged in to the hub, or the folder cannot be written.
        HubError: a finished model could not be pushed.
    """
    resume = find_resume(args)
    for remark in resume.remarks:
        say("resume", remark)
    check_hub(args)
    if not resume.finished:
        _check_writable(Path(str(args.output_dir)))
        if script_args is not None:
            _keep_prompts(script_args, args, resume)
        return resume
    say(
        "finished",
        f"The run in {args.output_dir} is finished; nothing is left to do but what push_to_hub asks for. Raise max_steps to go on with it, or set another output_dir.",
    )
    if args.push_to_hub and not args.process_index:
        say("pushed", push_saved(args))
    return resume


def _keep_prompts(script_args: "MathScriptArguments", args: "TrainingArguments", resume: Resume) -> None:
    file = Path(str(args.output_dir)) / "prompts.yaml"
    settings = {"prompt_mode": script_args.prompt_mode, **script_args.prompt_options()}
    if resume.checkpoint and file.exists():
        keep_settings(file, settings, fresh=False, holds=f"{args.output_dir} holds checkpoints of prompts")
    elif not args.process_index:
        write_settings(file, settings)


def _check_writable(folder: Path) -> None:
    """
    Raises:
        ConfigError: a file cannot be written in a folder that is there or in the one above it.
    """
    above = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise ConfigError(
            f"output_dir {folder} cannot be written ({error.strerror}). Set another output_dir."
        ) from error


def load_splits(script_args: "ScriptArguments", mixture: "DatasetMixtureConfig | None" = None) -> dict[str, "Dataset"]:
    """
    Loads the data set that the arguments name.

    Args:
        script_args ([`~trl.ScriptArguments`]):
            `dataset_name`, `dataset_config`, `dataset_streaming`.
        mixture ([`~trl.DatasetMixtureConfig`], *optional*):
            TRL's mixture of data sets, which takes the place of `dataset_name`.

    Returns:
        `dict[str, Dataset]`: its splits.

    Raises:
        ConfigError: no data set is named, or it is to be streamed.
        DataError: it cannot be read.
    """
    if script_args.dataset_streaming or (mixture is not None and mixture.streaming):
        raise ConfigError("Problems are counted and checked before training, which streaming rules out: leave it out.")
    if mixture is not None and mixture.datasets:
        from trl import get_dataset

        try:
            return dict(get_dataset(mixture))
        except (OSError, ValueError) as error:
            raise DataError(f"The mixture under `datasets` cannot be loaded: {error}") from error
    splits, remarks = load(script_args.dataset_name, script_args.dataset_config)
    for remark in remarks:
        say("data", remark)
    return splits


def load_problems(
    stage: Stage,
    script_args: "MathScriptArguments",
    args: "TrainingArguments",
    mixture: "DatasetMixtureConfig | None" = None,
) -> tuple["Dataset", "Dataset | None"]:
    """
    The problems to train on and, where the trainer evaluates, those to evaluate on, in TRL's columns.

    Args:
        stage (`str`):
            `"sft"` (`prompt`, `completion`) or `"grpo"` (`prompt`, `solution`).
        script_args ([`MathScriptArguments`]):
            Which data set, and how to read it.
        args ([`~transformers.TrainingArguments`]):
            Configuration of the run.
        mixture ([`~trl.DatasetMixtureConfig`], *optional*):
            TRL's mixture of data sets.

    Returns:
        `tuple[Dataset, Dataset | None]`

    Raises:
        ConfigError: no data set is named, or it is to be streamed.
        DataError: it cannot be read, has no such split, or no row of it can be used.
    """
    splits = load_splits(script_args, mixture)
    train = _convert(splits, script_args.dataset_train_split, stage, script_args)
    if args.eval_strategy == "no":
        return train, None
    return train, _convert(splits, script_args.dataset_test_split, stage, script_args)


def load_held_out(script_args: "MathScriptArguments") -> "Dataset":
    """
    The first problems of the test split, for [`MathEvaluationCallback`]: `prompt` and `solution`.

    Raises:
        DataError: there is no such split, or no row of it can be used.
    """
    problems = _convert(load_splits(script_args), script_args.dataset_test_split, "grpo", script_args)
    return problems.select(range(min(script_args.evaluate_problems, len(problems))))


def _convert(splits: dict[str, "Dataset"], split: str, stage: Stage, args: "MathScriptArguments") -> "Dataset":
    columns = (args.question_column, args.gold_column)
    found = convert(pick_split(splits, split), stage, *columns, args.prompt_mode, **args.prompt_options())
    say("data", f"{args.dataset_name or 'mixture'}, {split}: {found.report()}")
    return found.dataset


def make_missing_model(name: str | None, texts: "Dataset | Iterable[str]", max_length: int | None) -> None:
    """
    Makes a tiny model with random weights where there is none, for runs on a laptop.

    A model that a flag names is one that the user has: a misspelt name must not become random weights. It is made only with
    `--make_tiny_model` as a flag too.

    Args:
        name (`str`):
            Folder of the model.
        texts (`Dataset` or `Iterable[str]`):
            What the tokenizer is trained on: texts, or problems as [`load_problems`] returns them.
        max_length (`int`, *optional*):
            Longest sequence. If `None`, 1,024.
    """
    flags = {flag_name(word) for word in sys.argv if word.startswith("--")}
    named = "model_name_or_path" in flags and "make_tiny_model" not in flags
    if name and not named and not Path(name).exists():
        found = texts_of(texts) if hasattr(texts, "column_names") else texts
        say("tiny model", make_tiny_model(found, name, max_length or 1024))


def load_tokenizer(model_args: "ModelConfig", args: Any, plain_prompts: bool = False) -> "PreTrainedTokenizerBase":
    """
    The model's tokenizer. One without a chat template gets DeepSeekMath's, which is saved with the model.

    Args:
        model_args ([`~trl.ModelConfig`]):
            `model_name_or_path`, `model_revision`.
        args ([`~transformers.TrainingArguments`]):
            `trust_remote_code`.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Whether prompts are strings, which need no template.

    Raises:
        ConfigError: no model is named, or it cannot be loaded.
    """
    if not model_args.model_name_or_path:
        raise ConfigError("Which model? Give model_name_or_path: a folder or a name on the hub.")
    tokenizer = _load_tokenizer(
        model_args.model_name_or_path,
        revision=model_args.model_revision,
        trust_remote_code=args.trust_remote_code,
        chat_template=False,
    )
    if tokenizer.chat_template is None and not plain_prompts:
        from ..data import CHAT_TEMPLATE

        say("prompts", "the tokenizer has no chat template: DeepSeekMath's is used and saved with the model")
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def set_model_init(args: Any, model_args: "ModelConfig") -> None:
    """
    Hands the model's settings to the trainer's configuration, as TRL's own scripts do.

    Args:
        args ([`~transformers.TrainingArguments`]):
            Configuration of the run; its `model_init_kwargs` are completed.
        model_args ([`~trl.ModelConfig`]):
            The model's settings.

    Raises:
        MissingDependencyError: a package that the settings need is absent; the message names the extra.
    """
    if model_args.use_peft:
        need("peft", "LoRA adapters", "peft")
    if model_args.load_in_8bit or model_args.load_in_4bit:
        need("bitsandbytes", "8-bit and 4-bit weights", "quantization")
    if getattr(args, "use_vllm", False):  # TRL's client of a server wants it too
        need("vllm", "Samples by vLLM", "vllm")
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "trust_remote_code": args.trust_remote_code,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
    }


def show_prompt(rows: "Dataset", tokenizer: "PreTrainedTokenizerBase") -> None:
    """
    Prints the first prompt as the model reads it, and the system prompt that the chat template puts in, if it does.

    Args:
        rows (`Dataset`):
            Rows with `prompt`, `messages` or `text`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            The model's tokenizer.

    Raises:
        ConfigError: the chat template refuses the messages.
    """
    row = rows[0]
    prompt = row.get("prompt") or row.get("messages") or row.get("text") or ""
    if not isinstance(prompt, str) and prompt[-1].get("role") == "assistant":
        prompt = prompt[:-1]
    for what, line in describe_prompt(prompt, tokenizer):
        say(what, line)


def describe_run(trainer: "Trainer", unit: str, rows: int, stage: Stage | None = None) -> None:
    """
    Prints in a few lines what is about to be trained, in what batches, and for how long.

    Args:
        trainer ([`~transformers.Trainer`]):
            The trainer, ready to train.
        unit (`str`):
            What a batch is made of, in the plural.
        rows (`int`):
            How many of them the data give in one epoch.
        stage (`str`, *optional*):
            `"sft"` or `"grpo"`, to warn of a learning rate far from what is usual for the size of the model.
    """
    args: Any = trainer.args
    model: Any = trainer.model
    total = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    say("model", f"{model.config._name_or_path}: {total:,} parameters, {trained:,} trained")
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    say(
        "batch",
        f"{batch:,} {unit} = {args.train_batch_size} per process x {args.gradient_accumulation_steps} "
        f"micro-batches x {args.world_size} processes",
    )
    if rows < batch:
        name = "global_batch_size" if hasattr(args, "global_batch_size") else "gradient_accumulation_steps"
        say("warning", f"an epoch has only {rows:,} {unit}, and no update sees more: lower {name}")
    length = f"{args.max_steps:,} updates" if args.max_steps > 0 else f"{args.num_train_epochs:g} epochs"
    say(
        "training",
        f"{length}, learning rate {args.learning_rate:g} ({args.lr_scheduler_type.value}), seed {args.seed}",
    )
    if stage and (far := rate_warning(stage, args.learning_rate, total, lora=hasattr(model, "peft_config"))):
        say("warning", far)
    say("output", f"{args.output_dir}")


def describe_lengths(trainer: "Trainer", rows: int) -> None:
    """
    Prints into how many sequences SFT examples were packed, and how many are truncated: they lose their final answer.

    Args:
        trainer ([`~trl.SFTTrainer`]):
            The trainer, ready to train.
        rows (`int`):
            Examples before packing.

    Raises:
        DataError: every example is truncated, so that hardly anything would be learned.
    """
    args: Any = trainer.args
    data: Any = trainer.train_dataset
    if args.packing:
        say("packing", f"{rows:,} examples into {len(data):,} sequences of at most {args.max_length:,} tokens")
    if args.max_length is None or (args.packing and args.packing_strategy != "bfd") or args.dataset_kwargs:
        return  # nothing is truncated, or the user prepared the data
    if args.packing:
        lengths = [length for lengths in data["seq_lengths"] for length in lengths]
    else:  # TRL leaves out examples of which only a part of the prompt is left
        lengths = [len(ids) for ids in data["input_ids"]] + [args.max_length] * (rows - len(data))
    cut = sum(length >= args.max_length for length in lengths)
    if cut == len(lengths):
        raise DataError(
            f"Every example has {args.max_length:,} tokens or more and would be truncated: raise max_length."
        )
    if cut:
        say(
            "warning",
            f"{cut:,} examples are truncated at {args.max_length:,} tokens and lose their end: see max_length",
        )


def train_and_save(
    trainer: "Trainer",
    resume: Resume,
    dataset_name: str | None = None,
    evaluation: Callable[[dict[str, float]], str] | None = None,
) -> None:
    """
    Trains, saves the model, its card with recipe and metrics, and the logged metrics; pushes; closes the trackers.

    Args:
        trainer ([`~transformers.Trainer`]):
            The trainer, ready to train.
        resume ([`Resume`]):
            Where to go on, as [`start_or_resume`] found it.
        dataset_name (`str`, *optional*):
            Name of the data set, for the card.
        evaluation (`callable`, *optional*):
            Turns the metrics of an evaluation after training into text. If `None`, nothing is evaluated.

    Raises:
        HubError: the model is saved and cannot be pushed.
    """
    args: Any = trainer.args
    trainer.add_callback(LearningCheck())
    add_run_to_card(trainer)
    trainer.train(resume_from_checkpoint=resume.checkpoint)
    if evaluation is not None:
        say("evaluation", "\n" + evaluation(trainer.evaluate()))
    trainer.save_model(args.output_dir, _internal_call=True)  # the other kind pushes before state and card are there
    trainer.save_state()
    # A card names a data set on the hub; a local path would become a dead link.
    on_hub = dataset_name if dataset_name and not Path(dataset_name).exists() else None
    writer: Any = trainer  # TRL's trainers take the data set's name
    writer.create_model_card(model_name=Path(str(args.output_dir)).name, dataset_name=on_hub)
    say("saved", f"{args.output_dir} (metrics of every logged step: trainer_state.json)")
    if args.push_to_hub:
        say("pushed", push(trainer, on_hub))
    if hasattr(trainer, "end"):  # transformers >= 5.18: closes trackers and the process group
        trainer.end()
