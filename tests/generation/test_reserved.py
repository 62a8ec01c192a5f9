"""The cache with room: the same keys, values and logits as transformers' own, also past the room."""

import copy
from typing import Any

import torch
from transformers import DynamicCache

from trl_dsmath.generation.transformers_hooks import ROOM, ReservedLayer, repeated


def _prompt_cache(model: Any, ids: torch.Tensor) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    with torch.no_grad():
        model(input_ids=ids, past_key_values=cache, use_cache=True)
    return cache


def test_it_holds_what_transformers_cache_holds(model: Any) -> None:
    torch.manual_seed(0)
    prompt = torch.randint(3, 20, (2, 4))
    cache = _prompt_cache(model, prompt)
    own = repeated(cache, 3)
    theirs = copy.deepcopy(cache)
    theirs.batch_repeat_interleave(3)
    shape = theirs.layers[0].keys[:, :, :1].shape
    for token in range(ROOM + 3):
        width = 2 if token == 5 else 1  # several at once, as a prefill in parts gives them
        for number, layer in enumerate(theirs.layers):
            new = torch.randn(2, *shape[:2], width, shape[-1])
            expected = layer.update(new[0], new[1])
            found = own.layers[number].update(new[0], new[1])
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert own.get_seq_length() == theirs.get_seq_length() == 4 + ROOM + 4
    assert cache.get_seq_length() == 4  # the prompt's own can be used again
    assert all(type(layer) is ReservedLayer for layer in own.layers)


def test_logits_are_those_without_a_cache(model: Any) -> None:
    torch.manual_seed(0)
    ids = torch.randint(3, 20, (1, 12))
    cache = repeated(_prompt_cache(model, ids[:, :8]), 2)
    with torch.no_grad():
        found = model(input_ids=ids[:, 8:].repeat(2, 1), past_key_values=cache, use_cache=True).logits
        expected = model(input_ids=ids).logits[:, 8:]
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[0])
