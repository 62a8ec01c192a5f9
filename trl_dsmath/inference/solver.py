"""Questions in, answers out: many samples a question, read, run, scored and counted."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from ..errors import ConfigError, DataError
from ..generation import Sample, Sampler, SamplerConfig, load_sampler
from ..grading.votes import AnswerClasses, Vote, best_of_n
from ..paper import TOOL_USE
from ..text import read_answer
from ..text.programs import last_line
from .result import Solution, SolvedSample
from .scoring import StepScores, score_samples
from .solve_program import program_of
from .solve_prompts import prompt_for, stop_strings
from .solve_settings import SolveSettings
from .stopping import next_round

OnSamples = Callable[[int, int, list[SolvedSample]], None]  # question, number of the first sample, samples
_PROGRAM_SECONDS = TOOL_USE.timeout
_PROGRAM_MEMORY_MB = 512


class Solver:
    """
    Answers questions with a model.

    Each question is sampled up to `n` times, the answers are counted by what they mean (`1/2` and `0.5` are one), and
    drawing stops when the samples left cannot change the winner. Of two answers with the same weight the one that came
    first wins.

    Args:
        sampler ([`~trl_dsmath.generation.Sampler`]):
            The engine. For `mode="tool"`, one that runs programs ([`~trl_dsmath.generation.tools.ToolSampler`]);
            [`from_pretrained`] takes care of it.
        settings ([`SolveSettings`], *optional*):
            How to work. If `None`, made of the keyword arguments.
        step_scorer (`Callable`, *optional*):
            A process reward model ([`load_step_scorer`]) or any step reward function.
        **options:
            Fields of [`SolveSettings`]: `mode`, `n`, `vote`, `temperature` ...

    Raises:
        ConfigError: settings that cannot work, or a vote by score without a scorer.

    Example:
    ```python
    >>> solver = Solver.from_pretrained("deepseek-ai/deepseek-math-7b-rl", load_in_4bit=True, n=16)
    >>> solver("What is the sum of the first 100 positive integers?").answer
    '5050'
    ```
    """

    def __init__(
        self,
        sampler: Sampler,
        settings: SolveSettings | None = None,
        step_scorer: StepScores | None = None,
        **options: Any,
    ) -> None:
        if settings is not None and options:
            raise ConfigError(f"Give settings, or {', '.join(options)} by name, not both.")
        self.sampler = sampler
        self.settings = settings or make_settings(options)
        self.step_scorer = step_scorer
        if step_scorer is None and self.settings.vote != "majority":
            raise ConfigError(f"vote={self.settings.vote!r} needs scores: give step_scorer (--step_scorer MODEL).")

    @classmethod
    def from_pretrained(
        cls, model: str, step_scorer: StepScores | None = None, batch_size: int | None = None, **options: Any
    ) -> "Solver":
        """Loads a model and makes a solver of it.

        Args:
            model (`str`):
                Folder or name on the hub; a folder with a LoRA adapter loads its base model too.
            step_scorer (`Callable`, *optional*):
                A process reward model ([`load_step_scorer`]) or any step reward function.
            batch_size (`int`, *optional*):
                Samples computed at a time. If `None`, chosen by the memory.
            **options:
                Fields of [`SolveSettings`], and of [`~trl_dsmath.generation.SamplerConfig`]: `dtype`, `load_in_4bit`,
                `load_in_8bit`, `device_map`, `adapter`, `revision` ...

        Returns:
            [`Solver`]

        Raises:
            ConfigError: a setting that cannot work, or a model that cannot be loaded.
            MissingDependencyError: bitsandbytes or peft is needed and absent.
        """
        own = {name: options.pop(name) for name in list(options) if name in SamplerConfig.names()}
        config = SamplerConfig(model, batch_size=batch_size, **own)
        settings = make_settings(options)
        return cls(load_sampler(config, tools=settings.mode == "tool"), settings, step_scorer)

    @overload
    def __call__(self, questions: str) -> Solution: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, questions: Sequence[str]) -> list[Solution]: ...

    def __call__(self, questions: str | Sequence[str]) -> Solution | list[Solution]:
        """Solves one question or many.

        Args:
            questions (`str` or `Sequence[str]`):
                The questions, without an instruction.

        Returns:
            [`Solution`], or a list of them in order.
        """
        if isinstance(questions, str):
            return next(solution for _, solution in self.solve([questions]))
        found = dict(self.solve(questions))
        return [found[i] for i in range(len(questions))]

    def solve(
        self,
        questions: Sequence[str],
        known: Mapping[int, Sequence[SolvedSample]] | None = None,
        on_samples: OnSamples | None = None,
    ) -> Iterator[tuple[int, Solution]]:
        """Solves questions and yields each as soon as it is done, with its number.

        Args:
            questions (`Sequence[str]`):
                The questions.
            known (`Mapping[int, Sequence[SolvedSample]]`, *optional*):
                The first samples of some questions, from an earlier run: they are not drawn again.
            on_samples (`Callable`, *optional*):
                Called with the number of the question, of the first sample, and new samples, as they are drawn.

        Yields:
            `tuple[int, Solution]`

        Raises:
            DataError: a question is blank.
        """
        for number, question in enumerate(questions):
            if not question.strip():
                raise DataError(f"Question {number} is blank: leave it out.")
        waiting = deque(
            _Work(i, question, self.settings, (known or {}).get(i, ())) for i, question in enumerate(questions)
        )
        under_way: list[_Work] = []
        while waiting or under_way:
            while waiting and len(under_way) < self.settings.problems_at_once:
                under_way.append(waiting.popleft())
            asked = [(work, work.wanted()) for work in under_way]
            self._draw([(work, count) for work, count in asked if count], on_samples)
            for work, count in asked:
                if not count:
                    under_way.remove(work)
                    yield work.number, work.solution()

    def _draw(self, asked: list[tuple["_Work", int]], on_samples: OnSamples | None) -> None:
        """Draws the next round of several questions; those with the same number of samples share batches."""
        groups: dict[tuple[int, tuple[str, ...]], list[_Work]] = {}
        for work, count in asked:
            groups.setdefault((count, work.stop), []).append(work)
        for (count, stop), works in sorted(groups.items(), key=lambda group: -group[0][0]):
            firsts = [len(work.samples) for work in works]
            drawn = self.sampler.sample(
                [work.prompt for work in works], self.settings.decoding(stop), n=count, first=firsts
            )
            new = [[_read(sample) for sample in samples] for samples in drawn]
            flat = [sample for samples in new for sample in samples]
            if self.settings.mode == "pot":
                _run_programs(flat)
            if self.step_scorer is not None:
                prompts = [work.scored_prompt for work in works for _ in range(count)]
                score_samples(self.step_scorer, prompts, flat, self.settings.aggregation)
            for work, samples, first in zip(works, new, firsts, strict=True):
                if on_samples is not None:
                    on_samples(work.number, first, samples)
                work.add(samples)


class _Work:
    """A question that is being solved."""

    def __init__(self, number: int, question: str, settings: SolveSettings, known: Sequence[SolvedSample]) -> None:
        self.number = number
        self.question = question
        self.prompt = prompt_for(question, settings.mode, settings.few_shot, settings.plain)
        self.scored_prompt = prompt_for(question, settings.mode, (), settings.plain)  # without the worked examples
        self.stop = stop_strings(question, settings.mode, bool(settings.few_shot))
        self.samples: list[SolvedSample] = []
        self._settings = settings
        self._classes = AnswerClasses()
        self.add(list(known)[: settings.samples])

    def add(self, samples: list[SolvedSample]) -> None:
        self.samples += samples
        self._classes.add([sample.answer for sample in samples])

    def _vote(self) -> Vote:
        weighted = self._settings.vote == "weighted"
        return self._classes.vote([sample.score or 0.0 for sample in self.samples] if weighted else None)

    def wanted(self) -> int:
        """How many samples to draw now; 0 when the answer is known."""
        return next_round(self._vote().classes, len(self.samples), self._settings.samples, self._settings.stopping)

    def solution(self) -> Solution:
        vote = self._vote()
        if self._settings.vote == "best_of_n":
            chosen = best_of_n([s.answer for s in self.samples], [s.score or 0.0 for s in self.samples])
            answer = None if chosen is None else self.samples[chosen].answer
        else:
            answer = vote.answer
            members = vote.classes[0].members if vote.classes else ()
            chosen = max(members, key=lambda i: self.samples[i].score or 0.0, default=None)
        return Solution(self.question, answer, chosen, vote, self.samples, self._settings.samples)


def _read(sample: Sample) -> SolvedSample:
    r"""A sample that was cut off has an answer only if its box is complete ("the answer is 1|2")."""
    answer = read_answer(sample.text) if sample.finished or "\\boxed" in sample.text else None
    return SolvedSample(sample.text, answer, sample.finished, len(sample.ids))


def _run_programs(samples: list[SolvedSample]) -> None:
    """Runs the program of each sample in the sandbox; what it prints last is the answer, whatever the text says."""
    from ..sandbox import run_many

    programs = {i: program for i, sample in enumerate(samples) if (program := program_of(sample.text)) is not None}
    results = run_many(list(programs.values()), timeout=_PROGRAM_SECONDS, memory_mb=_PROGRAM_MEMORY_MB)
    for sample in samples:
        sample.answer = None
    for i, result in zip(programs, results, strict=True):
        samples[i].output = result.stdout if not result.error else f"{result.stdout}{result.error}"
        samples[i].answer = None if result.error or result.timed_out else last_line(result.stdout)


def make_settings(options: dict[str, Any]) -> SolveSettings:
    """[`SolveSettings`] out of keyword arguments.

    Raises:
        ConfigError: a name that is no setting.
    """
    unknown = [name for name in options if name not in SolveSettings.__dataclass_fields__]
    if unknown:
        known = ", ".join(SolveSettings.__dataclass_fields__)
        raise ConfigError(f"There is no setting {', '.join(unknown)}. Settings: {known}.")
    return SolveSettings(**options)
