"""Pages that are there twice: under one address, or with nearly one text (MinHash).

Of pages with one address, and of pages with nearly one text, the first stays: first by the order of the shards, then by
its place in the shard. Addresses come first, so that a page dropped for its address takes no other one with it.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import numpy as np

from ..errors import MissingDependencyError
from ..text.ngrams import fold

PERMUTATIONS = 112
BANDS = 14  # of 8 rows each: half of the pairs with similarity 0.70 meet, 98 % of those with 0.82
SIMILARITY = 0.8
SHINGLE = 5
_SEED = 2402
_CHUNK = 10_000  # pairs that are compared together
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|msclkid|mc_[ce]id|sessionid|phpsessid|jsessionid|sid", re.I)
_INDEX = re.compile(r"/(?:index|default)\.(?:x?html?|php|aspx?|jsp)$", re.I)

SIGNATURE = np.dtype([("url", np.uint64), ("minhash", np.uint32, (PERMUTATIONS,))])
KEY = np.dtype([("key", np.uint64), ("position", np.int64)])
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


def sign(url: str, text: str) -> np.ndarray:
    """What duplicates of a page are found by, a hash of the address and the MinHash of the text: a `SIGNATURE`, 456 bytes."""
    try:
        from rensa import RMinHash
    except ImportError as error:
        raise MissingDependencyError(
            "Finding near-duplicates needs rensa: pip install 'trl-dsmath[corpus]'."
        ) from error
    row = np.zeros(1, SIGNATURE)
    row["url"] = _hash(normalize_url(url))
    row["minhash"] = RMinHash.digest_matrix_from_token_sets([shingles(text)], PERMUTATIONS, _SEED).to_rows()
    return row


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") if text else 0


def sort_keys(signatures: np.ndarray) -> list[np.ndarray]:
    """What pages are matched by: of one shard, the `KEY` rows of its addresses, then those of each band, sorted by key.
    Pages without an address, or without words, are not in them."""
    urls, rows = signatures["url"], signatures["minhash"]
    filled = (rows != np.uint32(0xFFFFFFFF)).any(axis=1)
    width = PERMUTATIONS // BANDS
    columns = [(urls, urls != 0)]
    columns += [(_mix(rows[:, band * width : (band + 1) * width]), filled) for band in range(BANDS)]
    found = []
    for keys, valid in columns:
        positions = np.flatnonzero(valid)
        positions = positions[np.argsort(keys[positions], kind="stable")]
        part = np.zeros(len(positions), KEY)
        part["key"], part["position"] = keys[positions], positions
        found.append(part)
    return found


def first_pages(lengths: Iterable[int]) -> np.ndarray:
    """Number of the first page of each shard, pages being counted through all shards; at the end, of all pages."""
    return np.cumsum([0, *lengths])


def same_address(keys: Iterable[np.ndarray], offsets: np.ndarray, part: int, parts: int) -> np.ndarray:
    """Pages whose address an earlier page has, each with the first such page; of one part of the range of keys."""
    first, other, _ = _groups(*_gather(keys, offsets, part, parts))
    return np.stack([other, first], axis=1)


def near_duplicates(
    keys: Iterable[np.ndarray],
    offsets: np.ndarray,
    signatures: Sequence[np.ndarray],
    dropped: np.ndarray,
    part: int,
    parts: int,
) -> np.ndarray:
    """Pairs of pages that meet in a band and are alike; of one part of the range of keys.

    Args:
        keys (`Iterable[numpy.ndarray]`):
            Of each shard, its sorted `KEY` rows of the band.
        offsets (`numpy.ndarray`):
            See `first_pages`.
        signatures (`Sequence[numpy.ndarray]`):
            Of each shard; they can stay on disk.
        dropped (`numpy.ndarray`):
            Whether a page was dropped for its address.
        part (`int`), parts (`int`):
            Which part of how many.
    """
    found, pages = _gather(keys, offsets, part, parts)
    left = ~dropped[pages]
    first, other, before = _groups(found[left], pages[left])
    late = before != first
    pairs = np.stack([np.r_[first, before[late]], np.r_[other, other[late]]], axis=1)
    return pairs[_similarity(signatures, offsets, *pairs.T) >= SIMILARITY]


def join(offsets: np.ndarray, addresses: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
    """The `DUPLICATE` rows of each shard. Of pages that are connected by pairs, the first stays."""
    pages, roots = _first_connected(pairs)
    dropped = np.r_[addresses[:, 0], pages[roots != pages]]
    kept = np.r_[addresses[:, 1], roots[roots != pages]]
    order = np.argsort(dropped)
    dropped, kept = dropped[order], kept[order]
    shard_of = np.searchsorted(offsets, dropped, side="right") - 1
    kept_shard = np.searchsorted(offsets, kept, side="right") - 1
    rows = np.zeros(len(dropped), DUPLICATE)
    rows["position"] = dropped - offsets[shard_of]
    rows["kept_shard"] = kept_shard
    rows["kept_position"] = kept - offsets[kept_shard]
    rows["by_url"] = order < len(addresses)
    ends = np.searchsorted(dropped, offsets)
    return [rows[start:end] for start, end in pairwise(ends)]


def _first_connected(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pages that are in pairs, and for each the first of the pages that it is connected with."""
    pages, index = np.unique(pairs, return_inverse=True)
    index = index.reshape(pairs.shape)
    root = np.arange(len(pages))
    while True:
        lower = root[index].min(axis=1)
        low = root.copy()
        for side in index.T:
            np.minimum.at(low, side, lower)
            np.minimum.at(low, root[side], lower)
        low = low[low]
        if np.array_equal(low, root):
            return pages, pages[root]
        root = low


def _gather(keys: Iterable[np.ndarray], offsets: np.ndarray, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys in one part of their range, and their pages, sorted by both."""
    low, last = (1 << 64) * part // parts, (1 << 64) * (part + 1) // parts - 1
    found, pages = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for offset, rows in zip(offsets[:-1], keys, strict=True):
        start, end = (
            np.searchsorted(rows["key"], np.uint64(low)),
            np.searchsorted(rows["key"], np.uint64(last), "right"),
        )
        found.append(rows["key"][start:end].copy())  # the file can be closed
        pages.append(rows["position"][start:end] + offset)
    all_keys, all_pages = np.concatenate(found), np.concatenate(pages)
    order = np.lexsort((all_pages, all_keys))
    return all_keys[order], all_pages[order]


def _mix(rows: np.ndarray) -> np.ndarray:
    """One 64-bit number for each row."""
    mixed = np.full(len(rows), 0x9E3779B97F4A7C15, np.uint64)
    for column in range(rows.shape[1]):
        mixed = (mixed ^ rows[:, column]) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _groups(keys: np.ndarray, pages: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pages whose key an earlier page has: the first page of the group, the page, and the one before it."""
    again = np.r_[False, keys[1:] == keys[:-1]][: len(keys)]
    firsts = pages[np.maximum.accumulate(np.where(again, 0, np.arange(len(pages))))]
    before = np.r_[pages[:1], pages[:-1]]
    return firsts[again], pages[again], before[again]


def _similarity(signatures: Sequence[np.ndarray], offsets: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    result = np.zeros(len(one))
    for start in range(0, len(one), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        result[chunk] = (_rows(signatures, offsets, one[chunk]) == _rows(signatures, offsets, two[chunk])).mean(axis=1)
    return result


def _rows(signatures: Sequence[np.ndarray], offsets: np.ndarray, pages: np.ndarray) -> np.ndarray:
    rows = np.zeros((len(pages), PERMUTATIONS), np.uint32)
    shard_of = np.searchsorted(offsets, pages, side="right") - 1
    for shard in np.unique(shard_of):
        here = shard_of == shard
        rows[here] = signatures[shard]["minhash"][pages[here] - offsets[shard]]
    return rows
