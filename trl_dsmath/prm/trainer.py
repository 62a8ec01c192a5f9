"""Training of process reward models. Shape suffixes: B solutions, S steps."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from huggingface_hub import ModelCard, ModelCardData
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel, Trainer

from ..errors import ConfigError
from ..paper import ARXIV_ID, TITLE
from .config import PRMConfig
from .data import Prepared, prepare
from .encoding import NO_LABEL, collate, pad_token_of
from .layouts import LAYOUTS, StepEncoder, sign_ids
from .metrics import compute_step_metrics, mean_loss, metrics_table
from .models import CONFIG_KEY, add_adapter, attach_bias, check_model, describe, load_model
from .readout import step_logits

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftConfig
    from torch.utils.data import DataLoader
    from transformers import EvalPrediction, PreTrainedTokenizerBase, TrainerCallback
    from transformers.trainer_utils import EvalLoopOutput


_CARD = """# {name}

A process reward model: it gives each step of a solution the probability that it is right. Trained with
[trl-dsmath](https://pypi.org/project/trl-dsmath) (`PRMTrainer`, `prm_type="{prm_type}"`){data}.

```python
from trl_dsmath import load_step_scorer

score = load_step_scorer("{name}")
score(["What is 1+1+1?"], steps=[["1+1=2", "2+1=4"]])  # one probability per step
```

{metrics}A model of this kind can be misled by a policy that is trained against it; see "Process rewards" in the documentation.

Step rewards in GRPO: [{title}](https://huggingface.co/papers/{arxiv}).
"""


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
        check_model(net, args.prm_type, self.layout)
        if LAYOUTS[self.layout].head == "likelihood":
            attach_bias(net, args.likelihood_bias)
        if peft_config is not None:
            net = add_adapter(net, peft_config, self.layout, args.gradient_checkpointing)
        if args.disable_dropout:
            for module in net.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0

        self.prepared: dict[str, Prepared] = {}
        with args.main_process_first(desc="tokenizing"):
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
            loss = losses / labelled_BS.sum()  # each row has a label
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
        logits_BS = outputs["logits"].masked_fill(inputs["positions"] < 0, NO_LABEL)
        return loss, logits_BS, inputs["labels"]

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
        assert output.metrics is not None
        loss = mean_loss(np.asarray(output.predictions), np.asarray(output.label_ids))
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
        """Writes the model card: what the model is, how it was trained, how to load it, and its last evaluation."""
        if not self.is_world_process_zero():
            return
        folder = Path(str(self.args.output_dir))
        metrics = next((log for log in reversed(self.state.log_history) if "eval_loss" in log), {})
        text = _CARD.format(
            name=model_name or folder.name,
            prm_type=self.args.prm_type,
            data=f" on [{dataset_name}](https://huggingface.co/datasets/{dataset_name})" if dataset_name else "",
            metrics=f"Held-out metrics:\n\n```\n{metrics_table(metrics)}\n```\n\n" if metrics else "",
            title=TITLE,
            arxiv=ARXIV_ID,
        )
        data = ModelCardData(
            library_name="transformers",
            tags=[*self._tag_names, *(tag for tag in tags or [] if tag not in self._tag_names)],
            datasets=[dataset_name] if dataset_name else None,
            model_name=model_name or folder.name,
        )
        folder.mkdir(parents=True, exist_ok=True)
        ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}").save(folder / "README.md")


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
