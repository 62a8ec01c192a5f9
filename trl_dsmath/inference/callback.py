"""Held-out problems while a model trains: greedy accuracy, maj@k and pass@k in the trainer's own logs."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..data import convert
from ..data.benchmarks import Problem
from ..data.files import to_dataset
from ..data.journal import write_rows
from ..data.reading import kind_of
from ..errors import ConfigError
from ..generation import TransformersSampler
from .config import EvaluateConfig
from .draw import draw
from .run import Task, sample_row
from .score import Scores, score

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


class MathEvaluationCallback(TrainerCallback):
    """
    Solves held-out problems every few steps of any transformers or TRL trainer, and logs how many are right.

    Logged, under `eval_<name>/`: `greedy`; with `num_samples` also `avg@k`, `maj@k` and `pass@k`; `strict_greedy` (the
    answer in the box), `mean_length` (tokens of a greedy sample) and `cut_off` (the share of them that ran into
    `max_new_tokens`). Every sample goes to
    `<output_dir>/eval_<name>/step-<step>.jsonl`, the first two are logged at level INFO.

    Samples come from the trained model itself, with their own random streams: training continues exactly as without
    the callback, and its mode (training or not) is restored. Problems are divided over the processes; the main one
    judges and writes. Works with LoRA, `DistributedDataParallel` and DeepSpeed ZeRO-3. FSDP is refused.

    Args:
        trainer ([`~transformers.Trainer`]):
            The trainer that the callback is added to.
        problems ([`~datasets.Dataset`] or `list[dict]`):
            Held-out problems: `prompt` (string or messages) and `solution`, as GRPO reads them, or a question and an
            answer as data sets of problems have them; these get the paper's instruction (for another one, call
            [`~trl_dsmath.data.convert`] first).
        name (`str`, *optional*, defaults to `"math"`):
            Name in the logs.
        every (`int`, *optional*):
            Steps between evaluations. If `None`, together with the trainer's own evaluation (`eval_strategy`); then
            `metric_for_best_model="math/greedy"`, `load_best_model_at_end` and [`~transformers.EarlyStoppingCallback`]
            (added after this one) can use the metrics.
        num_samples (`int`, *optional*, defaults to `0`):
            Samples per problem besides the greedy one.
        temperature (`float`, *optional*, defaults to `0.7`):
            Temperature of these.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        stop (`tuple[str, ...]`, *optional*):
            Strings that end a sample (base models continue with another question).
        batch_size (`int`, *optional*):
            Samples computed at a time. If `None`, by the memory.
        at_start (`bool`, *optional*, defaults to `False`):
            Whether to evaluate before the first step as well. Only with `every`.
        patience (`int`, *optional*):
            Evaluations without a better `metric` after which training stops. If `None`, it never does.
        metric (`str`, *optional*, defaults to `"greedy"`):
            The metric that `patience` looks at, without `eval_<name>/`.

    Raises:
        ConfigError: settings that cannot work, or FSDP.

    Example:
    ```python
    from trl_dsmath import MathEvaluationCallback

    trainer = StepGRPOTrainer(...)
    trainer.add_callback(MathEvaluationCallback(trainer, held_out, every=50, num_samples=8, patience=3))
    trainer.train()
    ```
    """

    def __init__(
        self,
        trainer: Trainer,
        problems: "Dataset | Sequence[Mapping[str, Any]]",
        name: str = "math",
        every: int | None = None,
        num_samples: int = 0,
        temperature: float = 0.7,
        max_new_tokens: int = 1024,
        stop: tuple[str, ...] = (),
        batch_size: int | None = None,
        at_start: bool = False,
        patience: int | None = None,
        metric: str = "greedy",
    ) -> None:
        for what, value, least in (("every", every, 1), ("patience", patience, 1), ("num_samples", num_samples, 0)):
            if value is not None and value < least:
                raise ConfigError(f"{what} must be at least {least}, not {value}.")
        if at_start and every is None:
            raise ConfigError("at_start needs `every`; with the trainer's own evaluation set eval_on_start=True.")
        if every is None and trainer.args.eval_strategy == "no":
            raise ConfigError("When? Set every, or eval_strategy (and eval_dataset) of the trainer.")
        kinds = ("avg", "maj", "pass") if num_samples > 1 else ("avg",) * num_samples
        accuracies = ("greedy", "strict_greedy", *(f"{kind}@{num_samples}" for kind in kinds))
        if metric not in accuracies:
            raise ConfigError(f"metric must be one of {', '.join(accuracies)}, not {metric!r}.")
        if trainer.is_fsdp_enabled:
            raise ConfigError(
                "MathEvaluationCallback does not work with FSDP: evaluate checkpoints with `dsmath evaluate`."
            )
        self.trainer = trainer
        self.name = name
        self.every = every
        self.patience = patience
        self.metric = metric
        self.at_start = at_start
        self._batch_size = batch_size
        self._warned = False
        config = EvaluateConfig(num_samples=num_samples, temperature=temperature, max_new_tokens=max_new_tokens)
        self._decodings = config.decodings(stop)
        self._tasks = list(self._make_tasks(problems))

    def _make_tasks(self, problems: "Dataset | Sequence[Mapping[str, Any]]") -> list[Task]:
        dataset = problems if hasattr(problems, "column_names") else to_dataset([dict(row) for row in problems])
        if not {"prompt", "solution"} <= set(dataset.column_names):
            dataset = convert(dataset, "grpo").dataset
        tasks = []
        for name, (sampling, samples) in self._decodings.items():
            for index, row in enumerate(dataset):
                gold = str(row["solution"])
                question = row["prompt"] if isinstance(row["prompt"], str) else row["prompt"][-1]["content"]
                problem = Problem(self.name, index, question, (), gold, kind_of(gold))
                key = f"{name}/{index}"
                tasks.append(Task(key, name, problem, "cot", "box", row["prompt"], sampling, samples))
        return tasks

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.at_start and state.global_step == 0:
            self._log(self.evaluate(), state, control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.every is not None and state.global_step % self.every == 0:
            self._log(self.evaluate(), state, control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if self.every is None and metrics is not None:
            found = self.evaluate()
            self._log(found, state, control)
            metrics.update(found)  # where metric_for_best_model and EarlyStoppingCallback look

    def evaluate(self) -> dict[str, float]:
        """
        Solves the problems with the model as it is.

        Returns:
            `dict[str, float]`: the metrics, the same on every process.
        """
        from accelerate.utils import broadcast_object_list, gather_object

        from .._upstream import unwrap_model_for_generation

        accelerator = self.trainer.accelerator
        mine = self._tasks[accelerator.process_index :: accelerator.num_processes]
        rows: list[dict[str, Any]] = []
        with unwrap_model_for_generation(self.trainer.model_wrapped, accelerator) as model:
            processing = self.trainer.processing_class
            tokenizer: Any = getattr(processing, "tokenizer", processing)
            sampler = TransformersSampler(model, tokenizer, self._batch_size)
            for name, (sampling, samples) in self._decodings.items():
                tasks = [task for task in mine if task.decoding == name]
                drawn = draw(sampler, [task.built for task in tasks], sampling, samples)
                for task, completions in zip(tasks, drawn, strict=True):
                    rows += [sample_row(task, i, one) for i, one in enumerate(completions)]
        rows = gather_object(rows)
        metrics: list[dict[str, float]] = [{}]
        if accelerator.is_main_process:
            scores = score(self._tasks, rows)
            metrics = [self._metrics(scores, rows)]
            self._save(scores)
        broadcast_object_list(metrics)
        return metrics[0]

    def _metrics(self, scores: Scores, rows: list[dict[str, Any]]) -> dict[str, float]:
        samples = self._decodings.get("sampled", (None, 0))[1]
        wanted = {"greedy", f"avg@{samples}", f"maj@{samples}", f"pass@{samples}"}
        found = {
            f"eval_{self.name}/{'strict_' if metric.filter == 'strict' else ''}{metric.name}": metric.value
            for metric in scores.metrics
            if metric.name in wanted and (metric.filter == "flexible" or metric.name == "greedy")
        }
        greedy = [row for row in rows if row["key"].startswith("greedy/")]
        found[f"eval_{self.name}/mean_length"] = sum(row["tokens"] for row in greedy) / max(1, len(greedy))
        found[f"eval_{self.name}/cut_off"] = sum(not row["finished"] for row in greedy) / max(1, len(greedy))
        self._warn(found[f"eval_{self.name}/cut_off"], scores)
        return found

    def _warn(self, cut_off: float, scores: Scores) -> None:
        """Says once that the metrics cannot show anything, with the fix."""
        if self._warned or not scores.graded:
            return
        if cut_off == 1.0:
            said = "all samples were cut off: raise max_new_tokens"
        elif all(one.answers["flexible"] is None for one in scores.graded):
            said = "no sample has an answer: look at them, and ask for one (instruction)"
        else:
            return
        self._warned = True
        logger.warning("eval_%s, step %d: %s (%s).", self.name, self.trainer.state.global_step, said, self._folder)

    @property
    def _folder(self) -> Path:
        return Path(self.trainer.args.output_dir or ".") / f"eval_{self.name}"

    def _save(self, scores: Scores) -> None:
        """Writes all samples of this evaluation, and shows the first of them."""
        by_key = {task.key: task for task in self._tasks}
        lines = []
        for one in scores.graded:
            task = by_key[one.key]
            lines.append(
                {
                    "problem": task.problem.index,
                    "decoding": task.decoding,
                    "sample": one.sample,
                    "question": task.problem.question,
                    "gold": task.problem.gold,
                    "answer": one.answers["flexible"],
                    "verdict": str(one.verdicts["flexible"]),
                    "completion": one.completion,
                }
            )
        write_rows(self._folder / f"step-{self.trainer.state.global_step:06d}.jsonl", lines)
        for line in lines[:2]:
            logger.info("%s | gold %s | %s | %s", line["question"], line["gold"], line["verdict"], line["completion"])

    def _log(self, metrics: dict[str, float], state: TrainerState, control: TrainerControl) -> None:
        # Not `trainer.log`: TRL's trainers would flush the training metrics that they are collecting into this entry.
        should_log = control.should_log
        Trainer.log(self.trainer, dict(metrics))
        control.should_log = should_log  # `log` resets it, and the trainer's own entry is still to come
        if self.patience is None:
            return
        key = f"eval_{self.name}/{self.metric}"
        # From the log, which is saved with the checkpoint: a resumed run continues the count.
        history = [entry[key] for entry in state.log_history if key in entry]
        since_best = len(history) - 1 - history.index(max(history))
        if since_best >= self.patience:
            control.should_training_stop = True
