"""The completions that a GRPO run logged (`log_completions`), in their groups, and the gold of each."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..data.columns import GOLD_COLUMNS, columns_of, find_columns, read_question
from ..errors import DataError
from ..rewards.completions import completion_text

# What TRL writes besides rewards and what reward functions add (1.14 to 1.16): `step`, `prompt`, `completion`, `advantage`.
_TRLS = ("step", "prompt", "completion", "advantage")
_ANCHOR = 40  # characters of a question that it is looked up by in a prompt


@dataclass
class Logged:
    """
    A logged completion.

    Attributes:
        place (`str`):
            File and row.
        step (`int`):
            Step of the run.
        group (`int`):
            Number of its group: completions of one prompt, compared with each other.
        prompt (`str`):
            The prompt: messages as text, or TRL 1.14's text with the template.
        text (`str`):
            What the model wrote.
        reward (`float`, *optional*):
            What the run's own accuracy reward gave.
        gold (`Any`):
            The right answer as the data set stores it; `None` where it is not known.
        outside (`str`):
            The prompt without the question, where that is known: instruction, system prompt, template.
    """

    place: str
    step: int
    group: int
    prompt: str
    text: str
    reward: float | None
    gold: Any = None
    outside: str = ""


class Golds:
    """
    The golds of a data set, found by the prompt of a completion.

    A prompt is joined with the question that it is, or else with the last question of the data set that stands in it: TRL
    1.14 logs prompts with their template. A question that has two different golds is joined with nothing.

    Args:
        rows (`Iterable[Mapping]`):
            The data set.
        question_column (`str`, *optional*), gold_column (`str`, *optional*):
            Their columns. If `None`, they are looked for by the usual names.

    Raises:
        DataError: there are no such columns, or no row has both.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        question_column: str | None = None,
        gold_column: str | None = None,
    ) -> None:
        rows = list(rows)
        columns = find_columns(dict.fromkeys(name for row in rows for name in row), question_column, gold_column)
        self._golds: dict[str, Any] = {}
        for row in rows:
            question, (name, _) = _squeeze(columns.question_of(row)), columns.gold_cell(row)
            if question and name:
                same = question not in self._golds or self._golds[question] == row[name]
                self._golds[question] = row[name] if same else None
        if not self._golds:
            raise DataError("No row has a question and a right answer: name them with question_column, gold_column.")
        self._length = min(_ANCHOR, *map(len, self._golds))
        self._by_start: dict[str, list[str]] = {}
        for question in self._golds:
            self._by_start.setdefault(question[: self._length], []).append(question)

    def find(self, prompt: str) -> tuple[str, Any]:
        """The question that a prompt asks and its gold; `("", None)` where there is none."""
        text = _squeeze(prompt)
        question = text if text in self._golds else self._inside(text)
        return question, self._golds.get(question)

    def _inside(self, text: str) -> str:
        found: list[tuple[int, int, str]] = []
        for start in range(len(text) - self._length + 1):
            for question in self._by_start.get(text[start : start + self._length], ()):
                end = start + len(question)
                around = text[start - 1 : start], text[end : end + 1]
                if text.startswith(question, start) and not any(map(str.isalnum, around)):
                    found.append((end, len(question), question))
        return max(found)[2] if found else ""


def read_run(
    path: str | Path, reward_column: str | None = None, golds: Golds | None = None, gold_column: str | None = None
) -> tuple[list[Logged], list[str]]:
    """
    Reads what a run logged so far.

    Args:
        path (`str` or `Path`):
            The run's `output_dir`, its folder `completions`, or one parquet file.
        reward_column (`str`, *optional*):
            Column of the run's own accuracy reward. If `None`, the one that holds only 0, 1 and nothing, or is named after
            accuracy.
        golds ([`Golds`], *optional*):
            Golds by prompt. If `None`, they are a column of the table, as reward functions add it with `log_extra`.
        gold_column (`str`, *optional*):
            That column. If `None`, it is looked for by the usual names.

    Returns:
        `tuple`: the completions, and remarks on what was left out.

    Raises:
        DataError: nothing is logged there, a column is missing, or there are no golds.
    """
    files, remarks = read_files(Path(path))
    names = list(dict.fromkeys(name for _, rows in files for name in rows[0]))
    reward = reward_column or accuracy_column(names, [row for _, rows in files for row in rows])
    if reward_column and reward_column not in names:
        raise DataError(f"{path} has no column {reward_column!r}; the columns are {', '.join(names)}. Name another.")
    remarks.append(
        f"the run's own reward is {reward!r}" if reward else "which column is the run's accuracy reward? Name it with --reward_column"
    )  # fmt: skip
    own = [name for name in names if name not in (*_TRLS, reward)]
    columns = columns_of(own, None, gold_column)
    if golds is None and (not columns.gold or columns.gold[0] not in own):
        raise DataError(
            f"The right answers are not in {path} (columns {', '.join(names)}; looked for {', '.join(GOLD_COLUMNS)}). Give the "
            "data set of the run with --dataset_name, or name a column with --gold_column."
        )
    found: list[Logged] = []
    size = _group_size(files)
    number, unjoined = 0, 0
    for name, rows in files:
        start = 0
        for _, same in groupby(rows, key=lambda row: row["prompt"]):
            for i, row in enumerate(same):
                number += i % size == 0
                value = row.get(reward) if reward else None
                one = Logged(
                    f"{name}:{start}",
                    int(row.get("step") or 0),
                    number,
                    prompt_text(row["prompt"]),
                    completion_text(row["completion"]),
                    None if value is None or math.isnan(value) else float(value),
                )
                if golds is None:
                    one.gold = row.get(columns.gold_cell(row)[0])
                else:
                    question, one.gold = golds.find(read_question(row["prompt"]))
                    one.outside = _squeeze(one.prompt).replace(question, " ") if question else ""
                unjoined += one.gold is None
                found.append(one)
                start += 1
    remarks.append(
        f"{len(found):,} completions in {number:,} groups of {size}, steps {found[0].step} to {found[-1].step}"
    )
    if unjoined:
        remarks.append(
            f"{unjoined:,} completions have no right answer and are not judged: their prompt is not in the data set"
        )
    return found, remarks  # fmt: skip


def prompt_text(prompt: Any) -> str:
    """A prompt as text: messages one after the other."""
    return prompt if isinstance(prompt, str) else "\n\n".join(read_question([{**m, "role": "user"}]) for m in prompt)


def read_files(path: Path) -> tuple[list[tuple[str, list[dict[str, Any]]]], list[str]]:
    """The rows of each file, without the batches that TRL logged twice, and without a file that is still being written.

    Raises:
        DataError: nothing is logged there, or something else than prompts and completions.
    """
    import pyarrow
    import pyarrow.parquet

    folder = path / "completions" if (path / "completions").is_dir() else path
    paths = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    if not paths or not all(one.is_file() for one in paths):
        raise DataError(
            f"{path} holds no completions. TRL writes them to OUTPUT_DIR/completions with log_completions true."
        )
    files: list[tuple[str, list[dict[str, Any]]]] = []
    remarks, repeated, last = [], 0, None
    for one in paths:
        try:
            rows = pyarrow.parquet.read_table(one).to_pylist()
        except (pyarrow.ArrowException, OSError):
            remarks.append(f"{one.name} is not whole (still being written?) and is left out")
            continue
        for name in ("prompt", "completion"):
            if rows and name not in rows[0]:
                raise DataError(f"{one} has no column {name!r}; the columns are {', '.join(rows[0])}.")
        batch = [(row["prompt"], row["completion"], row.get("advantage")) for row in rows]
        repeated += batch == last
        if rows and batch != last:
            files.append((one.name, rows))
        last = batch
    if repeated:
        remarks.append(
            f"{repeated:,} files repeat the batch before them (several updates of one batch) and count once"
        )
    if not files:
        raise DataError(f"{path} holds no whole file of completions.")
    return files, remarks


def accuracy_column(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The reward of 0 and 1, out of the columns that TRL or a reward function logged; `None` where that is not one."""

    def cells(name: str) -> list[Any]:
        return [None if (cell := row.get(name)) != cell else cell for row in rows]  # NaN is not itself

    def number(cell: Any) -> bool:  # the steps of a completion are a list
        return isinstance(cell, float | None)

    numbers = [
        name
        for name in names
        if name not in _TRLS and all(map(number, cells(name))) and any(cell is not None for cell in cells(name))
    ]
    binary = [name for name in numbers if set(cells(name)) <= {0.0, 1.0, None}]
    named = [name for name in numbers if "accuracy" in name]
    return next((found[0] for found in (named, binary) if len(found) == 1), None)


def _group_size(files: Sequence[tuple[str, list[dict[str, Any]]]]) -> int:
    """Completions of a prompt: the most common length of a run of rows with one prompt, the least of equals."""
    runs = Counter(len(list(same)) for _, rows in files for _, same in groupby(rows, key=lambda row: row["prompt"]))
    return min(runs, key=lambda length: (-runs[length], length))


def _squeeze(text: str) -> str:
    return " ".join(text.split())
