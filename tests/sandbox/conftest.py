"""One sandbox per isolation backend for the whole session; backends that this machine lacks are skipped with the reason."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trl_dsmath.errors import SandboxError
from trl_dsmath.sandbox import Sandbox
from trl_dsmath.sandbox.isolation import BACKENDS

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def sandbox(backend: str) -> Iterator[Sandbox]:
    with Sandbox(backend) as box:
        try:
            box.run("")
        except SandboxError as error:
            pytest.skip(f"no {backend} here: {str(error).splitlines()[-1].strip()}")
        yield box
