"""From a model's output to one logit per step, and the modules that models of the released layouts need.

Shape suffixes: B solutions, T tokens, S steps, V vocabulary, H hidden size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn
from transformers import Qwen2Model, Qwen2PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

Head = Literal["classes", "pair", "value", "likelihood"]


class StepBias(nn.Module):
    """
    The learned bias of the likelihood read-out.

    The weight is a tenth of the bias: with Adam, whose step does not depend on a weight's scale, the bias then
    moves ten times as fast as the model's weights, as it did in our study (docs/results/process-supervision.md).

    Args:
        value (`float`):
            The bias to start from.
    """

    scale = 10.0

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.tensor([value / self.scale], dtype=torch.float32)
        )  # DeepSpeed takes no scalar

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits + self.scale * self.weight.float()


class Qwen2ForProcessRewardModel(Qwen2PreTrainedModel):
    """Qwen2.5-Math-PRM: two classes from two linear layers at every token.

    The weights have the names of the released ones. It is defined here so that no code from the hub has to be trusted; that
    code was written for transformers 4.40.
    """

    _keys_to_ignore_on_load_unexpected = [r"lm_head\.weight"]  # noqa: RUF012

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        size = config.hidden_size
        self.score = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 2))
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> TokenClassifierOutput:
        hidden_BTH = self.model(input_ids=input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
        return TokenClassifierOutput(logits=self.score(hidden_BTH))


class _ValueHead(nn.Module):
    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.summary = nn.Linear(hidden_size, 1)


class SkyworkPRM(Qwen2PreTrainedModel):
    """Skywork-o1-Open-PRM: one number at every token. The weights have the names of the released ones."""

    _keys_to_ignore_on_load_unexpected = [r"lm_head\.weight"]  # noqa: RUF012

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.v_head = _ValueHead(config.hidden_size)
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> TokenClassifierOutput:
        hidden_BTH = self.model(input_ids=input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
        return TokenClassifierOutput(logits=self.v_head.summary(hidden_BTH))


def step_logits(
    model: nn.Module,
    head: Head,
    batch: dict[str, torch.Tensor],
    signs: tuple[int, int] | None = None,
    bias: nn.Module | None = None,
) -> torch.Tensor:
    """Runs the model once over a batch and reads the logit of "this step is right" at every score position.

    Each read-out is a sigmoid of this logit: a softmax over two numbers is the sigmoid of their difference.

    Args:
        model (`torch.nn.Module`):
            The model, wrapped for training or not.
        head (`str`):
            How a score is read, as in [`~trl_dsmath.prm.layouts.Layout`].
        batch (`dict[str, torch.Tensor]`):
            What [`~trl_dsmath.prm.encoding.collate`] makes.
        signs (`tuple[int, int]`, *optional*):
            Tokens of + and - (`sign_ids`).
        bias (`torch.nn.Module`, *optional*):
            The [`StepBias`] of the likelihood read-out.

    Returns:
        `torch.Tensor`: logits in float32; the value at a padded position has no meaning.

    Shapes:
        - batch: input_ids (B, T), attention_mask (B, T), positions (B, S), completion_start (B,)
        - returns: (B, S)
    """
    positions_BS = batch["positions"].clamp(min=0)
    inputs: dict[str, Any] = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    inputs["use_cache"] = False
    if head == "likelihood":
        assert bias is not None
        return bias(_log_likelihood(model, inputs, positions_BS, batch["completion_start"]))
    if head == "pair":
        assert signs is not None
        with _vocabulary_at(model, positions_BS):
            logits_BS2 = model(**inputs).logits[..., list(signs)].float()
        return logits_BS2[..., 0] - logits_BS2[..., 1]
    logits_BT2 = model(**inputs).logits.float()
    logits_BT = logits_BT2[..., 0] if head == "value" else logits_BT2[..., 1] - logits_BT2[..., 0]
    return logits_BT.gather(1, positions_BS)


@contextmanager
def _vocabulary_at(model: nn.Module, positions_BS: torch.Tensor) -> Iterator[None]:
    """Within it, the model computes logits over its vocabulary at the score positions of each row and nowhere else.

    Memory is (B, S, V): `logits_to_keep`, which takes positions for the whole batch, would keep those of every row for
    each row, up to B times as much.
    """

    def pick(layer: nn.Module, arguments: tuple[torch.Tensor]) -> torch.Tensor:
        (hidden_BTH,) = arguments
        places = positions_BS.to(hidden_BTH.device)[..., None].expand(-1, -1, hidden_BTH.size(-1))
        return hidden_BTH.gather(1, places)

    inner: Any = model
    while not hasattr(inner, "get_output_embeddings"):  # wrapped by DDP or DeepSpeed
        inner = inner.module
    handle = inner.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()


def _log_likelihood(
    model: nn.Module, inputs: dict[str, Any], positions_BS: torch.Tensor, completion_start_B: torch.Tensor
) -> torch.Tensor:
    """Log-probability of the tokens from the completion's first to each score position, summed."""
    ids_BT = inputs["input_ids"]
    first = int(completion_start_B.min()) - 1  # its logits predict the first completion token of the batch
    places = torch.arange(first, ids_BT.shape[1] - 1, device=ids_BT.device)
    logits = model(**inputs, logits_to_keep=places).logits.float()
    log_p = -nn.functional.cross_entropy(logits.transpose(1, 2), ids_BT[:, first + 1 :], reduction="none")
    log_p = log_p.masked_fill(places + 1 < completion_start_B[:, None], 0.0)
    # A zero in front: a step that is empty, at the very beginning, is scored before any token.
    sums = nn.functional.pad(log_p.cumsum(1), (1, 0))
    return sums.gather(1, (positions_BS - first).clamp(min=0))
