"""Does exact checking of the arithmetic in a step find first errors of a small model, and does it leave right steps alone?

    python benchmarks/step_arithmetic.py --gsm8k path/to/gsm8k/test.jsonl --annotated runs/smollm2/seed-0/annotate/train.jsonl

The first part is step_arithmetic.jsonl: solutions of SmolLM2-135M-Instruct after `dsmath smollm2`'s SFT (greedy, every third
wrong one and all right ones), read and marked with the first wrong step (`first_error`; null where the solution is right).
`--annotated` adds labels by rollouts, `--gsm8k` the reference solutions, whose steps are right but for a few.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from trl_dsmath.data.files import read_jsonl, read_rows
from trl_dsmath.grading.metrics import wilson
from trl_dsmath.rewards import step_arithmetic_reward
from trl_dsmath.rewards.completions import completion_text
from trl_dsmath.text.steps import split_steps

HAND = Path(__file__).with_suffix(".jsonl")


def count(name: str, solutions: Sequence[tuple[list[str], int | None]]) -> None:
    """Prints the shares for solutions with the number of their first wrong step."""
    rewards = step_arithmetic_reward([], steps=[steps for steps, _ in solutions])
    rows = [(row, first) for row, (_, first) in zip(rewards, solutions, strict=True)]
    errors = [row[first] for row, first in rows if first is not None]
    right = [reward for row, first in rows for reward in row[:first]]
    checked = [reward for reward in right if reward is not None]
    for what, flagged, of in (
        ("first errors found", errors.count(0.0), len(errors)),
        ("right steps flagged", checked.count(0.0), len(right)),
        ("right steps with a calculation flagged", checked.count(0.0), len(checked)),
    ):
        if of:
            low, high = wilson(flagged, of)
            print(f"{name}: {what}: {flagged:,} of {of:,}, {flagged / of:.2%} [{low:.2%}, {high:.2%}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotated", type=Path, help="train.jsonl of `dsmath annotate` with hard labels")
    parser.add_argument("--gsm8k", type=Path, help="train.jsonl or test.jsonl of GSM8K")
    parser.add_argument("--completions", type=Path, help="folder `completions` of `dsmath grpo --log_completions`")
    args = parser.parse_args()
    count("by hand", [(row["steps"], row["first_error"]) for row in read_jsonl(HAND)[0]])
    if args.annotated:
        rows = [row for row in read_jsonl(args.annotated)[0] if row["finished"]]
        firsts = [next((i for i, label in enumerate(row["labels"]) if not label), None) for row in rows]
        count("by rollouts", [(row["completions"], first) for row, first in zip(rows, firsts, strict=True)])
    if args.completions:
        right = [row for row in read_rows(args.completions)[0] if row["boxed_accuracy_reward"] == 1]
        count("right answers", [(split_steps(completion_text(row["completion"])), None) for row in right])
    if args.gsm8k:
        count("GSM8K", [(row["answer"].split("\n")[:-1], None) for row in read_jsonl(args.gsm8k)[0]])


if __name__ == "__main__":
    main()
