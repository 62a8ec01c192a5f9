"""What an annotation run is configured by; fits [`~trl.TrlParser`]."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ..data.reading import AnswerFilter
from ..errors import ConfigError
from ..generation import Decoding
from ..text.steps import NEWLINE

Mode = Literal["hard", "soft", "first_error"]


@dataclass
class AnnotateConfig:
    r"""
    Configuration of [`annotate`].

    Args:
        mode (`str`, *optional*, defaults to `"hard"`):
            `"hard"`: a step is good if any rollout is right; a prefix stops at the first. `"soft"`: the fraction right.
            `"first_error"`: the first bad step of a wrong solution is found by bisection; a right solution is good
            throughout and costs nothing.
        num_rollouts (`int`, *optional*, defaults to `8`):
            Rollouts per prefix (Math-Shepherd's N), at most.
        num_solutions (`int`, *optional*, defaults to `15`):
            Solutions to sample per problem, where none are given.
        step_separator (`str`, *optional*, defaults to `"\n"`):
            What ends a step, as in GRPO and PRM training; see [`~text.steps.step_spans`].
        answer_filter (`str`, *optional*, defaults to `"stated"`):
            How answers are read, as in [`~inference.SolveConfig`]: `"stated"` or `"flexible"`.
        temperature (`float`, *optional*, defaults to `1.0`):
            Temperature of solutions and rollouts.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest solution, and longest rollout.
        stop (`list[str]`, *optional*):
            Strings that end a solution. Needed for base models, which continue with another question.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.
        rollout_batch_size (`int`, *optional*, defaults to `2`):
            Rollouts of a prefix that are drawn together before it is looked at again. It changes the cost, not the labels.
        problems_at_once (`int`, *optional*, defaults to `16`):
            Problems that are worked on together, to fill batches; a kill loses the rollouts of those under way. It changes
            neither labels nor cost.

    Raises:
        ConfigError: a value that cannot work.

    Source: N = 8 and 15 solutions per problem are Math-Shepherd's (arXiv 2312.08935); 1,024 tokens the paper's (§4.2).
    """

    mode: Mode = field(
        default="hard",
        metadata={"help": "Any rollout right, the fraction right, or the first bad step by bisection."},
    )
    num_rollouts: int = field(default=8, metadata={"help": "Rollouts per prefix, at most (Math-Shepherd: N = 8)."})
    num_solutions: int = field(default=15, metadata={"help": "Solutions per problem, sampled where none are given."})
    step_separator: str = field(
        default=NEWLINE, metadata={"help": "What ends a step: a newline, a blank line, 'Step N:' or any string."}
    )
    answer_filter: AnswerFilter = field(
        default="stated", metadata={"help": "An answer that is named, or (flexible) the last formula or number too."}
    )
    temperature: float = field(default=1.0, metadata={"help": "Temperature of solutions and rollouts."})
    top_p: float = field(default=1.0, metadata={"help": "Share of the probability that is sampled from."})
    max_new_tokens: int = field(default=1024, metadata={"help": "Longest solution, and longest rollout."})
    stop: list[str] | None = field(default=None, metadata={"help": "Strings that end a solution (base models)."})
    seed: int = field(default=0, metadata={"help": "Seed of all random streams."})
    rollout_batch_size: int = field(
        default=2, metadata={"help": "Rollouts of a prefix drawn together; changes only the cost."}
    )
    problems_at_once: int = field(default=16, metadata={"help": "Problems worked on together; changes only speed."})

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigError(f"mode must be one of {', '.join(get_args(Mode))}, not {self.mode!r}.")
        if self.answer_filter not in get_args(AnswerFilter):
            raise ConfigError(f"answer_filter must be stated or flexible, not {self.answer_filter!r}.")
        for name in ("num_rollouts", "num_solutions", "rollout_batch_size", "problems_at_once"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not self.step_separator:
            raise ConfigError(r"step_separator is empty: give '\n', or the string that ends a step.")
        if self.decoding.greedy:
            raise ConfigError("With temperature 0 all rollouts of a prefix are the same: set a temperature above 0.")

    @property
    def decoding(self) -> Decoding:
        """How solutions and rollouts are sampled."""
        return Decoding(self.max_new_tokens, self.temperature, self.top_p, tuple(self.stop or ()), self.seed)

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of [`annotate`]."""
        names = (
            *("mode", "num_rollouts", "num_solutions", "step_separator", "answer_filter"),
            *("rollout_batch_size", "problems_at_once"),
        )
        return {**{name: getattr(self, name) for name in names}, "decoding": self.decoding}

    def record(self, sampler: str, sampled: bool) -> dict[str, Any]:
        """Everything that labels depend on, for the file beside them."""
        return {
            "mode": self.mode,
            "num_rollouts": self.num_rollouts,
            **({"num_solutions": self.num_solutions} if sampled else {}),
            **({"step_separator": self.step_separator} if self.step_separator != NEWLINE else {}),
            **({"answer_filter": self.answer_filter} if self.answer_filter != "stated" else {}),
            "max_new_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": list(self.stop or ()),
            "seed": self.seed,
            "sampler": sampler,
        }
