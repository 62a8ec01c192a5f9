"""Tool-integrated sampling: the programs of a solution are run, and what they print is put behind them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..data.prompts import REQUEST
from ..errors import ConfigError
from ..paper import TOOL_USE
from ..text.programs import programs
from .programs import clipped, looks_like_output, output_block, run_sandboxed, with_state
from .protocol import Decoding, Program, Prompt, Sample, Sampler, Watch, first_of

if TYPE_CHECKING:
    from ..sandbox import ExecutionResult

Run = Callable[[Sequence[str]], "Sequence[ExecutionResult]"]


class ToolSampler:
    """
    Lets samples of any engine run programs, in DeepSeekMath's form; it is a [`Sampler`] itself.

    A sample that writes ```` ```output ```` is stopped there. The last closed ```` ```python ```` block that it has
    written since the last output is run, after the blocks before it; what it printed is put behind the request, and the
    sample goes on. All samples are run in one batch and continued in one batch. Nothing is tokenized again: a
    continuation begins with the ids as they were sampled.

    What a sample ends with, when it does not end by itself: a request without a closed block that has something in it,
    or in the last round, is not answered (`finished=False`, `stop="```output"`; the program of the last round is run and
    recorded); tokens of the interpreter count towards `max_new_tokens`, which may cut its output.

    What a model cannot do: write after ```` ```output ```` itself, end the output block from inside a program, or put
    special tokens into the text by printing their names. `own` says of each token who wrote it. What it can do is write
    a block that *looks* like output (```` ``` output````, `~~~output`): `imitates_output` says so.

    Args:
        sampler ([`Sampler`]):
            The engine.
        rounds (`int`, *optional*, defaults to `2`):
            How often a sample may write: it sees the output of the programs of all rounds but the last. Source: the
            authors' harness, as for the next three.
        timeout (`float`, *optional*, defaults to `10.0`):
            Seconds for a program, the blocks before it included.
        output_chars (`int`, *optional*, defaults to `100`):
            Longer output is cut to its first and last halves.
        error_tokens (`int`, *optional*, defaults to `100`):
            Tokens that are shown of an error.
        memory_mb (`int`, *optional*, defaults to `512`):
            Memory for a program.
        run (`Callable`, *optional*):
            Runs programs: a list of them to a list of results with `stdout`, `error` (what a model is shown, or `None`)
            and `timed_out`. If `None`, [`~sandbox.run_many`]; `timeout` and `memory_mb` are for it.

    Raises:
        ConfigError: a value that cannot work.

    Example:
    ```python
    from trl_dsmath.data.prompts import instruct
    from trl_dsmath.generation import Decoding, ToolSampler, TransformersSampler

    sampler = ToolSampler(TransformersSampler(model, tokenizer))
    prompt = [{"role": "user", "content": instruct("What is the 10th prime?", mode="tool")}]
    sample = sampler.sample([prompt], Decoding(temperature=0.0))[0][0]
    ```
    """

    def __init__(
        self,
        sampler: Sampler,
        rounds: int = TOOL_USE.rounds,
        timeout: float = TOOL_USE.timeout,
        output_chars: int = TOOL_USE.output_chars,
        error_tokens: int = TOOL_USE.error_tokens,
        memory_mb: int = 512,
        run: Run | None = None,
    ) -> None:
        for name, value in (("rounds", rounds), ("output_chars", output_chars), ("error_tokens", error_tokens)):
            if value < 1:
                raise ConfigError(
                    f"{name} must be at least 1, not {value}. The authors' is {getattr(TOOL_USE, name)}."
                )
        if timeout <= 0:
            raise ConfigError(f"timeout must be above 0 seconds, not {timeout}. The authors' is {TOOL_USE.timeout}.")
        self._sampler = sampler
        self._rounds = rounds
        self._output_chars = output_chars
        self._error_tokens = error_tokens
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._run = run or self._run_in_sandbox

    @property
    def name(self) -> str:
        return f"{self._sampler.name} with tools"

    @property
    def context_length(self) -> int | None:
        return self._sampler.context_length

    @property
    def rows_at_once(self) -> int:
        return self._sampler.rows_at_once

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        return self._sampler.encode_prompt(prompt)

    def encode(self, text: str) -> list[int]:
        return self._sampler.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._sampler.decode(ids)

    def sample(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        """Draws samples with tools; see [`Sampler`]. A continuation has its own random stream: its prompt is all
        that precedes it, its number that of the sample."""
        watch = watch or Watch()
        ids = [self.encode_prompt(prompt) for prompt in prompts]
        starts = first_of(first, len(ids))
        draws = 1 if decoding.greedy else n
        found: list[list[Sample]] = []
        at_once = max(1, self.rows_at_once // max(1, draws))
        for begin in range(0, len(ids), at_once):  # all rounds of a part before the next, so that samples come early
            here = slice(begin, begin + at_once)
            for samples in self._sample_together(ids[here], decoding, draws, starts[here], watch):
                found.append(samples * n if decoding.greedy else samples)
                for place, sample in enumerate(found[-1]):
                    watch.on_sample(len(found) - 1, place, sample)
        return found

    def _sample_together(
        self, ids: list[list[int]], decoding: Decoding, draws: int, starts: list[int], watch: Watch
    ) -> list[list[Sample]]:
        inner = dataclasses.replace(decoding, stop=tuple(dict.fromkeys((*decoding.stop, REQUEST))))
        tokens = Watch(on_tokens=watch.on_tokens)
        drafts = [[_Draft(prompt, start + i) for i in range(draws)] for prompt, start in zip(ids, starts, strict=True)]
        waiting = [draft for row in drafts for draft in row]
        parts = [part for row in self._sampler.sample(ids, inner, draws, starts, tokens) for part in row]
        for round_ in range(1, self._rounds + 1):
            if round_ > 1:
                # The longest that one of them may have; the others are cut afterwards, which is the same sample.
                room = max(decoding.max_new_tokens - len(draft.ids) for draft in waiting)
                rows = self._sampler.sample(
                    [draft.prompt + draft.ids for draft in waiting],
                    dataclasses.replace(inner, max_new_tokens=room),
                    first=[draft.index for draft in waiting],
                    watch=tokens,
                )
                parts = [row[0] for row in rows]
            asking = []
            for draft, part in zip(waiting, parts, strict=True):
                draft.write(self._cut(part, decoding.max_new_tokens - len(draft.ids)))
                if draft.program is not None:
                    asking.append(draft)
            waiting = self._answer(asking, decoding.max_new_tokens, last=round_ == self._rounds)
            if not waiting:
                break
        return [[draft.sample(self.decode) for draft in row] for row in drafts]

    def _cut(self, part: Sample, length: int) -> Sample:
        if len(part.ids) <= length:
            return part
        return Sample(self.decode(part.ids[:length]), part.ids[:length], finished=False)

    def _answer(self, asking: list["_Draft"], length: int, last: bool) -> list["_Draft"]:
        """Runs the programs that were asked for; returns the samples that can go on."""
        if not asking:
            return []
        results = self._run([with_state(draft.earlier, draft.program or "") for draft in asking])
        going_on = []
        for draft, result in zip(asking, results, strict=True):
            code = draft.program or ""
            draft.programs.append(Program(code, result.stdout, result.error, result.timed_out))
            if not result.timed_out:  # else it would take all the time of the next one as well
                draft.earlier.append(code)
            if not last:
                # A last token may reach beyond the request, to the end of the line.
                line_ended = self.decode(draft.last.ids).endswith("\n")
                answer = ("" if line_ended else "\n") + output_block(self._shown(result))
                draft.hear(self.encode(answer)[: length - len(draft.ids)])
                if len(draft.ids) < length:
                    going_on.append(draft)
        return going_on

    def _shown(self, result: "ExecutionResult") -> str:
        """What the model sees of a result."""
        if result.error:
            return self.decode(self.encode(result.error.strip())[: self._error_tokens])
        return clipped(result.stdout.rstrip(), self._output_chars)

    def _run_in_sandbox(self, codes: Sequence[str]) -> "Sequence[ExecutionResult]":
        return run_sandboxed(codes, self._timeout, self._memory_mb)


class _Draft:
    """A sample while it is written by the model and the interpreter in turn."""

    def __init__(self, prompt: list[int], index: int) -> None:
        self.prompt = prompt
        self.index = index
        self.ids: list[int] = []
        self.own: list[bool] = []
        self.earlier: list[str] = []
        self.programs: list[Program] = []
        self.program: str | None = None  # the one that waits to be run
        self.last = Sample("", (), finished=False)
        self._answered = False
        self._imitates = False

    def write(self, part: Sample) -> None:
        """The model's turn."""
        self.last, self._answered = part, False
        self.ids += part.ids
        self.own += [True] * len(part.ids)
        self._imitates |= looks_like_output(part.text)
        blocks = programs(part.text) if part.stop == REQUEST else []
        self.program = blocks[-1] if blocks and blocks[-1].strip() else None
        self.earlier += blocks[:-1]

    def hear(self, ids: list[int]) -> None:
        """The interpreter's turn."""
        self._answered = True
        self.ids += ids
        self.own += [False] * len(ids)

    def sample(self, decode: Callable[[Sequence[int]], str]) -> Sample:
        text = decode(self.ids)
        stop = None if self._answered else self.last.stop
        if stop is not None:
            text = text[: text.rindex(stop)]
        return Sample(
            text,
            tuple(self.ids),
            finished=self.last.finished and not self._answered and stop != REQUEST,
            stop=stop,
            own=tuple(self.own),
            programs=tuple(self.programs),
            imitates_output=self._imitates,
        )
