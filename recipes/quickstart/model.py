"""The quickstart's tokenizer and model (153,600 random weights), and how its answers are generated and judged."""

from typing import Any

import torch
from task import ANSWER, ASK, NAMES, Problem
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast, set_seed

from trl_dsmath.data.prompts import COT_EN
from trl_dsmath.rewards import boxed_accuracy_reward

MAX_NEW_TOKENS = 24  # a solution is 20 tokens and the end-of-text token

# For the saved models. A question is what it is, without "User:", so that `Solver` asks in the form of the training.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """
    Makes a byte-level BPE tokenizer whose merges are the words of the task.

    Three properties carry the task; the tests pin them. A digit is a token of its own. The long fixed texts (the paper's
    instruction, the question's end, the line before the answer) are one added token each, which makes a prompt 29 tokens
    instead of some 60. And what has to be copied is at a constant distance: an operation in the question and a
    step of the solution are both six tokens, which is what lets rotary attention heads learn to copy from little text.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    texts = [f"The dial shows 1. {name} turns it up by 2 steps, up by 3 steps, up by 4 steps." for name in NAMES]
    bpe.train_from_iterator(
        texts * 3,  # three times, so that each name is frequent enough to become one token
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=["<pad>", "<eos>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    bpe.add_tokens([AddedToken(text, normalized=False) for text in (COT_EN, ASK, ANSWER)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<pad>",
        eos_token="<eos>",
        padding_side="left",
        model_max_length=128,
        model_input_names=["input_ids", "attention_mask"],  # transformers 4 would add token_type_ids
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Makes a two-layer Llama with random weights."""
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        tie_word_embeddings=True,
        initializer_range=0.08,  # with the default, 0.02, it has not learned the facts in time (docs/results/quickstart.md)
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


@torch.no_grad()
def complete(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    problems: list[Problem],
    sample_seed: int | None = None,
) -> list[str]:
    """Lets a model answer each problem once: greedy, or sampled at temperature 1 with a seed.

    Neither the model's mode nor the random state of a training that is under way changes.
    """
    prompts = [problem.prompt for problem in problems]
    inputs = tokenizer(prompts, padding=True, return_tensors="pt", return_token_type_ids=False).to(model.device)
    was_training = model.training
    model.eval()
    if sample_seed is None:
        decoding: dict[str, Any] = {"do_sample": False}
    else:  # spelled out, because transformers' own default keeps only the 50 likeliest tokens
        decoding = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    with torch.random.fork_rng():
        if sample_seed is not None:
            torch.manual_seed(sample_seed)
        tokens = model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, **decoding)
    model.train(was_training)
    return tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def judge(problems: list[Problem], completions: list[str]) -> list[bool]:
    """Whether each completion's boxed answer is right, by the reward that GRPO trains on."""
    rewards = boxed_accuracy_reward(completions, solution=[problem.answer for problem in problems])
    return [reward == 1.0 for reward in rewards]
