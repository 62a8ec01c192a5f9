r"""Rollouts that step labels cost, beside plain annotation: N = 8 from each prefix of each solution, nothing shared.

    python benchmarks/annotation_cost.py                       (the quickstart's task: 3 turns of a dial)
    python benchmarks/annotation_cost.py --turns 6             (longer solutions)

The real path throughout: a policy trained by the quickstart's own stages (pretraining and SFT on the sloppy author's
texts), solutions sampled from it, `trl_dsmath.shepherd.annotate` with the transformers engine. Four runs on the same
solutions and the same random streams:

    plain         each prefix of each solution rolled out N times on its own; the reference for labels and cost
    hard          shared prefixes, a prefix stops at its first right rollout
    soft          shared prefixes, all N
    first_error   bisection for the first bad step

Goals (issue 3): hard at most 40 % of plain with labels equal to plain's; first_error at most 20 %. For first_error the
agreement is reported with plain labels, and with plain labels made monotone (bad from the first bad step on). The true
labels of the task (is the sum right, and all before it?) are reported for all of them; they are used for nothing else.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "quickstart"))
N = 8


def load_policy(turns: int, folder: Path, seed: int) -> tuple[Any, Any]:
    """The SFT policy of the quickstart's task with this many turns; trained on the first call, a minute or two.

    The accuracy that the quickstart prints here is that of 3 turns only: it cuts answers off at 24 tokens.
    """
    import task
    from quickstart import run_stages
    from run import Run, Settings
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    task.TURNS = turns
    run_stages(Run(folder, Settings(seed=seed, problems=100, vote_problems=100)), ["corpus", "pretrain", "sft"])
    model = folder / "sft" / "model"
    return LlamaForCausalLM.from_pretrained(model), PreTrainedTokenizerFast.from_pretrained(model)


def rows_of(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {(row["problem_id"], row["index"]): row for row in rows}


def true_labels(row: dict[str, Any]) -> list[bool]:
    """Whether a step and all before it are right; the last one (the answer) by the gold."""
    from task import wrong_lines

    wrong = wrong_lines("".join(row["completions"]))
    return [not any(line <= step for line in wrong) for step in range(len(row["labels"]) - 1)] + [row["labels"][-1]]


def plain_labels(
    rows: dict[tuple[str, int], dict[str, Any]], sampler: Any, decoding: Any, rollouts: int
) -> tuple[dict[tuple[str, int], list[bool]], int]:
    """Plain annotation, written out here: no sharing, no stopping. Returns labels and the rollouts drawn."""
    from trl_dsmath.grading import Verdict
    from trl_dsmath.grading.batch import judge
    from trl_dsmath.text import read_answer

    jobs = []  # (key, step, ids of the prefix, of the solution's part)
    for key, row in rows.items():
        prompt = sampler.encode_prompt(row["prompt"])
        ids = sampler.encode("".join(row["completions"]))
        for step in range(1, len(row["completions"]) + (not row["finished"])):  # the last step has the answer
            text = "".join(row["completions"][:step])
            end = next(m for m in range(len(ids) + 1) if sampler.decode(ids[:m]).startswith(text))
            jobs.append((key, step, prompt + ids[:end], ids[:end]))
    labels = {key: [False] * len(row["labels"]) for key, row in rows.items()}
    for key, row in rows.items():
        if row["finished"]:
            labels[key][-1] = row["labels"][-1]
    drawn = 0
    for begin in range(0, len(jobs), 64):
        part = jobs[begin : begin + 64]
        samples = sampler.sample([job[2] for job in part], decoding, n=rollouts)
        drawn += sum(map(len, samples))
        answers = [
            read_answer(sampler.decode([*job[3], *one.ids]), one.finished)
            for job, of in zip(part, samples, strict=True)
            for one in of
        ]
        golds = [rows[job[0]]["gold"] for job in part for _ in range(rollouts)]
        right = [verdict is Verdict.CORRECT for verdict in judge(answers, golds)]
        for i, (key, step, _, _) in enumerate(part):
            labels[key][step - 1] = any(right[i * rollouts : (i + 1) * rollouts])
    return labels, drawn


def share_equal(
    one: dict[tuple[str, int], list[bool]], other: dict[tuple[str, int], list[bool]], last: bool = False
) -> float:
    """Share of equal labels, of the steps before the last one (which is labelled without a rollout everywhere)."""
    pairs = [pair for key in one for pair in list(zip(one[key], other[key], strict=True))[: None if last else -1]]
    return sum(a == b for a, b in pairs) / len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="steps of a solution before the line with the answer")
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--solutions", type=int, default=4, help="solutions a problem")
    parser.add_argument("--rollout_batch_size", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the policy is kept for the next time")
    args = parser.parse_args()

    import torch
    from task import make_problems

    from trl_dsmath.generation import Decoding, TransformersSampler
    from trl_dsmath.shepherd import annotate

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        model, tokenizer = load_policy(args.turns, args.folder or Path(temporary, "policy"), args.seed)
        sampler = TransformersSampler(model, tokenizer, batch_size=256)
        decoding = Decoding(max_new_tokens=6 * args.turns + 6, seed=args.seed)
        problems = [
            {"prompt": problem.prompt, "gold": problem.answer}
            for problem in make_problems(args.problems, args.seed, "annotate")
        ]
        found, costs, seconds = {}, {}, {}
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        for mode in ("hard", "soft", "first_error"):
            path = Path(temporary, f"{mode}.jsonl")
            began = time.process_time()
            summary = annotate(
                problems,
                sampler,
                path,
                mode=mode,  # type: ignore[arg-type]
                num_rollouts=N,
                num_solutions=args.solutions,
                decoding=decoding,
                rollout_batch_size=args.rollout_batch_size,
                problems_at_once=64,
                progress=False,
            )
            seconds[mode] = time.process_time() - began
            rows = rows_of(path)
            found[mode] = {key: [label > 0 for label in row["labels"]] for key, row in rows.items()}
            costs[mode] = summary.spent
        began = time.process_time()
        plain, costs["plain"] = plain_labels(rows, sampler, decoding, N)
        seconds["plain"] = time.process_time() - began

    truth = {key: true_labels(row) for key, row in rows.items()}
    monotone = {key: [all(steps[: i + 1]) for i in range(len(steps))] for key, steps in plain.items()}
    steps = [len(labels) for labels in plain.values()]
    right = sum(labels[-1] for labels in plain.values()) / len(plain)
    wrong = {key: labels for key, labels in plain.items() if not labels[-1]}
    print(
        f"\n{len(plain)} solutions of {args.problems} problems, {args.turns} turns ({sum(steps) / len(steps):.1f} steps), "
        f"{right:.1%} right; N = {N}, batches of {args.rollout_batch_size}, seed {args.seed}"
    )
    print(f"good steps before the last one: {sum(map(sum, plain.values())) / sum(steps):.1%} by plain labels")
    print(f"{'':12} {'rollouts':>10} {'of plain':>9} {'CPU s':>6} {'= plain':>8} {'= monotone':>11} {'= truth':>8}")
    for mode in ("plain", "hard", "soft", "first_error"):
        labels = plain if mode == "plain" else found[mode]
        print(
            f"{mode:12} {costs[mode]:10,} {costs[mode] / costs['plain']:9.1%} {seconds[mode]:6.1f} "
            f"{share_equal(labels, plain):8.1%} {share_equal(labels, monotone):11.1%} {share_equal(labels, truth):8.1%}"
        )
    bisected = {key: found["first_error"][key] for key in wrong}
    if wrong:
        print(
            f"first_error, wrong solutions only ({len(wrong)}): = plain {share_equal(bisected, wrong):.1%}, first bad step "
            f"the same in {sum(bisected[key].index(False) == wrong[key].index(False) for key in wrong) / len(wrong):.1%}"
        )
    unequal = sum(found["hard"][key] != plain[key] for key in plain)
    print(f"hard labels equal to plain in {len(plain) - unequal} of {len(plain)} solutions")
    goals = [("hard", 0.40), ("first_error", 0.20)]
    print(
        "; ".join(f"{m}: {'met' if costs[m] <= g * costs['plain'] else 'MISSED'} (at most {g:.0%})" for m, g in goals)
    )


if __name__ == "__main__":
    main()
