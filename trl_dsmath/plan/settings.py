"""From the settings of a stage to a [`Run`]."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.batch import accumulation_steps
from ..errors import ConfigError
from ..generation.memory import Quantization
from ..paper import GRPO_STAGE
from .run import Run, Sampling
from .shapes import Shape, shape_of

TRAINING = ("pretrain", "sft", "prm", "grpo")
INFERENCE = ("annotate", "solve", "evaluate")
_PEFT_DEFAULT = ("q_proj", "v_proj")  # peft's target modules for Llama and Qwen2 when none are named
_STEPS_SCORED = 10  # steps of a solution that a reward model's `causal` form computes logits for: an assumption
_VLLM_ALONE = 0.9  # vLLM's default share of a card


@dataclass(frozen=True)
class Hardware:
    """
    What a run is to fit on, and what its settings do not say.

    Attributes:
        cards (`int`):
            Cards, one process each.
        memory (`float`):
            GiB of a card.
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

    cards: int
    memory: float
    accelerate: str | None = None
    prompt_tokens: int = 200
    model_config: Path | None = None
    scorer: str | None = None
    absent: str | None = None


def read_run(stage: str, settings: dict[str, Any], hardware: Hardware) -> tuple[Run, list[str]]:
    """The run that these settings describe.

    Args:
        stage (`str`):
            Name of the command.
        settings (`dict[str, Any]`):
            Its settings, defaults included.
        hardware ([`Hardware`]):
            What it is to fit on.

    Returns:
        `tuple[Run, list[str]]`: the run, and what was assumed.

    Raises:
        ConfigError: the global batch cannot be divided, groups are broken, or the model is unknown.
    """
    name = settings.get("model_name_or_path")
    if not name:
        raise ConfigError("Which model? Give --model_name_or_path.")
    said = []
    if hardware.absent and _not_yet(name):
        said.append(f"{name} is not there yet: taken to be as large as {hardware.absent} (--scorer NAME).")
        name = hardware.absent
    model = shape_of(str(name), hardware.model_config)
    common: dict[str, Any] = {
        "stage": stage,
        "model": model,
        "cards": hardware.cards,
        "memory": hardware.memory,
        "itemsize": 2 if str(settings.get("dtype")) in {"bfloat16", "float16", "None", "auto"} else 4,
        "quantization": _quantization(settings, double=stage in ("solve", "evaluate")),
    }
    if stage in INFERENCE:
        run, assumed = _inference(settings, hardware, common)
    elif stage in TRAINING:
        run, assumed = _training(stage, settings, hardware, common, model)
    else:
        raise ConfigError(f"There is no forecast for {stage}; there is for {', '.join(TRAINING + INFERENCE)}.")
    return run, [*said, *assumed]


def _not_yet(name: Any) -> bool:
    """Whether this is a model that an earlier stage is to make."""
    return str(name).startswith("runs/") and not Path(name).exists()


def _quantization(settings: dict[str, Any], double: bool) -> Quantization | None:
    if settings.get("load_in_8bit"):
        return "8bit"
    if not settings.get("load_in_4bit"):
        return None
    nested = settings.get("use_bnb_nested_quant")
    return "4bit-double" if (double if nested is None else nested) else "4bit"


def _inference(settings: dict[str, Any], hardware: Hardware, common: dict[str, Any]) -> tuple[Run, list[str]]:
    """A run that only writes. Transformers computes as many samples at a time as fit: one must."""
    if settings.get("engine") == "server":
        raise ConfigError("--engine server loads no model here. Plan the server's card: --engine vllm.")
    vllm = settings.get("engine") == "vllm"
    tokens = hardware.prompt_tokens + int(settings["max_new_tokens"])
    rows = int(settings.get("batch_size") or 1)
    run = Run(
        **{**common, "cards": 1},
        trains=False,
        mixed=False,
        tokens=tokens,
        sampled=0 if vllm else rows,
        sampling="vllm colocated" if vllm else "transformers",
        vllm_share=_VLLM_ALONE if vllm else 0.0,
        scorers=_scorer(settings.get("step_scorer"), "step scorer", hardware, common["model"])[0],
    )
    assumed = [_prompt(hardware)]
    if not vllm and not settings.get("batch_size"):
        assumed.append("Samples are computed as many at a time as fit; the forecast is for one.")
    if hardware.cards > 1:
        assumed.append("One process drives one card; give each a part of the work.")
    return run, assumed


def _prompt(hardware: Hardware) -> str:
    return f"Prompts of {hardware.prompt_tokens:,} tokens (--prompt_tokens)."


def _training(
    stage: str, settings: dict[str, Any], hardware: Hardware, common: dict[str, Any], model: Shape
) -> tuple[Run, list[str]]:
    rows, cards = int(settings["per_device_train_batch_size"]), hardware.cards
    steps = _accumulation(stage, settings, rows, cards)
    adapter = None
    if settings.get("use_peft"):
        targets = settings.get("lora_target_modules") or _PEFT_DEFAULT
        targets = (targets,) if isinstance(targets, str) else tuple(targets)
        adapter = model.adapter_weights(int(settings["lora_r"]), targets)
    elif common["quantization"]:
        raise ConfigError("Quantised weights cannot be trained: set use_peft.")
    assumed = []
    sharding = hardware.accelerate or settings.get("accelerate_config") or ("zero3" if cards > 1 else "none")
    if cards > 1 and not hardware.accelerate and not settings.get("accelerate_config"):
        assumed.append("Sharded by --accelerate_config zero3.")
    if sharding not in {"zero3", "fsdp2"}:
        sharding = "none"
    bf16 = settings.get("bf16")
    common |= {
        "mixed": (not settings.get("fp16")) if bf16 is None else bool(bf16),
        "adapter": adapter,
        "optim": str(getattr(settings["optim"], "value", settings["optim"])),
        "sharding": sharding if cards > 1 else "none",
        "checkpointing": bool(settings["gradient_checkpointing"]),
        "rows": rows,
        "accumulation": steps,
    }
    if stage != "grpo":
        tokens = int(settings["max_length"])
        scored = tokens
        if stage == "prm":  # two labels, or two signs at each step of any row
            scored = rows * _STEPS_SCORED if settings["prm_type"] == "causal" else 0
            scored = tokens if settings["prm_type"] == "likelihood" else scored
        return Run(**common, tokens=tokens, scored=scored, fused=stage != "prm"), assumed
    completion = int(settings["max_completion_length"])
    sampled = rows * int(settings.get("steps_per_generation") or steps)
    if sampled * cards % int(settings["num_generations"]):
        raise ConfigError(
            f"{sampled} completions a process on {cards} cards are no whole groups of {settings['num_generations']}. "
            "Set steps_per_generation, or num_generations, so that they are."
        )
    outcome, said = _scorer(settings.get("reward_model_name_or_path"), "reward model", hardware, model)
    steps_scorers, also_said = _scorer(settings.get("step_scorer"), "step scorer", hardware, model)
    run = Run(
        **common,
        tokens=hardware.prompt_tokens + completion,
        scored=completion,
        sampling=_engine(settings),
        sampled=sampled,
        group=int(settings["num_generations"]),
        vllm_share=float(settings["vllm_gpu_memory_utilization"]),
        vllm_parallel=int(settings["vllm_tensor_parallel_size"]),
        vllm_sleeps=bool(settings["vllm_enable_sleep_mode"]),
        reference=float(settings["beta"]) != 0 and adapter is None,
        scorers=(*outcome, *steps_scorers),
    )
    return run, [*assumed, _prompt(hardware), *said, *also_said]


def _accumulation(stage: str, settings: dict[str, Any], rows: int, cards: int) -> int:
    """Micro-batches of an update; refuses a global batch that cannot be divided so."""
    given = settings.get("gradient_accumulation_steps")
    if stage == "pretrain" and settings.get("global_batch_tokens"):
        together = rows * cards * int(settings["max_length"])
        steps = int(given or max(1, round(settings["global_batch_tokens"] / together)))
        if abs(steps * together / settings["global_batch_tokens"] - 1) > 0.05:
            raise ConfigError(
                f"{steps * together:,} tokens an update are more than 5 % from global_batch_tokens "
                f"({settings['global_batch_tokens']:,}): lower per_device_train_batch_size or the number of cards."
            )
        return steps
    group = 1
    if stage == "grpo":
        settings["num_generations"] = settings["num_generations"] or GRPO_STAGE.group_size
        group = int(settings["num_generations"])
    return accumulation_steps(settings.get("global_batch_size"), rows, cards, given, group)


def _engine(settings: dict[str, Any]) -> Sampling:
    if not settings["use_vllm"]:
        return "transformers"
    return "vllm served" if settings["vllm_mode"] == "server" else "vllm colocated"


def _scorer(
    named: Any, what: str, hardware: Hardware, policy: Shape
) -> tuple[tuple[tuple[str, Shape, int, bool], ...], list[str]]:
    """The models that give rewards, and what was assumed of their shape."""
    if not named:
        return (), []
    found, said = [], []
    for name in [named] if isinstance(named, str) else named:
        if hardware.scorer:
            shape = shape_of(hardware.scorer)
        elif _not_yet(name):
            shape = policy
            said.append(f"The {what} {name} is not there yet: taken to be as large as the policy (--scorer NAME).")
        else:
            shape = shape_of(str(name))
        # Trained in float32 and loaded as saved; only DeepSpeed cuts an outcome reward model, none a step scorer.
        found.append((what, shape, 4, what == "reward model"))
    return tuple(found), said
