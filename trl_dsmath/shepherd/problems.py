"""Rows of a data file turned into problems, and solutions cut into steps with the token ids of each prefix."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..data.columns import columns_of
from ..data.files import first_few
from ..data.reading import AnswerFilter, final_answer, kind_of
from ..errors import DataError
from ..generation import Sample, Sampler
from ..grading import check_golds
from ..text.steps import NEWLINE, end_step, split_steps

STEP_COLUMNS = ("completions", "completion")  # the steps, the text


@dataclass
class Problem:
    """A question with its gold answer, and the solutions to label (`None`: they are to be sampled)."""

    id: str
    prompt: Any
    gold: str
    given: dict[int, list[str]] | None = None  # steps, by the number of the solution

    def answer_in(self, text: str, answer_filter: AnswerFilter = "stated", finished: bool = True) -> str | None:
        """The final answer of a solution."""
        return final_answer(text, answer_filter, finished, kind_of(self.gold))


@dataclass
class Solution:
    """One solution, cut into steps.

    Attributes:
        index (`int`):
            Number of the solution among those of its problem.
        steps (`list[str]`):
            The steps that get a label. Joined they are the solution, less a last fragment that was cut off. May be empty.
        prefixes (`list[tuple[int, ...]]`):
            For each step that rollouts label, all but the last of a finished solution, the ids of the prompt and of the
            solution up to the end of the step.
        answer (`str`, *optional*):
            The final answer, as it was written.
        finished (`bool`):
            Whether the last step ends the solution, so that the answer labels it. A fragment without an answer has no label:
            a reward model would learn that what is cut off is wrong.
    """

    index: int
    steps: list[str]
    prefixes: list[tuple[int, ...]]
    answer: str | None
    finished: bool = True


@dataclass
class Problems:
    """The problems of a file, and the rows that cannot be used."""

    problems: list[Problem]
    skipped: dict[str, list[int]] = field(default_factory=dict)

    def report(self) -> str:
        """One line: how many problems, how many rows were skipped, why, and the first of them."""
        line = f"{len(self.problems):,} problems, {sum(map(len, self.skipped.values())):,} rows skipped"
        for reason, rows in self.skipped.items():
            line += f"; {reason}: {len(rows):,} (row {first_few(rows)})"
        return line


def read_problems(rows: Iterable[Mapping[str, Any]], step_separator: str = NEWLINE) -> Problems:
    """
    Reads problems, with or without solutions.

    Args:
        rows (`Iterable[Mapping]`):
            `prompt` (text or messages, exactly as the completer is to read it); a gold answer (`gold`, `solution`, `answer` ...); to label
            given solutions also `completions` (a list of steps) or `completion` (text). `problem_id` or `id` names the
            problem, otherwise prompt and gold do; rows of the same problem are its solutions, in order.
        step_separator (`str`, *optional*, defaults to `"\\n"`):
            What ends a step; see [`~text.steps.step_spans`].

    Returns:
        [`Problems`]

    Raises:
        DataError: no row can be used, or some rows have solutions and others have none.
    """
    rows = list(rows)
    golds = [columns_of(row).gold_of(row) or None for row in rows]
    readable = [report.ok for report in check_golds(golds)]
    with_steps = any(row.get(name) is not None for row in rows for name in STEP_COLUMNS)
    problems: dict[str, Problem] = {}
    solutions_of: dict[str, int] = {}
    skipped: dict[str, list[int]] = {}
    for number, (row, gold, ok) in enumerate(zip(rows, golds, readable, strict=True)):
        if not row.get("prompt"):
            skipped.setdefault("no prompt", []).append(number)
            continue
        name = _name(row, gold)
        index = solutions_of[name] = solutions_of.get(name, -1) + 1  # skipped rows count: a number never moves
        steps = _steps(row, step_separator) if with_steps else None
        if gold is None:
            skipped.setdefault("no gold answer", []).append(number)
        elif not ok:
            skipped.setdefault("gold cannot be read", []).append(number)
        elif with_steps and not steps:
            skipped.setdefault("no steps", []).append(number)
        elif steps is None and index:
            skipped.setdefault("the same problem again", []).append(number)
        else:
            problem = problems.setdefault(name, Problem(name, row["prompt"], str(gold), {} if with_steps else None))
            if steps is not None and problem.given is not None:
                problem.given[index] = steps
    if not problems:
        why = "; ".join(f"{reason}: {len(numbers)}" for reason, numbers in skipped.items())
        raise DataError(
            f"No row can be used ({why or 'there is none'}). A row needs `prompt`, a gold answer (`solution` or `answer`), and "
            "`completions` (a list of steps) where solutions are given. `trl_dsmath.data.convert` makes prompts of questions."
        )
    return Problems(list(problems.values()), skipped)


def _name(row: Mapping[str, Any], gold: object) -> str:
    for key in ("problem_id", "id"):
        if row.get(key) is not None:
            return str(row[key])
    content = json.dumps([row["prompt"], str(gold)], ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _steps(row: Mapping[str, Any], separator: str) -> list[str]:
    """The steps of a row; each but the last ends with the separator, which is added where it is missing."""
    given = row.get("completions")
    if given is None:
        text = row.get("completion")
        if isinstance(text, list):  # messages
            text = text[-1].get("content") if text and isinstance(text[-1], Mapping) else None
        return split_steps(text, separator) if isinstance(text, str) else []
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(step, str) for step in given):
        return []
    steps = [step for step in given if step.strip()]
    return [end_step(step, separator) for step in steps[:-1]] + steps[-1:]


def given_solution(
    problem: Problem, index: int, prompt_ids: list[int], sampler: Sampler, answer_filter: AnswerFilter = "stated"
) -> Solution:
    """A solution of which only the text is known: it is tokenized once, by itself, and cut at the steps.

    Where the tokenizer does not give the text back (it normalizes), the steps are tokenized one by one.
    """
    steps = (problem.given or {})[index]
    text = "".join(steps)
    answer = problem.answer_in(text, answer_filter)
    ids = sampler.encode(text)
    if sampler.decode(ids).lstrip() == text.lstrip():
        return _cut(index, steps, prompt_ids, ids, answer, sampler)
    pieces = [sampler.encode(step) for step in steps]
    prefixes = [(*prompt_ids, *chain(*pieces[:end])) for end in range(1, len(steps))]
    return Solution(index, steps, prefixes, answer)


def sampled_solution(
    problem: Problem,
    index: int,
    sample: Sample,
    prompt_ids: list[int],
    sampler: Sampler,
    step_separator: str = NEWLINE,
    answer_filter: AnswerFilter = "stated",
) -> Solution:
    """A solution as it was sampled: its prefixes are the sampled ids, whatever the tokenizer would make of the text."""
    steps = split_steps(sample.text, step_separator)
    answer = problem.answer_in(sample.text, answer_filter, sample.finished)
    solution = _cut(index, steps, prompt_ids, list(sample.ids), answer, sampler)
    if not sample.finished and solution.answer is None:
        solution.steps, solution.finished = steps[:-1], False
    return solution


def _cut(
    index: int, steps: list[str], prompt_ids: list[int], ids: list[int], answer: str | None, sampler: Sampler
) -> Solution:
    prefixes, text, tokens = [], "", 0
    for step in steps[:-1]:
        text += step
        tokens = _tokens_that_hold(text, ids, tokens, sampler)
        prefixes.append((*prompt_ids, *ids[:tokens]))
    return Solution(index, steps, prefixes, answer)


def _tokens_that_hold(text: str, ids: list[int], low: int, sampler: Sampler) -> int:
    """The fewest tokens whose text begins with `text`, by bisection: more tokens never hold less.

    SentencePiece swallows the space before the first word when it decodes, so leading blanks do not count.
    """
    text = text.lstrip()
    high = len(ids)
    while low < high:
        middle = (low + high) // 2
        if sampler.decode(ids[:middle]).lstrip().startswith(text):
            high = middle
        else:
            low = middle + 1
    return low
