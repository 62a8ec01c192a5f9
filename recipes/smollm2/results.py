"""The report of a run over its seeds: `report.html`, `report.md`, and its plot, `accuracy.svg`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

from problems import KINDS, TRAINED, read_rows

from trl_dsmath.data.journal import write_whole
from trl_dsmath.grading import Verdict, grade
from trl_dsmath.grading.metrics import wilson
from trl_dsmath.grading.votes import vote
from trl_dsmath.report import Page, Section
from trl_dsmath.report.plot import BLUE, GREY, NO_PLOT, ORANGE, Series, bars

MODELS = {
    "evaluate-published": "published",
    "evaluate-sft": "SFT",
    "evaluate-grpo": "GRPO, outcome",
    "evaluate-step-grpo": "GRPO, outcome + process",
    "evaluate-8bit": "GRPO in 8 bits",
    "evaluate-4bit": "GRPO in 4 bits",
}
GROUPS: dict[str, Any] = {
    "one operation, known forms": ("trained", False),
    "one operation, unseen form": ("trained", True),
    "two operations": "untrained",
    "GSM8K, short": "GSM8K",
}
PAIRED: dict[str, Any] = {"one operation": "trained", "two operations": "untrained", "GSM8K, short": "GSM8K"}
COMPARED = (
    ("evaluate-published", "evaluate-sft"),
    ("evaluate-sft", "evaluate-grpo"),
    ("evaluate-sft", "evaluate-step-grpo"),
    ("evaluate-grpo", "evaluate-step-grpo"),
    ("evaluate-grpo", "evaluate-8bit"),
    ("evaluate-grpo", "evaluate-4bit"),
)
CAVEATS = (
    "**The word problems are made up**: eight kinds, four forms each, numbers from a short range. A gain on them is no gain on "
    "GSM8K, which has its own row.",
    "**Part of a gain is form**: a box, and an end before the longest length. The flexible reading and the share of samples "
    "that were cut off tell how much.",
    "**A kind that rises in the unseen form too was learned to compute**; one that rises in the known forms only was learned by "
    "its words. GRPO trains on kinds of one operation; a gain on two operations or on GSM8K has carried over.",
    "**Intervals are over the problems of one run each**, not over seeds: with several seeds the problems of all are pooled.",
)


class Answers:
    """What a model answered in an evaluation: for each problem whether it is right, strictly and flexibly."""

    def __init__(self, folder: Path) -> None:
        scores = sorted(read_rows(folder / "scores.jsonl"), key=lambda row: row["problem"])
        self.strict = [row["strict_verdict"] == Verdict.CORRECT for row in scores]
        self.flexible = [row["flexible_verdict"] == Verdict.CORRECT for row in scores]
        self.cut_off = sum(json.loads((folder / "report.json").read_text())["cut_off_samples"].values())


Runs = dict[str, dict[str, tuple[list[dict[str, Any]], Answers]]]  # by stage and seed: a seed may lack the last stages


def write(output: Path) -> str:
    """Writes the report of all seeds in a folder. Returns its first table as text."""
    seeds = sorted(output.glob("seed-*"), key=lambda folder: int(folder.name.removeprefix("seed-")))
    runs: Runs = {
        name: {
            seed.name: (read_rows(seed / "data/test.jsonl"), Answers(seed / name))
            for seed in seeds
            if (seed / name / "scores.jsonl").exists()
        }
        for name in MODELS
    }
    runs = {name: found for name, found in runs.items() if found}
    accuracy = accuracy_table(runs)
    plots = {}
    if find_spec("matplotlib"):
        drawn = groups_plot(runs)
        plots["Right, boxed answers of held-out problems, with 95 % intervals."] = drawn
        write_whole(output / "accuracy.svg", drawn.replace("currentColor", GREY))
    sections = [
        Section(plots=plots, note="" if plots else NO_PLOT),
        Section(
            "Accuracy",
            accuracy,
            note="Greedy, boxed answers; 95 % Wilson intervals. Cut off: samples that ran into the longest length.",
        ),
        *seeds_section(runs),
        Section("By kind of problem", kinds_table(runs), note="Right boxed answers: known forms / unseen form."),
        Section("What moved", paired_table(runs), 2, note="The same problems before and after; exact McNemar test."),
        *votes_section(seeds),
        *prm_section(seeds),
        Section("Time and memory", cost_table(seeds), note="Of the first seed; a stage's process with its imports."),
        Section("How to read it", bullets=CAVEATS),
    ]
    settings = json.loads((output / "settings.json").read_text())
    sections.append(Section("Settings", note=", ".join(f"{key} {value}" for key, value in settings.items())))
    page = Page(
        f"A real model through every stage: {Path(settings['model']).name}", sections, headline(runs, len(seeds))
    )
    write_whole(output / "report.md", page.markdown())
    write_whole(output / "report.html", page.html())
    return "\n".join("  ".join(f"{cell:<24}" for cell in row).rstrip() for row in accuracy)


def pick(runs: Runs, name: str, group: Any, filter: str = "strict") -> dict[str, list[bool]]:
    """By seed, whether each problem is right, of `"all"` word problems, `"trained"` or `"untrained"` kinds, a form (`bool`), a kind."""
    return {
        seed: [ok for row, ok in zip(rows, getattr(answers, filter), strict=True) if belongs(row, group)]
        for seed, (rows, answers) in runs[name].items()
    }


def belongs(row: dict[str, Any], group: Any) -> bool:
    if isinstance(group, tuple):
        return belongs(row, group[0]) and belongs(row, group[1])
    if isinstance(group, bool):
        return row.get("unseen") is group
    if group == "all":
        return row["kind"] != "GSM8K"
    if group in ("trained", "untrained"):
        return belongs(row, "all") and (row["kind"] in TRAINED) == (group == "trained")
    return row["kind"] == group


def share(right: Sequence[bool]) -> str:
    """`44.9 % [38.9, 51.0]`."""
    count, total = sum(right), len(right)
    if not total:
        return ""
    low, high = wilson(count, total)
    return f"{100 * count / total:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def accuracy_table(runs: Runs) -> list[list[str]]:
    table = [["model", *GROUPS, "words, last number read", "cut off"]]
    for name in runs:
        found = runs[name].values()
        cut = sum(answers.cut_off for _, answers in found) / sum(len(rows) for rows, _ in found)
        cells = [share(flat(pick(runs, name, group))) for group in GROUPS.values()]
        table.append([MODELS[name], *cells, share(flat(pick(runs, name, "all", "flexible"))), f"{cut:.0%}"])
    return table


def seeds_section(runs: Runs) -> list[Section]:
    """Accuracy in each seed, where there are several."""
    seeds = max(runs.values(), key=len)
    if len(seeds) < 2:
        return []
    table = [["model", *GROUPS]]
    for name in runs:
        found = (pick(runs, name, group) for group in GROUPS.values())
        each = ([f"{100 * fmean(one[seed]):.1f}" if one.get(seed) else "-" for seed in seeds] for one in found)
        table.append([MODELS[name], *(", ".join(cells) for cells in each)])
    return [Section("Each seed", table, note="Right boxed answers, %, in the order of the seeds.")]


def kinds_table(runs: Runs) -> list[list[str]]:
    def cell(name: str, kind: str) -> str:
        parts = (flat(pick(runs, name, (kind, unseen))) for unseen in (False, True))
        return " / ".join(f"{sum(part)} of {len(part)}" for part in parts)

    return [
        ["kind", *(MODELS[name] for name in runs)],
        *([kind, *(cell(name, kind) for name in runs)] for kind in KINDS),
    ]


def groups_plot(runs: Runs) -> str:
    colors = {"evaluate-published": GREY, "evaluate-sft": BLUE, "evaluate-grpo": ORANGE}
    titles = [title for title, group in GROUPS.items() if any(flat(pick(runs, name, group)) for name in runs)]
    series = []
    for name, color in colors.items():
        if name in runs:
            counts = [flat(pick(runs, name, GROUPS[title])) for title in titles]
            ends = [wilson(sum(one), len(one)) for one in counts]
            series.append(Series(MODELS[name], [fmean(one) for one in counts], color, intervals=ends))
    labels = [
        title.replace(" operation", "\noperation").replace(", ", ",\n").replace(" form", "\nform") for title in titles
    ]
    return bars("groups", labels, series)


def paired_table(runs: Runs) -> list[list[str]]:
    table = [["from", "to", "problems", "gained", "lost", "p"]]
    for before, after in COMPARED:
        for title, group in PAIRED.items():
            if before in runs and after in runs:
                old, new = pick(runs, before, group), pick(runs, after, group)
                pairs = [pair for seed in old if seed in new for pair in zip(old[seed], new[seed], strict=True)]
                gained, lost = (sum(1 for pair in pairs if pair == kind) for kind in ((False, True), (True, False)))
                p = mcnemar(gained, lost)
                value = "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")
                table.append(
                    [f"{MODELS[before]}, {title}", MODELS[after], str(len(pairs)), str(gained), str(lost), value]
                )
    return table


def flat(right: Mapping[str, Iterable[bool]]) -> list[bool]:
    """Of all seeds."""
    return [ok for one in right.values() for ok in one]


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p of the exact McNemar test: were gains and losses equally likely?"""
    total = gained + lost
    tail = sum(comb(total, i) for i in range(min(gained, lost) + 1)) / 2**total
    return min(1.0, 2 * tail)


def votes_section(seeds: Sequence[Path]) -> list[Section]:
    """Votes over the samples of `solve`: one sample, majority, weighted by the PRM, any right."""
    table = [["samples of", "one sample (mean)", "majority", "weighted by the PRM", "any right"]]
    for name, title in (("solve-sft", "SFT"), ("solve-grpo", "GRPO, outcome")):
        one, votes = [], {"majority": [], "weighted": [], "any": []}
        for seed in seeds:
            if not (seed / f"{name}.jsonl").exists():
                continue
            samples: dict[str, list[dict[str, Any]]] = {}
            for row in read_rows(seed / f"{name}.samples.jsonl"):
                samples.setdefault(row["id"], []).append(row)
            for row in read_rows(seed / f"{name}.jsonl"):
                drawn = samples[row["id"]]
                answers, gold = [sample["answer"] for sample in drawn], row["gold"]
                right = [verdict == Verdict.CORRECT for verdict in grade(answers, [gold] * len(answers))]
                one.append(fmean(right))
                winner = vote(answers).answer
                votes["majority"].append(winner is not None and grade(winner, gold) == Verdict.CORRECT)
                votes["weighted"].append(row["answer"] is not None and grade(row["answer"], gold) == Verdict.CORRECT)
                votes["any"].append(any(right))
        if one:
            table.append([title, f"{100 * fmean(one):.1f} %", *(share(votes[kind]) for kind in votes)])
    return (
        [Section("Votes of 8 samples", table, note="Word problems, T = 0.7; the seeds pooled.")] if table[1:] else []
    )


def prm_section(seeds: Sequence[Path]) -> list[Section]:
    """What the process reward model measured on held-out solutions."""
    table = [["seed", "step accuracy", "step AUROC", "first-error F1", "loss"]]
    for seed in seeds:
        state = seed / "prm" / "trainer_state.json"
        if state.exists():
            logs = [row for row in json.loads(state.read_text())["log_history"] if "eval_loss" in row]
            if logs:
                values = {key.removeprefix("eval_"): value for key, value in logs[-1].items()}
                cells = (values.get(key) for key in ("step_accuracy", "auroc", "first_error_f1", "loss"))
                table.append(
                    [seed.name.removeprefix("seed-"), *("" if one is None else f"{one:.3g}" for one in cells)]
                )
    return [Section("Process reward model", table, note="On solutions of held-out prompts.")] if table[1:] else []


def cost_table(seeds: Sequence[Path]) -> list[list[str]]:
    table, sums = [["stage", "minutes", "CPU minutes", "peak GiB"]], [0.0, 0.0, 0.0]
    files = sorted((seeds[0] / "finished").glob("*.json"), key=lambda file: file.stat().st_mtime)
    for file in files:
        spent = json.loads(file.read_text())
        values = [spent["wall"] / 60, spent["cpu"] / 60, spent["peak_gib"]]
        table.append([file.stem, *(f"{value:.1f}" for value in values)])
        sums = [sums[0] + values[0], sums[1] + values[1], max(sums[2], values[2])]
    return [*table, ["**all**", *(f"**{value:.1f}**" for value in sums)]]


def headline(runs: Runs, seeds: int) -> str:
    if not {"evaluate-sft", "evaluate-grpo"} <= set(runs):
        return "Not finished."
    groups = (
        ("of one operation", "trained"),
        ("of two, never trained on,", "untrained"),
        ("of GSM8K (short ones)", "GSM8K"),
    )
    told = []
    for title, group in groups:
        sft, grpo = (flat(pick(runs, name, group)) for name in ("evaluate-sft", "evaluate-grpo"))
        if sft:
            told.append(f"{len(sft):,} problems {title} from {fmean(sft):.1%} to {fmean(grpo):.1%}")
    return f"GRPO took greedy accuracy on {', on '.join(told)} ({seeds} seed{'s' if seeds > 1 else ''})."
