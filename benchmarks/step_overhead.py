"""What a training step of `StepGRPOTrainer` costs beside one of TRL's `GRPOTrainer`, with a step reward that is free.

    python benchmarks/step_overhead.py [--rounds 24] [--memory_rounds 3]

Time: the trainers stand in one process and take turns, one optimizer step each, in an order that changes from round to
round. A second copy of TRL's trainer is timed as well: its ratio to the first is what noise alone makes. The learning
rate is 0 and completions have a fixed length, so that all do the same work: sampling, reference log-probabilities, loss
and backward. A fifth of the random model's tokens hold a newline, far more than in mathematics, and the model is small,
so the added work is not flattered. CPU time is compared as well as wall time, and the fastest rounds as well as the
medians, since other jobs may share the machine. Memory: the peak resident size of processes of their own, in turns.

Goal: at most 1.05 times the time, and no more memory.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "grpo"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from step_runs import config, outcome_digits, prompts, save_model
from transformers import PrinterCallback, TrainerCallback
from transformers.utils import logging
from trl import GRPOTrainer

from trl_dsmath import StepGRPOTrainer

LENGTH = 96  # new tokens of each completion


def free(steps: list, **columns: object) -> list:
    return [[float(i % 2) for i in range(len(row))] for row in steps]


def make(kind: str, model: str, folder: Path, steps: int) -> Any:
    args = config(
        folder / kind,
        learning_rate=0.0,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_generations=8,
        max_completion_length=LENGTH,
        max_steps=steps,
        logging_steps=1,
        generation_kwargs={"suppress_tokens": [0, 1, 2], "min_new_tokens": LENGTH},
    )
    shared = {"reward_funcs": outcome_digits, "args": args, "train_dataset": prompts(64)}
    if kind == "trl":
        return GRPOTrainer(model, **shared)
    return StepGRPOTrainer(model, step_reward_funcs=free, **shared)


class Clock(TrainerCallback):
    """Wall and CPU seconds of each optimizer step."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.start = time.perf_counter(), time.process_time()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.steps.append((time.perf_counter() - self.start[0], time.process_time() - self.start[1]))


def timed(rounds: int, model: str, folder: Path) -> None:
    arms = ["trl", "trl again", "steps"]
    trainers = {arm: make(arm.split()[0], model, folder, steps=1) for arm in arms}
    clocks = {arm: Clock() for arm in arms}
    for arm, trainer in trainers.items():
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(clocks[arm])
    for i in range(rounds + 1):
        for arm in arms[i % 3 :] + arms[: i % 3]:
            torch.manual_seed(i)
            trainers[arm].train()
    logged = [entry for entry in trainers["steps"].state.log_history if "steps/mean_count" in entry]
    print(
        f"16 completions of {LENGTH} tokens a step, {logged[-1]['steps/mean_count']:.0f} steps each, {rounds} rounds"
    )
    for index, name in enumerate(("wall", "CPU")):
        seconds = {arm: [step[index] for step in clock.steps[1:]] for arm, clock in clocks.items()}  # first: warm-up
        for arm in arms[1:]:
            ratios = sorted(b / a for a, b in zip(seconds["trl"], seconds[arm], strict=True))
            quarter = len(ratios) // 4
            print(
                f"{name:>4} {arm:>9} / trl: medians {statistics.median(seconds[arm]):.3f} / "
                f"{statistics.median(seconds['trl']):.3f} s = "
                f"{statistics.median(seconds[arm]) / statistics.median(seconds['trl']):.3f}; fastest "
                f"{min(seconds[arm]) / min(seconds['trl']):.3f}; of rounds: median {statistics.median(ratios):.3f}, "
                f"quartiles {ratios[quarter]:.3f} to {ratios[-quarter - 1]:.3f}"
            )


def added(model: str, folder: Path) -> None:
    """The added work alone: cutting, scoring and advantages of one batch, without the model."""
    from trl_dsmath.grpo.advantages import normalize_step_rewards, process_advantages
    from trl_dsmath.grpo.alignment import StepAligner

    trainer = make("steps", model, folder, steps=1)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 20, (16, LENGTH), generator=generator).tolist()
    times = []
    for _ in range(20):
        align = StepAligner(trainer.processing_class)
        start = time.process_time()
        aligned = [align(row) for row in ids]
        scores = free([texts for _, texts in aligned])
        process_advantages(normalize_step_rewards(scores, 8), [ends for ends, _ in aligned], LENGTH)
        times.append(time.process_time() - start)
    print(f"added work alone: {1000 * statistics.median(times):.1f} ms CPU a batch, vocabulary table included")


def memory(rounds: int, model: str) -> None:
    peaks: dict[str, list[float]] = {"trl": [], "steps": []}
    for i in range(rounds):
        for kind in ("trl", "steps") if i % 2 else ("steps", "trl"):
            command = [sys.executable, __file__, "--one", kind, "--model", model]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks[kind].append(json.loads(done.stdout.splitlines()[-1])["peak_mb"])
    for kind, values in peaks.items():
        print(f"peak memory {kind:>5}: {', '.join(f'{value:.0f}' for value in values)} MB")
    ratio = statistics.median(peaks["steps"]) / statistics.median(peaks["trl"])
    print(f"ratio of medians {ratio:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--memory_rounds", type=int, default=3)
    parser.add_argument("--one", choices=("trl", "steps"), help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.one:
            make(args.one, args.model, folder, steps=3).train()
            print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
            return
        model = save_model(folder / "model", hidden=128, layers=2)
        timed(args.rounds, model, folder)
        added(model, folder)
        if args.memory_rounds:
            memory(args.memory_rounds, model)


if __name__ == "__main__":
    main()
