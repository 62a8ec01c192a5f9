"""Math-Shepherd annotation from the first problem to the last, many problems at a time, resumable."""

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..data.files import first_few, read_jsonl
from ..data.journal import Journal
from ..data.reading import AnswerFilter
from ..errors import DataError
from ..generation import Decoding, Sampler
from ..text.steps import NEWLINE
from .config import AnnotateConfig, Mode
from .dataset import Summary, summarize
from .problems import Problem, given_solution, read_problems, sampled_solution
from .rollouts import Work, draw


def annotate(
    data: str | Path | Iterable[Mapping[str, Any]],
    sampler: Sampler,
    output: str | Path,
    *,
    mode: Mode = "hard",
    num_rollouts: int = 8,
    num_solutions: int = 15,
    decoding: Decoding | None = None,
    step_separator: str = NEWLINE,
    answer_filter: AnswerFilter = "stated",
    rollout_batch_size: int = 2,
    problems_at_once: int = 16,
    prompts: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Summary:
    r"""
    Labels the steps of solutions by rollouts and writes them as it goes.

    Each label says whether a completer still reaches the right answer from the end of the step. Prefixes that solutions
    of a problem share are rolled out once. A last fragment that was cut off before an answer has no label. The output is
    whole at any time: the same call continues a run that was killed, and draws what that would have drawn.

    Args:
        data (`str`, `Path` or `Iterable[Mapping]`):
            A file of JSON lines, or rows: `prompt`, a gold answer (`solution`, `answer` ...), and `completions` (list of steps)
            or `completion` (text) where the solutions are given. Without them, `num_solutions` are sampled per problem.
        sampler ([`Sampler`]):
            The completer.
        output (`str` or `Path`):
            File of JSON lines to write, in the `stepwise_supervision` type.
        mode (`str`, *optional*, defaults to `"hard"`):
            `"hard"`: a step is good if any rollout is right; a prefix stops at the first. `"soft"`: the fraction right.
            `"first_error"`: the first bad step of a wrong solution is found by bisection; a right solution is good
            throughout and costs nothing.
        num_rollouts (`int`, *optional*, defaults to `8`):
            Rollouts per prefix (N), at most.
        num_solutions (`int`, *optional*, defaults to `15`):
            Solutions to sample per problem.
        decoding ([`Decoding`], *optional*):
            How solutions and rollouts are sampled.
        step_separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step, as in GRPO and PRM training; see [`~text.steps.step_spans`].
        answer_filter (`str`, *optional*, defaults to `"stated"`):
            How answers are read: `"stated"`, or `"flexible"` where a model writes no box ([`~trl_dsmath.data.reading`]).
        rollout_batch_size (`int`, *optional*, defaults to `2`):
            Rollouts of a prefix that are drawn together before it is looked at again. It changes the cost, not the
            labels.
        problems_at_once (`int`, *optional*, defaults to `16`):
            Problems that are worked on together, to fill batches; a kill loses the rollouts of those under way. It
            changes neither labels nor cost.
        prompts (`Mapping`, *optional*):
            How the prompts were written (instruction, system prompt ...), kept beside the labels: a run with other ones does
            not go on from them.
        progress (`bool`, *optional*, defaults to `True`):
            Whether to show a progress bar.

    Returns:
        [`Summary`]: counts over the whole file.

    Raises:
        ConfigError: a setting cannot work, or `output` holds labels made with other settings.
        DataError: no row can be used, or every sampled solution is blank.

    Source: Math-Shepherd (arXiv 2312.08935), which §4.1.3 of the paper builds its reward model after; N = 8 and 15
    solutions per problem are that paper's. The bisection is OmegaPRM's (arXiv 2406.06592), divided at a quarter.
    """
    how = decoding or Decoding()
    config = AnnotateConfig(
        mode=mode,
        num_rollouts=num_rollouts,
        num_solutions=num_solutions,
        step_separator=step_separator,
        answer_filter=answer_filter,
        temperature=how.temperature,
        top_p=how.top_p,
        max_new_tokens=how.max_new_tokens,
        stop=list(how.stop),
        seed=how.seed,
        rollout_batch_size=rollout_batch_size,
        problems_at_once=problems_at_once,
    )
    rows, broken = read_jsonl(Path(data)) if isinstance(data, str | Path) else (data, [])
    read = read_problems(rows, step_separator)
    sampled = any(problem.given is None for problem in read.problems)
    settings = {**config.record(sampler.name, sampled), **(prompts or {})}
    journal = Journal(output, ("problem_id", "index"), settings, holds="labels")
    try:
        missing = {problem.id: _missing(problem, num_solutions, journal) for problem in read.problems}
        left = deque(problem for problem in read.problems if missing[problem.id])
        total = sum(num_solutions if p.given is None else len(p.given) for p in read.problems)
        done = total - sum(map(len, missing.values()))
        with tqdm(total=total, initial=done, unit="solution", desc="Annotating", disable=not progress) as bar:
            blank = _run(left, sampler, journal, config, bar)
    finally:
        journal.close()
    if blank and not Path(output).stat().st_size:
        raise DataError(
            f"All {blank} solutions that {sampler.name} wrote are blank or cut off in their first step, so no step could be "
            "labelled: look at what it writes to such a prompt. A chat template that does not fit, a stop string that comes "
            "first, or a small max_new_tokens does this."
        )
    summary = summarize(output)
    summary.skipped = read.report()
    if broken:
        summary.skipped += f"; {len(broken):,} lines are not JSON objects (line {first_few(broken)})"
    if blank:
        summary.skipped += f"; {blank} solutions were blank, or cut off in their first step"
    return summary


def _run(left: deque[Problem], sampler: Sampler, journal: Journal, config: AnnotateConfig, bar: Any) -> int:
    """Keeps some problems under way; one that is finished is written and another takes its place.

    Returns:
        `int`: how many solutions have no step to label.
    """
    under_way: list[Work] = []
    spent = blank = 0
    while left or under_way:
        new = [left.popleft() for _ in range(min(len(left), config.problems_at_once - len(under_way)))]
        begun, dropped = _begin(new, sampler, journal, config)
        under_way += begun
        blank += dropped
        bar.update(dropped)
        requests = []
        for work in list(under_way):
            asked = work.requests(config.mode, config.num_rollouts, config.rollout_batch_size)
            if not asked:
                journal.append(work.rows(config.mode, config.num_rollouts, sampler.name))
                under_way.remove(work)
                bar.update(len(work.solutions))
            requests += [(work, request) for request in asked]
        if requests:
            draw(requests, sampler, config.decoding, config.answer_filter)
            spent += sum(request.count for _, request in requests)
            bar.set_postfix_str(f"{spent:,} rollouts")
    return blank


def _begin(
    problems: list[Problem], sampler: Sampler, journal: Journal, config: AnnotateConfig
) -> tuple[list[Work], int]:
    """Samples the solutions of problems that have none, and cuts those that have no labels yet into steps.

    Returns:
        `tuple`: the problems, and how many of their solutions have no step to label.
    """
    prompts = [sampler.encode_prompt(problem.prompt) for problem in problems]
    to_sample = [i for i, problem in enumerate(problems) if problem.given is None]
    number = config.num_solutions
    drawn = sampler.sample([prompts[i] for i in to_sample], config.decoding, n=number) if to_sample else []
    samples = dict(zip(to_sample, drawn, strict=True))
    begun, blank = [], 0
    for i, problem in enumerate(problems):
        indices = _missing(problem, number, journal)
        if problem.given is not None:
            solutions = [
                given_solution(problem, index, prompts[i], sampler, config.answer_filter) for index in indices
            ]
        else:
            solutions = [
                sampled_solution(
                    problem, index, samples[i][index], prompts[i], sampler, config.step_separator, config.answer_filter
                )
                for index in indices
            ]
        with_steps = [solution for solution in solutions if solution.steps]
        blank += len(solutions) - len(with_steps)
        begun.append(Work(problem, prompts[i], with_steps))
    return begun, blank


def _missing(problem: Problem, num_solutions: int, journal: Journal) -> list[int]:
    """Numbers of the solutions of a problem that have no labels yet."""
    numbers = range(num_solutions) if problem.given is None else sorted(problem.given)
    return [index for index in numbers if (problem.id, index) not in journal.done]
