"""The forecast against arithmetic by hand, tensors that exist, and what autograd keeps."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from trl_dsmath.errors import ConfigError
from trl_dsmath.generation.memory import GIB
from trl_dsmath.plan import Run, Shape, advise, forecast, shape_of

SMALL = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": False,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    LlamaConfig(**SMALL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def shape(small: Path) -> Shape:
    return shape_of("small", small / "config.json")


def sizes(run: Run) -> dict[str, float]:
    return {part.name: part.bytes for part in forecast(run).parts}


def test_published_sizes_of_the_known_shapes() -> None:
    names = ["deepseek-ai/deepseek-math-7b-rl", "deepseek-ai/deepseek-coder-7b-base-v1.5"]
    assert {shape_of(name).parameters for name in names} == {6_910_365_696}
    counted = [shape_of(f"Qwen/Qwen2.5-{size}").parameters for size in ("0.5B", "1.5B-Instruct", "7B")]
    assert counted == [494_032_768, 1_543_714_304, 7_615_616_512]
    assert shape_of("Qwen/Qwen2.5-Math-1.5B").parameters == counted[1]


def test_an_unknown_model_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Set model_config to a"):
        shape_of(str(tmp_path / "nothing"))


def test_sharding_by_hand(shape: Shape) -> None:
    weights = 2 * 128 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 176) + 5 * 64
    assert shape.parameters == weights
    alone = sizes(Run("sft", shape, 1, 80))
    assert (alone["weights"], alone["gradients"], alone["optimizer"]) == (4 * weights, 4 * weights, 8 * weights)
    assert alone["bf16 copies"] == 2 * (weights - 2 * 128 * 64 - 5 * 64)
    four = sizes(Run("sft", shape, 4, 80, sharding="zero3"))
    assert (four["weights"], four["gradients"], four["optimizer"]) == (weights, weights, 2 * weights)
    assert "bf16 copies" not in four
    copied = sizes(Run("sft", shape, 4, 80, sharding="none"))
    assert copied["weights"] == alone["weights"]
    assert copied["buckets"] == 4 * weights
    assert sizes(Run("sft", shape, 1, 80, optim="adamw_bnb_8bit"))["optimizer"] == 2 * weights
    with pytest.raises(ConfigError, match="optim=lion"):
        forecast(Run("sft", shape, 1, 80, optim="lion"))


@pytest.mark.parametrize("targets", [("all-linear",), ("q_proj", "v_proj")])
def test_static_parts_are_the_bytes_of_a_real_step(shape: Shape, targets: tuple[str, ...]) -> None:
    peft = pytest.importorskip("peft")
    chosen = targets[0] if targets == ("all-linear",) else list(targets)
    for adapted in (False, True):
        model = LlamaForCausalLM(LlamaConfig(**SMALL))
        if adapted:
            model = peft.get_peft_model(model, peft.LoraConfig(r=8, target_modules=chosen, task_type="CAUSAL_LM"))
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        ids = torch.arange(12)[None]
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        # Adam's two states have the size of the weight; its step counters are left out.
        states = [s for state in optimizer.state.values() for s in state.values() if s.dim() > 0]
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        real = sum(4 * t.numel() for t in [*model.parameters(), *gradients, *states])
        run = Run("sft", shape, 1, 80, mixed=False, adapter=shape.adapter_weights(8, targets) if adapted else None)
        found = sizes(run)
        assert real == sum(found.get(name, 0) for name in ("weights", "adapters", "gradients", "optimizer"))


def test_lora_targets_that_are_not_there(shape: Shape) -> None:
    with pytest.raises(ConfigError, match=r"wrong: small has q_proj, k_proj"):
        shape.adapter_weights(8, ("wrong",))


def _kept(model: torch.nn.Module, mixed: bool) -> int:
    """Bytes that autograd keeps for backward, weights and their bfloat16 copies not counted."""
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    shapes = {tuple(p.shape) for p in model.parameters() if p.dim() == 2}
    found: dict[int, tuple[int, torch.Tensor]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        copy = tensor.dim() == 2 and ({tuple(tensor.shape), tuple(tensor.shape[::-1])} & shapes)
        if storage.data_ptr() not in parameters and not copy:
            found[storage.data_ptr()] = (storage.nbytes(), tensor)  # kept alive, so that no address comes twice
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        model.model(torch.randint(0, 128, (2, 48)), use_cache=False)
    return sum(size for size, _ in found.values())


@pytest.mark.skipif(
    transformers.__version__.startswith("4."), reason="transformers 4 also keeps repeated keys and values, and a mask"
)
@pytest.mark.parametrize(("itemsize", "mixed"), [(4, False), (2, True), (4, True)])
@pytest.mark.parametrize("family", [(LlamaConfig, LlamaForCausalLM), (Qwen2Config, Qwen2ForCausalLM)])
def test_activations_are_what_autograd_keeps(family: tuple, itemsize: int, mixed: bool, tmp_path: Path) -> None:
    kept = {}
    for layers in (2, 4):
        config = family[0](**{**SMALL, "num_hidden_layers": layers})
        model = family[1](config).to(torch.float32 if itemsize == 4 else torch.bfloat16)
        kept[layers] = _kept(model, mixed and itemsize == 4)
    config.save_pretrained(tmp_path)
    four = shape_of(f"{family[0].__name__}", tmp_path / "config.json")
    run = Run("sft", four, 1, 80, itemsize=itemsize, mixed=mixed, checkpointing=False, rows=2, tokens=48, fused=False)
    # Two layers more; embedding and last norm drop out of the difference.
    assert (kept[4] - kept[2]) * 2 == pytest.approx(sizes(run)["activations"], rel=0.02)
    saved = sizes(replace(run, checkpointing=True))["activations"]
    assert sizes(run)["activations"] / 4 < saved < sizes(run)["activations"] / 2


def test_on_a_cpu_a_tile_has_copies(shape: Shape) -> None:
    run = Run("sft", shape, 1, 8, mixed=False, rows=2, tokens=100, scored=100)
    there, here = sizes(run), sizes(replace(run, cpu=True))
    assert here.pop("process") == 0.6 * GIB and there.pop("driver") == GIB
    here_copies = here.pop("copies of a tile")
    assert here_copies == 200 * 128 * (7 * 4 + 1)
    assert here == there
    grpo = sizes(replace(run, cpu=True, scored=30))  # TRL's head without Triton takes the prompts too
    assert grpo["copies of a tile"] == here_copies
    assert forecast(replace(run, cpu=True)).allocated() == sum(here.values()) + 200 * 128 * 29


def test_dropout_before_adapters(shape: Shape) -> None:
    assert shape.adapter_inputs(("q_proj", "down_proj")) == 2 * (64 + 176)
    run = Run("sft", shape, 1, 8, mixed=False, rows=2, tokens=100, scored=100, adapter=1000, checkpointing=False)
    assert "dropout" not in sizes(run)
    dropped = replace(run, dropped=480)
    assert sizes(dropped)["dropout"] == 200 * 480 * (4 + 1)
    assert sizes(replace(dropped, cpu=True))["dropout"] == 200 * 480 * (4 + 4)
    assert sizes(replace(dropped, checkpointing=True))["dropout"] == 200 * 240 * (4 + 1)


def test_ppo_is_grpo_and_a_critic(shape: Shape) -> None:
    run = Run("grpo", shape, 1, 80, mixed=False, reference=True, sampling="transformers", sampled=4)
    found = forecast(run)
    critic = 16 * (shape.parameters - shape.head)  # weights, gradients, two states
    extra = sum(part.bytes for part in found.parts if part.ppo_only)
    assert extra == critic + sizes(run)["activations"] + sizes(run)["backward"]
    assert sizes(run)["backward"] == 1024 * (3 * 176 + 2 * 64) * 4
    assert found.peak(ppo=True) - found.peak() == pytest.approx(extra)
    sft = forecast(replace(run, stage="sft"))
    assert sft.peak(ppo=True) == sft.peak()


def test_peak_is_sampling_or_update(shape: Shape) -> None:
    run = Run("grpo", shape, 1, 80, sampling="transformers", sampled=4)
    update = forecast(run).peak()
    more = forecast(replace(run, sampled=100_000))
    by_hand = 100_000 * 1024 * shape.cache_bytes(2)
    assert sizes(more.run)["cache"] == by_hand == 100_000 * 1024 * 2 * 2 * 32 * 2
    assert more.peak() > update
    assert more.peak() < update + by_hand  # gradients and activations are not there at the same time
    colocated = replace(run, sampling="vllm colocated", vllm_share=0.5)
    assert forecast(colocated).peak() == pytest.approx(update + 40 * GIB)
    assert forecast(replace(colocated, vllm_sleeps=True)).peak() < forecast(colocated).peak()
    assert forecast(replace(colocated, sampling="vllm served")).peak() == update


def test_a_share_of_vllm_that_holds_nothing() -> None:
    seven = shape_of("deepseek-ai/deepseek-math-7b-instruct")
    found = forecast(Run("grpo", seven, 8, 40, sharding="zero3", sampling="vllm colocated", vllm_share=0.3))
    assert not found.works
    assert not found.fits()
    assert "set vllm_gpu_memory_utilization to 0.41 or more" in found.notes[0]  # (12.87 + 1 + 0.47) / 40 and 0.05


def test_advice_fits_and_is_the_mildest_first() -> None:
    seven = shape_of("deepseek-ai/deepseek-math-7b-instruct")
    run = Run("grpo", seven, 1, 24, itemsize=2, quantization="4bit", adapter=75_000_000, rows=4, tokens=712,
              scored=512, sampling="transformers", sampled=64, group=16, accumulation=16)  # fmt: skip
    assert not forecast(run).fits()
    lines = advise(run)
    assert lines[0].startswith("--steps_per_generation 8: ")  # 32 samples; the next divisor with whole groups
    assert forecast(replace(run, sampled=32)).fits()
    full = Run("sft", seven, 1, 24, rows=1, tokens=4096, scored=4096)
    assert [line.split(":")[0] for line in advise(full)] == [
        "--use_peft --lora_r 32 --lora_target_modules all-linear --dtype bfloat16",
        "--use_peft --lora_r 32 --lora_target_modules all-linear --dtype bfloat16 --load_in_4bit",
        "8 GPUs (--accelerate_config zero3 --num_processes 8)",
    ]
    assert not forecast(replace(full, gpus=4, sharding="zero3")).fits()  # 16 bytes a weight: 25.7 GiB
    assert forecast(replace(full, gpus=8, sharding="zero3")).fits()
    assert advise(Run("sft", seven, 1, 2, rows=1))[0].startswith("No change known here")


def test_advice_line_by_line() -> None:
    seven = shape_of("deepseek-ai/deepseek-math-7b-instruct")

    def changes(run: Run) -> list[str]:
        return [line.split(": ")[0] for line in advise(run)]

    full = Run(
        "sft", seven, 1, 80, itemsize=2, adapter=75_000_000, rows=10, tokens=2048, scored=2048, checkpointing=False
    )
    checkpointed = forecast(replace(full, checkpointing=True)).peak() / GIB
    assert advise(full)[0] == f"--gradient_checkpointing true: {checkpointed:.1f} GiB"
    fewer = [f"--per_device_train_batch_size {rows}" for rows in (5, 2, 1)]  # the divisors of 10
    assert changes(full) == ["--gradient_checkpointing true", *fewer]
    # Neither alone is enough; of the batch sizes that are, the largest, and none of the larger ones beside it.
    both = "--gradient_checkpointing true and --per_device_train_batch_size "
    assert changes(replace(full, rows=12, memory=22)) == [both + "6"]  # 21.3 GiB
    assert changes(replace(full, rows=12, memory=21)) == [both + "4"]

    vllm = Run("grpo", seven, 1, 40, itemsize=2, adapter=75_000_000, rows=4, tokens=1024, scored=512,
               sampling="vllm colocated", vllm_share=0.5, sampled=64, group=16, accumulation=16)  # fmt: skip
    others = ["--dtype bfloat16 --load_in_4bit", "2 GPUs (--accelerate_config zero3 --num_processes 2)"]
    assert changes(replace(vllm, memory=30)) == ["--vllm_enable_sleep_mode true", "--vllm_mode server", *others]
    sleeps = replace(vllm, memory=30, vllm_sleeps=True, vllm_share=0.6)
    assert changes(sleeps) == ["--vllm_mode server", *others]

    solve = Run("solve", seven, 1, 30, trains=False, sampling="transformers", sampled=8, tokens=2048)
    assert changes(solve) == ["--dtype bfloat16", "--load_in_8bit", "--load_in_4bit"]
    assert changes(replace(solve, memory=20)) == ["--load_in_8bit", "--load_in_4bit"]
    none = "No number format makes it fit on 12 GiB: take a smaller model."
    assert advise(replace(solve, memory=12)) == [none]
