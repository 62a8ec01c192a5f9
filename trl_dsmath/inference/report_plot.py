"""The report's pictures."""

from collections.abc import Sequence

from ..report.page import BLUE, GREEN, GREY, LEGEND, ORANGE, canvas, svg
from .report_content import MODELS, Published, headline, title_of
from .score import Figure

_WIDTH = 5.4
_MARKS = {"base": ("D", GREY), "instruct": ("s", ORANGE), "rl": ("^", GREEN)}


def overview(figures: Sequence[Figure], published: dict[str, list[Published]]) -> str:
    """Accuracy of each benchmark with its interval, beside the published figures."""
    names = list(dict.fromkeys(figure.benchmark for figure in figures))
    figure, axes = canvas(_WIDTH, 1.2 + 0.42 * len(names), grid="x")
    for place, name in enumerate(names):
        flexible, strict = headline(figures, name), headline(figures, name, "strict")
        if flexible is not None:
            axes.plot([100 * flexible.low, 100 * flexible.high], [place, place], color=BLUE, lw=5, alpha=0.35)
            axes.plot(100 * flexible.value, place, "o", color=BLUE, ms=7, label="flexible" if not place else None)
        if strict is not None:
            axes.plot(100 * strict.value, place, "|", color=BLUE, ms=13, mew=2, label="strict" if not place else None)
    for model, (mark, colour) in _MARKS.items():
        points = [
            (one.percent, place)
            for place, name in enumerate(names)
            for one in published.get(name, [])
            if one.model == model and not one.mode.startswith("maj")
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, mark, color=colour, ms=6, mfc="none", mew=1.6, label=f"{MODELS[model]}, published")
    axes.set_yticks(range(len(names)), [title_of(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("right, %")
    figure.legend(**LEGEND, loc="outside lower center", ncols=3, numpoints=1)
    return svg(figure, "overview")


def curves(figures: Sequence[Figure], name: str) -> str:
    """pass@k, maj@k and the mean of one benchmark over k, flexible reading."""
    own = [one for one in figures if one.benchmark == name and one.reading == "flexible" and "@" in one.name]
    mean = next(one for one in own if one.name.startswith("avg@"))
    figure, axes = canvas(_WIDTH, 3.1)
    for kind, label, colour in (("pass", "at least one (pass@k)", GREEN), ("maj", "majority (maj@k)", BLUE)):
        points = [(1, mean)] + [(int(one.name.split("@")[1]), one) for one in own if one.name.startswith(f"{kind}@")]
        xs = [k for k, _ in points]
        axes.fill_between(
            xs, [100 * f.low for _, f in points], [100 * f.high for _, f in points], color=colour, alpha=0.15, lw=0
        )
        axes.plot(xs, [100 * f.value for _, f in points], color=colour, marker="o", ms=4, label=label)
    axes.axhline(100 * mean.value, color=ORANGE, lw=1.2, ls="--", label="mean")
    axes.set_xscale("log", base=2)
    axes.set_xticks([k for k, _ in points], [str(k) for k, _ in points])
    axes.minorticks_off()
    axes.set_ylim(0, 103)
    axes.set_ylabel("right, %")
    axes.set_xlabel("samples k")
    axes.legend(**LEGEND)
    return svg(figure, f"curve-{name}")
