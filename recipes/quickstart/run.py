"""The run that all stages are part of: its settings, its folder, what is finished, and what can run here."""

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from platform import python_version
from typing import Any, NamedTuple

from progress import Progress, in_words
from task import Problem, make_problems

import trl_dsmath
from trl_dsmath.data.journal import differing, write_whole
from trl_dsmath.errors import ConfigError, DataError, DsMathError


class Cost(NamedTuple):
    """What a stage reads from, and its seconds where it was measured: to start, and per unit of a setting."""

    needs: tuple[str, ...]
    start: float
    unit: float
    setting: str


COSTS = {
    "corpus": Cost((), 1.0, 0.002, "pages"),
    "pretrain": Cost(("corpus",), 3.0, 0.034, "pretrain_steps"),
    "sft": Cost(("pretrain",), 2.0, 0.042, "sft_steps"),
    "annotate": Cost(("sft",), 1.0, 0.025, "annotate_problems"),
    "prm": Cost(("annotate",), 2.0, 0.035, "prm_steps"),
    "grpo": Cost(("sft",), 2.0, 0.35, "grpo_steps"),
    "step_grpo": Cost(("prm",), 2.0, 0.40, "grpo_steps"),
    "solve": Cost(("grpo", "step_grpo"), 1.0, 0.09, "vote_problems"),
    "quantize": Cost(("step_grpo",), 1.0, 0.007, "problems"),
}
STAGES = tuple(COSTS)
POLICIES = ("pretrain", "sft", "grpo", "step_grpo")  # the stages that leave a model which answers
# Stages that need what an installation may lack: the module, and the extra that brings it.
OPTIONAL = {"corpus": ("fasttext", "corpus"), "quantize": ("bitsandbytes", "quantization")}
PACKAGES = ("trl", "transformers", "torch", "datasets", "tokenizers", "fasttext-numpy2", "bitsandbytes")


def _setting(default: int, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """Everything that the metrics depend on. A folder belongs to one choice of them."""

    seed: int = _setting(0, "Seed of everything.")
    pages: int = _setting(1000, "Pages of the made-up crawl.")
    pretrain_steps: int = _setting(500, "Updates in pretrain.")
    sft_steps: int = _setting(200, "Updates in sft.")
    annotate_problems: int = _setting(150, "Problems whose solutions are labelled.")
    prm_steps: int = _setting(100, "Updates in prm.")
    grpo_steps: int = _setting(40, "Updates in grpo, and in step_grpo.")
    problems: int = _setting(500, "Held-out problems.")
    vote_problems: int = _setting(150, "Held-out problems to vote on.")
    use_cpu: bool = field(
        default=True, metadata={"help": "Stay on the CPU where there is a GPU: as fast at this size."}
    )

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            lowest = {"seed": 0, "pages": 100, "use_cpu": 0}.get(name, 1)
            if value < lowest:
                raise ConfigError(f"--{name} must be at least {lowest}, not {value}.")
        if self.vote_problems > self.problems:
            raise ConfigError(
                f"--vote_problems ({self.vote_problems}) are the first of the held-out --problems ({self.problems}): ask "
                "for fewer."
            )


class Result(NamedTuple):
    """What a stage hands back: what it worked on, its result in a line, and its metrics for the report."""

    data: str
    line: str
    metrics: dict[str, Any]


class Run:
    """A run and its folder, with one folder per stage. A folder that holds anything else, or a run with other settings,
    is refused."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings
        self.progress = Progress({}, {})
        self.carried = {"wall": 0.0, "cpu": 0.0}  # seconds of an earlier process that was stopped in the present stage
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path} is a file. Name a folder with --output_dir.")
        path.mkdir(parents=True, exist_ok=True)
        kept = path / "settings.json"
        if kept.exists():
            if other := differing(_read_json(kept), asdict(settings)):
                raise ConfigError(
                    f"{path} holds a run with other settings: {other}. Give this one its own folder (--output_dir ...) or "
                    f"delete that one (rm -r {path})."
                )
        elif any(entry.name != "settings.json.part" for entry in path.iterdir()):
            raise ConfigError(f"{path} is not empty and holds no quickstart. Name a new folder with --output_dir.")
        else:
            write_whole(kept, json.dumps(asdict(settings), indent=1))

    @property
    def device(self) -> str:
        """Where models are put."""
        return "cpu" if self.settings.use_cpu else "cuda"

    @cached_property
    def held_out(self) -> list[Problem]:
        """The problems that no stage trains on."""
        return make_problems(self.settings.problems, self.settings.seed, "held-out")

    def folder(self, stage: str) -> Path:
        """The folder of a stage: checkpoints, the model, held-out answers."""
        folder = self.path / stage
        folder.mkdir(exist_ok=True)
        return folder

    def model(self, stage: str) -> str:
        """The whole path of a stage's model, which labels record, however the folder was named."""
        return str((self.path / stage).resolve() / "model")

    def result(self, stage: str) -> dict[str, Any] | None:
        """Result of a stage, or `None` while it is not finished."""
        marker = self.path / stage / "result.json"
        return _read_json(marker) if marker.exists() else None

    def stages(self, stages: list[str], work: dict[str, Callable[["Run"], Result]]) -> None:
        """Runs those of the stages that are not finished and can run here."""
        to_do = [stage for stage in stages if self.result(stage) is None and left_out(stage) is None]
        for stage in to_do:
            before = needed(stage)
            missing = [n for n in before if n not in to_do and self.result(n) is None and left_out(n) is None]
            if missing:
                wanted = ",".join([*before, stage])
                raise ConfigError(f"{stage} starts from what {missing[-1]} leaves: run --stages {wanted}.")
        plan = {stage: (COSTS[stage].start, COSTS[stage].unit * self._size(stage)) for stage in to_do}
        self.progress = Progress(plan, {stage: number for number, stage in enumerate(stages, start=1)})
        seed = self.settings.seed
        print(f"DeepSeekMath's stages on a toy task, from random weights, seed {seed}. Folder: {self.path}")
        if to_do:
            print(f"About {in_words(sum(map(sum, plan.values())))} on an idle core.", flush=True)
        for stage in stages:
            if kept := self.result(stage):
                self.progress.note(stage, f"{kept['line']}  (finished before)")
            elif reason := left_out(stage):
                self.progress.note(stage, reason)
            else:
                self._stage(stage, work[stage])

    def _size(self, stage: str) -> int:
        return getattr(self.settings, COSTS[stage].setting)

    def _stage(self, stage: str, work: Callable[["Run"], Result]) -> None:
        saved = [int(path.name.split("-")[1]) for path in self.folder(stage).glob("checkpoint-*")]
        self.progress.start(stage, max(saved, default=0) / self._size(stage))
        self.carried, began = {"wall": 0.0, "cpu": 0.0}, seconds()
        done = work(self)
        spent = {kind: self.carried[kind] + now - began[kind] for kind, now in seconds().items()}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        result = {"stage": stage, "data": done.data, "line": done.line, **done.metrics}
        result |= {"seconds": spent, "peak_mb": peak, "versions": _versions()}
        write_whole(
            self.folder(stage) / "result.json", json.dumps(result, indent=1)
        )  # last: it marks the stage as done
        for checkpoint in self.folder(stage).glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
        self.progress.finish(done.line)


def needed(stage: str) -> list[str]:
    """All stages that one reads from, directly or not, in order."""
    found = {before for need in COSTS[stage].needs for before in [need, *needed(need)]}
    return [name for name in STAGES if name in found]


def left_out(stage: str) -> str | None:
    """Why a stage cannot run here, with the fix; `None` when it can."""
    module, extra = OPTIONAL.get(stage, ("", ""))
    if not module or find_spec(module) is not None:
        return None
    return f"left out: {module} is not installed (pip install 'trl-dsmath[{extra}]')"


def seconds() -> dict[str, float]:
    """Time on the wall clock, and processor time of this process, its threads, and the children that have ended."""
    return {"wall": time.monotonic(), "cpu": sum(os.times()[:4])}


@contextmanager
def disk_trouble(folder: Path) -> Iterator[None]:
    """Turns the error of a full or read-only disk into a `DataError` of one line."""
    try:
        yield
    except DsMathError:
        raise
    except Exception as error:  # not only OSError: torch and safetensors have their own classes for a full disk
        existing = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
        if shutil.disk_usage(existing).free < 2 * 2**20:
            message = (
                f"the disk of {existing} is full ({error}). Make space (a run needs some 5 MB) and give the same command "
                "again: it resumes where it was."
            )
        elif isinstance(error, OSError) and error.filename and str(folder) in str(error.filename):
            message = f"cannot write {error.filename} ({error.strerror}). Name another folder with --output_dir."
        else:
            raise
        print()  # ends the line of progress
        raise DataError(message) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} cannot be read ({error}). Delete the folder and start again.") from error


def _versions() -> dict[str, str]:
    found = {"trl-dsmath": trl_dsmath.__version__, "python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
