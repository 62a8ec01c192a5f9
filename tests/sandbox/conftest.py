"""One sandbox a wall for the whole session; walls that this machine lacks are skipped with the reason."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trl_dsmath.errors import SandboxError
from trl_dsmath.sandbox import Sandbox
from trl_dsmath.sandbox.sandbox import WALLS

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", params=WALLS)
def wall(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def sandbox(wall: str) -> Iterator[Sandbox]:
    with Sandbox(wall) as box:
        try:
            box.run("")
        except SandboxError as error:
            pytest.skip(f"no {wall} wall here: {str(error).splitlines()[-1].strip()}")
        yield box
