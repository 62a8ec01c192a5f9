"""Precision, recall and average precision of a ranking, from counts by score."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_FEWEST = 25  # pages of each kind from which a threshold is chosen


@dataclass
class Tally:
    """Pages whose kind is known, counted by score; memory does not grow with their number."""

    kept: Counter[bool] = field(default_factory=Counter)  # kept pages, by whether they are mathematics
    all: Counter[bool] = field(default_factory=Counter)
    scores: dict[int, list[int]] = field(default_factory=dict)  # others and mathematics at a score
    wrong: Counter[str] = field(default_factory=Counter)  # false positives by host

    def add(self, is_math: bool, score: int, kept: bool, host: str) -> None:
        """Counts a page."""
        self.all[is_math] += 1
        self.scores.setdefault(score, [0, 0])[is_math] += 1
        if kept:
            self.kept[is_math] += 1
            if not is_math:
                self.wrong[host] += 1

    @property
    def usable(self) -> bool:
        """Whether there are pages of both kinds."""
        return self.all[True] > 0 and self.all[False] > 0

    @property
    def precision(self) -> float | None:
        """Of the known pages that were kept, the share that is mathematics."""
        total = self.kept[True] + self.kept[False]
        return self.kept[True] / total if total else None

    @property
    def recall(self) -> float | None:
        """Of the mathematical pages that are known, the share that was kept."""
        return self.kept[True] / self.all[True] if self.all[True] else None

    @property
    def average_precision(self) -> float | None:
        """Area under precision over recall; pages of one score count as one step."""
        if not self.all[True]:
            return None
        math = seen = 0
        area = 0.0
        for score in sorted(self.scores, reverse=True):
            other, here = self.scores[score]
            math += here
            seen += here + other
            area += here / self.all[True] * math / seen
        return area

    def best_least_score(self) -> int | None:
        """Score from which on precision and recall are best together, precision counting twice (F0.5); None with too
        few pages to tell."""
        if min(self.all[True], self.all[False]) < _FEWEST:
            return None
        math = seen = 0
        best = (0.0, 0)
        for score in sorted(self.scores, reverse=True):
            other, here = self.scores[score]
            math += here
            seen += here + other
            # F0.5 = 1.25 P R / (0.25 P + R), with P = math / seen and R = math / all.
            best = max(best, (1.25 * math / (0.25 * self.all[True] + seen), -score))
        return -best[1]

    def report(self) -> dict[str, Any] | None:
        """The figures, rounded; None without pages of both kinds."""
        if not self.usable:
            return None
        return {
            "pages": self.all.total(),
            "math": self.all[True],
            "precision": _round(self.precision),
            "recall": _round(self.recall),
            "average_precision": _round(self.average_precision),
            "false_positives": dict(sorted(self.wrong.items(), key=lambda item: (-item[1], item[0]))[:10]),
        }


def area_under_roc(positives: list[int], scores: Counter[int]) -> float:
    """Chance that a page of `positives` scores above one of the counted pages; ties count half."""
    total = scores.total()
    below, lower = {}, 0
    wanted = set(positives)
    for score in sorted(wanted | scores.keys()):
        if score in wanted:
            below[score] = lower + scores[score] / 2
        lower += scores[score]
    return sum(below[score] for score in positives) / (len(positives) * total)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
