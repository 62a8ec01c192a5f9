"""The two hooks into `generate`: which token is chosen, from a stream of its own a row, and where stop strings end a row.

Shapes: B rows, V vocabulary, T tokens so far (prompt and new ones).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import LogitsProcessor, StoppingCriteria


class SeededChoice(LogitsProcessor):
    """
    Chooses each row's next token with that row's own random numbers; `generate` then takes the only one left.

    `torch.multinomial` draws all rows from one generator, so a sample would depend on its neighbours in the batch. Here
    one uniform number a token is compared with the cumulated probabilities.

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
    Ends a row when one of the strings stands in its new text, and remembers after how many new tokens.

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
