"""A tiny model and a few rows in GSM8K's form."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub

ROWS = [
    {
        "question": f"Tom has {a} apples and buys {b} more. How many apples does he have?",
        "answer": f"He has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} apples.\n#### {a + b}",
    }
    for a in range(1, 5)
    for b in range(1, 5)
]


@pytest.fixture(scope="session")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `train.jsonl` and `test.jsonl`; the first row of train is broken."""
    folder = tmp_path_factory.mktemp("problems")
    broken = {"question": "", "answer": "#### 1"}
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [broken, *ROWS]))
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:4]))
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from datasets import Dataset

    from trl_dsmath.data import convert
    from trl_dsmath.scripts.tiny_model import make_tiny_model, texts_of

    folder = tmp_path_factory.mktemp("tiny")
    texts = texts_of(convert(Dataset.from_list(ROWS), "sft").dataset)
    make_tiny_model(texts, folder, max_length=256, vocab_size=400, hidden_size=64, num_layers=2)
    return folder


@pytest.fixture
def small(problems: Path, tiny_model: Path, tmp_path: Path) -> list[str]:
    """Flags of a small run on a CPU, SFT or GRPO."""
    flags = {
        "model_name_or_path": tiny_model,
        "dataset_name": problems,
        "output_dir": tmp_path / "out",
        "use_cpu": "true",
        "bf16": "false",
        "gradient_checkpointing": "false",
        "report_to": "none",
        "learning_rate": "1e-2",
        "logging_steps": "1",
        "per_device_train_batch_size": "4",
        "global_batch_size": "8",
        "max_steps": "1",
        "disable_tqdm": "true",
    }
    return [word for key, value in flags.items() for word in (f"--{key}", str(value))]


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
