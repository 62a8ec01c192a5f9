"""Accuracy on held-out problems: real generation, the package's own reward as the judge."""

from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ..rewards import boxed_accuracy_reward
from .task import Problem

MAX_NEW_TOKENS = 24  # a solution is 20 tokens and the end-of-text token


@torch.no_grad()
def complete(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    problems: list[Problem],
    sample_seed: int | None = None,
) -> list[str]:
    """
    Lets a model answer each problem once.

    Args:
        model ([`~transformers.PreTrainedModel`]):
            The model; its mode (training or not) is the same afterwards.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Its tokenizer.
        problems (`list[Problem]`):
            The problems.
        sample_seed (`int`, *optional*):
            If given, samples at temperature 1 with this seed; if `None`, greedy. The random state of a training that is
            under way is not touched in either case.

    Returns:
        `list[str]`: the completions, without the prompts.
    """
    prompts = [problem.prompt for problem in problems]
    inputs = tokenizer(prompts, padding=True, return_tensors="pt", return_token_type_ids=False)
    was_training = model.training
    model.eval()
    if sample_seed is None:
        way: dict[str, Any] = {"do_sample": False}
    else:  # spelled out, because transformers' own default keeps only the 50 likeliest tokens
        way = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    with torch.random.fork_rng(devices=[]):
        if sample_seed is not None:
            torch.manual_seed(sample_seed)
        tokens = model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, **way)
    model.train(was_training)
    return tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def judge(problems: list[Problem], completions: list[str]) -> list[bool]:
    """Whether each completion's boxed answer is right, by the reward that GRPO trains on."""
    rewards = boxed_accuracy_reward(completions, solution=[problem.answer for problem in problems])
    return [reward == 1.0 for reward in rewards]
