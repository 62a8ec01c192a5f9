"""Completions that somebody recorded, in the forms in which evaluations are published, as tasks and samples."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..data.files import read_jsonl
from ..data.problems import read_gold, read_question
from ..errors import DataError
from ..grading import Verdict
from ..grading.batch import judge
from ..sampling import Decoding
from ..text import read_choice
from .benchmarks import BENCHMARKS, Kind, Problem, canonical, split_options
from .extraction import Form
from .run import Task
from .score import Graded

# The names that evaluation tools give these columns (ours and TRL's, lm-eval, Qwen's and ToRA's, DeepSeek's).
COMPLETIONS = (
    "completions",
    "completion",
    "responses",
    "response",
    "resps",
    "code",
    "model_output",
    "model_outputs",
    "generations",
    "generation",
    "generated_text",
    "generated_responses",
    "outputs",
    "output",
    "samples",
    "solutions",
    "predictions",
    "prediction",
    "text",
)
QUESTIONS = ("question", "problem", "query", "prompt", "input", "messages")
GOLDS = (
    "gold",
    "gt",
    "golden",
    "ground_truth",
    "expected_answer",
    "gold_answer",
    "reference_answer",
    "reference",
    "standard_answer",
    "target",
    "answer",
    "Answer",
    "label",
    "solution",
)
LABELS = ("correct", "is_correct", "labels", "scores", "score", "correctness", "accuracy", "exact_match", "acc")
NUMBERS = ("problem_index", "idx", "index", "doc_id", "problem_id", "id")
_NAMES = ("benchmark", "dataset", "data_name", "data_source", "task", "task_name")
_WORDS_OF_LABELS = {"true": True, "correct": True, "right": True, "false": False, "incorrect": False, "wrong": False}
_WORDS = re.compile(r"\w+")


@dataclass
class Recordings:
    """A file of completions.

    Attributes:
        tasks (`list[Task]`):
            One a problem.
        samples (`list[dict]`):
            The completions, as lines of `samples.jsonl`; `label` where the file has one.
        remarks (`list[str]`):
            What a reader should know about how the file was read.
    """

    tasks: list[Task]
    samples: list[dict[str, Any]]
    remarks: list[str] = field(default_factory=list)


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
            Where the prompt asked for the answer, for strict reading.
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
            f"{path}: line {broken[0]} is no JSON object; an accuracy over the rest would be of another set."
        )
    filters = list(dict.fromkeys(row["filter"] for row in rows if isinstance(row.get("filter"), str)))
    if len(filters) > 1:  # lm-eval writes a document once for each of its filters
        rows = [row for row in rows if row.get("filter") == filters[0]]
    rows = [{**(row["doc"] if isinstance(row.get("doc"), dict) else {}), **row} for row in rows]
    finder = _Finder(problems)
    # A question that stands twice among single ones is two problems; among groups, it is one with more samples.
    asked = Counter(_question(row) for row in rows)
    single = not problems and Counter(asked.values()).most_common(1)[0][0] == 1
    tasks: dict[str, Task] = {}
    samples, other_golds = [], []
    for number, row in enumerate(rows):
        where = f"{path}, row {number}"
        texts = _texts(row.get(completion_column) if completion_column else _first(row, COMPLETIONS))
        if texts is None:
            tried = completion_column or f"{', '.join(COMPLETIONS)} (--completion_column names another)"
            raise DataError(f"{where}: no completion. Looked for {tried} in {', '.join(row)}.")
        if gold_column:
            if gold_column not in row:
                raise DataError(f"{where}: no column {gold_column!r}. The columns are: {', '.join(row)}.")
            row = {**{name: cell for name, cell in row.items() if name not in GOLDS}, "gold": row[gold_column]}
        problem = finder.find(row, where) if problems else _own_problem(row, path.stem, where)
        if problems and (own := _first(row, GOLDS)) is not None:
            other_golds.append((read_gold(own), problem))
        key = hashlib.blake2b(
            f"{problem.benchmark}/{number if single else problem.index}/{problem.question}".encode(
                "utf-8", "surrogatepass"
            ),
            digest_size=16,
        ).hexdigest()
        known = tasks.get(key)
        if known is None:
            index = problem.index if problems else len(tasks)
            problem = replace(problem, index=index)
            known = Task(key, "recorded", problem, mode, form, problem.question, Decoding(), 0)
        tasks[key] = replace(known, samples=known.samples + len(texts))
        labels = _labels(row, len(texts))
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
            f"Each document stands once for each filter ({', '.join(filters)}); the rows of {filters[0]} are read."
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


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "", [])), None)


def _texts(cell: Any) -> list[str] | None:
    """Completions as strings: of a string, a message, a list of messages, and lists of these."""
    if isinstance(cell, str):
        return [cell]
    if isinstance(cell, Mapping):
        found = next((cell[name] for name in ("content", "text", *COMPLETIONS) if name in cell), None)
        return _texts(found)
    if isinstance(cell, list) and cell:
        if all(isinstance(part, Mapping) and "role" in part for part in cell):
            spoken = [str(part.get("content") or "") for part in cell if part["role"] != "user"]
            return ["\n".join(spoken)] if spoken else None
        parts = [_texts(part) if part != "" else [""] for part in cell]
        return None if any(part is None for part in parts) else [text for part in parts for text in part or []]
    return None


def _labels(row: Mapping[str, Any], count: int) -> list[bool] | None:
    """Whether each completion was right by whoever recorded it; `None` when the row does not say."""
    for name in LABELS:
        cell = row.get(name)
        cells = cell if isinstance(cell, list) else [cell]
        cells = [_WORDS_OF_LABELS.get(one.strip().lower()) if isinstance(one, str) else one for one in cells]
        # A mark of 5 points says nothing: the most that can be had is not known.
        if len(cells) == count and all(isinstance(one, bool | int | float) and 0 <= one <= 1 for one in cells):
            return [bool(one > 0.5) for one in cells if one is not None]
    return None


def _own_problem(row: Mapping[str, Any], stem: str, where: str) -> Problem:
    """The problem of a row that brings its own gold."""
    gold_cell = _first(row, GOLDS)
    if gold_cell is None:
        raise DataError(
            f"{where}: no gold. Looked for {', '.join(GOLDS)}; or name the benchmark with --benchmarks, and its golds are used."
        )
    named = canonical(str(_first(row, _NAMES) or ""))
    options = row.get("options") or row.get("choices")
    question = _question(row)
    if not question:
        raise DataError(f"{where}: no question and no number. Looked for {', '.join((*QUESTIONS, *NUMBERS))}.")
    gold = read_gold(gold_cell)
    benchmark = BENCHMARKS.get(named)
    kind = benchmark.kind if benchmark else kind_of(gold)
    name = named if benchmark else str(_first(row, _NAMES) or stem)
    return Problem(
        name, 0, question, split_options(options), "".join(gold.split()) if kind == "choice" else gold, kind
    )


def _question(row: Mapping[str, Any]) -> str:
    """The question of a row; its number where it has none; empty without either."""
    question = read_question(_first(row, QUESTIONS), row.get("options") or row.get("choices"))
    number = _first(row, NUMBERS)
    return question or ("" if number is None else f"problem {number}")


def kind_of(gold: str) -> Kind:
    """What an answer is, by its gold: a letter, a number, or a formula."""
    if len(gold) <= 8 and gold == gold.upper() and read_choice(gold) == "".join(sorted(re.findall("[A-J]", gold))):
        return "choice"
    return "number" if re.fullmatch(r"[$\s]*-?\d[\d,]*(?:\.\d+)?[$\s]*", gold) else "formula"


class _Finder:
    """Finds the problem of a row: by its question, which may stand within a prompt, or by its number."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems = problems
        self._words = [" ".join(_WORDS.findall(problem.question.lower())) for problem in problems]
        self._by_words: dict[str, list[Problem]] = {}
        for problem, words in zip(problems, self._words, strict=True):
            self._by_words.setdefault(words, []).append(problem)
        self._by_number = {(problem.benchmark, problem.index): problem for problem in problems}
        self._turns: Counter[str] = Counter()
        self._names = list(dict.fromkeys(problem.benchmark for problem in problems))

    def find(self, row: Mapping[str, Any], where: str) -> Problem:
        named = canonical(str(_first(row, _NAMES) or ""))
        names = [named] if named in self._names else self._names
        number = _first(row, NUMBERS)
        number = int(number) if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()) else None
        question = read_question(_first(row, QUESTIONS), row.get("options") or row.get("choices"))
        if question:
            return self._by_question(question, number, names, where)
        if number is not None and len(names) == 1 and (names[0], number) in self._by_number:
            return self._by_number[names[0], number]
        raise DataError(
            f"{where}: no question, and no number of a problem of {', '.join(names)} (looked for "
            f"{', '.join((*QUESTIONS, *NUMBERS))})."
        )

    def _by_question(self, question: str, number: int | None, names: list[str], where: str) -> Problem:
        words = " ".join(_WORDS.findall(question.lower()))
        found = [problem for problem in self._by_words.get(words, []) if problem.benchmark in names]
        if not found:  # a prompt with an instruction or examples around it, or a question without its options
            places = [
                (words.rfind(own), len(own), -i) if own in words else (0, 0, -i) if own.startswith(words) else None
                for i, own in enumerate(self._words)
            ]
            inside = [
                place
                for place, problem in zip(places, self._problems, strict=True)
                if place and problem.benchmark in names
            ]
            if inside:
                found = [self._problems[-max(inside)[2]]]
        if not found:
            raise DataError(f"{where}: its question is in none of {', '.join(names)}: {question[:80]!r}.")
        # Some sets hold a question twice: the number says which, or else the copies take turns.
        self._turns[found[0].question] += 1
        turn = (self._turns[found[0].question] - 1) % len(found)
        return next((problem for problem in found if problem.index == number), found[turn])


def agreement(
    samples: Sequence[dict[str, Any]], graded: Sequence[Graded], tasks: Sequence[Task] = ()
) -> tuple[int, list[dict[str, Any]]]:
    """
    Compares verdicts with the labels that a file of recordings brings.

    Args:
        samples (`Sequence[dict]`):
            Samples, some with `label`.
        graded (`Sequence[Graded]`):
            The same samples, judged.
        tasks (`Sequence[Task]`, *optional*):
            Their tasks, whose questions and golds are added to what differs.

    Returns:
        `tuple`: how many have a label, and those whose flexible reading is judged otherwise.
    """
    problems = {task.key: task.problem for task in tasks}
    labels = {(row["key"], row["sample"]): row["label"] for row in samples if "label" in row}
    differing = [
        {
            "benchmark": row["benchmark"],
            "problem": row["problem"],
            "sample": one.sample,
            **(
                {"question": problems[one.key].question, "gold": problems[one.key].gold} if one.key in problems else {}
            ),
            "label": labels[one.key, one.sample],
            "read": one.answers["flexible"],
            "verdict": str(one.verdicts["flexible"]),
            "completion": one.completion,
        }
        for row, one in _pairs(samples, graded)
        if (one.key, one.sample) in labels and one.right("flexible") != labels[one.key, one.sample]
    ]
    return len(labels), differing


def _pairs(samples: Sequence[dict[str, Any]], graded: Sequence[Graded]) -> list[tuple[dict[str, Any], Graded]]:
    by_key = {(row["key"], row["sample"]): row for row in samples}
    return [(by_key[one.key, one.sample], one) for one in graded]
