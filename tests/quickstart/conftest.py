"""One short run of all stages, which the tests of the chain share."""

import subprocess
import sys
from pathlib import Path

import pytest

SHORT = {
    "pages": 100,
    "pretrain_steps": 12,
    "sft_steps": 6,
    "annotate_problems": 4,
    "prm_steps": 4,
    "grpo_steps": 14,
    "problems": 16,
    "vote_problems": 4,
}


@pytest.fixture(scope="session")
def argv() -> list[str]:
    """The flags of the short run."""
    return [text for name, value in SHORT.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory, argv: list[str]) -> Path:
    """Folder of the short run of all stages, in a process of its own; what it printed is in `out` and `err` beside it."""
    pytest.importorskip("fasttext", reason="fastText is not installed")
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    beside = tmp_path_factory.mktemp("quickstart")
    code = f"import sys; from trl_dsmath.cli import main; sys.exit(main({['quickstart', *argv]!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=beside, capture_output=True, text=True, check=True)
    (beside / "out").write_text(done.stdout)
    (beside / "err").write_text(done.stderr)
    return beside / "quickstart-run"
