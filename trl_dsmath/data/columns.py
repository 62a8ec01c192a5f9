r"""Names of columns, and the rule that turns a row into a question and its right answer.

GRPO, the rewards, evaluation, recordings, annotation, `solve`, `grade` and `check-data` all read a row here, so that they
agree on what is asked and what is right.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from ..text import last_boxed

QUESTION_COLUMNS = ("question", "problem", "prompt", "query", "input", "messages")
OPTION_COLUMNS = ("options", "choices", "possible answers")
# Names that can only mean the right answer come before `answer`, which may be a model's, and `solution`, which may be worked.
GOLD_COLUMNS = (
    "gold", "golden", "gt", "ground_truth", "gold_answer", "expected_answer", "reference_answer", "standard_answer",
    "reference", "final_answer", "target", "answer", "answer_number", "label", "solution",
)  # fmt: skip
WORKED_COLUMNS = ("solution", "worked_solution", "response", "output", "answer")
PROGRAM_COLUMNS = ("program", "python", "python_solution", "code")
# Ours and TRL's, lm-eval's, those of Qwen's and ToRA's harnesses, DeepSeek's.
COMPLETION_COLUMNS = (
    "completions", "completion", "responses", "response", "resps", "code", "model_output", "model_outputs", "generations",
    "generation", "generated_text", "generated_responses", "outputs", "output", "samples", "solutions", "predictions",
    "prediction", "text",
)  # fmt: skip
# Whether a recorded completion is right, which number its problem has, and which benchmark it is of.
LABEL_COLUMNS = ("correct", "is_correct", "labels", "scores", "score", "correctness", "accuracy", "exact_match", "acc")
NUMBER_COLUMNS = ("problem_index", "idx", "index", "doc_id", "problem_id", "id")
BENCHMARK_COLUMNS = ("benchmark", "dataset", "data_name", "data_source", "task", "task_name")

_LETTERED = re.compile(r"\s*[(（]?[A-Z][)）.:：、]")
# Around AGIEval's questions on the hub: "问题：... 选项：(A)... 答案：从A到D, 我们应选择".
_AGIEVAL = re.compile(r"^问题：\s*|\s*(?:选项：.*)?\s*答案：[^\n]*$", re.DOTALL)
_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # GSM8K: "48/2 = <<48/2=24>>24"


@dataclass(frozen=True)
class Columns:
    """The columns of a data set by what they hold, each in the order in which they count.

    Attributes:
        question (`tuple[str, ...]`):
            Columns of the question.
        gold (`tuple[str, ...]`):
            Columns of the right answer; the first that is filled in a row counts (GaoKao keeps letters and numbers apart).
        options (`tuple[str, ...]`):
            Columns of the options of a multiple choice.
        worked (`str`, *optional*):
            Column of the worked solution.
        program (`str`, *optional*):
            Column of a program that computes the answer.
    """

    question: tuple[str, ...]
    gold: tuple[str, ...]
    options: tuple[str, ...] = ()
    worked: str | None = None
    program: str | None = None

    def question_of(self, row: Mapping[str, Any]) -> str:
        """The question of a row with its options below it; empty when there is none."""
        question = first_filled(row, self.question)
        if isinstance(question, str) and question.startswith("问题："):
            question = _AGIEVAL.sub("", question)
        return read_question(question, first_filled(row, self.options))

    def gold_of(self, row: Mapping[str, Any]) -> str:
        """The right answer of a row, without its box or `####`; empty when there is none. See [`gold_cell`]."""
        return self.gold_cell(row)[1]

    def gold_cell(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """
        The right answer of a row and the column that it is from; empty strings when there is none.

        It is the first filled column of the table, but the answer of `solution` where that continues a bare one: the `answer`
        column of MATH-500 has 204 for 204_5. A data set in TRL's form (`prompt` as messages) has its gold in `solution`. A
        number among options is the number of one, from 0.
        """
        names = self.gold
        solution = next((name for name in names if name.lower() == "solution"), None)
        if solution is not None and isinstance(row.get("prompt"), list) and read_gold(row.get(solution)):
            return solution, read_gold(row[solution])
        name = next((name for name in names if read_gold(row.get(name))), None)
        if name is None:
            return "", ""
        numbers = row[name] if isinstance(row[name], list) else [row[name]]
        options = first_filled(row, self.options)
        if isinstance(options, list) and all(type(n) is int and 0 <= n < len(options) for n in numbers):
            return name, "".join(chr(ord("A") + n) for n in numbers)
        gold = read_gold(row[name])
        if solution is not None and _continues(told := read_gold(row.get(solution)), gold):
            return solution, told
        return name, gold


def columns_of(names: Iterable[str], question_column: str | None = None, gold_column: str | None = None) -> Columns:
    """The columns among these names, as far as there are any; a row serves as names. Capitals do not matter.

    Args:
        names (`Iterable[str]`):
            The columns of a data set or a row.
        question_column (`str`, *optional*), gold_column (`str`, *optional*):
            The only column of the question, of the right answer. If `None`, they are looked for by the usual names.
    """
    by_lower = {name.lower(): name for name in reversed(list(names))}

    def known(usual: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(by_lower[name] for name in usual if name in by_lower)

    worked, program = known(WORKED_COLUMNS), known(PROGRAM_COLUMNS)
    return Columns(
        (question_column,) if question_column is not None else known(QUESTION_COLUMNS),
        (gold_column,) if gold_column is not None else known(GOLD_COLUMNS),
        known(OPTION_COLUMNS),
        worked[0] if worked else gold_column,
        program[0] if program else None,
    )


def find_columns(
    names: Iterable[str],
    question_column: str | None = None,
    gold_column: str | None = None,
    need: Sequence[str] = ("question", "gold"),
) -> Columns:
    """The columns of a data set as [`columns_of`], or an error that names those that there are.

    Args:
        names (`Iterable[str]`):
            The columns of the data set.
        question_column (`str`, *optional*), gold_column (`str`, *optional*):
            Column of the question, of the right answer. If `None`, they are looked for by the usual names.
        need (`Sequence[str]`, *optional*, defaults to `("question", "gold")`):
            What has to be found.

    Raises:
        DataError: no column fits, or a given name is not there.
    """
    names = list(names)
    for argument, given in (("question_column", question_column), ("gold_column", gold_column)):
        if given is not None and given not in names:
            raise DataError(
                f"There is no column {given!r}; the columns are {', '.join(names)}. Set {argument} to one of them."
            )
    columns = columns_of(names, question_column, gold_column)
    for what, found, usual in (
        ("question", columns.question, QUESTION_COLUMNS),
        ("gold", columns.gold, GOLD_COLUMNS),
    ):
        if what in need and not found:
            raise DataError(
                f"No column looks like the {what}; the columns are {', '.join(names)}. Name it with {what}_column "
                f"(looked for: {', '.join(usual)})."
            )
    return columns


def first_filled(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first cell of these names that holds something; None without one."""
    return next((row[name] for name in names if row.get(name) not in (None, "", [])), None)


def read_gold(value: Any) -> str:
    r"""The bare answer in a cell: behind `####`, in the last box, or the cell as it is. A list is one answer in parts. Empty
    when there is none."""
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(read_gold, value)))
    if not isinstance(value, str | int | float) or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
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


def split_gsm8k(answer: str) -> tuple[str, str] | None:
    """Cuts `"48/2 = <<48/2=24>>24 clips.\\n#### 24"` into the worked solution, without the calculator's marks, and the
    final answer; None for a text without `####`."""
    if "####" not in answer:
        return None
    worked, _, final = answer.rpartition("####")
    return without_marks(worked).strip(), final.strip()


def without_marks(text: str) -> str:
    """GSM8K's worked solution without the calculator's marks `<<48/2=24>>`."""
    return _CALCULATOR.sub("", text)


def _continues(longer: str, gold: str) -> bool:
    """Whether an answer says more than a bare one: 204_5 than 204, but not 2040, 204.5 or 204x."""
    rest = longer[len(gold) :]
    if not longer.startswith(gold) or not rest:
        return False
    return not rest[0].isalnum() and not (rest[0] in ".," and rest[1:2].isdigit())
