"""The trainer of the SFT stage."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trl import SFTTrainer

from .._upstream import given
from ..paper import CARD_PAPER
from .config import MathSFTConfig

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from peft import PeftConfig, PeftModel
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import (
        BitsAndBytesConfig,
        DataCollator,
        EvalPrediction,
        PreTrainedModel,
        PreTrainedTokenizerBase,
        ProcessorMixin,
        TrainerCallback,
    )
    from trl import SFTConfig


class MathSFTTrainer(SFTTrainer):
    """
    Trainer of DeepSeekMath's SFT stage: [`~trl.SFTTrainer`] with the paper's values as defaults.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`] or [`~peft.PeftModel`]):
            Model to train, as in [`~trl.SFTTrainer`].
        args ([`MathSFTConfig`] or [`~trl.SFTConfig`], *optional*):
            Configuration. If `None`, a [`MathSFTConfig`] with its defaults.
        data_collator, train_dataset, eval_dataset, processing_class, compute_metrics, callbacks, optimizers, quantization_config, peft_config, formatting_func:
            As in [`~trl.SFTTrainer`].
        **kwargs:
            Further arguments of [`~trl.SFTTrainer`].
    """

    # Read by TRL's model card and by the hub.
    _tag_names = ["trl", "trl-dsmath", "sft"]  # noqa: RUF012
    _name = "DeepSeekMath SFT"
    _paper = CARD_PAPER

    def __init__(
        self,
        model: "str | PreTrainedModel | PeftModel",
        args: "MathSFTConfig | SFTConfig | None" = None,
        data_collator: "DataCollator | None" = None,
        train_dataset: "Dataset | IterableDataset | None" = None,
        eval_dataset: "Dataset | IterableDataset | dict[str, Dataset | IterableDataset] | None" = None,
        processing_class: "PreTrainedTokenizerBase | ProcessorMixin | None" = None,
        compute_metrics: "Callable[[EvalPrediction], dict] | None" = None,
        callbacks: "list[TrainerCallback] | None" = None,
        optimizers: "tuple[Optimizer | None, LambdaLR | None]" = (None, None),
        quantization_config: "BitsAndBytesConfig | None" = None,
        peft_config: "PeftConfig | None" = None,
        formatting_func: Callable[[dict], str] | None = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            name = model if isinstance(model, str) else model.config._name_or_path
            args = MathSFTConfig(f"{name.split('/')[-1]}-SFT")
        arguments = given(
            data_collator=data_collator,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            compute_metrics=compute_metrics,
            callbacks=callbacks,
            quantization_config=quantization_config,
            peft_config=peft_config,
            formatting_func=formatting_func,
        )
        super().__init__(model, args=args, optimizers=optimizers, **arguments, **kwargs)
