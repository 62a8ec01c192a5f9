"""From prompts to completions: the one way for [`Solver`], evaluation and callback. Programs are run, answers are not read."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.prompts import BuiltPrompt
from ..generation import Decoding, Program, Sampler, run_completions
from ..generation.programs import REQUEST, output_block


@dataclass(frozen=True)
class Completion:
    """
    A sample of a prompt, with what its program printed.

    Attributes:
        text (`str`):
            The text; a program whose opening fence is in the prompt is in its fences.
        finished (`bool`):
            Whether it came to an end before the longest length.
        tokens (`int`):
            Its length, the interpreter's tokens included.
        program (`Program`, *optional*):
            The last program that was run for it.
    """

    text: str
    finished: bool
    tokens: int
    program: Program | None = None

    @property
    def with_output(self) -> str:
        """The text with what the program printed in a block behind it; the block is empty where it printed nothing."""
        printed = self.program.stdout if self.program is not None and self.program.answer is not None else ""
        return f"{self.text.rstrip()}\n{REQUEST}\n{output_block(printed)}"


def draw(
    sampler: Sampler, prompts: Sequence[BuiltPrompt], decoding: Decoding, n: int = 1, first: int | Sequence[int] = 0
) -> list[list[Completion]]:
    """
    Draws completions of prompts, and runs their programs where the answer is what a program prints.

    Args:
        sampler ([`~trl_dsmath.generation.Sampler`]):
            The engine; for tools, one that runs programs while the model writes.
        prompts (`Sequence[BuiltPrompt]`):
            The prompts, all of one form.
        decoding ([`~trl_dsmath.generation.Decoding`]):
            How samples are drawn.
        n (`int`, *optional*, defaults to `1`), first (`int` or `Sequence[int]`, *optional*, defaults to `0`):
            As in [`~trl_dsmath.generation.Sampler.sample`].

    Returns:
        `list[list[Completion]]`: `n` completions for each prompt, in order.
    """
    drawn = sampler.sample([prompt.prompt for prompt in prompts], decoding, n=n, first=first)
    found = [
        [
            Completion(
                _in_fences(prompt.opening, sample.text),
                sample.finished,
                len(sample.ids),
                sample.programs[-1] if sample.programs else None,
            )
            for sample in samples
        ]
        for prompt, samples in zip(prompts, drawn, strict=True)
    ]
    if not prompts or prompts[0].form != "program":
        return found
    programs = iter(run_completions([one.text for row in found for one in row]))
    return [[Completion(one.text, one.finished, one.tokens, next(programs)) for one in row] for row in found]


def _in_fences(opening: str, text: str) -> str:
    return f"{opening}{text.strip()}\n```" if opening else text
