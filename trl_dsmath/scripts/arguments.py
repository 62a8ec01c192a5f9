"""What a training command takes besides the trainer's configuration."""

from dataclasses import dataclass, field
from typing import Literal

from trl import ScriptArguments


@dataclass
class MathScriptArguments(ScriptArguments):
    """
    [`~trl.ScriptArguments`], and how to read a data set of problems.

    Args:
        question_column (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold_column (`str`, *optional*):
            Column of the answer. If `None`, it is looked for by the usual names.
        prompt_mode (`str`, *optional*, defaults to `"cot"`):
            Which instruction ends a question, and for SFT the form of the solution: `"cot"`, `"pot"` (a program) or
            `"tool"` (words, a program and its output), all the paper's; `"think"` asks for reasoning in `<think>` tags.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Whether to write prompts as strings instead of messages, without the tokenizer's chat template.
    """

    question_column: str | None = field(
        default=None, metadata={"help": "Column of the question. Looked for by the usual names when left out."}
    )
    gold_column: str | None = field(
        default=None, metadata={"help": "Column of the answer. Looked for by the usual names when left out."}
    )
    prompt_mode: Literal["cot", "pot", "tool", "think"] = field(
        default="cot",
        metadata={
            "help": "Instruction after a question and form of the solution: in words, a program, both; or <think>."
        },
    )
    plain_prompts: bool = field(
        default=False, metadata={"help": "Write prompts as strings (`User: ...`) and leave out the chat template."}
    )


@dataclass
class PretrainScriptArguments(ScriptArguments):
    """
    [`~trl.ScriptArguments`], and the sources of the mixture.

    Args:
        sources (`list[Source]`, *optional*):
            Sources to mix, each with `path`, `fraction` and, where needed, `label`, `name`, `split`, `text_column`. Given
            in a file (`--config`). If `None`, `dataset_name` is the only source.
        text_column (`str`, *optional*, defaults to `"text"`):
            Column of the documents of `dataset_name`.
        make_tiny_model (`bool`, *optional*, defaults to `False`):
            Whether to make a tiny model at `model_name_or_path` from the first documents when nothing stands there.
    """

    sources: list[dict] | None = field(
        default=None, metadata={"help": "Sources to mix (in a --config file): path, fraction, label, name, split ..."}
    )
    text_column: str = field(default="text", metadata={"help": "Column of the documents of dataset_name."})
    make_tiny_model: bool = field(
        default=False,
        metadata={"help": "Make a tiny model at model_name_or_path from the documents when nothing stands there."},
    )


@dataclass
class SFTScriptArguments(MathScriptArguments):
    """
    [`MathScriptArguments`], and a model made on the spot.

    Args:
        make_tiny_model (`bool`, *optional*, defaults to `False`):
            Whether to make a tiny model at `model_name_or_path` from the training text when nothing stands there.
    """

    make_tiny_model: bool = field(
        default=False,
        metadata={"help": "Make a tiny model at model_name_or_path from the training text when nothing stands there."},
    )


@dataclass
class GRPOScriptArguments(MathScriptArguments):
    """
    [`MathScriptArguments`], and the rewards.

    Args:
        reward_funcs (`list[str]`, *optional*):
            Reward functions: names in `trl_dsmath.rewards` or `trl.rewards`, or dotted paths of your own. If `None`,
            `boxed_accuracy_reward`, unless a reward model is given. `none` beside step rewards: the paper's process run.
        reward_model_name_or_path (`str`, *optional*):
            A model with one score as its head, as the paper uses: a folder or a name on the hub. It is added to the
            reward functions.
        step_scorer (`list[str]`, *optional*):
            Process reward models that score each step: folders or names on the hub. With any of them, or of
            `step_reward_funcs`, the trainer is [`StepGRPOTrainer`].
        step_reward_funcs (`list[str]`, *optional*):
            Step reward functions: dotted paths of your own.
    """

    reward_funcs: list[str] | None = field(
        default=None,
        metadata={
            "help": "Reward functions: names in trl_dsmath.rewards or trl.rewards, or dotted import paths. "
            "boxed_accuracy_reward when left out; none, beside step rewards, for the paper's process run."
        },
    )
    reward_model_name_or_path: str | None = field(
        default=None, metadata={"help": "A reward model with one score as its head, added to the reward functions."}
    )
    step_scorer: list[str] | None = field(
        default=None, metadata={"help": "Process reward models that score each step (§4.1.3): folders or names."}
    )
    step_reward_funcs: list[str] | None = field(
        default=None, metadata={"help": "Step reward functions: dotted import paths of your own."}
    )

    def __post_init__(self) -> None:
        # A recipe may name one without brackets; its letters would be taken for the list.
        for name in ("reward_funcs", "step_scorer", "step_reward_funcs"):
            if isinstance(value := getattr(self, name), str):
                setattr(self, name, [value])
