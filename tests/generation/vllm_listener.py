"""A listener on 127.0.0.1 that speaks vLLM's `/v1/completions`, with a real model behind it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from trl_dsmath.generation import Decoding, TransformersSampler


class Server(ThreadingHTTPServer):
    """vLLM's `/v1/completions`: child `i` of a request is drawn with `seed + i`."""

    def __init__(self, sampler: TransformersSampler, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sampler = sampler
        self.name = name
        self.requests: list[dict[str, Any]] = []
        self.stumbles: list[int] = []
        self.lock = threading.Lock()  # one model
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        choices = []
        for prompt in prompts:
            for child in range(body["n"]):
                decoding = Decoding(
                    max_new_tokens=body["max_tokens"],
                    temperature=body["temperature"],
                    top_p=body["top_p"],
                    stop=tuple(body.get("stop") or ()),
                    seed=body.get("seed", 0) + child,
                )
                with self.lock:
                    sample = self.sampler.sample([prompt], decoding)[0][0]
                choices.append(
                    {
                        "index": len(choices),
                        "text": sample.text,
                        "logprobs": None,
                        "finish_reason": "stop" if sample.finished else "length",
                        "stop_reason": sample.stop,
                        "token_ids": list(sample.ids) if body.get("return_token_ids") else None,
                        "prompt_token_ids": prompt if body.get("return_token_ids") else None,
                    }
                )
        return {"id": "cmpl-1", "object": "text_completion", "model": body["model"], "choices": choices[::-1]}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.answer(200, {"data": [{"id": self.server.name, "object": "model", "max_model_len": 120}]})
        else:
            self.answer(200 if self.path == "/health" else 404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        if self.server.stumbles:
            self.answer(self.server.stumbles.pop(), {"error": {"message": "prompt is too long"}})
        else:
            self.answer(200, self.server.complete(body))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def listening(sampler: TransformersSampler, name: str = "some/model") -> Iterator[Server]:
    """The server, until the end of the block."""
    server = Server(sampler, name)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
