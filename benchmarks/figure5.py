"""RFT, online RFT, GRPO+OS and GRPO+PS at equal numbers of samples (the paper's Figure 5), on the quickstart's task.

    python benchmarks/figure5.py --output_dir DIR

For each seed the quickstart's chain makes one SFT model and one process reward model. All methods start from that SFT
model and have 8 samples of each of the same problems, in the same order. RFT draws them from the SFT model, the others from
the policy as it is. A point of RFT's curve is a training of its own, on what `dsmath rft` keeps of the samples so far.
Learning rates (for RFT also the epochs) are chosen on seed 100, which is not reported. A run is a line of DIR/runs.jsonl;
one that is there is not run again.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "quickstart"))
import quiet  # isort: split

import task
import torch
import transformers
from datasets import Dataset
from figure5_report import KEY, METHODS, SEEDS, TUNING_SEED, Row, chosen, in_words, write
from model import MAX_NEW_TOKENS, complete, judge
from quickstart import GRPO_GROUP, GRPO_PROMPTS, grpo_arguments, load, load_scorer, run_stages, shared_arguments
from run import Run, Settings, seconds

import trl_dsmath
from trl_dsmath.data.benchmarks import Problem
from trl_dsmath.data.journal import Journal
from trl_dsmath.generation import TransformersSampler
from trl_dsmath.inference import RFTConfig, rejection
from trl_dsmath.rewards import boxed_accuracy_reward

UPDATES, EVERY = 20, 5  # of the online methods; how many updates lie between two points of a curve
HELD_OUT = 300  # problems for testing
BATCH = GRPO_PROMPTS * GRPO_GROUP
ONLINE_RATES = [{"learning_rate": rate} for rate in (2.5e-4, 5e-4, 1e-3, 2e-3)]
GRID: dict[str, list[dict[str, Any]]] = {
    "RFT": [{"learning_rate": rate, "num_train_epochs": n} for n in (1, 3) for rate in (5e-4, 1e-3, 2e-3)],
    "Online RFT": ONLINE_RATES,
    "GRPO+OS": ONLINE_RATES,
    "GRPO+PS": ONLINE_RATES,
}


class Watch(transformers.TrainerCallback):
    """Measures the policy at the points of the curve; the time that this takes is not the method's."""

    def __init__(self, run: Run, tokenizer: Any) -> None:
        self.run, self.tokenizer = run, tokenizer
        self.points: list[Row] = []
        self.measuring = {"wall": 0.0, "cpu": 0.0}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % EVERY == 0:
            began = seconds()
            self.points.append(measure(self.run, kwargs["model"], self.tokenizer, state.global_step * BATCH))
            self.measuring = {name: self.measuring[name] + now - began[name] for name, now in seconds().items()}


def measure(run: Run, model: Any, tokenizer: Any, samples: int) -> Row:
    """Shares of the held-out problems that are right: greedy, and sampled once at temperature 1."""
    found: Row = {"samples": samples}
    for way, seed in (("greedy", None), ("sampled", run.settings.seed)):
        texts = complete(model, tokenizer, run.held_out[:HELD_OUT], seed)
        found[way] = sum(judge(run.held_out[:HELD_OUT], texts)) / len(texts)
    return found


def online(run: Run, method: str, setting: Row) -> Row:
    """The methods that sample from the policy as it is."""
    problems = task.make_problems(UPDATES * GRPO_PROMPTS, run.settings.seed, "figure5")
    arguments = (
        grpo_arguments(run, "figure5")
        | setting
        | {"max_steps": UPDATES, "save_strategy": "no", "shuffle_dataset": False}
    )
    model, tokenizer = load(run, "sft")
    shared = {
        "model": model,
        "train_dataset": Dataset.from_list([{"prompt": one.prompt, "solution": one.answer} for one in problems]),
        "processing_class": tokenizer,
    }
    trainer: Any
    if method == "GRPO+PS":  # the paper's: step rewards alone
        trainer = trl_dsmath.StepGRPOTrainer(
            step_reward_funcs=load_scorer(run), args=trl_dsmath.StepGRPOConfig(**arguments), **shared
        )
    else:
        correct = {"advantage": "correct", "beta": 0.0} if method == "Online RFT" else {}
        trainer = trl_dsmath.DeepSeekMathGRPOTrainer(
            reward_funcs=boxed_accuracy_reward,
            args=trl_dsmath.DeepSeekMathGRPOConfig(**arguments, **correct),
            **shared,
        )
    watch = Watch(run, tokenizer)
    trainer.add_callback(watch)
    spent = train(trainer)
    return {"points": watch.points, "spent": {name: spent[name] - watch.measuring[name] for name in spent}}


def rft(run: Run, setting: Row) -> Row:
    """Draws all samples from the SFT model; each point is a training on what is kept of the samples up to there."""
    seed, began = run.settings.seed, seconds()
    problems = task.make_problems(UPDATES * GRPO_PROMPTS, seed, "figure5")
    asked = [Problem(rejection.SET, i, one.question, (), one.answer, "formula") for i, one in enumerate(problems)]
    config = RFTConfig(num_samples=GRPO_GROUP, temperature=1.0, max_new_tokens=MAX_NEW_TOKENS, seed=seed)
    sampler, folder = TransformersSampler(*load(run, "sft"), batch_size=256), run.folder("rft")
    rejection.draw_solutions(asked, sampler, folder, config, f"sft-{seed}")
    draws = rejection.read_draws(folder)
    drawing, points = {name: now - began[name] for name, now in seconds().items()}, []
    for updates in range(EVERY, UPDATES + 1, EVERY):
        so_far = [one for one in draws if one.task.problem.index < updates * GRPO_PROMPTS]
        kept = rejection.solution_rows(so_far, config, "sft")
        rows = [
            {"prompt": problems[row["problem"]].prompt, "completion": row["completion"][0]["content"]} for row in kept
        ]
        arguments = shared_arguments(run, "figure5", save_steps=1) | {"save_strategy": "no"} | setting
        args = trl_dsmath.MathSFTConfig(
            **arguments,
            lr_scheduler_type="linear",
            warmup_steps=5,
            adam_beta2=0.99,
            per_device_train_batch_size=16,
            global_batch_size=16,
            max_length=None,
            packing=False,
        )
        model, tokenizer = load(run, "sft")
        spent = train(
            trl_dsmath.MathSFTTrainer(
                model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
            )
        )
        points.append(measure(run, model, tokenizer, updates * BATCH) | {"kept": len(rows)})
    return {"points": points, "spent": {name: drawing[name] + spent[name] for name in spent}}


def train(trainer: Any) -> dict[str, float]:
    trainer.remove_callback(transformers.PrinterCallback)
    began = seconds()
    trainer.train()
    return {name: now - began[name] for name, now in seconds().items()}


def run_method(folder: Path, method: str, seed: int, setting: Row) -> Row:
    """A line of the journal: one method at one seed."""
    run = Run(folder / f"seed-{seed}", Settings(seed=seed))
    if run.result("prm") is None:
        run_stages(run, ["corpus", "pretrain", "sft", "annotate", "prm"])
    quiet.be_quiet()
    labels, prm = (run.result(stage) or {} for stage in ("annotate", "prm"))
    answers = task.read_rows(run.folder("sft") / "held_out.jsonl")[:HELD_OUT]
    start = {way: statistics.fmean(row[f"{way}_right"] for row in answers) for way in ("greedy", "sampled")}
    found = rft(run, setting) if method == "RFT" else online(run, method, setting)
    row: Row = {"method": method, "seed": seed, "setting": setting, "samples": UPDATES * BATCH}
    row |= {
        "points": [{"samples": 0, **start}, *found["points"]],
        "seconds": found["spent"]["wall"],
        "cpu_seconds": found["spent"]["cpu"],
    }
    if method == "GRPO+PS":
        row |= {"prm_samples": labels["solutions"] + labels["rollouts"], "prm_auroc": prm["auroc"]}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = {"updates": UPDATES, "every": EVERY, "batch": BATCH, "held_out": HELD_OUT}
    with Journal(args.output_dir / "runs.jsonl", KEY, settings, holds="runs") as journal:

        def once(method: str, seed: int, setting: Row) -> None:
            name = in_words(setting)
            if (method, seed, name) not in journal.done:
                row = run_method(args.output_dir, method, seed, setting) | {"name": name}
                journal.append([row])
                print(f"seed {seed} {method} {name}: {row['points'][-1]}, {row['cpu_seconds']:.0f} CPU s", flush=True)

        for method, grid in GRID.items():
            for setting in grid:
                once(method, TUNING_SEED, setting)
        for seed in SEEDS:
            for method in METHODS:
                once(method, seed, chosen(list(journal.rows()), method))
        rows = list(journal.rows())
    write(rows)


if __name__ == "__main__":
    main()
