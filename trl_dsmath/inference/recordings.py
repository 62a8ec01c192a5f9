"""Completions that somebody recorded, in the forms in which evaluations are published, as tasks and samples."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.benchmarks import Problem
from ..data.columns import COMPLETION_COLUMNS, GOLD_COLUMNS, columns_of, first_filled
from ..data.files import read_jsonl
from ..data.journal import write_rows
from ..data.prompts import Form
from ..errors import DataError
from ..generation import Decoding
from ..grading import Verdict
from ..grading.batch import judge
from .recorded_rows import Finder, labels_of, own_problem, question_of, texts_of
from .run import SAMPLES, Task, save_plan
from .score import Graded


@dataclass
class Recordings:
    """A file of completions."""

    tasks: list[Task]  # one per problem
    samples: list[dict[str, Any]]  # as lines of `samples.jsonl`; `label` where the file has one
    remarks: list[str]  # what a reader should know about how the file was read

    def save(self, folder: str | Path, record: dict[str, Any]) -> Path:
        """Writes them into a folder, as if they had been drawn there; `record` goes into `run.json`."""
        save_plan(self.tasks, Path(folder), record)
        write_rows(Path(folder) / SAMPLES, self.samples)
        return Path(folder)


def load_recordings(
    path: str | Path,
    problems: Sequence[Problem] = (),
    form: Form = "box",
    mode: str = "cot",
    completion_column: str | None = None,
    gold_column: str | None = None,
) -> Recordings:
    """
    Reads a file of recorded completions.

    Args:
        path (`str` or `Path`):
            JSON lines (or an array): a question or a number of the problem, one completion or a list, and the gold unless
            `problems` has it. Rows of the same problem are put together. Several usual names of columns are known.
        problems (`Sequence[Problem]`, *optional*):
            The benchmarks that the rows belong to. Rows are found by their question, or else by their number, and the
            benchmark's golds are used. A row may say in `benchmark` which one it means.
        form (`str`, *optional*, defaults to `"box"`):
            Where the prompt asked for the answer, for the strict filter.
        mode (`str`, *optional*, defaults to `"cot"`):
            What the completions are: `"cot"`, `"tool"` or `"pot"`.
        completion_column (`str`, *optional*), gold_column (`str`, *optional*):
            Columns of completion and gold. If `None`, they are looked for by the usual names.

    Returns:
        [`Recordings`]

    Raises:
        DataError: a row has no completion, no gold, or is of no problem of the benchmark.
    """
    path = Path(path)
    rows, broken = read_jsonl(path)
    if broken:
        raise DataError(
            f"{path}: line {broken[0]} is not a JSON object; an accuracy over the rest would be of another set."
        )
    filters = list(dict.fromkeys(row["filter"] for row in rows if isinstance(row.get("filter"), str)))
    if len(filters) > 1:  # lm-eval writes a document once for each of its filters
        rows = [row for row in rows if row.get("filter") == filters[0]]
    rows = [{**(row["doc"] if isinstance(row.get("doc"), dict) else {}), **row} for row in rows]
    finder = Finder(problems)
    # A question that occurs twice among single ones is two problems; among groups, it is one with more samples.
    asked = Counter(question_of(row) for row in rows)
    single = not problems and Counter(asked.values()).most_common(1)[0][0] == 1
    tasks: dict[str, Task] = {}
    samples, other_golds = [], []
    for number, row in enumerate(rows):
        where = f"{path}, row {number}"
        texts = texts_of(row.get(completion_column) if completion_column else first_filled(row, COMPLETION_COLUMNS))
        if texts is None:
            tried = completion_column or f"{', '.join(COMPLETION_COLUMNS)} (completion_column names another)"
            raise DataError(f"{where}: no completion. Looked for {tried} in {', '.join(row)}.")
        if gold_column:
            if gold_column not in row:
                raise DataError(f"{where}: no column {gold_column!r}. The columns are: {', '.join(row)}.")
            row = {**{name: cell for name, cell in row.items() if name not in GOLD_COLUMNS}, "gold": row[gold_column]}
        elif completion_column:
            row = {name: cell for name, cell in row.items() if name != completion_column}
        problem = finder.find(row, where) if problems else own_problem(row, path.stem, where)
        if problems and (own := columns_of(row).gold_of(row)):
            other_golds.append((own, problem))
        name = f"{problem.benchmark}/{number if single else problem.index}/{problem.question}"
        key = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        known = tasks.get(key)
        if known is None:
            index = problem.index if problems else len(tasks)
            problem = replace(problem, index=index)
            known = Task(key, "recorded", problem, mode, form, problem.question, Decoding(), 0)
        tasks[key] = replace(known, samples=known.samples + len(texts))
        labels = labels_of(row, len(texts))
        samples += [
            {
                "key": key,
                "benchmark": known.problem.benchmark,
                "problem": known.problem.index,
                "sample": known.samples + i,
                "completion": text,
                **({"label": labels[i]} if labels else {}),
            }
            for i, text in enumerate(texts)
        ]
    remarks = _remarks(tasks, other_golds)
    if len(filters) > 1:
        remarks.append(
            f"Each document is there once for each filter ({', '.join(filters)}); the rows of {filters[0]} are read."
        )
    return Recordings(list(tasks.values()), samples, remarks)


def _remarks(tasks: Mapping[str, Task], other_golds: list[tuple[str, Problem]]) -> list[str]:
    remarks = []
    verdicts = judge([gold for gold, _ in other_golds], [problem.gold for _, problem in other_golds])
    differ = [
        problem.index
        for (_, problem), verdict in zip(other_golds, verdicts, strict=True)
        if verdict is not Verdict.CORRECT
    ]
    if differ:
        remarks.append(
            f"{len(differ)} rows have another gold than the benchmark (problem {', '.join(map(str, differ[:5]))}); the "
            "benchmark's is used."
        )
    counts = sorted({task.samples for task in tasks.values()})
    if len(counts) > 1:
        remarks.append(
            f"The problems have {counts[0]} to {counts[-1]} completions; maj@k and pass@k are given up to k = {counts[0]}."
        )
    return remarks


def write_agreement(
    folder: str | Path, samples: Sequence[dict[str, Any]], graded: Sequence[Graded], tasks: Sequence[Task]
) -> tuple[int, int] | None:
    """
    Compares verdicts on the flexible answer with the labels of recorded completions, and writes `disagreements.jsonl`.

    Args:
        folder (`str` or `Path`):
            Folder of the evaluation.
        samples (`Sequence[dict]`):
            Samples, some with `label`.
        graded (`Sequence[Graded]`):
            The same samples, judged.
        tasks (`Sequence[Task]`):
            Their tasks.

    Returns:
        `tuple[int, int]` or `None`: how many labels agree, and how many there are; `None` without labels.
    """
    problems = {task.key: task.problem for task in tasks}
    labels = {(row["key"], row["sample"]): row["label"] for row in samples if "label" in row}
    if not labels:
        return None
    differing = [
        {
            "benchmark": problems[one.key].benchmark,
            "problem": problems[one.key].index,
            "sample": one.sample,
            "question": problems[one.key].question,
            "gold": problems[one.key].gold,
            "label": labels[one.key, one.sample],
            "read": one.answers["flexible"],
            "verdict": str(one.verdicts["flexible"]),
            "completion": one.completion,
        }
        for one in graded
        if (one.key, one.sample) in labels and one.right("flexible") != labels[one.key, one.sample]
    ]
    write_rows(Path(folder) / "disagreements.jsonl", differing)
    return len(labels) - len(differing), len(labels)
