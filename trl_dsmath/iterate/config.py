"""Configuration of iterative GRPO."""

from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..paper import GRPO_STAGE

# What the loop sets itself; the same key in a section would be overwritten without a word.
_OWN = {
    "grpo": {"model_name_or_path", "output_dir", "seed", "step_scorer", "resume_from_checkpoint"},
    "annotate": {"model_name_or_path", "output_dir", "seed"},
    "prm": {"model_name_or_path", "output_dir", "seed", "dataset_name", "resume_from_checkpoint", "use_peft"},
}
_QUANTIZED = {"load_in_4bit", "load_in_8bit"}


@dataclass
class IterateConfig:
    r"""
    Configuration of [`iterate`].

    Args:
        model_name_or_path (`str`):
            The first policy: a folder or a name on the hub.
        prm_name_or_path (`str`):
            The first process reward model, saved by [`PRMTrainer`].
        output_dir (`str`):
            Folder of the state and of a folder an iteration.
        iterations (`int`, *optional*, defaults to `2`):
            Iterations of Algorithm 1 (I). A finished run goes on when it is raised.
        replay_from (`str`, *optional*):
            File of labels that the first reward model learned from; replayed from the first iteration on.
        replay_fraction (`float`, *optional*, defaults to `0.1`):
            Share of earlier labels in what the reward model is trained on. Source: §4.1.4, "10% of historical data".
        seed (`int`, *optional*, defaults to `0`):
            Iteration i uses `seed + i` in all its phases, so that each sees the problems in an order of its own.
        grpo, annotate, prm (`dict`):
            Settings of the three stages, with the keys of `dsmath grpo`, `dsmath annotate` and `dsmath prm`. `max_steps`
            of `grpo` is the algorithm's M.

    Raises:
        ConfigError: a value that cannot work, or a section that sets what the loop sets.
    """

    model_name_or_path: str = field(default="", metadata={"help": "The first policy: a folder or a name on the hub."})
    prm_name_or_path: str = field(
        default="", metadata={"help": "The first process reward model, made by `dsmath prm`."}
    )
    output_dir: str = field(default="", metadata={"help": "Folder of the state and of one folder per iteration."})
    iterations: int = field(default=2, metadata={"help": "Iterations of the algorithm."})
    replay_from: str | None = field(
        default=None, metadata={"help": "Labels that the first reward model was trained on, a .jsonl file."}
    )
    replay_fraction: float = field(
        default=GRPO_STAGE.replay_fraction,
        metadata={"help": "Share of earlier labels in the reward model's data (§4.1.4)."},
    )
    seed: int = field(default=0, metadata={"help": "Iteration i uses seed + i."})
    grpo: dict[str, Any] = field(default_factory=dict, metadata={"help": "Settings of grpo: --grpo.max_steps 5 ..."})
    annotate: dict[str, Any] = field(default_factory=dict, metadata={"help": "Settings of annotate, likewise."})
    prm: dict[str, Any] = field(default_factory=dict, metadata={"help": "Settings of prm, likewise."})

    def __post_init__(self) -> None:
        for name in ("model_name_or_path", "prm_name_or_path", "output_dir"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is missing. Set {name}.")
        if self.iterations < 1:
            raise ConfigError(f"iterations ({self.iterations}) must be at least 1.")
        if not 0 <= self.replay_fraction < 1:
            raise ConfigError(
                f"replay_fraction ({self.replay_fraction}) is a share, from 0 to below 1. Set it to 0.1."
            )
        for stage, own in _OWN.items():
            section = getattr(self, stage)
            if not isinstance(section, dict):
                raise ConfigError(f"{stage} should hold `key: value` lines, the settings of `dsmath {stage}`.")
            if section.get("use_peft") and stage == "prm":
                raise ConfigError(
                    "prm.use_peft: an adapter cannot be continued. Train all weights of a smaller model."
                )
            if (
                stage == "grpo"
                and section.get("use_peft")
                and (quantized := _QUANTIZED & set(filter(section.get, section)))
            ):
                raise ConfigError(
                    f"grpo.{min(quantized)} with use_peft: each iteration merges its adapter into the policy, and quantizing "
                    "the result again costs several times what was learned. Leave it out: the base stays in bfloat16, with "
                    "the adapter on it."
                )
            if both := sorted(own & set(section)):
                raise ConfigError(
                    f"{stage} sets {', '.join(both)}, which the loop sets by itself. Leave it out there."
                )
            if str(section.get("save_strategy")) == "no":
                raise ConfigError(f"{stage}.save_strategy is no, so a killed phase could not go on. Leave it out.")
