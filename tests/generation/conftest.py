"""Tiny models with random weights: what the engine does does not depend on what they have learned."""

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
