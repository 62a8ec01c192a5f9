"""The transformers engine: the shared prompt is computed once for all of its samples."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache, GenerationConfig, GenerationMixin, LogitsProcessorList, StoppingCriteriaList
from transformers.generation import TemperatureLogitsWarper, TopPLogitsWarper

from ..errors import ConfigError
from .protocol import Decoding, Prompt, Sample, TokenizerMixin, first_of, stream_key
from .transformers_hooks import SeededChoice, StopStrings, repeated

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS_ON_CPU = 64
MOST_ROWS = 256  # on a GPU with room for more; decoding hardly gets faster beyond it
_SHARE_OF_FREE_MEMORY = 0.8
# transformers 4 takes what is left at its default from the model's generation_config.json, unless it is told not to.
_OUR_OWN = (
    {"use_model_defaults": False}
    if "use_model_defaults" in inspect.signature(GenerationMixin.generate).parameters
    else {}
)


class TransformersSampler(TokenizerMixin):
    """
    Draws samples with `generate`, without a server.

    The prompt is computed once, its key-value cache is repeated for the samples with room for new tokens, and `generate`
    starts from there. `benchmarks/self_consistency.py` measures it against one call per sample: 64 samples of a 10M model
    on a CPU took an eighth of the time after a prompt of 128 tokens, a tenth after 1,024.

    Args:
        model ([`~transformers.PreTrainedModel`]):
            A causal language model, with or without a LoRA adapter. Its mode (training or not) is the same afterwards.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Its tokenizer; the side it pads on does not matter.
        batch_size (`int`, *optional*):
            Samples computed at a time. If `None`: 64 on a CPU; on a GPU as many as fit into 80 % of the free memory by
            the arithmetic of the cache, 256 at most.
        share_prompt (`bool`, *optional*, defaults to `True`):
            Whether to compute a prompt once for its samples. Switch it off for models that do not work with
            [`~transformers.DynamicCache`] (state-space models).
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        batch_size: int | None = None,
        share_prompt: bool = True,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {batch_size}.")
        self._model: Any = model
        self._tokenizer = tokenizer
        self._batch_size = batch_size
        base = getattr(model, "get_base_model", lambda: model)()  # under a LoRA adapter
        self._one_logit = (
            {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(base.forward).parameters else {}
        )
        self._share_prompt = share_prompt
        self.context_length = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        ends = model.generation_config.eos_token_id if model.generation_config is not None else None
        ends = ends if isinstance(ends, list) else [ends]
        self._ends = sorted({end for end in [*ends, tokenizer.eos_token_id] if end is not None})
        pad = tokenizer.pad_token_id
        self._pad = pad if pad is not None else (self._ends or [0])[0]

    @property
    def name(self) -> str:
        return f"transformers:{self._model.config._name_or_path}"

    def sample(
        self, prompts: Sequence[Prompt], decoding: Decoding, n: int = 1, first: int | Sequence[int] = 0
    ) -> list[list[Sample]]:
        """Draws samples; see [`Sampler.sample`]."""
        ids = [self.encode_prompt(prompt) for prompt in prompts]
        starts = first_of(first, len(ids))
        draws = 1 if decoding.greedy else n
        found: list[list[Sample]] = [[] for _ in ids]
        was_training = self._model.training
        self._model.eval()
        try:
            # Prompts of like length together, the longest first: little padding, and memory that is too small shows at once.
            order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
            while order:
                rows = self._batch_size or self._rows_that_fit(len(ids[order[0]]) + decoding.max_new_tokens)
                here, order = order[: max(1, rows // draws)], order[max(1, rows // draws) :]
                drawn = self._sample_together([ids[i] for i in here], [starts[i] for i in here], draws, rows, decoding)
                for i, samples in zip(here, drawn, strict=True):
                    found[i] = samples * n if decoding.greedy else samples
        finally:
            self._model.train(was_training)
        return found

    @torch.no_grad()
    def _sample_together(
        self, prompts: list[list[int]], starts: list[int], n: int, rows: int, decoding: Decoding
    ) -> list[list[Sample]]:
        """Samples of a few prompts; one prompt with more samples than `rows` is divided after it was computed."""
        longest = max(map(len, prompts))
        device = self._model.device
        padded = [[self._pad] * (longest - len(ids)) + ids for ids in prompts]
        ids_BT = torch.tensor(padded, device=device)
        mask_BT = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        prompt_cache = self._prompt_cache(ids_BT, mask_BT) if self._share_prompt and longest > 1 else None
        found: list[list[Sample]] = [[] for _ in prompts]
        most = max(1, rows // len(prompts))
        for begin in range(0, n, most):
            count = min(most, n - begin)
            cache = None if prompt_cache is None else repeated(prompt_cache, count)
            keys = [
                stream_key(decoding.seed, ids, start + begin + i)
                for ids, start in zip(prompts, starts, strict=True)
                for i in range(count)
            ]
            drawn = self._generate(
                ids_BT.repeat_interleave(count, dim=0), mask_BT.repeat_interleave(count, dim=0), cache, keys, decoding
            )
            for row, sample in enumerate(drawn):
                found[row // count].append(sample)
        return found

    def _prompt_cache(self, ids_BT: torch.Tensor, mask_BT: torch.Tensor) -> DynamicCache:
        """Keys and values of all prompt tokens but the last, which `generate` begins with."""
        cache = DynamicCache(config=self._model.config)
        mask_BT = mask_BT[:, :-1]
        positions_BT = (mask_BT.cumsum(dim=-1) - 1).clamp(min=0)
        self._model(
            input_ids=ids_BT[:, :-1],
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=cache,
            use_cache=True,
            **self._one_logit,
        )
        return cache

    def _generate(
        self,
        ids_BT: torch.Tensor,
        mask_BT: torch.Tensor,
        cache: DynamicCache | None,
        keys: list[int],
        decoding: Decoding,
    ) -> list[Sample]:
        choose = LogitsProcessorList()
        if not decoding.greedy:
            if decoding.temperature != 1:
                choose.append(TemperatureLogitsWarper(decoding.temperature))
            if decoding.top_p < 1:
                choose.append(TopPLogitsWarper(decoding.top_p))
            choose.append(SeededChoice(keys, decoding.max_new_tokens))
        length = ids_BT.shape[1]
        stop = StopStrings(decoding.stop, self.decode, len(keys), length) if decoding.stop else None
        config = GenerationConfig(
            max_new_tokens=decoding.max_new_tokens,
            do_sample=False,  # the choice above leaves one token
            num_beams=1,
            # Written out, because what is left out comes from the model's own generation_config.json.
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            use_cache=True,
            pad_token_id=self._pad,
            eos_token_id=self._ends or None,
            return_dict_in_generate=False,
        )
        given: dict[str, Any] = _OUR_OWN if cache is None else {**_OUR_OWN, "past_key_values": cache}
        out_BT = self._model.generate(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            generation_config=config,
            logits_processor=choose,
            stopping_criteria=StoppingCriteriaList([stop] if stop else []),
            synced_gpus=False,  # under ZeRO-3 the default waits for the other processes in each token; the model is whole
            **given,
        )
        stop_ends = stop.ends if stop else [None] * len(keys)
        return [
            self._read(ids, stop_end, decoding.stop)
            for ids, stop_end in zip(out_BT[:, length:].tolist(), stop_ends, strict=True)
        ]

    def _read(self, ids: list[int], stop_end: int | None, stop: tuple[str, ...]) -> Sample:
        """Cuts the padding off a row, and the stop string off its text."""
        end = next((i + 1 for i, token in enumerate(ids[:stop_end]) if token in self._ends), None)
        if end is not None:
            return Sample(self.decode(ids[:end]), tuple(ids[:end]), finished=True)
        text = self.decode(ids[:stop_end])
        if stop_end is None:
            return Sample(text, tuple(ids), finished=False)
        place, found = min((text.find(string), string) for string in stop if string in text)
        return Sample(text[:place], tuple(ids[:stop_end]), finished=True, stop=found)

    def _rows_that_fit(self, tokens: int) -> int:
        """How many rows of this many tokens fit into memory, by the size of the cache and of the scores."""
        device = self._model.device
        if device.type != "cuda":
            return ROWS_ON_CPU
        config = self._model.config.get_text_config()
        heads = config.num_attention_heads
        head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
        kept = 2 * config.num_hidden_layers * (getattr(config, "num_key_value_heads", None) or heads) * head_size
        row_bytes = (
            kept * self._model.dtype.itemsize * tokens + 40 * config.vocab_size
        )  # scores, as floats and doubles
        free = torch.cuda.mem_get_info(device)[0]
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(max(1, min(MOST_ROWS, _SHARE_OF_FREE_MEMORY * free // row_bytes)))
