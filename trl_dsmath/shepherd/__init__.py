"""Step labels from rollouts (Math-Shepherd), and the dataset type that holds them.

What is covered: hard and soft estimation, bisection for the first error, sharing and early stopping that leave hard
labels as they are, resuming. What is not: whether a label is true. A step is "right" when the completer still reaches the
right answer from it, which a lucky guess does too (docs/guides/step-labels.md).
"""

from .annotation import annotate
from .config import AnnotateConfig, Mode
from .dataset import Summary, push_to_hub, summarize, to_dataset

__all__ = ["AnnotateConfig", "Mode", "Summary", "annotate", "push_to_hub", "summarize", "to_dataset"]
