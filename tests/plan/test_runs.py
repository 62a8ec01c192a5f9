"""Settings as a run: what each one changes, by hand, on a model of two layers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig

from trl_dsmath.errors import ConfigError
from trl_dsmath.plan import Run, runs, shape_of
from trl_dsmath.plan.runs import Hardware, Scorer, read_run

TRAINING = {
    "model_name_or_path": "small", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 3, "bf16": True,
    "optim": "adamw_torch_fused", "gradient_checkpointing": True, "max_length": 100, "use_peft": False,
    "lora_r": 8, "lora_dropout": 0.0,
}  # fmt: skip
GRPO = {
    **TRAINING, "max_completion_length": 40, "num_generations": 3, "beta": 0.04, "use_vllm": False, "vllm_mode": "colocate",
    "vllm_gpu_memory_utilization": 0.3, "vllm_tensor_parallel_size": 2, "vllm_enable_sleep_mode": True,
}  # fmt: skip
SOLVE = {"model_name_or_path": "small", "max_new_tokens": 40}
VLLM = {"vllm_share": 0.3, "vllm_parallel": 2, "vllm_sleeps": True}
ATTENTION = 8 * (64 + 64 + 64 + 32) * 2  # weights of rank 8 on q_proj and v_proj of two layers
PROMPTS = "Prompts of 10 tokens (--prompt_tokens)."


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    LlamaConfig(
        vocab_size=128, hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    ).save_pretrained(folder)  # fmt: skip
    return folder / "config.json"


def _read(config: Path, stage: str, settings: dict[str, Any], gpus: int = 1, **hardware: Any) -> tuple[Run, list[str]]:
    return read_run(stage, settings, Hardware(gpus, 24, prompt_tokens=10, model_config=config, **hardware))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"dtype": "bfloat16"}, {}), ({"dtype": "float32"}, {"itemsize": 4}),
        ({"bf16": False}, {"mixed": False}), ({"bf16": None}, {}), ({"bf16": None, "fp16": True}, {"mixed": False}),
        ({"bf16": None, "use_cpu": True}, {"cpu": True, "mixed": False}), ({"use_cpu": True}, {"cpu": True}),
        ({"gradient_checkpointing": False}, {"checkpointing": False}), ({"optim": "sgd"}, {"optim": "sgd"}),
        ({"use_peft": True}, {"adapter": ATTENTION}), ({"use_peft": True, "lora_dropout": 0.1}, {"adapter": ATTENTION, "dropped": 2 * 2 * 64}),
        ({"use_peft": True, "lora_target_modules": "q_proj"}, {"adapter": 8 * 128 * 2}), ({"use_peft": True, "lora_target_modules": ["q_proj", "v_proj"]}, {"adapter": ATTENTION}),
        ({"use_peft": True, "load_in_8bit": True}, {"adapter": ATTENTION, "quantization": "8bit"}), ({"use_peft": True, "load_in_4bit": True}, {"adapter": ATTENTION, "quantization": "4bit"}),
        ({"use_peft": True, "load_in_4bit": True, "use_bnb_nested_quant": True}, {"adapter": ATTENTION, "quantization": "4bit-double"}),
        ({"gradient_accumulation_steps": None, "global_batch_size": 8}, {"accumulation": 4}),
    ],
)  # fmt: skip
def test_settings_of_sft(
    changes: dict[str, Any], expected: dict[str, Any], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "fast_bf16", lambda: False)
    shape = shape_of("small", config)
    plain = Run("sft", shape, 1, 24, itemsize=2, rows=2, tokens=100, scored=100, accumulation=3)
    assert _read(config, "sft", TRAINING | changes) == (replace(plain, **expected), [])


def test_sharding_of_several_gpus(config: Path) -> None:
    def sharding(gpus: int, name: str | None = None, **settings: Any) -> tuple[str, list[str]]:
        run, notes = _read(config, "sft", TRAINING | settings, gpus, accelerate=name)
        return run.sharding, notes

    assert sharding(2) == ("zero3", ["Sharded by --accelerate_config zero3."])
    assert sharding(2, "fsdp2") == sharding(2, accelerate_config="fsdp2") == ("fsdp2", [])
    assert sharding(2, "multi_gpu") == sharding(1, "zero3") == sharding(1) == ("none", [])


@pytest.mark.parametrize(("form", "scored"), [("token_classification", 0), ("causal", 2 * 10), ("likelihood", 100)])
def test_a_reward_model_computes_logits_where_it_reads_them(form: str, scored: int, config: Path) -> None:
    run, _ = _read(config, "prm", TRAINING | {"prm_type": form})
    assert (run.tokens, run.scored, run.fused) == (100, scored, False)


@pytest.mark.parametrize(
    ("changes", "gpus", "expected"),
    [
        ({}, 1, {}), ({"beta": 0.0}, 1, {"reference": False}), ({"use_peft": True}, 1, {"reference": False, "adapter": ATTENTION}),
        ({"use_vllm": True}, 1, {"sampling": "vllm colocated"}), ({"use_vllm": True, "vllm_mode": "server"}, 1, {"sampling": "vllm served"}),
        ({"vllm_mode": "server"}, 1, {}), ({"vllm_enable_sleep_mode": False}, 1, {"vllm_sleeps": False}),
        ({"steps_per_generation": 6}, 1, {"sampled": 12}), ({"num_generations": 2, "steps_per_generation": 1}, 1, {"sampled": 2, "group": 2}),
        ({"steps_per_generation": 1}, 3, {"gpus": 3, "sampled": 2, "sharding": "zero3"}),
    ],
)  # fmt: skip
def test_settings_of_grpo(changes: dict[str, Any], gpus: int, expected: dict[str, Any], config: Path) -> None:
    plain = Run("grpo", shape_of("small", config), 1, 24, itemsize=2, rows=2, tokens=50, scored=40, accumulation=3,
                sampling="transformers", sampled=6, group=3, reference=True, **VLLM)  # fmt: skip
    run, notes = _read(config, "grpo", GRPO | changes, gpus)
    assert run == replace(plain, **expected) and notes[-1] == PROMPTS


def test_scorers_and_what_is_assumed_of_them(config: Path) -> None:
    policy, qwen = shape_of("small", config), shape_of("Qwen/Qwen2.5-0.5B")
    named = GRPO | {"reward_model_name_or_path": "Qwen/Qwen2.5-0.5B", "step_scorer": ["runs/prm", "Qwen/Qwen2.5-0.5B"]}
    run, notes = _read(config, "grpo", named)
    assert run.scorers == (
        Scorer("reward model", qwen, True), Scorer("step scorer", policy, False), Scorer("step scorer", qwen, False)
    )  # fmt: skip
    assert notes == [
        PROMPTS,
        "The step scorer runs/prm is not there yet: taken to be as large as the policy (--scorer NAME).",
    ]
    run, notes = _read(config, "grpo", named, scorer="Qwen/Qwen2.5-0.5B")
    assert [one.shape.name for one in run.scorers] == [qwen.name] * 3
    assert notes == [PROMPTS]


@pytest.mark.parametrize(
    ("stage", "changes", "gpus", "expected", "told"),
    [
        ("solve", {}, 1, {"sampled": 1}, 2), ("solve", {"batch_size": 4}, 1, {"sampled": 4}, 1), ("evaluate", {"batch_size": 4}, 2, {"sampled": 4}, 2),
        ("annotate", {"engine": "vllm"}, 1, {"sampling": "vllm colocated", "vllm_share": 0.9, "sampled": 0}, 1),
        ("solve", {"batch_size": 4, "load_in_4bit": True}, 1, {"sampled": 4, "quantization": "4bit-double"}, 1), ("annotate", {"batch_size": 4, "load_in_4bit": True}, 1, {"sampled": 4, "quantization": "4bit"}, 1),
        ("solve", {"batch_size": 4, "load_in_4bit": True, "use_bnb_nested_quant": False}, 1, {"sampled": 4, "quantization": "4bit"}, 1),
    ],
)  # fmt: skip
def test_settings_of_sampling(
    stage: str, changes: dict[str, Any], gpus: int, expected: dict[str, Any], told: int, config: Path
) -> None:
    plain = Run(
        stage,
        shape_of("small", config),
        1,
        24,
        itemsize=2,
        mixed=False,
        trains=False,
        tokens=50,
        scored=40,
        sampling="transformers",
    )
    run, notes = _read(config, stage, SOLVE | changes, gpus)
    assert run == replace(plain, **expected) and notes[0] == PROMPTS and len(notes) == told


@pytest.mark.parametrize(
    ("tokens", "gpus", "steps"), [(1000, 1, 5), (1040, 1, 5), (960, 1, 5), (1000, 5, 1), (205, 1, 1)]
)
def test_tokens_of_a_pretraining_batch(tokens: int, gpus: int, steps: int, config: Path) -> None:
    settings = TRAINING | {"gradient_accumulation_steps": None, "global_batch_tokens": tokens}
    assert _read(config, "pretrain", settings, gpus)[0].accumulation == steps


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        ("corpus", TRAINING, "no forecast for corpus; there is for pretrain"), ("sft", TRAINING | {"model_name_or_path": None}, "Which model"),
        ("sft", TRAINING | {"load_in_8bit": True}, "set use_peft"), ("solve", SOLVE | {"engine": "server"}, "engine=vllm"),
        ("grpo", GRPO | {"steps_per_generation": 1}, r"2 completions per process on 1 GPUs are not whole groups of 3"),
        ("pretrain", TRAINING | {"gradient_accumulation_steps": None, "global_batch_tokens": 150}, "is 200 tokens, more than 5 % from"),
        ("pretrain", TRAINING | {"gradient_accumulation_steps": 4, "global_batch_tokens": 1000}, "is 800 tokens, more than 5 % from"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_planned(stage: str, settings: dict[str, Any], message: str, config: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        _read(config, stage, settings)


def test_a_model_that_an_earlier_stage_makes(config: Path) -> None:
    settings = TRAINING | {"model_name_or_path": "runs/sft-that-is-not-there"}
    run, (note,) = read_run("sft", settings, Hardware(1, 24, absent="Qwen/Qwen2.5-0.5B"))
    assert run.model.name == "Qwen/Qwen2.5-0.5B" and note.startswith("runs/sft-that-is-not-there is not there yet")
