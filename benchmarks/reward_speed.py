"""CPU time of `boxed_accuracy_reward` against TRL's `accuracy_reward`, interleaved in one process.

    python benchmarks/reward_speed.py [--data ../shared/data] [--rounds 5]

Three batches, each as GRPO makes it: 16 prompts x 64 completions with integer golds; the same with mixed golds
(integers, fractions, radicals, intervals); 177 distinct symbolic pairs. Golds come from MATH-500 and GSM8K, answers are
right ones, rewritten ones and wrong ones; every completion carries about a thousand characters of reasoning. TRL gets
its gold in `$...$` (bare LaTeX it mis-reads, see docs/guides/reward.md). The best of the rounds is compared, and every verdict
that differs is printed: they are TRL's errors or they are ours.
"""

import argparse
import json
import random
import re
import sys
import time
from pathlib import Path

REASONING = (
    "We start by writing down what is known. Let $x$ be the number that we look for; then $2x + 3 = {a}$, hence "
    "$x = \\frac{{{a} - 3}}{{2}}$. Substituting back, $({a} - 3)^2 = {b}$, which we check against the first condition. "
)
PLAIN = re.compile(r"-?\d+")
# A spelling that TRL's parser reads too, so that both graders are asked the same question.
REWRITES = [(r"\frac", r"\dfrac"), ("(", r"\left("), (")", r"\right)"), (" ", "")]


def batch(golds: list[str], group: int, seed: int) -> tuple[list[str], list[str]]:
    """`group` completions a gold: half right (verbatim or rewritten), half with another gold's answer or a wrong number."""
    rng = random.Random(seed)
    completions, solutions = [], []
    for gold in golds:
        for _ in range(group):
            kind = rng.random()
            answer = gold
            if 0.3 < kind < 0.5:
                for old, new in REWRITES:
                    if "\\left" not in gold:
                        answer = answer.replace(old, new)
            elif kind >= 0.5:
                answer = rng.choice(golds) if kind < 0.7 else str(rng.randint(2, 12))
            text = f"({rng.random():.9f}) " + "".join(
                REASONING.format(a=rng.randint(5, 99), b=rng.randint(5, 99)) for _ in range(4)
            )
            completions.append(f"{text}Therefore, the answer is $\\boxed{{{answer}}}$.")
            solutions.append(gold)
    return completions, solutions


def distinct_pairs(golds: list[str], count: int, seed: int) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)
    pairs = set()
    while len(pairs) < count:
        gold = rng.choice(golds)
        answer = gold if rng.random() < 0.4 else rng.choice(golds)
        pairs.add((answer.replace(r"\frac", r"\dfrac") if rng.random() < 0.5 else answer, gold))
    ordered = sorted(pairs)
    return [f"The answer is $\\boxed{{{answer}}}$." for answer, _ in ordered], [gold for _, gold in ordered]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    math500 = args.data / "math500" / "test.jsonl"
    if not math500.exists():
        sys.exit(f"{math500} is absent: give the folder of benchmark files with --data")
    import trl
    from trl.rewards import accuracy_reward

    from trl_dsmath.grading import gold
    from trl_dsmath.rewards import boxed_accuracy_reward

    rows = [json.loads(line)["answer"] for line in math500.open()]
    rows = [row for row in rows if "text" not in row]
    integers = [row for row in rows if PLAIN.fullmatch(row)]
    symbolic = [row for row in rows if not re.fullmatch(r"[-\d,.]+", row)]
    rng = random.Random(0)
    mixed = rng.sample(integers, 8) + rng.sample(symbolic, 8)
    batches = {
        "16 x 64, integer golds": (batch(rng.sample(integers, 16), 64, 1), 100),
        "16 x 64, mixed golds": (batch(mixed, 64, 2), 10),
        "177 distinct symbolic pairs": (distinct_pairs(symbolic, 177, 3), 5),
    }
    print(
        f"trl {trl.__version__}, {args.rounds} interleaved rounds, best CPU time of each (children included for ours)\n"
    )
    print(f"{'batch':30} {'n':>5} {'TRL s':>9} {'ours s':>9} {'ratio':>8} {'goal':>6}  verdicts that differ")
    boxed_accuracy_reward([r"\boxed{1}"], ["2"])
    for name, ((completions, golds), goal) in batches.items():
        messages = [[{"role": "assistant", "content": text}] for text in completions]
        dollars = [f"${gold}$" for gold in golds]
        theirs, ours = [], []
        for _ in range(args.rounds):
            start = time.process_time()
            their_verdicts = accuracy_reward(messages, dollars)
            theirs.append(time.process_time() - start)
            gold.parse_gold.cache_clear()  # each round reads its golds anew, as a first step does
            start, children = time.process_time(), _children()
            our_verdicts = boxed_accuracy_reward(messages, golds)
            ours.append(time.process_time() - start + _children() - children)
        differing = {
            (golds[i], completions[i][completions[i].index("\\boxed") :], a, b)
            for i, (a, b) in enumerate(zip(their_verdicts, our_verdicts, strict=True))
            if a != b
        }
        print(
            f"{name:30} {len(golds):5} {min(theirs):9.4f} {min(ours):9.4f} {min(theirs) / min(ours):7.0f}x {goal:5}x  {len(differing)}"
        )
        for expected, answer, a, b in sorted(differing, key=str):
            print(f"      gold {expected}   answer {answer}   TRL {a}   ours {b}")


def _children() -> float:
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
