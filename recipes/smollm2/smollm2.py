"""A real model through every stage on a laptop: SmolLM2-135M-Instruct, word problems, GSM8K. Copy and edit.

    python recipes/smollm2/smollm2.py --output_dir runs/smollm2
    python recipes/smollm2/smollm2.py --model models/smollm2 --gsm8k path/to/gsm8k      (where there is no hub)

SFT on short GSM8K problems, GRPO on word problems of one operation, step labels by rollouts, a process reward model, GRPO by
steps, votes, 8 and 4 bits. Each stage is a `dsmath` command that is printed before it runs, so that it can be copied. A run that was
stopped goes on. `problems.py` makes the problems, `results.py` the page, `from_wheel.py` the model folder without the hub.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import results
from problems import short_gsm8k, word_problems

from trl_dsmath.data.journal import differing, write_rows, write_whole
from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts import ScriptParser, recipe_script, run_script, say
from trl_dsmath.scripts.run import PROGRAM


@dataclass(frozen=True)
class Settings:
    """Everything that the figures depend on. A folder belongs to one choice of them."""

    model: str = field(default="HuggingFaceTB/SmolLM2-135M-Instruct", metadata={"help": "Folder, or name on the hub."})
    gsm8k: str = field(default="openai/gsm8k", metadata={"help": "GSM8K: name on the hub, or a folder."})
    sft_steps: int = field(default=16, metadata={"help": "Updates in SFT, of 8 problems."})
    annotate_problems: int = field(default=24, metadata={"help": "Problems whose solutions get step labels."})
    prm_epochs: int = field(default=1, metadata={"help": "Passes of the PRM over the labels."})
    grpo_steps: int = field(default=12, metadata={"help": "Updates in GRPO, of 4 problems x 8 samples."})
    word_problems: int = field(default=128, metadata={"help": "Word problems for testing."})
    gsm8k_problems: int = field(default=64, metadata={"help": "GSM8K problems for testing."})
    vote_problems: int = field(default=32, metadata={"help": "Word problems to vote on."})
    max_new_tokens: int = field(default=80, metadata={"help": "Longest solution."})


@dataclass
class Arguments:
    output_dir: str = field(default="runs/smollm2", metadata={"help": "Folder of models, results and report."})
    seeds: list[int] = field(default_factory=lambda: [0], metadata={"help": "Seeds, one run each."})


ARGUMENTS = (Settings, Arguments)


def main() -> None:
    parser = ScriptParser(ARGUMENTS, description="A real model of 135M weights through every stage.")
    settings, arguments = parser.parse_args_and_config()
    output = Path(arguments.output_dir)
    claim(output, settings)
    for seed in arguments.seeds:
        folder = output / f"seed-{seed}"
        make_data(folder, settings, seed)
        for name, command in stages(folder, settings, seed):
            run(folder, name, command)
    print("\n" + results.write(output))
    say("report", f"{output / 'report.html'} (and report.md)")


def make_data(folder: Path, settings: Settings, seed: int) -> None:
    """Writes the problems of a run: SFT's, the annotator's, GRPO's and those for testing."""
    data = folder / "data"
    if (data / "test.jsonl").exists():  # written last
        return
    write_rows(data / "sft.jsonl", short_gsm8k(settings.gsm8k, "train", settings.sft_steps * 8, seed))
    count = settings.annotate_problems + settings.grpo_steps * 4
    training = word_problems(count, seed, held_out=False)
    write_rows(data / "annotate.jsonl", training[: settings.annotate_problems])
    write_rows(data / "grpo.jsonl", training[settings.annotate_problems :])
    test = word_problems(settings.word_problems, seed, held_out=True)
    write_rows(data / "vote.jsonl", test[: settings.vote_problems])
    test += [{**row, "kind": "GSM8K"} for row in short_gsm8k(settings.gsm8k, "test", settings.gsm8k_problems, seed)]
    write_rows(data / "test.jsonl", test)


def stages(folder: Path, settings: Settings, seed: int) -> Iterator[tuple[str, str]]:
    """The name of each stage, and its `dsmath` command."""
    data, tokens = folder / "data", f"--max_new_tokens {settings.max_new_tokens}"
    sft, prm = folder / "sft", folder / "prm"
    trained = f"--seed {seed} --use_cpu --gradient_checkpointing false --logging_steps 1 --save_steps 4 --save_total_limit 1 "
    trained += "--report_to none"
    policy = f"{trained} --dtype float32 --lr_scheduler_type constant_with_warmup --warmup_steps 3"
    drawn = f"--use_cpu --seed {seed} {tokens}"

    def evaluate(name: str, model: str | Path, more: str = "") -> tuple[str, str]:
        where = f"--benchmarks gsm8k --benchmarks_dir {data / 'test.jsonl'} --output_dir {folder / name}"
        return name, f"evaluate --model {model} {where} {drawn} {more}"

    def grpo(name: str, more: str = "") -> tuple[str, str]:
        batch = "--num_generations 8 --global_batch_size 32 --per_device_train_batch_size 16"
        length = f"--max_steps {settings.grpo_steps} --max_completion_length {settings.max_new_tokens}"
        rate = "--learning_rate 3e-5 --beta 0 --temperature 0.7 --log_completions --num_completions_to_print 0"
        what = f"--model_name_or_path {sft} --dataset_name {data / 'grpo.jsonl'} --output_dir {folder / name}"
        return name, f"grpo {what} {length} {batch} {rate} {policy} {more}"

    def solve(name: str, model: Path) -> tuple[str, str]:
        vote = f"--n 8 --vote weighted --step_scorer {prm} --adaptive off --temperature 0.7 --top_p 1.0"
        return name, f"solve {data / 'vote.jsonl'} --model {model} --output {folder / name}.jsonl {vote} {drawn}"

    yield evaluate("evaluate-published", settings.model)
    batch = f"--max_steps {settings.sft_steps} --global_batch_size 8 --per_device_train_batch_size 4 --max_length 320"
    what = f"--model_name_or_path {settings.model} --dataset_name {data / 'sft.jsonl'} --output_dir {sft}"
    yield "sft", f"sft {what} {batch} --packing false --learning_rate 1e-4 {policy}"
    yield evaluate("evaluate-sft", sft)
    yield grpo("grpo")
    yield evaluate("evaluate-grpo", folder / "grpo")
    what = f"--model {sft} --dataset_name {data / 'annotate.jsonl'} --output_dir {folder / 'annotate'}"
    yield "annotate", f"annotate {what} --num_solutions 4 --num_rollouts 4 {drawn}"
    what = f"--model_name_or_path {sft} --dataset_name {folder / 'annotate'} --output_dir {prm} --holdout 0.2"
    batch = f"--num_train_epochs {settings.prm_epochs} --per_device_train_batch_size 8 --max_length 320"
    yield "prm", f"prm {what} {batch} --learning_rate 5e-5 {trained} --dtype float32"
    yield grpo("step-grpo", f"--step_scorer {prm}")
    yield evaluate("evaluate-step-grpo", folder / "step-grpo")
    yield solve("solve-sft", sft)
    yield solve("solve-grpo", folder / "grpo")
    yield evaluate("evaluate-8bit", folder / "grpo", "--load_in_8bit")
    yield evaluate("evaluate-4bit", folder / "grpo", "--load_in_4bit")


def run(folder: Path, name: str, command: str) -> None:
    """Runs a stage that is not finished, and keeps its seconds and its peak of memory."""
    marker = folder / "finished" / f"{name}.json"
    if marker.exists():
        return
    print(f"\n$ dsmath {command}", flush=True)
    stage, *words = shlex.split(command)
    start = time.monotonic()
    environment = {**os.environ, PROGRAM: f"dsmath {stage}"}
    process = subprocess.Popen([sys.executable, str(recipe_script(stage)), *words], env=environment)
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except KeyboardInterrupt:
        process.wait()
        raise
    if code := os.waitstatus_to_exitcode(status):
        raise ConfigError(f"dsmath {stage} ended with code {code}: see above. Run the same command again to resume.")
    spent = {
        "wall": time.monotonic() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_gib": usage.ru_maxrss / 2**20,
    }
    marker.parent.mkdir(exist_ok=True)
    write_whole(marker, json.dumps({"command": f"dsmath {command}", **spent}))


def claim(output: Path, settings: Settings) -> None:
    """Keeps the settings in the folder of a run.

    Raises:
        ConfigError: the folder belongs to other settings.
    """
    kept = output / "settings.json"
    if not kept.exists():
        output.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(asdict(settings), indent=1))
    elif other := differing(json.loads(kept.read_text()), asdict(settings)):
        raise ConfigError(f"{output} holds a run with other settings: {other}. Name another folder with --output_dir.")


if __name__ == "__main__":
    run_script(main)
