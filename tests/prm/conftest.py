"""A tokenizer of single characters and words with everything the layouts need, and a toy rule that a PRM can learn."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, PreTrainedTokenizerFast, set_seed

CHAT = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_start|>", "<|im_end|>", "<extra_0>"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE as in Llama 3 and Qwen; `Ġки`, `Ġ+` and `Ġ-` are tokens, as Mistral has them."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\w+|\n+| ?[^\s\w]|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        ["a ки ки + + - - + step is good bad\n\nnext\nuser assistant system"] * 5,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<bos>", "<eos>", "<pad>", *SPECIAL],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        additional_special_tokens=SPECIAL,
        model_input_names=["input_ids", "attention_mask"],  # transformers 4 would add token_type_ids
        chat_template=CHAT,
    )


def toy_rows(count: int, seed: int, soft: bool = False, prefix: bool = False) -> list[dict]:
    """Steps of three digits; a step is good when there is a 0 in it. `prefix`: and in all steps before it."""
    numbers = random.Random(seed)
    rows = []
    for _ in range(count):
        steps, labels = [], []
        for _ in range(numbers.randint(1, 4)):
            good = numbers.random() < 0.5
            digits = [numbers.choice("123456789") for _ in range(3)]
            if good:
                digits[numbers.randrange(3)] = "0"
            steps.append("".join(digits))
            label = good and all(labels) if prefix else good
            labels.append((0.9 if label else 0.2) if soft else label)
        rows.append({"prompt": "a step", "completions": steps, "labels": labels})
    return rows


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(scope="session")
def llama_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.1,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


@pytest.fixture(scope="session")
def causal(tokenizer: PreTrainedTokenizerFast, llama_config: LlamaConfig, tmp_path_factory) -> Path:
    """Folder of a causal language model with random weights."""
    folder = tmp_path_factory.mktemp("models") / "causal"
    set_seed(0)
    LlamaForCausalLM(llama_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def classifier(tokenizer: PreTrainedTokenizerFast, llama_config: LlamaConfig, tmp_path_factory) -> Path:
    """Folder of a token classifier, as TRL's former PRMTrainer saves it."""
    folder = tmp_path_factory.mktemp("models") / "classifier"
    set_seed(0)
    llama_config.num_labels = 2
    LlamaForTokenClassification(llama_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_toy() -> Callable[..., Dataset]:
    return lambda count, seed, **settings: Dataset.from_list(toy_rows(count, seed, **settings))


@pytest.fixture(scope="session")
def toy(make_toy: Callable[..., Dataset]) -> Dataset:
    return make_toy(400, seed=1)


@pytest.fixture
def small(tmp_path: Path) -> dict:
    """Settings of a small run on a CPU."""
    return {
        "output_dir": str(tmp_path / "out"),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "disable_tqdm": True,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 16,
        "max_steps": 2,
        "logging_steps": 1,
        "save_strategy": "no",
    }
