"""What the report says, apart from how it looks: figures, tables, and the plain words about them."""

from dataclasses import dataclass
from typing import Any

from ..grading.metrics import wilson
from .beside import paper_table
from .examples import Example, choose
from .settings import POLICIES, STAGES, K, RunFolder, Settings, left_out, read_rows
from .task import FACTS, MISCONCEPTIONS, SLIP_ELSEWHERE, SLIP_IN_MISCONCEPTION

TRAINERS = {
    "corpus": "corpus.loop.run_loop (fastText)",
    "pretrain": "PretrainTrainer",
    "sft": "MathSFTTrainer",
    "annotate": "shepherd.annotate",
    "prm": "PRMTrainer",
    "grpo": "DeepSeekMathGRPOTrainer",
    "step_grpo": "StepGRPOTrainer",
    "solve": "Solver",
    "quantize": "solve.loading (bitsandbytes)",
}
NAMES = {"pretrain": "pretrain", "sft": "SFT", "grpo": "GRPO, outcome", "step_grpo": "GRPO, outcome + process"}
WORDS = (
    f"**The errors are put there.** The texts of the corpus and of SFT come from a sloppy author, who writes a digit one "
    f"too high {SLIP_IN_MISCONCEPTION:.0%} of the time for {MISCONCEPTIONS} of the {len(FACTS)} facts (such as 7+8=5) and "
    f"{SLIP_ELSEWHERE:.0%} of the time for the others. A model that imitates this author perfectly is right in about "
    "42 % of its samples. The SFT model starts low on purpose, so that there is something to repair.",
    f"**Training and test share the {len(FACTS)} facts.** Held-out problems are other problems: no training problem has "
    "the same start and the same three turns, under any name. The single facts in them are the same. The gain shows "
    "that facts and copying were learnt, not that anything reaches beyond them.",
    "**The corpus is easy.** Its pages are made up, their kinds share few words, and the rules on sites are right. The loop "
    "is the real one, its precision here says nothing about a crawl of the web.",
    "**The PRM's form fits a task with one right text.** It scores a step by the likelihood of the text so far and one "
    "learnt bias. In mathematics with many ways to say it, that would punish the less usual one. On this task a model of "
    "this size does not learn the usual form, a classification head, in the time (AUROC .64 to .70 on five seeds, "
    "benchmarks/results/process_supervision.md). An AUROC near 1 is a toy's: two digits are in question, and all facts "
    "were seen.",
    "**Process supervision is not shown to be better.** Three steps are few, and the outcome tells nearly all. What is "
    "shown is that a learned PRM beside the outcome does no harm within these updates. Alone, a weak PRM was learnt to be "
    "cheated (docs/process-rewards.md).",
    "**Majority votes hardly help before GRPO**, because all samples share the author's misconceptions. The gap to the "
    "vote weighted by the PRM is designed in with them. pass@K can rise with GRPO here, as it does not in the paper: each "
    "problem has one text that is right, and GRPO makes it likely everywhere.",
    "**It says nothing about real mathematics.** One kind of problem, ten answers, three steps, 153,600 weights, learning "
    "rates that would ruin a real model. Stages, trainers, reward and the names of the settings are those of a real run; "
    "the figures are not.",
    "**One run is one draw.** The intervals cover the choice of the held-out problems, not another seed: other seeds "
    "start from other misconceptions. docs/quickstart.md has the spread over seeds.",
)


@dataclass(frozen=True)
class Table:
    """A table: its heading is the first row, and so many of its columns are words (the others are figures)."""

    title: str
    rows: list[list[str]]
    words: int
    note: str = ""


@dataclass(frozen=True)
class Content:
    """Everything in a report."""

    headline: str
    tiles: list[tuple[str, str, str]]  # name, figure, explanation
    tables: list[Table]
    examples: list[Example]
    settings: str
    versions: str
    results: dict[str, dict[str, Any]]


def collect(folder: RunFolder, settings: Settings) -> Content:
    """Reads the results of the finished stages."""
    results = {stage: result for stage in STAGES if (result := folder.result(stage)) is not None}
    tables = [_accuracy(results), *_votes(results), *_formats(results), _training(results)]
    samples = folder.stage("solve") / "sft.jsonl"
    newest = list(results.values())[-1]["versions"] if results else {}
    return Content(
        headline=headline(results),
        tiles=_tiles(results),
        tables=[
            *(table for table in tables if len(table.rows) > 1),
            Table("The paper beside it", paper_table(results), 4, _PAPER_NOTE),
        ],
        examples=choose(read_rows(samples)) if "solve" in results else [],
        settings=f"Seed {settings.seed}, {settings.problems} held-out problems",
        versions=", ".join(f"{name} {number}" for name, number in newest.items()),
        results=results,
    )


_PAPER_NOTE = (
    "The two columns are not to be compared: different tasks, different models. H100 hours are arithmetic, 6 operations a "
    "weight and token at 40 % of 989 TFLOPS; nothing of this size was run here."
)


def headline(results: dict[str, dict[str, Any]]) -> str:
    """The result in a sentence."""
    if not {"sft", "grpo"} <= set(results):
        return f"Finished so far: {', '.join(results) or 'nothing'}."
    total = results["grpo"]["problems"]
    share = {stage: results[stage]["right"]["greedy"] / total for stage in POLICIES if stage in results}
    text = (
        f"GRPO took greedy accuracy from {share['sft']:.1%} to {share['grpo']:.1%} "
        f"({100 * (share['grpo'] - share['sft']):+.1f} points) on {total} held-out problems"
    )
    return text + (f"; with process rewards to {share['step_grpo']:.1%}." if "step_grpo" in share else ".")


def curve(results: dict[str, dict[str, Any]], stage: str) -> list[tuple[int, int]]:
    """Steps of a GRPO run at which held-out problems were measured, and how many were right."""
    points = [(entry["step"], entry["greedy_right"]) for entry in results[stage]["log"] if "greedy_right" in entry]
    first = [(0, results["sft"]["right"]["greedy"])] if "sft" in results else []
    return [*first, *points, (results[stage]["steps"], results[stage]["right"]["greedy"])]


def logged(result: dict[str, Any], key: str) -> list[tuple[int, float]]:
    """A figure of the trainer's log over the steps."""
    return [(entry["step"], entry[key]) for entry in result["log"] if key in entry]


def _tiles(results: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    tiles = []
    if {"sft", "grpo"} <= set(results):
        total = results["grpo"]["problems"]
        gains = [
            f"{100 * (results[stage]['right']['greedy'] - results['sft']['right']['greedy']) / total:+.1f}"
            for stage in ("grpo", "step_grpo")
            if stage in results
        ]
        names = "outcome / + process" if len(gains) > 1 else "outcome"
        tiles.append(("GRPO, greedy points", " / ".join(gains), names))
    if "prm" in results and results["prm"]["auroc"] is not None:
        tiles.append(
            ("PRM, step AUROC", f"{results['prm']['auroc']:.3f}", f"{results['prm']['tested']:,} held-out steps")
        )
    if "solve" in results:
        sft = results["solve"]["sft"]
        figure = f"{100 * sft['weighted'][-1]:.0f} / {100 * sft['majority'][-1]:.0f} %"
        tiles.append((f"SFT, vote of {K}", figure, "by PRM / by majority"))
    if "quantize" in results:
        total = results["quantize"]["problems"]
        figure = " / ".join(f"{100 * results['quantize'][bits]['right'] / total:.1f}" for bits in ("8", "4")) + " %"
        tiles.append(("Right in 8 / 4 bits", figure, f"{results['quantize']['32']['right'] / total:.1%} in 32 bits"))
    wall, cpu = (sum(result["seconds"][kind] for result in results.values()) for kind in ("wall", "cpu"))
    tiles.append(("All stages", f"{wall:.0f} s", f"{cpu:.0f} CPU seconds"))
    return tiles


def _interval(right: float, total: int) -> str:
    low, high = wilson(right, total)
    return f"{right / total:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def _accuracy(results: dict[str, dict[str, Any]]) -> Table:
    rows = [["model after", "greedy (95 % interval)", "sampled at T = 1"]]
    for stage in POLICIES:
        if stage in results:
            right, total = results[stage]["right"], results[stage]["problems"]
            rows.append([NAMES[stage], _interval(right["greedy"], total), _interval(right["sampled"], total)])
    note = (
        "Share of held-out problems whose boxed answer is right, from real generation, judged by `boxed_accuracy_reward`. "
        "Sampled: one sample a problem. 95 % Wilson intervals."
    )
    return Table("Accuracy", rows, 1, note)


def _votes(results: dict[str, dict[str, Any]]) -> list[Table]:
    if "solve" not in results:
        return []
    solve = results["solve"]
    total = solve["problems"]
    rows = [["model after", f"majority of {K}", f"vote of {K} weighted by the PRM", f"pass@{K}"]]
    for stage in POLICIES[1:]:
        rows.append(
            [
                NAMES[stage],
                *(_interval(solve[stage][way][-1] * total, total) for way in ("majority", "weighted", "pass")),
            ]
        )
    before, after = solve["sft"]["pass"][-1], solve["grpo"]["pass"][-1]
    note = (
        f"The first {total} held-out problems, {solve['data'].rsplit(', ', 1)[-1]}. A vote weighs the lowest step score of its "
        f"sample. In the paper RL lifts maj@K and not pass@K (§5.2.2). Here pass@{K} went from {before:.1%} to {after:.1%}, "
        "by outcome rewards."
    )
    return [Table("Self-consistency", rows, 1, note)]


def _formats(results: dict[str, dict[str, Any]]) -> list[Table]:
    if "quantize" not in results:
        return []
    result = results["quantize"]
    rows = [["weights in", "greedy", "memory of the weights", "seconds"]]
    for bits in ("32", "8", "4"):
        form = result[bits]
        accuracy = _interval(form["right"], result["problems"])
        rows.append([f"{bits} bit", accuracy, f"{form['bytes'] / 1000:.0f} kB", f"{form['seconds']:.1f}"])
    note = (
        "bitsandbytes int8 and nf4 with double quantisation, through `solve.loading`. The embedding stays in 16 bits. On a CPU, "
        "quantised arithmetic is no faster."
    )
    return [Table("In 8 and in 4 bits", rows, 1, note)]


def _training(results: dict[str, dict[str, Any]]) -> Table:
    rows = [["stage", "by", "on", "updates", "seconds", "CPU s", "peak MB"]]
    for stage in STAGES:
        if stage not in results:
            reason = left_out(stage) or "has not run"
            rows.append([stage, TRAINERS[stage], reason, "", "", "", ""])
            continue
        result = results[stage]
        seconds = [f"{result['seconds'][kind]:.1f}" for kind in ("wall", "cpu")]
        updates = str(result["steps"]) if isinstance(result.get("steps"), int) and "log" in result else ""
        rows.append([stage, TRAINERS[stage], result["data"], updates, *seconds, f"{result['peak_mb']:.0f}"])
    if results:
        sums = [f"{sum(r['seconds'][kind] for r in results.values()):.1f}" for kind in ("wall", "cpu")]
        most = f"{max(r['peak_mb'] for r in results.values()):.0f}"
        rows.append(["**in all**", "", "", "", *(f"**{figure}**" for figure in (*sums, most))])
    note = (
        "Seconds of a stage hold its measurements. Not counted: 5 to 10 seconds to import torch and TRL. Peak: the most memory of "
        "the process up to the end of the stage, most of it the libraries."
    )
    return Table("What was trained on what", rows, 3, note)
