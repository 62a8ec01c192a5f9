"""What a file of labels holds: shares of labels, and what they cost."""

from dataclasses import dataclass
from pathlib import Path

from ..data.files import read_jsonl


@dataclass
class Summary:
    """Figures of a whole file, earlier runs included.

    Attributes:
        solutions (`int`):
            Rows.
        right (`int`):
            Solutions whose own answer is right.
        steps (`int`):
            Labels.
        good (`float`):
            Sum of the labels.
        spent (`int`):
            Roll-outs that were drawn.
        plain (`int`):
            Roll-outs of plain annotation: N from each prefix of each solution.
        cut_off (`int`):
            Roll-outs that ran into `max_new_tokens`.
        skipped (`str`):
            What was left out of the input, in words.
    """

    solutions: int = 0
    right: int = 0
    steps: int = 0
    good: float = 0.0
    spent: int = 0
    plain: int = 0
    cut_off: int = 0
    skipped: str = ""

    def report(self) -> str:
        """A few lines for a person."""
        if not self.solutions:
            return "no solution is labelled"
        inner = self.steps - self.solutions
        lines = [
            f"labels      {self.steps:,} steps of {self.solutions:,} solutions: {self.good / self.steps:.1%} good; "
            f"before the last step {_share(self.good - self.right, inner)}; solutions right {_share(self.right, self.solutions)}",
            f"roll-outs   {self.spent:,} drawn; N from each prefix would be {self.plain:,} ({_share(self.spent, self.plain)})",
        ]
        if self.spent and self.cut_off > 0.1 * self.spent:
            lines.append(
                f"warning     {_share(self.cut_off, self.spent)} of the roll-outs were cut off and count as wrong unless "
                "they hold a complete box: raise max_new_tokens, or give the stop string that ends a solution"
            )
        if self.good in (0, self.steps):
            lines.append("warning     all labels are the same: no reward model can learn from them")
        return "\n".join(lines)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def summarize(path: str | Path) -> Summary:
    """Counts what a file of labels holds.

    Raises:
        DataError: the file cannot be read.
    """
    summary = Summary()
    for row in read_jsonl(Path(path))[0]:
        labels = row["labels"]
        summary.solutions += 1
        summary.right += bool(labels[-1])
        summary.steps += len(labels)
        summary.good += sum(labels)
        summary.spent += row["spent"]
        summary.plain += (len(labels) - 1) * row["num_rollouts"]
        summary.cut_off += row["cut_off"]
    return summary
