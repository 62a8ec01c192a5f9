"""The steps as datatrove blocks, thin around the plain functions: each reads, changes or writes a stream of pages."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import cached_property, partial
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import fsspec
import numpy as np

from ..errors import DataError, MissingDependencyError
from .classifier import end_with_parent
from .decontaminate import Benchmarks, decontaminate, load_benchmarks
from .dedup import BANDS, first_pages, join, near_duplicates, same_address, sign, sort_keys
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

Pages: TypeAlias = Iterator[Document]
Write: TypeAlias = Callable[[Record], object]
_RAW, _SHARD, _POSITION = "_raw", "_shard", "_position"


def shard_name(number: int) -> str:
    """Name of a shard's file in every folder of the pipeline."""
    return f"{number:06d}.jsonl.gz"


def _number(path: str) -> int:
    return int(PurePosixPath(path).name.partition(".")[0])


def _by_shard(data: Pages) -> Iterator[tuple[int, Pages]]:
    return groupby(data, key=lambda document: document.metadata[_SHARD])


@contextmanager
def _output(folder: str, shard: int) -> Iterator[Write]:
    """Writes a shard's file of JSON lines, under its name only when it is whole (local disks; object stores do so)."""
    target, name = get_datafolder(folder), shard_name(shard)
    path = f"{name}.partial" if target.is_local() else name
    with target.open(path, "wb") as raw, gzip_writer(raw) as file:
        yield lambda record: file.write(dump_line(record))
    if path != name:
        target.mv(path, name)


class ReadShards(PipelineStep):
    """Reads the files of a folder. Of a crawl, where `removed` is given, file `n` of the sorted list is shard `n`, whatever
    the number of tasks; files of this pipeline have the number in their names, and nothing in them may be broken."""

    type, name = "READ", "pages"

    def __init__(self, folder: str, removed: str | None = None, max_bytes: int = sys.maxsize) -> None:
        super().__init__()
        self.folder, self.removed, self.max_bytes = folder, removed, max_bytes

    def run(self, data: None, rank: int, world_size: int) -> Pages:
        folder = get_datafolder(self.folder)
        files, others = page_files(folder.list_files())
        for number, path in list(enumerate(files))[rank::world_size]:
            shard = _number(path) if self.removed is None else number
            with nullcontext(self._refuse) if self.removed is None else _output(self.removed, shard) as write:
                report = partial(self._report, write)
                for other in others if number == 0 else ():
                    report("file: not a page file", other, "its name has none of the endings of page files")
                with folder.open(path, "rb") as file:
                    for position, record in enumerate(read_pages(file, path, report, self.max_bytes)):
                        self.stat_update("records", "pages")
                        html, text = record.pop("html", None), record.pop("text", "")
                        own = {_RAW: bool(html), _SHARD: shard, _POSITION: position}
                        yield Document(text=html or text, id=record.pop("id"), metadata=record | own)

    def _refuse(self, report: Record) -> None:
        raise DataError(
            f"{report['where']}: {report['reason']} ({report['what']}). Delete the folder {self.folder} and run its stage again."
        )

    def _report(self, write: Write, kind: str, where: str, what: str) -> None:
        if kind.startswith(("file: ", "mended: ")):
            self.stat_update(kind)
        else:
            self.stat_update("records", f"skipped: {kind}")
        if what:
            write({"reason": kind, "where": where, "what": what})


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
    """A block that takes pages out and keeps them in a folder of their own."""

    def __init__(self, removed: str) -> None:
        super().__init__()
        self.removed = removed

    def run(self, data: Pages, rank: int, world_size: int) -> Pages:
        for shard, documents in _by_shard(data):
            with _output(self.removed, shard) as write:
                for document, why in self.sift(documents, shard, write):
                    if why:
                        self.stat_update(f"removed: {why['reason']}")
                        write({**_record(document), **why})
                    else:
                        self.stat_update("kept")
                        yield document

    def sift(self, documents: Pages, shard: int, write: Write) -> Iterator[tuple[Document, Record | None]]:
        """The pages of a shard, each with what is to be written beside it if it is taken out: its `reason`, and more."""
        raise NotImplementedError


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

    def sift(self, documents: Pages, shard: int, write: Write) -> Iterator[tuple[Document, Record | None]]:
        # The sandbox counts real seconds, which depend on the machine's load: they only end what hangs without working.
        with ExtractorSandbox(60 + 20 * self.seconds, warmup_text=("", None, self.seconds)) as sandbox:
            for document in documents:
                if document.metadata[_RAW]:
                    self._read(document, sandbox, write)
                yield document, None if document.text.strip() else {"reason": "no text"}

    def _read(self, document: Document, sandbox: ExtractorSandbox, write: Write) -> None:
        page, charset = document.text, document.metadata.get("_charset")
        kind = "extraction failed"
        with self.track_time():
            try:
                document.text, failure = sandbox.process_document((page, charset, self.seconds), _extract)
            except (TimeoutError, EOFError):
                kind = failure = "took too long"
        if failure:
            self.stat_update(f"plain text: {kind}")
            document.text = plain_text(page, charset)
            url = document.metadata["url"]
            write({"id": document.id, "url": url, "reason": "plain text", "what": failure})


class FilterPages(_Filter):
    """Any of datatrove's filters: what it removes is kept, with its reason."""

    type = "FILTER"

    def __init__(self, removed: str, chosen: BaseFilter) -> None:
        self.name = type(chosen).__name__  # the name in the statistics
        super().__init__(removed)
        self.chosen = chosen

    def sift(self, documents: Pages, shard: int, write: Write) -> Iterator[tuple[Document, Record | None]]:
        for document in documents:
            with self.track_time():
                kept, reason = get_filter_result(self.chosen.filter(document))
            yield document, None if kept else {"reason": reason or self.name}


class SignPages(PipelineStep):
    """Writes the signatures of a shard's pages, by which duplicates are found, and their sorted keys: a folder for
    addresses and one for each band."""

    type, name = "DEDUP", "signatures"

    def __init__(self, signatures: str, keys: str) -> None:
        super().__init__()
        self.signatures, self.keys = signatures, keys

    def run(self, data: Pages, rank: int, world_size: int) -> Pages:
        for shard, documents in _by_shard(data):
            rows = []
            for document in documents:
                rows.append(sign(document.metadata["url"], document.text))
                self.stat_update("pages")
                yield document
            self.save(f"{shard:06d}.npy", np.concatenate(rows))

    def save(self, name: str, rows: np.ndarray) -> None:
        keys = get_datafolder(self.keys)
        for group, part in enumerate(sort_keys(rows)):
            _save_array(keys, f"{group:02d}/{name}", part)
        _save_array(get_datafolder(self.signatures), name, rows)


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

    def run(self, data: None, rank: int, world_size: int) -> None:
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


class MatchDuplicates(PipelineStep):
    """Joins what was found among all shards; one task, whose memory grows with the duplicates."""

    type, name = "DEDUP", "match"

    def __init__(self, signatures: str, addresses: str, pairs: str, duplicates: str) -> None:
        super().__init__()
        self.signatures, self.addresses, self.pairs, self.duplicates = signatures, addresses, pairs, duplicates

    def run(self, data: None, rank: int, world_size: int) -> None:
        source, target = get_datafolder(self.signatures), get_datafolder(self.duplicates)
        names = source.list_files()
        offsets = first_pages(map(len, _Arrays(source, names)))
        numbers = np.array([_number(name) for name in names], np.int64)
        for name, rows in zip(names, join(offsets, _pairs(self.addresses), _pairs(self.pairs)), strict=True):
            rows["kept_shard"] = numbers[rows["kept_shard"]]
            _save_array(target, name, rows)
            self.stat_update("duplicates", value=len(rows))


class DropDuplicates(_Filter):
    """Takes the duplicates out."""

    type, name = "DEDUP", "drop"

    def __init__(self, removed: str, duplicates: str) -> None:
        super().__init__(removed)
        self.duplicates = duplicates

    def sift(self, documents: Pages, shard: int, write: Write) -> Iterator[tuple[Document, Record | None]]:
        with get_datafolder(self.duplicates).open(f"{shard:06d}.npy", "rb") as file:
            twins = {int(row["position"]): row for row in np.load(file)}
        for document in documents:
            row = twins.get(document.metadata[_POSITION])
            yield (
                document,
                None
                if row is None
                else {
                    "reason": "same address" if row["by_url"] else "near-duplicate",
                    "kept": f"{shard_name(row['kept_shard'])}:{row['kept_position'] + 1}",
                },
            )


class Decontaminate(_Filter):
    """Takes benchmark paragraphs out, and pages of which nothing is left; every paragraph goes to the log."""

    type, name = "DECONT", "benchmarks"

    def __init__(self, removed: str, benchmarks: list[str]) -> None:
        super().__init__(removed)
        self.benchmarks = benchmarks

    @cached_property
    def index(self) -> Benchmarks:
        return load_benchmarks(self.benchmarks)

    def sift(self, documents: Pages, shard: int, write: Write) -> Iterator[tuple[Document, Record | None]]:
        index = self.index
        for document in documents:
            with self.track_time():
                cleaned, removed = decontaminate(document.text, index)
            for paragraph in removed:
                self.stat_update(f"paragraphs removed: {paragraph.rule}")
                write({"page": document.id, "url": document.metadata["url"], **asdict(paragraph)})
            document.text = cleaned or document.text
            yield document, None if cleaned else {"reason": "nothing left"}


class WriteShards(PipelineStep):
    """Writes the pages, one file a shard."""

    type, name = "WRITE", "pages"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Pages, rank: int, world_size: int) -> Pages:
        for shard, documents in _by_shard(data):
            with _output(self.folder, shard) as write:
                for document in documents:
                    write(_record(document))
                    yield document
