"""What the report says, apart from how it looks: figures, tables, examples, and the plain words about them."""

import json
from dataclasses import dataclass
from typing import Any

from ..grading.metrics import wilson
from ..paper import RESULTS
from .settings import STAGES, RunFolder, Settings
from .task import FACTS, MISCONCEPTIONS, SLIP_ELSEWHERE, SLIP_IN_MISCONCEPTION

TRAINERS = {
    "pretrain": "trl.SFTTrainer",
    "sft": "trl_dsmath.MathSFTTrainer",
    "grpo": "trl_dsmath.DeepSeekMathGRPOTrainer",
}
WORDS = (
    f"**The errors are put there.** The texts of pretraining and SFT come from a sloppy author, who writes a digit one too high "
    f"{SLIP_IN_MISCONCEPTION:.0%} of the time for {MISCONCEPTIONS} of the {len(FACTS)} facts (such as 7+8=5) and "
    f"{SLIP_ELSEWHERE:.0%} of the time for the others. A model that imitates this author perfectly is right in about "
    "42 % of its samples. The SFT model starts low on purpose, so that there is something to repair.",
    f"**Training and test share the {len(FACTS)} facts.** Held-out problems are other problems: no training problem has "
    "the same start and the same three turns, under any name. The single facts in them are the same. The gain shows "
    "that facts and copying were learnt, not that anything reaches beyond them.",
    "**GRPO is told only whether the final answer is right.** It sees no solution, and not which step was wrong. The "
    "right step is among the model's samples already; GRPO makes it the likeliest. The paper reads its own result like "
    "this, too (section 5.2.2).",
    "**It says nothing about real mathematics.** One kind of problem, ten possible answers, three steps, 153,600 weights, "
    "learning rates that would ruin a real model. Stages, trainers, reward and the names of the settings are those of a "
    "real run; the figures are not. In the paper GRPO took the 7B model from "
    f"{RESULTS['instruct', 'cot', 'gsm8k']} to {RESULTS['rl', 'cot', 'gsm8k']} % on GSM8K and from "
    f"{RESULTS['instruct', 'cot', 'math']} to {RESULTS['rl', 'cot', 'math']} % on MATH.",
    "**One run is one draw.** The intervals cover the choice of the held-out problems, not another seed: other seeds "
    "start from other misconceptions. docs/quickstart.md has the spread over seeds.",
)


@dataclass(frozen=True)
class Example:
    """One held-out problem and two completions, before and after GRPO."""

    caption: str
    question: str
    answer: str
    completions: dict[str, str]


@dataclass(frozen=True)
class Content:
    """Everything in a report. Tables have their heading as first row."""

    headline: str
    accuracy: list[list[str]]
    training: list[list[str]]
    examples: list[Example]
    settings: str
    versions: str
    results: dict[str, dict[str, Any]]


def collect(folder: RunFolder, settings: Settings) -> Content:
    """Reads the results of the finished stages."""
    results = {stage: result for stage in STAGES if (result := folder.result(stage)) is not None}
    answers = {stage: _answers(folder, stage) for stage in results}
    newest = list(results.values())[-1]["versions"] if results else {}
    return Content(
        headline=headline(results),
        accuracy=_accuracy(results),
        training=_training(results),
        examples=_examples(answers),
        settings=f"Seed {settings.seed}, {settings.problems} held-out problems",
        versions=", ".join(f"{name} {number}" for name, number in newest.items()),
        results=results,
    )


def headline(results: dict[str, dict[str, Any]]) -> str:
    """The result in a sentence."""
    if not {"sft", "grpo"} <= set(results):
        return f"Finished so far: {', '.join(results) or 'nothing'}."
    before, after = results["sft"], results["grpo"]
    total = after["problems"]
    gain = 100 * (after["right"]["greedy"] - before["right"]["greedy"]) / total
    return (
        f"GRPO took greedy accuracy from {before['right']['greedy'] / total:.1%} to {after['right']['greedy'] / total:.1%} "
        f"({gain:+.1f} points) on {total} held-out problems."
    )


def curve(results: dict[str, dict[str, Any]]) -> list[tuple[int, int]]:
    """GRPO's steps at which held-out problems were measured, and how many were right."""
    points = [(entry["step"], entry["greedy_right"]) for entry in results["grpo"]["log"] if "greedy_right" in entry]
    first = [(0, results["sft"]["right"]["greedy"])] if "sft" in results else []
    return [*first, *points, (results["grpo"]["steps"], results["grpo"]["right"]["greedy"])]


def logged(result: dict[str, Any], key: str) -> list[tuple[int, float]]:
    """A figure of the trainer's log over the steps."""
    return [(entry["step"], entry[key]) for entry in result["log"] if key in entry]


def _accuracy(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = [["model after", "greedy (95 % interval)", "sampled at T = 1"]]
    for stage, result in results.items():
        row = [stage]
        for way in ("greedy", "sampled"):
            right, total = result["right"][way], result["problems"]
            low, high = wilson(right, total)
            row.append(f"{right / total:.1%} ({100 * low:.1f} to {100 * high:.1f})")
        rows.append(row)
    return rows


def _training(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    rows = [["stage", "trainer", "trained on", "updates", "prepare", "train", "measure"]]
    for stage, result in results.items():
        seconds = [f"{result['seconds'][part]:.1f} s" for part in ("prepare", "train", "measure")]
        rows.append([stage, TRAINERS[stage], result["data"], str(result["steps"]), *seconds])
    if results:
        sums = [
            f"{sum(r['seconds'][part] for r in results.values()):.1f} s" for part in ("prepare", "train", "measure")
        ]
        rows.append(["in all", "", "", "", *sums])
    return rows


def _answers(folder: RunFolder, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.stage(stage) / "held_out.jsonl").read_text().splitlines()]


def _examples(answers: dict[str, list[dict[str, Any]]]) -> list[Example]:
    """Two problems that GRPO put right, one that was right before, and one that is still answered wrongly."""
    if not {"sft", "grpo"} <= set(answers):
        return []
    pairs = list(zip(answers["sft"], answers["grpo"], strict=True))
    chosen = [("Wrong before GRPO, right after it", "greedy", pair) for pair in pairs if _is(pair, False, True)][:2]
    chosen += [("Right before and after", "greedy", pair) for pair in pairs if _is(pair, True, True)][:1]
    still = [("Wrong after GRPO", "greedy", pair) for pair in pairs if not pair[1]["greedy_right"]]
    still += [("Wrong after GRPO when sampled", "sampled", pair) for pair in pairs if not pair[1]["sampled_right"]]
    return [
        Example(
            f"{caption} ({way})" if way == "greedy" else caption,
            before["question"],
            before["answer"],
            {"before GRPO": before[way], "after GRPO": after[way]},
        )
        for caption, way, (before, after) in [*chosen, *still[:1]]
    ]


def _is(pair: tuple[dict[str, Any], dict[str, Any]], before: bool, after: bool) -> bool:
    return pair[0]["greedy_right"] == before and pair[1]["greedy_right"] == after
