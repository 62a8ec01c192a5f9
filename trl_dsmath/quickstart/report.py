"""The report of a run: `report.md`, and `report.html` in one file with its pictures."""

import html
import json
from importlib.util import find_spec
from typing import Any

from ..paper import RESULTS
from .measure import wilson
from .progress import in_words
from .settings import STAGES, RunFolder, Settings, write_whole
from .task import FACTS, MISCONCEPTIONS, SLIP_ELSEWHERE, SLIP_IN_MISCONCEPTION, wrong_lines

NO_PLOT = "No plot: matplotlib is not installed. `pip install 'trl-dsmath[report]'` and the same command add it."

DESIGNED_IN = (
    f"**The errors are put there.** The texts for pretraining and SFT are written by a sloppy author, who gets "
    f"{MISCONCEPTIONS} of the {len(FACTS)} facts (like 7+8=5) wrong {SLIP_IN_MISCONCEPTION:.0%} of the time and the "
    f"others {SLIP_ELSEWHERE:.0%}. A model that imitates this author perfectly is right on about 40 % of its samples. "
    "So the SFT model starts low on purpose, and there is something to repair.",
    f"**Training and test share the {len(FACTS)} facts.** Held-out problems are other problems: no training text starts "
    "at the same digit with the same three turns, under any name. The facts in them are the same. The gain shows that "
    "facts and copying were learnt, not that anything reaches beyond them.",
    "**GRPO is told only whether the final answer is right.** It never sees a solution, nor which step was wrong. The "
    "right answer for a fact is among the model's samples already; GRPO makes it the likeliest. It adds no new skill, "
    "which is also how the paper reads its own result (§5.2.2).",
    "**This says nothing about real mathematics.** One kind of problem, ten possible answers, three steps, 153,600 "
    "weights, learning rates that would ruin a real model. The way through the stages, the trainers, the reward and the "
    "settings' names are those of a real run; the figures are not.",
)


def write(folder: RunFolder, settings: Settings) -> str:
    """
    Writes the report of the stages that are finished.

    Args:
        folder ([`RunFolder`]):
            Folder of the run.
        settings ([`Settings`]):
            Its settings.

    Returns:
        `str`: what to tell on the terminal: the gain, and where the report is.
    """
    from .page import page  # here, because it imports this module's tables

    results = {stage: result for stage in STAGES if (result := folder.result(stage)) is not None}
    answers = {stage: _answers(folder, stage) for stage in results}
    pictures = _pictures(results)
    write_whole(folder.path / "report.md", markdown(settings, results, answers))
    write_whole(folder.path / "report.html", page(settings, results, answers, pictures))
    lines = [headline(results)] if "grpo" in results else []
    lines.append(f"Report: {folder.path / 'report.html'} (and report.md beside it)")
    if not pictures:
        lines.append(NO_PLOT)
    return "\n".join(lines)
