"""Settings of the corpus loop, one dataclass for code and for TrlParser."""

from dataclasses import asdict, dataclass, field
from typing import Any

from .. import paper
from ..errors import ConfigError

# A run may be lengthened, helped by rules, sped up or told to go on; the rest of its settings is fixed.
_CHANGEABLE = {"iterations", "rules", "keep_going", "workers", "score_elsewhere"}


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class LoopSettings:
    """
    Settings of [`run_loop`]; the defaults are the paper's where it has them. Each field's `help` says what it does.

    Raises:
        ConfigError: a value cannot work.

    Source: §2.1 of the paper. The seed's size, the token budget of a round and the number of buckets are not in it.
    """

    pages: str = field(
        metadata={
            "help": "Folder of cleaned pages (.jsonl, .jsonl.gz), or one such file: `url` and `text` in each line."
        }
    )
    seed_pages: str = field(
        metadata={
            "help": "File of mathematical pages to begin with: `text`, and `url` where the page is in the crawl."
        }
    )
    labelled: str | None = _option(
        None,
        "File with `url` and `label` (math, not; others are left out) of a sample of the crawl, for precision and recall "
        "of each round. These pages are never trained on; of more than a fifth of the crawl, a fifth is used.",
    )
    rules: str | None = _option(
        None,
        "Decisions on URL prefixes (.csv, .yaml, or a filled-in review.csv), for a run without a person. They can be "
        "given to a run that waits.",
    )
    automatic: bool = _option(
        False, "Decide the remaining prefixes by their share of collected pages. Such a run can diverge."
    )
    keep_going: bool = _option(False, "Go on when the health check finds trouble, and write the corpus all the same.")
    iterations: int = _option(paper.CORPUS.iterations, "Maximum number of rounds.")
    stop_when_collected: float = _option(
        paper.CORPUS.stop_when_already_collected,
        "Stop when this share of the collected tokens was collected by the round before.",
    )
    budget_tokens: int | None = _option(
        None,
        "Maximum number of tokens to keep, best pages first (default: all pages above the score with the best F0.5 on "
        "annotated pages kept from training, never below min_score).",
    )
    min_score: float = _option(0.5, "Probability under which no page is kept, whatever the budget.")
    domain_share: float = _option(
        paper.CORPUS.math_domain_share, "A host with more than this share of its pages collected goes to review."
    )
    positive_examples: int = _option(paper.CORPUS.positive_examples, "Maximum number of mathematical training pages.")
    negative_examples: int = _option(paper.CORPUS.negative_examples, "Maximum number of other training pages.")
    pages_per_prefix: int = _option(
        10_000, "Maximum number of training pages of one annotated prefix, so that no site outweighs the others."
    )
    dim: int = _option(paper.CORPUS.vector_dimension, "Size of fastText's vectors.")
    word_ngrams: int = _option(paper.CORPUS.max_word_ngram, "Longest word n-gram.")
    min_count: int = _option(paper.CORPUS.min_word_count, "Rarer words are left out.")
    learning_rate: float | None = _option(
        None, "fastText's learning rate (default: the paper's 0.1; 0.5 under 100,000 training lines)."
    )
    epochs: int | None = _option(
        None, "fastText's epochs (default: the paper's 3; up to 40 under 100,000 training lines)."
    )
    bucket: int | None = _option(
        None, "Rows for n-grams (default: fastText's 2,000,000; 200,000 under 100,000 training lines)."
    )
    threads: int = _option(1, "Training threads. With more than one, fastText does not give the same model twice.")
    seed: int = _option(0, "Seed of every choice of pages.")
    workers: int = _option(1, "Scoring processes; they share one copy of the model.")
    score_elsewhere: bool = _option(
        False, "Stop after training until a job array has scored the shards (`dsmath corpus score`)."
    )

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
        """Everything that a run cannot change, for the file in the working folder."""
        return {key: value for key, value in asdict(self).items() if key not in _CHANGEABLE}
