"""Step labels by rollouts, to train a process reward model (Math-Shepherd, §4.1.3 of the paper). Copy and edit.

python recipes/annotate/annotate.py --config recipes/annotate/gpu24.yaml
python recipes/annotate/annotate.py --model MODEL --dataset_name problems.jsonl --output_dir labels --mode first_error
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trl_dsmath.data import PromptArguments, convert, load_split
from trl_dsmath.data.prompts import refuse_for_ready_prompts
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import SamplerConfig, describe_prompt, load_sampler
from trl_dsmath.scripts import ScriptParser, make_repository, run_script, say
from trl_dsmath.shepherd import AnnotateConfig, annotate, push_to_hub


@dataclass
class AnnotateArguments(PromptArguments):
    dataset_name: str | None = field(default=None, metadata={"help": "A .jsonl file, a folder, or a name on the hub."})
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of a data set on the hub."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to annotate."})
    max_problems: int | None = field(default=None, metadata={"help": "Number of rows (default: all)."})
    output_dir: str | None = field(default=None, metadata={"help": "Folder for the labels, train.jsonl."})
    question_column: str | None = field(
        default=None, metadata={"help": "Column of the question, if not a usual name."}
    )
    gold_column: str | None = field(
        default=None, metadata={"help": "Column of the right answer, if not a usual name."}
    )
    prompt_mode: Literal["cot", "tool"] = field(default="cot", metadata={"help": "The paper's instruction."})
    hub_dataset_id: str | None = field(default=None, metadata={"help": "user/name to publish the labels under."})
    hub_private: bool = field(default=False, metadata={"help": "Whether a new data set on the hub is private."})


ARGUMENTS = (AnnotateArguments, AnnotateConfig, SamplerConfig)


def main() -> None:
    parser = ScriptParser(ARGUMENTS, description="Label the steps of solutions by rollouts (Math-Shepherd).")
    args, config, model = parser.parse_args_and_config()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "annotate runs in one process. To use several GPUs: --engine vllm or server, or one run per part of the data, each "
            "with its own --output_dir and GPU (CUDA_VISIBLE_DEVICES)."
        )
    if not args.output_dir:
        raise ConfigError("Where to? Give --output_dir: the labels are written to train.jsonl in it.")
    if args.hub_dataset_id:  # a login that is missing is found now, not after a day
        make_repository(args.hub_dataset_id, "--hub_dataset_id", "dataset", args.hub_private)

    # Rows with a prompt stay as they are; a question gets the instruction.
    dataset = load_split(args.dataset_name, args.dataset_config, args.dataset_train_split)
    if args.max_problems is not None:
        dataset = dataset.select(range(min(args.max_problems, len(dataset))))
    form = {"prompt_mode": args.prompt_mode, **args.prompt_options()}
    if "prompt" in dataset.column_names:
        refuse_for_ready_prompts(args.instruction, args.system_prompt)
    else:
        columns = {"question_column": args.question_column, "gold_column": args.gold_column}
        converted = convert(dataset, "grpo", **columns, **form)
        print(f"data        {args.dataset_name}: {converted.report()}")
        dataset = converted.dataset.select_columns(["prompt", "solution"])

    sampler = load_sampler(model)
    output = Path(args.output_dir) / "train.jsonl"
    print(f"model       {sampler.name}")
    print(
        f"labels      {config.mode}, at most {config.num_rollouts} rollouts per prefix, temperature {config.temperature:g}"
    )
    print(f"output      {output}", flush=True)
    for what, line in describe_prompt(dataset[0]["prompt"], sampler):
        say(what, line)
    summary = annotate(dataset.to_list(), sampler, output, prompts=form, **config.arguments())
    print(f"used        {summary.skipped}")
    print(summary.report())
    print(f"saved       {output}")
    if args.hub_dataset_id:
        print(f"pushed      {push_to_hub(output, args.hub_dataset_id, private=args.hub_private)}")


if __name__ == "__main__":
    run_script(main)
