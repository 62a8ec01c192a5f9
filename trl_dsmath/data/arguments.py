"""What a training script takes besides the trainer's configuration: which problems, and how to read them."""

from dataclasses import dataclass, field
from typing import Literal

from trl import ScriptArguments

from .prompts import PromptArguments


@dataclass
class MathScriptArguments(ScriptArguments, PromptArguments):
    """
    [`~trl.ScriptArguments`], [`PromptArguments`], and how to read a data set of problems.

    Args:
        question_column (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold_column (`str`, *optional*):
            Column of the answer. If `None`, it is looked for by the usual names.
        prompt_mode (`str`, *optional*, defaults to `"cot"`):
            Which instruction ends a question, and for SFT the form of the solution: `"cot"`, `"pot"` (a program) or
            `"tool"` (words, a program and its output), all the paper's; `"think"` asks for reasoning in `<think>` tags.
        evaluate_every (`int`, *optional*):
            Updates between evaluations of greedy accuracy on the test split ([`MathEvaluationCallback`]). If `None`, none.
        evaluate_problems (`int`, *optional*, defaults to `200`):
            Problems of the test split for that.
        evaluate_max_new_tokens (`int`, *optional*, defaults to `512`):
            Longest answer for that.
    """

    question_column: str | None = field(
        default=None, metadata={"help": "Column of the question. Default: found by its usual names."}
    )
    gold_column: str | None = field(
        default=None, metadata={"help": "Column of the answer. Default: found by its usual names."}
    )
    prompt_mode: Literal["cot", "pot", "tool", "think"] = field(
        default="cot",
        metadata={
            "help": "Instruction after a question and form of the solution: in words, a program, both; or <think>."
        },
    )
    evaluate_every: int | None = field(
        default=None, metadata={"help": "Updates between evaluations of greedy accuracy on the test split."}
    )
    evaluate_problems: int = field(default=200, metadata={"help": "Problems of the test split for that."})
    evaluate_max_new_tokens: int = field(default=512, metadata={"help": "Longest answer for that."})


@dataclass
class SFTScriptArguments(MathScriptArguments):
    """
    [`MathScriptArguments`], a model made on the spot, and a merged one at the end.

    Args:
        make_tiny_model (`bool`, *optional*, defaults to `False`):
            Whether to make a tiny model at `model_name_or_path` from the training text when nothing stands there.
        merge_adapter (`bool`, *optional*, defaults to `False`):
            Whether to merge a LoRA adapter into its base model at the end, in a folder beside it that ends in `-merged`, for
            stages that train it further.
    """

    make_tiny_model: bool = field(
        default=False,
        metadata={"help": "Make a tiny model at model_name_or_path from the training text when nothing stands there."},
    )
    merge_adapter: bool = field(
        default=False, metadata={"help": "Merge a LoRA adapter at the end, into OUTPUT_DIR-merged, for later stages."}
    )
