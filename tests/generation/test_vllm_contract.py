"""What the vLLM engines send and read, against the classes of the vLLM that is installed. No GPU: nothing is generated.

`pip install --no-deps vllm` in an environment of its own is enough, with the few packages that its import asks for.
"""

import json
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from trl_dsmath.generation import Decoding, ServerSampler, VLLMSampler
from trl_dsmath.generation.json_server import JSONServer

DECODING = Decoding(max_new_tokens=7, temperature=0.6, top_p=0.9, stop=("\n\n",), seed=3)


def installed(name: str, *modules: str) -> Any:
    """A class of vLLM, wherever this version has it."""
    try:
        seen = f"vLLM {version('vllm')}"
    except PackageNotFoundError:
        pytest.skip("vLLM is not installed")
    print(f"checked against {seen}")
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("vllm."):
                pytest.skip(f"{seen} cannot be imported without {error.name}")
        except AttributeError:
            continue
    raise AssertionError(f"{seen} has no {name} in {', '.join(modules)}")


def test_sampling_params(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = installed("SamplingParams", "vllm.sampling_params")
    import vllm

    asked: list[Any] = []

    class NoEngine:
        def __init__(self, **options: Any) -> None: ...

        def generate(self, prompts: Any, params: Any, use_tqdm: bool) -> list[Any]:
            asked.extend(params)
            return []

    monkeypatch.setitem(vars(vllm), "LLM", NoEngine)  # without a look at the real one, which needs a GPU's packages
    sampler = VLLMSampler("m", tokenizer)
    sampler.sample([[5, 6]], DECODING, n=3, first=2)
    sampler.sample([[5, 6]], DECODING, n=3)
    sampler.sample([[5, 6]], Decoding(temperature=0.0), n=3)
    drawn, earlier, greedy = asked
    assert all(type(one) is real for one in asked)
    assert (drawn.n, drawn.max_tokens, drawn.temperature, drawn.top_p, drawn.stop) == (3, 7, 0.6, 0.9, ["\n\n"])
    assert drawn.seed == earlier.seed + 2
    assert greedy.n == 1 and greedy.temperature == 0.0
    for one in asked:  # nothing else changes the policy
        assert one.top_k in (0, -1) and one.min_p == 0.0 and one.repetition_penalty == 1.0
        assert one.presence_penalty == one.frequency_penalty == 0.0


def test_the_completion_request(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = installed(
        "CompletionRequest", "vllm.entrypoints.openai.completion.protocol", "vllm.entrypoints.openai.protocol"
    )
    choice = import_module(request.__module__).CompletionResponseChoice
    bodies: list[dict[str, Any]] = []

    def ask(self: JSONServer, path: str, body: dict[str, Any] | None = None) -> Any:
        if body is None:
            return {"data": [{"id": "m", "root": "m", "max_model_len": 100}]}
        bodies.append(json.loads(json.dumps(body)))
        made = choice(index=0, text="7", token_ids=[5], finish_reason="stop", stop_reason="\n\n")
        return {"choices": [json.loads(made.model_dump_json())]}

    monkeypatch.setattr(JSONServer, "ask", ask)
    sample = ServerSampler("http://localhost:8000", tokenizer).sample([[5, 6]], DECODING)[0][0]
    assert (sample.text, sample.ids, sample.finished, sample.stop) == ("7", (5,), True, "\n\n")
    (body,) = bodies
    assert set(body) <= set(request.model_fields)  # vLLM ignores a field that it does not know
    read = request(**body)
    assert all(getattr(read, name) == value for name, value in body.items())


def test_models_have_the_fields_that_are_read() -> None:
    card = installed(
        "ModelCard",
        "vllm.entrypoints.serve.engine.protocol",
        "vllm.entrypoints.openai.engine.protocol",
        "vllm.entrypoints.openai.models.protocol",
        "vllm.entrypoints.openai.protocol",
    )
    assert {"id", "root", "max_model_len"} <= set(card.model_fields)
