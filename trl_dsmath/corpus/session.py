"""Going through a review: one prefix after the other, each decision on disk before the next is shown."""

from pathlib import Path

from ..errors import DataError
from .review import Entry, read_review
from .rules import SKIP, Decisions, read_rules


class Session:
    """
    An annotator's way through the prefixes of the last round. No display: [`make_page`] shows it.

    Args:
        folder (`Path`):
            Working folder of the run.

    Raises:
        DataError: there is nothing to review.
    """

    def __init__(self, folder: Path) -> None:
        rounds = [path.parent for path in folder.glob("iteration-*/review.csv")]
        if not rounds:
            raise DataError(f"{folder} holds no review: run dsmath corpus first, it stops where a person is needed.")
        self.round = max(rounds, key=lambda path: int(path.name.rpartition("-")[2]))
        self.entries = read_review(self.round)
        self.path = folder / "decisions.csv"
        self.decisions = read_rules(self.path) if self.path.exists() else Decisions()
        self._undo: list[tuple[str, str | None]] = []

    @property
    def open(self) -> list[Entry]:
        """Entries without a decision. What lies under an accepted or rejected prefix is decided with it; folders of a
        skipped one are not."""
        return [entry for entry in self.entries if not self._settled(entry.prefix)]

    @property
    def current(self) -> Entry | None:
        """The entry to decide on."""
        return next(iter(self.open), None)

    def decide(self, decision: str) -> None:
        """Writes down a decision on the current entry."""
        entry = self.current
        if entry is None:
            return
        self._undo.append((entry.prefix, self.decisions.decided.get(entry.prefix)))
        self.decisions.set(entry.prefix, decision)
        self.decisions.write(self.path)

    def undo(self) -> None:
        """Takes the last decision back."""
        if not self._undo:
            return
        prefix, before = self._undo.pop()
        if before is None:
            del self.decisions.decided[prefix]
        else:
            self.decisions.decided[prefix] = before
        self.decisions.write(self.path)

    def skip_rest(self) -> None:
        """Skips all that is open, each to be undone by itself."""
        while self.current:
            self.decide(SKIP)

    def _settled(self, prefix: str) -> bool:
        found = self.decisions.prefix_of(prefix)
        return found is not None and (found == prefix or self.decisions.decided[found] != SKIP)
