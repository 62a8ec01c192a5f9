"""Domain statistics: how much of each host, and of each folder of a mixed host, was collected."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .rank import Cut
from .rules import parts
from .score import read_scores

DEEPEST = 6  # host and five folders
FEWEST = 5  # pages under which a folder is not shown by itself
_MIXED = (0.05, 0.95)


@dataclass
class Domain:
    """Counts under a prefix; `score` is the sum of the scores."""

    pages: int = 0
    tokens: int = 0
    collected: int = 0
    score: int = 0

    @property
    def share(self) -> float:
        """Share of the pages that was collected."""
        return self.collected / self.pages

    @property
    def mean_score(self) -> float:
        """Mean score, in thousandths of log-odds."""
        return self.score / self.pages

    def add(self, score: int, tokens: int, kept: bool) -> None:
        """Counts a page."""
        self.pages += 1
        self.tokens += tokens
        self.collected += kept
        self.score += score


def count_hosts(files: Iterable[Path], cut: Cut) -> dict[str, Domain]:
    """Counts by host, sorted by name."""
    hosts: dict[str, Domain] = {}
    for file in files:
        for score, tokens, url in read_scores(file):
            hosts.setdefault(parts(url)[0], Domain()).add(score, tokens, cut.keeps(score, url))
    return dict(sorted(hosts.items()))


def count_folders(files: Iterable[Path], cut: Cut, hosts: set[str]) -> dict[str, Domain]:
    """Counts by folder, for some hosts only: all folders of a crawl are too many."""
    folders: dict[str, Domain] = {}
    for file in files:
        for score, tokens, url in read_scores(file):
            names = parts(url)
            if names[0] not in hosts:
                continue
            kept = cut.keeps(score, url)
            # The last part is the page.
            for length in range(2, min(len(names), DEEPEST + 1)):
                folders.setdefault("/".join(names[:length]), Domain()).add(score, tokens, kept)
    return dict(sorted(folders.items()))


def to_show(hosts: dict[str, Domain], folders: dict[str, Domain], threshold: float) -> Iterator[tuple[str, str]]:
    """
    Prefixes that a person should look at, and why.

    Hosts over the threshold, each followed by its folders where it is mixed (down to folders that are not), and hosts
    that are near the threshold or of which the classifier is least sure: a host of mathematics that the seed does not
    resemble stays under the threshold for ever if nobody sees it.

    Args:
        hosts (`dict[str, Domain]`):
            Counts by host.
        folders (`dict[str, Domain]`):
            Counts by folder of the hosts over the threshold.
        threshold (`float`):
            Share of collected pages.

    Yields:
        `tuple[str, str]`: the prefix, and `over`, `inside` or `under`.
    """
    children: dict[str, list[str]] = {}
    for folder in folders:
        children.setdefault(folder.rpartition("/")[0], []).append(folder)
    over = [host for host in hosts if hosts[host].share > threshold]
    for host in sorted(over, key=lambda name: (-hosts[name].collected, name)):
        yield host, "over"
        yield from ((folder, "inside") for folder in _inside(host, hosts[host], folders, children))
    under = [host for host in hosts if hosts[host].share <= threshold and hosts[host].pages >= FEWEST]
    under.sort(key=lambda name: (-hosts[name].share, -hosts[name].mean_score, name))
    yield from ((host, "under") for host in under[:UNDER])


UNDER = 30  # hosts under the threshold that are shown, the nearest first


def _inside(prefix: str, domain: Domain, folders: dict[str, Domain], children: dict[str, list[str]]) -> Iterator[str]:
    if not _MIXED[0] < domain.share < _MIXED[1]:
        return
    for folder in sorted(children.get(prefix, []), key=lambda name: (-folders[name].collected, name)):
        found = folders[folder]
        if found.pages < FEWEST:
            continue
        if found.pages < domain.pages:  # a folder that holds all of its parent says nothing new
            yield folder
        yield from _inside(folder, found, folders, children)
