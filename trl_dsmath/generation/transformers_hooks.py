"""What is put into transformers' `generate`: the choice of each token, where stop strings end a row, a cache with room.

Shapes: B rows, V vocabulary, T tokens so far (prompt and new ones), H heads, D size of a head.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, LogitsProcessor, StoppingCriteria
from transformers.cache_utils import DynamicLayer

ROOM = 128  # tokens


class SeededChoice(LogitsProcessor):
    """
    Chooses each row's next token with that row's own random numbers; `generate` then takes the only one left.

    `torch.multinomial` draws all rows from one generator, so a sample would depend on its neighbours in the batch. Here
    one uniform number per token is compared with the cumulated probabilities.

    Args:
        keys (`Sequence[int]`):
            Key of the random stream of each row.
        max_new_tokens (`int`):
            How many numbers each stream has to give.
    """

    def __init__(self, keys: Sequence[int], max_new_tokens: int) -> None:
        draws = [np.random.Generator(np.random.Philox(key=key)).random(max_new_tokens) for key in keys]
        self._draws_BT = torch.from_numpy(np.stack(draws))
        self._step = 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Shapes: `input_ids` (B, T), `scores` (B, V); returns (B, V) with 0 at the chosen token, -inf elsewhere."""
        cumulated_BV = scores.double().softmax(dim=-1).cumsum(dim=-1)
        draw_B = self._draws_BT[:, self._step].to(scores.device) * cumulated_BV[:, -1]
        self._step += 1
        # The first token whose cumulated probability exceeds the draw; never one of probability 0.
        chosen_B1 = torch.searchsorted(cumulated_BV, draw_B[:, None], right=True).clamp(max=scores.shape[-1] - 1)
        only = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, chosen_B1, 0.0)  # type: ignore[return-value]


class StopStrings(StoppingCriteria):
    """
    Ends a row when one of the strings is in its new text, and remembers after how many new tokens.

    transformers' own criterion also looks into the prompt, where few-shot examples hold the same strings.

    Args:
        stop (`Sequence[str]`):
            The strings.
        decode (`Callable`):
            Text of token ids.
        rows (`int`):
            Number of rows.
        prompt_length (`int`):
            Tokens before the first new one, padding included.
    """

    def __init__(self, stop: Sequence[str], decode: Callable[[Sequence[int]], str], rows: int, prompt_length: int):
        self.ends: list[int | None] = [None] * rows
        self._stop = tuple(stop)
        self._decode = decode
        self._prompt_length = prompt_length
        # A token has at least one byte; some more, because the first ones may be halves of a character.
        self._window = max(len(text.encode()) for text in stop) + 4

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object) -> torch.BoolTensor:
        """Shapes: `input_ids` (B, T); returns (B,)."""
        new = input_ids[:, self._prompt_length :]
        for row, ids in enumerate(new[:, -self._window :].tolist()):
            if self.ends[row] is None:
                tail = self._decode(ids)
                if any(text in tail for text in self._stop):
                    self.ends[row] = new.shape[1]
        return torch.tensor([end is not None for end in self.ends], device=input_ids.device)  # type: ignore[return-value]


class ReservedLayer(DynamicLayer):
    """
    Keys and values of one layer in a tensor that is longer than they are.

    `DynamicLayer` makes a new tensor of all keys for every token. For 64 rows that follow a prompt of 1,024 tokens, two
    thirds of the time of a small model on a CPU went into that (fresh pages, mostly). With room behind them, the new keys
    are written in place, and the whole is copied once in 128 tokens.

    Args:
        layer ([`~transformers.cache_utils.DynamicLayer`]):
            The layer of the prompt; it is left as it is.
        repeats (`int`):
            Rows to make of each of its rows.

    Shapes: B rows, H heads, T tokens, D size of a head.
    """

    def __init__(self, layer: DynamicLayer, repeats: int) -> None:
        super().__init__()
        assert layer.keys is not None and layer.values is not None
        self.dtype, self.device, self.is_initialized = layer.keys.dtype, layer.keys.device, True
        self._buffers: tuple[torch.Tensor, torch.Tensor] = (
            _with_room(layer.keys, repeats),
            _with_room(layer.values, repeats),
        )
        self._show(layer.keys.shape[-2])

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends keys and values (B, H, new T, D); returns all of them (B, H, T, D)."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            room = max(ROOM, key_states.shape[-2])
            self._buffers = (_with_room(self.keys, 1, room), _with_room(self.values, 1, room))
        self._buffers[0][:, :, start:end] = key_states
        self._buffers[1][:, :, start:end] = value_states
        return self._show(end)

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)
        return self.keys, self.values


def _with_room(states: Any, repeats: int, room: int = ROOM) -> torch.Tensor:
    """A copy of (B, H, T, D), each row `repeats` times, with space for more tokens."""
    rows, heads, tokens, size = states.shape
    buffer = states.new_empty(rows, repeats, heads, tokens + room, size)
    buffer[:, :, :, :tokens] = states[:, None]
    return buffer.view(rows * repeats, heads, tokens + room, size)


def repeated(cache: DynamicCache, repeats: int) -> DynamicCache:
    """A cache with each row `repeats` times; the given one can be used again.

    Layers of other kinds than plain attention (sliding windows, state spaces) are repeated by their own method.
    """
    layers: list[Any] = []
    for layer in cache.layers:
        if type(layer) is DynamicLayer and layer.get_seq_length():
            layers.append(ReservedLayer(layer, repeats))
        else:
            layers.append(copy.deepcopy(layer))
            layers[-1].batch_repeat_interleave(repeats)
    again = copy.copy(cache)
    again.layers = layers
    return again
