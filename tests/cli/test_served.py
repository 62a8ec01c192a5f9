"""`--engine server` in the three commands that sample, against a listener in the form of vLLM's server."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_dsmath.cli import main
from trl_dsmath.generation import TransformersSampler

sys.path.insert(0, str(Path(__file__).parents[1] / "generation"))
sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))

from replay import write_benchmarks
from vllm_listener import Server, listening


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    with listening(TransformersSampler(model, tokenizer), f"elsewhere/{tiny_model.name}") as made:
        yield made


@pytest.fixture
def flags(server: Server, tiny_model: Path) -> list[str]:
    server.requests.clear()
    served = ["--engine", "server", "--vllm_server_base_url", server.url]
    return ["--model_name_or_path", str(tiny_model), *served, "--max_new_tokens", "8"]


def test_solve(flags: list[str], server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "What is 2 + 3?", *flags, "--n", "4", "--adaptive", "off"]) == 0
    assert "model       vllm-serve:elsewhere/" in capsys.readouterr().err
    assert sum(request["n"] for request in server.requests) == 4


def test_evaluate_draws_what_the_engine_here_draws(
    flags: list[str], server: Server, tiny_model: Path, tmp_path: Path
) -> None:
    write_benchmarks(tmp_path / "benchmarks")
    shared = ["--benchmarks", "gsm8k", "--benchmarks_dir", str(tmp_path / "benchmarks"), "--limit", "2"]
    assert main(["evaluate", *flags, *shared, "--output_dir", str(tmp_path / "served")]) == 0
    assert len(server.requests) == 2
    here = ["--model_name_or_path", str(tiny_model), "--use_cpu", "--max_new_tokens", "8"]
    assert main(["evaluate", *here, *shared, "--output_dir", str(tmp_path / "here")]) == 0
    texts = [
        sorted(json.loads(line)["completion"] for line in (tmp_path / name / "samples.jsonl").read_text().splitlines())
        for name in ("served", "here")
    ]
    assert texts[0] == texts[1] and len(texts[0]) == 2  # greedy: the same whoever computes it


def test_annotate(flags: list[str], server: Server, problems: Path, tmp_path: Path) -> None:
    argv = ["annotate", *flags, "--dataset_name", str(problems), "--max_problems", "2", "--num_solutions", "2"]
    # Words as steps: an untrained model ends no line in 8 tokens.
    assert main([*argv, "--output_dir", str(tmp_path), "--step_separator", " "]) == 0
    assert server.requests and (tmp_path / "train.jsonl").exists()


def test_what_a_server_cannot_do(
    flags: list[str], problems: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["solve", "2 + 3?", *flags, "--load_in_4bit"]) == 2
    assert "engine server takes whole models" in capsys.readouterr().err
    annotate = ["annotate", *flags, "--dataset_name", str(problems), "--output_dir", str(tmp_path / "labels")]
    assert main([*annotate, "--load_in_4bit"]) == 2
    assert "engine server takes whole models" in capsys.readouterr().err
    other = tmp_path / "another"
    other.symlink_to(tiny_model)
    assert main([*annotate, "--model_name_or_path", str(other)]) == 2
    assert f"serves elsewhere/{tiny_model.name}, not {other}" in capsys.readouterr().err
