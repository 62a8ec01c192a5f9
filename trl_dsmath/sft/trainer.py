"""The trainer of the SFT stage."""

from trl import SFTTrainer

from ..paper import CARD_PAPER


class MathSFTTrainer(SFTTrainer):
    """
    Trainer of DeepSeekMath's SFT stage: [`~trl.SFTTrainer`] that names the paper in its model cards.

    Use it with [`MathSFTConfig`], which holds the paper's values. Arguments are those of [`~trl.SFTTrainer`].
    """

    # Read by TRL's model card and by the hub; the only way TRL offers to set them.
    _tag_names = ["trl", "trl-dsmath", "sft"]  # noqa: RUF012
    _name = "DeepSeekMath SFT"
    _paper = CARD_PAPER
