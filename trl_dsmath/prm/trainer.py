"""Training of process reward models. Shape suffixes: B solutions, S steps."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel, Trainer

from ..errors import ConfigError, MissingDependencyError
from .card import write_card
from .config import PRMConfig
from .data import Prepared, prepare
from .encoding import NO_LABEL, collate, pad_token_of
from .layouts import LAYOUTS, StepEncoder, sign_ids
from .metrics import step_metrics
from .models import CONFIG_KEY, attach_bias, describe, load_model
from .readout import step_logits

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from torch.utils.data import DataLoader
    from transformers import EvalPrediction, PreTrainedTokenizerBase, TrainerCallback
    from transformers.trainer_utils import EvalLoopOutput


def compute_step_metrics(prediction: "EvalPrediction") -> dict[str, float]:
    """The figures of `step_metrics` from what [`PRMTrainer`] predicts: logits and labels of (N, S), padded with -100."""
    logits_NS, labels_NS = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    labels_NS = np.where(labels_NS == NO_LABEL, np.nan, labels_NS)
    scores_NS = 1 / (1 + np.exp(-logits_NS.clip(-60, 60)))
    return step_metrics(list(scores_NS), list(labels_NS))


class PRMTrainer(Trainer):
    """
    Trainer of process reward models, in the three forms of [`PRMConfig`]'s `prm_type`.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`]):
            A folder or name on the hub, or a model: one for token classification with two labels, or a causal language
            model, as `prm_type` says. A model that this trainer saved is trained on.
        args ([`PRMConfig`], *optional*):
            Configuration.
        train_dataset ([`~datasets.Dataset`], *optional*):
            Columns `prompt` (text or messages), `completions` (list of steps), `labels` (one per step: True or False, a
            number from 0 to 1, or None).
        eval_dataset ([`~datasets.Dataset`] or `dict` of them, *optional*):
            The same, to evaluate on.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            The tokenizer. If `None`, the model's.
        compute_metrics (`Callable`, *optional*):
            If `None`, step accuracy, AUROC and F1 of finding the first error.
        peft_config ([`~peft.PeftConfig`], *optional*):
            Trains an adapter instead of all weights.
        callbacks, optimizers:
            As in [`~transformers.Trainer`].

    Attributes:
        prepared (`dict[str, Prepared]`):
            For each data set how many rows are used, dropped and cut.

    Raises:
        ConfigError: model and `prm_type` do not fit.
        DataError: a row has no label, a column is missing, or no row can be used.
    """

    _tag_names = ["trl", "trl-dsmath", "prm"]  # noqa: RUF012
    # The loss is divided by the labelled steps of the whole update, so the Trainer may not divide it again.
    loss_is_scaled_for_ga = True
    args: PRMConfig

    def __init__(
        self,
        model: str | PreTrainedModel,
        args: PRMConfig | None = None,
        train_dataset: "Dataset | None" = None,
        eval_dataset: "Dataset | dict[str, Dataset] | None" = None,
        processing_class: "PreTrainedTokenizerBase | None" = None,
        compute_metrics: "Callable[[EvalPrediction], dict] | None" = compute_step_metrics,
        callbacks: "list[TrainerCallback] | None" = None,
        optimizers: tuple[torch.optim.Optimizer | None, torch.optim.lr_scheduler.LambdaLR | None] = (None, None),
        peft_config: "PeftConfig | None" = None,
    ) -> None:
        name = model if isinstance(model, str) else model.config._name_or_path
        args = PRMConfig(f"{Path(name).name or 'model'}-PRM") if args is None else args
        tokenizer = processing_class or AutoTokenizer.from_pretrained(name, trust_remote_code=args.trust_remote_code)
        self.layout = args.layout
        self.signs = sign_ids(self.layout, tokenizer)
        self.encoder = StepEncoder(self.layout, tokenizer, args.step_separator)

        net: Any = model
        if isinstance(model, str):
            init = {
                "trust_remote_code": args.trust_remote_code,
                "dtype": "float32",
                **_as_dict(args.model_init_kwargs),
            }
            net = load_model(model, self.layout, args.likelihood_bias, **init)
        _check_model(net, args)
        if LAYOUTS[self.layout].head == "likelihood":
            attach_bias(net, args.likelihood_bias)
        if peft_config is not None:
            net = _add_adapter(net, peft_config, self.layout, args)
        if args.disable_dropout:
            for module in net.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0

        self.prepared: dict[str, Prepared] = {}
        with args.main_process_first(desc="tokenising"):
            if train_dataset is not None:
                train_dataset = self._prepare(train_dataset, "train", args, args.train_on_last_step_only)
            if isinstance(eval_dataset, dict):
                eval_dataset = {key: self._prepare(part, key, args) for key, part in eval_dataset.items()}
            elif eval_dataset is not None:
                eval_dataset = self._prepare(eval_dataset, "eval", args)

        super().__init__(
            model=net,
            args=args,
            data_collator=partial(collate, pad_token_id=pad_token_of(tokenizer)),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=tokenizer,
            compute_metrics=compute_metrics,
            callbacks=callbacks,
            optimizers=optimizers,
        )
        if self.is_fsdp_enabled and LAYOUTS[self.layout].head == "likelihood":
            raise ConfigError(
                "The bias of prm_type='likelihood' is used outside the model's forward pass, where FSDP does not gather it: "
                "train with DDP or DeepSpeed, or another prm_type."
            )
        # Asks for the number of labelled steps of an update (get_batch_samples), in older transformers too.
        self.model_accepts_loss_kwargs = True
        if hasattr(net, "add_model_tags"):
            net.add_model_tags(self._tag_names)

    def _prepare(self, dataset: "Dataset", name: str, args: PRMConfig, last_step_only: bool = False) -> "Dataset":
        prepared = prepare(dataset, self.encoder, args.max_length, last_step_only, args.dataset_num_proc, name)
        self.prepared[name] = prepared
        return prepared.dataset

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list, Any]:
        """The micro-batches of an update, and the number of labelled steps in them on all processes."""
        batches, _ = super().get_batch_samples(*args, **kwargs)
        count = sum((batch["labels"] != NO_LABEL).sum() for batch in batches)
        return batches, self.accelerator.gather(torch.as_tensor(count, device=self.args.device)).sum()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Cross-entropy between a label, hard or soft, and the step's score; the mean over labelled steps.

        Shapes:
            - logits, labels: (B, S)
        """
        bias = getattr(self.accelerator.unwrap_model(model), "step_bias", None)
        logits_BS = step_logits(model, LAYOUTS[self.layout].head, inputs, self.signs, bias)
        labels_BS = inputs["labels"]
        labelled_BS = labels_BS != NO_LABEL
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits_BS[labelled_BS], labels_BS[labelled_BS], reduction="sum"
        )
        if num_items_in_batch is None:
            loss = losses / labelled_BS.sum().clamp(min=1)
        else:  # gradients are averaged over processes, the count is over all of them
            loss = losses / num_items_in_batch * self.accelerator.num_processes
        return (loss, {"logits": logits_BS}) if return_outputs else loss

    @torch.no_grad()
    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Any, Any, Any]:
        """Loss, logits (B, S) and labels (B, S), padded with -100."""
        inputs = self._prepare_inputs(inputs)
        with self.compute_loss_context_manager():
            loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
        if prediction_loss_only:
            return loss.detach(), None, None
        logits_BS = outputs["logits"].masked_fill(inputs["positions"] < 0, NO_LABEL)
        return loss.detach(), logits_BS, inputs["labels"]

    def evaluation_loop(
        self,
        dataloader: "DataLoader",
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> "EvalLoopOutput":
        """As in [`~transformers.Trainer`]; the loss is the mean over the labelled steps of the whole set, not of batches."""
        output = super().evaluation_loop(dataloader, description, False, ignore_keys, metric_key_prefix)
        if output.predictions is not None and output.label_ids is not None:
            loss = _mean_loss(np.asarray(output.predictions), np.asarray(output.label_ids))
            if output.metrics is not None and loss is not None:
                output.metrics[f"{metric_key_prefix}_loss"] = loss
        return output

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Saves the model; its config says how its scores are read, so that [`load_step_scorer`] needs no flags."""
        model = self.accelerator.unwrap_model(self.model)
        about = describe(model, self.layout, self.args.step_separator)
        setattr(model.config, CONFIG_KEY, about)
        super().save_model(output_dir, _internal_call)
        if "adapter_of" in about and self.args.should_save:  # peft saves no config of its own
            model.config.save_pretrained(output_dir or self.args.output_dir)

    def create_model_card(  # type: ignore[override]  # TRL's signature, not transformers'
        self, model_name: str | None = None, dataset_name: str | None = None, tags: list[str] | None = None
    ) -> None:
        """Writes the model card: what the model is, how it was trained, how to load it, and the last figures."""
        if self.is_world_process_zero():
            figures = next((log for log in reversed(self.state.log_history) if "eval_loss" in log), {})
            all_tags = [*self._tag_names, *(tag for tag in tags or [] if tag not in self._tag_names)]
            write_card(Path(str(self.args.output_dir)), model_name, dataset_name, all_tags, self.args, figures)


def _mean_loss(logits_NS: np.ndarray, labels_NS: np.ndarray) -> float | None:
    """Cross-entropy between labels and logits, the mean over labelled steps; None without any."""
    known = labels_NS != NO_LABEL
    if not known.any():
        return None
    logits, labels = logits_NS[known].astype(np.float64), labels_NS[known]
    return float((np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))).mean())


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_model(model: Any, args: PRMConfig) -> None:
    """Raises a ConfigError when a model cannot be trained as `prm_type`."""
    saved = getattr(model.config, CONFIG_KEY, None) or {}
    if saved.get("layout", args.layout) != args.layout:
        raise ConfigError(
            f"The model is a reward model of layout {saved['layout']!r}, but prm_type {args.prm_type!r} trains layout "
            f"{args.layout!r}. Set prm_type to what the model is."
        )
    labels = model.config.num_labels if model.__class__.__name__.endswith("ForTokenClassification") else 0
    if args.prm_type == "token_classification" and hasattr(model, "lm_head"):
        raise ConfigError(
            "prm_type 'token_classification' needs a model with a head of two labels, and this is a language model. "
            "Give its name, or load it with AutoModelForTokenClassification(num_labels=2), or set prm_type to 'causal'."
        )
    if labels and (args.prm_type != "token_classification" or labels != 2):
        raise ConfigError(
            f"A model for token classification with {labels} labels cannot be trained as {args.prm_type!r}: "
            "'token_classification' takes two labels, the other forms take a causal language model."
        )


def _add_adapter(model: Any, peft_config: "PeftConfig", layout: str, args: PRMConfig) -> Any:
    try:
        from peft import get_peft_model, prepare_model_for_kbit_training
    except ImportError as error:
        raise MissingDependencyError("peft_config needs peft: pip install 'trl-dsmath[peft]'") from error
    # Without this, a new head or bias would be neither trained nor saved.
    new = LAYOUTS[layout].new_module
    if new and hasattr(model, new) and new not in (getattr(peft_config, "modules_to_save", None) or []):
        peft_config.modules_to_save = [*(peft_config.modules_to_save or []), new]  # type: ignore[attr-defined]
    if (
        LAYOUTS[layout].model_class is AutoModelForTokenClassification
    ):  # TRL's ModelConfig says CAUSAL_LM, for which peft wants a model that generates
        peft_config.task_type = "TOKEN_CLS"
    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=args.gradient_checkpointing)
    model = get_peft_model(model, peft_config)
    if args.gradient_checkpointing:
        model.enable_input_require_grads()
    return model
