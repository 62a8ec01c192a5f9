"""From a crawl to clean text: extract, find duplicates, drop them, decontaminate; on one machine, on Ray or on Slurm."""

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..data.journal import differing, lock
from ..errors import ConfigError, DataError
from .blocks import (
    Decontaminate,
    DropDuplicates,
    ExtractPages,
    FilterPages,
    FindDuplicates,
    MatchDuplicates,
    ReadShards,
    SignPages,
    WriteShards,
    get_datafolder,
    page_files,
)
from .dedup import BANDS
from .execution import Execution, children_end_with_parent, make_executor
from .read import ENDINGS, MAX_BYTES


def prepare(
    pages: str,
    output: str,
    benchmarks: Sequence[str] = (),
    execution: Execution | None = None,
    max_bytes: int = MAX_BYTES,
    seconds: float = 20.0,
    filters: Sequence[Any] = (),
) -> None:
    """Turns a crawl into clean text, stage by stage.

    A run that was stopped, or killed, is called again with the same arguments: whole tasks are not done again, and the
    files are the same, byte for byte. Results: `clean/` (pages), `removed/` (everything that was taken out, with the
    reason, by stage), `logs/` (statistics, by stage).

    Args:
        pages (`str`):
            Folder of the crawl: WARC, JSON lines, parquet; see [`read_pages`]. fsspec addresses too.
        output (`str`):
            Folder for everything that is written.
        benchmarks (`Sequence[str]`, *optional*):
            Files or folders of benchmarks to keep out, see [`load_benchmarks`]. Without them, nothing is decontaminated.
        execution ([`Execution`], *optional*):
            Where to run; on this machine, one task at a time, by default.
        max_bytes (`int`, *optional*, defaults to `10000000`):
            Longer pages are skipped.
        seconds (`float`, *optional*, defaults to `20.0`):
            CPU time for one page, after which the plain text between its tags is taken.
        filters (`Sequence`, *optional*):
            datatrove filters that every page passes after extraction, such as [`KeepLanguages`] and [`KeepQuality`].

    Raises:
        ConfigError: the output folder belongs to a run with other arguments.
        DataError: the folder holds no page file, or a task failed.
    """
    execution = execution or Execution()
    local = nullcontext() if "://" in output else lock(Path(output) / ".lock")
    with local, children_end_with_parent():
        files, _ = page_files(get_datafolder(_absolute(pages)).list_files())
        if not files:
            raise DataError(f"{pages}: no file here ends in {ENDINGS}.")
        benchmarks = list(map(str, benchmarks))
        _remember(output, {"pages": pages, "files": files, "benchmarks": benchmarks, "tasks": execution.tasks,
                           "max_bytes": max_bytes, "seconds": seconds,
                           **({"filters": list(map(_described, filters))} if filters else {})})  # fmt: skip
        root, executor = _absolute(output).rstrip("/"), None
        tasks = {"bands": BANDS * max(1, execution.tasks // BANDS), "match": 1}
        for name, steps in _stages(_absolute(pages), root, benchmarks, max_bytes, seconds, filters).items():
            most = tasks.get(name) or min(execution.tasks, len(files))
            executor = make_executor(
                name, steps, most, f"{root}/logs/{name}", execution, executor
            )  # after the one before
            executor.run()
            if execution.kind != "slurm" and (left := executor.get_incomplete_ranks(skip_completed=True)):
                raise DataError(
                    f"{len(left)} tasks failed (first: {left[0]}); see {executor.logging_dir.path}/logs, then run again."
                )


def _stages(
    pages: str, output: str, benchmarks: list[str], max_bytes: int, seconds: float, filters: Sequence[Any]
) -> dict[str, list[Any]]:
    """The blocks of each stage, in order."""
    removed, duplicates = f"{output}/removed", f"{output}/duplicates"
    signed = f"{output}/signatures", f"{output}/matching/keys"
    addresses, bands = f"{output}/matching/addresses", f"{output}/matching/bands"
    return {
        "extract": [
            ReadShards(pages, f"{removed}/read", max_bytes),
            ExtractPages(f"{removed}/extract", seconds),
            *(FilterPages(f"{removed}/{type(one).__name__}", one) for one in filters),
            SignPages(*signed),
            WriteShards(f"{output}/extracted"),
        ],
        "addresses": [FindDuplicates(*signed, addresses)],
        "bands": [FindDuplicates(*signed, bands, addresses)],
        "match": [MatchDuplicates(signed[0], addresses, bands, duplicates)],
        "clean": [
            ReadShards(f"{output}/extracted"),
            DropDuplicates(f"{removed}/dedup", duplicates),
            *([Decontaminate(f"{removed}/decontaminate", benchmarks)] if benchmarks else []),
            WriteShards(f"{output}/clean"),
        ],
    }


def _absolute(path: str) -> str:
    """A local path from the root: fsspec keeps the folder that a relative one meant when it was first used."""
    return path if "://" in path else os.path.abspath(path)


def _described(chosen: Any) -> str:
    """A filter and its settings, the same in every run."""
    settings = {
        name: sorted(value) if isinstance(value, set) else getattr(value, "pattern", value)  # of a regular expression
        for name, value in vars(chosen).items()
    }
    plain = {name: value for name, value in settings.items() if isinstance(value, str | int | float | list | None)}
    return f"{type(chosen).__name__} {json.dumps(plain, sort_keys=True, default=str)}"


def _remember(output: str, arguments: dict[str, Any]) -> None:
    """Writes what a run was started with, and refuses to go on with something else."""
    folder = get_datafolder(_absolute(output))
    if folder.isfile("run.json"):
        if changed := differing(json.loads(folder.read_text("run.json")), arguments):
            raise ConfigError(f"{output} holds a run with other settings: {changed}. Use a new folder, or delete it.")
        return
    with folder.open("run.json", "w") as file:
        json.dump(arguments, file, indent=1)


def statistics(output: str | Path) -> dict[str, dict[str, int]]:
    """Counts by stage and block: what was read, kept, removed and skipped.

    Args:
        output (`str` or `Path`):
            Folder of a run of [`prepare`] on a local disk.

    Returns:
        `dict`: by `stage/block`, the total of each count over its tasks.
    """
    totals: dict[str, dict[str, int]] = {}
    for path in sorted(Path(output).glob("logs/*/stats/*.json")):
        for block in json.loads(path.read_text()):
            counts = totals.setdefault(f"{path.parts[-3]}/{block['name']}", {})
            for key, value in block.get("stats", {}).items():
                counts[key] = counts.get(key, 0) + int(value["total"] if isinstance(value, dict) else value)
    return totals
