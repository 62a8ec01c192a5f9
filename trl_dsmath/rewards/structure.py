"""Is the answer where it was asked for?"""

import re
from collections.abc import Sequence

from ..text import last_boxed, visible_text
from .completions import Completion, completion_text

_BOX = re.compile(r"\\boxed\s*\{")
_AFTER = 200  # characters: a box so far before the end is not a final answer


def boxed_format_reward(completions: Sequence[Completion], **columns: object) -> list[float]:
    r"""
    Reward function that gives 1.0 when the completion ends in exactly one well-formed, non-empty `\boxed{}`.

    It looks outside thinking and code, wants the box among the last 200 characters, and says nothing about whether the
    answer is right.

    Args:
        completions (`list[str]` or `list[list[dict]]`):
            Completions as strings or as messages.
        **columns:
            The other columns of the data set; not used.

    Returns:
        `list[float]`: 1.0 or 0.0 per completion.
    """
    return [_score(visible_text(completion_text(completion))) for completion in completions]


def _score(text: str) -> float:
    boxes = list(_BOX.finditer(text))
    if len(boxes) != 1:
        return 0.0
    content = last_boxed(text)
    well_formed = content is not None and len(text) - boxes[0].end() - len(content) <= _AFTER
    return 1.0 if well_formed else 0.0
