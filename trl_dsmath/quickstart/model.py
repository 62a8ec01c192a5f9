"""The quickstart's tokenizer and model, made on the spot: 153,600 random weights."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from ..data.prompts import COT_EN
from .task import ANSWER, ASK, NAMES

# For the saved models. A question is what it is, without "User:", so that `Solver` asks in the form of the training.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """
    Makes a byte-level BPE tokenizer whose merges are the words of the task.

    Three properties carry the task; the tests pin them. A digit is a token of its own. The long fixed texts (the paper's
    instruction, the question's end, the line before the answer) are one added token each, which makes a prompt 29 tokens
    instead of some 60. And what has to be copied stands at a constant distance: an operation in the question and a
    step of the solution are both six tokens, which is what lets rotary attention heads learn to copy from little text.

    Returns:
        [`~transformers.PreTrainedTokenizerFast`]
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
    """
    Makes a two-layer Llama with random weights.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]):
            Gives the size of the vocabulary and the special tokens.
        seed (`int`):
            Seed of the weights.

    Returns:
        [`~transformers.LlamaForCausalLM`]
    """
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        tie_word_embeddings=True,
        initializer_range=0.08,  # with the default, 0.02, it has not learnt the facts in time (docs/quickstart.md)
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)
