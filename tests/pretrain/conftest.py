"""Documents of three sources with very different lengths, and a tiny model."""

import json
import random
from pathlib import Path

import pytest

WORDS = [
    "the",
    "sum",
    "of",
    "two",
    "odd",
    "numbers",
    "is",
    "even",
    "and",
    "a",
    "prime",
    "is",
    "never",
    "divisible",
    "by",
    "four",
    "or",
    "seven",
]
LENGTHS = {"short": 5, "middle": 30, "long": 200}


def document(words: int, seed: str) -> str:
    random_words = random.Random(seed)
    return " ".join(random_words.choice(WORDS) for _ in range(words))


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `short.jsonl`, `middle.jsonl` and `long.jsonl`, 300 documents each, every one its own."""
    folder = tmp_path_factory.mktemp("texts")
    for name, length in LENGTHS.items():
        rows = [{"text": f"{name} {i}: {document(1 + i % (2 * length), f'{name}{i}')}"} for i in range(300)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_model([document(2000, "tiny")], folder, max_length=64, vocab_size=400, hidden_size=64, num_layers=1)
    return folder


@pytest.fixture(scope="session")
def tokenizer(tiny: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)
