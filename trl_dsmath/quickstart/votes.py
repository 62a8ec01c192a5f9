"""Stage `solve`: self-consistency before and after GRPO, by majority and weighted by the reward model."""

from statistics import fmean
from typing import Any

from ..grading.metrics import maj_at_k, pass_at_k
from ..inference import Solution, Solver
from ..paper import EVALUATION
from ..prm import load_step_scorer
from . import measure
from .context import Context, Done
from .settings import POLICIES, SHOWN_K, K, read_rows, write_rows
from .task import Problem

VOTERS = POLICIES[1:]


def run(context: Context) -> Done:
    """Draws 16 samples a problem from each policy, scores their steps, and votes."""
    here, settings = context.here("solve"), context.settings
    problems = context.held_out[: settings.vote_problems]
    scorer = load_step_scorer(context.folder.model("prm"), device="cpu", batch_size=64)
    figures: dict[str, Any] = {"problems": len(problems), "k": list(SHOWN_K)}
    for number, policy in enumerate(VOTERS):
        file = here / f"{policy}.jsonl"
        if not file.exists():
            solver = Solver.from_pretrained(
                context.folder.model(policy),
                step_scorer=scorer,
                use_cpu=True,
                n=K,
                vote="weighted",
                adaptive="off",  # all samples are wanted, not only the winner
                temperature=EVALUATION.temperature,
                top_p=1.0,
                max_new_tokens=measure.MAX_NEW_TOKENS,
                seed=settings.seed,
            )
            rows: list[dict[str, Any]] = [{}] * len(problems)
            for done, (i, solution) in enumerate(solver.solve([problem.question for problem in problems]), start=1):
                rows[i] = _row(problems[i], solution)
                share = (number + done / len(problems)) / len(VOTERS)
                context.progress.update(share, f"{policy}: {done} of {len(problems)} problems")
            write_rows(file, rows)
        figures[policy] = count(read_rows(file))
    before, after = figures["sft"], figures["step_grpo"]
    line = (
        f"maj@{K} {before['majority'][-1]:.1%} -> {after['majority'][-1]:.1%}, by PRM {before['weighted'][-1]:.1%} -> "
        f"{after['weighted'][-1]:.1%}, pass@{K} {before['pass'][-1]:.1%} -> {after['pass'][-1]:.1%}"
    )
    data = f"{K} samples of {len(problems)} held-out problems from each of {len(VOTERS)} models, T = {EVALUATION.temperature}"
    return Done(data, line, figures)


def _row(problem: Problem, solution: Solution) -> dict[str, Any]:
    """What is kept of a problem: for each sample its answer's class, whether it is right, and its scores."""
    class_of = {i: number for number, group in enumerate(solution.vote.classes) for i in group.members}
    right = measure.judge([problem] * len(solution.samples), [sample.text for sample in solution.samples])
    samples = [
        {
            "text": sample.text,
            "class": class_of.get(i),
            "right": right[i],
            "score": sample.score,
            "steps": sample.steps,
            "step_scores": [round(score, 4) for score in sample.step_scores],
        }
        for i, sample in enumerate(solution.samples)
    ]
    return {"question": problem.question, "answer": problem.answer, "samples": samples}


def count(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """
    Accuracy at 1, 2, 4, 8 and 16 samples.

    Args:
        rows (`list[dict]`):
            Problems as they are kept.

    Returns:
        `dict[str, list[float]]`: `majority`, `weighted` (each vote weighs the lowest step score of its sample; mean over
        as many disjoint groups of samples as there are), `pass`.
    """
    found: dict[str, list[float]] = {"majority": [], "weighted": [], "pass": []}
    for k in SHOWN_K:
        majority, weighted, passed = [], [], []
        for row in rows:
            classes = [sample["class"] for sample in row["samples"]]
            right = [sample["right"] for sample in row["samples"]]
            majority.append(maj_at_k(classes, right, k))
            passed.append(pass_at_k(sum(right), len(right), k))
            weighted.append(fmean(_weighted(row["samples"][i : i + k]) for i in range(0, K, k)))
        for name, values in (("majority", majority), ("weighted", weighted), ("pass", passed)):
            found[name].append(fmean(values))
    return found


def _weighted(samples: list[dict[str, Any]]) -> float:
    """Whether the answer with the highest sum of scores is right."""
    weights: dict[int, float] = {}
    for sample in samples:
        if sample["class"] is not None:
            weights[sample["class"]] = weights.get(sample["class"], 0.0) + sample["score"]
    if not weights:
        return 0.0
    best = max(weights, key=weights.__getitem__)
    return float(next(sample["right"] for sample in samples if sample["class"] == best))
