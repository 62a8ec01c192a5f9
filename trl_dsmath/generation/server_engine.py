"""The server engine: the same protocol over HTTP, for a vLLM server on this or another machine.

TRL's own client (`trl.generation.vllm_client.VLLMClient`) is not used: it cannot be made where vLLM is not installed, and
its `generate` sends one seed for all prompts and drops what ended a sample. The endpoint and the fields are the same ones.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from .protocol import Decoding, Prompt, Sample, TokenizerMixin, first_of, stream_key

_TRIES = 3
_TRY_AGAIN = (500, 502, 503)


class ServerSampler(TokenizerMixin):
    """
    Draws samples from `trl vllm-serve --model MODEL`, or `vllm serve MODEL`, which is the same server since TRL 1.14.

    A request holds one prompt, as token ids, and asks for its `n` samples; the server computes the prompt once. Sample
    `i` gets the seed `seed + i` there, as with [`VLLMSampler`], so batches and resumed runs ask for the samples that are
    missing. What does not hold: the samples are not those of the other engines, and a server with other requests beside
    these, another batch size or another GPU computes probabilities that differ in the last bits, so samples can differ
    from run to run. Not run against a real server where this was written: no GPU, no vLLM.

    Args:
        url (`str`, *optional*, defaults to `"http://localhost:8000"`):
            Where the server listens.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Turns prompts into ids. If `None`, that of the model that the server names.
        concurrency (`int`, *optional*, defaults to `64`):
            Requests at a time.
        timeout (`float`, *optional*, defaults to `3600.0`):
            Seconds to wait for an answer.
        generation_kwargs (`dict`, *optional*):
            Put into each request as they are (`logit_bias`, `min_tokens` ...), as with TRL's option of that name.
        model (`str`, *optional*):
            Name or folder of the model that the server should have, compared by its last part, since folders may differ
            from machine to machine. If `None`, whatever it has.

    Raises:
        ConfigError: nothing listens there, it is not such a server, or it has another model.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        tokenizer: Any = None,
        concurrency: int = 64,
        timeout: float = 3600.0,
        generation_kwargs: dict[str, Any] | None = None,
        model: str | None = None,
    ) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, not {concurrency}.")
        if not url.startswith(("http://", "https://")):
            raise ConfigError(
                f"The server's address is {url!r}: vllm_server_base_url must begin with http:// or https://."
            )
        self._url = url.rstrip("/")
        self._concurrency = concurrency
        self._timeout = timeout
        self._generation_kwargs = dict(generation_kwargs or {})
        try:
            served = self._ask("/v1/models")["data"][0]
            self._model, self.context_length = str(served["id"]), served.get("max_model_len")
        except (KeyError, IndexError, TypeError) as error:
            raise ConfigError(f"{self._url} is not a vLLM server: {_HOW_TO_START}") from error
        root = str(served.get("root") or self._model)
        if model and Path(model).name not in {Path(self._model).name, Path(root).name}:
            raise ConfigError(
                f"{self._url} serves {self._model}, not {model}: name that model, or start another server."
            )
        if tokenizer is None:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(root)
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        return f"vllm-serve:{self._model}"

    def sample(
        self, prompts: Sequence[Prompt], decoding: Decoding, n: int = 1, first: int | Sequence[int] = 0
    ) -> list[list[Sample]]:
        """Draws samples; see [`Sampler.sample`].

        Raises:
            ConfigError: the server is gone, refuses the request, or is too old.
            DataError: a prompt leaves no room for a token.
        """
        ids = [self.encode_prompt(prompt) for prompt in prompts]
        draws = 1 if decoding.greedy else n  # vLLM refuses several greedy samples
        bodies = [
            self._body(prompt, start, draws, decoding)
            for prompt, start in zip(ids, first_of(first, len(ids)), strict=True)
        ]
        with ThreadPoolExecutor(max_workers=max(1, min(self._concurrency, len(bodies)))) as pool:
            answers = list(pool.map(lambda body: self._ask("/v1/completions", body), bodies))
        drawn = [[self._read(choice) for choice in self._choices(answer, draws)] for answer in answers]
        return [samples * n for samples in drawn] if decoding.greedy else drawn

    def _body(self, ids: list[int], start: int, n: int, decoding: Decoding) -> dict[str, Any]:
        room = decoding.max_new_tokens
        if self.context_length:  # a longer request is refused as a whole
            room = min(room, self.context_length - len(ids))
        if room < 1:
            raise DataError(
                f"A prompt has {len(ids)} tokens, and the server reads {self.context_length}: shorten it, or start the server "
                "with a larger --max_model_len."
            )
        return {
            "model": self._model,
            "prompt": ids,
            "n": n,
            "max_tokens": room,
            "temperature": decoding.temperature,
            # Written out, because what is left out comes from the model's own generation_config.json.
            "top_p": decoding.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "stop": list(decoding.stop),
            "seed": stream_key(decoding.seed, ids, 0) % 2**62 + start,  # a signed 64-bit number with room
            "return_token_ids": True,
            **self._generation_kwargs,
        }

    def _choices(self, answer: Any, n: int) -> list[dict[str, Any]]:
        choices = sorted(answer["choices"], key=lambda choice: choice["index"])
        if len(choices) != n or any(choice.get("token_ids") is None for choice in choices):
            raise ConfigError(
                f"{self._url} returned {len(choices)} samples of {n}, or none of their token ids: use a vLLM that TRL "
                "1.14.2 or later supports (0.22 or later)."
            )
        return choices

    def _read(self, choice: dict[str, Any]) -> Sample:
        stop = choice.get("stop_reason")
        stop = stop if isinstance(stop, str) else None  # a number: the token that ended it
        ids = tuple(choice["token_ids"])
        text = choice["text"] if stop else self.decode(ids)
        return Sample(text, ids, finished=choice["finish_reason"] == "stop", stop=stop)

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST with a body; tried again when the server stumbles, which changes nothing: requests have seeds."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"})
        for attempt in range(_TRIES):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                if error.code not in _TRY_AGAIN or attempt + 1 == _TRIES:
                    said = error.read().decode(errors="replace").strip()[:500]
                    raise ConfigError(f"{self._url}{path} answered {error.code}: {said}") from error
            except (OSError, ValueError) as error:  # refused, reset, timed out; or no JSON
                if attempt + 1 == _TRIES:
                    raise ConfigError(f"{self._url} does not answer ({error}): {_HOW_TO_START}") from error
            time.sleep(2**attempt)


_HOW_TO_START = "start one with `trl vllm-serve --model MODEL` and give its address."
