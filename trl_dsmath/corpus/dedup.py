"""Pages that are there twice: under one address, or with nearly one text (MinHash).

Of pages with one address, and of pages with nearly one text, the first stays: first by the order of the shards, then by
its place in the shard. Addresses come first, so that a page dropped for its address takes no other one with it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import numpy as np

from ..errors import MissingDependencyError
from ..text.ngrams import fold
from .records import Record

PERMUTATIONS = 112
BANDS = 14  # of 8 rows each: half of the pairs with similarity 0.70 meet, 98 % of those with 0.82
SIMILARITY = 0.8
SHINGLE = 5
_SEED = 2402
_BATCH = 256
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|msclkid|mc_[ce]id|sessionid|phpsessid|jsessionid|sid", re.I)
_INDEX = re.compile(r"/(?:index|default)\.(?:x?html?|php|aspx?|jsp)$", re.I)

SIGNATURE = np.dtype([("url", np.uint64), ("minhash", np.uint32, (PERMUTATIONS,))])
DUPLICATE = np.dtype(
    [("position", np.int64), ("kept_shard", np.int64), ("kept_position", np.int64), ("by_url", np.bool_)]
)


def normalize_url(url: str) -> str:
    """One spelling for the addresses of one page.

    Dropped: scheme, `www.`, user, default port, fragment, `index.html`, final slash, tracking and session parameters.
    Parameters are sorted, percent signs resolved; case counts in the path only.

    Args:
        url (`str`):
            An address.

    Returns:
        `str`: its normal form; empty for an empty address.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:  # no address at all: compared as it is
        return text
    host = (parts.hostname or "").rstrip(".").removeprefix("www.") + port
    path = _INDEX.sub("/", re.sub(r";jsessionid=[^/?]*", "", unquote(parts.path), flags=re.I)).rstrip("/")
    pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(pair[0])]
    return f"{host}{re.sub('/{2,}', '/', path)}{'?' + urlencode(sorted(pairs)) if pairs else ''}"


def shingles(text: str) -> list[str]:
    """Runs of five tokens, where each sign is a token too: `2+3` and `2-3` differ. A shorter text is one shingle."""
    text = fold(text)
    if not text.isascii():
        text = _CJK.sub(r" \g<0> ", text)
    tokens = _TOKEN.findall(text)
    if len(tokens) <= SHINGLE:
        return [" ".join(tokens)] if tokens else []
    return list({" ".join(run) for run in zip(*(tokens[at:] for at in range(SHINGLE)), strict=False)})


def sign(records: Iterable[Record]) -> np.ndarray:
    """What duplicates are found by: a hash of the address and the MinHash of the text.

    Args:
        records (`Iterable[dict]`):
            The pages of one shard, in order.

    Returns:
        `numpy.ndarray`: one `SIGNATURE` a page, 456 bytes.
    """
    try:
        from rensa import RMinHash
    except ImportError as error:
        raise MissingDependencyError(
            "Finding near-duplicates needs rensa: pip install 'trl-dsmath[corpus]'."
        ) from error
    iterator, parts = iter(records), []
    while batch := list(islice(iterator, _BATCH)):
        rows = np.zeros(len(batch), SIGNATURE)
        rows["url"] = [_hash(normalize_url(record.get("url") or "")) for record in batch]
        sets = [shingles(record["text"]) for record in batch]
        rows["minhash"] = RMinHash.digest_matrix_from_token_sets(sets, PERMUTATIONS, _SEED).to_rows()
        parts.append(rows)
    return np.concatenate(parts) if parts else np.zeros(0, SIGNATURE)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") if text else 0


def find_duplicates(signatures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Finds the pages to drop.

    Memory: 40 bytes a page beside the signatures, which can stay on disk (`numpy.load(..., mmap_mode="r")`).

    Args:
        signatures (`Sequence[numpy.ndarray]`):
            Of each shard, in order; see `sign`.

    Returns:
        `list[numpy.ndarray]`: for each shard its `DUPLICATE` rows: position, and the page that stays in its place.
    """
    offsets = np.cumsum([0, *map(len, signatures)])
    total = int(offsets[-1])
    kept = np.arange(total)
    urls = np.concatenate([part["url"] for part in signatures]) if signatures else np.zeros(0, np.uint64)
    first, other = _groups(urls, urls != 0)[:2]
    kept[other] = first
    by_url = kept != np.arange(total)

    filled = _concatenate(signatures, lambda part: (part["minhash"] != np.uint32(0xFFFFFFFF)).any(axis=1))
    candidates = filled & ~by_url
    parent: dict[int, int] = {}
    width = PERMUTATIONS // BANDS
    for band in range(BANDS):
        keys = _concatenate(signatures, partial(_band_keys, columns=slice(band * width, (band + 1) * width)))
        first, other, before = _groups(keys, candidates)
        late = before != first
        left, right = np.r_[first, before[late]], np.r_[other, other[late]]
        alike = _similarity(signatures, offsets, left, right) >= SIMILARITY
        for pair in zip(left[alike].tolist(), right[alike].tolist(), strict=True):
            low, high = sorted(_root(parent, page) for page in pair)
            if low != high:
                parent[high] = low
    for page in list(parent):
        kept[page] = _root(parent, page)

    dropped = np.flatnonzero(kept != np.arange(total))
    shard_of = np.searchsorted(offsets, dropped, side="right") - 1
    kept_shard = np.searchsorted(offsets, kept[dropped], side="right") - 1
    rows = np.zeros(len(dropped), DUPLICATE)
    rows["position"] = dropped - offsets[shard_of]
    rows["kept_shard"] = kept_shard
    rows["kept_position"] = kept[dropped] - offsets[kept_shard]
    rows["by_url"] = by_url[dropped]
    return [rows[shard_of == shard] for shard in range(len(signatures))]


def _concatenate(signatures: Sequence[np.ndarray], column: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.concatenate([column(part) for part in signatures]) if signatures else np.zeros(0, bool)


def _band_keys(part: np.ndarray, columns: slice) -> np.ndarray:
    return _mix(part["minhash"][:, columns])


def _mix(rows: np.ndarray) -> np.ndarray:
    """One 64-bit number for each row."""
    mixed = np.full(len(rows), 0x9E3779B97F4A7C15, np.uint64)
    for column in range(rows.shape[1]):
        mixed = (mixed ^ rows[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _groups(keys: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pages whose key an earlier page has: the first page of the group, the page, and the one before it."""
    members = np.flatnonzero(valid)
    order = members[np.argsort(keys[members], kind="stable")]
    again = np.r_[False, keys[order][1:] == keys[order][:-1]][: len(order)]
    firsts = order[np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))]
    before = np.r_[order[:1], order[:-1]]
    return firsts[again], order[again], before[again]


def _similarity(signatures: Sequence[np.ndarray], offsets: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    result = np.zeros(len(one))
    for start in range(0, len(one), 10_000):
        chunk = slice(start, start + 10_000)
        result[chunk] = (_rows(signatures, offsets, one[chunk]) == _rows(signatures, offsets, two[chunk])).mean(axis=1)
    return result


def _rows(signatures: Sequence[np.ndarray], offsets: np.ndarray, pages: np.ndarray) -> np.ndarray:
    rows = np.zeros((len(pages), PERMUTATIONS), np.uint32)
    shard_of = np.searchsorted(offsets, pages, side="right") - 1
    for shard in np.unique(shard_of):
        here = shard_of == shard
        rows[here] = signatures[shard]["minhash"][pages[here] - offsets[shard]]
    return rows


def _root(parent: dict[int, int], page: int) -> int:
    while page in parent:
        if parent[page] in parent:
            parent[page] = parent[parent[page]]
        page = parent[page]
    return page
