"""The transformers engine against plain `generate` with the same sampling, on a real model, in interleaved rounds.

    python benchmarks/engine_speed.py --model HuggingFaceTB/SmolLM2-135M-Instruct --output benchmarks/results/engine_speed.md

Both draw `--samples` samples of each of `--questions` word problems at temperature 0.6 and top-p 0.95, as many rows at a time.
`generate` gets all prompts as one padded batch with `num_return_sequences`. What is compared is new tokens per second: the
samples differ, since the random numbers do. Each round runs both, in turns first; the ratio of a round is taken within it. On a
CPU the seconds are those of the process, on `--threads` threads, so that other processes of the machine count less. Greedy
samples of both are compared token by token first.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

GOAL = 1.8
QUESTIONS = [
    "A baker sells 24 rolls in the morning and half as many in the afternoon. How many rolls does she sell in all?",
    "Tom has 3 boxes with 12 pencils each. He gives 9 pencils to his sister. How many pencils has he left?",
    "A train runs 60 miles in an hour. How far does it run in 4 hours and 30 minutes, and what does that cost at 2 cents a mile?",
    "Mia reads 15 pages on each school day and 30 on each day of the weekend. How many pages does she read in 3 weeks?",
    "A tank holds 200 liters. A pump fills 8 liters a minute while a leak loses 3. How many minutes until it is full?",
    "Four friends share a bill of $96. One of them pays twice as much as each of the others. How much does that one pay?",
    "A farmer has 18 cows. Each gives 20 liters of milk a day, and a liter sells for $1.50. What does he earn in a week?",
    "Lea is 7 years older than Ben. In 5 years she will be twice as old as he is then. How old is Ben now?",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--questions", type=int, default=8, help=f"at most {len(QUESTIONS)}")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max_new_tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()

    import torch

    from trl_dsmath.data.prompts import build_prompt
    from trl_dsmath.generation import Decoding, SamplerConfig, TransformersSampler, load_policy
    from trl_dsmath.inference.config import TEMPERATURE, TOP_P

    torch.set_num_threads(args.threads)
    model, tokenizer = load_policy(SamplerConfig(args.model, dtype=args.dtype))
    device = model.device.type
    rows = args.questions * args.samples
    sampler = TransformersSampler(model, tokenizer, batch_size=rows)
    prompts = [sampler.encode_prompt(build_prompt(question).prompt) for question in QUESTIONS[: args.questions]]
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt").to(device)
    ends = set(sampler._ends)

    def by_generate(**how: Any) -> list[list[int]]:
        limits = {
            "max_new_tokens": args.max_new_tokens,
            "eos_token_id": sorted(ends),
            "pad_token_id": tokenizer.pad_token_id,
        }
        out = model.generate(**batch, **limits, **how)[:, batch["input_ids"].shape[1] :].tolist()
        return [ids[: next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))] for ids in out]

    def plain() -> int:
        how = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P, "top_k": 0}
        return sum(map(len, by_generate(**how, num_return_sequences=args.samples)))

    def engine() -> int:
        drawn = sampler.sample(prompts, Decoding(args.max_new_tokens, TEMPERATURE, TOP_P), n=args.samples)
        return sum(len(sample.ids) for samples in drawn for sample in samples)

    def speed(draw: Any) -> float:
        clock = time.process_time if device == "cpu" else time.perf_counter
        start = clock()
        tokens = draw()
        return tokens / (clock() - start)

    greedy = sampler.sample(prompts, Decoding(args.max_new_tokens, temperature=0.0))
    same = sum(list(ours[0].ids) == ids for ours, ids in zip(greedy, by_generate(do_sample=False), strict=True))
    found: dict[str, list[float]] = {"generate": [], "engine": []}
    for number in range(args.rounds):
        for name, draw in [("generate", plain), ("engine", engine)][:: -1 if number % 2 else 1]:
            found[name].append(speed(draw))
            print(f"round {number + 1}: {name} {found[name][-1]:.1f} tokens/s", file=sys.stderr, flush=True)
    ratios = [ours / theirs for ours, theirs in zip(found["engine"], found["generate"], strict=True)]
    middle = {name: statistics.median(speeds) for name, speeds in found.items()}
    processor = torch.cuda.get_device_name() if device == "cuda" else torch.backends.cpu.get_cpu_capability()
    lines = [
        f"{Path(args.model).name}, {args.dtype}, {args.questions} questions x {args.samples} samples, at most "
        f"{args.max_new_tokens} new tokens, {device} ({processor}, {platform.machine()}), {args.threads} threads, "
        f"{args.rounds} rounds, torch {torch.__version__}:",
        "",
        "| generate, tokens/s | engine, tokens/s | ratio, median | lowest | highest | goal | greedy identical |",
        "|" + "---|" * 7,
        f"| {middle['generate']:.1f} | {middle['engine']:.1f} | {statistics.median(ratios):.2f} x | {min(ratios):.2f} x | "
        f"{max(ratios):.2f} x | {GOAL} x | {same} of {len(prompts)} |",
    ]
    print("\n".join(lines))
    if args.output:
        args.output.write_text(
            "\n".join([f"`python benchmarks/engine_speed.py`: {__doc__.splitlines()[0]}", "", *lines, ""])
        )
    sys.exit(statistics.median(ratios) < GOAL)


if __name__ == "__main__":
    main()
