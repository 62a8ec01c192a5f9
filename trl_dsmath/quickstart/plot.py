"""The report's pictures."""

from ..grading.metrics import wilson
from .look import BLUE, GREY, LEGEND, ORANGE, TEXT, canvas, svg

SIZE = (4.8, 3.4)
ARMS = {"grpo": (BLUE, "outcome"), "step_grpo": (ORANGE, "outcome + process")}
Curve = list[tuple[int, float]]


def accuracy(right: dict[str, dict[str, int]], total: int) -> str:
    """
    Greedy and sampled accuracy after each stage, with intervals.

    Args:
        right (`dict[str, dict[str, int]]`):
            By stage, how many answers are right: `greedy`, `sampled`.
        total (`int`):
            Number of held-out problems.

    Returns:
        `str`: the SVG.
    """
    figure, axes = canvas(*SIZE)
    for place, (way, colour) in enumerate((("greedy", BLUE), ("sampled", GREY))):
        heights = [100 * counts[way] / total for counts in right.values()]
        ends = [wilson(counts[way], total) for counts in right.values()]
        below = [height - 100 * low for height, (low, _) in zip(heights, ends, strict=True)]
        above = [100 * high - height for height, (_, high) in zip(heights, ends, strict=True)]
        where = [i + 0.38 * place - 0.19 for i in range(len(right))]
        axes.bar(where, heights, width=0.36, color=colour, label="greedy" if way == "greedy" else "sampled, T = 1")
        axes.errorbar(where, heights, yerr=[below, above], fmt="none", ecolor=TEXT, elinewidth=1.2, capsize=2)
        for x, height, rise in zip(where, heights, above, strict=True):
            axes.text(x, height + rise + 1.5, f"{height:.0f}", ha="center", color=TEXT, fontsize=10)
    axes.set_xticks(range(len(right)), [_LABELS[stage] for stage in right])
    axes.set_ylim(0, 126)  # room for the legend above the bars
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("right, %")
    axes.legend(**LEGEND, ncols=2, loc="upper left")
    return svg(figure, "accuracy")


_LABELS = {"pretrain": "pretrain", "sft": "SFT", "grpo": "GRPO,\noutcome", "step_grpo": "GRPO,\n+ process"}


def learning_curves(points: dict[str, list[tuple[int, int]]], total: int, rewards: dict[str, Curve]) -> str:
    """
    Held-out accuracy and training reward over the steps of GRPO, for outcome and process.

    Args:
        points (`dict[str, list[tuple[int, int]]]`):
            By run, steps and how many held-out problems were right then (greedy).
        total (`int`):
            Number of held-out problems.
        rewards (`dict[str, list[tuple[int, float]]]`):
            By run, steps and the share of right answers in the samples that were trained on.

    Returns:
        `str`: the SVG.
    """
    figure, axes = canvas(*SIZE)
    for run, curve in points.items():
        colour, name = ARMS[run]
        steps, ends = [step for step, _ in curve], [wilson(right, total) for _, right in curve]
        low, high = [100 * end[0] for end in ends], [100 * end[1] for end in ends]
        axes.fill_between(steps, low, high, color=colour, alpha=0.18, lw=0)
        axes.plot(steps, [100 * right / total for _, right in curve], color=colour, marker="o", ms=4, label=name)
        axes.plot([step for step, _ in rewards[run]], [100 * r for _, r in rewards[run]], color=colour, lw=1, ls=":")
    axes.plot([], [], color=GREY, lw=1, ls=":", label="training samples")
    axes.set_ylim(0, 103)
    axes.set_xlim(0, None)
    axes.set_ylabel("right, %")
    axes.set_xlabel("GRPO step")
    axes.legend(**LEGEND, loc="lower right")
    return svg(figure, "curves")


def roc(points: Curve | list[tuple[float, float]], area: float) -> str:
    """The ROC curve of the reward model's step scores."""
    figure, axes = canvas(*SIZE)
    axes.plot([0, 100], [0, 100], color=GREY, lw=1, ls="--", label="chance")
    axes.plot([100 * x for x, _ in points], [100 * y for _, y in points], color=BLUE, label=f"PRM, AUROC {area:.3f}")
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 103)
    axes.set_ylabel("right steps let through, %")
    axes.set_xlabel("wrong steps let through, %")
    axes.legend(**LEGEND, loc="lower right")
    return svg(figure, "roc")


def votes(ks: list[int], before: dict[str, list[float]], after: dict[str, list[float]]) -> str:
    """Majority, weighted vote and pass@k over k, before GRPO (dashed) and after."""
    figure, axes = canvas(*SIZE)
    ways = {"pass": (GREY, "pass@k"), "weighted": (ORANGE, "vote by PRM"), "majority": (BLUE, "maj@k")}
    for way, (colour, name) in ways.items():
        axes.plot(ks, [100 * value for value in after[way]], color=colour, marker="o", ms=4, label=f"{name}, after")
    for way, (colour, _) in ways.items():
        axes.plot(ks, [100 * value for value in before[way]], color=colour, marker="o", ms=3, ls="--", label="before")
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.set_ylim(0, 103)
    axes.set_ylabel("right, %")
    axes.set_xlabel("samples k")
    axes.legend(**LEGEND, ncols=2, loc="lower right")
    return svg(figure, "votes")
