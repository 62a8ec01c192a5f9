"""Steps of a completion that the model and an interpreter wrote in turn: what the interpreter wrote is never in one."""

from collections.abc import Sequence
from itertools import groupby

from ..generation.programs import program_spans
from .alignment import StepAligner


def align_own_steps(
    align: StepAligner, completion_ids: Sequence[int], own: Sequence[int]
) -> tuple[list[int], list[str]]:
    """
    Cuts a completion into steps, the interpreter's tokens left out.

    Each piece between outputs is cut by itself, so the request for an output ends a step, and what follows the output
    begins one. A program is a single step, with its fences and its request, whatever separators stand in it; the text
    before it is cut as ever. A blank piece (the end-of-text token alone, say) joins the step before it.

    Args:
        align ([`StepAligner`]):
            Cuts a text of the model's.
        completion_ids (`Sequence[int]`):
            Tokens of a completion, without padding.
        own (`Sequence[int]`):
            1 for each token of the model's, 0 for the interpreter's.

    Returns:
        `tuple[list[int], list[str]]`: as [`StepAligner`]: the index of the last token of each step, always one of the
        model's, and the texts of the steps, without the interpreter's.
    """
    ends: list[int] = []
    texts: list[str] = []
    start = 0
    for by_model, tokens in groupby(own):
        stop = start + len(list(tokens))
        if by_model:
            piece_ends, piece_texts = _whole_programs(*align(completion_ids[start:stop]))
            ends += [start + end for end in piece_ends]
            texts += piece_texts
            if not piece_ends and ends:
                ends[-1] = stop - 1
        start = stop
    return ends, texts


def _whole_programs(ends: list[int], texts: list[str]) -> tuple[list[int], list[str]]:
    """Joins the steps that a program was cut into."""
    spans = program_spans("".join(texts))
    joined_ends: list[int] = []
    joined: list[str] = []
    place, inside = 0, False
    for end, text in zip(ends, texts, strict=True):
        if inside:
            joined_ends[-1] = end
            joined[-1] += text
        else:
            joined_ends.append(end)
            joined.append(text)
        place += len(text)
        inside = any(start < place < stop for start, stop in spans)
    return joined_ends, joined
