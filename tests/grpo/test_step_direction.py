"""One update raises the good step and lowers the bad one inside the same completion; outcome rewards move both one way."""

from pathlib import Path

import pytest
import torch
from step_runs import Recording, config, prompts, save_model, text_of, tokenizer

# Four completions a group; only the first step of the first is good.
COMPLETIONS = ["3333\n4444", "5555\n6666", "7777\n8888", "9999\n0000"]


def rollout(prompts: list, trainer: object) -> dict:
    made = tokenizer()
    ids = [[*made(text)["input_ids"], made.eos_token_id] for text in COMPLETIONS]
    completions = [ids[i % len(ids)] for i in range(len(prompts))]
    return {
        "prompt_ids": [made(prompt)["input_ids"] for prompt in prompts],
        "completion_ids": completions,
        "logprobs": [[0.0] * len(row) for row in completions],
    }


def has_three(steps: list, **columns: object) -> list:
    return [[float("3" in step) for step in row] for row in steps]


def first_is_best(completions: list, **columns: object) -> list:
    return [float("3" in text_of(completion)) for completion in completions]


def step_log_probabilities(model: torch.nn.Module, prompt: str) -> tuple[float, float]:
    """Sums over the tokens of the first and of the second step (EOS included) of the first completion."""
    made = tokenizer()
    before, completion = made(prompt)["input_ids"], [*made(COMPLETIONS[0])["input_ids"], made.eos_token_id]
    ids = torch.tensor([before + completion])
    with torch.no_grad():
        logits = model.eval()(input_ids=ids).logits[0, len(before) - 1 : -1]
    logps = logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0]
    return logps[:5].sum().item(), logps[5:].sum().item()


def update(seed: int, folder: Path, **settings: object) -> tuple[float, float, list[float]]:
    """Changes of the two log-probabilities by one step of SGD, and the advantages of the first completion."""
    from transformers import AutoModelForCausalLM

    path = save_model(folder / "tiny", seed)
    outcome = settings.pop("reward_funcs", None)
    args = config(
        folder / "out",
        gradient_accumulation_steps=1,
        max_steps=1,
        optim="sgd",
        learning_rate=0.05,
        max_grad_norm=1e9,
        beta=0.0,
        **settings,
    )
    data = prompts(1)
    before = step_log_probabilities(AutoModelForCausalLM.from_pretrained(path), data[0]["prompt"])
    trainer = Recording(
        path,
        reward_funcs=outcome,
        step_reward_funcs=has_three,
        args=args,
        train_dataset=data,
        rollout_func=rollout,
    )
    trainer.train()
    trainer.save_model(str(folder / "trained"))
    after = step_log_probabilities(AutoModelForCausalLM.from_pretrained(folder / "trained"), data[0]["prompt"])
    first = next(row for row in trainer.seen if row["ids"] == rollout([""], None)["completion_ids"][0])
    return after[0] - before[0], after[1] - before[1], first["advantages"]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
def test_process_supervision_tells_the_steps_of_a_completion_apart(seed: int, tmp_path: Path) -> None:
    good, bad, advantages = update(seed, tmp_path)
    # R = {1, 0 x 7}: mean 1/8, deviation sqrt(1/8): 2.474 and -0.3535
    assert advantages == pytest.approx([2.1207] * 5 + [-0.3534] * 5, abs=1e-3)
    assert good > 0 > bad


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")
def test_outcome_supervision_cannot(seed: int, tmp_path: Path) -> None:
    good, bad, advantages = update(seed, tmp_path, reward_funcs=first_is_best, process_weight=0.0)
    assert len(set(advantages)) == 1
    assert good > 0 and bad > 0
