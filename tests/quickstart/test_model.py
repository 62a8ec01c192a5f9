"""What the method relies on in the tokenizer and the model."""

import pytest
import torch
from model import MAX_NEW_TOKENS, complete, judge, make_model, make_tokenizer
from task import ANSWER, ASK, Problem, make_problems, solve

from trl_dsmath.data.prompts import COT_EN
from trl_dsmath.grading.metrics import wilson


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_every_prompt_and_solution_has_the_same_length(tokenizer) -> None:
    problems = make_problems(400, 0, "held-out") + make_problems(400, 1, "sft")
    assert {len(tokenizer(problem.prompt)["input_ids"]) for problem in problems} == {29}
    assert {len(tokenizer(solve(problem))["input_ids"]) for problem in problems} == {20}
    assert MAX_NEW_TOKENS > 20 + 1  # room for the end-of-text token


def test_operation_and_step_are_six_tokens_each(tokenizer) -> None:
    """Equal distances are what lets a tiny model learn to copy."""
    problem = Problem("Gia", 9, (7, 2, 4))
    prompt = tokenizer.tokenize(problem.prompt)
    assert [i for i, token in enumerate(prompt) if token in {"7", "2", "4"}] == [12, 18, 24]
    solution = tokenizer.tokenize(solve(problem))
    assert solution[:12] == ["9", "+", "7", "=", "6", "Ċ", "6", "+", "2", "=", "8", "Ċ"]
    assert solution[-3:] == [ANSWER, "2", "}"]


def test_fixed_texts_are_one_token(tokenizer) -> None:
    assert tokenizer.tokenize(ASK + COT_EN) == [ASK, COT_EN]


def test_text_survives(tokenizer) -> None:
    text = solve(Problem("Gia", 9, (7, 2, 4)))
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_special_tokens(tokenizer) -> None:
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.padding_side == "left"


def test_model_follows_the_seed(tokenizer) -> None:
    first, again, other = make_model(tokenizer, 0), make_model(tokenizer, 0), make_model(tokenizer, 1)
    assert first.num_parameters() == 153_600
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.model.embed_tokens.weight, other.model.embed_tokens.weight)
    assert first.model.embed_tokens.weight.std().item() == pytest.approx(0.08, rel=0.05)


def test_measuring_leaves_training_as_it_was(tokenizer) -> None:
    model = make_model(tokenizer, 0).train()
    problems = make_problems(8, 0, "held-out")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    greedy = complete(model, tokenizer, problems)
    sampled = complete(model, tokenizer, problems, sample_seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    assert greedy == complete(model, tokenizer, problems)
    assert sampled == complete(model, tokenizer, problems, sample_seed=1)
    assert sampled != complete(model, tokenizer, problems, sample_seed=2)
    assert sampled != greedy


def test_judge() -> None:
    problem = Problem("Gia", 9, (7, 2, 4))
    texts = [solve(problem), "9+7=6\nTherefore, the answer is \\boxed{3}", "no answer"]
    assert judge([problem] * 3, texts) == [True, False, False]


def test_wilson_by_hand() -> None:
    low, high = wilson(50, 100)  # the textbook's 0.404 to 0.596
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    low, high = wilson(500, 500)  # z^2 / (n + z^2) = 3.8415 / 503.8415 below 1
    assert (round(low, 5), high) == (0.99238, 1.0)
    assert wilson(0, 500)[0] == 0.0
