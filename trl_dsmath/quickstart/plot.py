"""The report's two pictures, as SVG that follows the page's text colour, so that it reads in light and dark."""

import io
import re
from typing import Any

from ..grading.metrics import wilson

TEXT = "#123456"  # stands for "the colour of the page's text" until the SVG is written
BLUE, ORANGE, GREY = "#3b82c4", "#d9822b", "#8a8f98"


def learning_curve(points: list[tuple[int, int]], total: int, rewards: list[tuple[int, float]]) -> str:
    """
    Held-out accuracy and training reward over GRPO's steps.

    Args:
        points (`list[tuple[int, int]]`):
            Steps, and how many held-out problems were right then (greedy).
        total (`int`):
            Number of held-out problems.
        rewards (`list[tuple[int, float]]`):
            Steps, and the mean reward of the samples that were trained on.

    Returns:
        `str`: the SVG.
    """
    figure, axes = _figure()
    steps = [step for step, _ in points]
    ends = [wilson(right, total) for _, right in points]
    axes.fill_between(
        steps, [100 * low for low, _ in ends], [100 * high for _, high in ends], color=BLUE, alpha=0.25, lw=0
    )
    axes.plot(steps, [100 * right / total for _, right in points], color=BLUE, marker="o", label="held-out, greedy")
    axes.plot(
        [step for step, _ in rewards],
        [100 * reward for _, reward in rewards],
        color=ORANGE,
        lw=1.2,
        label="training samples (reward)",
    )
    axes.set_ylim(0, 103)
    axes.set_xlim(0, None)
    axes.set_ylabel("right, %")
    return _svg(figure, axes, "GRPO step", "curve")


def losses(curves: dict[str, list[tuple[int, float]]]) -> str:
    """Training loss of pretraining and SFT over their steps."""
    figure, axes = _figure()
    for (name, curve), colour in zip(curves.items(), (GREY, BLUE), strict=False):
        axes.plot([step for step, _ in curve], [loss for _, loss in curve], color=colour, label=name)
    axes.set_ylim(0, 1.5)  # the first steps, up to 6, would flatten what matters
    axes.set_xlim(0, None)
    axes.set_ylabel("loss (nats a token)")
    return _svg(figure, axes, "step", "losses")


def _figure() -> tuple[Any, Any]:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 12})
    figure = Figure(figsize=(4.8, 3.3), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Any, axes: Any, x_label: str, name: str) -> str:
    import matplotlib

    axes.set_xlabel(x_label)
    axes.grid(axis="y", color=GREY, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT)
    axes.tick_params(colors=TEXT)
    axes.xaxis.label.set_color(TEXT)
    axes.yaxis.label.set_color(TEXT)
    axes.legend(frameon=False, labelcolor=TEXT)
    out = io.StringIO()
    # The salt keeps the identifiers of two pictures on one page apart, and the same from run to run.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    return re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1
    )
