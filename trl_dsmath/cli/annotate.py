"""`dsmath annotate`: step labels from roll-outs (Math-Shepherd), for training a process reward model (paper §4.1.3)."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError
from ..generation import SamplerConfig, load_sampler
from ..scripts.hub import make_repository
from . import run
from .launch import parse, stage_parser

if TYPE_CHECKING:
    from trl import ModelConfig, TrlParser


@dataclass
class AnnotateArguments:
    """
    What is annotated, how, and where the labels go.

    Args:
        dataset_name (`str`, *optional*):
            A `.jsonl` file, a folder with `train.jsonl`, or a name on the hub. Rows with `prompt`, a gold answer and
            `completions` (steps) or `completion` (text) are labelled as they are. Rows with `prompt` and a gold answer,
            or with a question and an answer as data sets of problems have them, are solved first.
        dataset_config (`str`, *optional*):
            Configuration of a data set on the hub.
        dataset_train_split (`str`, *optional*, defaults to `"train"`):
            Split to annotate.
        max_problems (`int`, *optional*):
            How many rows to take, from the first. If `None`, all.
        output_dir (`str`, *optional*):
            Folder for the labels, `train.jsonl`.
        mode (`str`, *optional*, defaults to `"hard"`):
            `"hard"`, `"soft"` or `"first_error"`.
        num_rollouts (`int`, *optional*, defaults to `8`):
            Roll-outs a prefix, at most (Math-Shepherd's N).
        num_solutions (`int`, *optional*, defaults to `15`):
            Solutions to sample a problem, where none are given.
        wave (`int`, *optional*, defaults to `2`):
            Roll-outs of a prefix drawn together before it is looked at again.
        problems_at_once (`int`, *optional*, defaults to `16`):
            Problems worked on together.
        temperature (`float`, *optional*, defaults to `1.0`):
            Temperature of solutions and roll-outs.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest solution, and longest roll-out.
        stop (`list[str]`, *optional*):
            Strings that end a solution. Needed for base models, which go on with another question.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.
        engine (`str`, *optional*, defaults to `"transformers"`):
            `"transformers"`, `"vllm"` (in this process) or `"server"` (vLLM, elsewhere).
        vllm_server_base_url (`str`, *optional*, defaults to `"http://localhost:8000"`):
            Where the server of `engine="server"` listens.
        batch_size (`int`, *optional*):
            Samples computed at a time by transformers. If `None`, chosen by the memory.
        use_cpu (`bool`, *optional*, defaults to `False`):
            Whether to stay on the CPU where there is a GPU.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Whether a model on the hub may bring its own code.
        question_column (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold_column (`str`, *optional*):
            Column of the answer. If `None`, it is looked for by the usual names.
        prompt_mode (`str`, *optional*, defaults to `"cot"`):
            Which of the paper's instructions ends a question: `"cot"` or `"tool"`.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Whether to write prompts as strings instead of messages, without the tokenizer's chat template.
        hub_dataset_id (`str`, *optional*):
            `user/name` to publish the labels under when they are complete.
        hub_private (`bool`, *optional*, defaults to `False`):
            Whether a new data set on the hub is private.
    """

    dataset_name: str | None = field(default=None, metadata={"help": "A .jsonl file, a folder, or a name on the hub."})
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of a data set on the hub."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to annotate."})
    max_problems: int | None = field(default=None, metadata={"help": "How many rows to take; all when left out."})
    output_dir: str | None = field(default=None, metadata={"help": "Folder for the labels, train.jsonl."})
    mode: Literal["hard", "soft", "first_error"] = field(
        default="hard",
        metadata={"help": "Any roll-out right, the fraction right, or the first bad step by bisection."},
    )
    num_rollouts: int = field(default=8, metadata={"help": "Roll-outs a prefix at most (Math-Shepherd: N = 8)."})
    num_solutions: int = field(default=15, metadata={"help": "Solutions a problem, sampled where none are given."})
    wave: int = field(default=2, metadata={"help": "Roll-outs of a prefix drawn together; changes only the cost."})
    problems_at_once: int = field(default=16, metadata={"help": "Problems worked on together; changes only speed."})
    temperature: float = field(default=1.0, metadata={"help": "Temperature of solutions and roll-outs."})
    top_p: float = field(default=1.0, metadata={"help": "Share of the probability that is sampled from."})
    max_new_tokens: int = field(default=1024, metadata={"help": "Longest solution, and longest roll-out."})
    stop: list[str] | None = field(default=None, metadata={"help": "Strings that end a solution (base models)."})
    seed: int = field(default=0, metadata={"help": "Seed of all random streams."})
    engine: Literal["transformers", "vllm", "server"] = field(
        default="transformers", metadata={"help": "What samples: server is vLLM, elsewhere."}
    )
    vllm_server_base_url: str = field(
        default=SamplerConfig().vllm_server_base_url, metadata={"help": "Where the server listens."}
    )
    batch_size: int | None = field(default=None, metadata={"help": "Samples at a time; by memory when left out."})
    use_cpu: bool = field(default=False, metadata={"help": "Stay on the CPU where there is a GPU."})
    trust_remote_code: bool = field(default=False, metadata={"help": "A model on the hub may bring its own code."})
    question_column: str | None = field(default=None, metadata={"help": "Column of the question."})
    gold_column: str | None = field(default=None, metadata={"help": "Column of the answer."})
    prompt_mode: Literal["cot", "tool"] = field(default="cot", metadata={"help": "The paper's instruction."})
    plain_prompts: bool = field(default=False, metadata={"help": "Prompts as strings (`User: ...`)."})
    hub_dataset_id: str | None = field(default=None, metadata={"help": "user/name to publish the labels under."})
    hub_private: bool = field(default=False, metadata={"help": "Whether a new data set on the hub is private."})


def make_parser() -> "TrlParser":
    """The parser of this stage: [`AnnotateArguments`] and TRL's model arguments."""
    from trl import ModelConfig

    return stage_parser("annotate", AnnotateArguments, ModelConfig)


def main(argv: list[str] | None = None) -> int:
    """Runs the stage.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: the exit code.
    """
    parsed = parse("annotate", make_parser(), sys.argv[1:] if argv is None else argv)
    if isinstance(parsed, int):
        return parsed
    args, model_args = parsed
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "annotate runs in one process. To use several GPUs: --engine vllm or server, or one run a part of the data, each with "
            "its own --output_dir and GPU (CUDA_VISIBLE_DEVICES)."
        )
    if not args.output_dir:
        raise ConfigError("Where to? Give --output_dir: the labels are written to train.jsonl in it.")

    from ..generation import Decoding
    from ..scripts import training
    from ..shepherd import annotate, push_to_hub
    from ..shepherd.settings import Settings

    decoding = Decoding(args.max_new_tokens, args.temperature, args.top_p, tuple(args.stop or ()), args.seed)
    # Checked before a model is loaded.
    Settings(args.mode, args.num_rollouts, args.num_solutions, decoding, args.wave, args.problems_at_once)
    training.check_extras(args, model_args)
    completer = sampler_config(args, model_args)
    if args.hub_dataset_id:
        make_repository(args.hub_dataset_id, "--hub_dataset_id", "dataset", args.hub_private)
    rows = load_rows(args)
    output = Path(args.output_dir) / "train.jsonl"
    sampler = load_sampler(completer)
    print(f"model       {sampler.name}")
    print(f"labels      {args.mode}, at most {args.num_rollouts} roll-outs a prefix, temperature {args.temperature:g}")
    print(f"output      {output}", flush=True)
    summary = annotate(
        rows,
        sampler,
        output,
        mode=args.mode,
        num_rollouts=args.num_rollouts,
        num_solutions=args.num_solutions,
        decoding=decoding,
        wave=args.wave,
        problems_at_once=args.problems_at_once,
    )
    print(f"used        {summary.skipped}")
    print(summary.report())
    print(f"saved       {output}")
    if args.hub_dataset_id:
        print(f"pushed      {push_to_hub(output, args.hub_dataset_id, private=args.hub_private)}")
    return 0


def load_rows(args: AnnotateArguments) -> list[dict[str, Any]]:
    """Rows for [`~trl_dsmath.shepherd.annotate`]; questions get the paper's instruction, prompts stay as they are.

    Raises:
        ConfigError: no data set is named.
        DataError: it cannot be read, or has no such split.
    """
    from ..scripts import training

    dataset = training.pick_split(training.load_named(args, print), args.dataset_train_split)
    if args.max_problems is not None:
        dataset = dataset.select(range(min(args.max_problems, len(dataset))))
    if "prompt" not in dataset.column_names:
        dataset = training.convert_problems(dataset, args.dataset_train_split, "grpo", args, print)
        dataset = dataset.select_columns(["prompt", "solution"])
    return dataset.to_list()


def sampler_config(args: AnnotateArguments, model_args: "ModelConfig") -> SamplerConfig:
    """The completer: which model, in what form, by which engine.

    Raises:
        ConfigError: an engine that takes whole models only.
    """
    given = {**vars(model_args), **vars(args)}
    return SamplerConfig(**{name: given[name] for name in SamplerConfig.names() if name in given})


if __name__ == "__main__":
    raise SystemExit(run("annotate", sys.argv[1:]))
