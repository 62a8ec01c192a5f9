"""Runs of `StepGRPOTrainer` on a tiny model, and their advantages computed a second time from nothing but token ids.

Nothing of `trl_dsmath` but trainer and config is imported here, so that an error there cannot hide in both.
"""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from trl_dsmath import StepGRPOConfig, StepGRPOTrainer

MERGES = [("Ċ", "Ċ"), (".", "ĊĊ"), ("ĊĊ", "1"), ("Ċ", "2"), ("1", "1")]  # newlines alone, twice, after and before text


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over a dozen characters, so that a random model writes newlines, and EOS, often."""
    tokens = ["<s>", "</s>", "<pad>", "Ċ", "Ġ", *"0123456789+=.?", *(a + b for a, b in MERGES)]
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, MERGES))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],  # transformers 4 would add token_type_ids
    )
    made.chat_template = "{% for m in messages %}{{ m['content'] }}?{% endfor %}"
    return made


def save_model(folder: Path, seed: int = 0, hidden: int = 16, layers: int = 1) -> str:
    made = tokenizer()
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=made.bos_token_id,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def prompts(count: int, conversational: bool = False, start: int = 100) -> Dataset:
    """Prompts that all differ, so that a group is known by its ids."""
    texts = [f"{number}+{number % 7}=" for number in range(start, start + count)]
    rows = [[{"role": "user", "content": text}] if conversational else text for text in texts]
    return Dataset.from_dict({"prompt": rows, "number": list(range(count))})


def text_of(completion: Any) -> str:
    return completion if isinstance(completion, str) else completion[0]["content"]


def digits(text: str) -> float:
    return sum(int(char) for char in text if char.isdigit()) % 11 / 10


def width(text: str) -> float:
    return float(len(text) % 3)


def step_digits(steps: list, **columns: object) -> list:
    assert {"prompts", "completions", "completion_ids", "number", "trainer_state", "log_extra", "log_metric"} <= set(
        columns
    )
    return [[digits(step) for step in row] for row in steps]


def step_width(steps: list, **columns: object) -> list:
    return [[width(step) for step in row] for row in steps]


async def step_digits_later(steps: list, **columns: object) -> list:
    return [[digits(step) for step in row] for row in steps]


def step_digits_or_none(steps: list, **columns: object) -> list:
    """No opinion on steps without a digit, nor on completions of one step."""
    return [None if len(row) == 1 else [digits(s) if any(map(str.isdigit, s)) else None for s in row] for row in steps]


def outcome_digits(completions: list, **columns: object) -> list:
    return [digits(text_of(completion)[-5:]) for completion in completions]


class Recording(StepGRPOTrainer):
    """Notes what reaches the loss."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.seen: list[dict] = []
        super().__init__(*args, **kwargs)

    def _compute_loss(self, model: Any, inputs: dict) -> torch.Tensor:
        every = self.args.steps_per_generation
        if self.model.training:
            batch = ("train", self._step // (every * self.num_iterations), self._step // every % self.num_iterations)
        else:
            batch = ("eval", len(self.seen), 0)
        pad = self._tokenizer.pad_token_id
        for i in range(len(inputs["prompt_ids"])):
            ids = inputs["completion_ids"][i].tolist()
            while ids and ids[-1] == pad:
                ids.pop()
            self.seen.append(
                {
                    "batch": batch,
                    "rank": self.accelerator.process_index,
                    "prompt": tuple(t for t in inputs["prompt_ids"][i].tolist() if t != pad),
                    "ids": ids,
                    "in_loss": bool(inputs["completion_mask"][i].any()),
                    "advantages": inputs["advantages"][i].tolist(),
                    "width": inputs["completion_ids"].size(1),
                }
            )
        return super()._compute_loss(model, inputs)


def steps_of(made: PreTrainedTokenizerFast, ids: list[int], blank_line: bool = False) -> tuple[list[int], list[str]]:
    """Step ends and texts, each prefix decoded and each character looked at."""
    text = made.decode(ids, skip_special_tokens=True)
    if blank_line:  # a text over this alphabet has no blank line with spaces in it that would not be cut here
        lines, at = [], 0
        while at < len(text):
            gap = text.find("\n", at)
            stop = gap
            while 0 <= stop < len(text) and text[stop].isspace():
                stop += 1
            if gap >= 0 and text[gap:stop].count("\n") >= 2:
                stop = text.rindex("\n", gap, stop) + 1
                lines.append(stop)
                at = stop
            elif gap >= 0:
                at = gap + 1
            else:
                break
        pieces = [text[a:b] for a, b in zip([0, *lines], [*lines, len(text)], strict=True)]
    else:
        pieces = [line + "\n" for line in text.split("\n")]
        pieces[-1] = pieces[-1][:-1]
    whole: list[str] = []
    lead = ""
    for piece in pieces:
        if piece.strip():
            whole.append(lead + piece)
            lead = ""
        elif whole:
            whole[-1] += piece
        else:
            lead += piece
    ends: list[int] = []
    texts: list[str] = []
    for k, piece in enumerate(whole):
        size = len("".join(whole[: k + 1]))
        end = next(i for i in range(len(ids)) if len(made.decode(ids[: i + 1], skip_special_tokens=True)) >= size)
        end = len(ids) - 1 if k == len(whole) - 1 else end
        if ends and ends[-1] == end:
            texts[-1] += piece
        else:
            ends.append(end)
            texts.append(piece)
    return ends, texts


def spread(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0


def largest_error(
    rows: list[dict],
    group_size: int,
    scores: list[tuple[float, Any]],
    process_weight: float,
    outcome_weight: float,
    scale: str = "group",
    blank_line: bool = False,
) -> dict[str, float]:
    """Compares what reached the loss with the formulas of docs/guides/step-rewards.md; returns counts of what was met."""
    made = tokenizer()
    batches: dict = defaultdict(list)
    for row in rows:
        row["ends"], row["texts"] = steps_of(made, row["ids"], blank_line)
        row["scores"] = []
        for text in row["texts"]:
            given = [(w, f(text, row["texts"])) for w, f in scores]
            given = [(w, s) for w, s in given if s is not None]
            row["scores"].append(sum(w * s for w, s in given) if given else None)
        batches[row["batch"]].append(row)
    met = defaultdict(float, error=0.0)
    for batch in batches.values():
        groups: dict = defaultdict(list)
        for row in batch:
            groups[row["prompt"]].append(row)
        of_batch = [s for row in batch for s in row["scores"] if s is not None]
        for group in groups.values():
            assert len(group) == group_size, f"a group of {len(group)}"
            met["groups"] += 1
            met["straddling"] += len({row["rank"] for row in group}) > 1
            pool = [s for row in group for s in row["scores"] if s is not None]
            mean, deviation = spread(pool) if pool else (0.0, 0.0)
            deviation = {"group": deviation, "batch": spread(of_batch or [0.0])[1], "none": 1 - 1e-4}[scale]
            outcomes = [digits(made.decode(row["ids"], skip_special_tokens=True)[-5:]) for row in group]
            o_mean, o_deviation = spread(outcomes)
            for row, outcome in zip(group, outcomes, strict=True):
                met["rows"] += 1
                met["no_step"] += not row["ends"]
                met["several_steps"] += len(row["ends"]) > 1
                met["truncated"] += row["ids"][-1] != made.eos_token_id
                met["out_of_loss"] += not row["in_loss"]
                for t in range(len(row["ids"])):
                    process = sum(
                        (s - mean) / (deviation + 1e-4)
                        for s, end in zip(row["scores"], row["ends"], strict=True)
                        if end >= t and s is not None
                    )
                    expected = process_weight * process
                    if outcome_weight:
                        assert scale == "group"
                        expected += outcome_weight * (outcome - o_mean) / (o_deviation + 1e-4)
                    assert len(row["advantages"]) == row["width"]
                    met["error"] = max(met["error"], abs(expected - row["advantages"][t]))
                    met["largest"] = max(met["largest"], abs(expected))
    return dict(met)


def config(folder: Path, **settings: Any) -> StepGRPOConfig:
    values: dict[str, Any] = {
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "learning_rate": 1e-2,
        "global_batch_size": None,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "num_generations": 4,
        "max_completion_length": 24,
        "max_steps": 2,
        "generation_kwargs": {"suppress_tokens": [0, 2]},  # BOS and padding: the reference knows length by padding
        **settings,
    }
    return StepGRPOConfig(output_dir=str(folder), **values)
