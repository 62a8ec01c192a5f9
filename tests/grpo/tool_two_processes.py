"""Started by `test_tool_two_processes.py` in each of two processes: a group with tools that straddles both."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate.utils import gather_object
from datasets import Dataset

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_tool_rollouts import SETTINGS, calculator

from trl_dsmath import StepGRPOConfig, StepGRPOTrainer
from trl_dsmath.generation import tools
from trl_dsmath.grpo.alignment import align_own_steps


def length(steps: list, **columns: Any) -> list:
    return [[float(len(step)) for step in row] for row in steps]


class Recorded(StepGRPOTrainer):
    rows: list

    def _generate_and_score_completions(self, inputs: list) -> dict:
        output = super()._generate_and_score_completions(inputs)
        for i, row in enumerate(inputs):
            size = len(row["own_tokens"])
            ids = output["completion_ids"][i][:size].tolist()
            self.rows.append((row["prompt"], ids, row["own_tokens"], output["advantages"][i].tolist()))
        return output


def main(model: str, folder: str) -> None:
    tools.run_sandboxed = lambda codes, timeout, memory_mb: calculator(codes)  # type: ignore[assignment,return-value]
    args = StepGRPOConfig(folder, **{**SETTINGS, "per_device_train_batch_size": 6, "num_generations": 8})
    assert args.world_size == 2 and dist.get_world_size() == 2
    data = Dataset.from_dict({"prompt": [f"{i}+{i}=" for i in range(12)]})
    trainer = Recorded(model, step_reward_funcs=length, args=args, train_dataset=data)
    trainer.rows = []
    trainer.train()
    weights = gather_object([trainer.model.lm_head.weight.sum().item()])
    ranks = gather_object([dist.get_rank()] * len(trainer.rows))
    rows = gather_object(trainer.rows)
    if os.environ["RANK"] != "0":
        return
    error, straddling, masked = 0.0, 0, 0
    for prompt in {row[0] for row in rows}:
        group = [row for row in rows if row[0] == prompt]
        assert len(group) == 8
        straddling += len({rank for rank, row in zip(ranks, rows, strict=True) if row[0] == prompt}) == 2
        cut = [align_own_steps(trainer.align_steps, ids, own) for _, ids, own, _ in group]
        rewards = torch.tensor([float(len(text)) for _, texts in cut for text in texts])
        mean, deviation = rewards.mean().item(), rewards.std().item() + 1e-4
        for (_, ids, own, advantages), (ends, texts) in zip(group, cut, strict=True):
            masked += own.count(0)
            for t in range(len(ids)):
                to_come = sum(len(s) - mean for s, e in zip(texts, ends, strict=True) if e >= t) / deviation
                error = max(error, abs(advantages[t] - (to_come if own[t] else 0.0)))
    distinct = len({(row[0], tuple(row[1])) for row in rows})
    print(
        json.dumps(
            {
                "rows": len(rows),
                "distinct": distinct,
                "straddling": straddling,
                "masked": masked,
                "error": error,
                "same_weights": weights[0] == weights[1],
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
