"""A tiny Llama with a tokenizer of its own, made from a text in seconds, for runs on a laptop CPU.

    python -m trl_dsmath.scripts.tiny_model --texts data/gsm8k/train.jsonl --output_dir runs/tiny

It knows nothing: its weights are random. What it is for is going through every stage with real data.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import CHAT_TEMPLATE, convert
from ..data.files import load_split
from .run import run_script, say

if TYPE_CHECKING:
    from datasets import Dataset


def texts_of(dataset: "Dataset") -> Iterator[str]:
    """The prompts and completions of a converted data set, strings or messages."""
    for row in dataset:
        for cell in (row.get("prompt"), row.get("completion"), row.get("messages"), row.get("text")):
            if isinstance(cell, str):
                yield cell
            elif cell:
                yield from (message["content"] for message in cell)


def make_tiny_model(
    texts: Iterable[str],
    output_dir: str | Path,
    max_length: int = 1024,
    vocab_size: int = 2048,
    hidden_size: int = 128,
    num_layers: int = 4,
    seed: int = 0,
) -> str:
    """Trains a tokenizer on texts, makes a small Llama with random weights, and saves both.

    Args:
        texts (`Iterable[str]`):
            Texts to train the tokenizer on: byte-level BPE with every digit a token of its own, as in DeepSeek's.
        output_dir (`str` or `Path`):
            Folder for model and tokenizer.
        max_length (`int`, *optional*, defaults to `1024`):
            Longest sequence of the model (`max_position_embeddings`).
        vocab_size (`int`, *optional*, defaults to `2048`):
            Size of the vocabulary.
        hidden_size (`int`, *optional*, defaults to `128`):
            Width of the model.
        num_layers (`int`, *optional*, defaults to `4`):
            Layers of the model.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the weights.

    Returns:
        `str`: one line that says what was made.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    special: dict[str, Any] = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    inputs = ["input_ids", "attention_mask"]  # transformers 4 would add token_type_ids, which a Llama refuses
    bpe.train_from_iterator(
        [*texts, "User: \n\nAssistant:"],
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(special.values()),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, model_max_length=max_length, model_input_names=inputs, **special
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    set_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden_size,
            intermediate_size=4 * hidden_size,
            num_hidden_layers=num_layers,
            num_attention_heads=4,
            max_position_embeddings=max_length,
            tie_word_embeddings=True,
            initializer_range=0.06,  # the usual 0.02 learns far slower at this width
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(output_dir)
    tokenizer.save_pretrained(output_dir)
    return f"made in {output_dir}: {model.num_parameters():,} random weights, {len(tokenizer):,} tokens"


def main(argv: list[str] | None = None) -> int:
    """Makes a tiny model from a file or data set of problems."""
    parser = argparse.ArgumentParser(
        prog="python -m trl_dsmath.scripts.tiny_model", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--texts", required=True, help="A data set of problems: file, folder or name on the hub.")
    parser.add_argument("--dataset_config", help="Configuration of a data set on the hub.")
    parser.add_argument("--split", default="train")
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--max_length", type=int, default=1024)
    parser.add_argument("--vocab_size", type=int, default=2048)
    parser.add_argument("--hidden_size", type=int, default=128)
    parser.add_argument("--num_layers", type=int, default=4)
    args = parser.parse_args(argv)
    dataset = convert(load_split(args.texts, args.dataset_config, args.split), "sft").dataset
    sizes = (args.max_length, args.vocab_size, args.hidden_size, args.num_layers)
    say("tiny model", make_tiny_model(texts_of(dataset), args.output_dir, *sizes))
    return 0


if __name__ == "__main__":
    run_script(main)
