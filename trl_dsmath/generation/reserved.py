"""The cache of a prompt, repeated for its samples, with room for the tokens to come."""

import copy
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 128  # tokens


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
