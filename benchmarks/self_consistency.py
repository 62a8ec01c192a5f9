"""Self-consistency: 64 samples of one prompt against the usual loop of 64 calls, and what adaptive stopping saves.

    python benchmarks/self_consistency.py --output benchmarks/results/self_consistency.md
    python benchmarks/self_consistency.py --part stopping

Speed: a Llama of 10M random weights (time does not depend on them). The loop calls `generate` 64 times with one sample,
temperature 0.6 and top-p 0.95, as scripts for self-consistency do; the sampler draws the same number of tokens. Both take
turns in one process on one thread, all 64 calls are made, CPU seconds of the process are compared (other processes of the
machine do not count), and the ratio is that of the sums over `--rounds` turns; the lowest of the turns is shown too. No
sample may end early (no end-of-text token), so both compute the same tokens.

Stopping: votes like those of a model with half of its samples right (51.7 %, the paper's RL model on MATH). The chance of
a right sample differs from problem to problem (a beta distribution, a+b); wrong samples fall on 30 wrong answers, more or
less of one mind. How much they agree is not published, so four degrees are shown, each with the spread a+b that gives a
vote of 64 the published accuracy (60.9 %). Votes are drawn, not generated; the stopping code is the one that `Solver`
runs. `--votes FILE` replays recorded ones instead: lines of {"answers": [...]}.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from trl_dsmath.grading.votes import AnswerClasses
from trl_dsmath.inference.stopping import next_round
from trl_dsmath.paper import RESULTS

MAJ64 = RESULTS["rl", "maj@64", "math"]
GOALS = {128: 5.0, 1024: 7.0}
STOPPING_GOAL = 0.30
SAMPLES = 64


def speed(rounds: int, new_tokens: dict[int, int], batch_size: int | None) -> tuple[list[str], bool]:
    """Rows of the table of speed, and whether all goals are met."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

    from trl_dsmath.generation import Decoding, TransformersSampler
    from trl_dsmath.inference.config import TEMPERATURE, TOP_P
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    device = "cuda" if torch.cuda.is_available() else "cpu"
    clock = time.perf_counter if device == "cuda" else time.process_time
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny_model(["one and one is two"] * 3, folder, vocab_size=300, hidden_size=64, num_layers=1)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = None
    set_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 8}
    ends = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=8192, max_position_embeddings=4096, **shape, **ends))
    model.to(device).eval()
    sampler = TransformersSampler(model, tokenizer, batch_size=batch_size)
    rows, met = [], True
    for length, new in new_tokens.items():
        ids = torch.randint(1, 8192, (1, length), device=device)
        prompt = ids[0].tolist()
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": new, "pad_token_id": 0}

        def loop(given=given, new=new) -> None:
            for _ in range(SAMPLES):
                out = model.generate(**given, do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0)
                assert out.shape[1] == given["input_ids"].shape[1] + new

        def together(prompt=prompt, new=new) -> None:
            drawn = sampler.sample([prompt], Decoding(new, TEMPERATURE, TOP_P), n=SAMPLES)
            assert [len(sample.ids) for sample in drawn[0]] == [new] * SAMPLES

        together()  # first pages, first compilations
        seconds: dict[str, list[float]] = {"loop": [], "together": []}
        for _ in range(rounds):
            for name, call in (("loop", loop), ("together", together)):
                start = clock()
                call()
                if device == "cuda":
                    torch.cuda.synchronize()
                seconds[name].append(clock() - start)
                print(f"prompt {length}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
        plain = model.generate(**given, do_sample=False)[0, length:].tolist()
        greedy = list(sampler.sample([ids[0].tolist()], Decoding(new, temperature=0.0), n=1)[0][0].ids)
        ratio = sum(seconds["loop"]) / sum(seconds["together"])
        lowest = min(a / b for a, b in zip(seconds["loop"], seconds["together"], strict=True))
        met &= ratio >= GOALS.get(length, 0) and plain == greedy
        rows.append(
            f"| {length:,} | {new} | {sum(seconds['loop']) / rounds:.1f} | {sum(seconds['together']) / rounds:.2f} | "
            f"{ratio:.1f} x | {lowest:.1f} x | {GOALS.get(length, 0):g} x | {'yes' if plain == greedy else 'NO'} |"
        )
    head = [
        "| prompt | new tokens | loop, s | sampler, s | ratio | lowest turn | goal | greedy identical |",
        "|" + "---|" * 8,
    ]
    where = "GPU, wall-clock" if device == "cuda" else "CPU, one thread, CPU seconds"
    return [f"64 samples, 10M Llama in float32, {where}, {rounds} turns:", "", *head, *rows], met


def draw_votes(spread: float, agreement: float, rng: random.Random) -> list[str]:
    """64 answers to one problem; `"7"` is the right one."""
    mean = RESULTS["rl", "cot", "math"] / 100
    chance = rng.betavariate(spread * mean, spread * (1 - mean))
    wrong = [str(-i) for i in range(1, 31)]
    shares = [rng.gammavariate(agreement, 1.0) + 1e-12 for _ in wrong]
    return ["7" if rng.random() < chance else rng.choices(wrong, shares)[0] for _ in range(SAMPLES)]


def spread_for(agreement: float, seed: int) -> float:
    """The spread at which a vote of 64 is right as often as published."""

    def majority(spread: float) -> float:
        rng = random.Random(seed)
        votes = (Counter(draw_votes(spread, agreement, rng)) for _ in range(2000))
        return sum(count.most_common(1)[0][0] == "7" for count in votes) / 20

    return min((0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4), key=lambda spread: abs(majority(spread) - MAJ64))


def replay(votes: list[list[str]], rule: str) -> tuple[float, int, float]:
    """Share of samples saved, problems with the answer of the full vote, rounds a problem."""
    drawn = same = rounds = 0
    for answers in votes:
        full, classes = AnswerClasses(), AnswerClasses()
        full.add(answers)
        count = 0
        while more := next_round(classes.vote().classes, count, len(answers), rule):  # type: ignore[arg-type]
            classes.add(answers[count : count + more])
            count += more
            rounds += 1
        drawn += count
        same += classes.vote().answer == full.vote().answer
    return 1 - drawn / sum(map(len, votes)), same, rounds / len(votes)


def stopping(problems: int, seed: int, file: Path | None) -> tuple[list[str], bool]:
    """Rows of the table of savings, and whether the goal is met in all of them."""
    if file is not None:
        sets = {file.name: [json.loads(line)["answers"] for line in file.read_text().splitlines()]}
    else:
        sets = {}
        for agreement in (0.05, 0.1, 0.2, 0.5):
            spread, rng = spread_for(agreement, seed), random.Random(seed + 1)
            drawn = [draw_votes(spread, agreement, rng) for _ in range(problems)]
            foremost = [Counter(v for v in votes if v != "7").most_common(1) for votes in drawn]
            shares = [
                top[0][1] / sum(v != "7" for v in votes) for top, votes in zip(foremost, drawn, strict=True) if top
            ]
            sets[f"foremost wrong answer: {sum(shares) / len(shares):.0%} of the wrong ones, a+b {spread:g}"] = drawn
    rows, met = [], True
    for name, votes in sets.items():
        saved, same, rounds = replay(votes, "exact")
        beta, beta_same, _ = replay(votes, "beta")
        met &= saved >= STOPPING_GOAL and same == len(votes)
        rows.append(
            f"| {name} | {saved:.1%} | {same:,} of {len(votes):,} | {rounds:.1f} | {beta:.1%} | "
            f"{beta_same:,} of {len(votes):,} |"
        )
    head = ["| votes | exact: saved | same answer | rounds | Beta 0.99: saved | same answer |", "|" + "---|" * 6]
    return [*head, *rows], met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["all", "speed", "stopping"], default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new_tokens", type=int, nargs=2, default=[24, 8], help="after 128 and after 1,024 tokens")
    parser.add_argument("--batch_size", type=int)
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--votes", type=Path, help="recorded votes, a JSON line a problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    lines, met = [], True
    if args.part in ("all", "stopping"):
        part, reached = stopping(args.problems, args.seed, args.votes)
        lines += [
            *part,
            "",
            f"Goal: at least {STOPPING_GOAL:.0%} saved by the exact rule, answers identical: {'met' if reached else 'NOT met in every row'}.",
            "",
        ]
        met &= reached
    if args.part in ("all", "speed"):
        part, reached = speed(args.rounds, dict(zip((128, 1024), args.new_tokens, strict=True)), args.batch_size)
        lines += [*part, "", f"Goals: {'met' if reached else 'MISSED'}.", ""]
        met &= reached
    print("\n".join(lines))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text("# Self-consistency\n\n" + "\n".join(lines))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
