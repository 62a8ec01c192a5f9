"""What decides the memory and the time of a run: its settings, read once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..data.batch import accumulation_of_tokens, accumulation_steps
from ..data.precision import fast_bf16
from ..errors import ConfigError
from ..generation.memory import Quantization
from ..paper import GRPO_STAGE
from .shapes import Shape, shape_of

_STEPS_SCORED = 10  # steps of a solution that a reward model's `causal` form computes logits for
_VLLM_ALONE = 0.9  # vLLM's default share of a GPU
_PEFT_DEFAULT = ("q_proj", "v_proj")  # peft's target modules for Llama and Qwen2 when none are named
_TRAINING = ("pretrain", "sft", "prm", "grpo")
_INFERENCE = ("annotate", "solve", "evaluate", "rft")


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
    dropped: int = 0  # numbers that enter LoRA's layers for one token, where there is dropout before them
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
    cpu: bool = False  # whether it runs on the processor

    @property
    def projected(self) -> int:
        """Tokens of a row that go through the head in training. Without Triton, TRL's fused head takes all."""
        return self.tokens if self.cpu and self.fused else self.scored

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
        cpu=bool(settings.get("use_cpu")),
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
        scored=int(settings["max_new_tokens"]),
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
    adapter, dropped = None, 0
    if settings.get("use_peft"):
        targets = settings.get("lora_target_modules") or _PEFT_DEFAULT
        targets = (targets,) if isinstance(targets, str) else tuple(targets)
        adapter = run.model.adapter_weights(int(settings["lora_r"]), targets)
        dropped = run.model.adapter_inputs(targets) if settings["lora_dropout"] else 0
    elif run.quantization:
        raise ConfigError("Quantized weights cannot be trained: set use_peft.")
    sharding = hardware.accelerate or settings.get("accelerate_config")
    if gpus > 1 and not sharding:
        notes.append("Sharded by --accelerate_config zero3.")
        sharding = "zero3"
    bf16 = settings.get("bf16")
    if bf16 is None:  # the trainers' default: on a CPU what the processor has
        bf16 = not settings.get("fp16") and (not run.cpu or fast_bf16())
    run = replace(
        run,
        mixed=bool(bf16),
        adapter=adapter,
        dropped=dropped,
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
    if tokens := settings.get("global_batch_tokens"):
        return accumulation_of_tokens(tokens, rows, gpus, int(settings["max_length"]), given)
    group = 1
    if stage == "grpo":
        group = settings["num_generations"] = int(settings["num_generations"] or GRPO_STAGE.group_size)
    return accumulation_steps(settings.get("global_batch_size"), rows, gpus, given, group)


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
