"""How good a ranking is, from counts by score, and the signs that a round made the collection worse."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_FEWEST = 25  # pages of each kind from which a threshold is chosen

# Health check. The least AUC: if 40 % of the crawl is mathematics, a perfect classifier reaches 0.8.
_LEAST_AUC = 0.65
_LEAST_LIFT = 0.15  # how much more of the held-out seed pages is collected than of the whole crawl
_HELD_OUT = 20  # held-out seed pages under which nothing is judged by them
_KNOWN = 20  # pages with a known label under which nothing is judged by them
_AUC_FALL = 0.1
_RECALL_FALL = 0.3
_LEAST_PRECISION = 0.5
_PRECISION_FALL = 0.1
_GROWTH = 2.0
_SHRINKING = 0.5


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

    def merge(self, other: "Tally") -> None:
        """Adds the counts of another part of the crawl."""
        self.kept.update(other.kept)
        self.all.update(other.all)
        self.wrong.update(other.wrong)
        for score, counts in other.scores.items():
            self.scores[score] = [a + b for a, b in zip(self.scores.get(score, (0, 0)), counts, strict=True)]

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
        found = seen = 0
        area = 0.0
        for score in sorted(self.scores, reverse=True):
            other, here = self.scores[score]
            found += here
            seen += here + other
            area += here / self.all[True] * found / seen
        return area

    def best_threshold(self) -> int | None:
        """Score from which on precision and recall are best together, precision counting twice (F0.5); None with too
        few pages to tell."""
        if min(self.all[True], self.all[False]) < _FEWEST:
            return None
        found = seen = 0
        best = (0.0, 0)
        for score in sorted(self.scores, reverse=True):
            other, here = self.scores[score]
            found += here
            seen += here + other
            # F0.5 = 1.25 P R / (0.25 P + R), with P = found / seen and R = found / all.
            best = max(best, (1.25 * found / (0.25 * self.all[True] + seen), -score))
        return -best[1]

    def report(self) -> dict[str, Any] | None:
        """The metrics, rounded; None without pages of both kinds."""
        if not self.usable:
            return None
        return {
            "pages": self.all.total(),
            "math": self.all[True],
            "kept": self.kept.total(),
            "precision": _round(self.precision),
            "recall": _round(self.recall),
            "average_precision": _round(self.average_precision),
            "false_positives": dict(sorted(self.wrong.items(), key=lambda item: (-item[1], item[0]))[:10]),
        }


def area_under_roc(positives: list[int], scores: Counter[int]) -> float:
    """Chance that a page of `positives` scores above one of the counted pages; ties count half."""
    total = scores.total()
    if not total:
        return 1.0
    below, lower = {}, 0
    wanted = set(positives)
    for score in sorted(wanted | scores.keys()):
        if score in wanted:
            below[score] = lower + scores[score] / 2
        lower += scores[score]
    return sum(below[score] for score in positives) / (len(positives) * total)


def find_trouble(reports: list[dict[str, Any]], automatic: bool) -> str | None:
    """
    What is wrong with the last round, with the remedy; None if nothing is seen.

    Held-out seed pages are compared with pages that are not collected: against the whole crawl their lead must shrink as
    the crawl's mathematics is found. A handful of pages decides nothing: falls are judged from 20 pages on, and beyond
    the chance error of their number.

    Args:
        reports (`list[dict]`):
            Reports of the rounds so far.
        automatic (`bool`):
            Whether prefixes were decided without a person: then growth and shrinking count too, since metrics that are
            estimated from such decisions agree with them by construction.
    """
    now, before = reports[-1], reports[:-1]
    if not now["pages"]:
        return (
            "nothing is collected: no page of the crawl resembles the seed. Give seed pages whose text was extracted as the "
            "crawl's was, and whose language the crawl has, or a lower min_score."
        )
    return (
        _seed_trouble(now, before) or _known_trouble(now, before, automatic) or _size_trouble(now, before, automatic)
    )


def _seed_trouble(now: dict[str, Any], before: list[dict[str, Any]]) -> str | None:
    """What held-out seed pages say."""
    held = now["seed_held_out"]
    if held < _HELD_OUT:
        return None
    recall, auc = now["seed_recall"], now["seed_auc"]
    share = now["pages"] / max(now["all_pages"], 1)
    if now["seed_auc_crawl"] < _LEAST_AUC and recall < share + _LEAST_LIFT:
        return (
            f"the classifier has learned nothing: it collects {recall:.0%} of the held-out seed pages and {share:.0%} of the "
            f"crawl, and ranks a seed page above a page of the crawl in {now['seed_auc_crawl']:.0%} of pairs (50% is chance). "
            "Give more seed pages, from more hosts, or leave learning_rate and epochs to the scaling."
        )
    if not before:
        return None
    first = before[0]
    noise = 2 * math.sqrt(0.25 / held)  # two standard errors of a share of so many pages, at most
    if auc < first["seed_auc"] - max(_AUC_FALL, noise):
        return (
            f"held-out seed pages rank lower among the pages that are not collected than in round 1 ({auc:.2f} after "
            f"{first['seed_auc']:.2f})."
        )
    if recall < first["seed_recall"] - max(_RECALL_FALL, noise):
        return f"{recall:.0%} of the held-out seed pages are collected, {first['seed_recall']:.0%} in round 1."
    return None


def _known_trouble(now: dict[str, Any], before: list[dict[str, Any]], automatic: bool) -> str | None:
    """What pages with a known label say."""
    kind = "labelled" if now["labelled"] else "estimated"
    known = now[kind]
    if not known or (automatic and kind == "estimated") or known["pages"] < _KNOWN:
        return None
    source = "the labelled sample" if kind == "labelled" else "pages under annotated prefixes"
    precision = known["precision"]
    if precision is None:
        return f"nothing of {source} is collected. Raise budget_tokens, or give more seed pages."
    where = ", ".join(f"{host} ({count})" for host, count in list(known["false_positives"].items())[:4])
    earlier = [report[kind]["precision"] for report in before if report[kind]]
    best = max((value for value in earlier if value is not None), default=None)
    noise = 2 * math.sqrt(0.25 / max(known["kept"], 1))
    if before and precision < _LEAST_PRECISION:
        return f"only {precision:.0%} of what is collected is mathematics by {source}. False positives: {where}."
    if best is not None and precision < best - max(_PRECISION_FALL, noise):
        return f"precision fell from {best:.2f} to {precision:.2f} by {source}. False positives: {where}."
    return None


def _size_trouble(now: dict[str, Any], before: list[dict[str, Any]], automatic: bool) -> str | None:
    """Whether automatic decisions alone made the collection much larger or much smaller."""
    if not automatic or now["labelled"] or not before:
        return None
    growth = now["tokens"] / max(before[0]["tokens"], 1)
    if growth > _GROWTH:
        return f"the collection grew to {growth:.1f} times that of round 1 by automatic decisions alone."
    largest = max(before, key=lambda report: report["tokens"])
    kept = now["tokens"] / max(largest["tokens"], 1)
    lost = now["seed_recall"] is None or now["seed_recall"] < largest["seed_recall"] - _AUC_FALL
    if kept < _SHRINKING and lost:
        return (
            f"the collection shrank to {kept:.0%} of that of round {largest['round']} by automatic decisions alone: what they "
            "reject is lost for every later round."
        )
    return None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
