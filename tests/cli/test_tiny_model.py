"""The tiny model made on the spot: digits stand alone, text survives, padding is not the end of a text."""

import inspect
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from trl_dsmath.errors import DataError
from trl_dsmath.scripts import tiny_model
from trl_dsmath.scripts.tiny_model import main


def test_tokenizer_and_model_fit(tiny_model: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model)
    assert [tokenizer.decode(i) for i in tokenizer.encode("2468", add_special_tokens=False)] == ["2", "4", "6", "8"]
    text = "一 é \\boxed{\\frac{1}{2}}\n\n  x"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    assert (model.config.intermediate_size, model.config.num_attention_heads) == (4 * 64, 4)
    assert model.config.max_position_embeddings == tokenizer.model_max_length == 256
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    assert [getattr(model.config, name) for name in names] == [getattr(tokenizer, name) for name in names]
    assert set(tokenizer("a")) == {"input_ids", "attention_mask"}
    weights = model.get_input_embeddings().weight
    assert model.get_output_embeddings().weight is weights and weights.std().item() == pytest.approx(0.06, rel=0.05)


def test_the_commands_sizes_are_the_functions(problems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = inspect.signature(tiny_model.make_tiny_model).parameters.values()
    made: list[tuple] = []
    monkeypatch.setattr(tiny_model, "make_tiny_model", lambda texts, *sizes: made.append(sizes) or "")
    assert main(["--texts", str(problems), "--output_dir", "m"]) == 0
    assert made == [("m", *(one.default for one in defaults if one.name not in ("texts", "output_dir", "seed")))]


def test_command(problems: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--texts",
        str(problems),
        "--output_dir",
        str(tmp_path / "m"),
        "--vocab_size",
        "300",
        "--hidden_size",
        "16",
    ]
    assert main([*flags, "--num_layers", "1", "--max_length", "32"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"tiny model  made in {tmp_path / 'm'}: ") and "random weights, 300 tokens" in shown
    assert (tmp_path / "m" / "model.safetensors").exists()
    config = AutoModelForCausalLM.from_pretrained(tmp_path / "m").config
    assert (config.hidden_size, config.num_hidden_layers, config.max_position_embeddings) == (16, 1, 32)
    with pytest.raises(DataError, match="has no split 'dev'; there are: "):
        main([*flags, "--split", "dev"])
    for missing in ("--texts", "--output_dir"):
        at = flags.index(missing)
        with pytest.raises(SystemExit):
            main(flags[:at] + flags[at + 2 :])


def test_digits_stay_apart_however_often_they_stand_together(tmp_path: Path) -> None:
    sizes = {"max_length": 16, "vocab_size": 290, "hidden_size": 8, "num_layers": 1}
    tiny_model.make_tiny_model(["2468 one"] * 20, tmp_path, **sizes)
    tokens = AutoTokenizer.from_pretrained(tmp_path).tokenize("2468 one")
    assert tokens[:4] == ["2", "4", "6", "8"] and len(tokens) == 5  # " one" is a token


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    def head(seed: int) -> float:
        sizes = {"max_length": 16, "vocab_size": 270, "hidden_size": 8, "num_layers": 1}
        tiny_model.make_tiny_model(["one two"], tmp_path / str(seed), **sizes, seed=seed)
        return AutoModelForCausalLM.from_pretrained(tmp_path / str(seed)).lm_head.weight[0, 0].item()

    assert head(0) == head(0) != head(1)
