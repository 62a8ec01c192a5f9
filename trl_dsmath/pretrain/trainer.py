"""The trainer of the first stage: TRL's SFTTrainer with the paper's schedule and a mixture that resumes exactly."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, IterableDataset
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from trl import SFTTrainer

from .._upstream import given
from ..errors import ConfigError
from ..paper import CARD_PAPER
from .config import PretrainConfig
from .mixture import Mixture
from .sources import Source

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import BitsAndBytesConfig, DataCollator, EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase

MULTI_STEP_TYPE = "constant_with_warmup"  # the type of transformers that the drops are added to


def multi_step_factor(step: int, warmup_steps: int, total_steps: int, drops: tuple[tuple[float, float], ...]) -> float:
    """The learning rate of an update as a share of the peak.

    Args:
        step (`int`):
            Number of the update, from 0.
        warmup_steps (`int`):
            Updates over which the rate rises linearly from 0.
        total_steps (`int`):
            Updates of the whole run. Each update has the same number of tokens, so a share of the updates is that share
            of the tokens.
        drops (`tuple[tuple[float, float], ...]`):
            Pairs `(from this share of the run, this share of the peak)`, in order.

    Returns:
        `float`: between 0 and 1.
    """
    if step < warmup_steps:
        return step / warmup_steps
    factor = 1.0
    for start, share in drops:
        if step >= start * total_steps:
            factor = share
    return factor


class PretrainTrainer(SFTTrainer):
    """
    Trainer of DeepSeekMath's continued pre-training: loss on every token, the paper's schedule, a mixture by tokens.

    Example:

    ```python
    from trl_dsmath import PretrainConfig, PretrainTrainer
    from trl_dsmath.pretrain import Mixture, Source

    args = PretrainConfig("base", max_length=4096, train_tokens=1_000_000_000)
    sources = [Source("corpus/*.jsonl.gz", 0.7), Source("HuggingFaceFW/fineweb", 0.3, name="sample-10BT")]
    trainer = PretrainTrainer("deepseek-ai/deepseek-coder-7b-base-v1.5", args, train_dataset=sources)
    trainer.train()
    ```

    Args:
        model (`str` or [`~transformers.PreTrainedModel`]):
            As in [`~trl.SFTTrainer`].
        args ([`PretrainConfig`]):
            Configuration.
        train_dataset (`list[Source]`, [`~datasets.Dataset`] or [`~datasets.IterableDataset`]):
            Sources to mix, which are streamed; or a data set with a column `text`, as in [`~trl.SFTTrainer`].
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Tokenizer. If `None`, the model's own; sources need it here, or a model given by its name.
        eval_dataset, data_collator, compute_metrics, callbacks, optimizers, quantization_config, peft_config, formatting_func:
            As in [`~trl.SFTTrainer`].
        **kwargs:
            Further arguments of [`~trl.SFTTrainer`].

    Raises:
        ConfigError: a setting that cannot work with sources.
    """

    _tag_names = ["trl", "trl-dsmath", "pretrain"]  # noqa: RUF012
    _name = "DeepSeekMath continued pre-training"
    _paper = CARD_PAPER

    def __init__(
        self,
        model: "str | PreTrainedModel | PeftModel",
        args: PretrainConfig,
        train_dataset: Sequence[Source] | Dataset | IterableDataset | None = None,
        processing_class: "PreTrainedTokenizerBase | None" = None,
        eval_dataset: Dataset | IterableDataset | dict[str, Dataset | IterableDataset] | None = None,
        data_collator: "DataCollator | None" = None,
        compute_metrics: "Callable[[EvalPrediction], dict] | None" = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[torch.optim.Optimizer | None, LambdaLR | None] = (None, None),
        quantization_config: "BitsAndBytesConfig | None" = None,
        peft_config: "PeftConfig | None" = None,
        formatting_func: Callable[[dict], str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.mixture: Mixture | None = None
        if not isinstance(train_dataset, Dataset | IterableDataset | None):
            if args.max_length is None or args.max_steps <= 0:
                raise ConfigError("Sources are an endless stream: set max_length, and train_tokens or max_steps.")
            if processing_class is None:
                from transformers import AutoTokenizer

                processing_class = AutoTokenizer.from_pretrained(
                    model if isinstance(model, str) else model.config._name_or_path
                )
            rows = args.train_batch_size * (args.gradient_accumulation_steps or 1) * args.world_size
            self.mixture = Mixture(train_dataset, processing_class, args.max_length, args.data_seed or args.seed, rows)
            train_dataset = self.mixture.dataset()
            # The stream yields sequences and finds its place by itself (`_MixtureState`), without being read again.
            args = copy.copy(args)
            args.packing = False
            args.dataset_kwargs = {"skip_prepare_dataset": True}
            args.ignore_data_skip = True
            if args.dataloader_num_workers:
                raise ConfigError("Sources are read by the training process itself: leave dataloader_num_workers out.")
        arguments = given(
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            data_collator=data_collator,
            compute_metrics=compute_metrics,
            callbacks=callbacks,
            quantization_config=quantization_config,
            peft_config=peft_config,
            formatting_func=formatting_func,
        )
        super().__init__(model=model, args=args, optimizers=optimizers, **arguments, **kwargs)
        if self.mixture is not None:
            self._mixture_state = _MixtureState(self.mixture)
            self.add_callback(self._mixture_state)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """Adds the paper's two drops (§2.2.1) to `constant_with_warmup`; another type is transformers' own."""
        args: Any = self.args
        if self.lr_scheduler is None and args.lr_scheduler_type == MULTI_STEP_TYPE:
            warmup = args.get_warmup_steps(num_training_steps)
            first = args.first_drop_at * num_training_steps
            if warmup > first:
                raise ConfigError(
                    f"The warm-up takes {warmup:,} of {num_training_steps:,} updates, and the first drop comes at "
                    f"{first:,.0f}: the peak would never be reached. Lower warmup_steps (the paper warms up for 2,000 of "
                    "50,000 updates), or train longer."
                )
            factor = partial(multi_step_factor, warmup_steps=warmup, total_steps=num_training_steps, drops=args.drops)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)  # type: ignore[arg-type]
            self._created_lr_scheduler = True  # what Trainer's own method sets
        return super().create_scheduler(num_training_steps, optimizer)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the share of each source in the tokens so far, and how often it was read."""
        if self.mixture is not None and "loss" in logs:
            logs = {**logs, **self._mixture_state.figures()}
        super().log(logs, start_time)


class _MixtureState(TrainerCallback, ExportableState):
    """Keeps the place in the stream in `trainer_state.json`, which is written last, and finds it again."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        self._sequences = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        kept: Any = state.stateful_callbacks  # transformers declares a list of callbacks and keeps a dict of states
        saved: Any = (kept or {}).get(type(self).__name__)
        if state.global_step and not isinstance(saved, dict):
            raise ConfigError(
                "The checkpoint does not say where in its sources it stopped: it was made by another trainer. Start a "
                "new run from its weights: model=CHECKPOINT and a new output_dir."
            )
        if state.global_step:
            snapshot = saved["attributes"]["snapshot"]
            if snapshot["sequences"] != state.global_step * self._mixture.snapshot_every:
                raise ConfigError(
                    f"The checkpoint was made with {snapshot['sequences'] // state.global_step} sequences an update, and "
                    f"this run has {self._mixture.snapshot_every}: set global_batch_tokens as it was."
                )
            self._mixture.load_snapshot(snapshot)
        self._sequences = state.global_step * self._mixture.snapshot_every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._sequences = state.global_step * self._mixture.snapshot_every

    def state(self) -> dict[str, Any]:
        """What transformers writes into the checkpoint."""
        return {"args": {}, "attributes": {"snapshot": self._mixture.snapshot(self._sequences)}}

    def figures(self) -> dict[str, float]:
        """Shares and epochs of the sources, for the log."""
        snapshot = self._mixture.snapshot(self._sequences)
        total = sum(snapshot["tokens"].values())
        shares = {f"mixture/{title}/share": tokens / total for title, tokens in snapshot["tokens"].items()}
        epochs = {f"mixture/{title}/epoch": place["epoch"] for title, place in snapshot["positions"].items()}
        return shares | epochs
