"""Tiny models with random weights: what the engine does does not depend on what they have learned."""

from pathlib import Path
from typing import Any

import pytest
from model import make_model, make_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture(scope="session")
def model(tokenizer: Any) -> Any:
    """The quickstart's Llama with weights of a size at which the next token is neither sure nor uniform."""
    import torch

    made = make_model(tokenizer, seed=0).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.5)
    return made


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_model(["one and one is 2. \\boxed{2}"] * 3, folder, 256, vocab_size=300, hidden_size=64, num_layers=2)
    return folder
