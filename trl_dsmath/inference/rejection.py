"""Rejection sampling: a model's own right solutions as a data set for SFT, and problems by pass rate for GRPO."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.benchmarks import Problem
from ..data.columns import find_columns
from ..data.files import read_jsonl
from ..data.journal import Journal
from ..data.prompts import PromptArguments
from ..data.rejection import Candidate, PassRate, keep_ways, pass_rates
from ..errors import ConfigError, DataError
from ..generation import Sampler
from ..grading import Verdict
from ..grading.batch import TIME_LIMIT
from ..paper import EVALUATION
from ..text.steps import split_steps
from .config import EvaluateConfig, Mode
from .run import SAMPLE_KEY, SAMPLES, Task, load_plan, plan, read_samples, run
from .score import grade_samples

if TYPE_CHECKING:
    from datasets import Dataset

SET = "train"  # what the problems of a training set are called where a benchmark has a name


@dataclass
class RFTConfig(PromptArguments):
    """
    Configuration of rejection sampling.

    Args:
        num_samples (`int`, *optional*, defaults to `16`):
            Samples per problem.
        temperature (`float`, *optional*, defaults to `0.7`):
            Their temperature.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that is sampled from.
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample. One that is cut off is not kept.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`, `"tool"` or `"pot"`, as in [`SolveConfig`].
        max_per_problem (`int`, *optional*, defaults to `4`):
            Solutions of one problem that are kept. If `None`, all that differ.
        min_pass_rate (`float`, *optional*, defaults to `0.0`), max_pass_rate (`float`, *optional*, defaults to `1.0`):
            Problems of which a smaller or a larger share of the samples is right are left out.
        instruction, system_prompt, plain_prompts:
            See [`~trl_dsmath.data.prompts.PromptArguments`].
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for judging one answer.
        samples_at_once (`int`, *optional*, defaults to `4096`):
            Samples that the engine is given at a time, as in [`EvaluateConfig`].

    Raises:
        ConfigError: a value that cannot work.

    Source: Yuan et al. 2023 (arXiv 2308.01825); RFT in DeepSeekMath §5.2.1.
    """

    num_samples: int = field(default=16, metadata={"help": "Samples per problem."})
    temperature: float = field(default=EVALUATION.temperature, metadata={"help": "Temperature of the samples."})
    top_p: float = field(default=1.0, metadata={"help": "Share of the probability that is sampled from."})
    max_new_tokens: int = field(default=EVALUATION.max_new_tokens, metadata={"help": "Longest sample."})
    seed: int = field(default=0, metadata={"help": "Seed of all random streams."})
    mode: Mode = field(default="cot", metadata={"help": "Reasoning, with programs, or one program."})
    max_per_problem: int | None = field(default=4, metadata={"help": "Solutions kept of one problem."})
    min_pass_rate: float = field(default=0.0, metadata={"help": "Problems that are solved more rarely are left out."})
    max_pass_rate: float = field(default=1.0, metadata={"help": "Problems that are solved more often are left out."})
    time_limit: float = field(default=TIME_LIMIT, metadata={"help": "Seconds of CPU time for judging one answer."})
    samples_at_once: int = field(default=4096, metadata={"help": "Samples that the engine is given at a time."})

    def __post_init__(self) -> None:
        if self.max_per_problem is not None and self.max_per_problem < 1:
            raise ConfigError(f"max_per_problem must be at least 1, not {self.max_per_problem}.")
        check_rates(self.min_pass_rate, self.max_pass_rate)
        self.evaluation()  # refuses other values that cannot work

    def evaluation(self) -> EvaluateConfig:
        """What is drawn, as an evaluation."""
        names = ("num_samples", "temperature", "top_p", "max_new_tokens", "seed", "mode", "samples_at_once")
        return EvaluateConfig(greedy=False, **{name: getattr(self, name) for name in names}, **self.prompt_options())


class Draw(NamedTuple):
    """A judged sample with its task."""

    task: Task
    row: dict[str, Any]
    right: bool


def check_rates(lowest: float, highest: float) -> None:
    """
    Raises:
        ConfigError: they are no two shares in order.
    """
    if not 0 <= lowest <= highest <= 1:
        raise ConfigError(f"Pass rates are shares from 0 to 1, the lowest first, not {lowest:g} and {highest:g}.")


def training_problems(
    dataset: "Dataset", question_column: str | None = None, gold_column: str | None = None
) -> list[Problem]:
    """
    The problems of a training set, for [`draw_solutions`]: its rows with a question and a right answer, under their numbers.

    Columns that are not named are looked for by the usual names.

    Raises:
        DataError: there is no such column, or no row has both.
    """
    columns = find_columns(dataset.column_names, question_column, gold_column)
    found = ((i, columns.question_of(row), columns.gold_of(row)) for i, row in enumerate(dataset))
    problems = [Problem(SET, i, question, (), gold, "formula") for i, question, gold in found if question and gold]
    if not problems:
        raise DataError(
            "No row has a question and a right answer: name their columns with --question_column, --gold_column."
        )
    return problems


def draw_solutions(
    problems: Sequence[Problem],
    sampler: Sampler,
    folder: str | Path,
    config: RFTConfig,
    identity: str,
    record: Mapping[str, Any] | None = None,
) -> int:
    """
    Draws the solutions that the folder lacks; a run that was stopped goes on, and nothing is drawn twice.

    The folder is an evaluation's, which `dsmath evaluate --rescore` reads too. `problems` are those of
    [`training_problems`], `identity` is that of model and engine ([`~trl_dsmath.generation.SamplerConfig.identity`]), and
    `record` is what else to write to `run.json`.

    Returns:
        `int`: how many samples were drawn.
    """
    tasks = plan(problems, config.evaluation(), identity, sampler)
    return run(tasks, sampler, folder, dict(record or {}), config.samples_at_once)


def read_draws(folder: str | Path, time_limit: float = TIME_LIMIT) -> list[Draw]:
    """
    The sampled solutions in the folder of `dsmath rft` or `dsmath evaluate`, judged.

    A solution is right where its answer is, in the form that the prompt asks for, and where it came to its end.

    Raises:
        ConfigError: there is no run in the folder.
        DataError: it holds no samples but greedy ones.
    """
    tasks, _ = load_plan(folder)
    by_key = {task.key: task for task in tasks if task.decoding != "greedy"}
    rows = [row for row in read_samples(folder) if row["key"] in by_key]
    if not rows:
        raise DataError(f"{folder} holds no samples: draw some with num_samples.")
    rows.sort(key=lambda row: (by_key[row["key"]].problem.benchmark, by_key[row["key"]].problem.index, row["sample"]))
    graded = grade_samples([by_key[row["key"]] for row in rows], rows, time_limit)
    return [
        Draw(by_key[row["key"]], row, row.get("finished", True) and one.verdicts["strict"] is Verdict.CORRECT)
        for row, one in zip(rows, graded, strict=True)
    ]


def score_draws(draws: Sequence[Draw], scorer: Any, folder: str | Path, at_once: int = 64) -> list[float | None]:
    """The lowest step score of each right solution; they are written as they come, and read again by a run that goes on."""
    with Journal(
        Path(folder) / "scores-of-steps.jsonl", SAMPLE_KEY, {"scorer": scorer.name}, holds="scores"
    ) as journal:
        known = {(row["key"], row["sample"]): row["score"] for row in journal.rows()}
        left = [one for one in draws if one.right and (one.row["key"], one.row["sample"]) not in known]
        for start in range(0, len(left), at_once):
            part = left[start : start + at_once]
            steps = [split_steps(one.row["completion"]) for one in part]
            scores = scorer([one.task.prompt for one in part], steps=steps)
            new = [
                {"key": one.row["key"], "sample": one.row["sample"], "score": min(row, default=0.0)}
                for one, row in zip(part, scores, strict=True)
            ]
            journal.append(new)
            known |= {(row["key"], row["sample"]): row["score"] for row in new}
    return [known.get((one.row["key"], one.row["sample"])) for one in draws]


def rates_of(draws: Sequence[Draw]) -> dict[Any, PassRate]:
    """Pass rate of each problem."""
    return pass_rates(Candidate(problem_key(one.task), "", one.right) for one in draws)


def problem_key(task: Task) -> tuple[str, int]:
    return task.problem.benchmark, task.problem.index


def solution_rows(
    draws: Sequence[Draw], config: RFTConfig, model: str, scores: Sequence[float | None] | None = None
) -> list[dict[str, Any]]:
    """
    The data set for SFT, in the order of the problems: `prompt`, `completion`, and where they are from (`question`, `gold`,
    `problem`, `sample`, `pass_rate`, `model`, `score`).

    `config` says which are kept, `model` who drew them; without scores the first of equal ways are kept.
    """
    rates = rates_of(draws)
    candidates = [
        Candidate(
            problem_key(one.task),
            one.row["completion"],
            one.right and config.min_pass_rate <= rates[problem_key(one.task)].share <= config.max_pass_rate,
            scores[i] if scores is not None else None,
        )
        for i, one in enumerate(draws)
    ]
    rows = []
    for i in keep_ways(candidates, config.max_per_problem):
        task, row, _ = draws[i]
        rows.append(
            {
                "prompt": task.prompt,
                "completion": completion_of(draws[i]),
                "question": task.problem.question,
                "gold": task.problem.gold,
                "problem": task.problem.index,
                "sample": row["sample"],
                "pass_rate": rates[problem_key(task)].share,
                "model": model,
                **({"score": scores[i]} if scores is not None else {}),
            }
        )
    return rows


def preference_rows(draws: Sequence[Draw], most: int | None = 4) -> list[dict[str, Any]]:
    """
    Pairs for TRL's [`~trl.DPOTrainer`]: `prompt`, `chosen` (a right solution), `rejected` (one that came to its end and is wrong).

    At most `most` of a problem; each solution is in one pair, each way of solving once.
    """
    sides: dict[bool, dict[Any, list[Draw]]] = {True: {}, False: {}}
    for right, side in sides.items():
        wanted = (one.right is right and (right or one.row.get("finished", True)) for one in draws)
        candidates = [
            Candidate(problem_key(one.task), one.row["completion"], want)
            for one, want in zip(draws, wanted, strict=True)
        ]
        for i in keep_ways(candidates, most):
            side.setdefault(problem_key(draws[i].task), []).append(draws[i])
    return [
        {"prompt": right.task.prompt, "chosen": completion_of(right), "rejected": completion_of(wrong)}
        for key, chosen in sides[True].items()
        for right, wrong in zip(chosen, sides[False].get(key, []), strict=False)
    ]


def completion_of(draw: Draw) -> str | list[dict[str, str]]:
    """A solution in the form of its prompt: text after text, a message after messages."""
    text = draw.task.opening + draw.row["completion"]
    return text if isinstance(draw.task.prompt, str) else [{"role": "assistant", "content": text.strip()}]


def rated_problems(path: str | Path) -> list[dict[str, Any]]:
    """
    Problems with their pass rates, out of samples that were drawn for something else: a data set for GRPO.

    `path` is the folder of `dsmath rft`, of `dsmath evaluate` with `num_samples`, or of `dsmath annotate` (or its
    train.jsonl).

    Returns:
        `list[dict]`: `prompt`, `solution`, `pass_rate` (0 to 1), `samples` (how many were drawn).

    Raises:
        ConfigError: the folder holds none of these.
        DataError: a file is broken, or holds greedy samples only.
    """
    path = Path(path)
    if path.is_file() or not (path / SAMPLES).exists():
        file = path if path.is_file() else path / "train.jsonl"
        if not file.exists():
            raise ConfigError(
                f"{path} holds no samples of rft or evaluate ({SAMPLES}) and no labels of annotate (train.jsonl)."
            )
        rows, broken = read_jsonl(file)
        if broken or not all(row.get("labels") and {"prompt", "gold", "problem_id"} <= set(row) for row in rows):
            raise DataError(f"{file} is no whole file of dsmath annotate.")
        asked = {row["problem_id"]: (row["prompt"], row["gold"]) for row in rows}
        # The last step's label is whether the answer is right, in all modes of annotation.
        rates = pass_rates(
            Candidate(row["problem_id"], "", bool(row.get("finished", True) and row["labels"][-1] >= 0.5))
            for row in rows
        )
    else:
        draws = read_draws(path)
        asked = {problem_key(one.task): (one.task.prompt, one.task.problem.gold) for one in draws}
        rates = rates_of(draws)
    return [
        {"prompt": asked[key][0], "solution": asked[key][1], "pass_rate": rate.share, "samples": rate.drawn}
        for key, rate in rates.items()
    ]


def histogram(rates: Iterable[float], lowest: float, highest: float) -> str:
    """Pass rates as a table of bars: none right, the tenths between, all right; what is kept where that is not all."""
    found = list(rates)
    counts: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    for rate in found:
        place = 0 if rate == 0 else 11 if rate == 1 else 1 + int(10 * rate)
        counts[place] += 1
        kept[place] += lowest <= rate <= highest
    names = ["none", *(f"{10 * i:>2}-{10 * i + 10} %" for i in range(10)), "all"]
    top = max(counts.values(), default=1)
    lines = [
        f"{names[place]:>9}  {counts[place]:>7,}  {'█' * round(40 * counts[place] / top)}"
        f"{f'  {kept[place]:,} kept' if kept[place] != counts[place] else ''}".rstrip()
        for place in range(12)
        if counts[place]
    ]
    return "\n".join(lines)
