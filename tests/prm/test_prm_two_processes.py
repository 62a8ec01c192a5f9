"""Two processes give the weights that one gives on the same rows, though theirs have different numbers of steps."""

from pathlib import Path

import pytest
import torch
from processes import run, run_distributed

SCRIPT = """
import os, sys
import torch
from datasets import Dataset
from transformers import AutoTokenizer
from trl_dsmath import PRMConfig, PRMTrainer

form, model, rows, out = sys.argv[1:]
processes = int(os.environ.get("WORLD_SIZE", "1"))
args = PRMConfig(
    out, prm_type=form, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", optim="sgd",
    learning_rate=0.1, max_grad_norm=0.0, max_steps=1, per_device_train_batch_size=4 // processes,
    gradient_accumulation_steps=2, save_strategy="no", likelihood_bias=20.0, disable_tqdm=True,
)
assert args.world_size == processes
data = Dataset.from_json(rows)
trainer = PRMTrainer(model, args, train_dataset=data, eval_dataset=data)
trainer.train()
figures = trainer.evaluate()
if args.process_index == 0:
    weights = trainer.accelerator.unwrap_model(trainer.model).state_dict()
    torch.save((processes, weights, figures["eval_step_accuracy"]), out + ".pt")
"""


@pytest.mark.slow
def test_two_processes(causal: Path, make_toy, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(SCRIPT)
    make_toy(8, seed=1).to_json(tmp_path / "rows.jsonl")
    results = []
    for start in (run, run_distributed):
        out = tmp_path / start.__name__
        start(tmp_path / "run.py", "likelihood", causal, tmp_path / "rows.jsonl", out, ACCELERATE_USE_CPU="true")
        results.append(torch.load(f"{out}.pt", weights_only=False))
    (one, weights, accuracy), (two, weights_of_two, accuracy_of_two) = results
    assert (one, two) == (1, 2)
    assert accuracy == accuracy_of_two
    for name, value in weights.items():
        torch.testing.assert_close(weights_of_two[name], value, atol=1e-6, rtol=1e-4)
