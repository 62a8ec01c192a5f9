"""The read-out of each layout against a reference that is written here from the authors' own code and model cards."""

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, Qwen2Config, Qwen2ForCausalLM, set_seed

from trl_dsmath import load_step_scorer
from trl_dsmath.prm.readout import Qwen2ForProcessRewardModel

QUESTIONS = ["is 1 a step?", "next good step 2?"]
STEPS = [["step 1", "next 2 good", "3"], ["4 4", "5"]]


def _copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def _qwen2(tokenizer, seed: int) -> Qwen2ForCausalLM:
    set_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            initializer_range=0.1,
            tie_word_embeddings=False,
        )
    )


def _close(found: list[list[float]], expected: list[list[float]]) -> None:
    assert [len(row) for row in found] == [len(row) for row in expected]
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)
    flat = [score for row in found for score in row]
    assert max(flat) - min(flat) > 1e-3, "all scores are the same: nothing is tested"


@torch.no_grad()
def test_math_shepherd(causal: Path, tokenizer, tmp_path: Path) -> None:
    folder = _copy(causal, tmp_path / "math-shepherd-mistral-7b-prm")
    model = AutoModelForCausalLM.from_pretrained(folder)
    good, bad = tokenizer.encode("a + -", add_special_tokens=False)[-2:]
    step_tag_id = tokenizer.encode("a ки", add_special_tokens=False)[-1]
    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        output = "\n".join(f"{step} ки" for step in steps)
        input_id = torch.tensor([tokenizer.encode(f"{question} {output}", add_special_tokens=False)])
        logits = model(input_id).logits[:, :, [good, bad]]
        expected.append(logits.softmax(dim=-1)[:, :, 0][input_id == step_tag_id].tolist())
    _close(load_step_scorer(str(folder))(QUESTIONS, steps=STEPS), expected)


@torch.no_grad()
def test_rlhflow(causal: Path, tokenizer, tmp_path: Path) -> None:
    """`select_sample` of prm_evaluate.py: one conversation a prefix, read at -3 there; here where + is predicted."""
    folder = _copy(causal, tmp_path / "Llama3.1-8B-PRM-Deepseek-Data")
    model = AutoModelForCausalLM.from_pretrained(folder)
    plus, minus = (tokenizer.encode(sign, add_special_tokens=False)[-1] for sign in "+-")
    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        row, conversation = [], []
        for number, step in enumerate(steps):
            text = f"{question} {step}" if number == 0 else step
            conversation.append({"content": text, "role": "user"})
            conversation.append({"content": "+", "role": "assistant"})
            text = tokenizer.apply_chat_template(conversation, tokenize=False)
            ids = tokenizer.encode(text, add_special_tokens=False)
            at = max(n for n, token in enumerate(ids) if token == plus) - 1
            row.append(model(torch.tensor([ids])).logits[0, at, [plus, minus]].softmax(-1)[0].item())
        expected.append(row)
    _close(load_step_scorer(str(folder))(QUESTIONS, steps=STEPS), expected)


@torch.no_grad()
def test_qwen(tokenizer, tmp_path: Path) -> None:
    """`make_step_rewards` of the model card, over the released head: two linear layers with a ReLU between."""
    base = _qwen2(tokenizer, 1)
    set_seed(2)
    score = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    model = Qwen2ForProcessRewardModel(base.config)
    weights = {**base.state_dict(), **{f"score.{name}": value for name, value in score.state_dict().items()}}
    model.load_state_dict({name: value for name, value in weights.items() if name != "lm_head.weight"})
    model.save_pretrained(tmp_path / "model")  # `architectures` tells, whatever the folder is called
    tokenizer.save_pretrained(tmp_path / "model")

    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        messages = [
            {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."},
            {"role": "user", "content": question},
            {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        input_ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
        logits = score(base.model(input_ids).last_hidden_state)
        token_masks = input_ids == tokenizer.encode("<extra_0>", add_special_tokens=False)[0]
        probabilities = logits.softmax(dim=-1) * token_masks.unsqueeze(-1)
        sample = probabilities[0]
        expected.append(sample[sample != 0].view(-1, 2)[:, 1].tolist())
    _close(load_step_scorer(str(tmp_path / "model"))(QUESTIONS, steps=STEPS), expected)


@torch.no_grad()
def test_skywork(tokenizer, tmp_path: Path) -> None:
    """prm_model.py: `v_head.summary` on the last hidden state of the causal model, sigmoid, where the flag is 1."""
    from safetensors.torch import save_file

    base = _qwen2(tokenizer, 3)
    set_seed(4)
    summary = nn.Linear(32, 1)
    folder = tmp_path / "Skywork-o1-Open-PRM-Qwen-2.5-1.5B"
    base.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    head = {"v_head.summary.weight": summary.weight, "v_head.summary.bias": summary.bias}
    weights = {**base.state_dict(), **head}
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )

    newline = tokenizer.encode("\n", add_special_tokens=False)[-1]
    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        ids, flags = tokenizer.encode("<bos>" + question + "\n", add_special_tokens=False), []
        for step in steps:
            ids += [*tokenizer.encode(step, add_special_tokens=False), newline]
            flags.append(len(ids) - 1)
        hidden = base(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1]
        expected.append([torch.sigmoid(summary(hidden)[0, at, 0]).item() for at in flags])
    _close(load_step_scorer(str(folder))(QUESTIONS, steps=STEPS), expected)


@torch.no_grad()
def test_token_classifier_of_trl(classifier: Path, tokenizer) -> None:
    model = AutoModelForTokenClassification.from_pretrained(classifier)
    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        ids, at = [tokenizer.bos_token_id, *tokenizer.encode(question, add_special_tokens=False)], []
        for step in steps:
            ids += [
                *tokenizer.encode(step, add_special_tokens=False),
                *tokenizer.encode("\n", add_special_tokens=False),
            ]
            at.append(len(ids) - 1)
        expected.append(model(torch.tensor([ids])).logits[0, at].softmax(-1)[:, 1].tolist())
    _close(load_step_scorer(str(classifier))(QUESTIONS, steps=STEPS), expected)


@torch.no_grad()
def test_likelihood(causal: Path, tokenizer) -> None:
    """sigmoid(b + sum of log pi(y_t) up to the step's end), token by token; the prompt adds nothing."""
    model = AutoModelForCausalLM.from_pretrained(causal)
    scorer = load_step_scorer(str(causal), layout="likelihood")
    with torch.no_grad():
        scorer.model.step_bias.weight.fill_(4.0)  # a bias of 40: random weights find every text unlikely
    expected = []
    for question, steps in zip(QUESTIONS, STEPS, strict=True):
        prompt = tokenizer.encode(question, add_special_tokens=False)
        row = []
        for count in range(1, len(steps) + 1):
            ids = [*prompt, *tokenizer.encode("\n".join(steps[:count]), add_special_tokens=False)]
            log_p = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            total = sum(log_p[n - 1, ids[n]].item() for n in range(len(prompt), len(ids)))
            row.append(torch.sigmoid(torch.tensor(40.0 + total)).item())
        expected.append(row)
    _close(scorer(QUESTIONS, steps=STEPS), expected)
