"""Domain statistics: how much of each domain, host and folder was collected, and which of them a person should look at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import MissingDependencyError
from .rules import MATH, NOT, Decisions, parts
from .score import Cut, Scored

DEEPEST = 6  # host and five folders
FEWEST = 5  # pages under which a folder is not shown by itself
UNDER = 30  # hosts under the threshold that are shown, the nearest first
_MIXED = (0.05, 0.95)


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

    def merge(self, other: "Domain") -> None:
        """Adds the counts of another part of the crawl."""
        self.pages += other.pages
        self.tokens += other.tokens
        self.collected += other.collected
        self.undecided += other.undecided
        self.score += other.score


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


def count_hosts(rows: Iterable[Scored], cut: Cut, decisions: Decisions) -> dict[str, Domain]:
    """Counts by host of a shard."""
    hosts: dict[str, Domain] = {}
    for score, tokens, url in rows:
        decided = decisions.of(url) in (MATH, NOT)
        hosts.setdefault(parts(url)[0], Domain()).add(score, tokens, cut.keeps(score, url), decided)
    return hosts


def count_folders(rows: Iterable[Scored], cut: Cut, hosts: set[str], decisions: Decisions) -> dict[str, Domain]:
    """Counts by folder of a shard, for some hosts only: all folders of a crawl are too many."""
    folders: dict[str, Domain] = {}
    for score, tokens, url in rows:
        names = parts(url)
        if names[0] not in hosts:
            continue
        kept, decided = cut.keeps(score, url), decisions.of(url) in (MATH, NOT)
        # The last part is the page.
        for length in range(2, min(len(names), DEEPEST + 1)):
            folders.setdefault("/".join(names[:length]), Domain()).add(score, tokens, kept, decided)
    return folders


def merge_domains(total: dict[str, Domain], part: dict[str, Domain]) -> None:
    """Adds the counts of a shard to those of the crawl."""
    for name, counts in part.items():
        total.setdefault(name, Domain()).merge(counts)


def with_registered(hosts: dict[str, Domain]) -> dict[str, Domain]:
    """Counts by host, and by registered domain where it has several hosts, sorted by name."""
    members: dict[str, list[str]] = {}
    for host in hosts:
        members.setdefault(registered_domain(host), []).append(host)
    found = dict(hosts)
    for name, group in members.items():
        if len(group) > 1:
            found[name] = Domain()
            for host in group:
                found[name].merge(hosts[host])
    return dict(sorted(found.items()))


def to_show(
    hosts: dict[str, Domain], folders: dict[str, Domain], threshold: float, decisions: Decisions | None = None
) -> Iterator[tuple[str, str]]:
    """
    Prefixes that a person should look at, and why; those with the most tokens first.

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
    decided_on = {host_of(prefix) for prefix in decisions.decided} if decisions else set()
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
    for host in sorted(over, key=lambda name: (-hosts[name].tokens, -hosts[name].collected, name)):
        yield host, "again" if touches(decided_on, host) and grown(host) else "over"
        for prefix in _inside(host, known, children):
            yield prefix, "again" if decisions and prefix in decisions.decided and grown(prefix) else "inside"
    under = [host for host in hosts if hosts[host].share <= threshold and hosts[host].pages >= FEWEST]
    under = [host for host in under if registered_domain(host) not in hosts or registered_domain(host) == host]
    under.sort(key=lambda name: (-hosts[name].share, -hosts[name].mean_score, name))
    yield from ((host, "under") for host in sorted(under[:UNDER], key=lambda name: (-hosts[name].tokens, name)))


def host_of(prefix: str) -> str:
    return prefix.partition("/")[0]


def touches(names: set[str], host: str) -> bool:
    """Whether a decision was made on a host or domain, on the domain above it, or on a host of it."""
    return not names.isdisjoint({host, registered_domain(host)}) or any(registered_domain(n) == host for n in names)


def _inside(prefix: str, known: dict[str, Domain], children: dict[str, list[str]]) -> Iterator[str]:
    domain = known[prefix]
    if not _MIXED[0] < domain.share < _MIXED[1]:
        return
    for inner in sorted(
        children.get(prefix, []), key=lambda name: (-known[name].tokens, -known[name].collected, name)
    ):
        found = known[inner]
        if found.pages < FEWEST:
            continue
        if found.pages < domain.pages:  # a folder that holds all of its parent says nothing new
            yield inner
        yield from _inside(inner, known, children)
