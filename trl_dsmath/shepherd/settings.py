"""What an annotation run is defined by."""

from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..generation import Decoding
from .labels import Mode

MODES = ("hard", "soft", "first_error")


@dataclass(frozen=True)
class Settings:
    """The arguments of [`annotate`], checked."""

    mode: Mode = "hard"
    num_rollouts: int = 8
    num_solutions: int = 15
    decoding: Decoding = field(default_factory=Decoding)
    wave: int = 2
    problems_at_once: int = 16

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}.")
        for name in ("num_rollouts", "num_solutions", "wave", "problems_at_once"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.decoding.greedy:
            raise ConfigError("With temperature 0 all roll-outs of a prefix are the same: set a temperature above 0.")

    def record(self, sampler: str, sampled: bool) -> dict[str, Any]:
        """Everything that labels depend on, for the file beside them; `wave` and `problems_at_once` do not count."""
        return {
            "mode": self.mode,
            "num_rollouts": self.num_rollouts,
            **({"num_solutions": self.num_solutions} if sampled else {}),
            "max_new_tokens": self.decoding.max_new_tokens,
            "temperature": self.decoding.temperature,
            "top_p": self.decoding.top_p,
            "stop": list(self.decoding.stop),
            "seed": self.decoding.seed,
            "sampler": sampler,
        }
