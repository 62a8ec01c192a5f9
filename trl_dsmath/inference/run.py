"""The tasks of an evaluation, and their samples in a journal: what is missing is drawn."""

import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..data.benchmarks import BENCHMARKS, Problem, choose, find, load_benchmark
from ..data.few_shot import EXAMPLES
from ..data.journal import Journal, read_journal, write_rows, write_whole
from ..data.prompts import BuiltPrompt, Form, PromptText, build_prompt
from ..errors import ConfigError
from ..generation import Decoding, Sampler
from .config import EvaluateConfig
from .draw import Completion, draw, tokens_on

PLAN = "problems.jsonl"
RUN = "run.json"
SAMPLES = "samples.jsonl"
SAMPLE_KEY = ("key", "sample")


@dataclass(frozen=True)
class Task:
    """One problem with one decoding."""

    key: str  # digest of everything that its samples depend on: model, prompt, decoding and mode
    decoding: str  # "greedy", "sampled", or "recorded" for completions from a file
    problem: Problem
    mode: str  # "cot", "tool" or "pot"
    form: Form  # where the prompt asks for the answer
    prompt: PromptText
    sampling: Decoding
    samples: int
    too_long: bool = False  # more than the model can read, samples included: not sampled, and wrong
    opening: str = ""  # what the prompt has begun of the solution: the fence of a program after examples

    @property
    def built(self) -> BuiltPrompt:
        """The prompt with what belongs to it."""
        return BuiltPrompt(self.prompt, self.sampling.stop, self.form, self.opening)


def load_problems(config: EvaluateConfig) -> list[Problem]:
    """The problems of the benchmarks that a configuration names.

    Raises:
        ConfigError: it names none.
        DataError: a test set is not there or cannot be read.
    """
    if not config.benchmarks:
        raise ConfigError(f"Which benchmarks? Set benchmarks: {','.join(BENCHMARKS)}, or all.")
    return [problem for name in config.benchmarks for problem in load_benchmark(name, config.benchmarks_dir)]


def plan(
    problems: Sequence[Problem], config: EvaluateConfig, identity: str, sampler: Sampler | None = None
) -> list[Task]:
    """
    The tasks of an evaluation.

    Args:
        problems (`Sequence[Problem]`):
            Problems of all benchmarks; `config.limit` is applied to each benchmark.
        config ([`EvaluateConfig`]):
            What is asked, and how samples are drawn.
        identity (`str`):
            Identity of model and engine ([`~trl_dsmath.generation.SamplerConfig.identity`]): two models need two.
        sampler ([`~trl_dsmath.generation.Sampler`], *optional*):
            The engine, to find prompts that are too long for it. If `None`, none is.

    Returns:
        `list[Task]`: by decoding, then in the order of the problems.

    Raises:
        ConfigError: the mode does not exist for a benchmark.
    """
    chosen = [
        problem
        for name in dict.fromkeys(problem.benchmark for problem in problems)
        for problem in choose([other for other in problems if other.benchmark == name], config.limit)
    ]
    asked = [_ask(problem, config) for problem in chosen]
    context = sampler.context_length if sampler is not None else None
    too_long = [
        sampler is not None
        and context is not None
        and len(sampler.encode_prompt(one.prompt)) + config.max_new_tokens > context
        for one in asked
    ]
    tasks = []
    for name in config.decodings():
        for problem, one, long in zip(chosen, asked, too_long, strict=True):
            sampling, samples = config.decodings(one.stop)[name]
            parts = [identity, config.mode, problem.benchmark, problem.index, one.prompt, asdict(sampling)]
            text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
            key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
            prompt = (one.form, one.prompt, sampling, samples, long, one.opening)
            tasks.append(Task(key, name, problem, config.mode, *prompt))
    return tasks


def _ask(problem: Problem, config: EvaluateConfig) -> BuiltPrompt:
    examples = EXAMPLES[find(problem.benchmark).examples] if config.few_shot else ()
    return build_prompt(problem.question, config.mode, examples, **config.prompt_options())


def run(
    tasks: Sequence[Task],
    sampler: Sampler,
    folder: str | Path,
    record: dict[str, Any] | None = None,
    samples_at_once: int = 4096,
    progress: bool = True,
) -> int:
    """
    Draws the samples that are not in the folder yet.

    Writes `run.json` (settings, versions), `problems.jsonl` (prompts and golds) and, as it goes, `samples.jsonl`. A run that
    was killed continues where it stopped; one with more samples or problems draws only the new ones.

    Args:
        tasks (`Sequence[Task]`):
            What to draw; see [`plan`].
        sampler ([`~trl_dsmath.generation.Sampler`]):
            The engine. For the mode `"tool"` a `ToolSampler`.
        folder (`str` or `Path`):
            Folder of the run.
        record (`dict`, *optional*):
            What else to write to `run.json`: settings, model.
        samples_at_once (`int`, *optional*, defaults to `4096`):
            Samples that the engine is given at a time; it puts prompts of like length together. Each is written when it is
            finished (with vLLM in this process: when all are).
        progress (`bool`, *optional*, defaults to `True`):
            Whether to show a bar on a terminal.

    Returns:
        `int`: how many samples were drawn.

    Raises:
        ConfigError: the folder cannot be written to, or another process does.
    """
    if samples_at_once < 1:
        raise ConfigError(f"samples_at_once must be at least 1, not {samples_at_once}.")
    from tqdm.auto import tqdm

    folder = Path(folder)
    hidden = not (progress and sys.stderr.isatty())
    with (
        Journal(folder / SAMPLES, SAMPLE_KEY) as journal,
        tqdm(desc="evaluate", unit="sample", disable=hidden, leave=False) as bar,
    ):
        save_plan(tasks, folder, {**(record or {}), "engine": sampler.name})
        total = sum(task.samples for task in tasks if not task.too_long)
        missing = list(_missing(tasks, journal.done, samples_at_once))
        drawn, show_tokens = 0, tokens_on(bar)
        bar.total = total
        bar.update(total - sum(count for _, _, count in missing))
        for batch in _batches(missing, samples_at_once):
            count = batch[0][2]
            firsts = [first for _, first, _ in batch]

            def keep(place: int, number: int, one: Completion, batch: list = batch, firsts: list = firsts) -> None:
                journal.append([sample_row(batch[place][0], firsts[place] + number, one)])
                bar.update()

            prompts = [task.built for task, _, _ in batch]
            draw(sampler, prompts, batch[0][0].sampling, count, firsts, keep, show_tokens)
            drawn += count * len(batch)
    return drawn


def sample_row(task: Task, number: int, one: Completion) -> dict[str, Any]:
    """A line of `samples.jsonl`."""
    return {
        "key": task.key,
        "benchmark": task.problem.benchmark,
        "problem": task.problem.index,
        "sample": number,
        "completion": one.with_output if task.form == "program" else one.text,
        "finished": one.finished,
        "tokens": one.tokens,
        **({"printed": one.program.answer} if task.mode == "tool" and one.program else {}),
    }


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
            item[0].sampling != batch[0][0].sampling or item[2] != batch[0][2] or (len(batch) + 1) * item[2] > at_once
        ):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def save_plan(tasks: Sequence[Task], folder: Path, record: dict[str, Any]) -> None:
    """Writes `run.json` and `problems.jsonl`: with them the samples can be judged again without model and benchmarks."""
    write_rows(folder / PLAN, map(asdict, tasks))
    whole = {**record, "versions": versions()}
    write_whole(folder / RUN, json.dumps(whole, ensure_ascii=False, indent=2, default=str) + "\n")


def load_plan(folder: str | Path) -> tuple[list[Task], dict[str, Any]]:
    """What [`save_plan`] wrote.

    Raises:
        ConfigError: there is no evaluation in the folder.
    """
    folder = Path(folder)
    try:
        record = json.loads((folder / RUN).read_text("utf-8", "surrogatepass"))
        tasks = []
        for line in filter(None, (folder / PLAN).read_text("utf-8", "surrogatepass").split("\n")):
            row = json.loads(line)
            problem = {**row["problem"], "options": tuple(row["problem"]["options"])}
            sampling = {**row["sampling"], "stop": tuple(row["sampling"]["stop"])}
            tasks.append(Task(**{**row, "problem": Problem(**problem), "sampling": Decoding(**sampling)}))
    except (OSError, ValueError, KeyError, TypeError) as error:  # also one of another release
        raise ConfigError(f"{folder} holds no evaluation ({PLAN} and {RUN}): {error}") from error
    return tasks, record


def read_samples(folder: str | Path) -> list[dict[str, Any]]:
    """The samples in the folder of a run; empty without any."""
    return list(read_journal(Path(folder) / SAMPLES, SAMPLE_KEY))


def versions() -> dict[str, str]:
    """Versions of what a metric can depend on."""
    found = {"python": platform.python_version(), "trl-dsmath": __version__}
    for name in ("trl", "transformers", "torch", "vllm", "peft", "bitsandbytes", "math-verify"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
