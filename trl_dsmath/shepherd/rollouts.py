"""The roll-outs of one problem: each distinct prefix is rolled out once, whoever asks for it first pays."""

from dataclasses import dataclass

from ..generation import Decoding, Sampler
from ..grading import Verdict
from ..grading.batch import judge
from .labels import Mode, Tally, labels, wanted
from .problems import Problem, Solution, answer_of


@dataclass(frozen=True)
class Request:
    """Roll-outs to draw now: `count` of them, from number `first` on."""

    prefix: tuple[int, ...]
    first: int
    count: int


class Work:
    """
    A problem that is being annotated.

    Args:
        problem ([`Problem`]):
            The problem.
        prompt_ids (`list[int]`):
            Ids of its prompt.
        solutions (`list[Solution]`):
            Its solutions that have no labels yet.
    """

    def __init__(self, problem: Problem, prompt_ids: list[int], solutions: list[Solution]) -> None:
        self.problem = problem
        self.solutions = solutions
        self.spent = dict.fromkeys((solution.index for solution in solutions), 0)
        self.cut_off = dict(self.spent)
        self._prompt_length = len(prompt_ids)
        self._right = [verdict is Verdict.CORRECT for verdict in _judge([s.answer for s in solutions], problem.gold)]
        self._tallies: dict[tuple[int, ...], Tally] = {}
        for solution in solutions:
            for prefix in solution.prefixes:
                self._tallies.setdefault(prefix, Tally())
        self._payer: dict[tuple[int, ...], int] = {}

    def requests(self, mode: Mode, num_rollouts: int, wave: int) -> list[Request]:
        """What has to be drawn next; empty when the labels of all solutions are known."""
        found: dict[tuple[int, ...], Request] = {}
        for solution, right in zip(self.solutions, self._right, strict=True):
            tallies = [self._tallies[prefix] for prefix in solution.prefixes]
            for j in wanted(mode, tallies, right, num_rollouts):
                prefix, drawn = solution.prefixes[j], tallies[j].drawn
                if prefix not in found:
                    left = num_rollouts - drawn
                    found[prefix] = Request(prefix, drawn, left if mode == "soft" else min(wave, left))
                    self._payer[prefix] = solution.index
        return list(found.values())

    def add(self, request: Request, outcomes: list[tuple[bool, bool]]) -> None:
        """Counts roll-outs, each (right, cut off)."""
        tally = self._tallies[request.prefix]
        tally.drawn += len(outcomes)
        tally.right += sum(right for right, _ in outcomes)
        tally.cut_off += sum(cut_off for _, cut_off in outcomes)
        self.spent[self._payer[request.prefix]] += len(outcomes)
        self.cut_off[self._payer[request.prefix]] += sum(cut_off for _, cut_off in outcomes)

    def solution_ids(self, prefix: tuple[int, ...]) -> tuple[int, ...]:
        """The part of a prefix that belongs to the solution."""
        return prefix[self._prompt_length :]

    def rows(self, mode: Mode, num_rollouts: int, sampler: str) -> list[dict[str, object]]:
        """The finished rows, one a solution, in the columns that docs/annotation.md describes."""
        rows: list[dict[str, object]] = []
        for solution, right in zip(self.solutions, self._right, strict=True):
            tallies = [self._tallies[prefix] for prefix in solution.prefixes]
            rows.append(
                {
                    "prompt": self.problem.prompt,
                    "completions": solution.steps,
                    "labels": labels(mode, tallies, right, num_rollouts),
                    "problem_id": self.problem.id,
                    "index": solution.index,
                    "gold": self.problem.gold,
                    "mode": mode,
                    "num_rollouts": num_rollouts,
                    "right": [*(tally.right for tally in tallies), 0],
                    "drawn": [*(tally.drawn for tally in tallies), 0],
                    "spent": self.spent[solution.index],
                    "cut_off": self.cut_off[solution.index],
                    "sampler": sampler,
                }
            )
        return rows


def _judge(answers: list[str | None], gold: str) -> list[Verdict]:
    return judge(answers, [gold] * len(answers))


def draw(requests: list[tuple[Work, Request]], sampler: Sampler, decoding: Decoding) -> None:
    """
    Draws roll-outs of many problems together, grades them, and hands each back to its problem.

    Args:
        requests (`list[tuple[Work, Request]]`):
            What is wanted.
        sampler ([`Sampler`]):
            The completer.
        decoding ([`Decoding`]):
            How it samples.
    """
    for count in sorted({request.count for _, request in requests}, reverse=True):
        group = [(work, request) for work, request in requests if request.count == count]
        firsts = [request.first for _, request in group]
        drawn = sampler.sample([request.prefix for _, request in group], decoding, n=count, first=firsts)
        answers = [
            answer_of(_text(work.solution_ids(request.prefix), sample.ids, sample.stop, sampler), sample.finished)
            for (work, request), samples in zip(group, drawn, strict=True)
            for sample in samples
        ]
        verdicts = iter(judge(answers, [work.problem.gold for work, _ in group for _ in range(count)]))
        for (work, request), samples in zip(group, drawn, strict=True):
            work.add(request, [(next(verdicts) is Verdict.CORRECT, not sample.finished) for sample in samples])


def _text(prefix: tuple[int, ...], ids: tuple[int, ...], stop: str | None, sampler: Sampler) -> str:
    """The whole solution that a roll-out makes, decoded at once: a character may lie across the border."""
    text = sampler.decode([*prefix, *ids])
    return text if stop is None else text[: text.find(stop, len(sampler.decode(prefix)))]
