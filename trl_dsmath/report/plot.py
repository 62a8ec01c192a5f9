"""The plots of all reports, as SVG in the colours of the page. They need matplotlib."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT = "#123456"  # replaced by the colour of the page's text
BLUE, ORANGE, GREEN, GREY = "#3b82c4", "#d9822b", "#2f9e6e", "#8a8f98"
NO_PLOT = "No plots: matplotlib is not installed (pip install 'trl-dsmath[report]')."
_SIZE = (4.8, 3.4)
_LEGEND = {"frameon": False, "labelcolor": TEXT, "fontsize": 10}


@dataclass(frozen=True)
class Series:
    """Shares (0 to 1) that are drawn in one colour, in percent. Color, style and marker are matplotlib's."""

    label: str  # in the legend; none if empty
    y: Sequence[float | None]  # the shares; None leaves a place empty
    color: str
    x: Sequence[float] = ()  # positions, for `lines`
    intervals: Sequence[tuple[float, float] | None] = ()  # of each share
    style: str = "-"
    marker: str = ""


def lines(
    name: str,
    series: Sequence[Series],
    xlabel: str,
    ylabel: str = "right, %",
    log2: bool = False,
    legend_columns: int = 1,
    percent: bool = True,
) -> str:
    """
    Draws shares, or other numbers, over something, as SVG.

    Args:
        name (`str`):
            A name that no other plot on the page has.
        series (`Sequence[Series]`):
            The lines; their intervals become bands. A line without points is an entry of the legend only.
        log2 (`bool`, *optional*, defaults to `False`):
            Whether the x axis is logarithmic with a tick at each x.
        percent (`bool`, *optional*, defaults to `True`):
            Whether the numbers are shares; others are drawn from 0 to as far as they go.
    """
    with _canvas(name, *_SIZE) as (figure, axes):
        scale = 100 if percent else 1
        for one in series:
            band = [(x, scale * i[0], scale * i[1]) for x, i in zip(one.x, one.intervals, strict=False) if i]
            if band:
                x, low, high = zip(*band, strict=True)
                axes.fill_between(x, low, high, color=one.color, alpha=0.18, lw=0)
            axes.plot(
                one.x,
                [float("nan") if y is None else scale * y for y in one.y],
                one.style,
                color=one.color,
                marker=one.marker,
                ms=4,
                label=one.label or None,
                lw=1.0 if one.style == ":" else 1.5,
            )
        axes.set_ylim(*((-2, 103) if percent else (0, 1.08 * axes.get_ylim()[1])))
        if log2:
            ticks = sorted({x for one in series for x in one.x})
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        if any(one.label for one in series):
            axes.legend(**_LEGEND, loc="best", ncols=legend_columns)
        return _svg(figure)


def bars(name: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Draws shares as bars side by side, as SVG: of each series one in each group, with its interval."""
    with _canvas(name, *_SIZE) as (figure, axes):
        width = 0.76 / len(series)
        for number, one in enumerate(series):
            x = [group + width * (number - (len(series) - 1) / 2) for group in range(len(labels))]
            axes.bar(x, [100 * (y or 0) for y in one.y], width=0.95 * width, color=one.color, label=one.label)
            for place, y, interval in zip(x, one.y, one.intervals, strict=True):
                if y is not None and interval is not None:
                    errors = [[100 * (y - interval[0])], [100 * (interval[1] - y)]]
                    axes.errorbar(place, 100 * y, yerr=errors, fmt="none", ecolor=TEXT, elinewidth=1.2, capsize=2)
                    axes.text(place, 100 * interval[1] + 1.5, f"{100 * y:.0f}", ha="center", color=TEXT, fontsize=10)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_ylim(0, 126)  # the legend is above the bars
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("right, %")
        axes.legend(**_LEGEND, ncols=len(series), loc="upper left")
        return _svg(figure)


def points(name: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """
    Draws shares as points on horizontal lines, as SVG: of each series one on each line, the labels from the top.

    With intervals the points are filled and on a bar, without they are hollow.
    """
    with _canvas(name, 5.4, 1.2 + 0.42 * len(labels), grid="x") as (figure, axes):
        for one in series:
            for place, interval in enumerate(one.intervals):
                if interval is not None:
                    axes.plot([100 * end for end in interval], [place] * 2, color=one.color, lw=5, alpha=0.35)
            drawn = [(100 * y, place) for place, y in enumerate(one.y) if y is not None]
            if drawn:
                x, y = zip(*drawn, strict=True)
                fill = one.color if one.intervals else "none"
                axes.plot(
                    x,
                    y,
                    one.marker,
                    color=one.color,
                    ms=13 if one.marker == "|" else 6.5,
                    mfc=fill,
                    mew=1.6,
                    label=one.label,
                )
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("right, %")
        figure.legend(**_LEGEND, loc="outside lower center", ncols=3)
        return _svg(figure)


@contextmanager
def _canvas(
    name: str, width: float, height: float, grid: Literal["x", "y"] = "y"
) -> Iterator[tuple["Figure", "Axes"]]:
    """A figure to draw and save within the block, where matplotlib has our fonts, and identifiers that no other plot has.

    What is drawn in `TEXT` will have the page's text colour.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(
        {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 12, "svg.hashsalt": name}
    ):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis=grid, color=GREY, alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(TEXT)
        axes.tick_params(colors=TEXT)
        axes.xaxis.label.set_color(TEXT)
        axes.yaxis.label.set_color(TEXT)
        yield figure, axes


def _svg(figure: "Figure") -> str:
    """The figure as SVG, as wide as its place on the page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text[text.index("<svg") :], count=2)
    return text.replace(TEXT, "currentColor")
