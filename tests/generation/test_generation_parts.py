"""Keys of random streams, requests that are tried again, memory in words, number formats: without a model."""

import io
import json
import urllib.error
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Decoding, Program, Sample, SamplerConfig, json_server, loading, memory
from trl_dsmath.generation.json_server import JSONServer
from trl_dsmath.generation.loading import near_folders
from trl_dsmath.generation.memory import GIB, ModelMemory
from trl_dsmath.generation.protocol import encode_prompt, first_of, stream_key


def test_a_stream_has_the_same_key_in_every_version() -> None:
    """A run that was stopped goes on with the samples that it would have drawn."""
    assert stream_key(5, [1, 2, 300], 7) == 19148676014949430331942543631693173904
    keys = {
        stream_key(*one) for one in ((0, [1], 0), (1, [1], 0), (0, [2], 0), (0, [1], 1), (0, [1, 1], 0), (0, [], 0))
    }
    assert len(keys) == 6
    assert first_of(3, 2) == [3, 3] and first_of((1, 5), 2) == [1, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, not 0"),
        ({"temperature": -0.1}, "temperature must be 0"),
        ({"temperature": float("inf")}, "temperature must be 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.01}, "top_p must be above 0"),
        ({"stop": "x"}, "must be a tuple"),
        ({"stop": ("x", "")}, "must be a tuple"),
    ],
)
def test_decodings_that_cannot_work(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Decoding(**settings)


def test_small_parts() -> None:
    assert Decoding(1, 0.0, 1.0).greedy and not Decoding(temperature=0.01).greedy
    assert Program("", "1\n 2 \n").answer == "2" and Program("", "1", "error").answer is None
    assert Program("", "1", None, True).answer is None
    assert Sample("", (1, 2), True).length == 2 and Sample("", (), True, tokens=5).length == 5
    assert Sample("", (1, 2), True, tokens=0).length == 0


def test_how_a_prompt_is_encoded() -> None:
    asked: list = []

    def tokenizer(text: str, add_special_tokens: bool) -> dict:
        asked.append((text, add_special_tokens))
        return {"input_ids": [1] * len(text)}

    tokenizer.bos_token, tokenizer.chat_template = "<s>", None
    assert encode_prompt(tokenizer, "ab") == [1, 1] and encode_prompt(tokenizer, "<s>a") == [1] * 4
    assert asked == [("ab", True), ("<s>a", False)] and encode_prompt(tokenizer, (5, 6)) == [5, 6]
    tokenizer.bos_token = None
    encode_prompt(tokenizer, "None")
    assert asked[-1] == ("None", True)
    for prompt in ("", []):
        with pytest.raises(DataError, match="has no token"):
            encode_prompt(tokenizer, prompt)
    with pytest.raises(ConfigError, match="no chat template"):
        encode_prompt(tokenizer, [{"role": "user", "content": "a"}])


class Answers:
    """What a server answers in turn: bytes, a status with its headers, or an exception; the pauses between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.left, self.pauses, self.requests = list(answers), [], []
        monkeypatch.setattr(json_server, "_open", self.open)
        monkeypatch.setattr(json_server.time, "sleep", self.pauses.append)
        monkeypatch.setattr(json_server.random, "random", lambda: 1.0)

    def open(self, request: Any, timeout: float) -> Any:
        self.requests.append(
            (request.get_method(), request.full_url, request.data, timeout, dict(request.header_items()))
        )
        answer = self.left.pop(0)
        if isinstance(answer, bytes):
            return io.BytesIO(answer)
        if isinstance(answer, Exception):
            raise answer
        code, headers, *body = answer
        message = Message()
        for name, value in headers.items():
            message[name] = value
        raise urllib.error.HTTPError(request.full_url, code, "", message, io.BytesIO(*body or [b" why \n"]))


def test_a_busy_server_is_asked_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(
        monkeypatch,
        (503, {}),
        (429, {"Retry-After": "7"}),
        (500, {"Retry-After": "1000"}),
        b"no JSON",
        (502, {}),
        b'{"a": 1}',
    )
    server = JSONServer("http://host/v1/", "base_url", "start one.", "secret", timeout=9.0)
    assert server.ask("/x", {"b": 2}) == {"a": 1}
    # 1, then as asked, at most a minute; 8 and 16 by its own count; a quarter more at most, so that threads spread.
    assert answers.pauses == [1.25, 8.75, 75.0, 10.0, 20.0]
    method, url, data, timeout, headers = answers.requests[0]
    assert (method, url, json.loads(data), timeout) == ("POST", "http://host/v1/x", {"b": 2}, 9.0)
    assert headers["Authorization"] == "Bearer secret" and headers["Content-type"] == "application/json"
    answers = Answers(monkeypatch, b"[]")
    assert JSONServer("https://host", "base_url", "").ask("/models") == [] and answers.requests[0][0] == "GET"
    assert "Authorization" not in answers.requests[0][4]


def test_when_a_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def server() -> JSONServer:
        return JSONServer("http://host", "base_url", "start one.")

    answers = Answers(monkeypatch, *[(503, {})] * 6)
    with pytest.raises(ConfigError, match=r"http://host/x answered 503: why$"):
        server().ask("/x")
    assert answers.pauses == [1.25, 2.5, 5.0, 10.0, 20.0]
    for code, said in ((401, "why Set OPENAI_API_KEY"), (403, "why Set OPENAI_API_KEY"), (400, "why$")):
        answers = Answers(monkeypatch, (code, {}))
        with pytest.raises(ConfigError, match=f"answered {code}: {said}"):
            server().ask("/x")
        assert not answers.pauses
    Answers(monkeypatch, (400, {}, b"x" * 600))
    with pytest.raises(ConfigError, match=f"answered 400: {'x' * 500}$"):
        server().ask("/x")
    refused = urllib.error.URLError("refused")
    answers = Answers(monkeypatch, refused)
    with pytest.raises(ConfigError, match=r"http://host does not answer \(.*refused.*\): start one\."):
        server().ask("/x")  # who never answered is not waited for
    assert not answers.pauses
    answers, known = Answers(monkeypatch, b"{}", *[refused] * 6), server()
    assert known.ask("/x") == {}
    with pytest.raises(ConfigError, match="does not answer"):
        known.ask("/x")
    assert len(answers.pauses) == 5
    for url in ("host:80", "ftp://host", "http://", ""):
        with pytest.raises(ConfigError, match="base_url must begin with http"):
            JSONServer(url, "base_url", "")


def _counted(weights: float, cache: int = 2**20, **changes: Any) -> ModelMemory:
    return ModelMemory(1_500_000_000, int(weights * GIB), cache, torch.bfloat16, None, **changes)


def test_memory_in_words() -> None:
    counted = _counted(2.5)
    assert counted.report(1024, 2) == (
        "1.50 B parameters, weights 2.50 GiB (bfloat16); cache 1024 KiB per token, 2.00 GiB for 2 sequences of 1,024 tokens"
    )
    assert counted.report(10, 1).endswith("1 sequence of 10 tokens")
    assert (
        ModelMemory(10**9, GIB, 1024, torch.float32, "8bit")
        .report(1, 1)
        .startswith("1.00 B parameters, weights 1.00 GiB (8bit);")
    )
    assert [counted.rows_that_fit(free * GIB, 1024) for free in (2.0, 2.5, 3.49, 3.5, 5.6)] == [0, 0, 0, 1, 3]


@pytest.mark.parametrize(
    ("free", "tokens", "said"),
    [
        (
            100,
            None,
            ["1.50 B parameters, weights 2.00 GiB (bfloat16); cache 1024 KiB per token; 100.0 GiB free in memory"],
        ),
        (6, 1024, ["4.00 GiB for 4 sequences of 1,024 tokens; 6.0 GiB free in memory"]),
        (
            5.5,
            1024,
            ["; 5.5 GiB free in memory", "all 4 sequences do not fit at once: about 3 at a time (batch_size sets it)"],
        ),
        (
            2.5,
            1024,
            ["; 2.5 GiB free in memory", "all 4 sequences do not fit at once: about 1 at a time (batch_size sets it)"],
        ),
    ],
)
def test_what_is_told_of_memory(
    free: float, tokens: int | None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "model_memory", lambda *_: _counted(2.0))
    monkeypatch.setattr(memory, "free_memory", lambda device: free * GIB)
    told: list[str] = []
    loading._check_memory(SamplerConfig("m"), SimpleNamespace(), torch.bfloat16, "cpu", tokens, 4, told.append)
    assert len(told) == len(said) and all(line.endswith(end) for line, end in zip(told, said, strict=True))


def test_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {None: 4.0, "8bit": 2.0, "4bit": 1.0, "4bit-double": 1.0}
    monkeypatch.setattr(memory, "model_memory", lambda shape, dtype, kind, remote: _counted(sizes[kind]))
    monkeypatch.setattr(memory, "free_memory", lambda device: 1.5 * GIB if device == "cuda" else 0.5 * GIB)

    def check(device: str = "cuda", shape: Any = None, **settings: Any) -> None:
        loading._check_memory(
            SamplerConfig("m", **settings), shape or SimpleNamespace(), torch.bfloat16, device, 10, 1, None
        )

    with pytest.raises(
        ConfigError,
        match=r"take 4\.0 GiB and 1\.5 GiB are free on the GPU\. load_in_8bit takes 2\.0 GiB; load_in_4bit takes 1\.0 GiB; or",
    ):
        check()
    with pytest.raises(ConfigError, match=r"take 2\.0 GiB and .* GPU\. load_in_4bit takes 1\.0 GiB; or choose"):
        check(load_in_8bit=True)
    with pytest.raises(ConfigError, match=r"0\.5 GiB are free in memory\. or choose a smaller model"):
        check("cpu", load_in_4bit=True)
    check(load_in_4bit=True)
    check(device_map="auto")  # transformers spreads it
    check(shape=SimpleNamespace(quantization_config={"bits": 4}))  # saved quantized: its size is not known


@pytest.mark.parametrize(
    ("settings", "saved", "on_gpu", "fast", "free", "expected"),
    [
        ({}, torch.float16, True, True, 100, torch.bfloat16),
        ({"load_in_8bit": True}, torch.float16, False, True, 100, torch.bfloat16),
        ({}, torch.float16, False, True, 100, torch.float16),
        ({}, None, False, True, 100, torch.float32),
        ({"dtype": "float16"}, torch.bfloat16, False, False, 100, torch.float16),
        ({"dtype": "bf16"}, torch.float32, True, True, 100, torch.bfloat16),
        ({"dtype": "auto"}, torch.bfloat16, False, False, 100, torch.bfloat16),
        # bfloat16 is slow on this CPU: float32 where it takes less than half of the memory.
        ({}, torch.bfloat16, False, True, 100, torch.bfloat16),
        ({}, torch.bfloat16, False, False, 4.1, torch.float32),
        ({}, torch.bfloat16, False, False, 4.0, torch.bfloat16),
    ],
)
def test_number_formats(
    settings: dict, saved: Any, on_gpu: bool, fast: bool, free: float, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "fast_bf16", lambda: fast)
    monkeypatch.setattr(memory, "model_memory", lambda *_: _counted(2.0))
    monkeypatch.setattr(memory, "free_memory", lambda device: free * GIB)
    assert loading._dtype(SamplerConfig("m", **settings), SimpleNamespace(dtype=saved), on_gpu) is expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"concurrency": 0}, "concurrency must be at least 1, not 0"),
        ({"engine": "openai", "generation_kwargs": "[1]"}, "generation_kwargs must be a mapping"),
        ({"engine": "openai", "generation_kwargs": "{"}, "generation_kwargs must be a mapping"),
        ({"generation_kwargs": {"a": 1}}, "use engine server or openai"),
        ({"base_url": "http://x"}, "base_url is for engine openai"),
        ({"engine": "server", "base_url": "http://x"}, "base_url is for engine openai"),
        ({"engine": "server", "load_in_8bit": True}, "engine server takes whole models"),
    ],
)
def test_settings_that_cannot_work(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SamplerConfig("m", **settings)


def test_settings_that_work() -> None:
    kinds = ({}, {"load_in_8bit": True}, {"load_in_4bit": True}, {"load_in_4bit": True, "use_bnb_nested_quant": False})
    assert [SamplerConfig("m", **kind).quantization for kind in kinds] == [None, "8bit", "4bit-double", "4bit"]
    assert SamplerConfig("m", engine="server", generation_kwargs='{"a": 1}', batch_size=1).generation_kwargs == {
        "a": 1
    }
    assert SamplerConfig("m", engine="openai", base_url="http://x", concurrency=1).concurrency == 1


def test_folders_with_a_name_like_it(tmp_path: Path) -> None:
    for name in ("runs/sft-math", "runs/prm", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "runs/sft-mathx").touch()  # a file is no folder
    assert near_folders(f"{tmp_path}/runs/sft-mth") == [f"{tmp_path}/runs/sft-math"]
    assert (
        near_folders(f"{tmp_path}/run/sft-math/x") == [f"{tmp_path}/runs"] and near_folders(f"{tmp_path}/zzzz") == []
    )
    for name, raised, said in (
        (
            f"{tmp_path}/runs/prn",
            OSError("x"),
            r"no such folder; an earlier stage makes it \(did you mean .*/runs/prm\?\)",
        ),
        (f"{tmp_path}/zzzz", OSError("x"), "cannot be loaded: there is no such folder$"),
        ("owner/name", ValueError(" first line\nsecond"), "The model owner/name cannot be loaded: first line$"),
    ):
        with pytest.raises(ConfigError, match=said), loading.model_errors(name):
            raise raised


def test_tied_heads_and_other_shapes_by_hand() -> None:
    shape = {
        "vocab_size": 100,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    }
    assert memory.model_memory(LlamaConfig(**shape)).cache_bytes_per_token == 2 * 3 * 4 * 16 * 2
    wide = LlamaConfig(**shape, num_key_value_heads=1, head_dim=32)
    assert memory.model_memory(wide, torch.float32).cache_bytes_per_token == 2 * 3 * 1 * 32 * 4
    linear = torch.nn.Linear(65, 3)  # 195 weights: four blocks of 64, three rows
    assert memory._quantized_bytes(linear, "8bit") == 195 + 12
    assert memory._quantized_bytes(linear, "4bit") == 97 + 16 + 64
    assert memory._quantized_bytes(linear, "4bit-double") == 97 + 4 + 4 + 4 + 1024 + 64
    assert 0 < memory.free_memory("cpu") < 2**50
