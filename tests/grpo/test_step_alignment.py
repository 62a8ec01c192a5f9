"""Step ends on sampled ids: byte-level BPE, SentencePiece's Metaspace and byte fallback, any split, against brute force."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from trl_dsmath.grpo.alignment import StepAligner, align_own_steps
from trl_dsmath.text.steps import BLANK_LINE, KI_TAG, NEWLINE, STEP_LABEL, split_steps, step_spans

CORPUS = [
    "Step 1: 3+4=7.\n\nStep 2: so it is 7 ки\nThe answer is \\boxed{7}.\n\n# done",
    "十加二是十二。\n答案：\\boxed{12} 😀\n\n",
]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


def byte_level() -> PreTrainedTokenizerFast:
    """Byte-level BPE with merges over newlines, as Qwen's: ".\\n\\n" and "\\n\\n#" are single tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=list(SPECIAL.values()), show_progress=False
    )
    bpe.train_from_iterator(CORPUS * 3, trainer)
    bpe.add_tokens([AddedToken(".\n\n"), AddedToken("\n\n#"), AddedToken("\nx\n"), AddedToken("\nTherefore, ")])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **SPECIAL)


def sentence_piece() -> PreTrainedTokenizerFast:
    """Llama 2's form: BPE with `▁`, byte fallback, a leading space that decoding strips; newline is the byte <0x0A>."""
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    chars = sorted({char for text in CORPUS for char in text.replace(" ", "▁") if char.isascii()} - {"\n"} | {"▁"})
    pairs = [("▁", "s"), ("▁", "i"), ("i", "s"), ("t", "e"), ("=", "7"), ("▁", "▁")]
    vocab = {token: i for i, token in enumerate(["<unk>", *SPECIAL.values(), *bytes_, *chars])}
    vocab |= {a + b: len(vocab) + i for i, (a, b) in enumerate(pairs)}
    bpe = Tokenizer(models.BPE(vocab, pairs, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>", **SPECIAL)


def unigram() -> PreTrainedTokenizerFast:
    """Unigram with Metaspace, as T5's and XLM-R's, with the newline kept in the vocabulary."""
    uni = Tokenizer(models.Unigram())
    uni.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    uni.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=["<unk>", *SPECIAL.values()],
        unk_token="<unk>",
        initial_alphabet=["\n"],
        show_progress=False,
    )
    uni.train_from_iterator(CORPUS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=uni, unk_token="<unk>", **SPECIAL)


TOKENIZERS = {"byte_level": byte_level(), "sentence_piece": sentence_piece(), "unigram": unigram()}
SEPARATORS = [NEWLINE, BLANK_LINE, STEP_LABEL, KI_TAG, ". "]


def decode(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def brute_force(tokenizer: PreTrainedTokenizerFast, ids: list[int], separator: str) -> tuple[list[int], list[str]]:
    """Every prefix is decoded: a step ends at the first token with which the text begins with all that it holds."""
    text = decode(tokenizer, ids)
    prefixes = [decode(tokenizer, ids[: i + 1]) for i in range(len(ids))]
    found: dict[int, str] = {}
    spans = step_spans(text, separator)
    for start, stop in spans:
        holds = [i for i, prefix in enumerate(prefixes) if prefix.startswith(text[:stop])]
        end = holds[0] if stop < len(text) else len(ids) - 1
        found[end] = found.get(end, "") + text[start:stop]
    return list(found), list(found.values())


def ids_of(tokenizer: PreTrainedTokenizerFast, *tokens: str) -> list[int]:
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    assert None not in ids and tokenizer.unk_token_id not in ids
    return ids


def test_worked_byte_level() -> None:
    tokenizer = TOKENIZERS["byte_level"]
    align = StepAligner(tokenizer)
    eos = tokenizer.eos_token_id
    # "3" "+" "Ċ" "Ċ" "4" ".\n\n" "7" eos: the blank line joins, the last step ends at EOS
    ids = [*ids_of(tokenizer, "3", "+", "Ċ", "Ċ", "4", ".\n\n", "7"), eos]
    assert align(ids) == ([3, 5, 7], ["3+\n\n", "4.\n\n", "7"])
    assert align(ids[:-1]) == ([3, 5, 6], ["3+\n\n", "4.\n\n", "7"])  # truncated: the last token there is
    assert align(ids[:6]) == ([3, 5], ["3+\n\n", "4.\n\n"])
    # a token that ends one step and begins the next belongs to the one that it ends; the text is cut exactly
    assert align(ids_of(tokenizer, "3", "\n\n#", "4", "Ċ", "7")) == ([1, 3, 4], ["3\n\n", "#4\n", "7"])
    # a whole step inside one token, and so no token of its own: one step
    assert align(ids_of(tokenizer, "3", "\nx\n", "4")) == ([1, 2], ["3\nx\n", "4"])
    assert align(ids_of(tokenizer, "3", "\n\n#", "Ċ", "4")) == ([1, 2, 3], ["3\n\n", "#\n", "4"])
    # an added token with the newline in front, as in the toy of docs/guides/step-rewards.md
    assert align([*ids_of(tokenizer, "7", "\nTherefore, ", "7"), eos]) == ([1, 3], ["7\n", "Therefore, 7"])


def test_no_step() -> None:
    for tokenizer in TOKENIZERS.values():
        align = StepAligner(tokenizer)
        assert align([]) == ([], [])
        assert align([tokenizer.eos_token_id]) == ([], [])
        assert align([tokenizer.pad_token_id, tokenizer.pad_token_id]) == ([], [])


def test_worked_sentence_piece() -> None:
    tokenizer = TOKENIZERS["sentence_piece"]
    ids = ids_of(tokenizer, "▁s", "<0x0A>", "▁i", "s", "</s>")
    assert StepAligner(tokenizer)(ids) == ([1, 4], ["s\n", " is"])  # the space of the second step stays
    # "\n" then the three bytes of a Chinese character, decoded as one run: a prefix that stops inside spoils the newline
    ids = ids_of(tokenizer, "7", "<0x0A>", "<0xE5>", "<0x8D>", "<0x81>", "<0x0A>", "7")
    assert StepAligner(tokenizer)(ids) == ([1, 5, 6], ["7\n", "十\n", "7"])
    assert StepAligner(tokenizer, "\n十")(ids) == ([4, 6], ["7\n十", "\n7"])


def test_newlines_are_not_counted_where_the_decoder_drops_some() -> None:
    """Bytes that are no character spoil the newline before them: only the fourth token's is in the text."""
    tokenizer = TOKENIZERS["sentence_piece"]
    ids = ids_of(tokenizer, "7", "<0x0A>", "<0xE5>", "7", "<0x0A>", "7")
    assert StepAligner(tokenizer)(ids) == ([4, 5], ["7\ufffd\ufffd7\n", "7"])


def test_a_step_ends_before_a_character_that_spoils_it_while_it_is_incomplete() -> None:
    """`. ` is there from the third token on; with one or two bytes of the next character it is not, then it is again."""
    tokenizer = TOKENIZERS["sentence_piece"]
    ids = ids_of(tokenizer, "7", "<0x2E>", "<0x20>", "<0xE5>", "<0x8D>", "<0x81>", "7")
    assert StepAligner(tokenizer, ". ")(ids) == ([2, 6], ["7. ", "十7"])


def test_the_interpreters_tokens_are_left_out() -> None:
    tokenizer = TOKENIZERS["byte_level"]
    align, eos = StepAligner(tokenizer), tokenizer.eos_token_id
    ids = [*ids_of(tokenizer, "7", "Ċ", "4", "3", "3", "7", "Ċ", "4"), eos]
    assert align_own_steps(align, ids, [1, 1, 1, 0, 0, 1, 1, 1, 1]) == ([1, 2, 6, 8], ["7\n", "4", "7\n", "4"])
    assert align_own_steps(align, ids, [0, 0, 1, 1, 1, 1, 1, 1, 0]) == ([6, 7], ["4337\n", "4"])
    # A blank piece joins the step before it, if there is one.
    assert align_own_steps(align, [*ids[:4], eos], [1, 1, 1, 0, 1]) == ([1, 4], ["7\n", "4"])
    assert align_own_steps(align, ids[1:4], [1, 0, 1]) == ([2], ["3"])


def test_a_multi_byte_separator_split_over_tokens() -> None:
    tokenizer = TOKENIZERS["byte_level"]
    ids = ids_of(tokenizer, "7", *_bytes(" ки"), ".", "7")
    assert StepAligner(tokenizer, KI_TAG)(ids) == ([5, 7], ["7 ки", ".7"])


def _bytes(text: str) -> list[str]:
    """The byte-level alphabet's character for each byte."""
    return [token for char in text for token in _one(char)]


def _one(char: str) -> str:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(char)[0][0]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("separator", SEPARATORS, ids=repr)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_ids_agree_with_brute_force(name: str, separator: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    newlines = [i for i in range(len(tokenizer)) if "\n" in decode(tokenizer, [i])]
    token = st.one_of(st.integers(0, len(tokenizer) - 1), st.sampled_from(newlines))
    ids = data.draw(st.lists(token, max_size=24))
    ends, texts = StepAligner(tokenizer, separator)(ids)
    assert (ends, texts) == brute_force(tokenizer, ids, separator)
    assert ends == sorted(set(ends)) and all(text.strip() for text in texts)
    assert not ends or (ends[-1] == len(ids) - 1 and "".join(texts) == decode(tokenizer, ids))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_splits_that_the_tokenizer_would_not_make(name: str) -> None:
    """Each text of the corpus in random pieces, tokenized piece by piece: other ids, the same steps."""
    tokenizer, rng = TOKENIZERS[name], random.Random(0)
    other = 0
    for _ in range(100):
        text = rng.choice(CORPUS)
        cuts = sorted(rng.sample(range(len(text)), 5))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        ids = [i for piece in pieces for i in tokenizer(piece, add_special_tokens=False)["input_ids"]]
        ids += [tokenizer.eos_token_id] * rng.randint(0, 1)
        other += ids != tokenizer(decode(tokenizer, ids), add_special_tokens=False)["input_ids"]
        for separator in SEPARATORS:
            ends, texts = StepAligner(tokenizer, separator)(ids)
            assert (ends, texts) == brute_force(tokenizer, ids, separator)
            assert len(texts) <= len(split_steps(decode(tokenizer, ids), separator))
    assert other > 20, "the splits are meant to differ from the tokenizer's own"
