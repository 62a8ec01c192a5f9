"""Every property of the sandbox against programs that try to break it, behind each isolation backend, as root and as a plain user."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks import ATTACKS, FILES, NETWORK, PROCESSES, Attack, Host, execute, fill

from trl_dsmath.sandbox import Sandbox, unsafe
from trl_dsmath.sandbox.job import Limits
from trl_dsmath.sandbox.zygote import PROBE, refusal_of

NOBODY = 65534
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def host(backend: str) -> Iterator[Host]:
    target = Host(backend)
    yield target
    target.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(sandbox: Sandbox, host: Host, attack: Attack) -> None:
    assert execute(sandbox, attack, host) is None


# Only attacks that harm nobody when they succeed.
@pytest.mark.parametrize(
    "name", ["tcp", "unix_abstract", "read_secret", "read_etc", "environ_of_all", "fork", "system"]
)
def test_attacks_succeed_without_isolation(name: str) -> None:
    attack = next(attack for attack in [*NETWORK, *FILES, *PROCESSES] if attack.name == name)
    target = Host("")
    try:
        assert "ESCAPED" in unsafe.run(fill(attack, target), Limits(20, 256, 16, 1024)).stdout
    finally:
        target.close()


def test_the_probe_sees_that_nothing_is_isolated() -> None:
    ran = unsafe.run(PROBE, Limits(60, 512, 16, 64))
    found = refusal_of({"status": 0, "stdout": ran.stdout})
    assert found is not None
    assert found.startswith("it leaves open: network, sockets, starting processes")


def test_nothing_is_left_after_a_run(sandbox: Sandbox, host: Host) -> None:
    before = set(os.listdir("/tmp"))
    for attack in ATTACKS:
        if attack.name in ("daemon", "fork_bomb", "deaf", "disk_fill"):
            sandbox.run(fill(attack, host), timeout=1.0)
    left = {name for name in set(os.listdir("/tmp")) - before if name.startswith("dsmath-sandbox-")}
    deadline = time.monotonic() + 30  # another test process may be running programs too
    while left & set(os.listdir("/tmp")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left & set(os.listdir("/tmp"))
    assert sandbox._process is not None
    deadline = time.monotonic() + 30
    while len(_descendants(sandbox._process.pid)) > 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # the last supervisor is ending
    assert len(_descendants(sandbox._process.pid)) <= 2  # the warm process, and bubblewrap's or our first process


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [p for child in children for p in _descendants(int(child))]


def _readable_python() -> str | None:
    """A Python of this version that a plain user may run and that finds this environment's packages."""
    for candidate in (os.path.realpath(sys.executable), shutil.which("python3", path="/usr/bin:/usr/local/bin")):
        if candidate:
            done = _as_nobody([candidate, "-c", "import sympy, trl_dsmath, sys; print(sys.version_info[:2])"])
            if done is not None and done.stdout.strip() == str(sys.version_info[:2]):
                return candidate
    return None


def _as_nobody(command: list[str]) -> subprocess.CompletedProcess | None:
    packages = [path for path in sys.path if path.endswith("-packages")]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *packages]), "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except OSError:
        return None


@pytest.mark.slow
def test_attacks_as_a_plain_user(backend: str, sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("the tests run as a plain user already")
    python = _readable_python()
    if python is None:
        pytest.skip("no Python that a plain user can run has this environment's packages (is it below /root?)")
    done = _as_nobody([python, str(Path(__file__).parent / "attacks.py"), backend])
    assert done is not None
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"user": NOBODY, "attacks": len(ATTACKS), "wrong": {}}
