"""Math-Shepherd annotation from the first problem to the last, many problems at a time, resumable."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..data.files import read_jsonl
from ..errors import ConfigError
from ..sampling import Decoding, Sampler
from .journal import Journal
from .labels import Mode
from .problems import Problem, given_solution, read_problems, sampled_solution
from .rollouts import Work, draw
from .summary import Summary, summarize

MODES = ("hard", "soft", "first_error")


def annotate(
    data: str | Path | Iterable[Mapping[str, Any]],
    sampler: Sampler,
    output: str | Path,
    *,
    mode: Mode = "hard",
    num_rollouts: int = 8,
    num_solutions: int = 15,
    decoding: Decoding | None = None,
    wave: int = 2,
    problems_at_once: int = 16,
    progress: bool = True,
) -> Summary:
    """
    Labels the steps of solutions by roll-outs and writes them as it goes.

    Each label says whether a completer still reaches the right answer from the end of the step. Prefixes that solutions
    of a problem share are rolled out once. The output is complete at any time: a run that was killed is called again
    and goes on; it draws what the first one would have drawn.

    Args:
        data (`str`, `Path` or `Iterable[Mapping]`):
            A file of JSON lines, or rows: `prompt`, `gold` (or `solution`, `answer`), and `completions` (list of steps)
            or `completion` (text) where the solutions are given. Without them, `num_solutions` are sampled a problem.
        sampler ([`Sampler`]):
            The completer.
        output (`str` or `Path`):
            File of JSON lines to write, in the `stepwise_supervision` type.
        mode (`str`, *optional*, defaults to `"hard"`):
            `"hard"`: a step is good if any roll-out is right; a prefix stops at the first. `"soft"`: the fraction right.
            `"first_error"`: the first bad step of a wrong solution is found by bisection; a right solution is good
            throughout and costs nothing.
        num_rollouts (`int`, *optional*, defaults to `8`):
            Roll-outs a prefix (N), at most.
        num_solutions (`int`, *optional*, defaults to `15`):
            Solutions to sample a problem.
        decoding ([`Decoding`], *optional*):
            How solutions and roll-outs are sampled.
        wave (`int`, *optional*, defaults to `2`):
            Roll-outs of a prefix that are drawn together before it is looked at again. It changes the cost, not the
            labels.
        problems_at_once (`int`, *optional*, defaults to `16`):
            Problems that are worked on together, to fill batches. It changes neither labels nor cost.
        progress (`bool`, *optional*, defaults to `True`):
            Whether to show a progress bar.

    Returns:
        [`Summary`]: figures of the whole file.

    Raises:
        ConfigError: a setting cannot work, or `output` holds labels made with other settings.
        DataError: no row can be used.

    Source: Math-Shepherd (arXiv 2312.08935), which §4.1.3 of the paper builds its reward model after; N = 8 and 15
    solutions a problem are that paper's. The bisection is OmegaPRM's (arXiv 2406.06592).
    """
    decoding = decoding or Decoding()
    _check(mode, num_rollouts, num_solutions, wave, problems_at_once, decoding)
    rows = read_jsonl(Path(data))[0] if isinstance(data, str | Path) else data
    read = read_problems(rows)
    settings: dict[str, Any] = {"mode": mode, "num_rollouts": num_rollouts}
    sampled = [problem for problem in read.problems if problem.given is None]
    if sampled:
        settings["num_solutions"] = num_solutions
    settings |= {**asdict(decoding), "stop": list(decoding.stop), "sampler": sampler.name}
    journal = Journal(Path(output), settings)
    try:
        counts = {p.id: num_solutions if p.given is None else len(p.given) for p in read.problems}
        left = deque(problem for problem in read.problems if _open(problem, num_solutions, journal))
        total = sum(counts.values())
        done = total - sum(len(_open(problem, num_solutions, journal)) for problem in left)
        with tqdm(total=total, initial=done, unit="solution", desc="Annotating", disable=not progress) as bar:
            _run(left, sampler, journal, bar, mode, num_rollouts, num_solutions, decoding, wave, problems_at_once)
    finally:
        journal.close()
    summary = summarize(output)
    summary.skipped = read.report()
    return summary


def _run(
    left: deque[Problem],
    sampler: Sampler,
    journal: Journal,
    bar: Any,
    mode: Mode,
    num_rollouts: int,
    num_solutions: int,
    decoding: Decoding,
    wave: int,
    problems_at_once: int,
) -> None:
    """Keeps `problems_at_once` problems under way; one that is finished is written and another takes its place."""
    under_way: list[Work] = []
    spent = 0
    while left or under_way:
        new = [left.popleft() for _ in range(min(len(left), problems_at_once - len(under_way)))]
        under_way += _begin(new, sampler, journal, num_solutions, decoding)
        requests = []
        for work in list(under_way):
            asked = work.requests(mode, num_rollouts, wave)
            if not asked:
                journal.append(work.rows(mode, num_rollouts, sampler.name))
                under_way.remove(work)
                bar.update(len(work.solutions))
            requests += [(work, request) for request in asked]
        if requests:
            draw(requests, sampler, decoding)
            spent += sum(request.count for _, request in requests)
            bar.set_postfix_str(f"{spent:,} roll-outs", refresh=False)


def _begin(
    problems: list[Problem], sampler: Sampler, journal: Journal, num_solutions: int, decoding: Decoding
) -> list[Work]:
    """Samples the solutions of problems that have none, and cuts those that have no labels yet into steps."""
    prompts = [sampler.encode_prompt(problem.prompt) for problem in problems]
    to_sample = [i for i, problem in enumerate(problems) if problem.given is None]
    drawn = sampler.sample([prompts[i] for i in to_sample], decoding, n=num_solutions) if to_sample else []
    samples = dict(zip(to_sample, drawn, strict=True))
    begun = []
    for i, problem in enumerate(problems):
        solutions = [
            sampled_solution(index, samples[i][index], prompts[i], sampler)
            if problem.given is None
            else given_solution(index, problem.given[index], prompts[i], sampler)
            for index in _open(problem, num_solutions, journal)
        ]
        begun.append(Work(problem, prompts[i], solutions))
    return begun


def _open(problem: Problem, num_solutions: int, journal: Journal) -> list[int]:
    """Numbers of the solutions of a problem that have no labels yet."""
    numbers = range(num_solutions) if problem.given is None else sorted(problem.given)
    return [index for index in numbers if (problem.id, index) not in journal.done]


def _check(
    mode: str, num_rollouts: int, num_solutions: int, wave: int, problems_at_once: int, decoding: Decoding
) -> None:
    if mode not in MODES:
        raise ConfigError(f"mode must be one of {', '.join(MODES)}, not {mode!r}.")
    numbers = {
        "num_rollouts": num_rollouts,
        "num_solutions": num_solutions,
        "wave": wave,
        "problems_at_once": problems_at_once,
    }
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError(f"{name} must be at least 1, not {number}.")
    if decoding.greedy:
        raise ConfigError("With temperature 0 all roll-outs of a prefix are the same: set a temperature above 0.")
