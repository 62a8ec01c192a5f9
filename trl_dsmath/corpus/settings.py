"""What a run of the corpus loop is defined by."""

from dataclasses import asdict, dataclass
from typing import Any

from .. import paper
from ..errors import ConfigError

_ONLY_SPEED = {"workers", "score_elsewhere"}


@dataclass(frozen=True)
class LoopSettings:
    """
    Settings of [`run_loop`]; the defaults are the paper's where it has them.

    Args:
        pages (`str`):
            Folder of cleaned pages (`*.jsonl`, `*.jsonl.gz`), or one such file: `url` and `text` in each line.
        seed_pages (`str`):
            File of mathematical pages to begin with: `text`, and `url` where the page is in the crawl.
        labelled (`str`, *optional*):
            File with `url` and `label` (`math`, `not`; others are left out) of a sample of the crawl, for precision and
            recall. These pages are never trained on; of more than a fifth of the crawl, a fifth is used.
        rules (`str`, *optional*):
            File of decisions on URL prefixes, `.csv` or `.yaml`, for a run without a person.
        automatic (`bool`, *optional*, defaults to `False`):
            Whether prefixes without a decision are decided by their share of collected pages. It can diverge.
        iterations (`int`, *optional*, defaults to `4`):
            Rounds at most.
        stop_when_collected (`float`, *optional*, defaults to `0.98`):
            The loop ends when this share of the collected tokens had been collected by the round before.
        budget_tokens (`int`, *optional*):
            Tokens to keep at most, best pages first. If `None`, all pages above the score from which precision and recall
            (F0.5) are best on annotated pages kept from training; never below `min_score`.
        min_score (`float`, *optional*, defaults to `0.5`):
            Probability under which no page is kept, whatever the budget.
        domain_share (`float`, *optional*, defaults to `0.1`):
            A host with more than this share of its pages collected goes to review.
        positive_examples (`int`, *optional*, defaults to `500000`):
            Mathematical pages to train on, at most.
        negative_examples (`int`, *optional*, defaults to `500000`):
            Other pages to train on, at most.
        pages_per_prefix (`int`, *optional*, defaults to `10000`):
            Pages of one annotated prefix to train on, at most, so that no site outweighs the others.
        dim (`int`, *optional*, defaults to `256`):
            Size of fastText's vectors.
        word_ngrams (`int`, *optional*, defaults to `3`):
            Longest word n-gram.
        min_count (`int`, *optional*, defaults to `3`):
            Rarer words are left out.
        learning_rate (`float`, *optional*):
            If `None`, the paper's 0.1 for 100,000 training pages and more, 0.5 below.
        epochs (`int`, *optional*):
            If `None`, the paper's 3 for 100,000 training pages and more, up to 40 below.
        bucket (`int`, *optional*):
            Rows for n-grams. If `None`, fastText's 2,000,000 for 100,000 training pages and more, 200,000 below.
        threads (`int`, *optional*, defaults to `1`):
            Threads of training. With more than one, fastText does not give the same model twice.
        seed (`int`, *optional*, defaults to `0`):
            Seed of every choice of pages.
        workers (`int`, *optional*, defaults to `1`):
            Processes that score; they share one copy of the model. Changes nothing but speed.
        score_elsewhere (`bool`, *optional*, defaults to `False`):
            Whether to stop after training until a cluster's job array has scored the shards.

    Raises:
        ConfigError: a value cannot work.

    Source: §2.1 of the paper. The seed's size, the token budget of a round and the number of buckets are not in it.
    """

    pages: str
    seed_pages: str
    labelled: str | None = None
    rules: str | None = None
    automatic: bool = False
    iterations: int = paper.CORPUS.iterations
    stop_when_collected: float = paper.CORPUS.stop_when_already_collected
    budget_tokens: int | None = None
    min_score: float = 0.5
    domain_share: float = paper.CORPUS.math_domain_share
    positive_examples: int = paper.CORPUS.positive_examples
    negative_examples: int = paper.CORPUS.negative_examples
    pages_per_prefix: int = 10_000
    dim: int = paper.CORPUS.vector_dimension
    word_ngrams: int = paper.CORPUS.max_word_ngram
    min_count: int = paper.CORPUS.min_word_count
    learning_rate: float | None = None
    epochs: int | None = None
    bucket: int | None = None
    threads: int = 1
    seed: int = 0
    workers: int = 1
    score_elsewhere: bool = False

    def __post_init__(self) -> None:
        for name in ("iterations", "positive_examples", "negative_examples", "pages_per_prefix", "threads", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("stop_when_collected", "min_score", "domain_share"):
            if not 0 < getattr(self, name) < 1 and not (name == "stop_when_collected" and getattr(self, name) == 1):
                raise ConfigError(f"{name} is a share between 0 and 1, not {getattr(self, name)}.")
        if self.budget_tokens is not None and self.budget_tokens < 1:
            raise ConfigError(f"budget_tokens must be at least 1, or left out, not {self.budget_tokens}.")

    def record(self) -> dict[str, Any]:
        """Everything that the result depends on, for the file in the working folder."""
        return {key: value for key, value in asdict(self).items() if key not in _ONLY_SPEED}
