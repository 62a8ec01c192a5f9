"""Tokens and FLOPs by hand, and what a probe of one and three layers is scaled to."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig

from trl_dsmath.plan import Run, Shape, probe, shape_of, timing, work


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    folder = tmp_path_factory.mktemp("small")
    LlamaConfig(
        vocab_size=128, hidden_size=64, intermediate_size=176, num_hidden_layers=5, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True,
    ).save_pretrained(folder)  # fmt: skip
    return shape_of("small", folder / "config.json")


@pytest.fixture
def run(shape: Shape) -> Run:
    return Run("grpo", shape, 1, 8, mixed=False, checkpointing=False, rows=4, tokens=48, scored=16, accumulation=3,
               sampling="transformers", sampled=12, cpu=True)  # fmt: skip


LAYER = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 176  # weights
TOKEN = 5 * (2 * LAYER + 2 * 64 * 48)  # FLOPs of a token in the layers: attention over half of 48 tokens, twice
HEAD = 2 * 128 * 64


def test_work_by_hand(run: Run) -> None:
    found = work(run)
    assert (found.trained, found.sampled) == (4 * 48 * 3, 12 * 16)
    drawn = 12 * 16 * (TOKEN + HEAD)
    assert found.flops == drawn + 3 * (4 * 48 * 3 * TOKEN + 4 * 48 * 3 * HEAD)  # on a CPU the head takes prompts too
    assert work(replace(run, cpu=False)).flops == drawn + 3 * (4 * 48 * 3 * TOKEN + 4 * 16 * 3 * HEAD)
    assert work(replace(run, checkpointing=True)).flops == found.flops + 4 * 48 * 3 * TOKEN
    assert work(replace(run, adapter=1000)).flops == drawn + 2 * (4 * 48 * 3 * TOKEN + 4 * 48 * 3 * HEAD)
    sft = work(replace(run, stage="sft", sampling="none"))
    assert (sft.sampled, sft.flops) == (0, found.flops - drawn)


def test_a_stage_that_samples(run: Run) -> None:
    found = work(replace(run, trains=False))
    assert (found.trained, found.sampled, found.flops) == (0, 12 * 16, 12 * 16 * (TOKEN + HEAD))


def test_seconds_of_all_layers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[float] = iter([2.0, 4.0, 10.0, 16.0, 7.0])  # a step on 1 and 3 layers, a row on 1 and 3, AdamW
    monkeypatch.setattr(timing, "_clock", lambda device, function: next(clock))
    threads = torch.get_num_threads()
    found = probe(replace(run, adapter=20_000_000))
    assert torch.get_num_threads() == threads
    assert found["sampling"] * threads == pytest.approx((2 + 4 * 1) * 16)
    assert found["passes"] * threads == pytest.approx((10 + 4 * 3) * 12)
    assert found["optimizer"] * threads == pytest.approx(14)


@pytest.mark.parametrize("adapter", [None, 1000])
def test_a_probe_runs(run: Run, adapter: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SECONDS", 0.01)
    monkeypatch.setattr(timing, "_OPTIMISED", 1000)
    found = probe(replace(run, adapter=adapter, checkpointing=adapter is None))
    assert set(found) == {"sampling", "passes", "optimizer"}
    assert all(seconds > 0 for seconds in found.values())


def test_processor_time_does_not_count_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(timing, "_SECONDS", 0.0)
    assert timing._clock(torch.device("cpu"), lambda: time.sleep(0.3)) < 0.1
