"""The transformers engine against plain `generate`, and what its random streams promise."""

import collections
import copy
import logging.handlers
import weakref
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from tokenizers.processors import TemplateProcessing
from transformers import GenerationConfig
from transformers.integrations import deepspeed

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Decoding, TransformersSampler, Watch
from trl_dsmath.generation.protocol import TokenizerMixin, encode_prompt, stream_key
from trl_dsmath.generation.transformers_hooks import RowEnds
from trl_dsmath.generation.transformers_rows import CACHE, Row

PROMPTS = [
    "The dial shows 9. Gia turns it up by 7 steps. Which digit does it show?",
    "The dial shows 1.",
    "Ada",
    "9+7=6\n6+2=",
]
LONG = Decoding(max_new_tokens=24, seed=3)


@pytest.fixture
def sampler(model: Any, tokenizer: Any) -> TransformersSampler:
    return TransformersSampler(model, tokenizer)


def _ids(samples: list[list[Any]]) -> list[list[tuple[int, ...]]]:
    return [[sample.ids for sample in row] for row in samples]


def _plain_greedy(model: Any, ids: list[int], tokens: int, ends: int) -> tuple[int, ...]:
    config = GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=ends, pad_token_id=0)
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), generation_config=config)
    return tuple(out[0, len(ids) :].tolist())


def test_greedy_with_the_prompt_cache_equals_plain_generate(sampler: Any, model: Any, tokenizer: Any) -> None:
    """Prompts of four lengths in one padded batch, their cache computed first: the tokens of one call a prompt."""
    found = sampler.sample(PROMPTS, Decoding(max_new_tokens=24, temperature=0.0), n=2)
    for prompt, samples in zip(PROMPTS, found, strict=True):
        plain = _plain_greedy(model, tokenizer(prompt)["input_ids"], 24, tokenizer.eos_token_id)
        assert samples[0].ids == plain
        assert samples[1] == samples[0]


def test_scores_with_padding_and_cache_equal_plain_ones(sampler: Any, model: Any, tokenizer: Any) -> None:
    """What the first new token is drawn from: equal to a forward pass of the prompt alone."""
    prompts = [sampler.encode_prompt(prompt) for prompt in PROMPTS]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    with torch.no_grad():
        cache = sampler._prompt_cache(ids, mask)
        drawn = model.generate(
            ids,
            attention_mask=mask,
            **{CACHE: cache},
            generation_config=GenerationConfig(
                max_new_tokens=1, do_sample=False, output_logits=True, return_dict_in_generate=True
            ),
        )
        (padded,) = drawn.logits
        for row, prompt in enumerate(prompts):
            alone = model(torch.tensor([prompt])).logits[0, -1]
            torch.testing.assert_close(padded[row], alone, atol=1e-5, rtol=1e-5)


class ZeRO3:
    """As `HfDeepSpeedConfig` of stage 3 while a policy is trained."""

    config: dict = {}  # noqa: RUF012

    def is_zero3(self) -> bool:
        return True


def test_zero3_makes_no_process_wait_for_another_in_each_token(
    sampler: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes sample different numbers of batches (tool rounds, a shared evaluation), from whole weights."""
    expected = _ids(sampler.sample(PROMPTS, LONG))
    active = ZeRO3()
    monkeypatch.setattr(deepspeed, "_hf_deepspeed_config_weak_ref", weakref.ref(active))
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        monkeypatch.setattr(dist, "get_world_size", lambda *_: 2)
        monkeypatch.setattr(dist, "all_reduce", lambda *_, **__: pytest.fail("waits for the other process"))
        assert _ids(sampler.sample(PROMPTS, LONG)) == expected
    finally:
        monkeypatch.undo()
        dist.destroy_process_group()


@pytest.mark.parametrize("batch_size", [1, 3, 5, 64])
def test_samples_do_not_depend_on_chunks(batch_size: int, model: Any, tokenizer: Any, sampler: Any) -> None:
    expected = _ids(sampler.sample(PROMPTS, LONG, n=6))
    chunked = TransformersSampler(model, tokenizer, batch_size=batch_size)
    assert _ids(chunked.sample(PROMPTS, LONG, n=6)) == expected


def test_samples_do_not_depend_on_the_other_prompts_or_on_waves(sampler: Any) -> None:
    expected = _ids(sampler.sample(PROMPTS, LONG, n=6))
    assert _ids(sampler.sample(PROMPTS[::-1], LONG, n=6))[::-1] == expected
    assert _ids(sampler.sample(PROMPTS[1:2], LONG, n=6)) == expected[1:2]
    waves = [sampler.sample(PROMPTS, LONG, n=2, first=first) for first in (0, 2, 4)]
    assert [[ids for wave in waves for ids in _ids(wave)[i]] for i in range(len(PROMPTS))] == expected
    uneven = sampler.sample(PROMPTS, LONG, n=2, first=[0, 1, 2, 4])
    assert _ids(uneven) == [row[start : start + 2] for row, start in zip(expected, [0, 1, 2, 4], strict=True)]


def test_the_cache_changes_nothing(model: Any, tokenizer: Any, sampler: Any) -> None:
    without = TransformersSampler(model, tokenizer, share_prompt=False)
    assert _ids(without.sample(PROMPTS, LONG, n=4)) == _ids(sampler.sample(PROMPTS, LONG, n=4))


def test_rows_that_have_ended_leave_and_others_take_their_place(model: Any, tokenizer: Any, sampler: Any) -> None:
    """8 rows at a time, 64 samples of very different lengths: what is computed is little more than what is needed."""
    decoding = Decoding(max_new_tokens=60, seed=3, stop=("e",))
    expected = _ids(sampler.sample(PROMPTS, decoding, n=16))
    lengths = sorted(len(ids) for row in expected for ids in row)
    assert lengths[8] < 5 and lengths[32] < 15 and lengths[-1] > 30
    computed: list[int] = []

    def count(module: Any, args: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[1] == 1:
            computed.append(len(named["input_ids"]))

    hook = model.register_forward_pre_hook(count, with_kwargs=True)
    few = TransformersSampler(model, tokenizer, batch_size=8)
    assert _ids(few.sample(PROMPTS, decoding, n=16)) == expected
    hook.remove()
    assert sum(lengths) <= sum(computed) < 1.05 * sum(lengths)
    assert sum(count == 8 for count in computed) > 0.7 * len(computed)  # the batch stays full


def test_samples_are_handed_out_as_they_end(sampler: Any) -> None:
    seen: list[tuple[int, int, Any]] = []
    tokens: list[int] = []
    watch = Watch(lambda *one: seen.append(one), tokens.append)
    found = sampler.sample(PROMPTS, Decoding(max_new_tokens=100, seed=3), n=4, watch=watch)
    assert {(prompt, place): sample for prompt, place, sample in seen} == {
        (prompt, place): sample for prompt, row in enumerate(found) for place, sample in enumerate(row)
    }
    lengths = [len(sample.ids) for _, _, sample in seen]
    assert len(lengths) == 16 and lengths[0] < 50 and lengths[-1] == max(lengths)
    assert sum(tokens) == sum(lengths) and len(tokens) > 5
    seen.clear()
    sampler.sample(PROMPTS[:1], Decoding(max_new_tokens=2, temperature=0.0), n=3, watch=watch)
    assert [place for _, place, _ in seen] == [0, 1, 2]


def test_as_many_prompts_are_computed_as_the_batch_has_room_for(model: Any, tokenizer: Any) -> None:
    """5 rows at a time, 4 samples a prompt: two prompts begin with 8 samples, of which 3 wait beside the third prompt."""
    prompts: list[int] = []
    logits: list[int] = []

    def count(module: Any, args: Any, named: dict[str, Any], output: Any) -> None:
        prompts.extend([len(named["input_ids"])] * (named["input_ids"].shape[1] > 1))
        logits.append(output.logits.shape[1])

    hook = model.register_forward_hook(count, with_kwargs=True)
    TransformersSampler(model, tokenizer, batch_size=5).sample(PROMPTS[:1] * 4, Decoding(max_new_tokens=1), n=4)
    hook.remove()
    assert prompts == [2, 1, 1] and set(logits) == {1}  # of a prompt, no logits but the last token's


def test_tensors_are_made_where_the_model_lies(sampler: Any) -> None:
    """As on a GPU, where what has no device of its own would lie elsewhere."""
    for decoding in (LONG, Decoding(max_new_tokens=12, seed=3, top_p=0.9, stop=("e",))):
        expected = sampler.sample(PROMPTS, decoding, n=3)
        with torch.device("meta"):
            assert sampler.sample(PROMPTS, decoding, n=3) == expected


def test_rows_that_fit_a_gpu_by_hand(
    sampler: Any, model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 layers x 2 (keys, values) x 2 heads of 8 numbers of 2 bytes: 192 bytes a token, and 40 bytes a logit."""
    assert (sampler.rows_at_once, sampler._rows_that_fit(10)) == (32, 64)  # on a CPU
    assert TransformersSampler(model, tokenizer, batch_size=5).rows_at_once == 5
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        TransformersSampler(model, tokenizer, batch_size=0)
    config = SimpleNamespace(num_attention_heads=4, hidden_size=32, num_hidden_layers=3, vocab_size=10)
    config.get_text_config = lambda: config
    sampler._model = SimpleNamespace(device=torch.device("cuda"), dtype=torch.bfloat16, config=config)
    memory = {"mem_get_info": (10_000, 99_999), "memory_reserved": 7_000, "memory_allocated": 3_600}
    for name in memory:
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: memory[name])
    assert sampler.rows_at_once == 1024
    assert sampler._rows_that_fit(5) == 4  # 10,720 bytes / (5 x 384 + 400): as many keys as queries
    config.num_key_value_heads = 2
    assert sampler._rows_that_fit(5) == 7  # 10,720 / (5 x 192 + 400)
    config.head_dim = 16
    assert sampler._rows_that_fit(5) == 4  # 10,720 / (5 x 384 + 400)
    for free, rows in ((0, 1), (10**9, 1024)):
        memory["mem_get_info"] = (free, 0)
        memory["memory_reserved"] = 3_600
        assert sampler._rows_that_fit(5) == rows


def test_end_tokens_and_padding_of_a_model_that_names_none(model: Any, tokenizer: Any) -> None:
    bare, plain = copy.copy(model), copy.deepcopy(tokenizer)
    plain.pad_token = plain.eos_token = None
    for ends, found, pad in ((None, [], 0), ([9, 7], [7, 9], 7), (8, [8], 8)):
        bare.generation_config = None if ends is None else GenerationConfig(eos_token_id=ends)
        sampler = TransformersSampler(bare, plain)
        assert (sampler._ends, sampler._pad) == (found, pad)


def test_prompts_of_one_token(model: Any, tokenizer: Any, sampler: Any) -> None:
    greedy = Decoding(max_new_tokens=8, temperature=0.0)
    for prompts in ([[5]], [[5], sampler.encode_prompt(PROMPTS[0])]):
        found = _ids(TransformersSampler(model, tokenizer, batch_size=1).sample(prompts, greedy))
        assert found == _ids(sampler.sample(prompts, greedy))
        assert found[0][0] == _plain_greedy(model, [5], 8, tokenizer.eos_token_id)
    assert sampler.sample([], greedy) == [] and sampler.sample([[5]], LONG, n=0) == [[]]


def test_a_sliding_window(tokenizer: Any) -> None:
    """Layers that cannot be padded later: rows leave, others wait until all have left."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0, "bos_token_id": None}
    config = MistralConfig(vocab_size=len(tokenizer), sliding_window=8, num_key_value_heads=2, **shape, **ends)
    model = MistralForCausalLM(config).eval()
    plain = TransformersSampler(model, tokenizer, share_prompt=False).sample(PROMPTS, LONG, n=4)
    assert _ids(TransformersSampler(model, tokenizer, batch_size=6).sample(PROMPTS, LONG, n=4)) == _ids(plain)


def test_seeds(sampler: Any) -> None:
    torch.manual_seed(0)
    one = _ids(sampler.sample(PROMPTS, LONG, n=4))
    torch.manual_seed(1)  # the global generator plays no part, and is not moved
    state = torch.get_rng_state()
    assert _ids(sampler.sample(PROMPTS, LONG, n=4)) == one
    assert torch.equal(state, torch.get_rng_state())
    other = _ids(sampler.sample(PROMPTS, Decoding(max_new_tokens=24, seed=4), n=4))
    assert all(a != b for a, b in zip(one, other, strict=True))
    assert len(set(one[0])) == 4  # the samples of one prompt differ
    assert stream_key(3, [1, 2], 4) == 166246053622968051998787143541476025190  # as ever: runs are resumed
    assert len({stream_key(seed, ids, i) for seed in (0, 1) for ids in ([1], [1, 2]) for i in (0, 1)}) == 8


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.7)])
def test_tokens_come_with_the_models_probabilities(
    temperature: float, top_p: float, model: Any, tokenizer: Any, sampler: Any
) -> None:
    """4,000 first tokens against the softmax, worked out here: no hidden top-k, temperature before top-p."""
    prompt = sampler.encode_prompt(PROMPTS[0])
    decoding = Decoding(max_new_tokens=1, temperature=temperature, top_p=top_p)
    wide = TransformersSampler(model, tokenizer, batch_size=1000)
    drawn = [sample.ids[0] for sample in wide.sample([prompt], decoding, n=4000)[0]]
    with torch.no_grad():
        expected = (model(torch.tensor([prompt])).logits[0, -1].double() / temperature).softmax(-1)
    sorted_p, order = expected.sort(descending=True)
    kept = sorted_p.cumsum(0) - sorted_p < top_p
    expected[order[~kept]] = 0.0
    expected /= expected.sum()
    counts = collections.Counter(drawn)
    assert all(expected[token] > 0 for token in counts)
    observed = torch.tensor([counts.get(i, 0) / len(drawn) for i in range(len(expected))], dtype=torch.float64)
    error = (observed - expected).abs()
    assert bool((error < 5 * (expected * (1 - expected) / len(drawn)).sqrt() + 1e-3).all())


def test_ids_are_continued_as_they_are(model: Any, tokenizer: Any, sampler: Any) -> None:
    """Ids that the tokenizer would never write for this text: nothing is tokenized again."""
    odd = [tokenizer.convert_tokens_to_ids(piece) for piece in "Th"] + tokenizer("e dial")["input_ids"]
    assert sampler.encode(sampler.decode(odd)) != odd
    found = sampler.sample([odd], Decoding(max_new_tokens=12, temperature=0.0))[0][0]
    assert found.ids == _plain_greedy(model, odd, 12, tokenizer.eos_token_id)


def test_end_of_text_and_truncation(model: Any, tokenizer: Any) -> None:
    sampler = TransformersSampler(model, tokenizer)
    samples = sampler.sample(PROMPTS, Decoding(max_new_tokens=40), n=16)
    flat = [sample for row in samples for sample in row]
    finished = [sample for sample in flat if sample.finished]
    assert finished and len(finished) < len(flat)
    for sample in flat:
        assert (sample.ids[-1] == tokenizer.eos_token_id) == sample.finished
        assert tokenizer.eos_token_id not in sample.ids[:-1]
        assert sample.finished or len(sample.ids) == 40
        assert "<eos>" not in sample.text and "<pad>" not in sample.text
        assert sample.text == sampler.decode(sample.ids)


def test_stop_strings(sampler: Any) -> None:
    free = sampler.sample(PROMPTS, Decoding(max_new_tokens=40), n=8)
    long = free[0][0].text[8:14]  # lies across tokens
    strings = ("e", "a", long)
    stopped = sampler.sample(PROMPTS, Decoding(max_new_tokens=40, stop=strings), n=8)
    seen = set()
    for before, after in zip(chain(*free), chain(*stopped), strict=True):
        places = [(before.text.find(string), string) for string in strings if string in before.text]
        if not places:
            assert after == before
            continue
        place, string = min(places)
        assert after.text == before.text[:place]
        assert after.stop == string and after.finished
        assert after.ids == before.ids[: len(after.ids)]
        assert string in sampler.decode(after.ids) and string not in sampler.decode(after.ids[:-1])
        seen.add(string)
    assert seen == set(strings)


def test_a_stop_string_in_the_prompt_does_not_stop(sampler: Any) -> None:
    prompt = "The dial shows 1.\n"
    free = sampler.sample([prompt], Decoding(max_new_tokens=1), n=8)[0]
    stopped = sampler.sample([prompt], Decoding(max_new_tokens=1, stop=("1.\n",)), n=8)[0]
    assert [sample.ids for sample in stopped] == [sample.ids for sample in free]
    assert all(sample.stop is None for sample in stopped)


@pytest.mark.parametrize("pad", ["<eos>", None])
def test_a_row_that_a_stop_string_ended_is_padded_with_the_end_token(
    pad: str | None, model: Any, tokenizer: Any, sampler: Any
) -> None:
    """Many models pad with their end token: behind the stop string it is padding, before it the end."""
    stop = Decoding(max_new_tokens=40, stop=("e", "7"))
    expected = sampler.sample(PROMPTS, stop, n=8)
    other = copy.deepcopy(tokenizer)
    other.pad_token = pad
    assert TransformersSampler(model, other).sample(PROMPTS, stop, n=8) == expected
    ends = {(sample.stop, sample.ids[-1] == tokenizer.eos_token_id) for sample in chain(*expected) if sample.finished}
    assert ("e", False) in ends and ("7", False) in ends


def test_the_end_token_before_the_stop_string_ends_the_sample(sampler: Any, tokenizer: Any) -> None:
    """Of both in one row the first counts: what is written behind the end, for the other rows' sake, is no stop string."""
    end, (text, *_) = tokenizer.eos_token_id, tokenizer("The dial", add_special_tokens=False)["input_ids"]
    last = sampler.decode([text])[-1]
    rows = torch.tensor([[5, end, text, text], [5, text, text, text], [5, 6, 7, 8]])
    decoding = Decoding(max_new_tokens=3, stop=(last,))
    ends = RowEnds([0, 0, 0], decoding, [end], sampler.decode, 1, 9, lambda count: None, torch.device("cpu"))
    done = [ends(rows[:, :length], None).tolist() for length in (2, 3, 4)]  # type: ignore[arg-type]
    assert done == [[True, True, False], [True, True, False], [True, True, True]]
    assert ends.ends_B.tolist() == [1, 1, 3] and ends.stops == [False, True, False]
    ended = sampler._read(Row(0, 0, None, [text, end]), ("dial",))
    assert (ended.ids, ended.stop, ended.finished) == ((text, end), None, True)
    stopped = sampler._read(Row(0, 0, None, [text], at_stop_string=True), (last,))
    assert (stopped.ids, stopped.finished, stopped.stop) == ((text,), True, last)
    cut = sampler._read(Row(0, 0, None, [text, text]), ())
    assert (cut.ids, cut.stop, cut.finished) == ((text, text), None, False)


def test_the_models_own_generation_config_does_not_leak(model: Any, tokenizer: Any, sampler: Any) -> None:
    """And transformers has nothing to warn of."""
    told = logging.handlers.BufferingHandler(1000)
    logging.getLogger("transformers").addHandler(told)
    expected = _ids(sampler.sample(PROMPTS, LONG, n=2))
    own = model.generation_config
    kept = own.to_dict()
    try:
        own.temperature, own.top_k, own.top_p, own.do_sample, own.repetition_penalty = 0.1, 1, 0.1, True, 5.0
        own.no_repeat_ngram_size, own.num_beams = 1, 2
        assert _ids(TransformersSampler(model, tokenizer).sample(PROMPTS, LONG, n=2)) == expected
        assert not [record.getMessage() for record in told.buffer if "ignored" in record.getMessage()]
    finally:
        model.generation_config = GenerationConfig.from_dict(kept)
        logging.getLogger("transformers").removeHandler(told)


def test_training_mode_is_kept(model: Any, sampler: Any) -> None:
    model.train()
    sampler.sample(PROMPTS[:1], Decoding(max_new_tokens=1))
    assert model.training
    model.eval()


def test_a_prompt_is_encoded_as_trl_does_and_text_behind_it_without_special_tokens(tokenizer: Any) -> None:
    with_start = copy.deepcopy(tokenizer)
    with_start.bos_token = "9"  # any token: here it is written by hand, as by a template
    processor = TemplateProcessing(single="9 $A", special_tokens=[("9", with_start.bos_token_id)])
    with_start.backend_tokenizer.post_processor = processor
    plain = tokenizer("+7", add_special_tokens=False)["input_ids"]
    assert encode_prompt(with_start, "+7") == [with_start.bos_token_id, *plain]
    assert encode_prompt(with_start, "9+7") == tokenizer("9+7", add_special_tokens=False)["input_ids"]
    assert encode_prompt(with_start, plain) == plain
    mixin = TokenizerMixin()
    mixin._tokenizer = with_start
    assert mixin.encode("+7") == plain
    assert tokenizer.eos_token_id not in mixin.encode("<eos>")
    assert mixin.decode([tokenizer.eos_token_id, *plain]) == tokenizer.decode(plain)


def test_messages_need_a_template(model: Any, tokenizer: Any, sampler: Any) -> None:
    with pytest.raises(ConfigError, match="no chat template"):
        sampler.encode_prompt([{"role": "user", "content": "1+1"}])
    with pytest.raises(DataError, match="no token"):
        sampler.encode_prompt([])


@pytest.mark.parametrize(
    "wrong", [{"max_new_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"stop": ("",)}, {"stop": "abc"}]
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Decoding(**wrong)
