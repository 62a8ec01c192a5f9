"""A scorer is loaded whole whatever else the process trains, says nothing about it, and a new layout is one record."""

import json
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from processes import run_distributed
from transformers.integrations import deepspeed

from trl_dsmath import PRMConfig, PRMTrainer, load_step_scorer
from trl_dsmath.prm.layouts import LAYOUTS, Layout
from trl_dsmath.prm.readout import step_logits

PROMPTS, STEPS = ["is 1 a step?", "next"], [["step 1", "next 2", "3"], ["4 good"]]


class ZeRO3:
    """As `HfDeepSpeedConfig` of stage 3 while a policy is trained."""

    config: dict = {}  # noqa: RUF012

    def is_zero3(self) -> bool:
        return True


def test_a_scorer_is_whole_while_zero3_is_on(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_step_scorer(str(classifier))(PROMPTS, steps=STEPS)
    active = ZeRO3()
    monkeypatch.setattr(deepspeed, "_hf_deepspeed_config_weak_ref", weakref.ref(active))
    assert deepspeed.is_deepspeed_zero3_enabled()
    scorer = load_step_scorer(str(classifier))
    assert all(weight.numel() for weight in scorer.model.parameters())
    assert scorer(PROMPTS, steps=STEPS) == expected
    assert deepspeed.is_deepspeed_zero3_enabled()  # for the policy it is on again


FSDP = """
import os, sys
import torch.distributed as dist
from trl_dsmath import load_step_scorer

dist.init_process_group("gloo")
scores = load_step_scorer(sys.argv[1], device="cpu")(["is 1 a step?"], steps=[["step 1", "next 2"]])
open(sys.argv[2] + os.environ["RANK"], "w").write(str(scores))
assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "1"
"""


@pytest.mark.slow
def test_every_process_scores_while_fsdp_loads_on_the_first_one(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(FSDP)
    settings = {"ACCELERATE_USE_FSDP": "1", "FSDP_CPU_RAM_EFFICIENT_LOADING": "1"}
    run_distributed(tmp_path / "run.py", classifier, tmp_path / "scores", **settings)
    first, second = (json.loads((tmp_path / f"scores{rank}").read_text()) for rank in (0, 1))
    assert first[0] == pytest.approx(load_step_scorer(str(classifier))(PROMPTS[:1], steps=[STEPS[0][:2]])[0], abs=1e-5)
    assert second[0] == pytest.approx(first[0], abs=1e-6)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What transformers says while it loads."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("form", ["token_classification", "causal", "likelihood"])
def test_our_own_model_loads_without_a_report(
    form: str, adapter: bool, causal: Path, toy, small: dict, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    small |= {"prm_type": form, "max_steps": 1}
    peft = pytest.importorskip("peft") if adapter else None
    config = peft.LoraConfig(r=2, target_modules="all-linear") if peft else None
    trainer = PRMTrainer(str(causal), PRMConfig(**small), train_dataset=toy.select(range(8)), peft_config=config)
    trainer.train()
    trainer.save_model()
    said.clear()
    caplog.clear()
    load_step_scorer(small["output_dir"])
    assert said == [] and caplog.messages == []


def test_weights_that_are_not_there_are_named(
    classifier: Path, toy, small: dict, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file, save_file

    trainer = PRMTrainer(
        str(classifier),
        PRMConfig(
            **small,
        ),
        train_dataset=toy.select(range(8)),
    )
    trainer.save_model()
    file = Path(small["output_dir"]) / "model.safetensors"
    weights = load_file(file)
    del weights["model.norm.weight"]
    save_file(weights, file, {"format": "pt"})
    load_step_scorer(small["output_dir"])
    assert any("model.norm.weight" in line for line in caplog.messages)


def test_a_new_layout_is_one_record(causal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy, small) -> None:
    """Loaded by its name, trained by its form, saved, and loaded again."""
    from dataclasses import replace

    record: Layout = replace(LAYOUTS["rlhflow"], prm_type="turns", released=r"my-prm-\d", new_module=None)
    monkeypatch.setitem(LAYOUTS, "turns", record)
    (tmp_path / "my-prm-7").symlink_to(causal)
    scorer = load_step_scorer(str(tmp_path / "my-prm-7"))
    assert scorer.encoder.layout == "turns"
    assert scorer(PROMPTS, steps=STEPS) == load_step_scorer(str(causal), layout="rlhflow")(PROMPTS, steps=STEPS)
    trainer = PRMTrainer(str(causal), PRMConfig(**small, prm_type="turns"), train_dataset=toy.select(range(8)))
    trainer.train()
    trainer.save_model()
    assert load_step_scorer(small["output_dir"]).encoder.layout == "turns"


def test_signs_are_read_at_the_scores_of_each_row_alone(causal: Path) -> None:
    """Logits over the vocabulary are (B, S, V): with the positions of all rows for each row they would be (B, U, V)."""
    scorer = load_step_scorer(str(causal), layout="math_shepherd")
    shapes = []
    layer = scorer.model.get_output_embeddings()
    layer.register_forward_hook(lambda module, arguments, output: shapes.append(tuple(output.shape[:2])))
    steps = [["1"] * 5, ["22"] * 5, ["333"] * 4]
    rows = scorer(["a"] * 3, steps=steps)
    assert shapes == [(3, 5)]
    assert [scorer(["a"], steps=[row])[0] for row in steps] == [pytest.approx(row, abs=1e-5) for row in rows]
    assert not layer._forward_pre_hooks  # nothing is left behind


def test_signs_are_read_through_a_wrapper(causal: Path) -> None:
    scorer = load_step_scorer(str(causal), layout="math_shepherd")
    batch = {
        "input_ids": torch.tensor([[5, 6, 7, 8]]),
        "attention_mask": torch.ones(1, 4, dtype=torch.long),
        "positions": torch.tensor([[1, 3]]),
    }

    class Wrapped(torch.nn.Module):
        def __init__(self, module: torch.nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, **inputs: torch.Tensor) -> object:
            return self.module(**inputs)

    plain = step_logits(scorer.model, "pair", batch, scorer.signs)
    assert torch.equal(step_logits(Wrapped(scorer.model), "pair", batch, scorer.signs), plain)
    full = scorer.model(batch["input_ids"]).logits[0, [1, 3]]
    torch.testing.assert_close(plain[0], full[:, scorer.signs[0]] - full[:, scorer.signs[1]])
