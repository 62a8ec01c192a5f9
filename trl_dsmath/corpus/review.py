"""What a person decides on: domain statistics, the review file with example pages, and the session that goes through it."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..data.journal import write_whole
from ..errors import DataError, MissingDependencyError
from .classifier import probability
from .rules import MATH, NOT, SKIP, Decisions, parts, read_rules
from .score import Cut, read_scores, read_shard

DEEPEST = 6  # host and five folders
FEWEST = 5  # pages under which a folder is not shown by itself
UNDER = 30  # hosts under the threshold that are shown, the nearest first
COLUMNS = ("prefix", "why", "pages", "collected", "undecided", "share", "mean_score", "decision", "examples")
_MIXED = (0.05, 0.95)
_EXAMPLES = 4
_EXCERPT = 1200
_AUTOMATIC_MATH, _AUTOMATIC_NOT = 0.5, 0.1


@dataclass
class Domain:
    """Counts under a prefix; `score` is the sum of the scores, `undecided` the collected pages that neither an accepted
    nor a rejected prefix covers."""

    pages: int = 0
    tokens: int = 0
    collected: int = 0
    undecided: int = 0
    score: int = 0

    @property
    def share(self) -> float:
        """Share of the pages that was collected."""
        return self.collected / self.pages

    @property
    def mean_score(self) -> float:
        """Mean score, in thousandths of log-odds."""
        return self.score / self.pages

    def add(self, score: int, tokens: int, kept: bool, decided: bool = False) -> None:
        """Counts a page."""
        self.pages += 1
        self.tokens += tokens
        self.collected += kept
        self.undecided += kept and not decided
        self.score += score


@lru_cache(maxsize=100_000)
def registered_domain(host: str) -> str:
    """The domain that was registered: `example.co.uk` for `blog.example.co.uk`; the host itself where there is none."""
    return _suffixes()(host).top_domain_under_public_suffix or host


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    try:
        import tldextract
    except ImportError as error:
        raise MissingDependencyError(
            "Registered domains need tldextract: pip install 'trl-dsmath[corpus]'."
        ) from error
    # The list that comes with the package: no network, and the same on every machine.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def count_hosts(files: Iterable[Path], cut: Cut, decisions: Decisions | None = None) -> dict[str, Domain]:
    """Counts by host, and by registered domain where it has several hosts, sorted by name."""
    decisions = decisions or Decisions()
    hosts: dict[str, Domain] = {}
    for file in files:
        for score, tokens, url in read_scores(file):
            decided = decisions.of(url) in (MATH, NOT)
            hosts.setdefault(parts(url)[0], Domain()).add(score, tokens, cut.keeps(score, url), decided)
    members: dict[str, list[str]] = {}
    for host in hosts:
        members.setdefault(registered_domain(host), []).append(host)
    for name, group in members.items():
        if len(group) > 1:
            counts = [hosts[host] for host in group]
            hosts[name] = Domain(*(sum(getattr(c, f) for c in counts) for f in Domain.__dataclass_fields__))
    return dict(sorted(hosts.items()))


def count_folders(
    files: Iterable[Path], cut: Cut, hosts: set[str], decisions: Decisions | None = None
) -> dict[str, Domain]:
    """Counts by folder, for some hosts only: all folders of a crawl are too many."""
    decisions = decisions or Decisions()
    folders: dict[str, Domain] = {}
    for file in files:
        for score, tokens, url in read_scores(file):
            names = parts(url)
            if names[0] not in hosts:
                continue
            kept, decided = cut.keeps(score, url), decisions.of(url) in (MATH, NOT)
            # The last part is the page.
            for length in range(2, min(len(names), DEEPEST + 1)):
                folders.setdefault("/".join(names[:length]), Domain()).add(score, tokens, kept, decided)
    return dict(sorted(folders.items()))


def to_show(
    hosts: dict[str, Domain], folders: dict[str, Domain], threshold: float, decisions: Decisions | None = None
) -> Iterator[tuple[str, str]]:
    """
    Prefixes that a person should look at, and why.

    Domains and hosts over the threshold, each followed by its hosts or folders where it is mixed (down to folders that
    are not), and hosts that are near the threshold or of which the classifier is least sure: a host of mathematics that
    the seed does not resemble stays under the threshold for ever if nobody sees it.

    Args:
        hosts (`dict[str, Domain]`):
            Counts by host and by registered domain.
        folders (`dict[str, Domain]`):
            Counts by folder of the hosts over the threshold.
        threshold (`float`):
            Share of collected pages.
        decisions ([`Decisions`], *optional*):
            Those of earlier rounds.

    Yields:
        `tuple[str, str]`: the prefix, and `over`, `inside`, `under`, or `again`: it was skipped, or a part of it decided,
        and more than the threshold is collected without a decision.
    """
    decided_on = {_host(prefix) for prefix in decisions.decided} if decisions else set()
    children: dict[str, list[str]] = {}
    for folder in folders:
        children.setdefault(folder.rpartition("/")[0], []).append(folder)
    for host in hosts:
        domain = registered_domain(host)
        if domain != host and domain in hosts:
            children.setdefault(domain, []).append(host)
    known = {**folders, **hosts}

    def grown(prefix: str) -> bool:
        return known[prefix].undecided > threshold * known[prefix].pages

    over = {host for host in hosts if hosts[host].share > threshold}
    over -= {inner for host in over for inner in children.get(host, []) if inner in hosts}
    for host in sorted(over, key=lambda name: (-hosts[name].collected, name)):
        yield host, "again" if _touches(decided_on, host) and grown(host) else "over"
        for prefix in _inside(host, known, children):
            yield prefix, "again" if decisions and prefix in decisions.decided and grown(prefix) else "inside"
    under = [host for host in hosts if hosts[host].share <= threshold and hosts[host].pages >= FEWEST]
    under = [host for host in under if registered_domain(host) not in hosts or registered_domain(host) == host]
    under.sort(key=lambda name: (-hosts[name].share, -hosts[name].mean_score, name))
    yield from ((host, "under") for host in under[:UNDER])


def _host(prefix: str) -> str:
    return prefix.partition("/")[0]


def _touches(names: set[str], host: str) -> bool:
    """Whether a decision was made on a host or domain, on the domain above it, or on a host of it."""
    return not names.isdisjoint({host, registered_domain(host)}) or any(registered_domain(n) == host for n in names)


def _inside(prefix: str, known: dict[str, Domain], children: dict[str, list[str]]) -> Iterator[str]:
    domain = known[prefix]
    if not _MIXED[0] < domain.share < _MIXED[1]:
        return
    for inner in sorted(children.get(prefix, []), key=lambda name: (-known[name].collected, name)):
        found = known[inner]
        if found.pages < FEWEST:
            continue
        if found.pages < domain.pages:  # a folder that holds all of its parent says nothing new
            yield inner
        yield from _inside(inner, known, children)


@dataclass
class Entry:
    """A prefix to decide on. `examples` are pages: `url`, `score` (probability), `collected`, `excerpt`."""

    prefix: str
    why: str
    pages: int
    collected: int
    share: float
    mean_score: float
    decision: str
    examples: list[dict[str, Any]] = field(default_factory=list)
    undecided: int = 0


def make_review(
    shown: Iterable[tuple[str, str]],
    domains: dict[str, Domain],
    shards: list[Path],
    files: list[Path],
    cut: Cut,
    decisions: Decisions,
) -> list[Entry]:
    """Entries with examples: half of them collected pages and half not, where there are both."""
    entries = {}
    for prefix, why in shown:
        domain = domains[prefix]
        entries[prefix] = Entry(
            prefix,
            why,
            domain.pages,
            domain.collected,
            round(domain.share, 4),
            round(probability(domain.mean_score), 4),
            "" if why == "again" else decisions.of(prefix) or "",
            undecided=domain.undecided,
        )
    chosen: dict[tuple[str, bool], list[tuple[bytes, int, int, int]]] = {}
    for number, file in enumerate(files):
        for line, (found, _, url) in enumerate(read_scores(file)):
            kept, names = cut.keeps(found, url), parts(url)
            prefixes = {"/".join(names[:length]) for length in range(1, len(names) + 1)} | {
                registered_domain(names[0])
            }
            for prefix in prefixes & entries.keys():
                best = chosen.setdefault((prefix, kept), [])
                best.append((blake2b(url.encode(), digest_size=8).digest(), number, line, found))
                best.sort()
                del best[_EXAMPLES:]
    wanted: dict[tuple[int, int], list[tuple[Entry, bool, int]]] = {}
    for prefix, entry in entries.items():
        yes, no = chosen.get((prefix, True), []), chosen.get((prefix, False), [])
        take_yes = yes[: max(_EXAMPLES // 2, _EXAMPLES - len(no))]
        for kept, pages in ((True, take_yes), (False, no[: _EXAMPLES - len(take_yes)])):
            for _, number, line, found in pages:
                wanted.setdefault((number, line), []).append((entry, kept, found))
    needed = {number for number, _ in wanted}
    for number in sorted(needed):
        for line, record in enumerate(read_shard(shards[number])):
            for entry, kept, found in wanted.get((number, line), []):
                example = {"url": record["url"], "score": round(probability(found), 4), "collected": kept}
                entry.examples.append({**example, "excerpt": record["text"][:_EXCERPT]})
    for entry in entries.values():
        entry.examples.sort(key=lambda example: (-example["score"], example["url"]))
    return list(entries.values())


def write_review(folder: Path, entries: list[Entry]) -> None:
    """Writes `review.csv`, for people, and `examples.jsonl.gz`, with the excerpts, for the page."""
    lines = "".join(
        json.dumps({"prefix": e.prefix, "examples": e.examples}, ensure_ascii=False) + "\n" for e in entries
    )
    (folder / "examples.jsonl.gz").write_bytes(gzip.compress(lines.encode("utf-8", "replace"), mtime=0))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for e in entries:
        writer.writerow({**vars(e), "examples": " ".join(example["url"] for example in e.examples)})
    write_whole(folder / "review.csv", text.getvalue())


def read_review(folder: Path) -> list[Entry]:
    """Reads what [`write_review`] wrote.

    Raises:
        DataError: there is no review in this folder.
    """
    path = folder / "review.csv"
    if not path.is_file():
        raise DataError(f"{folder} holds no review.csv: run dsmath corpus first, it stops where a person is needed.")
    with gzip.open(folder / "examples.jsonl.gz", "rt", encoding="utf-8") as file:
        examples = {row["prefix"]: row["examples"] for row in map(json.loads, file)}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(
                row["prefix"],
                row["why"],
                int(row["pages"]),
                int(row["collected"]),
                float(row["share"]),
                float(row["mean_score"]),
                row["decision"],
                examples.get(row["prefix"], []),
                int(row["undecided"]),
            )
            for row in csv.DictReader(file)
        ]


def undecided(entries: list[Entry], made: Decisions, before: Decisions, round_number: int) -> list[Entry]:
    """Domains and hosts over the threshold that wait for a person.

    One is settled by a decision on it, on its domain, or on anything under it. One that is asked about again is settled
    by a decision of this round only, or by one that was changed since.
    """
    new = {
        prefix
        for prefix, word in made.decided.items()
        if made.rounds.get(prefix) == round_number or before.decided.get(prefix) != word
    }
    settled = {"over": set(map(_host, made.decided)), "again": set(map(_host, new))}
    return [e for e in entries if e.why in settled and not _touches(settled[e.why], e.prefix)]


def automatic(entries: list[Entry]) -> Decisions:
    """Decisions by the share of collected pages, at the finest prefix shown. They repeat the classifier's mistakes."""
    found = Decisions()
    for entry in entries:
        if entry.share > _AUTOMATIC_MATH:
            found.set(entry.prefix, MATH)
        elif entry.share < _AUTOMATIC_NOT:
            found.set(entry.prefix, NOT)
    return found


class Session:
    """
    One annotator's pass through the prefixes of the last round, each decision on disk before the next prefix is shown.

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
        newest = max(rounds, key=lambda path: int(path.name.rpartition("-")[2]))
        self.number = int(newest.name.rpartition("-")[2])
        self.entries = read_review(newest)
        self.path = folder / "decisions.csv"
        self.decisions = read_rules(self.path) if self.path.exists() else Decisions()
        self._undo: list[tuple[str, str | None, int | None]] = []

    @property
    def open(self) -> list[Entry]:
        """Entries without a decision. What lies under an accepted or rejected prefix is decided with it; folders of a
        skipped one are not, and what is asked again needs a decision of this round."""
        return [entry for entry in self.entries if not self._settled(entry)]

    @property
    def current(self) -> Entry | None:
        """The entry to decide on."""
        return next(iter(self.open), None)

    def decide(self, decision: str) -> None:
        """Writes down a decision on the current entry."""
        entry = self.current
        if entry is None:
            return
        made = self.decisions
        self._undo.append((entry.prefix, made.decided.get(entry.prefix), made.rounds.get(entry.prefix)))
        made.set(entry.prefix, decision, self.number)
        made.write(self.path)

    def undo(self) -> None:
        """Takes the last decision back."""
        if not self._undo:
            return
        prefix, before, round_number = self._undo.pop()
        if before is None:
            self.decisions.drop(prefix)
        else:
            self.decisions.set(prefix, before, round_number)
        self.decisions.write(self.path)

    def skip_rest(self) -> None:
        """Skips all that is open, each to be undone by itself."""
        while self.current:
            self.decide(SKIP)

    def _settled(self, entry: Entry) -> bool:
        found = self.decisions.prefix_of(entry.prefix)
        if found is None:
            return False
        if self.decisions.decided[found] != SKIP:
            return True
        return found == entry.prefix and (entry.why != "again" or self.decisions.rounds.get(found) == self.number)
