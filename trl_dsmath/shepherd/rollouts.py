"""The rollouts of one problem: which are still needed, and which labels follow from what was drawn.

A solution of K steps has K - 1 prefixes that are rolled out; the last step is labelled by the solution's own answer. Prefix j
(from 0) ends with step j. Each distinct prefix of a problem is rolled out once and charged to the first solution that needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.reading import AnswerFilter
from ..generation import Decoding, Sampler
from ..grading import Verdict
from ..grading.batch import judge
from .config import Mode
from .problems import Problem, Solution

# Where the bisection divides what is left. A bad prefix costs all N rollouts, a good one the few until the first right
# one, and early prefixes are shared by more solutions. Probing at a quarter spent 22 % fewer rollouts than halving on
# solutions of 4 steps and 38 % fewer on 7 (docs/results/step-labels.md), though it may ask for log K / log(4/3) prefixes.
_SPLIT = 1 / 4


@dataclass
class Tally:
    """What the rollouts of one prefix gave so far."""

    drawn: int = 0
    right: int = 0
    cut_off: int = 0  # ran into `max_new_tokens`


def is_settled(tally: Tally, num_rollouts: int) -> bool:
    """Whether the hard label of a prefix is known: at its first right rollout, or when all are drawn."""
    return tally.right > 0 or tally.drawn >= num_rollouts


def wanted(mode: Mode, tallies: Sequence[Tally], solution_right: bool, num_rollouts: int) -> list[int]:
    """
    The numbers of the prefixes of a solution that need more rollouts now; empty when all labels are known.

    `"soft"` wants all rollouts of every prefix; `"hard"` stops a prefix at its first right one; `"first_error"` asks for one
    prefix at a time, a quarter of the way into those that may end with the first bad step, and for none when the solution
    itself is right.
    """
    if mode == "soft":
        return [j for j, tally in enumerate(tallies) if tally.drawn < num_rollouts]
    if mode == "hard":
        return [j for j, tally in enumerate(tallies) if not is_settled(tally, num_rollouts)]
    if solution_right:
        return []
    _, open_prefix = _bisect(tallies, num_rollouts)
    return [] if open_prefix is None else [open_prefix]


def labels(mode: Mode, tallies: Sequence[Tally], solution_right: bool, num_rollouts: int) -> list[bool] | list[float]:
    """
    The labels of all steps, once [`wanted`] asks for nothing more.

    Returns:
        `list[bool]` or `list[float]`: floats with `"soft"`, K of them.

    Source: Math-Shepherd (arXiv 2312.08935), hard and soft estimation; OmegaPRM (arXiv 2406.06592) for the bisection.

    Example:
    ```python
    >>> labels("soft", [Tally(drawn=4, right=3), Tally(drawn=4, right=1)], solution_right=False, num_rollouts=4)
    [0.75, 0.25, 0.0]
    ```
    """
    if mode == "soft":
        return [*(tally.right / tally.drawn for tally in tallies), float(solution_right)]
    if mode == "hard":
        return [*(tally.right > 0 for tally in tallies), solution_right]
    if solution_right:
        return [True] * (len(tallies) + 1)
    first_bad, _ = _bisect(tallies, num_rollouts)
    return [step < first_bad for step in range(len(tallies) + 1)]


def _bisect(tallies: Sequence[Tally], num_rollouts: int) -> tuple[int, int | None]:
    """Number of the first bad step of a wrong solution, and the prefix that has to be rolled out to know (or None).

    Starts anew each time: what is settled costs nothing. With labels that are not monotone it finds
    one place where a good step is followed by a bad one, not always the first.
    """
    good, bad = -1, len(tallies)  # the question alone counts as good; the last step of a wrong solution is bad
    while bad - good > 1:
        middle = good + max(1, round((bad - good) * _SPLIT))
        if not is_settled(tallies[middle], num_rollouts):
            return bad, middle
        if tallies[middle].right:
            good = middle
        else:
            bad = middle
    return bad, None


@dataclass(frozen=True)
class Request:
    """Rollouts to draw now: `count` of them, from number `first` on."""

    prefix: tuple[int, ...]
    first: int
    count: int


class Work:
    """A problem that is being annotated, with its solutions that have no labels yet."""

    def __init__(self, problem: Problem, prompt_ids: list[int], solutions: list[Solution]) -> None:
        self.problem = problem
        self.solutions = solutions
        self.spent = dict.fromkeys((solution.index for solution in solutions), 0)
        self.cut_off = dict(self.spent)
        self.prompt_length = len(prompt_ids)
        verdicts = judge([solution.answer for solution in solutions], [problem.gold] * len(solutions))
        self._right = [verdict is Verdict.CORRECT for verdict in verdicts]
        self._tallies: dict[tuple[int, ...], Tally] = {}
        for solution in solutions:
            for prefix in solution.prefixes:
                self._tallies.setdefault(prefix, Tally())
        self._requester: dict[tuple[int, ...], int] = {}

    def requests(self, mode: Mode, num_rollouts: int, batch_size: int) -> list[Request]:
        """What has to be drawn next; empty when the labels of all solutions are known."""
        found: dict[tuple[int, ...], Request] = {}
        for solution, right in zip(self.solutions, self._right, strict=True):
            tallies = [self._tallies[prefix] for prefix in solution.prefixes]
            for j in wanted(mode, tallies, right, num_rollouts):
                prefix, drawn = solution.prefixes[j], tallies[j].drawn
                if prefix not in found:
                    left = num_rollouts - drawn
                    found[prefix] = Request(prefix, drawn, left if mode == "soft" else min(batch_size, left))
                    self._requester[prefix] = solution.index
        return list(found.values())

    def add(self, request: Request, outcomes: list[tuple[bool, bool]]) -> None:
        """Counts rollouts, each (right, cut off)."""
        tally = self._tallies[request.prefix]
        tally.drawn += len(outcomes)
        tally.right += sum(right for right, _ in outcomes)
        tally.cut_off += sum(cut_off for _, cut_off in outcomes)
        self.spent[self._requester[request.prefix]] += len(outcomes)
        self.cut_off[self._requester[request.prefix]] += sum(cut_off for _, cut_off in outcomes)

    def rows(self, mode: Mode, num_rollouts: int, sampler: str) -> list[dict[str, object]]:
        """The finished rows, one per solution, in the columns that docs/guides/step-labels.md describes.

        A solution that was cut off has lost its last fragment, and with it the step that its own answer would label.
        """
        rows: list[dict[str, object]] = []
        for solution, right in zip(self.solutions, self._right, strict=True):
            tallies = [self._tallies[prefix] for prefix in solution.prefixes]
            whole = solution.finished
            rows.append(
                {
                    "prompt": self.problem.prompt,
                    "completions": solution.steps,
                    "labels": labels(mode, tallies, right, num_rollouts)[: len(solution.steps)],
                    "problem_id": self.problem.id,
                    "index": solution.index,
                    "gold": self.problem.gold,
                    "mode": mode,
                    "num_rollouts": num_rollouts,
                    "right": [*(tally.right for tally in tallies), *[0] * whole],
                    "drawn": [*(tally.drawn for tally in tallies), *[0] * whole],
                    "finished": whole,
                    "spent": self.spent[solution.index],
                    "cut_off": self.cut_off[solution.index],
                    "sampler": sampler,
                }
            )
        return rows


def draw(
    requests: list[tuple[Work, Request]],
    sampler: Sampler,
    decoding: Decoding,
    answer_filter: AnswerFilter = "stated",
) -> None:
    """Draws rollouts of many problems together, grades them, and hands each back to its problem."""
    for count in sorted({request.count for _, request in requests}, reverse=True):
        group = [(work, request) for work, request in requests if request.count == count]
        firsts = [request.first for _, request in group]
        drawn = sampler.sample([request.prefix for _, request in group], decoding, n=count, first=firsts)
        answers = [
            work.problem.answer_in(
                _text(request.prefix[work.prompt_length :], sample.ids, sample.stop, sampler),
                answer_filter,
                sample.finished,
            )
            for (work, request), samples in zip(group, drawn, strict=True)
            for sample in samples
        ]
        verdicts = iter(judge(answers, [work.problem.gold for work, _ in group for _ in range(count)]))
        for (work, request), samples in zip(group, drawn, strict=True):
            work.add(request, [(next(verdicts) is Verdict.CORRECT, not sample.finished) for sample in samples])


def _text(prefix: tuple[int, ...], ids: tuple[int, ...], stop: str | None, sampler: Sampler) -> str:
    """The whole solution that a rollout makes, decoded at once: a character may lie across the border.

    The prefix may hold the stop string; what ends the rollout is the first one after it.
    """
    text = sampler.decode([*prefix, *ids])
    return text if stop is None else text[: text.find(stop, len(sampler.decode(prefix)))]
