"""What test processes share: one thread each, no settings that one test leaves behind for the next, a scripted engine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_sampler import Script, ScriptedSampler

# Before torch is imported, here and in every process that a test starts: more threads than cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(autouse=True)
def precision_of_its_own() -> Iterator[None]:
    """transformers 4 writes the precision of a run into the environment, where it holds for the runs after it."""
    yield
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)


@pytest.fixture
def scripted() -> Callable[[Script], ScriptedSampler]:
    return ScriptedSampler


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights."""
    from trl_dsmath.scripts.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_model(["one and one is 2. \\boxed{2}"] * 3, folder, 256, vocab_size=300, hidden_size=64, num_layers=2)
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: compressed ones hold the second, and two workers would collect other names."""
    return argname if isinstance(val, bytes) else None
