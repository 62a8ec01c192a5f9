"""Decisions on URL prefixes: the file, and which decision holds for a page."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

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
    except ValueError:  # an address in brackets that is none
        return [url.strip("/")]
    return [host, *(part for part in split.path.split("/") if part)]


class Decisions:
    """
    Decisions on prefixes; the longest prefix decides.

    Args:
        decided (`Mapping[str, str]`, *optional*):
            `math`, `not` or `skip` by prefix: a host, or a host and folders.

    Raises:
        DataError: a decision is none of these words.
    """

    def __init__(self, decided: Mapping[str, str] | None = None) -> None:
        self.decided: dict[str, str] = {}
        for prefix, word in (decided or {}).items():
            self.set(prefix, word)

    def set(self, prefix: str, word: str) -> None:
        """Writes one down, over an earlier one."""
        decision = _WORDS.get(str(word).strip().lower())
        if decision is None:
            raise DataError(f"{prefix}: {word!r} is no decision. Write math, not or skip.")
        self.decided["/".join(parts(prefix))] = decision

    def prefix_of(self, url: str) -> str | None:
        """The longest prefix with a decision that the page, or the prefix, lies under."""
        if not self.decided:
            return None
        names = parts(url)
        for length in range(len(names), 0, -1):
            if (prefix := "/".join(names[:length])) in self.decided:
                return prefix
        return None

    def of(self, url: str) -> str | None:
        """The decision that holds for a page or a prefix."""
        prefix = self.prefix_of(url)
        return None if prefix is None else self.decided[prefix]

    def over(self, other: "Decisions") -> "Decisions":
        """These decisions, and those of the other where these have none."""
        return Decisions({**other.decided, **self.decided})

    def write(self, path: Path) -> None:
        """Writes them as CSV; the file is either the old one or the whole new one."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["prefix", "decision"])
        writer.writerows(self.decided.items())
        write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Writes a small file; a kill leaves the old one or the whole new one."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def read_rules(path: Path) -> Decisions:
    """
    Reads decisions.

    Args:
        path (`Path`):
            `.csv` with the columns `prefix` and `decision` (others are passed over: a review file with decisions filled
            in can be used), or `.yaml` with `prefix: decision` lines.

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
            raise DataError(f"{path} is no YAML: {error}") from error
        if not isinstance(content, dict):
            raise DataError(f"{path} must hold `prefix: decision` lines.")
        # YAML reads a bare `not` as a word, but `no` and `yes` as false and true.
        return Decisions({str(prefix): str(word) for prefix, word in content.items()})
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and not {"prefix", "decision"} <= rows[0].keys():
        raise DataError(f"{path} must have the columns prefix and decision; it has {', '.join(rows[0])}.")
    return Decisions({row["prefix"]: row["decision"] for row in rows if row["prefix"] and row["decision"]})
