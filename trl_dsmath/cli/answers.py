"""What `dsmath solve` prints: a solution with its steps and votes, and the figures of a file."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..inference import Solution


def show(solution: "Solution", show_steps: bool = False) -> None:
    """Prints a solution, its steps where they were scored, and the votes."""
    chosen = solution.samples[solution.chosen or 0]
    if show_steps:
        for step, score in zip(chosen.steps, chosen.step_scores, strict=True):
            print(f"{_coloured(f'[{score:.2f}]', score)} {_coloured(step.rstrip(), score)}")
    else:
        print(chosen.text.strip())
    counted = sum(len(group.members) for group in solution.vote.classes)
    early = f", {solution.n} allowed" if solution.stopped_early else ""
    print(f"answer      {solution.answer if solution.answer is not None else '(none could be read)'}")
    if solution.n > 1:
        votes = ", ".join(f"{group.answer} x{len(group.members)}" for group in solution.vote.classes[:5])
        more = ", ..." if len(solution.vote.classes) > 5 else ""
        print(
            f"votes       {votes or 'none'}{more} ({counted} of {len(solution.samples)} samples give an answer{early})"
        )
    sys.stdout.flush()


def _coloured(text: str, score: float) -> str:
    """Green from 0.8, yellow from 0.5, red below; plain where colours are not wanted."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    colour = 32 if score >= 0.8 else 33 if score >= 0.5 else 31
    return f"\x1b[{colour}m{text}\x1b[0m"


def summarize(rows: list[dict[str, Any]], output: Path | None) -> None:
    """Figures of the whole file, what an earlier run solved included."""
    from ..grading import Verdict
    from ..grading.batch import judge

    drawn, allowed = sum(row["samples"] for row in rows), sum(row["n"] for row in rows)
    print(
        f"samples     {drawn:,} of {allowed:,} ({1 - drawn / allowed:.0%} saved), {sum(r['tokens'] for r in rows):,} tokens"
    )
    print(f"answers     {sum(row['answer'] is not None for row in rows):,} of {len(rows):,} questions")
    with_gold = [row for row in rows if row["gold"] is not None]
    if with_gold:
        verdicts = judge([row["answer"] for row in with_gold], [row["gold"] for row in with_gold])
        readable = sum(verdict is not Verdict.BAD_GOLD for verdict in verdicts)
        right = sum(verdict is Verdict.CORRECT for verdict in verdicts)
        print(f"accuracy    {right / max(readable, 1):.1%} ({right:,} of {readable:,} with a readable right answer)")
    print(f"saved       {output}")
