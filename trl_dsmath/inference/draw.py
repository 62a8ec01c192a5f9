"""From prompts to completions: the one way for [`Solver`], evaluation and callback. Programs are run, answers are not read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..data.prompts import REQUEST, BuiltPrompt
from ..generation import Decoding, Program, Sample, Sampler, Watch, run_completions
from ..generation.programs import output_block

if TYPE_CHECKING:
    from tqdm import tqdm

OnCompletion = Callable[[int, int, "Completion"], None]
_PROGRAMS = 64  # run together


@dataclass(frozen=True)
class Completion:
    """A sample of a prompt, with what its program printed."""

    text: str  # a program whose opening fence is in the prompt is in its fences
    finished: bool  # whether it came to an end before the longest length
    tokens: int  # the interpreter's included
    program: Program | None = None  # the last that was run for it

    @property
    def with_output(self) -> str:
        """The text with what the program printed in a block behind it; the block is empty where it printed nothing."""
        printed = self.program.stdout if self.program is not None and self.program.answer is not None else ""
        return f"{self.text.rstrip()}\n{REQUEST}\n{output_block(printed)}"


def draw(
    sampler: Sampler,
    prompts: Sequence[BuiltPrompt],
    decoding: Decoding,
    n: int = 1,
    first: int | Sequence[int] = 0,
    on_completion: OnCompletion | None = None,
    on_tokens: Callable[[int], None] | None = None,
) -> list[list[Completion]]:
    """
    Draws completions of prompts, and runs their programs where the answer is what a program prints.

    Args:
        prompts (`Sequence[BuiltPrompt]`):
            The prompts, all of one form.
        on_completion (`Callable`, *optional*):
            Called with each completion as it is finished, in any order: place of its prompt, place among its `n`.
        sampler, decoding, n, first, on_tokens:
            As in [`~trl_dsmath.generation.Sampler.sample`] and [`~trl_dsmath.generation.Watch`].

    Returns:
        `list[list[Completion]]`: `n` completions for each prompt, in order.
    """
    found: list[dict[int, Completion]] = [{} for _ in prompts]
    to_run: list[tuple[int, int, Completion]] = []
    seen: set[tuple[int, int]] = set()

    def keep(i: int, place: int, one: Completion) -> None:
        found[i][place] = one
        if on_completion is not None:
            on_completion(i, place, one)

    def run_programs() -> None:
        programs = run_completions([one.text for _, _, one in to_run])
        for (i, place, one), program in zip(to_run, programs, strict=True):
            keep(i, place, replace(one, program=program))
        to_run.clear()

    def read(i: int, place: int, sample: Sample) -> None:
        seen.add((i, place))
        program = sample.programs[-1] if sample.programs else None
        one = Completion(_in_fences(prompts[i].opening, sample.text), sample.finished, sample.length, program)
        if prompts[i].form != "program":
            keep(i, place, one)
            return
        to_run.append((i, place, one))
        if len(to_run) >= _PROGRAMS:
            run_programs()

    watch = Watch(read, on_tokens) if on_tokens is not None else Watch(read)
    drawn = sampler.sample([prompt.prompt for prompt in prompts], decoding, n, first, watch)
    for i, samples in enumerate(drawn):  # of an engine that gives them at the end only
        for place, sample in enumerate(samples):
            if (i, place) not in seen:
                read(i, place, sample)
    run_programs()
    return [[row[place] for place in range(n)] for row in found]


def _in_fences(opening: str, text: str) -> str:
    return f"{opening}{text.strip()}\n```" if opening else text


def tokens_on(bar: "tqdm") -> Callable[[int], None]:
    """Shows on a progress bar how many tokens were drawn: what `on_tokens` takes."""
    tokens = 0

    def show(new: int) -> None:
        nonlocal tokens
        tokens += new
        bar.set_postfix_str(f"{tokens:,} tokens")

    return show
