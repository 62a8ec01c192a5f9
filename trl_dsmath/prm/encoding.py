"""From pieces of text, some written by a layout and some by a policy, to token ids and batches.

Shape suffixes: B solutions, T tokens, S steps.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

from ..errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_LABEL = -100.0  # also what transformers pads gathered labels with
_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")  # private-use characters: no template writes or strips them


class Piece(NamedTuple):
    """A piece of text: whether a layout wrote it (`trusted`), and whether a step is scored at its end or before it."""

    text: str
    trusted: bool = False
    score: Literal["end", "before"] | None = None


@dataclass
class Encoded:
    """A solution as token ids."""

    input_ids: list[int]  # prompt and steps
    positions: list[int]  # for each step the index in `input_ids` at which it is scored
    completion_start: int  # index of the first token that follows the ids in front

    def truncate(self, max_length: int | None) -> "Encoded":
        """Leaves out the steps that are scored beyond `max_length`; those before keep their positions."""
        positions = [at for at in self.positions if max_length is None or at < max_length]
        # Nothing after the last score can change it: the models look backwards only.
        ids = self.input_ids[: positions[-1] + 1] if positions else []
        return Encoded(ids, positions, self.completion_start)


def forbidden_ids(tokenizer: "PreTrainedTokenizerBase", tag: str | None) -> frozenset[int]:
    """The tokens that a policy's text may not make: special tokens, and the layout's tag where it is one token."""
    special = set(tokenizer.all_special_ids)
    special |= {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    if tag:
        context = tokenizer("a", add_special_tokens=False)["input_ids"]
        ids = tokenizer("a" + tag, add_special_tokens=False)["input_ids"]
        if ids[: len(context)] == context and len(ids) == len(context) + 1:
            special.add(ids[-1])
    return frozenset(special)


def encode_apart(
    tokenizer: "PreTrainedTokenizerBase", in_front: list[int], pieces: list[Piece], forbidden: frozenset[int]
) -> Encoded:
    """Tokenizes each piece by itself: a score is read at the last token of the scored piece."""
    ids, positions = list(in_front), []
    for piece in pieces:
        own = tokenizer(piece.text, add_special_tokens=False)["input_ids"] if piece.text else []
        ids += own if piece.trusted else [token for token in own if token not in forbidden]
        if piece.score:
            positions.append(len(ids) - 1)
    return Encoded(ids, positions, len(in_front)).truncate(None)


def encode_joined(
    tokenizer: "PreTrainedTokenizerBase", in_front: list[int], pieces: list[Piece], forbidden: frozenset[int]
) -> Encoded:
    """Tokenizes the whole text at once: a score is read at the last token that begins before the scored edge.

    Raises:
        ConfigError: the tokenizer gives no character offsets, or glues a layout's mark to what follows.
    """
    if not tokenizer.is_fast:
        raise ConfigError("This layout needs a fast tokenizer, which says which characters each token covers.")
    edges = list(accumulate((len(piece.text) for piece in pieces), initial=0))
    encoding = tokenizer(
        "".join(piece.text for piece in pieces), add_special_tokens=False, return_offsets_mapping=True
    )
    ids: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for token, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
        piece = pieces[bisect_right(edges, max(end - 1, start), hi=len(pieces)) - 1]
        if piece.trusted or token not in forbidden:
            ids.append(token)
            starts.append(start)
            ends.append(end)
    positions = []
    for piece, left, right in zip(pieces, edges[:-1], edges[1:], strict=True):
        if piece.score:
            edge = right if piece.score == "end" else left
            before = bisect_left(starts, edge)
            if piece.trusted and ends[before - 1] != edge:
                raise ConfigError(
                    f"The tokenizer glues {piece.text[-16:]!r} to the text that follows it, so there is no token at "
                    "which this layout could be scored: the model was made for another layout."
                )
            positions.append(len(in_front) + before - 1)
    return Encoded(in_front + ids, positions, len(in_front)).truncate(None)


def render(
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, Any]], fill: list[list[Piece]]
) -> list[Piece]:
    """Runs a chat template over messages whose content is a number of `fill`, and puts those pieces in their places.

    The template sees placeholders only, so that what it writes and what a policy wrote stay apart.
    """
    if tokenizer.chat_template is None:
        raise ConfigError("This layout needs the chat template of its tokenizer, and the tokenizer has none.")
    held = [
        {**message, "content": f"\ue000{message['content']}\ue001"} if isinstance(message["content"], int) else message
        for message in messages
    ]
    text = str(tokenizer.apply_chat_template(held, tokenize=False, add_generation_prompt=False))
    pieces: list[Piece] = []
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        pieces += fill[int(part)] if number % 2 else [Piece(part, trusted=True)]
    return pieces


def collate(rows: list[dict[str, Any]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Pads solutions to one batch.

    Args:
        rows (`list[dict]`):
            Rows with `input_ids`, `positions`, `completion_start` and, in training, `labels` (one per step).
        pad_token_id (`int`):
            Token to pad with; it is masked out.

    Returns:
        `dict[str, torch.Tensor]`: `input_ids` and `attention_mask` (B, T), `positions` (B, S) padded with -1,
        `completion_start` (B,) and, where rows have them, `labels` (B, S) padded with -100.
    """
    # On the right, whatever the tokenizer's side is: the models look backwards, and positions count from the left.
    batch = {
        "input_ids": _pad([row["input_ids"] for row in rows], pad_token_id, torch.long),
        "attention_mask": _pad([[1] * len(row["input_ids"]) for row in rows], 0, torch.long),
        "positions": _pad([row["positions"] for row in rows], -1, torch.long),
        "completion_start": torch.tensor([row["completion_start"] for row in rows]),
    }
    if "labels" in rows[0]:
        labels = [[NO_LABEL if label is None else float(label) for label in row["labels"]] for row in rows]
        batch["labels"] = _pad(labels, NO_LABEL, torch.float32)
    return batch


def _pad(rows: list[list[Any]], value: float, dtype: torch.dtype) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], dtype=dtype)


def pad_token_of(tokenizer: Any) -> int:
    """The padding token, or any token when the tokenizer has none: padding is masked out."""
    return next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)
