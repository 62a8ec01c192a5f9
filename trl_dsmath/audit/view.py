"""The completions that a GRPO run logged, as one page: steps by score, verdicts, growth over training."""

import json
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

from ..data.columns import read_question
from ..report import Example, Page, Sample, Section, Step
from ..report.plot import BLUE, GREEN, NO_PLOT, ORANGE, Series, lines
from ..rewards.completions import completion_text
from .logged import accuracy_column, read_files

THRESHOLD = 0.5  # a lower step score says "wrong"
_SHOWN, _SAMPLES, _ROWS = 12, 8, 20  # training steps and solutions of a prompt that are shown; rows of the table
_COLUMNS = {  # of the table of growth: heading, format
    "solutions": ("solutions", ",d"),
    "right": ("right, %", "%"),
    "tokens": ("tokens (mean)", ".1f"),
    "characters": ("characters (mean)", ".1f"),
    "steps": ("steps (mean)", ".1f"),
    "lowest": ("lowest step score (mean)", ".2f"),
    "disagrees": ("disagree, %", "%"),
}
_DECIDED = ("correct", "wrong", "no_answer")
Stats = dict[str, float | None]


def make_page(run: Path, prompts: int = 4) -> Page:
    """
    The page of a run: `output_dir`, its folder of completions, or one file of them.

    Raises:
        DataError: there are no completions.
    """
    files, _ = read_files(run)
    accuracy = accuracy_column(list(files[0][1][0]), [row for _, rows in files for row in rows])
    shown = {files[round(i * (len(files) - 1) / (_SHOWN - 1))][0] for i in range(_SHOWN)}
    growth: dict[int, Stats] = {}
    counts: Counter[tuple[bool, bool]] = Counter()  # right, a low step
    examples: list[Example] = []
    for name, rows in files:
        for step, own in groupby(rows, key=lambda row: int(row.get("step") or 0)):
            found = [row | _judged(row, accuracy) for row in own]
            growth[step] = _stats(found)
            counts.update((row["right"], row["low"]) for row in found if row["disagrees"] is not None)
            if name in shown:
                groups = [list(group) for _, group in groupby(found, key=lambda row: row["prompt"])]
                examples += [_example(step, i + 1, group) for i, group in enumerate(groups[:prompts])]
    lengths = _token_lengths(run)
    for step, stats in growth.items():
        stats["tokens"] = lengths.get(step)
    solutions = sum(int(stats["solutions"] or 0) for stats in growth.values())
    sections = [*_growth_sections(growth), *_disagreement(counts)]
    note = f"{len(files)} logged steps; of {min(len(files), _SHOWN)} of them the first {prompts} prompts, up to {_SAMPLES} solutions each."
    if counts:
        note += " The number and the color of a step are its reward, from red (0) to green (1)."
    sections.append(Section("Solutions", examples=examples, note=note))
    return Page(f"Completions of {run.resolve().name}", sections, _headline(growth, counts, solutions))


def _judged(row: dict[str, Any], accuracy: str | None) -> dict[str, Any]:
    """What is shown of a row: text, verdict, lowest step reward, and whether the two disagree."""
    verdict = row.get("verdict")
    if verdict is None and accuracy is not None and row.get(accuracy) is not None:
        verdict = "correct" if row[accuracy] == 1.0 else "wrong"
    steps, scores = row.get("steps"), row.get("step_rewards")
    scores = json.loads(scores) if isinstance(scores, str) else scores  # for W&B
    whole = isinstance(steps, list) and isinstance(scores, list)
    given = [score for score in scores or () if score is not None] if whole else []
    right, low = verdict == "correct", bool(given) and min(given) < THRESHOLD
    return {
        "text": completion_text(row["completion"]),
        "verdict": verdict,
        "steps": list(zip(steps, scores, strict=True)) if whole else None,  # type: ignore[arg-type]
        "lowest": min(given, default=None),
        "right": right,
        "low": low,
        "disagrees": right == low if given and verdict in _DECIDED else None,
    }


def _stats(rows: Sequence[dict[str, Any]]) -> Stats:
    def mean(values: list[float]) -> float | None:
        return fmean(values) if values else None

    return {
        "solutions": len(rows),
        "right": mean([row["right"] for row in rows if row["verdict"] in _DECIDED]),
        "disagrees": mean([row["disagrees"] for row in rows if row["disagrees"] is not None]),
        "lowest": mean([row["lowest"] for row in rows if row["lowest"] is not None]),
        "characters": mean([len(row["text"]) for row in rows]),
        "steps": mean([len(row["steps"]) for row in rows if row["steps"] is not None]),
    }


def _token_lengths(run: Path) -> dict[int, float]:
    """Mean length in tokens by training step, from the newest state that the trainer saved."""
    states = [*run.glob("trainer_state.json"), *run.glob("checkpoint-*/trainer_state.json")]
    if not states:
        return {}
    log = json.loads(max(states, key=lambda file: file.stat().st_mtime).read_text(encoding="utf-8"))["log_history"]
    key = "completions/mean_length"
    return {row["step"]: row[key] for row in log if row.get(key) is not None}


def _example(step: int, number: int, rows: Sequence[dict[str, Any]]) -> Example:
    gold = rows[0].get("gold")
    answers = [("right", gold, None)] if gold is not None else []
    right = sum(row["right"] for row in rows)
    title = f"Training step {step}, prompt {number}: {right} of {len(rows)} right"
    return Example(
        title, read_question(rows[0]["prompt"]), answers, samples=[_sample(step, row) for row in rows[:_SAMPLES]]
    )


def _sample(step: int, row: dict[str, Any]) -> Sample:
    told = [str(row["verdict"]).replace("_", " ")] if row["verdict"] else []
    told += [f"answer {row['read_answer']}"] if row.get("read_answer") else []
    told += [] if row["lowest"] is None else [f"lowest step {row['lowest']:.2f}"]
    told += [f"advantage {row['advantage']:+.2f}"] if row.get("advantage") is not None else []
    tags = {"Training step": str(step)}
    if row["verdict"]:
        tags["Verdict"] = str(row["verdict"]).replace("_", " ")
    if row["disagrees"] is not None:
        tags["Steps and outcome"] = (
            "agree" if not row["disagrees"] else "right, but a low step" if row["right"] else "wrong, but no low step"
        )
    steps = [Step(text, score) for text, score in row["steps"]] if row["steps"] else [Step(row["text"])]
    return Sample(", ".join(told), row["right"] if row["verdict"] in _DECIDED else None, steps, tags)


def _headline(growth: dict[int, Stats], counts: Counter[tuple[bool, bool]], solutions: int) -> str:
    right = [stats["right"] for stats in growth.values() if stats["right"] is not None]
    text = f"{solutions:,} solutions of {len(growth):,} training steps"
    if right:
        few = max(1, len(right) // 4)
        text += f"; right: {fmean(right[:few]):.1%} in the first quarter, {fmean(right[-few:]):.1%} in the last"
    if counts:
        share = (counts[True, True] + counts[False, False]) / counts.total()
        text += f"; step scores and outcome disagree on {share:.1%}"
    return f"{text}."


def _growth_sections(growth: dict[int, Stats]) -> list[Section]:
    kept = [key for key in _COLUMNS if any(stats[key] is not None for stats in growth.values())]
    steps = list(growth)
    at = sorted({steps[round(i * (len(steps) - 1) / (_ROWS - 1))] for i in range(_ROWS)})
    rows = [[str(step), *(_cell(_COLUMNS[key][1], growth[step][key]) for key in kept)] for step in at]
    table = Section(table=[["training step", *(_COLUMNS[key][0] for key in kept)], *rows])
    if find_spec("matplotlib") is None:
        return [Section("Growth", note=NO_PLOT), table]

    def series(key: str, label: str, color: str) -> Series:
        return Series(label, [stats[key] for stats in growth.values()], color, steps, marker="o")

    shares = {"right": BLUE, "lowest": ORANGE, "disagrees": GREEN}
    drawn = [series(key, _COLUMNS[key][0].removesuffix(", %"), color) for key, color in shares.items() if key in kept]
    plots = {"Over training.": lines("shares", drawn, "training step", "%")} if drawn else {}
    for key in ("tokens" if "tokens" in kept else "characters", "steps"):
        if key in kept:
            name = _COLUMNS[key][0]
            plots[f"{name.capitalize()}."] = lines(key, [series(key, "", BLUE)], "training step", name, percent=False)
    return [Section("Growth", plots=plots if steps[1:] else {}), table]


def _cell(shown: str, value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}" if shown == "%" else f"{value:{shown}}"


def _disagreement(counts: Counter[tuple[bool, bool]]) -> list[Section]:
    if not counts:
        return []
    table = [
        ["outcome", f"a step below {THRESHOLD:g}", "no step below"],
        *([name, f"{counts[right, True]:,}", f"{counts[right, False]:,}"] for name, right in (("right", True), ("wrong", False))),
    ]  # fmt: skip
    note = "Right with a low step: a lucky answer, or a step scorer that errs. Wrong without one: an error that it does not see."
    return [Section("Step scores and outcome", table, note=note)]
