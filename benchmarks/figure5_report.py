"""The tables and plots of benchmarks/figure5.py, of the seeds that are finished: python benchmarks/figure5_report.py DIR"""

import statistics
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from platform import python_version
from typing import Any

from trl_dsmath.data.journal import read_journal, write_whole
from trl_dsmath.report import plot

METHODS = ("RFT", "Online RFT", "GRPO+OS", "GRPO+PS")
SEEDS, TUNING_SEED = range(5), 100
KEY = ("method", "seed", "name")
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # t, 97.5 %, of so many seeds
ROOT = Path(__file__).parents[1]
MARK = "<!-- by benchmarks/figure5_report.py -->"  # around the tables of the page
Row = dict[str, Any]


def area(row: Row, way: str = "greedy") -> float:
    """Mean accuracy over the curve: what the rate is chosen by."""
    return statistics.fmean(point[way] for point in row["points"][1:])


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean over the seeds, and its 95 % interval by Student's t."""
    mean = statistics.fmean(values)
    half = STUDENT[len(values)] * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def chosen(rows: list[Row], method: str) -> Row:
    """The setting of a method with the best curve on the tuning seed; not the highest rate, which nothing brackets."""
    tried = [row for row in rows if row["method"] == method and row["seed"] == TUNING_SEED]
    highest = max(row["setting"]["learning_rate"] for row in tried)
    return max((row for row in tried if row["setting"]["learning_rate"] < highest), key=area)["setting"]


def in_words(setting: Row) -> str:
    return f"{setting['learning_rate']:g}" + (
        f", {n} epoch{'s' * (n > 1)}" if (n := setting.get("num_train_epochs")) else ""
    )


def complete(rows: list[Row]) -> list[int]:
    """The seeds of which all methods have run."""
    done = {(row["method"], row["seed"]) for row in rows if row["setting"] == chosen(rows, row["method"])}
    return [seed for seed in SEEDS if all((method, seed) in done for method in METHODS)]


def of_method(rows: list[Row], method: str) -> list[Row]:
    """The runs that are reported, by seed."""
    seeds, setting = complete(rows), chosen(rows, method)
    found = [row for row in rows if row["method"] == method and row["setting"] == setting and row["seed"] in seeds]
    return sorted(found, key=lambda row: row["seed"])


def shown(values: list[float], sign: str = "") -> str:
    mean, low, high = (100 * value for value in interval(values))
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def table(head: str, body: list[str]) -> list[str]:
    return [f"| {head} |", "| --- |" + " --- |" * head.count("|"), *(f"| {line} |" for line in body), ""]


def accuracy(rows: list[Row]) -> list[str]:
    """Accuracy after all samples and over the curve, and what each method has more than the one before."""
    runs = {method: of_method(rows, method) for method in METHODS}
    seeds = " | ".join(f"seed {seed}" for seed in complete(rows))
    start = [row | {"points": [row["points"][0]] * 2} for row in runs["RFT"]]
    lines = []
    for way in ("greedy", "sampled"):
        body = []
        for method, of in {"SFT, the start": start, **runs}.items():
            last = [row["points"][-1][way] for row in of]
            cells = [f"{100 * value:.1f}" for value in last]
            body.append(" | ".join([method, *cells, shown(last), shown([area(row, way) for row in of])]))
        lines += table(f"{way}, right, % | {seeds} | mean | mean of the curve", body)
    body = []
    for before, after in pairwise(METHODS):
        pairs = list(zip(runs[before], runs[after], strict=True))
        cells = []
        for way in ("greedy", "sampled"):
            cells.append(shown([b["points"][-1][way] - a["points"][-1][way] for a, b in pairs], "+"))
            cells.append(shown([area(b, way) - area(a, way) for a, b in pairs], "+"))
        body.append(" | ".join([f"{after} less {before}", *cells]))
    return lines + table("points, same seeds | greedy | greedy, curve | sampled | sampled, curve", body)


def report(rows: list[Row]) -> str:
    """All runs as tables."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("trl-dsmath", "trl", "transformers", "torch"))
    lines = [
        "# RFT, online RFT, GRPO+OS and GRPO+PS at equal numbers of samples\n",
        "    python benchmarks/figure5.py --output_dir DIR\n",
        f"Python {python_version()}, {packages}; one thread on two shared CPU cores. How it was made and how to read it: "
        f"docs/results/figure-5.md. 300 held-out problems, {rows[0]['samples']:,} samples; mean over the seeds [95 % interval by "
        "Student's t].\n",
        *accuracy(rows),
    ]
    body = []
    for method in METHODS:
        of = of_method(rows, method)
        more = [row["prm_samples"] for row in of if "prm_samples" in row]
        kept = [row["points"][-1]["kept"] for row in of if "kept" in row["points"][-1]]
        note = f"the PRM: {min(more):,} to {max(more):,} samples more" if more else ""
        note = f"{min(kept)} to {max(kept)} solutions kept" if kept else note
        spent = [f"{statistics.fmean(row[name] for row in of):.0f}" for name in ("seconds", "cpu_seconds")]
        body.append(" | ".join([method, in_words(of[0]["setting"]), f"{of[0]['samples']:,}", *spent, note]))
    lines += table("method | learning rate | samples | seconds | CPU seconds | and", body)
    reported = [row for method in METHODS for row in of_method(rows, method)]
    others = [
        f"{row['method']} | {row['seed']} | {in_words(row['setting'])} | {100 * area(row):.1f} | {100 * area(row, 'sampled'):.1f}"
        for row in sorted(rows, key=lambda row: METHODS.index(row["method"]))
        if row not in reported and (row["seed"] == TUNING_SEED or row["setting"] != chosen(rows, row["method"]))
    ]
    lines += [f"All other runs; the settings were chosen on seed {TUNING_SEED}:\n"]
    lines += table("method | seed | learning rate | greedy, curve | sampled, curve", others)
    return "\n".join(lines)


def draw(rows: list[Row], way: str) -> str:
    """The curves with their intervals, as SVG for a page of either colour."""
    series = []
    for method, color in zip(METHODS, (plot.GREY, plot.ORANGE, plot.BLUE, plot.GREEN), strict=True):
        runs = [row["points"] for row in of_method(rows, method)]
        bands = [interval([point[way] for point in at]) for at in zip(*runs, strict=True)]
        x = [point["samples"] for point in runs[0]]
        spans = [(low, min(1.0, high)) for _, low, high in bands]
        series.append(plot.Series(method, [mean for mean, _, _ in bands], color, x, spans, marker="o"))
    return plot.lines(f"figure5-{way}", series, "samples", f"{way}, right, %").replace("currentColor", plot.GREY)


def write(rows: list[Row]) -> None:
    """Writes the tables and the plots of the documentation."""
    write_whole(ROOT / "benchmarks" / "results" / "figure5.md", report(rows))
    page = ROOT / "docs" / "results" / "figure-5.md"
    before, _, after = page.read_text(encoding="utf-8").split(MARK)
    write_whole(page, MARK.join([before, "\n\n" + "\n".join(accuracy(rows)) + "\n", after]))
    for way in ("greedy", "sampled"):
        write_whole(ROOT / "docs" / "images" / f"figure5-{way}.svg", draw(rows, way))


if __name__ == "__main__":
    write(list(read_journal(Path(sys.argv[1]) / "runs.jsonl", KEY)))
