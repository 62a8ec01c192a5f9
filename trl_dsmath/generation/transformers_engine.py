"""The transformers engine: the shared prompt is computed once for all of its samples."""

import inspect
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import DynamicCache, GenerationConfig, GenerationMixin, LogitsProcessorList, StoppingCriteriaList

from ..errors import ConfigError
from .memory import cache_bytes_per_token
from .protocol import Decoding, Prompt, Sample, TokenizerMixin, Watch, first_of, stream_key
from .transformers_hooks import RowEnds, SeededChoice
from .transformers_rows import CACHE, Row, Rows, joined

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS_ON_CPU = 64
FEW_ROWS_ON_CPU = 32  # from here on a row costs as much as the one before it
MOST_ROWS = 1024  # on a GPU; a 135M model decodes 1,024 rows of 96 tokens on an H100 in the time of 256
_SHARE_OF_FREE_MEMORY = 0.8
_LEAVE = 8  # when one row in so many has ended, the ended ones leave and others take their place
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
    starts from there. It is called for a part of the tokens at a time: in between, rows that have ended leave and samples
    that wait take their place, so that the rows computed are rows needed. `benchmarks/engine_speed.py` measures it against
    plain `generate`.

    Args:
        model ([`~transformers.PreTrainedModel`]):
            A causal language model, with or without a LoRA adapter. Its mode (training or not) is the same afterwards.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Its tokenizer; the side it pads on does not matter.
        batch_size (`int`, *optional*):
            Samples computed at a time. If `None`: 64 on a CPU; on a GPU as many as fit into 80 % of the free memory by
            the arithmetic of the cache, 1,024 at most.
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

    @property
    def rows_at_once(self) -> int:
        return min(self._batch_size or MOST_ROWS, FEW_ROWS_ON_CPU if self._model.device.type == "cpu" else MOST_ROWS)

    def sample(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        """Draws samples; see [`Sampler.sample`]."""
        watch = watch or Watch()
        ids = [self.encode_prompt(prompt) for prompt in prompts]
        draws = 1 if decoding.greedy else n
        found: list[dict[int, Sample]] = [{} for _ in ids]
        was_training = self._model.training
        self._model.eval()
        try:
            for row in self._rows(ids, first_of(first, len(ids)), draws, decoding, watch) if draws else ():
                sample = self._read(row, decoding.stop)
                for place in range(n) if decoding.greedy else [row.place]:
                    found[row.prompt][place] = sample
                    watch.on_sample(row.prompt, place, sample)
        finally:
            self._model.train(was_training)
        return [[samples[place] for place in range(n)] for samples in found]

    @torch.no_grad()
    def _rows(
        self, ids: list[list[int]], starts: list[int], draws: int, decoding: Decoding, watch: Watch
    ) -> Iterator[Row]:
        """The rows of all samples, each as it ends."""
        # Prompts of like length together, the longest first: little padding, and memory that is too small shows at once.
        order = deque(sorted(range(len(ids)), key=lambda i: -len(ids[i])))
        most = self._batch_size or (self._rows_that_fit(len(ids[order[0]]) + decoding.max_new_tokens) if order else 1)
        computed: Rows | None = None  # prompts, of which not all samples have begun
        waiting: deque[tuple[int, Row]] = deque()  # place among them, sample
        batch: Rows | None = None
        rows: list[Row] = []
        while order or waiting or rows:
            parts = [(batch, list(range(len(rows))))] if batch is not None else []
            while len(rows) < most and (order or waiting) and (not parts or parts[0][0].joins):
                if not waiting:
                    here = [order.popleft() for _ in range(min(len(order), -(-(most - len(rows)) // draws)))]
                    computed = None  # its memory first
                    computed = self._computed([ids[i] for i in here])
                    waiting.extend(
                        (place, Row(i, k, self._draws(decoding, ids[i], starts[i] + k)))
                        for place, i in enumerate(here)
                        for k in range(draws)
                    )
                begun = [waiting.popleft() for _ in range(min(len(waiting), most - len(rows)))]
                assert computed is not None
                parts.append((computed, [place for place, _ in begun]))
                rows += [row for _, row in begun]
            batch = joined(parts, self._pad) if len(parts) > 1 or parts[0][0] is not batch else batch
            batch = self._write(batch, rows, decoding, watch)
            going_on = [i for i, row in enumerate(rows) if not self._ended(row, decoding)]
            yield from (row for row in rows if self._ended(row, decoding))
            rows = [rows[i] for i in going_on]
            batch = joined([(batch, going_on)], self._pad) if rows else None

    def _draws(self, decoding: Decoding, ids: list[int], index: int) -> np.ndarray:
        """The random numbers of a sample."""
        key = stream_key(decoding.seed, ids, index)
        return np.random.Generator(np.random.Philox(key=key)).random(0 if decoding.greedy else decoding.max_new_tokens)

    def _computed(self, prompts: list[list[int]]) -> Rows:
        """Prompts, with keys and values of all their tokens but the last, which `generate` begins with."""
        longest = max(2, *map(len, prompts))
        device = self._model.device
        ids_BT = torch.tensor([[self._pad] * (longest - len(ids)) + ids for ids in prompts], device=device)
        mask_BT = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts], device=device)
        return Rows(ids_BT, mask_BT, self._prompt_cache(ids_BT, mask_BT) if self._share_prompt else None)

    def _prompt_cache(self, ids_BT: torch.Tensor, mask_BT: torch.Tensor) -> DynamicCache:
        cache = DynamicCache(config=self._model.config)
        mask_BT = mask_BT[:, :-1]
        positions_BT = (mask_BT.cumsum(dim=-1) - 1).clamp(min=0)
        self._model(
            input_ids=ids_BT[:, :-1],
            attention_mask=mask_BT,
            position_ids=positions_BT,
            use_cache=True,
            **{CACHE: cache, **self._one_logit},
        )
        return cache

    def _write(self, batch: Rows, rows: list[Row], decoding: Decoding, watch: Watch) -> Rows:
        """Writes until some rows have ended; the new tokens are put into the rows and the batch."""
        written = [len(row.ids) for row in rows]
        choose = LogitsProcessorList()
        if not decoding.greedy:
            draws = [row.draws[count:] for row, count in zip(rows, written, strict=True)]
            choose.append(SeededChoice(draws, decoding.temperature, decoding.top_p))
        length = batch.ids_BT.shape[1]
        enough = len(rows) if batch.cache is None else max(1, len(rows) // _LEAVE)
        ends = RowEnds(
            written, decoding, self._ends, self.decode, length, enough, watch.on_tokens, batch.ids_BT.device
        )
        config = GenerationConfig(
            max_new_tokens=decoding.max_new_tokens - min(written),
            do_sample=False,  # the choice above leaves one token
            num_beams=1,
            # Written out, because what is left out comes from the model's own generation_config.json, with a warning at least.
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
        given: dict[str, Any] = _OUR_OWN if batch.cache is None else {**_OUR_OWN, CACHE: batch.cache}
        out_BT = self._model.generate(
            input_ids=batch.ids_BT,
            attention_mask=batch.mask_BT,
            generation_config=config,
            logits_processor=choose,
            stopping_criteria=StoppingCriteriaList([ends]),
            synced_gpus=False,  # under ZeRO-3 the default waits for the other processes in each token; the model is whole
            **given,
        )
        ends.report()
        new = out_BT[:, length:].tolist()
        for row, ids, end, stop in zip(rows, new, ends.ends_B.tolist(), ends.stops, strict=True):
            row.ids += ids[: end or None]
            row.at_stop_string = stop
        ones_BT = batch.mask_BT.new_ones(len(rows), out_BT.shape[1] - length)
        return Rows(out_BT, torch.cat([batch.mask_BT, ones_BT], dim=1), batch.cache)

    def _ended(self, row: Row, decoding: Decoding) -> bool:
        return row.at_stop_string or row.ids[-1] in self._ends or len(row.ids) == decoding.max_new_tokens

    def _read(self, row: Row, stop: tuple[str, ...]) -> Sample:
        """The sample of a row that has ended; a stop string is cut off its text."""
        text, ids = self.decode(row.ids), tuple(row.ids)
        if ids[-1] in self._ends or not row.at_stop_string:
            return Sample(text, ids, finished=ids[-1] in self._ends)
        place, found = min((text.find(string), string) for string in stop if string in text)
        return Sample(text[:place], ids, finished=True, stop=found)

    def _rows_that_fit(self, tokens: int) -> int:
        """How many rows of this many tokens fit into memory, by the size of the cache and of the scores."""
        device = self._model.device
        if device.type != "cuda":
            return ROWS_ON_CPU
        config = self._model.config
        scores = 40 * config.get_text_config().vocab_size  # as floats and doubles
        row_bytes = cache_bytes_per_token(config, self._model.dtype.itemsize) * tokens + scores
        free = torch.cuda.mem_get_info(device)[0]
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(max(1, min(MOST_ROWS, _SHARE_OF_FREE_MEMORY * free // row_bytes)))
