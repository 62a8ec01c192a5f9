"""Does a run fit on the hardware? Counted on the meta device, before anything is loaded (`dsmath plan`).

`read_run` turns the settings of a stage into a [`Run`], `forecast` counts its memory part by part, and `advise` finds what to
change where it does not fit. The formulas and their limits are in docs/guides/plan.md.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .data.batch import accumulation_steps
from .errors import ConfigError
from .generation.memory import GIB, Quantization, model_memory
from .paper import GRPO_STAGE, MODEL

# Shapes that need no hub. Qwen2.5: `config.json` of Qwen/Qwen2.5-0.5B, -1.5B and -7B; the Math models have the same.
_QWEN_KEYS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
              "vocab_size", "tie_word_embeddings")  # fmt: skip
_QWEN = {
    "0.5b": (896, 24, 14, 2, 4864, 151936, True),
    "1.5b": (1536, 28, 12, 2, 8960, 151936, True),
    "7b": (3584, 28, 28, 4, 18944, 152064, False),
}
# Assumptions: what nobody has measured here.
_DRIVER = 1.0 * GIB  # CUDA context, libraries, and what the allocator cannot use
_COLLECTIVES = 1.0 * GIB  # buffers of NCCL and of the sharding, with more than one GPU
_VLLM_OWN = 1.0 * GIB  # what vLLM's activations take of its share
_STEPS_SCORED = 10  # steps of a solution that a reward model's `causal` form computes logits for
_LORA_RANK = 32  # of the adapters that are advised: as in recipes/grpo/gpu24.yaml
_MOST_GPUS = 64  # that are advised
_VLLM_ALONE = 0.9  # vLLM's default share of a GPU
_PEFT_DEFAULT = ("q_proj", "v_proj")  # peft's target modules for Llama and Qwen2 when none are named
_TILE_TOKENS, _TILE_WORDS = 4096, 32768  # trl 1.16, kernels/chunked_logprob.py and trainer/utils.py
_STATES = {"adamw": 8, "adamw_bnb_8bit": 2, "adamw_8bit": 2, "paged_adamw_8bit": 2, "sgd": 0}  # bytes, float32 weights
_TRAINING = ("pretrain", "sft", "prm", "grpo")
_INFERENCE = ("annotate", "solve", "evaluate", "rft")


# --- The shape of a model ---


@dataclass(frozen=True)
class Shape:
    """Sizes of a model, from its config alone: see [`shape_of`]."""

    name: str  # where it came from
    config: str  # as JSON
    parameters: int  # each counted once
    head: int  # weights of an output head that is not tied to the embedding
    embedding: int  # weights of the embedding
    linear: dict[str, tuple[int, int, int]]  # layers but the head, by the end of their name: inputs, outputs, how many
    layers: int
    hidden: int
    intermediate: int
    key_value: int
    vocabulary: int

    @property
    def linear_weights(self) -> int:
        """Weights in linear layers other than the head."""
        return sum(inputs * outputs * count for inputs, outputs, count in self.linear.values())

    def adapter_weights(self, rank: int, targets: tuple[str, ...]) -> int:
        """Weights of LoRA adapters of this rank on these layers; `("all-linear",)` is all but the head.

        Raises:
            ConfigError: no layer has such a name.
        """
        found = [v for k, v in self.linear.items() if targets == ("all-linear",) or k in targets]
        if not found:
            raise ConfigError(f"lora_target_modules {', '.join(targets)}: {self.name} has {', '.join(self.linear)}.")
        return sum(rank * (inputs + outputs) * count for inputs, outputs, count in found)

    def weight_bytes(self, itemsize: int, quantization: Quantization | None = None) -> int:
        """Bytes of the weights as they are loaded."""
        return _weight_bytes(self.config, itemsize, quantization)

    def cache_bytes(self, itemsize: int) -> int:
        """Bytes of the keys and values of one token."""
        return 2 * self.layers * self.key_value * itemsize


def shape_of(name: str, config_file: Path | None = None) -> Shape:
    """Finds the shape of a model: a known one, a folder, a config file, or a name on the hub.

    Args:
        name (`str`):
            Name or folder of the model.
        config_file (`Path`, *optional*):
            Its `config.json`, where neither the name is known nor the hub can be reached.

    Raises:
        ConfigError: no config can be found.
    """
    config: dict[str, Any] | None
    if config_file is not None:
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"model_config {config_file}: {error}") from error
    else:
        config = _known(name)
    if config is None:
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(name).to_dict()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The config of {name} cannot be loaded: {str(error).strip().splitlines()[0]} "
                "Set model_config to a config.json, or model_name_or_path to another model."
            ) from error
    return _shape(name, json.dumps(config, sort_keys=True, default=str))


def _known(name: str) -> dict[str, Any] | None:
    """Config of a model whose shape is written here."""
    short = name.lower().rsplit("/", 1)[-1].removesuffix("-instruct").removesuffix("-base")
    if short in {"deepseek-math-7b", "deepseek-math-7b-rl", "deepseek-coder-7b-base-v1.5"}:
        return {"model_type": "llama", **asdict(MODEL), "tie_word_embeddings": False}
    family, _, size = short.rpartition("-")
    if family not in {"qwen2.5", "qwen2.5-math"} or size not in _QWEN:
        return None
    return {"model_type": "qwen2", **dict(zip(_QWEN_KEYS, _QWEN[size], strict=True))}


def _config(text: str) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"This config cannot be used: {error}") from error


@lru_cache
def _weight_bytes(config: str, itemsize: int, quantization: Quantization | None) -> int:
    import torch

    dtype = torch.float32 if itemsize == 4 else torch.bfloat16
    return model_memory(_config(config), dtype, quantization).weight_bytes


@lru_cache
def _shape(name: str, text: str) -> Shape:
    import torch
    from transformers import AutoModelForCausalLM

    config = _config(text)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    linear: dict[str, tuple[int, int, int]] = {}
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            key = path.rsplit(".", 1)[-1]
            linear[key] = (module.in_features, module.out_features, linear.get(key, (0, 0, 0))[2] + 1)
    inner = config.get_text_config()
    size = getattr(inner, "head_dim", None) or inner.hidden_size // inner.num_attention_heads
    return Shape(
        name=name,
        config=text,
        parameters=sum(p.numel() for p in model.parameters()),
        head=0 if head.weight is embedding else head.weight.numel(),
        embedding=embedding.numel(),
        linear=linear,
        layers=inner.num_hidden_layers,
        hidden=inner.hidden_size,
        intermediate=inner.intermediate_size,
        key_value=size * (getattr(inner, "num_key_value_heads", None) or inner.num_attention_heads),
        vocabulary=inner.vocab_size,
    )


# --- What decides the memory of a run ---


class Scorer(NamedTuple):
    """A model that gives rewards."""

    name: str
    shape: Shape
    sharded: bool  # whether sharding reaches it


@dataclass(frozen=True)
class Run:
    """What decides the memory of a run, per process, that is per GPU."""

    stage: str
    model: Shape  # the policy, or the model that is trained
    gpus: int
    memory: float  # GiB of a GPU
    itemsize: int = 4  # bytes of a weight as loaded
    mixed: bool = True  # whether the passes run in bfloat16
    quantization: Quantization | None = None
    trains: bool = True
    adapter: int | None = None  # trained weights of LoRA; None: all weights are trained
    optim: str = "adamw_torch_fused"
    sharding: str = "none"  # "zero3", "fsdp2", or "none": every GPU holds everything
    checkpointing: bool = True
    rows: int = 1  # of a micro-batch
    tokens: int = 1024  # of a row
    scored: int = 1024  # tokens of a row whose logits are computed
    fused: bool = True  # whether logits are computed in tiles (TRL's fused head)
    sampling: Literal["none", "transformers", "vllm colocated", "vllm served"] = "none"
    sampled: int = 0  # rows that a process samples at a time
    group: int = 1  # completions per question
    accumulation: int = 1  # micro-batches of an update
    vllm_share: float = 0.0  # of a GPU
    vllm_parallel: int = 1
    vllm_sleeps: bool = False  # whether vLLM gives its share back during the update
    reference: bool = False
    scorers: tuple[Scorer, ...] = ()

    @property
    def shards(self) -> int:
        """Into how many parts weights, gradients and states are cut."""
        return self.gpus if self.sharding in {"zero3", "fsdp2"} else 1


@dataclass(frozen=True)
class Hardware:
    """
    What a run is to fit on, and what its settings do not say.

    Args:
        gpus (`int`):
            GPUs, one process each.
        memory (`float`):
            GiB of a GPU.
        accelerate (`str`, *optional*):
            Name of TRL's configuration: `"zero3"`, `"fsdp2"`, `"multi_gpu"` ...
        prompt_tokens (`int`, *optional*, defaults to `200`):
            Tokens of the longest prompt.
        model_config (`Path`, *optional*):
            `config.json` of the model.
        scorer (`str`, *optional*):
            Name or folder of the reward model's shape.
        absent (`str`, *optional*):
            Shape of the model where an earlier stage is to make it.
    """

    gpus: int
    memory: float
    accelerate: str | None = None
    prompt_tokens: int = 200
    model_config: Path | None = None
    scorer: str | None = None
    absent: str | None = None

    @property
    def prompt_note(self) -> str:
        return f"Prompts of {self.prompt_tokens:,} tokens (--prompt_tokens)."


def read_run(stage: str, settings: dict[str, Any], hardware: Hardware) -> tuple[Run, list[str]]:
    """The run that these settings describe.

    Args:
        stage (`str`):
            Name of the stage.
        settings (`dict[str, Any]`):
            Its settings, defaults included.
        hardware ([`Hardware`]):
            What it is to fit on.

    Returns:
        `tuple[Run, list[str]]`: the run, and what was assumed.

    Raises:
        ConfigError: the global batch cannot be divided, groups are broken, or the model is unknown.
    """
    if stage not in _TRAINING + _INFERENCE:
        raise ConfigError(f"There is no forecast for {stage}; there is for {', '.join(_TRAINING + _INFERENCE)}.")
    name = settings.get("model_name_or_path")
    if not name:
        raise ConfigError("Which model? Set model_name_or_path.")
    notes = []
    if hardware.absent and _not_yet(name):
        notes.append(f"{name} is not there yet: taken to be as large as {hardware.absent} (--scorer NAME).")
        name = hardware.absent
    quantization: Quantization | None = None
    if settings.get("load_in_8bit"):
        quantization = "8bit"
    elif settings.get("load_in_4bit"):
        nested = settings.get("use_bnb_nested_quant")
        nested = stage in ("solve", "evaluate") if nested is None else nested
        quantization = "4bit-double" if nested else "4bit"
    run = Run(
        stage,
        shape_of(str(name), hardware.model_config),
        hardware.gpus,
        hardware.memory,
        itemsize=2 if str(settings.get("dtype")) in {"bfloat16", "float16", "None", "auto"} else 4,
        quantization=quantization,
    )
    read = _read_inference if stage in _INFERENCE else _read_training
    return read(run, settings, hardware, notes)


def _not_yet(name: Any) -> bool:
    """Whether this is a model that an earlier stage is to make."""
    return str(name).startswith("runs/") and not Path(name).exists()


def _read_inference(run: Run, settings: dict[str, Any], hardware: Hardware, notes: list[str]) -> tuple[Run, list[str]]:
    """A run that only samples. Transformers computes as many samples at a time as fit: one must."""
    if settings.get("engine") == "server":
        raise ConfigError("engine=server loads no model here. Plan the server's GPU: engine=vllm.")
    vllm = settings.get("engine") == "vllm"
    run = replace(
        run,
        gpus=1,
        trains=False,
        mixed=False,
        tokens=hardware.prompt_tokens + int(settings["max_new_tokens"]),
        sampled=0 if vllm else int(settings.get("batch_size") or 1),
        sampling="vllm colocated" if vllm else "transformers",
        vllm_share=_VLLM_ALONE if vllm else 0.0,
        scorers=_scorers(settings.get("step_scorer"), "step scorer", hardware, run.model, []),
    )
    notes = [*notes, hardware.prompt_note]
    if not vllm and not settings.get("batch_size"):
        notes.append("Samples are computed as many at a time as fit; the forecast is for one.")
    if hardware.gpus > 1:
        notes.append("One process drives one GPU; give each a part of the work.")
    return run, notes


def _read_training(run: Run, settings: dict[str, Any], hardware: Hardware, notes: list[str]) -> tuple[Run, list[str]]:
    rows, gpus = int(settings["per_device_train_batch_size"]), hardware.gpus
    accumulation = _accumulation(run.stage, settings, rows, gpus)
    adapter = None
    if settings.get("use_peft"):
        targets = settings.get("lora_target_modules") or _PEFT_DEFAULT
        targets = (targets,) if isinstance(targets, str) else tuple(targets)
        adapter = run.model.adapter_weights(int(settings["lora_r"]), targets)
    elif run.quantization:
        raise ConfigError("Quantised weights cannot be trained: set use_peft.")
    sharding = hardware.accelerate or settings.get("accelerate_config")
    if gpus > 1 and not sharding:
        notes.append("Sharded by --accelerate_config zero3.")
        sharding = "zero3"
    bf16 = settings.get("bf16")
    run = replace(
        run,
        mixed=(not settings.get("fp16")) if bf16 is None else bool(bf16),
        adapter=adapter,
        optim=str(getattr(settings["optim"], "value", settings["optim"])),
        sharding=sharding if gpus > 1 and sharding in {"zero3", "fsdp2"} else "none",
        checkpointing=bool(settings["gradient_checkpointing"]),
        rows=rows,
        accumulation=accumulation,
    )
    if run.stage == "grpo":
        return _read_grpo(run, settings, hardware, notes)
    tokens = int(settings["max_length"])
    scored = tokens
    if run.stage == "prm" and settings["prm_type"] != "likelihood":  # two labels, or two signs at each step of any row
        scored = rows * _STEPS_SCORED if settings["prm_type"] == "causal" else 0
    return replace(run, tokens=tokens, scored=scored, fused=run.stage != "prm"), notes


def _read_grpo(run: Run, settings: dict[str, Any], hardware: Hardware, notes: list[str]) -> tuple[Run, list[str]]:
    completion, group = int(settings["max_completion_length"]), int(settings["num_generations"])
    sampled = run.rows * int(settings.get("steps_per_generation") or run.accumulation)
    if sampled * run.gpus % group:
        raise ConfigError(
            f"{sampled} completions per process on {run.gpus} GPUs are not whole groups of {group}. "
            "Set steps_per_generation, or num_generations, so that they are."
        )
    notes = [*notes, hardware.prompt_note]
    scorers = [
        scorer
        for key, what in (("reward_model_name_or_path", "reward model"), ("step_scorer", "step scorer"))
        for scorer in _scorers(settings.get(key), what, hardware, run.model, notes)
    ]
    served = settings["vllm_mode"] == "server"
    run = replace(
        run,
        tokens=hardware.prompt_tokens + completion,
        scored=completion,
        sampling="transformers" if not settings["use_vllm"] else "vllm served" if served else "vllm colocated",
        sampled=sampled,
        group=group,
        vllm_share=float(settings["vllm_gpu_memory_utilization"]),
        vllm_parallel=int(settings["vllm_tensor_parallel_size"]),
        vllm_sleeps=bool(settings["vllm_enable_sleep_mode"]),
        reference=float(settings["beta"]) != 0 and run.adapter is None,
        scorers=tuple(scorers),
    )
    return run, notes


def _accumulation(stage: str, settings: dict[str, Any], rows: int, gpus: int) -> int:
    """Micro-batches of an update; refuses a global batch that cannot be divided so."""
    given = settings.get("gradient_accumulation_steps")
    tokens = settings.get("global_batch_tokens")
    if stage != "pretrain" or not tokens:
        if stage == "grpo":
            settings["num_generations"] = int(settings["num_generations"] or GRPO_STAGE.group_size)
        group = settings["num_generations"] if stage == "grpo" else 1
        return accumulation_steps(settings.get("global_batch_size"), rows, gpus, given, group)
    together = rows * gpus * int(settings["max_length"])
    steps = int(given or max(1, round(tokens / together)))
    if abs(steps * together / tokens - 1) > 0.05:
        raise ConfigError(
            f"{steps * together:,} tokens per update are more than 5 % from global_batch_tokens ({tokens:,}): lower "
            "per_device_train_batch_size or the number of GPUs."
        )
    return steps


def _scorers(named: Any, what: str, hardware: Hardware, policy: Shape, notes: list[str]) -> tuple[Scorer, ...]:
    """The models that give rewards; what is assumed of their shape is added to `notes`."""
    found = []
    for name in [named] if isinstance(named, str) else named or []:
        shape = policy
        if hardware.scorer:
            shape = shape_of(hardware.scorer)
        elif _not_yet(name):
            notes.append(f"The {what} {name} is not there yet: taken to be as large as the policy (--scorer NAME).")
        else:
            shape = shape_of(str(name))
        found.append(Scorer(what, shape, what == "reward model"))  # only an outcome reward model is sharded
    return tuple(found)


# --- The forecast ---


@dataclass(frozen=True)
class Part:
    """A part of the memory of a GPU."""

    name: str
    bytes: float
    when: Literal["always", "sampling", "update"]
    how: str  # the arithmetic in words
    ppo_only: bool = False  # whether PPO has it and GRPO has not


@dataclass(frozen=True)
class Forecast:
    """The parts of a run, those of PPO's critic included, and what they come to."""

    run: Run
    parts: list[Part]
    notes: list[str]  # what decides whether it works, and is not a part of the memory
    works: bool = True  # False where it cannot work whatever the memory: vLLM's share holds no model

    def peak(self, ppo: bool = False) -> float:
        """Bytes of the fullest GPU at its fullest moment."""
        total = {"always": 0.0, "sampling": 0.0, "update": 0.0}
        for part in self.parts:
            total[part.when] += part.bytes if ppo or not part.ppo_only else 0.0
        return total["always"] + max(total["sampling"], total["update"])

    def allocated(self, ppo: bool = False) -> float:
        """As `peak`, without the assumed parts: what `torch.cuda.max_memory_allocated` should show."""
        return self.peak(ppo) - sum(part.bytes for part in self.parts if part.name in ("driver", "collectives"))

    def fits(self, ppo: bool = False) -> bool:
        """Whether the GPU holds it."""
        return self.works and self.peak(ppo) <= self.run.memory * GIB


def forecast(run: Run) -> Forecast:
    """Forecasts the memory of a GPU.

    Args:
        run ([`Run`]):
            The run.

    Returns:
        [`Forecast`]

    Raises:
        ConfigError: the optimiser is unknown.
    """
    parts = [Part("driver", _DRIVER, "always", "assumed")]
    if run.gpus > 1:
        parts.append(Part("collectives", _COLLECTIVES, "always", "assumed"))
    if run.trains:
        parts += [*_trained(run), *_activations(run), _logits(run)]
    elif run.sampling != "vllm colocated":  # otherwise inside vLLM's share
        weights = run.model.weight_bytes(run.itemsize, run.quantization)
        parts.append(Part("weights", weights, "always", run.quantization or f"{run.itemsize} bytes per weight"))
    for scorer in run.scorers:  # trained in float32 and loaded as saved
        shards = run.shards if scorer.sharded else 1
        size = (scorer.shape.parameters - scorer.shape.head) * 4 / shards
        parts.append(Part(scorer.name, size, "always", f"{scorer.shape.name}, 4 bytes per weight{_over(shards)}"))
    if run.reference:
        itemsize = 2 if run.sharding == "zero3" and run.mixed else run.itemsize
        size = run.model.weight_bytes(itemsize) / run.shards
        parts.append(Part("reference", size, "always", f"{itemsize} bytes per weight{_over(run.shards)}"))
    sampling, notes, works = _sampling(run)
    parts += sampling
    if run.stage == "grpo":
        critic = [*_trained(run, without_head=True), *_activations(run)]
        parts += [Part(f"critic: {part.name}", part.bytes, part.when, part.how, ppo_only=True) for part in critic]
    return Forecast(run, [part for part in parts if part.bytes], notes, works)


def _over(shards: int) -> str:
    return f" / {shards} GPUs" if shards > 1 else ""


def _trained(run: Run, without_head: bool = False) -> list[Part]:
    """Weights, gradients and the optimiser's states of the policy, or of PPO's critic: the same without a head."""
    shape, share, over = run.model, run.shards, _over(run.shards)
    left_out = shape.head if without_head else 0
    base = shape.weight_bytes(run.itemsize, run.quantization) - left_out * (2 if run.quantization else run.itemsize)
    how = run.quantization or f"{run.itemsize} bytes per weight"
    parts = [Part("weights", base / share, "always", how + over)]
    if run.adapter is None:
        trained, itemsize = shape.parameters - left_out, run.itemsize
        what = f"{trained / 1e9:.2f} B"
    else:
        # peft keeps adapters in float32, TRL those of a quantised model in bfloat16.
        trained, itemsize = run.adapter, 2 if run.quantization else 4
        what = f"adapters, {trained / 1e6:.0f} M"
        parts.append(Part("adapters", trained * itemsize / share, "always", f"{itemsize} bytes each{over}"))
    gradients, states = trained * itemsize / share, trained * _state_bytes(run.optim, itemsize) / share
    parts.append(Part("gradients", gradients, "update", f"{what}, {itemsize} bytes each{over}"))
    parts.append(Part("optimiser", states, "always", f"{run.optim}, {what}{over}"))
    if share > 1:
        whole = 2 * (2 * shape.linear_weights // shape.layers + shape.embedding + shape.head - left_out)
        parts.append(Part("gathered", whole, "always", "two layers, embedding and head whole, bfloat16"))
    elif run.gpus > 1:
        parts.append(Part("buckets", trained * itemsize, "update", "DDP's copy of the gradients"))
    if share == 1 and run.mixed and run.itemsize == 4:
        parts.append(Part("bf16 copies", 2 * shape.linear_weights, "update", "linear layers, made by autocast"))
    return parts


def _state_bytes(optim: str, itemsize: int) -> float:
    """Bytes of the optimiser's states for a weight of this size."""
    name = "adamw" if optim.startswith("adamw_torch") else optim
    if name not in _STATES:
        raise ConfigError(
            f"The states of optim={optim} are not known here. Known: adamw_torch*, {', '.join(_STATES)}."
        )
    return _STATES[name] * itemsize / 4 if name == "adamw" else _STATES[name]


def _activations(run: Run) -> list[Part]:
    """What backward needs of a micro-batch: measured on Llama and Qwen2 layers with SDPA (docs/guides/plan.md)."""
    shape, tokens = run.model, run.rows * run.tokens
    inner = 2 * shape.key_value + 4 * shape.intermediate
    if not run.mixed and run.itemsize == 4:
        kept, between = 4 * (8 * shape.hidden + inner), 4 * shape.hidden
    elif run.itemsize == 4 and run.shards == 1:  # the stream between layers stays in float32
        kept, between = 2 * (15 * shape.hidden + inner), 4 * shape.hidden
    else:
        kept, between = 2 * (10 * shape.hidden + inner), 2 * shape.hidden
    how = f"{run.rows} x {run.tokens:,} tokens, "
    if run.checkpointing:
        size, how = tokens * (shape.layers * between + kept), how + "checkpointing: one layer whole"
    else:
        size, how = tokens * shape.layers * kept, how + "all layers"
    # While a layer's gradients are computed, three widths of its MLP and two of the stream are there at once.
    itemsize = 2 if run.mixed or run.itemsize == 2 else 4
    passing = tokens * (3 * shape.intermediate + 2 * shape.hidden) * itemsize
    return [
        Part("activations", size, "update", how),
        Part("backward", passing, "update", "gradients inside a layer"),
    ]


def _logits(run: Run) -> Part:
    shape, tokens = run.model, run.rows * run.scored
    itemsize = 2 if run.mixed else 4
    if not run.fused:
        size = tokens * shape.vocabulary * (itemsize + 4)
        return Part("logits", size, "update", f"{tokens:,} tokens x {shape.vocabulary:,}, twice")
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_WORDS) * itemsize
    # Gradients of the hidden states, and of the head where it is trained, are added up in float32.
    head = 4 * shape.vocabulary * shape.hidden if run.adapter is None else 0
    what = " and gradient of the head" if head else ""
    return Part("logits", tile + 4 * tokens * shape.hidden + head, "update", f"{tokens:,} tokens in tiles{what}")


def _sampling(run: Run) -> tuple[list[Part], list[str], bool]:
    """Parts of sampling completions, what is to be said about it, and whether it can work."""
    shape = run.model
    cache = shape.cache_bytes(2 if run.mixed or run.itemsize == 2 else 4)
    if run.sampling == "none":
        return [], [], True
    if run.sampling == "vllm served":
        return [], ["vLLM runs elsewhere (`trl vllm-serve`), on GPUs that are not counted here."], True
    if run.sampling == "transformers":
        size = cache * run.sampled * run.tokens
        how = f"{run.sampled} x {run.tokens:,} tokens, {cache / 1024:.0f} KiB each"
        parts = [Part("cache", size, "sampling" if run.trains else "always", how)]
        if run.trains and run.sharding == "zero3" and run.shards > 1:
            parts.append(Part("whole weights", 2 * shape.parameters, "sampling", "gathered to sample completions"))
        return parts, [], True
    share, weights = run.vllm_share * run.memory * GIB, shape.weight_bytes(2) / run.vllm_parallel
    rows = int((share - weights - _VLLM_OWN) // (cache * run.tokens / run.vllm_parallel))
    part = Part("vLLM's share", share, "sampling" if run.vllm_sleeps else "always", f"{run.vllm_share:g} of the GPU")
    if rows < 1:
        needed = (weights + _VLLM_OWN + cache * run.tokens) / (run.memory * GIB)
        fix = f"set vllm_gpu_memory_utilization to {needed + 0.05:.2f} or more"
        return [part], [f"vLLM's share holds no sequence beside its weights: {fix}."], False
    return [part], [f"vLLM has room for {rows:,} sequences of {run.tokens:,} tokens at once."], True


# --- Advice ---

Change = tuple[str, Callable[[Run], Run]]


def advise(run: Run) -> list[str]:
    """Changes with which a run fits, the mildest first: one alone, or else several together.

    Args:
        run ([`Run`]):
            A run that does not fit.

    Returns:
        `list[str]`: one line per change with what it comes to; a single line when nothing helps.
    """
    if not run.trains:
        formats = [change for change in _formats(run) if forecast(change[1](run)).fits()]
        none = f"No number format makes it fit on {run.memory:g} GiB: take a smaller model."
        return [_line(run, [change]) for change in formats] or [none]
    alone = [change for change in _changes(run) if forecast(change[1](run)).fits()]
    if alone:
        return [_line(run, [change]) for change in alone]
    chosen: list[Change] = []
    for change in [*_mild(run), *_strong(run)]:
        before, after = forecast(_apply(run, chosen)), forecast(_apply(run, [*chosen, change]))
        if after.peak() < before.peak() or after.works > before.works:
            chosen.append(change)
        if forecast(_apply(run, chosen)).fits():
            for needless in list(chosen):  # a later change may have made an earlier one idle
                rest = [kept for kept in chosen if kept is not needless]
                chosen = rest if forecast(_apply(run, rest)).fits() else chosen
            return [_line(run, chosen)]
    return [f"No change known here makes it fit on {run.gpus} x {run.memory:g} GiB: take a smaller model."]


def _apply(run: Run, changes: list[Change]) -> Run:
    for _, change in changes:
        run = change(run)
    return run


def _line(run: Run, changes: list[Change]) -> str:
    words = " and ".join(words for words, _ in changes)
    return f"{words}: {forecast(_apply(run, changes)).peak() / GIB:.1f} GiB"


def _set(**settings: Any) -> Callable[[Run], Run]:
    return lambda run: replace(run, **settings)


def _formats(run: Run) -> Iterator[Change]:
    yield "--dtype bfloat16", _set(itemsize=2)
    if run.sampling != "vllm colocated":
        yield "--load_in_8bit", _set(itemsize=2, quantization="8bit")
        yield "--load_in_4bit", _set(itemsize=2, quantization="4bit-double")


def _changes(run: Run) -> Iterator[Change]:
    yield from _mild(run)
    yield from _strong(run)
    gpus = 2 * run.gpus
    while gpus <= _MOST_GPUS and run.quantization is None:
        more = _set(gpus=gpus, sharding="zero3" if run.sharding == "none" else run.sharding)
        if forecast(more(run)).fits():
            yield f"{gpus} GPUs (--accelerate_config zero3 --num_processes {gpus})", more
            return
        gpus *= 2


def _mild(run: Run) -> Iterator[Change]:
    """Changes that leave the update as it is."""
    if not run.checkpointing:
        yield "--gradient_checkpointing true", _set(checkpointing=True)
    if run.sampling == "vllm colocated" and not run.vllm_sleeps:
        yield "--vllm_enable_sleep_mode true", _set(vllm_sleeps=True)
    if run.sampling == "transformers":
        for fewer in range(run.sampled // run.rows - 1, 0, -1):
            rows = run.rows * fewer
            if run.accumulation % fewer == 0 and rows * run.gpus % run.group == 0:
                yield f"--steps_per_generation {fewer}", _sampled(rows)
    rows = run.rows // 2
    while rows >= 1 and run.rows % rows == 0:
        yield f"--per_device_train_batch_size {rows}", _rows(rows)
        rows //= 2
    if run.sampling == "vllm colocated":
        yield "--vllm_mode server", _set(sampling="vllm served")


def _strong(run: Run) -> Iterator[Change]:
    """Changes of what is trained, or how."""
    lora = f"--use_peft --lora_r {_LORA_RANK} --lora_target_modules all-linear "
    if run.adapter is None:
        yield "--optim adamw_bnb_8bit", _set(optim="adamw_bnb_8bit")
        yield f"{lora}--dtype bfloat16", _lora(None)
    if run.quantization is None and run.gpus == 1:  # sharded 4-bit weights need settings of their own
        yield f"{'' if run.adapter else lora}--dtype bfloat16 --load_in_4bit", _lora("4bit")


def _sampled(rows: int) -> Callable[[Run], Run]:
    return lambda run: replace(run, sampled=min(rows, run.sampled))


def _rows(rows: int) -> Callable[[Run], Run]:
    return lambda run: replace(run, rows=rows, accumulation=run.accumulation * run.rows // rows)


def _lora(quantization: Quantization | None) -> Callable[[Run], Run]:
    def change(run: Run) -> Run:
        adapter = run.adapter or run.model.adapter_weights(_LORA_RANK, ("all-linear",))
        return replace(run, adapter=adapter, itemsize=2, quantization=quantization, reference=False)

    return change
