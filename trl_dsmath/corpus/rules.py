"""Decisions on URL prefixes: the file, and which decision holds for a page."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ..data.journal import write_whole
from ..errors import DataError

MATH, NOT, SKIP = "math", "not", "skip"
_WORDS = {
    **dict.fromkeys(("math", "accept", "yes", "true", "1"), MATH),
    **dict.fromkeys(("not", "reject", "no", "false", "0", "nonmath"), NOT),
    **dict.fromkeys(("skip", "mixed", "unknown", ""), SKIP),
}


def parts(url: str) -> list[str]:
    """Host and folders of a URL: `https://www.Site.org/a/b.html?x=1` gives `["site.org", "a", "b.html"]`."""
    if "://" not in url:
        url = "//" + url
    try:
        split = urlsplit(url)
        host = split.netloc.rpartition("@")[2].lower().removeprefix("www.")
    except ValueError:  # brackets that hold no IPv6 address
        return [url.strip("/")]
    return [host, *(part for part in split.path.split("/") if part)]


def _prefixes(url: str) -> Iterator[str]:
    """The prefixes that a page lies under, the longest first: host and folders, the host, the domains above the host."""
    names = parts(url)
    for length in range(len(names), 0, -1):
        yield "/".join(names[:length])
    labels = names[0].split(".")
    for first in range(1, len(labels) - 1):
        yield ".".join(labels[first:])


class Decisions:
    """
    Decisions on prefixes; the longest prefix decides.

    Args:
        decided (`Mapping[str, str]`, *optional*):
            `math`, `not` or `skip` by prefix: a domain, a host, or a host and folders. A domain holds for its hosts.
        rounds (`Mapping[str, int]`, *optional*):
            The round in which each was made, where that is known.

    Raises:
        DataError: a decision is none of these words.
    """

    def __init__(self, decided: Mapping[str, str] | None = None, rounds: Mapping[str, int] | None = None) -> None:
        self.decided: dict[str, str] = {}
        self.rounds: dict[str, int] = {}
        for prefix, word in (decided or {}).items():
            self.set(prefix, word, (rounds or {}).get(prefix))

    def set(self, prefix: str, word: str, round_number: int | None = None) -> None:
        """Writes one down, over an earlier one."""
        decision = _WORDS.get(str(word).strip().lower())
        if decision is None:
            raise DataError(f"{prefix}: {word!r} is not a decision. Write math, not or skip.")
        self.drop(prefix)
        name = "/".join(parts(prefix))
        self.decided[name] = decision
        if round_number is not None:
            self.rounds[name] = round_number

    def drop(self, prefix: str) -> None:
        """Forgets one, if there is one."""
        name = "/".join(parts(prefix))
        self.decided.pop(name, None)
        self.rounds.pop(name, None)

    def prefix_of(self, url: str) -> str | None:
        """The longest prefix with a decision that the page, or the prefix, lies under."""
        return next((prefix for prefix in _prefixes(url) if prefix in self.decided), None) if self.decided else None

    def of(self, url: str) -> str | None:
        """The decision that holds for a page or a prefix."""
        prefix = self.prefix_of(url)
        return None if prefix is None else self.decided[prefix]

    def over(self, other: "Decisions") -> "Decisions":
        """These decisions, and those of the other where these have none."""
        return Decisions({**other.decided, **self.decided}, {**other.rounds, **self.rounds})

    def write(self, path: Path) -> None:
        """Writes them as CSV; the file is either the old one or the whole new one."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["prefix", "decision", "round"])
        writer.writerows((prefix, word, self.rounds.get(prefix, "")) for prefix, word in self.decided.items())
        write_whole(path, text.getvalue())


def read_rules(path: Path) -> Decisions:
    """
    Reads decisions.

    Args:
        path (`Path`):
            `.csv` with the columns `prefix` and `decision`, separated by commas, semicolons or tabs (other columns are
            ignored: a review file with decisions filled in can be used), or `.yaml` with `prefix: decision` lines.

    Raises:
        DataError: it is not there, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if path.suffix in {".yaml", ".yml"}:
        import yaml

        try:
            content = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise DataError(f"{path} is not a YAML file: {error}") from error
        if not isinstance(content, dict):
            raise DataError(f"{path} must hold `prefix: decision` lines.")
        # YAML reads a bare `not` as a word, but `no` and `yes` as false and true.
        return Decisions({str(prefix): str(word) for prefix, word in content.items()})
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # a spreadsheet saves with any of them
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    if rows and not {"prefix", "decision"} <= rows[0].keys():
        raise DataError(f"{path} must have the columns prefix and decision; it has {', '.join(map(str, rows[0]))}.")
    rows = [row for row in rows if row["prefix"] and (row["decision"] or "").strip()]
    rounds = {row["prefix"]: int(row["round"]) for row in rows if (row.get("round") or "").strip().isdigit()}
    return Decisions({row["prefix"]: row["decision"] for row in rows}, rounds)
