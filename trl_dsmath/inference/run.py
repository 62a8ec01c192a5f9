"""Draws what an evaluation still lacks, sample by sample into a journal."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..data.benchmarks import Problem, choose
from ..data.journal import Journal, read_journal, write_whole
from ..errors import ConfigError
from ..generation import Decoding, Prompt, Sampler
from .evaluation_programs import last_printed, with_output
from .evaluation_prompts import ask
from .evaluation_settings import Settings
from .extraction import Form

PLAN = "problems.jsonl"
RUN = "run.json"
SAMPLES = "samples.jsonl"
SAMPLE_KEY = ("key", "sample")


@dataclass(frozen=True)
class Task:
    """One problem under one decoding.

    Attributes:
        key (`str`):
            Digest of everything that its samples depend on: model, prompt, decoding and mode.
        way (`str`):
            `"greedy"`, `"sampled"`, or `"recorded"` for completions from a file.
        problem ([`Problem`]):
            The problem.
        mode (`str`):
            `"cot"`, `"tool"` or `"pot"`.
        form (`str`):
            Where the prompt asks for the answer.
        prompt (`str` or `list[dict]`):
            What the model reads.
        decoding ([`Decoding`]):
            How its samples are drawn.
        samples (`int`):
            How many.
        too_long (`bool`):
            Whether prompt and longest sample exceed what the model can read. Such a problem is not sampled and counts as
            wrong.
    """

    key: str
    way: str
    problem: Problem
    mode: str
    form: Form
    prompt: Prompt
    decoding: Decoding
    samples: int
    too_long: bool = False


def plan(
    problems: Sequence[Problem],
    settings: Settings,
    model: str,
    encode: Callable[[Prompt], list[int]] | None = None,
    context: int | None = None,
) -> list[Task]:
    """
    The tasks of an evaluation.

    Args:
        problems (`Sequence[Problem]`):
            Problems of all benchmarks; `settings.limit` is applied to each benchmark.
        settings ([`Settings`]):
            What is asked, and how samples are drawn.
        model (`str`):
            Identity of model and engine: two models need two.
        encode (`Callable`, *optional*):
            Token ids of a prompt, to find the ones that are too long.
        context (`int`, *optional*):
            Tokens that the model can read. If `None`, no prompt is too long.

    Returns:
        `list[Task]`: by decoding, then in the order of the problems.

    Raises:
        ConfigError: the mode does not exist for a benchmark.
    """
    chosen = [
        problem
        for name in dict.fromkeys(problem.benchmark for problem in problems)
        for problem in choose([other for other in problems if other.benchmark == name], settings.limit)
    ]
    asked = [ask(problem, settings.mode, settings.few_shot, settings.plain_prompts) for problem in chosen]
    too_long = [
        encode is not None and context is not None and len(encode(one.prompt)) + settings.max_new_tokens > context
        for one in asked
    ]
    tasks = []
    for way in settings.decodings():
        for problem, one, long in zip(chosen, asked, too_long, strict=True):
            decoding, samples = settings.decodings(one.stop)[way]
            parts = [model, settings.mode, problem.benchmark, problem.index, one.prompt, asdict(decoding)]
            text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
            key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
            task = Task(key, way, problem, settings.mode, one.form, one.prompt, decoding, samples, long)
            tasks.append(task)
    return tasks


def run(
    tasks: Sequence[Task],
    sampler: Sampler,
    folder: str | Path,
    record: dict[str, Any] | None = None,
    samples_at_once: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """
    Draws the samples that are not in the folder yet.

    Writes `run.json` (settings, versions), `problems.jsonl` (prompts and golds) and, as it goes, `samples.jsonl`. A run that
    was killed goes on where it stopped; one with more samples or problems draws only the new ones.

    Args:
        tasks (`Sequence[Task]`):
            What to draw; see [`plan`].
        sampler ([`~trl_dsmath.generation.Sampler`]):
            The engine. For the mode `"tool"` a `ToolSampler`.
        folder (`str` or `Path`):
            Folder of the run.
        record (`dict`, *optional*):
            What else to write to `run.json`: settings, model.
        samples_at_once (`int`, *optional*, defaults to `64`):
            Samples drawn between two writes. More are faster where memory allows, and more are lost in a kill.
        progress (`Callable`, *optional*):
            Called with the number of samples that are there and of all.

    Returns:
        `int`: how many samples were drawn.

    Raises:
        ConfigError: the folder cannot be written to, or another process does.
    """
    if samples_at_once < 1:
        raise ConfigError(f"samples_at_once must be at least 1, not {samples_at_once}.")
    folder = Path(folder)
    journal = Journal(folder / SAMPLES, SAMPLE_KEY)
    try:
        save_plan(tasks, folder, {**(record or {}), "engine": sampler.name})
        total = sum(task.samples for task in tasks if not task.too_long)
        missing = list(_missing(tasks, journal.done, samples_at_once))
        drawn, there = 0, total - sum(count for _, _, count in missing)
        for batch in _batches(missing, samples_at_once):
            count = batch[0][2]
            prompts = [task.prompt for task, _, _ in batch]
            found = sampler.sample(prompts, batch[0][0].decoding, n=count, first=[first for _, first, _ in batch])
            texts = [sample.text for samples in found for sample in samples]
            if batch[0][0].form == "program":
                texts = with_output(texts, few_shot=str(prompts[0]).endswith("```python\n"))
            flat = [(task, first + i) for task, first, _ in batch for i in range(count)]
            samples = [sample for group in found for sample in group]
            journal.append(
                {
                    "key": task.key,
                    "benchmark": task.problem.benchmark,
                    "problem": task.problem.index,
                    "sample": number,
                    "completion": text,
                    "finished": sample.finished,
                    "tokens": len(sample.ids),
                    **({"printed": last_printed(sample)} if sample.programs else {}),
                }
                for (task, number), sample, text in zip(flat, samples, texts, strict=True)
            )
            drawn += len(flat)
            if progress is not None:
                progress(there + drawn, total)
    finally:
        journal.close()
    return drawn


def _missing(tasks: Sequence[Task], done: set[tuple[str, int]], at_once: int) -> Iterator[tuple[Task, int, int]]:
    """Runs of samples that are not there: task, number of the first, how many."""
    for task in tasks:
        wanted = [] if task.too_long else [i for i in range(task.samples) if (task.key, i) not in done]
        while wanted:
            count = next((n for n, i in enumerate(wanted) if i != wanted[0] + n or n == at_once), len(wanted))
            yield task, wanted[0], count
            wanted = wanted[count:]


def _batches(missing: list[tuple[Task, int, int]], at_once: int) -> Iterator[list[tuple[Task, int, int]]]:
    """Neighbours that one call of the sampler can draw: same decoding, same number of samples."""
    batch: list[tuple[Task, int, int]] = []
    for item in missing:
        if batch and (
            item[0].decoding != batch[0][0].decoding or item[2] != batch[0][2] or (len(batch) + 1) * item[2] > at_once
        ):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def save_plan(tasks: Sequence[Task], folder: Path, record: dict[str, Any]) -> None:
    """Writes `run.json` and `problems.jsonl`: with them the samples can be judged again without model and benchmarks."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PLAN, "".join(json.dumps(asdict(task), ensure_ascii=False) + "\n" for task in tasks))
    write_whole(
        folder / RUN, json.dumps({**record, "versions": versions()}, ensure_ascii=False, indent=2, default=str) + "\n"
    )


def load_plan(folder: str | Path) -> tuple[list[Task], dict[str, Any]]:
    """What [`save_plan`] wrote.

    Raises:
        ConfigError: there is no evaluation in the folder.
    """
    folder = Path(folder)
    try:
        rows = [json.loads(line) for line in (folder / PLAN).read_text("utf-8", "surrogatepass").split("\n") if line]
        record = json.loads((folder / RUN).read_text("utf-8", "surrogatepass"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no evaluation ({PLAN} and {RUN}): {error}") from error
    tasks = []
    for row in rows:
        problem = {**row["problem"], "options": tuple(row["problem"]["options"])}
        decoding = {**row["decoding"], "stop": tuple(row["decoding"]["stop"])}
        tasks.append(Task(**{**row, "problem": Problem(**problem), "decoding": Decoding(**decoding)}))
    return tasks, record


def read_samples(folder: str | Path) -> list[dict[str, Any]]:
    """The samples in the folder of a run; empty without any."""
    return list(read_journal(Path(folder) / SAMPLES, SAMPLE_KEY))


def versions() -> dict[str, str]:
    """Versions of what a figure can depend on."""
    found = {"python": platform.python_version(), "trl-dsmath": __version__}
    for name in ("trl", "transformers", "torch", "vllm", "peft", "bitsandbytes", "math-verify"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
