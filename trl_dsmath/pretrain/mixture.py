"""The mixture: documents of several sources, joined and cut into sequences, in shares of tokens."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .sources import Position, Reader, Source

if TYPE_CHECKING:
    from datasets import IterableDataset
    from transformers import PreTrainedTokenizerBase

_KEPT = 64  # snapshots; the data loader reads a few updates ahead


class Mixture:
    """
    An endless stream of sequences from several sources, each with its share of the *tokens*.

    The next document always comes from the source that is furthest behind its share, so the shares are exact to within
    one document at any time, whatever the lengths of the documents. Documents are joined with the end-of-text token and
    cut into sequences of `max_length`; attention is not kept apart within a sequence. A source that is used up begins
    again in another order. Only the order within a source is random; the seed fixes it.

    Args:
        sources (`Sequence[Source]`):
            The sources; their fractions add up to 1.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Tokenizer of the model.
        max_length (`int`):
            Tokens of a sequence.
        seed (`int`, *optional*, defaults to `42`):
            Seed of the order.
        snapshot_every (`int`, *optional*, defaults to `1`):
            Sequences between two places at which the stream can be taken up again: those of one update.

    Raises:
        ConfigError: no source, two of one name, fractions that do not add up to 1, or a tokenizer without an
            end-of-text token.
        DataError: a local source is not there.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        tokenizer: "PreTrainedTokenizerBase",
        max_length: int,
        seed: int = 42,
        snapshot_every: int = 1,
    ) -> None:
        total = sum(source.fraction for source in sources)
        titles = [source.title for source in sources]
        if len(set(titles)) < len(titles):
            raise ConfigError(f"Two sources have the same name ({', '.join(titles)}): give each its own label.")
        if not sources or abs(total - 1) > 1e-6:
            scaled = ", ".join(f"{source.title} {source.fraction / total:.4g}" for source in sources)
            raise ConfigError(
                f"The fractions of the sources add up to {total:.6g}, not to 1. Scaled: {scaled or 'none'}."
            )
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                "The tokenizer has no end-of-text token, which separates the documents: set its eos_token."
            )
        for source in sources:
            source.files()  # a path that is wrong shows before a model is loaded
        self.sources = list(sources)
        self.max_length = max_length
        self.seed = seed
        self.snapshot_every = snapshot_every
        self._tokenizer = tokenizer
        self._start: dict[str, Any] = {
            "sequences": 0,
            "pending": [],
            "tokens": dict.fromkeys(titles, 0),
            "positions": {},
            "settings": self._settings(),
        }
        self._snapshots: dict[int, dict[str, Any]] = {0: self._start}

    def dataset(self) -> "IterableDataset":
        """The stream as TRL's trainers take it: rows with `input_ids`."""
        from datasets import IterableDataset

        return IterableDataset.from_generator(self.__iter__)

    def snapshot(self, sequences: int) -> dict[str, Any]:
        """The state after a number of sequences: what [`Mixture.load_snapshot`] takes, and what was read until then.

        Raises:
            KeyError: the stream has not come that far, or is already too far beyond.
        """
        return self._snapshots[sequences]

    def load_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Lets the stream begin where a snapshot was taken.

        Raises:
            ConfigError: it was taken from other sources, shares, length or seed.
        """
        if set(snapshot["tokens"]) != {source.title for source in self.sources}:
            raise ConfigError(
                f"The checkpoint was trained on {', '.join(snapshot['tokens'])}, and this run mixes "
                f"{', '.join(source.title for source in self.sources)}: use the same sources, or a new output_dir."
            )
        ours = self._settings()
        saved = snapshot.get("settings", ours)  # earlier releases did not keep them
        differing = [f"{name} was {saved[name]}, now {ours[name]}" for name in ours if saved[name] != ours[name]]
        if differing:
            raise ConfigError(
                f"The checkpoint was trained on another mixture ({'; '.join(differing)}): use the same settings, or a new "
                "output_dir."
            )
        self._start = snapshot
        self._snapshots = {snapshot["sequences"]: snapshot}

    def _settings(self) -> dict[str, Any]:
        """What the order of the stream follows from, the files apart."""
        fractions = {source.title: source.fraction for source in self.sources}
        return {"fractions": fractions, "max_length": self.max_length, "seed": self.seed}

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        state = copy.deepcopy(self._start)
        tokens, pending = state["tokens"], state["pending"]
        readers = {
            source.title: Reader(
                source, self.seed, self._tokenize, Position(**state["positions"].get(source.title, {}))
            )
            for source in self.sources
        }
        documents = {title: reader.documents() for title, reader in readers.items()}
        end = self._tokenizer.eos_token_id
        for sequences in range(state["sequences"] + 1, 2**63):
            while len(pending) < self.max_length:
                title = min(self.sources, key=lambda source: tokens[source.title] / source.fraction).title
                ids = next(documents[title])
                pending += ids
                pending.append(end)
                tokens[title] += len(ids) + 1
            row = pending[: self.max_length]
            del pending[: self.max_length]
            if sequences % self.snapshot_every == 0:
                positions = {title: asdict(reader.position) for title, reader in readers.items()}
                self._snapshots[sequences] = {
                    "sequences": sequences,
                    "pending": list(pending),
                    "tokens": dict(tokens),
                    "positions": positions,
                    "settings": self._settings(),
                }
                while len(self._snapshots) > _KEPT:
                    del self._snapshots[min(self._snapshots)]
            yield {"input_ids": row}

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        return self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
