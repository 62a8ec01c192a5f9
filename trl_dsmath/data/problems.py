r"""Rows of real data sets (GSM8K, MATH, CMATH ...) turned into the columns that TRL's trainers read.

`datasets` is imported when a data set is converted, not when this module is: the reward and the commands that need no
trainer load quickly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError, DataError
from .columns import GOLD_COLUMNS, Columns, find_columns
from .files import first_few
from .prompts import PAPER, TEMPLATE, Mode, build_prompt, refuse_for_ready_prompts
from .solutions import read_solution

if TYPE_CHECKING:
    from datasets import Dataset


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
            line += f"; {reason}: {len(rows):,} (row {first_few(rows)})"
        return line


def convert_row(
    row: Mapping[str, Any],
    columns: Columns,
    stage: Literal["sft", "grpo"],
    prompt_mode: Mode = "cot",
    plain_prompts: bool = False,
    instruction: str = PAPER,
    system_prompt: str = TEMPLATE,
) -> tuple[dict[str, Any] | None, str | None]:
    """Converts one row. Returns TRL's columns and None, or None and the reason for which the row cannot be used."""
    question = columns.question_of(row)
    if not question:
        return None, "no question"
    gold = columns.gold_of(row)
    if not gold:
        return None, "no answer"
    prompt = build_prompt(question, prompt_mode, (), plain_prompts, instruction, system_prompt).prompt
    if stage == "grpo":
        return {"prompt": prompt, "solution": gold}, None
    worked = read_solution(
        row.get(columns.worked) if columns.worked else None,
        row.get(columns.program) if columns.program else None,
        question,
        gold,
        prompt_mode,
    )
    if not worked:
        return None, "no worked solution" if prompt_mode == "cot" else "no program"
    return {
        "prompt": prompt,
        "completion": f" {worked}" if plain_prompts else [{"role": "assistant", "content": worked}],
    }, None


def convert(
    dataset: "Dataset",
    stage: Literal["sft", "grpo"],
    question_column: str | None = None,
    gold_column: str | None = None,
    prompt_mode: Mode = "cot",
    plain_prompts: bool = False,
    instruction: str = PAPER,
    system_prompt: str = TEMPLATE,
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
        question_column (`str`, *optional*):
            Column of the question. If `None`, it is looked for by the usual names.
        gold_column (`str`, *optional*):
            Column of the right answer. If `None`, it is found by the rule of [`~trl_dsmath.data.columns.Columns.gold_cell`].
        prompt_mode (`str`, *optional*, defaults to `"cot"`):
            Which of the paper's instructions ends the question, and for SFT the form of the solution: `"cot"` (worked in
            words), `"pot"` (a program) or `"tool"` (words, a program and its output). Programs come from a separate
            column, from solutions that hold them, or from GSM8K's calculator marks. `"think"` is for GRPO only.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Whether to write strings (`User: ...`) instead of messages.
        instruction (`str`, *optional*, defaults to `"paper"`), system_prompt (`str`, *optional*, defaults to `"template"`):
            As in [`PromptArguments`].

    Returns:
        [`Converted`]: the data set, and the rows that were dropped with the reason.

    Raises:
        ConfigError: there is no such form of a solution, or an instruction for prompts that are already written.
        DataError: the columns cannot be found, or no row can be used.
    """
    if question_column is None and gold_column is None and _has_columns_of(dataset, stage):
        refuse_for_ready_prompts(instruction, system_prompt)
        return Converted(dataset, {})
    if stage == "sft" and prompt_mode == "think":
        raise ConfigError("No solutions are written in <think> tags: prompt_mode='think' is for GRPO. Use 'cot'.")
    columns = find_columns(dataset.column_names, question_column, gold_column)
    out = ("prompt", "solution") if stage == "grpo" else ("prompt", "completion")

    def change(row: dict[str, Any]) -> dict[str, Any]:
        converted, reason = convert_row(row, columns, stage, prompt_mode, plain_prompts, instruction, system_prompt)
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
    question, gold = (" or ".join(map(repr, names)) for names in (columns.question, columns.gold))
    read = f"The question was read from {question}, the answer from {gold}"
    if stage == "sft":
        read += f", the worked solution from {columns.worked!r}"
    return f"{read}; name others with question_column and gold_column."
