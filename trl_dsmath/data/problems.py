r"""Rows of real data sets (GSM8K, MATH, CMATH ...) turned into the columns that TRL's trainers read.

`datasets` is imported when a data set is converted, not when this module is: the reward and the commands that need no
trainer stay light.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError, DataError
from ..text.boxed import last_boxed
from .prompts import PLAIN_PROMPT, Mode, instruct
from .solutions import PROGRAM_COLUMNS, read_solution, split_gsm8k

if TYPE_CHECKING:
    from datasets import Dataset

QUESTION_COLUMNS = ("question", "problem", "prompt", "query", "messages")
# A column that holds the bare answer stands before one that may hold a whole solution.
GOLD_COLUMNS = ("answer", "golden", "gold", "final_answer", "expected_answer", "target", "label", "solution")
WORKED_COLUMNS = ("solution", "worked_solution", "response", "output", "answer")

_LETTERED = re.compile(r"\s*[(（]?[A-Z][)）.:：、]")


@dataclass(frozen=True)
class Columns:
    """Which column of a data set is which; `worked` and `program` are None where a data set has no such solutions."""

    question: str
    gold: tuple[str, ...]  # the first that is not empty in a row counts (GaoKao keeps letters and numbers apart)
    worked: str | None
    options: str | None
    program: str | None = None


@dataclass
class Converted:
    """A converted data set and what was left out of it.

    Attributes:
        dataset ([`~datasets.Dataset`]):
            The rows that are used, with TRL's columns.
        dropped (`dict[str, list[int]]`):
            For each reason, the numbers (from 0) of the rows that were dropped for it.
    """

    dataset: "Dataset"
    dropped: dict[str, list[int]]

    def report(self) -> str:
        """One line: how many rows are used, how many were dropped, why, and the first of them."""
        line = f"{len(self.dataset):,} rows used, {sum(map(len, self.dropped.values())):,} dropped"
        for reason, rows in self.dropped.items():
            more = ", ..." if len(rows) > 5 else ""
            line += f"; {reason}: {len(rows):,} (row {', '.join(map(str, rows[:5]))}{more})"
        return line


def find_columns(names: Iterable[str], question: str | None = None, gold: str | None = None) -> Columns:
    """Finds the column of the question and the column of the answer, or checks the names that were given.

    Args:
        names (`Iterable[str]`):
            The columns of the data set.
        question (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold (`str`, *optional*):
            Column of the answer. If `None`, it is looked for by the usual names.

    Returns:
        [`Columns`]

    Raises:
        DataError: no column fits, or a given name is not there.
    """
    names = list(names)
    by_lower = {name.lower(): name for name in reversed(names)}

    def find(given: str | None, usual: tuple[str, ...], what: str, flag: str) -> tuple[str, ...]:
        if given is not None:
            if given not in names:
                raise DataError(f"There is no column {given!r} ({flag}). The columns are: {', '.join(names)}.")
            return (given,)
        found = tuple(by_lower[name] for name in usual if name in by_lower)
        if not found:
            raise DataError(
                f"No column looks like the {what}. The columns are: {', '.join(names)}. "
                f"Name it with {flag} COLUMN (looked for: {', '.join(usual)})."
            )
        return found

    questions = find(question, QUESTION_COLUMNS, "question", "--question_column")
    golds = find(gold, GOLD_COLUMNS, "answer", "--gold_column")
    worked = next((by_lower[name] for name in WORKED_COLUMNS if name in by_lower), gold)
    program = next((by_lower[name] for name in PROGRAM_COLUMNS if name in by_lower), None)
    return Columns(questions[0], golds, worked, by_lower.get("options"), program)


def read_gold(value: Any) -> str:
    r"""The bare answer in a cell: behind `####`, in the last box, or the cell as it stands. Empty when there is none."""
    text = "" if value is None else str(value).strip()
    if split := split_gsm8k(text):
        return split[1]
    boxed = last_boxed(text) if "boxed" in text or "fbox" in text else None
    return text if boxed is None else boxed.strip()


def read_question(value: Any, options: Any = None) -> str:
    """The question in a cell, a string or messages (the last one of the user), with its options written below it."""
    if isinstance(value, list):
        value = next((turn["content"] for turn in reversed(value) if turn.get("role") == "user"), None)
    text = "" if value is None else str(value).strip()
    if isinstance(options, str) and options.strip():
        options = [options.strip()]
    if text and isinstance(options, list) and options:
        lettered = [
            option if _LETTERED.match(str(option)) else f"({chr(ord('A') + i)}) {option}"
            for i, option in enumerate(options)
        ]
        text = "\n".join([text, *map(str, lettered)])
    return text


def convert_row(
    row: Mapping[str, Any], columns: Columns, stage: Literal["sft", "grpo"], mode: Mode = "cot", plain: bool = False
) -> tuple[dict[str, Any] | None, str | None]:
    """Converts one row. Returns TRL's columns and None, or None and the reason for which the row cannot be used."""
    question = read_question(row[columns.question], row.get(columns.options) if columns.options else None)
    if not question:
        return None, "no question"
    gold = next((found for name in columns.gold if (found := read_gold(row[name]))), "")
    if not gold:
        return None, "no answer"
    content = instruct(question, mode)
    prompt: Any = PLAIN_PROMPT.format(question=content) if plain else [{"role": "user", "content": content}]
    if stage == "grpo":
        return {"prompt": prompt, "solution": gold}, None
    worked = read_solution(
        row.get(columns.worked) if columns.worked else None,
        row.get(columns.program) if columns.program else None,
        question,
        gold,
        mode,
    )
    if not worked:
        return None, "no worked solution" if mode == "cot" else "no program"
    return {
        "prompt": prompt,
        "completion": f" {worked}" if plain else [{"role": "assistant", "content": worked}],
    }, None


def convert(
    dataset: "Dataset",
    stage: Literal["sft", "grpo"],
    question: str | None = None,
    gold: str | None = None,
    mode: Mode = "cot",
    plain: bool = False,
) -> Converted:
    """Converts a data set of problems into the columns that TRL reads.

    For `"sft"` these are `prompt` and `completion`, and nothing else is kept; for `"grpo"`, `prompt` and `solution` (the
    bare answer), and all other columns are kept for the reward functions. A data set that already has the columns of
    its stage (`prompt` and `completion`, or `messages` ending with the assistant, for SFT; `prompt` as messages and
    `solution` for GRPO) is used as it is.

    Args:
        dataset ([`~datasets.Dataset`]):
            Rows of problems.
        stage (`str`):
            `"sft"` or `"grpo"`.
        question (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold (`str`, *optional*):
            Column of the answer. If `None`, it is looked for by the usual names.
        mode (`str`, *optional*, defaults to `"cot"`):
            Which of the paper's instructions ends the question, and for SFT the form of the solution: `"cot"` (worked in
            words), `"pot"` (a program) or `"tool"` (words, a program and its output). Programs come from a column of
            their own, from solutions that hold them, or from GSM8K's calculator marks. `"think"` is for GRPO alone.
        plain (`bool`, *optional*, defaults to `False`):
            Whether to write strings (`User: ...`) instead of messages.

    Returns:
        [`Converted`]: the data set, and the rows that were dropped with the reason.

    Raises:
        ConfigError: there is no such form of a solution.
        DataError: the columns cannot be found, or no row can be used.
    """
    if question is None and gold is None and _has_columns_of(dataset, stage):
        return Converted(dataset, {})
    if stage == "sft" and mode == "think":
        raise ConfigError("No solutions are written in <think> tags: prompt_mode think is for GRPO. Set it to cot.")
    columns = find_columns(dataset.column_names, question, gold)
    out = ("prompt", "solution") if stage == "grpo" else ("prompt", "completion")

    def change(row: dict[str, Any]) -> dict[str, Any]:
        converted, reason = convert_row(row, columns, stage, mode, plain)
        return {**(converted or dict.fromkeys(out)), "_dropped": reason}

    # A column that changes its type (`prompt`, `solution`) must leave before it is written again.
    unwanted = dataset.column_names if stage == "sft" else [name for name in out if name in dataset.column_names]
    mapped = dataset.map(change, remove_columns=unwanted, desc="Reading the problems")
    dropped: dict[str, list[int]] = {}
    for number, reason in enumerate(mapped["_dropped"]):
        if reason is not None:
            dropped.setdefault(reason, []).append(number)
    bad = {number for numbers in dropped.values() for number in numbers}
    if len(bad) == len(mapped):
        raise DataError(
            f"No row can be used: {', '.join(dropped) or 'the data set is empty'}. {_advice(columns, stage)}"
        )
    if bad:
        mapped = mapped.select([number for number in range(len(mapped)) if number not in bad])
    return Converted(mapped.remove_columns("_dropped"), dropped)


def _has_columns_of(dataset: "Dataset", stage: str) -> bool:
    """Whether the data set already is in one of TRL's forms for this stage."""
    names = set(dataset.column_names)
    if stage == "grpo":
        return {"prompt", "solution"} <= names and isinstance(dataset[0]["prompt"], list)
    if {"prompt", "completion"} <= names or ("text" in names and not names & set(GOLD_COLUMNS)):
        return True
    return "messages" in names and bool(dataset[0]["messages"][-1].get("content")) and not names & set(GOLD_COLUMNS)


def _advice(columns: Columns, stage: str) -> str:
    read = f"The question was read from {columns.question!r}, the answer from {' or '.join(map(repr, columns.gold))}"
    if stage == "sft":
        read += f", the worked solution from {columns.worked!r}"
    return f"{read}; name other columns with --question_column and --gold_column."
