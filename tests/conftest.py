"""What test processes share: one thread each, and no settings that one test leaves behind for the next."""

import os
from collections.abc import Iterator

import pytest

# Before torch is imported, here and in every process that a test starts: more threads than cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(autouse=True)
def precision_of_its_own() -> Iterator[None]:
    """transformers 4 writes the precision of a run into the environment, where it holds for the runs after it."""
    yield
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: compressed ones hold the second, and two workers would collect other names."""
    return argname if isinstance(val, bytes) else None
