"""Stages `pretrain` and `sft`: from random weights to a model that imitates the sloppy author."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from ..pretrain import PretrainConfig, PretrainTrainer
from ..sft import MathSFTConfig, MathSFTTrainer
from .context import Context, Done
from .corpus import read_corpus
from .model import CHAT_TEMPLATE, make_model, make_tokenizer
from .stages import shared_arguments, train_policy
from .task import SloppyAuthor, make_problems

PRETRAIN_ROWS = 24
PRETRAIN_LENGTH = 24  # a solution is 21 tokens; of the prose on its page no more is read
SFT_ROWS = 16
_SCHEDULE: dict[str, Any] = {
    "learning_rate": 4e-3,
    "lr_scheduler_type": "linear",
    "warmup_steps": 20,
    "adam_beta2": 0.98,
}


def run_pretrain(context: Context) -> Done:
    """Pretraining on the corpus."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    model = make_model(tokenizer, context.settings.seed)
    return train_policy(context, "pretrain", (model, tokenizer), _make_pretrain, watch=False)


def run_sft(context: Context) -> Done:
    """SFT from the pretrained model."""
    return train_policy(context, "sft", context.load("pretrain"), _make_sft, watch=False)


def _make_pretrain(context: Context, model: Any, tokenizer: Any, folder: Path) -> tuple[Any, str]:
    """Plain text, one document a row: the collected solutions, without their questions."""
    args = PretrainConfig(
        **shared_arguments(context.settings, folder, save_steps=100),
        **_SCHEDULE,
        max_steps=context.settings.pretrain_steps,
        train_tokens=None,
        per_device_train_batch_size=PRETRAIN_ROWS,
        global_batch_tokens=PRETRAIN_ROWS * PRETRAIN_LENGTH,
        max_length=PRETRAIN_LENGTH,
        packing=False,
        logging_steps=10,
    )
    texts, what = read_corpus(context)
    rows = Dataset.from_list([{"text": text} for text in texts])
    trainer = PretrainTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
    return trainer, what


def _make_sft(context: Context, model: Any, tokenizer: Any, folder: Path) -> tuple[Any, str]:
    """Questions with the paper's instruction, answered by the sloppy author; loss on the solution only."""
    settings = context.settings
    author = SloppyAuthor(settings.seed, "sft")
    problems = make_problems(settings.sft_steps * SFT_ROWS, settings.seed, "sft")
    args = MathSFTConfig(
        **shared_arguments(settings, folder, save_steps=50),
        **_SCHEDULE,
        max_steps=settings.sft_steps,
        per_device_train_batch_size=SFT_ROWS,
        global_batch_size=SFT_ROWS,
        max_length=None,
        packing=False,
        logging_steps=10,
    )
    rows = Dataset.from_list([{"prompt": problem.prompt, "completion": author.solve(problem)} for problem in problems])
    trainer = MathSFTTrainer(model=model, args=args, train_dataset=rows, processing_class=tokenizer)
    return trainer, f"{len(rows):,} questions, solved by the sloppy author"
