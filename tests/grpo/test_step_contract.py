"""What `_upstream.py` says of TRL holds for the release that is installed; `make test-oldest` asks the oldest one."""

import inspect
from pathlib import Path

import torch
from step_runs import config, outcome_digits, prompts, save_model
from trl import GRPOTrainer

from trl_dsmath._upstream import GRPO_METHODS


def test_signatures() -> None:
    for name, arguments in GRPO_METHODS.items():
        assert list(inspect.signature(getattr(GRPOTrainer, name)).parameters) == arguments, name


class Twice(GRPOTrainer):
    """Computes each loss with advantages of shape (B,) and with the same of shape (B, T)."""

    differences: list[float]

    def _compute_loss(self, model: torch.nn.Module, inputs: dict) -> torch.Tensor:
        assert inputs["advantages"].dim() == 1
        loss = super()._compute_loss(model, inputs)
        wide = inputs["advantages"].unsqueeze(1).expand_as(inputs["completion_ids"])
        self.differences.append(abs(loss - super()._compute_loss(model, {**inputs, "advantages": wide})).item())
        return loss


def test_the_loss_takes_an_advantage_a_token(tmp_path: Path) -> None:
    path = save_model(tmp_path / "tiny")
    for loss_type in ("grpo", "dapo", "cispo", "sapo"):
        args = config(tmp_path / loss_type, loss_type=loss_type, max_steps=1)
        trainer = Twice(path, reward_funcs=outcome_digits, args=args, train_dataset=prompts(8))
        trainer.differences = []
        trainer.train()
        assert len(trainer.differences) == 2 and max(trainer.differences) <= 1e-6, loss_type
