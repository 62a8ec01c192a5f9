"""One Ray for all tests of a process: it takes longer to start than they do to run."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def ray_with_two_workers() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
