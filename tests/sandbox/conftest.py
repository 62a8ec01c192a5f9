"""One sandbox per isolation backend for the whole session; backends that this machine lacks are skipped with the reason."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trl_dsmath.errors import SandboxError
from trl_dsmath.sandbox import Sandbox
from trl_dsmath.sandbox.isolation import BACKENDS

sys.path.insert(0, str(Path(__file__).parent))

# What a backend needs, tried with other means than ours: where that works, ours has to.
_NEEDS = {
    "bubblewrap": ["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"],
    "namespaces": [
        "unshare",
        *["--user", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork", "true"],
    ],
}


def _possible(backend: str) -> bool:
    """Whether this machine has what an isolation backend needs."""
    if backend == "landlock":
        return ctypes.CDLL(None).syscall(444, None, ctypes.c_long(0), 1) >= 3
    try:
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(_NEEDS[backend], capture_output=True, cwd="/", **user).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session")
def any_possible() -> bool:
    return any(map(_possible, BACKENDS))


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def sandbox(backend: str) -> Iterator[Sandbox]:
    with Sandbox(backend) as box:
        try:
            box.run("")
        except SandboxError as error:
            if _possible(backend):
                raise
            pytest.skip(f"no {backend} here: {str(error).splitlines()[-1].strip()}")
        yield box
