"""The engine for servers that speak OpenAI's protocol: hosted models, llama.cpp, transformers serve, SGLang, vLLM ..."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from .json_server import JSONServer
from .protocol import Decoding, Prompt, Sample, TokenizerMixin, Watch, first_of, stream_key

_HOW_TO_START = "start it, or correct base_url."


class OpenAISampler(TokenizerMixin):
    """
    Draws samples from any server with `/chat/completions` and `/completions`.

    Messages go to the first, which applies the server's own chat template; texts and token ids to the second. Only fields
    of OpenAI's protocol are sent. **What a request leaves out, the server fills in**: a top-k or a repetition penalty of
    its own, or of the model's `generation_config.json`, changes the samples; `generation_kwargs` sets it. A server that
    returns fewer samples than were asked for is asked again for the rest. Sample `i` of a prompt gets the seed `seed + i`;
    whether the server draws the same sample for it again is the server's affair.

    Annotation and tools continue token ids: they need a tokenizer, and a server that returns `token_ids` (vLLM, for which
    [`ServerSampler`] is the better choice).

    Args:
        base_url (`str`):
            Address of the server. `/v1` is added when it has no path.
        model (`str`):
            The name that the server knows the model by. Names in answers are not looked at.
        api_key (`str`, *optional*):
            Key for the server. If `None`, the environment's `OPENAI_API_KEY`, if set.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            For prompts that are continued by their ids. If `None`, that of `model`, when it is needed.
        concurrency (`int`, *optional*, defaults to `16`):
            Requests at a time.
        timeout (`float`, *optional*, defaults to `3600.0`):
            Seconds to wait for an answer.
        generation_kwargs (`dict`, *optional*):
            Put into each request as they are (`top_k`, `reasoning_effort` ...). `None` as a value leaves a field out.

    Raises:
        ConfigError: a setting that cannot work.

    Example:
    ```python
    from trl_dsmath import Solver
    from trl_dsmath.generation import OpenAISampler

    solver = Solver(OpenAISampler("http://localhost:8080", "qwen2.5-math"), n=8)
    ```
    """

    _engine = "openai"
    _setting = "base_url"

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        tokenizer: Any = None,
        concurrency: int = 16,
        timeout: float = 3600.0,
        generation_kwargs: dict[str, Any] | None = None,
        how_to_start: str = _HOW_TO_START,
    ) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, not {concurrency}.")
        key = os.environ.get("OPENAI_API_KEY") if api_key is None else api_key
        url = base_url if urlsplit(base_url).path.strip("/") else base_url.rstrip("/") + "/v1"
        self._server = JSONServer(url, self._setting, how_to_start, key, timeout)
        self._model = model
        self._tokenizer = tokenizer
        self._concurrency = concurrency
        self._generation_kwargs = dict(generation_kwargs or {})
        self._fewer = False  # whether it has returned fewer samples than were asked for

    @property
    def name(self) -> str:
        return f"{self._engine}:{self._model}"

    @property
    def rows_at_once(self) -> int:
        return self._concurrency

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            try:
                self._tokenizer = AutoTokenizer.from_pretrained(self._model)
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"Tools and annotation continue token ids, and there is no tokenizer for {self._model}: name a model "
                    "by folder or name on the hub, and use engine server with vLLM."
                ) from error
        return self._tokenizer

    def sample(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        """Draws samples; see [`Sampler.sample`].

        Raises:
            ConfigError: the server is gone, refuses the request, or returns nothing to continue from.
        """
        watch = watch or Watch()
        requests = [self._request(prompt, decoding) for prompt in prompts]
        starts = first_of(first, len(requests))
        draws = 1 if decoding.greedy else n  # some servers refuse several greedy samples
        found: list[dict[int, Sample]] = [{} for _ in requests]
        pool = ThreadPoolExecutor(max_workers=self._concurrency)
        under_way: dict[Future[list[Sample]], tuple[int, int, int]] = {}

        def submit(i: int, place: int, count: int) -> None:
            for at in range(place, place + count) if self._fewer else [place]:
                path, body = requests[i]
                many = 1 if self._fewer else count
                asked = {**body, "n": many, "seed": body["seed"] + starts[i] + at, **self._generation_kwargs}
                asked = {name: value for name, value in asked.items() if value is not None}
                under_way[pool.submit(self._draw, path, asked, many)] = (i, at, many)

        try:
            for i in range(len(requests)):
                submit(i, 0, draws)
            while under_way:
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    i, place, count = under_way.pop(future)
                    samples = future.result()
                    for at, sample in enumerate(samples, place):
                        for number in range(n) if decoding.greedy else [at]:
                            found[i][number] = sample
                            watch.on_sample(i, number, sample)
                        watch.on_tokens(sample.length)
                    if len(samples) < count:
                        self._fewer = True
                        submit(i, place + len(samples), count - len(samples))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [[samples[place] for place in range(n)] for samples in found]

    def _request(self, prompt: Prompt, decoding: Decoding) -> tuple[str, dict[str, Any]]:
        """Path and body for a prompt, with the seed of its sample 0."""
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "stop": list(decoding.stop) or None,
            # A signed 32-bit number with room: some servers read no more.
            "seed": stream_key(decoding.seed, list(json.dumps(prompt).encode()), 0) % 2**30,
        }
        if isinstance(prompt, str):
            return "/completions", {**body, "prompt": prompt}
        if prompt and isinstance(prompt[0], dict):
            return "/chat/completions", {**body, "messages": list(prompt)}
        return "/completions", {**body, "prompt": list(prompt), "return_token_ids": True}

    def _draw(self, path: str, body: dict[str, Any], n: int) -> list[Sample]:
        """The samples that one request brings, at least one and at most `n`."""
        answer = self._server.ask(path, body)
        try:
            choices = sorted(answer["choices"], key=lambda choice: choice.get("index") or 0)[:n]
            used = (answer.get("usage") or {}).get("completion_tokens")
            tokens = None if used is None else round(used / len(choices))
            samples = [self._read(choice, tokens, "return_token_ids" in body) for choice in choices]
        except (AttributeError, KeyError, TypeError, ZeroDivisionError):
            samples = []
        if not samples:
            raise ConfigError(f"{self._server.url}{path} answered with no completion: {json.dumps(answer)[:300]}")
        return samples

    def _read(self, choice: dict[str, Any], tokens: int | None, needs_ids: bool) -> Sample:
        finished = choice["finish_reason"] == "stop"
        if needs_ids:
            stop = choice.get("stop_reason")
            stop = stop if isinstance(stop, str) else None  # a number: the token that ended it
            ids = choice.get("token_ids")
            if ids is None:
                raise ConfigError(
                    f"{self._server.url} returns no token ids, which annotation and tools continue from: use a vLLM server "
                    "that TRL 1.14.2 or later supports (0.22 or later) with engine server, or engine transformers."
                )
            return Sample(choice["text"] if stop else self.decode(ids), tuple(ids), finished, stop)
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        return Sample(text or "", (), finished, tokens=tokens)
