"""Questions in, answers out: many samples per question, read, run, scored and counted."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, overload

from ..data.prompts import build_prompt
from ..data.reading import final_answer
from ..errors import ConfigError, DataError
from ..generation import Prompt, Sampler, SamplerConfig, load_sampler
from ..generation.config import Engine
from ..grading.votes import AnswerClasses, Vote, best_of_n
from .config import SolveConfig
from .draw import Completion, draw
from .solution import Solution, SolvedSample, StepScores, score_steps
from .solve_file import solve_file
from .stopping import next_round

OnSamples = Callable[[int, int, list[SolvedSample]], None]  # question, number of the first sample, samples


class Solver:
    """
    Answers questions with a model.

    Each question is sampled up to `n` times, the answers are grouped by equivalence (`1/2` and `0.5` are one), and
    drawing stops when the samples left cannot change the winner. Of two answers with the same weight the one that came
    first wins.

    Args:
        sampler ([`~trl_dsmath.generation.Sampler`]):
            The engine. For `mode="tool"`, one that runs programs ([`~trl_dsmath.generation.ToolSampler`]);
            [`from_pretrained`] takes care of it.
        settings ([`SolveConfig`], *optional*):
            How to work. If `None`, made of the keyword arguments.
        step_scorer (`Callable`, *optional*):
            A process reward model ([`load_step_scorer`]) or any step reward function.
        **options:
            Fields of [`SolveConfig`]: `mode`, `n`, `vote`, `temperature` ...

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
        settings: SolveConfig | None = None,
        step_scorer: StepScores | None = None,
        **options: Any,
    ) -> None:
        if settings is not None and options:
            raise ConfigError(f"Give settings, or {', '.join(options)} by name, not both.")
        self.sampler = sampler
        self.settings = settings or _settings_of(options)
        self.step_scorer = step_scorer
        self.identity = sampler.name  # what answers in a file depend on besides the settings
        if step_scorer is None and self.settings.vote != "majority":
            raise ConfigError(f"vote {self.settings.vote!r} needs scores: give step_scorer.")

    @classmethod
    def from_pretrained(
        cls,
        model: str | SamplerConfig,
        step_scorer: StepScores | None = None,
        engine: Engine = "transformers",
        settings: SolveConfig | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Any,
    ) -> "Solver":
        """Loads a model and makes a solver of it.

        Args:
            model (`str` or [`~trl_dsmath.generation.SamplerConfig`]):
                Folder or name on the hub; a folder with a LoRA adapter loads its base model too. Or everything about the
                model in one configuration.
            step_scorer (`Callable`, *optional*):
                A process reward model ([`load_step_scorer`]) or any step reward function.
            engine (`str`, *optional*, defaults to `"transformers"`):
                `"transformers"`, `"vllm"` or `"server"`.
            settings ([`SolveConfig`], *optional*):
                How to work. If `None`, made of the keyword arguments.
            notify (`Callable`, *optional*):
                Called with a line about memory before the weights are read.
            **options:
                Fields of [`SolveConfig`], and of [`~trl_dsmath.generation.SamplerConfig`]: `dtype`, `load_in_4bit`,
                `load_in_8bit`, `device_map`, `adapter`, `model_revision`, `batch_size` ...

        Returns:
            [`Solver`]

        Raises:
            ConfigError: a setting that cannot work, or a model that cannot be loaded.
            MissingDependencyError: the engine, bitsandbytes or peft is needed and absent.
        """
        if isinstance(model, str):
            own = {name: options.pop(name) for name in list(options) if name in SamplerConfig.names()}
            model = SamplerConfig(model, engine=engine, **own)
        settings = settings or _settings_of(options)
        if step_scorer is None and settings.vote != "majority":
            raise ConfigError(f"vote {settings.vote!r} needs scores: give step_scorer.")
        tools = settings.mode == "tool"
        sampler = load_sampler(model, tools, settings.max_new_tokens, settings.samples, notify)
        solver = cls(sampler, settings, step_scorer)
        solver.identity = model.identity(tools)
        return solver

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

    def prompt(self, question: str) -> Prompt:
        """What the model reads for a question."""
        return build_prompt(
            question, self.settings.mode, self.settings.examples, **self.settings.prompt_options()
        ).prompt

    def solve_file(
        self,
        questions: str | Path | Sequence[Mapping[str, Any]],
        output: str | Path | None = None,
        on_solution: Callable[[Solution], None] | None = None,
    ) -> list[dict[str, Any]]:
        """
        Solves the questions of a file, or rows of them, and writes each answer as soon as it is there.

        A run that was killed continues where it stopped: nothing that was written is drawn again, and the answers are those of
        a run that was not stopped. `OUTPUT.samples.jsonl` has every sample, `OUTPUT.settings.yaml` what they depend on.

        Args:
            questions (`str`, `Path` or `Sequence[Mapping]`):
                A file or a data set on the hub ([`load_questions`]), or rows with `question` and, for the accuracy, `gold`.
            output (`str` or `Path`, *optional*):
                File for the answers, one JSON line per question. If `None`, `FILE.solutions.jsonl` for a file, and nothing
                is written for rows.
            on_solution (`Callable`, *optional*):
                Called with each new [`Solution`].

        Returns:
            `list[dict]`: the rows of the file in the order of the questions, `answer`, `votes`, `gold` ...

        Raises:
            ConfigError: the file holds answers made with other settings, or another process writes to it.
            DataError: the questions cannot be read.
        """
        kept = {name: value for name, value in asdict(self.settings).items() if name != "problems_at_once"}
        shown = [[example.question, example.solution] for example in self.settings.examples]
        scorer = self.step_scorer
        named = None if scorer is None else getattr(scorer, "__name__", type(scorer).__name__)
        depends_on = {"model": self.identity, "step_scorer": named, **kept, "few_shot": shown}
        return solve_file(self.solve, self.settings.samples, depends_on, questions, output, on_solution)

    def solve(
        self,
        questions: Sequence[str],
        known: Mapping[int, Sequence[SolvedSample]] | None = None,
        on_samples: OnSamples | None = None,
        on_tokens: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[int, Solution]]:
        """Solves questions and yields each as soon as it is done, with its number.

        Args:
            questions (`Sequence[str]`):
                The questions.
            known (`Mapping[int, Sequence[SolvedSample]]`, *optional*):
                The first samples of some questions, from an earlier run: they are not drawn again.
            on_samples (`Callable`, *optional*):
                Called with the number of the question, of the first sample, and new samples, as they are drawn.
            on_tokens (`Callable`, *optional*):
                Called with a number of new tokens now and then.

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
            # As many as come at no cost in time: stopping early is for what is more than a batch.
            share = self.sampler.rows_at_once // max(1, sum(count > 0 for _, count in asked))
            asked = [(work, count and min(work.left, max(count, share))) for work, count in asked]
            self._draw([(work, count) for work, count in asked if count], on_samples, on_tokens)
            for work, count in asked:
                if not count:
                    under_way.remove(work)
                    yield work.number, work.solution()

    def _draw(
        self, asked: list[tuple["_Work", int]], on_samples: OnSamples | None, on_tokens: Callable[[int], None] | None
    ) -> None:
        """Draws the next round of several questions; those with the same number of samples share batches."""
        groups: dict[tuple[int, tuple[str, ...]], list[_Work]] = {}
        for work, count in asked:
            groups.setdefault((count, work.built.stop), []).append(work)
        for (count, stop), works in sorted(groups.items(), key=lambda group: -group[0][0]):
            firsts = [len(work.samples) for work in works]
            prompts = [work.built for work in works]
            new: list[list[SolvedSample]] = [[] for _ in works]
            early: list[dict[int, Completion]] = [{} for _ in works]

            def keep(i: int, place: int, one: Completion, works=works, firsts=firsts, new=new, early=early) -> None:
                """Samples of a question are handed out in the order of their numbers, which those that end early await."""
                early[i][place] = one
                while len(new[i]) in early[i]:
                    new[i].append(works[i].read(early[i].pop(len(new[i]))))
                    if on_samples is not None and self.step_scorer is None:
                        on_samples(works[i].number, firsts[i] + len(new[i]) - 1, new[i][-1:])

            draw(self.sampler, prompts, self.settings.decoding(stop), count, firsts, keep, on_tokens)
            if self.step_scorer is not None:
                flat = [sample for samples in new for sample in samples]
                scored = [work.scored_prompt for work in works for _ in range(count)]
                score_steps(self.step_scorer, scored, flat, self.settings.step_separator, self.settings.aggregation)
            for work, samples, first in zip(works, new, firsts, strict=True):
                if on_samples is not None and self.step_scorer is not None:
                    on_samples(work.number, first, samples)
                work.add(samples)


class _Work:
    """A question that is being solved."""

    def __init__(self, number: int, question: str, settings: SolveConfig, known: Sequence[SolvedSample]) -> None:
        self.number = number
        self.question = question
        self.built = build_prompt(question, settings.mode, settings.examples, **settings.prompt_options())
        # Without the worked examples.
        self.scored_prompt: Prompt = build_prompt(question, settings.mode, (), **settings.prompt_options()).prompt
        self.samples: list[SolvedSample] = []
        self._settings = settings
        self._classes = AnswerClasses()
        self.add(list(known)[: settings.samples])

    def read(self, completion: Completion) -> SolvedSample:
        program = completion.program
        if self.built.form == "program":
            answer = program.answer if program is not None else None
        else:
            printed = program.answer if program is not None else None
            answer = final_answer(completion.text, self._settings.answer_filter, completion.finished, printed=printed)
        sample = SolvedSample(completion.text, answer, completion.finished, completion.tokens)
        if self.built.form == "program" and program is not None:
            sample.output = f"{program.stdout}{program.error or ''}"
        return sample

    def add(self, samples: list[SolvedSample]) -> None:
        self.samples += samples
        self._classes.add([sample.answer for sample in samples])

    def _vote(self) -> Vote:
        weighted = self._settings.vote == "weighted"
        return self._classes.vote([sample.score or 0.0 for sample in self.samples] if weighted else None)

    @property
    def left(self) -> int:
        """Samples that can still be drawn."""
        return self._settings.samples - len(self.samples)

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
        return Solution(self.question, answer, chosen, vote, self.samples, self._settings.samples, self.built.form)


def _settings_of(options: dict[str, Any]) -> SolveConfig:
    unknown = [name for name in options if name not in SolveConfig.__dataclass_fields__]
    if unknown:
        known = ", ".join(SolveConfig.__dataclass_fields__)
        raise ConfigError(f"There is no setting {', '.join(unknown)}. Settings: {known}.")
    return SolveConfig(**options)
