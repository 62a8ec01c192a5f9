"""A file of questions to a file of answers: written as they come, continued where a run was stopped."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.columns import find_columns
from ..data.files import load, pick_split
from ..data.journal import Journal, keep_settings, settings_path
from ..data.reading import why_unread
from ..errors import ConfigError, DataError
from .draw import tokens_on
from .solution import Solution, SolvedSample


@dataclass
class QuestionArguments:
    """Where questions are: the arguments of [`load_questions`], for a script."""

    input: str | None = field(
        default=None,
        metadata={"help": "A .jsonl, .json, .parquet, .csv or .txt file of questions, or a data set on the hub."},
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of a data set on the hub."})
    dataset_split: str | None = field(default=None, metadata={"help": "Split; test where there is one."})
    question_column: str | None = field(
        default=None, metadata={"help": "Column of the question, if not a usual name."}
    )
    gold_column: str | None = field(default=None, metadata={"help": "Column of the right answer, for the accuracy."})
    limit: int | None = field(default=None, metadata={"help": "How many questions to take, from the first."})


def load_questions(
    input: str | Path,
    question_column: str | None = None,
    gold_column: str | None = None,
    dataset_config: str | None = None,
    dataset_split: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """
    Reads questions, each with its right answer where there is one.

    Args:
        input (`str` or `Path`):
            A .jsonl, .json, .parquet, .csv or .txt file (one question per line), or a data set on the hub.
        question_column (`str`, *optional*), gold_column (`str`, *optional*):
            Columns of question and right answer. If `None`, they are looked for by the usual names.
        dataset_config (`str`, *optional*):
            Configuration of a data set on the hub.
        dataset_split (`str`, *optional*):
            Split. If `None`, `test` where there is one, else the first.
        limit (`int`, *optional*):
            How many to take, from the first. If `None`, all.

    Returns:
        `list[dict]`: rows with `question` and `gold`, which may be `None`; those without a question are left out.

    Raises:
        ConfigError: `limit` is below 1.
        DataError: it cannot be read, no column is a question, or no row has one.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit must be at least 1, not {limit}.")
    path = Path(input)
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        found: list[dict[str, Any]] = [{"question": line.strip(), "gold": None} for line in lines]
    else:
        splits, _ = load(str(input), dataset_config)
        dataset = pick_split(splits, dataset_split or ("test" if "test" in splits else next(iter(splits))))
        columns = find_columns(dataset.column_names, question_column, gold_column, need=("question",))
        found = [{"question": columns.question_of(row), "gold": columns.gold_of(row) or None} for row in dataset]
    rows = [row for row in found if row["question"]][:limit]
    if not rows:
        raise DataError(f"{input} holds no question.")
    return rows


def solve_file(
    solve: Callable[..., Iterator[tuple[int, Solution]]],
    most: int,
    depends_on: dict[str, Any],
    questions: str | Path | Sequence[Mapping[str, Any]],
    output: str | Path | None = None,
    on_solution: Callable[[Solution], None] | None = None,
) -> list[dict[str, Any]]:
    """[`Solver.solve_file`], with the `solve` of that solver, its most samples per question, and what answers depend on."""
    from tqdm.auto import tqdm

    rows = load_questions(questions) if isinstance(questions, str | Path) else questions
    if output is None and isinstance(questions, str | Path):
        output = default_output(questions)
    keys = question_keys([row["question"] for row in rows])
    with ExitStack() as stack:
        journal = stack.enter_context(_Answers(Path(output), depends_on)) if output is not None else None
        solved = journal.solved if journal else {}
        left = [i for i, key in enumerate(keys) if key not in solved]
        known = {place: journal.samples.get(keys[i], []) for place, i in enumerate(left)} if journal else {}
        if journal and len(left) < len(rows):
            done = f"{len(rows) - len(left):,} questions are solved in {output}; {len(left):,} are left"
            print(f"resume      {done}", file=sys.stderr, flush=True)
        bar = tqdm(
            total=most * len(left),
            initial=sum(map(len, known.values())),
            unit="sample",
            desc="Solving",
            disable=not sys.stderr.isatty(),
            leave=False,
        )
        stack.callback(bar.close)

        def drawn(place: int, first: int, samples: list[SolvedSample]) -> None:
            bar.update(len(samples))
            if journal:
                journal.add_samples(keys[left[place]], first, samples)

        for place, solution in solve([rows[i]["question"] for i in left], known, drawn, tokens_on(bar)):
            bar.update(most - len(solution.samples))
            key = keys[left[place]]
            row = {**solution.to_dict(), "gold": rows[left[place]].get("gold")}
            if journal:
                journal.add_solution(key, row)
            else:
                solved[key] = {"id": key, **row}
            if on_solution is not None:
                with tqdm.external_write_mode(sys.stdout):  # the bar is cleared, so that the text has its own lines
                    on_solution(solution)
        return [{**solved[key], "gold": rows[i].get("gold")} for i, key in enumerate(keys)]


def summary_of_answers(rows: Sequence[Mapping[str, Any]], printed: bool = False) -> str:
    """
    Samples, answers and, where there are right ones, the accuracy of the rows of [`Solver.solve_file`], in a few lines.

    Args:
        rows (`Sequence[Mapping]`):
            What [`Solver.solve_file`] returned.
        printed (`bool`, *optional*, defaults to `False`):
            Whether the answers are what programs printed (mode `"pot"`).
    """
    from ..grading import Verdict, judge, judge_printed

    drawn, allowed = sum(row["samples"] for row in rows), sum(row["n"] for row in rows)
    tokens = sum(row["tokens"] for row in rows)
    cut_off, finished = (sum(row.get(name, 0) for row in rows) for name in ("cut_off", "without_answer"))
    why = why_unread(cut_off, finished, "program" if printed else "box")
    lines = [
        f"samples     {drawn:,} of {allowed:,} ({1 - drawn / allowed:.0%} saved), {tokens:,} tokens",
        f"answers     {sum(row['answer'] is not None for row in rows):,} of {len(rows):,} questions"
        + (f" (samples without one: {why})" if why else ""),
    ]
    with_gold = [row for row in rows if row["gold"] is not None]
    if with_gold:
        answers, golds = [row["answer"] for row in with_gold], [row["gold"] for row in with_gold]
        verdicts = (judge_printed if printed else judge)(answers, golds)
        readable = sum(verdict is not Verdict.BAD_GOLD for verdict in verdicts)
        right = sum(verdict is Verdict.CORRECT for verdict in verdicts)
        lines.append(
            f"accuracy    {right / max(readable, 1):.1%} ({right:,} of {readable:,} with a readable right answer)"
        )
    return "\n".join(lines)


def default_output(source: str | Path) -> Path:
    """`FILE.solutions.jsonl` beside the questions.

    Raises:
        ConfigError: the source is no file.
    """
    path = Path(source)
    if not path.exists():  # a data set on the hub
        raise ConfigError("Where to? Give output, a .jsonl file for the answers.")
    return path.with_name(path.name + ".solutions.jsonl")


def question_keys(questions: Sequence[str]) -> list[str]:
    """A name for each question that does not depend on its place; a repeated one gets a number."""
    seen: dict[str, int] = {}
    keys = []
    for question in questions:
        key = hashlib.blake2b(question.encode(), digest_size=8).hexdigest()
        seen[key] = seen.get(key, 0) + 1
        keys.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return keys


class _Answers:
    """The file of solutions, one line per question, and the file of their samples, each written as soon as it is drawn."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        samples_path = path.with_name(path.stem + ".samples.jsonl")
        self.solved: dict[str, dict[str, Any]] = {}
        self.samples: dict[str, list[SolvedSample]] = {}
        with ExitStack() as stack:
            self._solutions = stack.enter_context(Journal(path, ("id",)))
            self._drawn = stack.enter_context(Journal(samples_path, ("id", "index")))
            fresh = not self._solutions.done and not self._drawn.done
            keep_settings(settings_path(path), settings, fresh=fresh, holds=f"{path} holds answers")
            for row in self._solutions.rows():
                self.solved[row["id"]] = row
            for row in self._drawn.rows():
                kept = self.samples.setdefault(row.pop("id"), [])
                if row.pop("index") == len(kept):
                    kept.append(SolvedSample(**row))
            self._open = stack.pop_all()  # closed by `__exit__`; an error above closes them at once

    def __enter__(self) -> "_Answers":
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def add_samples(self, key: str, first: int, samples: list[SolvedSample]) -> None:
        self._drawn.append({"id": key, "index": i, **sample.to_dict()} for i, sample in enumerate(samples, first))

    def add_solution(self, key: str, row: dict[str, Any]) -> None:
        self.solved[key] = {"id": key, **row}
        self._solutions.append([self.solved[key]])
