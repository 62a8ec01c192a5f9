"""Batches of encoded solutions, padded on the right. Shape suffixes: B solutions, T tokens, S steps."""

from typing import Any

import torch

NO_LABEL = -100.0  # also what transformers pads gathered labels with


def collate(rows: list[dict[str, Any]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Pads solutions to one batch.

    Args:
        rows (`list[dict]`):
            Rows with `input_ids`, `positions`, `completion_start` and, in training, `labels` (one a step).
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
