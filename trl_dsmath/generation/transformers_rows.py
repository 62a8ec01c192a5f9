"""Rows that transformers writes together: their tokens, their keys and values; rows leave, and others take their place.

Shapes: B rows, H heads, T tokens so far, D size of a head.
"""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GenerationMixin
from transformers.cache_utils import DynamicLayer

ROOM = 128  # tokens
# The argument by which a model takes its keys and values: transformers 5.24 gave it another name.
CACHE = next(
    name
    for name in ("cache", "past_key_values")
    if name in inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
)


@dataclass
class Row:
    """A sample that is being written."""

    prompt: int  # place of its prompt in the call
    place: int  # among the samples of the prompt
    draws: np.ndarray  # its random numbers, one per new token; empty when nothing is random
    ids: list[int] = field(default_factory=list)  # its new tokens
    at_stop_string: bool = False  # whether a stop string is in them


@dataclass
class Rows:
    """
    Sequences of different lengths, padded on the left, and the keys and values of all their tokens but the last.

    Without a cache, `generate` makes its own, and rows stay together.
    """

    ids_BT: torch.Tensor
    mask_BT: torch.Tensor
    cache: DynamicCache | None

    @property
    def joins(self) -> bool:
        """Whether other rows can be put beside these: not into windows and states, which have no place for padding."""
        return self.cache is not None and all(type(one) in (DynamicLayer, ReservedLayer) for one in self.cache.layers)


def joined(parts: Sequence[tuple[Rows, Sequence[int]]], pad: int) -> Rows:
    """
    New rows out of the named rows of others, which can be named more than once. What was joined before is used up by it.

    Several parts only of rows that can be joined.
    """
    device = parts[0][0].ids_BT.device
    chosen = [(rows, torch.tensor(places, device=device)) for rows, places in parts]
    first, places_B = chosen[0]
    if not first.joins:
        ids_BT, mask_BT = first.ids_BT[places_B], first.mask_BT[places_B]
        return Rows(ids_BT, mask_BT, _selected(first.cache, places_B) if first.cache is not None else None)
    length = int(max(rows.mask_BT[places_B].sum(dim=1).max() for rows, places_B in chosen))
    ids_BT = torch.cat([_aligned(rows.ids_BT[places_B], length, pad) for rows, places_B in chosen])
    mask_BT = torch.cat([_aligned(rows.mask_BT[places_B], length, 0) for rows, places_B in chosen])
    cache = copy.copy(first.cache)
    assert cache is not None
    cache.layers = []
    for layers in zip(*(rows.cache.layers for rows, _ in chosen), strict=True):  # type: ignore[union-attr]
        cache.layers.append(
            ReservedLayer([(layer, places_B) for layer, (_, places_B) in zip(layers, chosen, strict=True)], length - 1)
        )
        for layer in layers:
            if isinstance(layer, ReservedLayer):
                layer.release()  # one layer at a time: no moment needs the memory of two caches
    return Rows(ids_BT, mask_BT, cache)


def _aligned(values_BT: torch.Tensor, length: int, pad: int) -> torch.Tensor:
    """The last `length` columns, padded on the left where there are fewer."""
    values_BT = values_BT[:, -length:]
    return torch.nn.functional.pad(values_BT, (length - values_BT.shape[1], 0), value=pad)


def _selected(cache: DynamicCache, places_B: torch.Tensor) -> DynamicCache:
    """A cache of the named rows; layers of other kinds than plain attention select them by their own method."""
    cache = copy.deepcopy(cache)
    cache.batch_select_indices(places_B)
    return cache


class ReservedLayer(DynamicLayer):
    """
    Keys and values of one layer in a tensor that is longer than they are.

    `DynamicLayer` makes a new tensor of all keys for every token. For 64 rows that follow a prompt of 1,024 tokens, two
    thirds of the time of a small model on a CPU went into that (fresh pages, mostly). With room behind them, the new keys
    are written in place, and the whole is copied once in 128 tokens. Rows shorter than `length` have zeros before them,
    where the attention mask is 0. The layers that it is made of are left as they are.
    """

    is_croppable = False

    def __init__(self, parts: Sequence[tuple[Any, torch.Tensor]], length: int) -> None:
        super().__init__()
        keys = parts[0][0].keys
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers: tuple[torch.Tensor, torch.Tensor] = (
            _with_room([(layer.keys, places_B) for layer, places_B in parts], length),
            _with_room([(layer.values, places_B) for layer, places_B in parts], length),
        )
        self._show(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends keys and values (B, H, new T, D); returns all of them (B, H, T, D)."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            room = max(ROOM, key_states.shape[-2])
            self._buffers = (
                _with_room([(self.keys, None)], start, room),
                _with_room([(self.values, None)], start, room),
            )
        self._buffers[0][:, :, start:end] = key_states
        self._buffers[1][:, :, start:end] = value_states
        return self._show(end)

    def release(self) -> None:
        """Gives the memory back."""
        self._buffers = ()  # type: ignore[assignment]
        self.keys = self.values = None

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)
        return self.keys, self.values


def _with_room(parts: Sequence[tuple[Any, torch.Tensor | None]], length: int, room: int = ROOM) -> torch.Tensor:
    """The named rows of tensors (B, H, T, D), aligned on the right at `length`, with space for more tokens behind it."""
    chosen = [states if places_B is None else states[places_B] for states, places_B in parts]
    _, heads, _, size = chosen[0].shape
    buffer = chosen[0].new_empty(sum(map(len, chosen)), heads, length + room, size)
    begin = 0
    for states in chosen:
        rows = buffer[begin : begin + len(states)]
        kept = min(states.shape[-2], length)
        rows[:, :, : length - kept] = 0
        rows[:, :, length - kept : length] = states[:, :, states.shape[-2] - kept :]
        begin += len(states)
    return buffer
