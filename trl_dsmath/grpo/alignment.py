"""Where the steps of a completion end in its token ids, without tokenizing any text again.

A policy samples splits that its tokenizer would never make, so ids that are made from the text again differ from those
that were sampled, and every step end with them. Here the sampled ids are decoded once, the text is cut
(`text/steps.py`), and each end is brought back to the token that holds the last character of the step.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..generation.programs import program_spans
from ..text.steps import NEWLINE, step_spans

_REPLACEMENT = "\ufffd"  # what a decoder writes for bytes that are no character yet


class StepAligner:
    r"""
    Cuts completions, given as token ids, into steps.

    A step that ends with a newline, the usual case, is found by counting: the newlines of each token are looked up in a
    table that is filled once for each id of the vocabulary that occurs. Other ends, and decoders that make or drop
    newlines when tokens meet, are found by bisection on decoded prefixes.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Tokenizer of the policy.
        separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step; see [`~text.steps.step_spans`].
    """

    def __init__(self, tokenizer: Any, separator: str = NEWLINE) -> None:
        self.tokenizer = tokenizer
        self.separator = separator
        self._newlines: dict[int, int] = {}

    def __call__(self, completion_ids: Sequence[int]) -> tuple[list[int], list[str]]:
        """
        Args:
            completion_ids (`Sequence[int]`):
                Sampled ids of one completion, without padding; EOS included where there is one.

        Returns:
            `tuple[list[int], list[str]]`: the index of the last token of each step, strictly increasing, the last one
            that of the last token; and the texts of the steps, which joined are the decoded completion without special
            tokens. Steps that end inside one token are one step. Both empty for a blank completion.
        """
        ids = list(completion_ids)
        text = self._decode(ids)
        spans = step_spans(text, self.separator)
        ends: list[int] = []
        texts: list[str] = []
        for (start, stop), end in zip(spans, self._last_tokens(ids, text, spans), strict=True):
            if ends and ends[-1] == end:
                texts[-1] += text[start:stop]
            else:
                ends.append(end)
                texts.append(text[start:stop])
        return ends, texts

    def _last_tokens(self, ids: list[int], text: str, spans: list[tuple[int, int]]) -> list[int]:
        """Index of the token that holds the last character of each span; for the last span, the last token."""
        newlines_at = [i for i, token in enumerate(ids) for _ in range(self._newlines_of(token))]
        counted = len(newlines_at) == text.count(NEWLINE)  # else the decoder makes or drops some where tokens meet
        prefixes: dict[int, str] = {}
        ends: list[int] = []
        seen = 0
        for start, stop in spans[:-1]:
            seen += text.count(NEWLINE, start, stop)
            if counted and text[stop - 1] == NEWLINE:
                ends.append(newlines_at[seen - 1])
            else:
                ends.append(self._bisect(ids, text[:stop], ends[-1] if ends else 0, prefixes))
        return [*ends, len(ids) - 1] if spans else []

    def _bisect(self, ids: list[int], head: str, low: int, prefixes: dict[int, str]) -> int:
        """Index, `low` or later, of the first token after which the decoded ids begin with `head`."""

        def prefix(last: int) -> str:
            if last not in prefixes:
                prefixes[last] = self._decode(ids[: last + 1])
            return prefixes[last]

        first, high = low, len(ids) - 1
        while first < high:
            middle = (first + high) // 2
            if prefix(middle).startswith(head):
                high = middle
            else:
                first = middle + 1
        # A prefix that stops inside a character can spoil characters before it, whose tokens were complete (SentencePiece
        # decodes a run of byte tokens as a whole), so an earlier token may do as well.
        earlier = first - 1
        while earlier >= low and (prefix(earlier).startswith(head) or prefix(earlier).endswith(_REPLACEMENT)):
            if prefix(earlier).startswith(head):
                first = earlier
            earlier -= 1
        return first

    def _newlines_of(self, token: int) -> int:
        if token not in self._newlines:
            self._newlines[token] = self._decode([token]).count(NEWLINE)
        return self._newlines[token]

    def _decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


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
