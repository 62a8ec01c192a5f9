"""The steps as datatrove blocks, thin around the plain functions: each reads, changes or writes a stream of pages."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any

import fsspec
import numpy as np

from ..errors import DataError, MissingDependencyError
from .classifier import end_with_parent
from .decontaminate import decontaminate, load_benchmarks
from .dedup import BANDS, DUPLICATE, first_pages, join, near_duplicates, same_address, sign, sort_keys
from .extract import extract_text, plain_text
from .read import page_format, read_pages
from .records import Record, dump_line, gzip_writer

try:
    from datatrove.data import Document
    from datatrove.io import DataFolder, get_datafolder
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.extractors.base import ExtractorSandbox
    from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
except ImportError as _error:
    raise MissingDependencyError(
        "The corpus pipeline runs on datatrove: pip install 'trl-dsmath[corpus]'."
    ) from _error

Stream = Iterator[Document] | None
_RAW, _SHARD, _POSITION = "_raw", "_shard", "_position"


def shard_name(number: int) -> str:
    """Name of a shard's file in every folder of the pipeline."""
    return f"{number:06d}.jsonl.gz"


def _number(path: str) -> int:
    return int(PurePosixPath(path).name.partition(".")[0])


class _Output:
    """Files of JSON lines, one a shard, each under its name only when it is whole (local disks; object stores do so)."""

    def __init__(self, folder: str) -> None:
        self.folder = get_datafolder(folder)
        self.shard = -1
        self.raw: IO[bytes] | None = None

    def write(self, shard: int, record: Record) -> None:
        self.open(shard)
        self.file.write(dump_line(record))

    def open(self, shard: int) -> None:
        if shard != self.shard:
            self.close()
            self.shard, self.name = shard, shard_name(shard)
            self.raw = self.folder.open(self.name + ".partial" if self.folder.is_local() else self.name, "wb")
            self.file = gzip_writer(self.raw)

    def close(self) -> None:
        if self.raw is not None:
            self.file.close()
            self.raw.close()
            if self.folder.is_local():
                self.folder.mv(self.name + ".partial", self.name)
        self.shard, self.raw = -1, None


class ReadShards(PipelineStep):
    """Reads the files of a folder; file `n` of the sorted list is shard `n`, whatever the number of tasks."""

    type, name = "READ", "pages"

    def __init__(self, folder: str, removed: str | None = None, max_bytes: int = 1 << 40) -> None:
        super().__init__()
        self.folder, self.removed, self.max_bytes = folder, removed, max_bytes

    def run(self, data: Stream = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        folder = get_datafolder(self.folder)
        files, others = page_files(folder.list_files())
        for number, path in list(enumerate(files))[rank::world_size]:
            shard = number if self.removed is not None else _number(path)
            output = _Output(self.removed) if self.removed is not None else None
            report = partial(self._report, output, shard)
            if output is not None:
                output.open(shard)
            for other in others if number == 0 else ():
                report("file: not a page file", other, "its name has none of the endings of page files")
            with folder.open(path, "rb") as file:
                for position, record in enumerate(read_pages(file, path, report, self.max_bytes)):
                    self.stat_update("records", "pages")
                    content = record["html"] if record.get("html") else record["text"]
                    rest = {key: value for key, value in record.items() if key not in {"text", "html", "id"}}
                    rest |= {_RAW: bool(record.get("html")), _SHARD: shard, _POSITION: position}
                    yield Document(text=content, id=record["id"], metadata=rest)
            if output is not None:
                output.close()

    def _report(self, output: _Output | None, shard: int, kind: str, where: str, what: str) -> None:
        if kind.startswith(("file: ", "mended: ")):
            self.stat_update(kind)
        else:
            self.stat_update("records", f"skipped: {kind}")
        if output is None:
            raise DataError(f"{where}: {kind} ({what}). Delete the folder {self.folder} and run its stage again.")
        if what:
            output.write(shard, {"reason": kind, "where": where, "what": what})


def page_files(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The files of pages among these, and the others; sorted."""
    groups: tuple[list[str], list[str]] = ([], [])
    for path in sorted(paths):
        groups[page_format(path) is None].append(path)
    return groups


def _record(document: Document) -> Record:
    rest = {key: value for key, value in document.metadata.items() if not key.startswith("_")}
    return {"id": document.id, **rest, "text": document.text}


class _Filter(PipelineStep):
    """A block that takes pages out and keeps them, with the reason, in a folder of their own."""

    def __init__(self, removed: str) -> None:
        super().__init__()
        self.removed = removed

    def drop(self, output: _Output, document: Document, reason: str, **more: Any) -> None:
        self.stat_update(f"removed: {reason}")
        output.write(document.metadata[_SHARD], {**_record(document), "reason": reason, **more})


def _extract(page: str | bytes, charset: str | None, seconds: float) -> tuple[str, str]:
    """Runs in a process that is killed by the kernel when a page takes more than `seconds` of CPU time."""
    if not page:  # datatrove's first call
        end_with_parent()
        return "", ""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return extract_text(page, charset=charset), ""
    except (ValueError, RuntimeError, LookupError, RecursionError, MemoryError) as error:
        return "", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class ExtractPages(_Filter):
    """HTML to text, in a process of its own; a page that takes longer than `seconds` of CPU time, or on which extraction
    fails, is read by the plain text between its tags."""

    type, name = "EXTRACT", "text with mathematics"

    def __init__(self, removed: str, seconds: float) -> None:
        super().__init__(removed)
        self.seconds = seconds

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        output = _Output(self.removed)
        # The sandbox counts real seconds, which depend on the machine's load: they only end what hangs without working.
        with ExtractorSandbox(timeout=60 + 20 * self.seconds, warmup_text=("", None, 0.0)) as sandbox:
            for document in data or ():
                output.open(document.metadata[_SHARD])
                if document.metadata[_RAW]:
                    page, charset = document.text, document.metadata.get("_charset")
                    document.text = ""
                    with self.track_time():
                        try:
                            document.text, failure = sandbox.process_document((page, charset, self.seconds), _extract)
                        except (TimeoutError, EOFError):
                            failure = "took too long"
                        if failure:
                            self.stat_update(
                                f"plain text: {'extraction failed' if failure != 'took too long' else failure}"
                            )
                            output.write(
                                document.metadata[_SHARD],
                                {
                                    "id": document.id,
                                    "url": document.metadata["url"],
                                    "reason": "plain text",
                                    "what": failure,
                                },
                            )
                            document.text = plain_text(page, charset)
                if document.text.strip():
                    self.stat_update("kept")
                    yield document
                else:
                    self.drop(output, document, "no text")
        output.close()


class FilterPages(_Filter):
    """Any of datatrove's filters: what it removes is kept, with its reason."""

    type, name = "FILTER", "datatrove's filter"

    def __init__(self, removed: str, chosen: BaseFilter) -> None:
        self.name = type(chosen).__name__  # the name in the statistics
        super().__init__(removed)
        self.chosen = chosen

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        output = _Output(self.removed)
        for document in data or ():
            output.open(document.metadata[_SHARD])
            with self.track_time():
                kept, reason = get_filter_result(self.chosen.filter(document))
            if kept:
                self.stat_update("kept")
                yield document
            else:
                self.drop(output, document, reason or self.name)
        output.close()


class SignPages(PipelineStep):
    """Writes the signatures of a shard's pages, by which duplicates are found, and their sorted keys: a folder for
    addresses and one for each band."""

    type, name = "DEDUP", "signatures"

    def __init__(self, signatures: str, keys: str) -> None:
        super().__init__()
        self.signatures, self.keys = signatures, keys

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        shard = -1
        rows: list[np.ndarray] = []
        for document in data or ():
            if document.metadata[_SHARD] != shard and rows:
                self._save(shard, rows)
                rows = []
            shard = document.metadata[_SHARD]
            rows.append(sign(document.metadata["url"], document.text))
            self.stat_update("pages")
            yield document
        if rows:
            self._save(shard, rows)

    def _save(self, shard: int, rows: list[np.ndarray]) -> None:
        signatures, keys = np.concatenate(rows), get_datafolder(self.keys)
        for group, part in enumerate(sort_keys(signatures)):
            _save_array(keys, f"{group:02d}/{shard:06d}.npy", part)
        _save_array(get_datafolder(self.signatures), f"{shard:06d}.npy", signatures)


def _save_array(folder: DataFolder, name: str, rows: np.ndarray) -> None:
    with folder.open(name, "wb") as file:
        np.save(file, rows)


class _Arrays(Sequence[np.ndarray]):
    """Arrays of a folder that stay on disk, opened one at a time, since a crawl has more than a process may have open. Those
    of an object store are copied to this machine's disk first."""

    def __init__(self, folder: DataFolder, names: Sequence[str]) -> None:
        self.paths = folder.resolve_paths(names)
        self.local = folder.is_local()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: Any) -> Any:
        path = self.paths[number]
        return np.load(path if self.local else fsspec.open_local(f"simplecache::{path}"), mmap_mode="r")


def _pairs(folder: str) -> np.ndarray:
    """All pairs of pages that the tasks of a stage found."""
    source = get_datafolder(folder)
    return np.concatenate(list(_Arrays(source, source.list_files())))


class FindDuplicates(PipelineStep):
    """Finds pages of one address or, where those are known, near-duplicates. Each task has a part of the range of the keys,
    and of near-duplicates one band: its memory grows with the pages of its part, and by a byte for each page."""

    type, name = "DEDUP", "find"

    def __init__(self, signatures: str, keys: str, found: str, addresses: str | None = None) -> None:
        super().__init__()
        self.signatures, self.keys, self.found, self.addresses = signatures, keys, found, addresses

    def run(self, data: Stream = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        source, keys = get_datafolder(self.signatures), get_datafolder(self.keys)
        names = source.list_files()
        signatures = _Arrays(source, names)
        offsets = first_pages(map(len, signatures))
        parts = world_size if self.addresses is None else world_size // BANDS
        group, part = divmod(rank, parts)
        if self.addresses is None:
            pairs = same_address(_Arrays(keys, [f"00/{name}" for name in names]), offsets, part, parts)
        else:
            dropped = np.zeros(offsets[-1], bool)
            dropped[_pairs(self.addresses)[:, 0]] = True
            band = _Arrays(keys, [f"{group + 1:02d}/{name}" for name in names])
            pairs = near_duplicates(band, offsets, signatures, dropped, part, parts)
        self.stat_update("pairs", value=len(pairs))
        _save_array(get_datafolder(self.found), f"{rank:05d}.npy", pairs)
        yield from ()


class MatchDuplicates(PipelineStep):
    """Joins what was found among all shards; one task, whose memory grows with the duplicates."""

    type, name = "DEDUP", "match"

    def __init__(self, signatures: str, addresses: str, pairs: str, duplicates: str) -> None:
        super().__init__()
        self.signatures, self.addresses, self.pairs, self.duplicates = signatures, addresses, pairs, duplicates

    def run(self, data: Stream = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        source, target = get_datafolder(self.signatures), get_datafolder(self.duplicates)
        names = source.list_files()
        offsets = first_pages(map(len, _Arrays(source, names)))
        numbers = np.array([_number(name) for name in names], np.int64)
        for name, rows in zip(names, join(offsets, _pairs(self.addresses), _pairs(self.pairs)), strict=True):
            rows["kept_shard"] = numbers[rows["kept_shard"]]
            _save_array(target, name, rows)
            self.stat_update("duplicates", value=len(rows))
        yield from ()


class DropDuplicates(_Filter):
    """Takes the duplicates out."""

    type, name = "DEDUP", "drop"

    def __init__(self, removed: str, duplicates: str) -> None:
        super().__init__(removed)
        self.duplicates = duplicates

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        output, shard, twins = _Output(self.removed), -1, {}
        for document in data or ():
            if document.metadata[_SHARD] != shard:
                shard = document.metadata[_SHARD]
                output.open(shard)
                with get_datafolder(self.duplicates).open(f"{shard:06d}.npy", "rb") as file:
                    rows: np.ndarray = np.load(file).astype(DUPLICATE, copy=False)
                twins = {int(row["position"]): row for row in rows}
            row = twins.get(document.metadata[_POSITION])
            if row is None:
                self.stat_update("kept")
                yield document
            else:
                reason = "same address" if row["by_url"] else "near-duplicate"
                self.drop(output, document, reason, kept=f"{shard_name(row['kept_shard'])}:{row['kept_position'] + 1}")
        output.close()


class Decontaminate(_Filter):
    """Takes benchmark paragraphs out, and pages of which nothing is left; every paragraph goes to the log."""

    type, name = "DECONT", "benchmarks"

    def __init__(self, removed: str, benchmarks: list[str]) -> None:
        super().__init__(removed)
        self.benchmarks = benchmarks

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        index, output = load_benchmarks(self.benchmarks), _Output(self.removed)
        for document in data or ():
            shard = document.metadata[_SHARD]
            output.open(shard)
            with self.track_time():
                cleaned, removed = decontaminate(document.text, index)
            for paragraph in removed:
                self.stat_update(f"paragraphs removed: {paragraph.rule}")
                output.write(shard, {"page": document.id, "url": document.metadata["url"], **asdict(paragraph)})
            if cleaned:
                document.text = cleaned
                self.stat_update("kept")
                yield document
            else:
                self.drop(output, document, "nothing left")
        output.close()


class WriteShards(PipelineStep):
    """Writes the pages, one file a shard."""

    type, name = "WRITE", "pages"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Stream, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        output = _Output(self.folder)
        for document in data or ():
            output.write(document.metadata[_SHARD], _record(document))
            yield document
        output.close()
