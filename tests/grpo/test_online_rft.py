"""Online RFT: the gradient of a batch of two, worked out by hand, beside GRPO's (Table 10 of the paper)."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from step_runs import prompts, save_model

from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer, StepGRPOConfig
from trl_dsmath.errors import ConfigError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("model"))


def config(folder: Path, **settings: Any) -> DeepSeekMathGRPOConfig:
    return DeepSeekMathGRPOConfig(
        str(folder), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", beta=0.0, num_generations=2,
        per_device_train_batch_size=2, gradient_accumulation_steps=1, max_completion_length=6, max_steps=1, seed=0,
        disable_tqdm=True, save_strategy="no", **settings,
    )  # fmt: skip


def last_is_right(completions: list, **columns: Any) -> list[float | None]:
    """TRL mixes the rows after it has scored them, so what is right must be read off the text."""
    assert len(set(completions)) == 2
    return [1.0 if text == max(completions) else 0.0 for text in completions]


def others_are_not_judged(completions: list, **columns: Any) -> list[float | None]:
    return [1.0 if text == max(completions) else None for text in completions]


def right_rows(trainer: Any, batch: dict[str, Any]) -> list[float]:
    """1 for the right row of a batch, 0 for the other."""
    texts = trainer.processing_class.batch_decode(batch["completion_ids"], skip_special_tokens=True)
    return [float(text == max(texts)) for text in texts]


def gradient(
    model: str, folder: Path, reward: Any, **settings: Any
) -> tuple[dict[str, torch.Tensor], dict[str, Any], Any]:
    """The gradient of the first batch, the batch, and the trainer."""
    trainer = DeepSeekMathGRPOTrainer(
        model, reward_funcs=reward, args=config(folder, **settings), train_dataset=prompts(4)
    )
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    trainer.current_gradient_accumulation_steps = 1
    trainer.compute_loss(trainer.model, batch).backward()
    found = {name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None}
    return found, batch, trainer


def by_hand(trainer: Any, batch: dict[str, Any], coefficients: list[float]) -> dict[str, torch.Tensor]:
    """Gradient of -1/2 of the sum over both completions of coefficient x mean log-probability of their tokens."""
    trainer.model.zero_grad()
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    length = batch["completion_ids"].size(1)
    logits = trainer.model(input_ids=ids, attention_mask=mask).logits[:, -length - 1 : -1]
    chosen = logits.log_softmax(-1).gather(-1, batch["completion_ids"][..., None])[..., 0]
    own = batch["completion_mask"]
    means = (chosen * own).sum(1) / own.sum(1)
    (-(means * torch.tensor(coefficients)).sum() / 2).backward()
    return {name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None}


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys() and any(grad.abs().max() > 1e-4 for grad in theirs.values())
    for name, grad in ours.items():
        torch.testing.assert_close(grad, theirs[name], atol=1e-6, rtol=1e-4)


def test_online_rft_follows_the_right_sample_and_grpo_leaves_the_wrong_one_too(model: str, tmp_path: Path) -> None:
    ours, batch, trainer = gradient(model, tmp_path, last_is_right, advantage="correct")
    right = right_rows(trainer, batch)
    assert batch["advantages"].tolist() == right and sorted(right) == [0.0, 1.0]
    assert sorted(trainer._logs["advantages"]) == [0.0, 1.0]
    assert_equal(ours, by_hand(trainer, batch, right))

    theirs, batch, trainer = gradient(model, tmp_path, last_is_right)
    each = 0.5 / (math.sqrt(0.5) + 1e-4)  # rewards 1 and 0: mean 1/2, standard deviation sqrt(1/2)
    expected = [each if one else -each for one in right_rows(trainer, batch)]
    assert batch["advantages"].tolist() == pytest.approx(expected)
    assert_equal(theirs, by_hand(trainer, batch, expected))


def test_a_sample_that_is_not_judged_is_not_followed(model: str, tmp_path: Path) -> None:
    _, batch, trainer = gradient(model, tmp_path, others_are_not_judged, advantage="correct")
    assert batch["advantages"].tolist() == right_rows(trainer, batch)


def test_a_group_that_is_right_throughout_still_teaches(model: str, tmp_path: Path) -> None:
    def right(completions: list, **columns: Any) -> list[float]:
        return [1.0] * len(completions)

    assert gradient(model, tmp_path, right, advantage="correct")[1]["advantages"].tolist() == [1.0, 1.0]
    assert gradient(model, tmp_path, right)[1]["advantages"].tolist() == [0.0, 0.0]


def test_what_cannot_work(model: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"group" or "correct"'):
        config(tmp_path, advantage="rft")
    with pytest.raises(ConfigError, match="knows no steps"):
        StepGRPOConfig(str(tmp_path), use_cpu=True, bf16=False, advantage="correct")
    with pytest.raises(ConfigError, match="one reward"):
        DeepSeekMathGRPOTrainer(
            model, reward_funcs=[last_is_right, others_are_not_judged], args=config(tmp_path, advantage="correct"),
            train_dataset=prompts(4),
        )  # fmt: skip
