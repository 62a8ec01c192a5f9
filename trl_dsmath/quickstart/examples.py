"""The report's solutions with the score of each step: where the votes differ, where they agree, where both are wrong."""

from dataclasses import dataclass
from typing import Any

from ..text import read_answer
from .task import wrong_lines


@dataclass(frozen=True)
class Step:
    """One line of a solution, its score, and whether its sum is wrong in truth."""

    text: str
    score: float
    wrong: bool


@dataclass(frozen=True)
class Scored:
    """A sample with its place in the vote."""

    title: str
    right: bool
    steps: list[Step]


@dataclass(frozen=True)
class Example:
    """A problem and two of its samples."""

    caption: str
    question: str
    answer: str
    samples: list[Scored]


def choose(rows: list[dict[str, Any]]) -> list[Example]:
    """Two problems on which the weighted vote is right and the majority is not, one where both are right, one where the
    weighted vote is wrong, as far as there are such."""
    kinds: dict[str, list[dict[str, Any]]] = {"saved": [], "both": [], "lost": []}
    for row in rows:
        majority, weighted = _winner(row, by_score=False), _winner(row, by_score=True)
        if majority is None or weighted is None:
            continue
        if not weighted["right"]:
            kinds["lost"].append(row)
        else:
            kinds["both" if majority["right"] else "saved"].append(row)
    captions = {
        "saved": "The majority is wrong, the vote weighted by the PRM is right",
        "both": "Both votes are right",
        "lost": "The vote weighted by the PRM is wrong",
    }
    counts = {"saved": 2, "both": 1, "lost": 1}
    return [_example(captions[kind], row) for kind in kinds for row in kinds[kind][: counts[kind]]]


def _winner(row: dict[str, Any], by_score: bool) -> dict[str, Any] | None:
    """The sample that stands for the winning answer: the best-scored one."""
    weights: dict[int, float] = {}
    for sample in row["samples"]:
        if sample["class"] is not None:
            weights[sample["class"]] = weights.get(sample["class"], 0.0) + (sample["score"] if by_score else 1.0)
    if not weights:
        return None
    best = max(weights, key=weights.__getitem__)
    return max((s for s in row["samples"] if s["class"] == best), key=lambda s: s["score"])


def _example(caption: str, row: dict[str, Any]) -> Example:
    """The best-scored sample of the weighted winner, and a rival: a right one where the winner is wrong, else the most
    frequent other answer's."""
    chosen = _winner(row, by_score=True)
    assert chosen is not None
    others = [s for s in row["samples"] if s["class"] != chosen["class"]]
    right = [s for s in others if s["right"]]
    rival = _winner({"samples": right or others}, by_score=False)
    samples = [_scored(sample, row) for sample in (rival, chosen) if sample is not None]
    return Example(caption, row["question"], row["answer"], samples)


def _scored(sample: dict[str, Any], row: dict[str, Any]) -> Scored:
    same = [other for other in row["samples"] if other["class"] == sample["class"]]
    weight, total = sum(s["score"] for s in same), sum(s["score"] for s in row["samples"])
    share = f", {weight / total:.0%} of the weight" if total else ""
    title = f"Answer {read_answer(sample['text'])}: {len(same)} of {len(row['samples'])} samples{share}"
    wrong = set(wrong_lines("".join(sample["steps"])))
    steps = [
        Step(text.rstrip("\n"), score, number in wrong)
        for number, (text, score) in enumerate(zip(sample["steps"], sample["step_scores"], strict=True))
    ]
    return Scored(title, sample["right"], steps)
