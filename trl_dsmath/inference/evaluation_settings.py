"""What an evaluation is defined by."""

from dataclasses import dataclass

from ..data.benchmarks import BENCHMARKS, canonical, find
from ..data.prompts import Mode
from ..errors import ConfigError
from ..generation import Decoding
from ..paper import EVALUATION


@dataclass(frozen=True)
class Settings:
    """
    The settings of an evaluation.

    Args:
        benchmarks (`tuple[str, ...]`):
            Names of the benchmarks.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`, `"tool"` or `"pot"`.
        few_shot (`bool`, *optional*, defaults to `False`):
            Worked examples (base models) instead of the instruction.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Prompts as strings instead of messages for the chat template.
        greedy (`bool`, *optional*, defaults to `True`):
            Whether to draw one greedy sample a problem.
        num_samples (`int`, *optional*, defaults to `0`):
            Samples a problem at `temperature`, for avg@k, maj@k and pass@k.
        temperature (`float`, *optional*, defaults to `0.7`):
            Temperature of these samples.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that they are sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the samples.
        limit (`int`, *optional*):
            How many problems of each benchmark, from an order that is always the same. If `None`, all.

    Raises:
        ConfigError: a value that cannot work.

    Source: Figure 7 (temperature of maj@k and pass@k); 1,024 tokens and greedy decoding: the authors' harness.
    """

    benchmarks: tuple[str, ...]
    mode: Mode = "cot"
    few_shot: bool = False
    plain_prompts: bool = False
    greedy: bool = True
    num_samples: int = 0
    temperature: float = EVALUATION.temperature
    top_p: float = 1.0
    max_new_tokens: int = EVALUATION.max_new_tokens
    seed: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if not self.benchmarks:
            raise ConfigError(f"Which benchmarks? Give --benchmarks: {','.join(BENCHMARKS)}, or all.")
        for name in self.benchmarks:
            find(name)
        object.__setattr__(self, "benchmarks", tuple(dict.fromkeys(map(canonical, self.benchmarks))))
        if self.mode not in ("cot", "pot", "tool"):
            raise ConfigError(f"mode must be cot, pot or tool, not {self.mode!r}.")
        if self.num_samples < 0 or not (self.greedy or self.num_samples):
            raise ConfigError("Nothing to draw: leave greedy on, or set num_samples to 1 or more.")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit must be at least 1, not {self.limit}.")
        if self.num_samples and self.temperature == 0:
            raise ConfigError(
                "With temperature 0 all samples are the same: set a temperature above 0 for num_samples."
            )
        self.decodings()  # refuses other values that cannot work

    def decodings(self, stop: tuple[str, ...] = ()) -> dict[str, tuple[Decoding, int]]:
        """By name (`greedy`, `sampled`) how samples are drawn, and how many a problem."""
        found = {}
        if self.greedy:
            found["greedy"] = (Decoding(self.max_new_tokens, 0.0, 1.0, stop, self.seed), 1)
        if self.num_samples:
            found["sampled"] = (
                Decoding(self.max_new_tokens, self.temperature, self.top_p, stop, self.seed),
                self.num_samples,
            )
        return found
