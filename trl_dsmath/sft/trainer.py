"""The trainer of the SFT stage."""

from trl import SFTTrainer

from ..paper import ARXIV_ID, TITLE


class MathSFTTrainer(SFTTrainer):
    """
    Trainer of DeepSeekMath's SFT stage: [`~trl.SFTTrainer`] that names the paper in its model cards.

    Use it with [`MathSFTConfig`], which holds the paper's values. Arguments are those of [`~trl.SFTTrainer`].
    """

    # Read by TRL's model card and by the hub; the only way TRL offers to set them.
    _tag_names = ["trl", "trl-dsmath", "sft"]  # noqa: RUF012
    _name = "DeepSeekMath SFT"
    _paper = {  # noqa: RUF012
        "title": TITLE,
        "id": ARXIV_ID,
        "citation": (
            "@article{shao2024deepseekmath,\n"
            f"    title   = {{{{{TITLE}}}}},\n"
            "    author  = {Zhihong Shao and Peiyi Wang and Qihao Zhu and Runxin Xu and Junxiao Song and Xiao Bi and "
            "Haowei Zhang and Mingchuan Zhang and Y. K. Li and Y. Wu and Daya Guo},\n"
            "    year    = 2024,\n"
            f"    eprint  = {{arXiv:{ARXIV_ID}}},\n"
            "}"
        ),
    }
