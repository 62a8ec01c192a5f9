"""One pass a solution against one pass a prefix: the time to score all steps of a solution, and the largest difference.

    python benchmarks/prm_scoring.py

The model has random weights (time does not depend on them). Both ways use the same model, tokenizer, batch size and
sorting by length, and take turns in the same process, so that a busy machine slows both alike; each way's best of
`--rounds` turns counts, and the spread is shown. What a prefix-by-prefix scorer does is what scripts for released models
often do: score `steps[:1]`, `steps[:2]`, ... each as a solution of its own. The
likelihood layout is left out: random weights find all texts impossible, so that its scores would be equal for no reason.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, set_seed

from trl_dsmath.prm import StepScorer
from trl_dsmath.scripts.tiny_model import make_tiny_model

STEP = "We add {a} and {b}, which makes {c}, and carry the rest over to the next line of the sum.\n"
TARGETS = {8: 4.0, 32: 12.0}
TOLERANCE = 1e-4


def make_scorer(layout: str, hidden_size: int, num_layers: int, batch_size: int, device: str) -> StepScorer:
    """A scorer with random weights in one layout."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        make_tiny_model([STEP * 3, "+ - ки ки"], folder, vocab_size=600, hidden_size=64, num_layers=1)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=8,
        max_position_embeddings=4096,
        num_labels=2,
    )
    model = (LlamaForTokenClassification if layout == "newline" else LlamaForCausalLM)(config)
    return StepScorer(model.to(device), tokenizer, layout, batch_size=batch_size)


def prefix_by_prefix(scorer: StepScorer, prompts: list[str], steps: list[list[str]]) -> list[list[float]]:
    """Each prefix scored as a solution of its own; of each the last score."""
    prefixes = [row[:count] for row in steps for count in range(1, len(row) + 1)]
    repeated = [prompt for prompt, row in zip(prompts, steps, strict=True) for _ in row]
    last = iter([row[-1] for row in scorer(repeated, steps=prefixes)])
    return [[next(last) for _ in row] for row in steps]


def timed(call: Callable[[], list[list[float]]], device: str) -> tuple[float, list[list[float]]]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = call()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def main() -> int:
    """Prints a table; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--solutions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--hidden_size", type=int, default=256)
    parser.add_argument("--num_layers", type=int, default=4)
    parser.add_argument("--layouts", nargs="+", default=["newline", "math_shepherd"])
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{device}, {torch.get_num_threads()} threads; {args.solutions} solutions, batches of {args.batch_size}")
    print(
        f"{'layout':<15}{'steps':>6}{'tokens':>8}{'one pass':>20}{'each prefix':>22}{'faster':>9}{'largest diff.':>16}"
    )
    missed = False
    for layout in args.layouts:
        scorer = make_scorer(layout, args.hidden_size, args.num_layers, args.batch_size, device)
        for count, target in TARGETS.items():
            steps = [[STEP.format(a=a, b=b, c=a + b) for b in range(count)] for a in range(args.solutions)]
            prompts = ["What is the sum of all these numbers?"] * args.solutions
            tokens = len(scorer.encoder(prompts[0], steps[0]).input_ids)
            scorer(prompts[:1], steps=steps[:1])  # warm up
            one, each = [], []
            for _ in range(args.rounds):
                seconds, scores = timed(lambda: scorer(prompts, steps=steps), device)  # noqa: B023
                one.append(seconds)
                seconds, slow = timed(lambda: prefix_by_prefix(scorer, prompts, steps), device)  # noqa: B023
                each.append(seconds)
            rows = zip(scores, slow, strict=True)
            difference = max(abs(a - b) for row, other in rows for a, b in zip(row, other, strict=True))
            faster = min(each) / min(one)
            missed |= faster < target or difference > TOLERANCE
            print(
                f"{layout:<15}{count:>6}{tokens:>8}{min(one) * 1000:>9.0f} ms (to {max(one) * 1000:.0f})"
                f"{min(each) * 1000:>11.0f} ms (to {max(each) * 1000:.0f}){faster:>8.1f}x{difference:>14.1e}"
            )
    print(
        f"targets: {', '.join(f'{target:g}x at {count} steps' for count, target in TARGETS.items())}: "
        + ("MISSED" if missed else "met")
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
