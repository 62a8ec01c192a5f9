"""The engine for OpenAI's protocol against a listener on 127.0.0.1: what is sent, faults of servers, and two real servers.

The real servers are run where they are installed: `transformers serve` (transformers[serving]) here, and
llama-cpp-python[server] where DSMATH_TEST_GGUF names a model for it.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import Decoding, OpenAISampler, SamplerConfig, Watch, load_sampler
from trl_dsmath.generation.protocol import stream_key

CHAT = [{"role": "user", "content": "2+3?"}]
DECODING = Decoding(max_new_tokens=16, temperature=0.7, top_p=0.9, stop=("\n\n",), seed=3)
URL = "http://127.0.0.1:9"  # where nobody listens
Answer = tuple[int, Any, dict[str, str]]


class Listener(ThreadingHTTPServer):
    """Answers as `respond(number of the request, path, body)` says; a body that is no dict is sent as it is."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[tuple[str, dict[str, Any], str | None]] = []
        self.respond: Callable[[int, str, dict[str, Any]], Answer] = lambda i, path, body: chat(body["n"])


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(500, {"error": "no hub cache"}, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body, self.headers["Authorization"]))
        self._answer(*self.server.respond(len(self.server.seen) - 1, self.path, body))

    def _answer(self, status: int, body: Any, headers: dict[str, str]) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)


def chat(count: int, text: str = "5", reason: str = "stop", **more: Any) -> Answer:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": f"{text}{i}"}, "finish_reason": reason}
        for i in range(count)
    ]
    return 200, {"model": "some/model@main", "choices": choices[::-1], **more}, {}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = Listener()
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("trl_dsmath.generation.json_server.time.sleep", found.append)
    monkeypatch.setattr("random.random", lambda: 0.0)
    return found


def test_only_fields_of_the_protocol_are_sent(server: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    sampler = OpenAISampler(server.url, "some/model")
    assert sampler.name == "openai:some/model" and sampler.context_length is None
    (drawn,) = sampler.sample([CHAT], DECODING, n=2)
    path, body, authorization = server.seen[0]
    assert path == "/v1/chat/completions" and authorization == "Bearer sk-test"
    seed = body.pop("seed")
    assert seed == stream_key(3, list(json.dumps(CHAT).encode()), 0) % 2**30  # as ever: runs are resumed
    assert body == {
        "model": "some/model",
        "messages": CHAT,
        "n": 2,
        "max_tokens": 16,
        "temperature": 0.7,
        "top_p": 0.9,
        "stop": ["\n\n"],
    }
    assert [sample.text for sample in drawn] == ["50", "51"]  # by their index; the model's name has @main added
    assert all(sample.finished and sample.ids == () and sample.length == 0 for sample in drawn)
    sampler.sample([CHAT], DECODING, n=1, first=4)
    assert server.seen[1][1]["seed"] == seed + 4  # as for the fifth sample of one call


def test_texts_and_lengths(server: Listener) -> None:
    server.respond = lambda i, path, body: (
        200,
        {"choices": [{"text": " 5", "finish_reason": "length"}], "usage": {"completion_tokens": 7}},
        {},
    )
    sampler = OpenAISampler(server.url + "/some/path/", "m", generation_kwargs={"top_k": 0, "top_p": None})
    tokens: list[int] = []
    (sample,) = sampler.sample(["2+3="], Decoding(temperature=0.0), watch=Watch(on_tokens=tokens.append))[0]
    assert (sample.text, sample.finished, sample.length, tokens) == (" 5", False, 7, [7])
    path, body, authorization = server.seen[0]
    assert path == "/some/path/completions" and body["prompt"] == "2+3=" and authorization is None
    assert body["top_k"] == 0 and "top_p" not in body and "stop" not in body


def test_lengths_are_shared_and_what_was_not_asked_for_is_left_out(server: Listener) -> None:
    server.respond = lambda i, path, body: chat(body["n"] + 1, usage={"completion_tokens": 10})
    tokens: list[int] = []
    (drawn,) = OpenAISampler(server.url, "m").sample([CHAT], DECODING, n=2, watch=Watch(on_tokens=tokens.append))
    assert [sample.text for sample in drawn] == ["50", "51"] and tokens == [5, 5]


def test_samples_come_as_they_are_there(server: Listener) -> None:
    first = threading.Event()
    late = lambda: chat(1, "late" if first.wait(10) else "never")  # noqa: E731
    server.respond = lambda i, path, body: chat(1) if len(body["messages"]) == 1 else late()
    drawn = OpenAISampler(server.url, "m").sample([CHAT, CHAT * 2], DECODING, watch=Watch(lambda *one: first.set()))
    assert [row[0].text for row in drawn] == ["50", "late0"]


def test_a_server_that_ignores_n_is_asked_for_the_rest(server: Listener) -> None:
    server.respond = lambda i, path, body: chat(1, text=f"{body['seed']}/")
    sampler = OpenAISampler(server.url, "m", concurrency=4)
    seen: list[tuple[int, int]] = []
    drawn = sampler.sample([CHAT, CHAT[:1] * 2], DECODING, n=5, watch=Watch(lambda i, k, one: seen.append((i, k))))
    assert len(server.seen) == 10 and sorted(seen) == [(i, k) for i in range(2) for k in range(5)]
    for row in drawn:  # each sample by a seed of its own, the same whoever asks for it
        seeds = [int(sample.text.split("/")[0]) for sample in row]
        assert seeds == list(range(seeds[0], seeds[0] + 5))
    server.seen.clear()
    assert sampler.sample([CHAT], DECODING, n=3) == [drawn[0][:3]]
    assert [body["n"] for _, body, _ in server.seen] == [1, 1, 1]  # it has learned


def test_greedy_is_asked_for_once(server: Listener) -> None:
    (drawn,) = OpenAISampler(server.url, "m").sample([CHAT], Decoding(temperature=0.0), n=3)
    assert [body["n"] for _, body, _ in server.seen] == [1] and len(drawn) == 3


def test_a_server_that_stumbles_is_asked_again(server: Listener, pauses: list[float]) -> None:
    cut_off: Answer = (200, b'{"choices"', {"Content-Length": "100"})  # the connection ends in the middle of an answer
    faults = [(503, {}, {}), (429, {}, {"Retry-After": "7"}), (200, b"<html>", {}), (500, {}, {}), cut_off]
    server.respond = lambda i, path, body: faults[i] if i < 5 else chat(1)
    assert OpenAISampler(server.url, "m").sample([CHAT], DECODING)[0][0].text == "50"
    assert pauses == [1.0, 7.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("answer", "said", "asked"),
    [
        ((400, {"error": "n is too large"}, {}), r"answered 400: .*n is too large", 1),
        ((401, {}, {}), "Set OPENAI_API_KEY", 1),
        ((503, {}, {}), "answered 503", 6),
        ((200, {"choices": []}, {}), r"no completion: .*choices", 1),
        ((200, {"error": "wrong model"}, {}), "wrong model", 1),
        ((200, [], {}), "no completion", 1),
        ((302, {}, {"Location": "http://127.0.0.1:9/"}), "answered 302", 1),  # the key goes nowhere else
    ],
)
def test_faults_are_told(server: Listener, pauses: list[float], answer: Answer, said: str, asked: int) -> None:
    server.respond = lambda i, path, body: answer
    sampler = OpenAISampler(server.url, "m")
    sampler._server._answered.set()
    with pytest.raises(ConfigError, match=said):
        sampler.sample([CHAT], DECODING)
    assert len(server.seen) == asked


def test_nobody_listens(pauses: list[float]) -> None:
    with pytest.raises(ConfigError, match=r"does not answer.*correct base_url"):
        OpenAISampler("http://127.0.0.1:9", "m").sample([CHAT], DECODING)
    assert pauses == []  # who never answered is not waited for
    with pytest.raises(ConfigError, match="base_url must begin with http"):
        OpenAISampler("localhost:8000", "m")


def test_ids_need_token_ids(server: Listener, tokenizer: Any) -> None:
    """Annotation and tools continue ids; a server that returns none is told apart from one that does."""
    ids = tokenizer("7 and 8")["input_ids"]
    choice = {"text": "?", "finish_reason": "stop", "stop_reason": None, "token_ids": ids}
    server.respond = lambda i, path, body: (200, {"choices": [choice]}, {})
    sampler = OpenAISampler(server.url, "m", tokenizer=tokenizer)
    (sample,) = sampler.sample([sampler.encode_prompt("Ada")], DECODING)[0]
    assert server.seen[0][1]["prompt"] == tokenizer("Ada")["input_ids"] and server.seen[0][1]["return_token_ids"]
    assert sample.ids == tuple(ids) and sample.text == tokenizer.decode(ids)
    for reason, stop, text in (
        (7, None, tokenizer.decode(ids)),
        ("8", "8", "?"),
    ):  # a number is the token that ended it
        choice["stop_reason"] = reason
        ((sample,),) = sampler.sample([[5, 6]], DECODING)
        assert (sample.stop, sample.text, sample.finished) == (stop, text, True)
    del choice["token_ids"]
    with pytest.raises(ConfigError, match=r"no token ids.*engine server"):
        sampler.sample([[5, 6]], DECODING)


@pytest.mark.parametrize(("method", "given"), [("encode_prompt", "Ada"), ("encode", "Ada"), ("decode", [5, 6])])
def test_a_tokenizer_is_read_when_it_is_needed(method: str, given: Any, tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path / "model")
    named, known = OpenAISampler(URL, str(tmp_path / "model")), OpenAISampler(URL, "m", tokenizer=tokenizer)
    assert getattr(named, method)(given) == getattr(known, method)(given)
    with pytest.raises(ConfigError, match="there is no tokenizer for"):
        getattr(OpenAISampler(URL, str(tmp_path / "none")), method)(given)


def test_settings(server: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SamplerConfig("m", engine="openai", base_url=server.url, generation_kwargs='{"top_k": 0}', concurrency=2)
    sampler = load_sampler(config)
    assert sampler.rows_at_once == 2 and sampler.sample([CHAT], DECODING)[0][0].text == "50"
    assert server.seen[0][1]["top_k"] == 0
    assert config.identity() == 'm openai, {"top_k": 0}'
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="Which server"):
        load_sampler(SamplerConfig("m", engine="openai"))
    for wrong, said in (
        ({"generation_kwargs": "top_k=0", "engine": "openai"}, "as JSON"),
        ({"generation_kwargs": {"top_k": 0}}, "engine server or openai"),
        ({"base_url": server.url}, "--engine openai"),
        ({"concurrency": 0, "engine": "openai"}, "concurrency"),
    ):
        with pytest.raises(ConfigError, match=said):
            SamplerConfig("m", **wrong)  # type: ignore[arg-type]


@contextlib.contextmanager
def running(command: list[str], url: str, **environment: str) -> Iterator[None]:
    """A real server, once it listens, until the end of the block."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=sys.stderr, stderr=sys.stderr)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=5).close()
                break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with contextlib.closing(__import__("socket").socket()) as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def check(sampler: OpenAISampler) -> None:
    """What holds for any server: greedy is greedy, all samples come, what was cut off is told."""
    greedy = Decoding(max_new_tokens=4, temperature=0.0)
    first, again = (sampler.sample([CHAT, "one and one is"], greedy) for _ in range(2))
    assert first == again and all(len(row) == 1 for row in first)
    drawn = sampler.sample([CHAT], Decoding(max_new_tokens=4, seed=1), n=3)
    assert len(drawn[0]) == 3 and all(sample.length <= 4 for sample in drawn[0])
    assert any(not sample.finished for row in [*first, *drawn] for sample in row)


@pytest.mark.slow
def test_transformers_serve(tiny: Path, tmp_path: Path) -> None:
    missing = [name for name in ("fastapi", "openai", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}: pip install 'transformers[serving]'")
    port = free_port()
    serve = ["-m", "transformers.cli.transformers", "serve", str(tiny), "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running([sys.executable, *serve], url + "/health", HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1"):
        check(OpenAISampler(url, str(tiny)))


@pytest.mark.slow
def test_llama_cpp() -> None:
    model = os.environ.get("DSMATH_TEST_GGUF")
    python = os.environ.get("DSMATH_TEST_LLAMA_CPP_PYTHON", sys.executable)  # it may live in an environment of its own
    if not model or subprocess.run([python, "-c", "import llama_cpp.server"], capture_output=True).returncode:
        pytest.skip("needs llama-cpp-python[server] and DSMATH_TEST_GGUF, the path of a model")
    port = free_port()
    serve = ["-m", "llama_cpp.server", "--model", model, "--host", "127.0.0.1", "--port", str(port)]
    with running([python, *serve], f"http://127.0.0.1:{port}/v1/models"):
        check(OpenAISampler(f"http://127.0.0.1:{port}", "any", generation_kwargs={"top_k": 0, "min_p": 0.0}))
