"""How a [`Solver`] works: what is asked, how much is drawn, how it is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..data.prompts import Mode
from ..errors import ConfigError
from ..generation import Decoding
from ..paper import EVALUATION
from .stopping import Adaptive

VoteRule = Literal["majority", "weighted", "best_of_n"]
Aggregation = Literal["min", "product", "last"]

# Not in the paper, which draws at 0.7: the values of the summary of it that circulates.
TEMPERATURE = 0.6
TOP_P = 0.95


@dataclass(frozen=True)
class SolveSettings:
    """
    Settings of a [`Solver`].

    Args:
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`: chain of thought. `"tool"`: reasoning with programs whose output the model sees. `"pot"`: one
            program, whose last printed line is the answer.
        n (`int`, *optional*, defaults to `64`):
            Samples a question, at most. Greedy decoding draws one.
        vote (`str`, *optional*, defaults to `"majority"`):
            `"majority"`; `"weighted"`: each sample weighs its score; `"best_of_n"`: the best-scored sample's answer. The
            last two need a step scorer.
        aggregation (`str`, *optional*, defaults to `"min"`):
            How the scores of the steps become one: `"min"`, `"product"` or `"last"`.
        adaptive (`str`, *optional*, defaults to `"exact"`):
            `"exact"`: stop as soon as the samples left cannot change the answer. `"beta"`: stop when the leader is
            probably (0.99) ahead; the answer can differ. `"off"`: draw all. Best-of-N always draws all.
        temperature (`float`, *optional*, defaults to `0.6`):
            `0.0` is greedy.
        top_p (`float`, *optional*, defaults to `0.95`):
            Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.
        few_shot (`Sequence[tuple[str, str]]`, *optional*):
            Questions and solutions to show a base model.
        plain (`bool`, *optional*, defaults to `False`):
            Whether prompts are text (`User: ...`) instead of messages.
        problems_at_once (`int`, *optional*, defaults to `16`):
            Questions worked on together, to fill batches. It does not change what is drawn.

    Raises:
        ConfigError: a value that cannot work.

    Source: 64 votes are the paper's (abstract), 1,024 tokens its harness's; temperature and top-p are those of the
    summary of the paper that circulates.
    """

    mode: Mode = "cot"
    n: int = EVALUATION.votes
    vote: VoteRule = "majority"
    aggregation: Aggregation = "min"
    adaptive: Adaptive = "exact"
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    max_new_tokens: int = EVALUATION.max_new_tokens
    seed: int = 0
    few_shot: Sequence[tuple[str, str]] = ()
    plain: bool = False
    problems_at_once: int = 16

    def __post_init__(self) -> None:
        choices = {"mode": Mode, "vote": VoteRule, "aggregation": Aggregation, "adaptive": Adaptive}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(f"{name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}.")
        for name in ("n", "problems_at_once"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.adaptive == "beta" and self.vote == "weighted":
            raise ConfigError(
                "The Beta rule counts votes and knows no weights: use adaptive='exact', or vote='majority'."
            )
        self.decoding()

    def decoding(self, stop: tuple[str, ...] = ()) -> Decoding:
        """These settings as the engine takes them."""
        return Decoding(self.max_new_tokens, self.temperature, self.top_p, stop, self.seed)

    @property
    def samples(self) -> int:
        """Samples a question: one when nothing is random."""
        return self.n if self.temperature > 0 else 1

    @property
    def stopping(self) -> Adaptive:
        """The rule that is at work: the best of N samples is not known before the last."""
        return "off" if self.vote == "best_of_n" else self.adaptive
