"""What is put into transformers' `generate`: the choice of each token, and where rows end.

Shapes: B rows, V vocabulary, K tokens that can be chosen, T tokens so far (prompt and new ones).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import LogitsProcessor, StoppingCriteria

from ..errors import ConfigError
from .protocol import Decoding

_REPORT = 16  # steps between two reports of progress


class SeededChoice(LogitsProcessor):
    """
    Chooses each row's next token with that row's own random numbers; `generate` then takes the only one left.

    `torch.multinomial` draws all rows from one generator, so a sample would depend on its neighbours in the batch. Here
    one uniform number per token (`draws`) is compared with the cumulated probabilities, in the order of the vocabulary.
    """

    def __init__(self, draws: Sequence[np.ndarray], temperature: float = 1.0, top_p: float = 1.0) -> None:
        longest = max(map(len, draws))
        self._draws_BT = torch.from_numpy(np.stack([np.pad(row, (0, longest - len(row))) for row in draws]))
        self._temperature = temperature
        self._top_p = top_p
        self._step = 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Shapes: `input_ids` (B, T), `scores` (B, V); returns (B, V) with 0 at the chosen token, -inf elsewhere."""
        only = torch.full_like(scores, -torch.inf)
        self._draws_BT = self._draws_BT.to(scores.device)
        scores_BK, tokens_BK = scores / self._temperature, None
        if self._top_p < 1:
            scores_BK, tokens_BK = nucleus(scores_BK, self._top_p)
        cumulated_BK = scores_BK.double().softmax(dim=-1).cumsum(dim=-1)
        draw_B = self._draws_BT[:, self._step] * cumulated_BK[:, -1]
        self._step += 1
        # The first token whose cumulated probability exceeds the draw; never one of probability 0.
        place_B1 = torch.searchsorted(cumulated_BK, draw_B[:, None], right=True).clamp(max=cumulated_BK.shape[-1] - 1)
        chosen_B1 = place_B1 if tokens_BK is None else tokens_BK.gather(1, place_B1)
        return only.scatter_(1, chosen_B1, 0.0)  # type: ignore[return-value]


def nucleus(scores_BV: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The most probable tokens that together have `top_p`, without sorting the vocabulary.

    Tokens below (1 - top_p) / 2V have less than 1 - top_p together, so none of them is in the nucleus: the few others are
    sorted. That is exact for every distribution. Of equal tokens the first in the vocabulary is kept.

    Returns:
        `tuple`: scores (B, K), -inf outside of the nucleus, and their tokens (B, K), in the order of the vocabulary.

    Raises:
        ConfigError: scores that are no numbers.
    """
    size, device = scores_BV.shape[0], scores_BV.device
    probabilities_BV = scores_BV.softmax(dim=-1)
    above_BV = probabilities_BV > (1 - top_p) / (2 * scores_BV.shape[-1])
    rows, columns = above_BV.nonzero(as_tuple=True)
    counts_B = torch.bincount(rows, minlength=size)
    fewest, most = torch.stack([counts_B.min(), counts_B.max()]).tolist()
    if not fewest:
        raise ConfigError("The model's scores are NaN: load it in another number format (dtype bfloat16 or float32).")
    places = torch.arange(len(rows), device=device) - (counts_B.cumsum(0) - counts_B)[rows]
    tokens_BK = torch.zeros(size, most, dtype=torch.long, device=device)
    tokens_BK[rows, places] = columns
    scores_BK = torch.full((size, most), -torch.inf, dtype=scores_BV.dtype, device=device)
    scores_BK[rows, places] = scores_BV[rows, columns]
    probabilities_BK = torch.zeros(size, most, dtype=torch.float64, device=device)
    probabilities_BK[rows, places] = probabilities_BV[rows, columns].double()
    sorted_BK, order_BK = probabilities_BK.sort(dim=-1, descending=True, stable=True)
    kept_BK = (sorted_BK.cumsum(dim=-1) - sorted_BK < top_p).gather(1, order_BK.argsort(dim=-1))
    return scores_BK.masked_fill(~kept_BK, -torch.inf), tokens_BK


class RowEnds(StoppingCriteria):
    """
    Ends a row at the end of the text, after a stop string or at its longest length, and remembers where.

    transformers' own criterion of stop strings also looks into the prompt, where few-shot examples hold the same strings.
    """

    def __init__(
        self,
        written: Sequence[int],  # new tokens that each row has already
        decoding: Decoding,
        ends: Sequence[int],  # tokens that end a text
        decode: Callable[[Sequence[int]], str],
        prompt_length: int,  # tokens before the first one of this call, padding included
        enough: int,  # ended rows at which all stop, so that others can take their place
        on_tokens: Callable[[int], None],
        device: torch.device,
    ) -> None:
        self.stops: list[bool] = [False] * len(written)  # by a stop string
        self.ends_B = torch.zeros(len(written), dtype=torch.long, device=device)  # new tokens of this call; 0: goes on
        self._written = list(written)
        self._written_B = torch.tensor(written, device=device)
        self._longest = decoding.max_new_tokens
        self._end_tokens = torch.tensor(ends, dtype=torch.long, device=device)
        self._stop = decoding.stop
        self._decode = decode
        self._prompt_length = prompt_length
        self._enough = enough
        self._on_tokens = on_tokens
        self._new = torch.zeros((), dtype=torch.long, device=device)
        # A token has at least one byte; some more, because the first ones may be halves of a character.
        self._window = max((len(text.encode()) for text in decoding.stop), default=0) + 4

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object) -> torch.BoolTensor:
        """Shapes: `input_ids` (B, T); returns (B,)."""
        new = input_ids.shape[1] - self._prompt_length
        open_B = self.ends_B == 0
        self._new += open_B.sum()
        ended_B = torch.isin(input_ids[:, -1], self._end_tokens) | (self._written_B + new >= self._longest)
        if self._stop:
            ended_B |= self._at_stop_string(input_ids, new, open_B.tolist())
        self.ends_B[ended_B & open_B] = new
        done_B = self.ends_B > 0
        if new % _REPORT == 0:
            self.report()
        return done_B | (done_B.sum() >= self._enough)  # type: ignore[return-value]

    def report(self) -> None:
        """Says how many tokens are new since the last report."""
        if count := int(self._new):
            self._new.zero_()
            self._on_tokens(count)

    def _at_stop_string(self, input_ids: torch.Tensor, new: int, is_open: list[bool]) -> torch.Tensor:
        for row, ids in enumerate(input_ids[:, -self._window :].tolist()):
            if is_open[row]:
                tail = self._decode(ids[-(self._written[row] + new) :])
                self.stops[row] = any(text in tail for text in self._stop)
        return torch.tensor(self.stops, device=input_ids.device)
