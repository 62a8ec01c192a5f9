"""Loading a policy: forms, adapters, and what is said where it cannot work."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trl_dsmath.data.prompts import CHAT_TEMPLATE
from trl_dsmath.errors import ConfigError, MissingDependencyError
from trl_dsmath.generation import SamplerConfig, ToolSampler, load_policy, load_sampler, load_tokenizer, memory
from trl_dsmath.generation.config import fingerprint
from trl_dsmath.generation.loading import model_errors
from trl_dsmath.inference import Solver


def test_number_formats(tiny: Path) -> None:
    assert load_policy(SamplerConfig(str(tiny)))[0].dtype == torch.float32  # as it was saved
    assert load_policy(SamplerConfig(str(tiny), dtype="bf16"))[0].dtype == torch.bfloat16
    assert load_policy(SamplerConfig(str(tiny), dtype="float16"))[0].dtype == torch.float16


@pytest.mark.parametrize("flag", ["load_in_8bit", "load_in_4bit"])
def test_quantized_models_answer(tiny: Path, flag: str) -> None:
    pytest.importorskip("bitsandbytes")
    solver = Solver.from_pretrained(str(tiny), n=4, max_new_tokens=6, adaptive="off", **{flag: True})
    layers = {type(module).__name__ for module in solver.sampler._model.modules()}  # type: ignore[attr-defined]
    assert ("Linear8bitLt" if flag == "load_in_8bit" else "Linear4bit") in layers
    assert [sample.tokens for sample in solver("1+1?").samples] != [0] * 4


def test_a_tokenizer_without_a_template_gets_the_papers(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(tiny, folder)
    (folder / "chat_template.jinja").unlink()
    assert load_policy(SamplerConfig(str(folder)))[1].chat_template == CHAT_TEMPLATE
    assert load_tokenizer(str(folder), chat_template=False).chat_template is None


@pytest.fixture
def adapter(tiny: Path, tmp_path: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    model, _ = load_policy(SamplerConfig(str(tiny)))
    lora = get_peft_model(model, LoraConfig(target_modules=["q_proj"], r=2, init_lora_weights=False))
    lora.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_adapters(tiny: Path, adapter: Path) -> None:
    ids = torch.tensor([[5, 6, 7]])
    by_folder, _ = load_policy(SamplerConfig(str(adapter)))
    by_flag, _ = load_policy(SamplerConfig(str(tiny), adapter=str(adapter)))
    plain, _ = load_policy(SamplerConfig(str(tiny)))
    with torch.no_grad():
        assert torch.equal(by_folder(ids).logits, by_flag(ids).logits)
        assert not torch.allclose(by_folder(ids).logits, plain(ids).logits)


def test_an_adapter_that_does_not_fit(tiny: Path, adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["nowhere"]}))
    with pytest.raises(ConfigError, match="does not fit"):
        load_policy(SamplerConfig(str(tiny), adapter=str(adapter)))
    with pytest.raises(ConfigError, match=r"no adapter_config\.json"):
        load_policy(SamplerConfig(str(tiny), adapter=str(tiny)))


def test_one_place_chooses_the_engine(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is in tests/cli/test_served.py."""
    here = load_sampler(SamplerConfig(str(tiny)))
    assert here.name == f"transformers:{tiny}" and here.context_length == 256
    tools = load_sampler(SamplerConfig(str(tiny)), tools=True)
    assert isinstance(tools, ToolSampler) and tools.context_length == 256

    asked: dict = {}
    llm = SimpleNamespace(LLM=lambda **options: asked.update(options), SamplingParams=dict)
    monkeypatch.setitem(sys.modules, "vllm", llm)
    solver = Solver.from_pretrained(str(tiny), engine="vllm", dtype="bf16", n=2)
    assert solver.sampler.name == f"vllm:{tiny}" and solver.sampler.context_length == 256
    assert (asked["model"], asked["dtype"]) == (str(tiny), "bfloat16")
    for wrong in ({"load_in_4bit": True}, {"adapter": "somewhere"}):
        with pytest.raises(ConfigError, match="engine vllm takes whole models"):
            Solver.from_pretrained(str(tiny), engine="vllm", **wrong)
    with pytest.raises(ConfigError, match="engine must be one of transformers, vllm, server, openai"):
        SamplerConfig(str(tiny), engine="sglang")
    with pytest.raises(ConfigError, match="model_name_or_path"):
        load_sampler(SamplerConfig())


def test_identity_says_what_samples_depend_on(tiny: Path) -> None:
    assert SamplerConfig("owner/name", load_in_4bit=True).identity() == "owner/name 4bit, transformers"
    served = SamplerConfig("owner/name", engine="server", dtype="bfloat16", model_revision="v2").identity(tools=True)
    assert served == "owner/name bfloat16, v2, vllm-serve with tools"
    assert SamplerConfig(str(tiny)).identity() == f"{fingerprint(str(tiny))} transformers"
    assert SamplerConfig(str(tiny), batch_size=3, use_cpu=True).identity() == SamplerConfig(str(tiny)).identity()


def test_a_model_that_was_trained_further_is_another_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(300_000))
    first = fingerprint(str(tmp_path))
    assert fingerprint(str(tmp_path)) == first
    weights.write_bytes(bytes(150_000) + b"1" + bytes(149_999))
    assert fingerprint(str(tmp_path)) != first
    assert fingerprint("owner/name", "4bit") == "owner/name 4bit"


def test_memory_is_told_before_loading(tiny: Path) -> None:
    said: list[str] = []
    load_policy(SamplerConfig(str(tiny)), tokens=100, rows=64, notify=said.append)
    assert "64 sequences of 100 tokens" in said[0] and "GiB free in memory" in said[0]
    load_policy(SamplerConfig(str(tiny)), tokens=100, notify=said.append)
    assert "for 1 sequence of 100 tokens" in said[1]


def test_too_little_memory(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 10_000)
    with pytest.raises(ConfigError, match=r"load_in_8bit takes .*load_in_4bit takes"):
        load_policy(SamplerConfig(str(tiny)))


def test_what_lies_behind_a_class_that_cannot_be_imported() -> None:
    error = ModuleNotFoundError("Could not import module 'LlamaConfig'.")
    error.__cause__ = RuntimeError("operator torchvision::nms does not exist")
    with (
        pytest.raises(ConfigError, match="The model m cannot be loaded: operator torchvision::nms"),
        model_errors("m"),
    ):
        raise error


def test_settings_that_cannot_work(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        SamplerConfig("m", load_in_4bit=True, load_in_8bit=True)
    with pytest.raises(ConfigError, match="dtype must"):
        SamplerConfig("m", dtype="int7")
    with pytest.raises(ConfigError, match="no-such-folder cannot be loaded"):
        load_policy(SamplerConfig("./no-such-folder"))
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="needs a GPU"):
            load_policy(SamplerConfig(str(tiny), device_map="cuda:0"))
        with pytest.raises(ConfigError, match="sdpa"):
            load_policy(SamplerConfig(str(tiny), attn_implementation="flash_attention_2"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"trl-dsmath\[quantization\]"):
        load_policy(SamplerConfig(str(tiny), load_in_4bit=True))
