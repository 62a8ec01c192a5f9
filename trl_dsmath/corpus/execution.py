"""Where work on a crawl is done: on this machine, on Ray or on Slurm; and a function mapped over its shards, each result a file."""

import multiprocessing
import os
import pickle
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..data.journal import write_whole
from ..errors import ConfigError, DataError, MissingDependencyError
from .classifier import end_with_parent

T = TypeVar("T")
_GROUP = 64  # results that are merged at a time
_POLL = 15.0  # seconds between two looks at Slurm's queue


@dataclass(frozen=True)
class Execution:
    """
    Where and how widely a pipeline runs. It changes nothing in what comes out.

    Args:
        kind (`str`, *optional*, defaults to `"local"`):
            `local`, `ray` or `slurm`.
        tasks (`int`, *optional*, defaults to `16`):
            Parts that a stage is cut into; each is done once and not again after a stop. At most one a file.
        workers (`int`, *optional*, defaults to `1`):
            Tasks that run at a time.
        options (`dict`, *optional*):
            Further arguments of datatrove's executor. Slurm needs `partition` and `time`, and mostly `venv_path`.
    """

    kind: Literal["local", "ray", "slurm"] = "local"
    tasks: int = 16
    workers: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ("local", "ray", "slurm"):
            raise ConfigError(f"kind={self.kind!r}: use local, ray or slurm.")
        if self.tasks < 1 or self.workers < 1:
            raise ConfigError(f"tasks={self.tasks}, workers={self.workers}: both have to be at least 1.")
        if self.kind == "slurm" and not {"partition", "time"} <= self.options.keys():
            raise ConfigError(
                "Slurm needs a partition and a time limit: options={'partition': ..., 'time': '12:00:00'}."
            )


def make_executor(
    name: str, steps: list[Any], tasks: int, logs: str, execution: Execution, depends: Any = None, **options: Any
) -> Any:
    """The datatrove executor of one stage; on Slurm it waits for the stage that it `depends` on."""
    common = {"tasks": tasks, "workers": min(execution.workers, tasks), "logging_dir": logs}
    common |= {**execution.options, **options}
    if execution.kind == "local":
        from datatrove.executor.local import LocalPipelineExecutor

        return LocalPipelineExecutor(steps, **common)
    if execution.kind == "ray":
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("kind=ray needs ray: pip install 'trl-dsmath[corpus]' ray.") from error
        from datatrove.executor.ray import RayPipelineExecutor

        if not ray.is_initialized():
            ray.init(log_to_driver=False)
        return RayPipelineExecutor(steps, **common)
    from datatrove.executor.slurm import SlurmPipelineExecutor

    return SlurmPipelineExecutor(steps, job_name=f"dsmath-{name}", depends=depends, **common)


_guarded = False
os.register_at_fork(after_in_child=lambda: end_with_parent() if _guarded else None)


@contextmanager
def children_end_with_parent() -> Iterator[None]:
    """Processes that are forked meanwhile end when this one is killed: those of datatrove would wait for ever."""
    global _guarded
    _guarded = True
    try:
        yield
    finally:
        _guarded = False


def map_shards(
    function: Callable[[int], T], folder: Path, numbers: Iterable[int], execution: Execution
) -> Iterator[T]:
    """
    Calls a function for each shard, wherever `execution` says; its results come in order, one in memory at a time.

    Args:
        function (`Callable`):
            Gets the number of a shard and returns something small. It must be picklable.
        folder (`Path`):
            Where results are kept: what is there is not computed again.
        numbers (`Iterable[int]`):
            The shards.
        execution ([`Execution`]):
            Where to run.

    Raises:
        DataError: a task failed.
    """
    return map(_load, _results(function, folder, numbers, execution))


def merge_shards(
    function: Callable[[int], T], folder: Path, shards: int, execution: Execution, merge: Callable[[T, T], object]
) -> T:
    """All results of [`map_shards`] in one. `merge` adds the second of two to the first; tasks do so with groups of 64, and
    this process with the last of them."""
    paths = _results(function, folder, range(shards), execution)
    while len(paths) > _GROUP:
        groups = [paths[start : start + _GROUP] for start in range(0, len(paths), _GROUP)]
        folder /= "groups"
        paths = _results(partial(_merge, merge, groups), folder, range(len(groups)), execution)
    return _merge(merge, [paths], 0)


def _results(function: Callable[[int], Any], folder: Path, numbers: Iterable[int], execution: Execution) -> list[Path]:
    files = {number: folder / f"{number:06d}.pickle" for number in numbers}
    for _ in run_missing(partial(_keep, function, folder), files, execution):
        pass
    return list(files.values())


def _load(path: Path) -> Any:
    return pickle.loads(path.read_bytes())


def _merge(merge: Callable[[Any, Any], object], groups: list[list[Path]], number: int) -> Any:
    first, *others = groups[number]
    total = _load(first)
    for path in others:
        merge(total, _load(path))
    return total


def _keep(function: Callable[[int], Any], folder: Path, number: int) -> None:
    write_whole(folder / f"{number:06d}.pickle", pickle.dumps(function(number)))


def run_missing(function: Callable[[int], None], files: Mapping[int, Path], execution: Execution) -> Iterator[int]:
    """
    Calls a function for each shard whose file is not there; the function writes it.

    On this machine through processes that share what is in memory, such as a model; elsewhere as a step of datatrove's
    executors, to which the file, not a mark of completion, says what is done.

    Yields:
        `int`: each shard when its file is written.
    """
    missing = [number for number, path in files.items() if not path.exists()]
    if not missing:
        return
    if execution.kind == "local":
        yield from _run_here(function, missing, execution.workers)
        return
    folder = next(iter(files.values())).parent
    logs = folder.parent / "logs" / folder.name
    steps = [_Task(function, missing)]
    tasks = min(execution.tasks, len(missing))
    executor = make_executor(folder.name, steps, tasks, str(logs), execution, skip_completed=False)
    executor.run()
    if execution.kind == "slurm":
        queue = ["squeue", "--noheader", "--jobs", str(executor.job_id)]
        while subprocess.run(queue, capture_output=True).stdout.strip():
            time.sleep(_POLL)
    if left := [number for number in missing if not files[number].exists()]:
        raise DataError(f"{len(left)} of {len(missing)} shards failed (first: {left[0]}); see {logs}, then run again.")
    yield from missing


class _Task:
    """A step of datatrove; not a `partial`, whose arguments would all be in its logs."""

    def __init__(self, function: Callable[[int], None], missing: list[int]) -> None:
        self.function, self.missing = function, missing

    def __call__(self, data: Any, rank: int, world_size: int) -> None:
        for number in self.missing[rank::world_size]:
            self.function(number)


_function: Callable[[int], None]  # of a worker process: inherited by fork, never pickled


def _call(number: int) -> None:
    _function(number)


def _run_here(function: Callable[[int], None], missing: list[int], workers: int) -> Iterator[int]:
    global _function
    if workers == 1:
        for number in missing:
            function(number)
            yield number
        return
    _function = function
    with multiprocessing.get_context("fork").Pool(min(workers, len(missing)), end_with_parent) as pool:
        for number, result in [(number, pool.apply_async(_call, (number,))) for number in missing]:
            result.get()
            yield number
