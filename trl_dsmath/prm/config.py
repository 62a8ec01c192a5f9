"""Configuration of PRM training."""

import json
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainingArguments

from ..data.precision import settle_bf16
from ..errors import ConfigError
from ..paper import REWARD_MODEL
from .layouts import LAYOUTS


def _trained() -> dict[str, str]:
    """The layout of each `prm_type`."""
    return {layout.prm_type: name for name, layout in LAYOUTS.items() if layout.prm_type}


@dataclass
class PRMConfig(TrainingArguments):
    r"""
    Configuration class for the [`PRMTrainer`].

    Only what this class adds, or sets otherwise than [`~transformers.TrainingArguments`], is listed.

    Parameters:
        prm_type (`str`, *optional*, defaults to `"token_classification"`):
            What the model is: `"token_classification"` (a head with two labels, as TRL's former `PRMTrainer`),
            `"causal"` (Math-Shepherd's: a language model that says + or - after each step) or `"likelihood"` (a language
            model whose own likelihood of the text, with one learned bias, is the score; see docs/guides/prm.md for when that is
            sensible, which is rarely).
        max_length (`int` or `None`, *optional*, defaults to `1024`):
            Longest sequence in tokens. Steps that are scored beyond it are left out and counted.
        step_separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step (not used by `"causal"`, whose steps end with ` ки`).
        train_on_last_step_only (`bool`, *optional*, defaults to `False`):
            Whether to learn from the last step's label only. Evaluation uses all.
        likelihood_bias (`float`, *optional*, defaults to `2.0`):
            Bias that a `"likelihood"` model starts from.
        disable_dropout (`bool`, *optional*, defaults to `True`):
            Whether to disable dropout in the model.
        dataset_num_proc (`int`, *optional*):
            Processes to tokenize with.
        model_init_kwargs (`dict[str, Any]`, *optional*):
            Keyword arguments for `from_pretrained`, when the model is given by name.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Whether to run code that comes with a model.
        learning_rate (`float`, *optional*, defaults to `2e-5`):
            Source: DeepSeekMath §4.2, for a 7B model and all its weights.
        logging_steps (`float`, *optional*, defaults to `10`), gradient_checkpointing (`bool`, *optional*, defaults to `True`), bf16 (`bool`, *optional*):
            As in TRL's trainers; `bf16` is `True` unless `fp16` is set, or with `use_cpu` on a processor without it.

    Raises:
        ConfigError: an unknown `prm_type`, or an empty separator.
    """

    prm_type: str = field(
        default="token_classification",
        metadata={
            "help": "Two-label head, Math-Shepherd's + and - tokens, or the text's own likelihood.",
            "choices": list(_trained()),
        },
    )
    max_length: int | None = field(
        default=1024, metadata={"help": "Longest sequence in tokens; steps beyond it are left out and counted."}
    )
    step_separator: str = field(default="\n", metadata={"help": "What ends a step."})
    train_on_last_step_only: bool = field(
        default=False, metadata={"help": "Whether to learn from the last step's label only."}
    )
    likelihood_bias: float = field(default=2.0, metadata={"help": "Bias that a likelihood model starts from."})
    disable_dropout: bool = field(default=True, metadata={"help": "Whether to disable dropout in the model."})
    dataset_num_proc: int | None = field(default=None, metadata={"help": "Processes to tokenize with."})
    model_init_kwargs: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Keyword arguments for from_pretrained, when the model is given by name."}
    )
    trust_remote_code: bool = field(
        default=False, metadata={"help": "Whether to run code that comes with a model from the hub."}
    )
    learning_rate: float = field(
        default=REWARD_MODEL.learning_rate, metadata={"help": "Learning rate (DeepSeekMath §4.2)."}
    )
    logging_steps: float = field(default=10, metadata={"help": "Updates between two logs; below 1, a share of all."})
    gradient_checkpointing: bool = field(
        default=True, metadata={"help": "Whether to save memory by computing activations twice."}
    )
    bf16: bool | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Whether to use bfloat16 mixed precision; on unless fp16 is set."}
    )
    lr_scheduler_kwargs: dict | str | None = field(
        default=None, metadata={"help": "Further settings of the schedule, such as {'num_cycles': 1}."}
    )

    def __post_init__(self) -> None:
        settle_bf16(self)
        self.bf16 = not self.fp16 if self.bf16 is None else self.bf16
        if self.prm_type not in _trained():
            raise ConfigError(f"prm_type {self.prm_type!r} is not one of {', '.join(_trained())}.")
        if not self.step_separator:
            raise ConfigError("step_separator is empty, so there is no token at which a step could be scored.")
        if isinstance(self.model_init_kwargs, str):
            self.model_init_kwargs = json.loads(self.model_init_kwargs)
        if self.ddp_find_unused_parameters is None:
            # All are used; the search would take the bias of the likelihood form, used outside the model, for unused.
            self.ddp_find_unused_parameters = False
        super().__post_init__()
        # The batches hold what step_logits needs, which the models' forward does not name.
        self.remove_unused_columns = False

    @property
    def layout(self) -> str:
        """The layout of `prm_type`."""
        return _trained()[self.prm_type]
