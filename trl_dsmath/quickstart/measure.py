"""Accuracy on held-out problems: real generation, the package's own reward as the judge, intervals."""

import math
from typing import TYPE_CHECKING

import torch

from ..rewards import boxed_accuracy_reward
from .task import Problem

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

MAX_NEW_TOKENS = 24  # a solution is 20 tokens and the end-of-text token


@torch.no_grad()
def complete(
    model: "LlamaForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    problems: list[Problem],
    sample_seed: int | None = None,
) -> list[str]:
    """
    Lets a model answer each problem once.

    Args:
        model ([`~transformers.LlamaForCausalLM`]):
            The model; its mode (training or not) is the same afterwards.
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]):
            Its tokenizer.
        problems (`list[Problem]`):
            The problems.
        sample_seed (`int`, *optional*):
            If given, samples at temperature 1 with this seed; if `None`, greedy. The random state of a training that is
            under way is not touched in either case.

    Returns:
        `list[str]`: the completions, without the prompts.
    """
    inputs = tokenizer([problem.prompt for problem in problems], padding=True, return_tensors="pt")
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(devices=[]):
        if sample_seed is not None:
            torch.manual_seed(sample_seed)
        tokens = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=sample_seed is not None,
            # spelled out, because transformers' own defaults cut the distribution to the 50 likeliest tokens
            **({} if sample_seed is None else {"temperature": 1.0, "top_k": 0, "top_p": 1.0}),
        )
    model.train(was_training)
    return tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def judge(problems: list[Problem], completions: list[str]) -> list[bool]:
    """Whether each completion's boxed answer is right, by the reward that GRPO trains on."""
    rewards = boxed_accuracy_reward(completions, solution=[problem.answer for problem in problems])
    return [reward == 1.0 for reward in rewards]


def wilson(right: int, total: int) -> tuple[float, float]:
    """
    95 % Wilson score interval of a proportion.

    Unlike the usual "plus or minus" it stays within 0 and 1 and has a width at 0 % and 100 %, where models often end.

    Args:
        right (`int`):
            Number of right answers.
        total (`int`):
            Number of answers.

    Returns:
        `tuple[float, float]`: lower and upper end.
    """
    z = 1.959964
    centre = (right + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(right * (total - right) / total + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
