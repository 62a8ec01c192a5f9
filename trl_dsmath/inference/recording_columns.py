"""The columns of recorded completions, under the names that evaluation tools give them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.benchmark_problems import Problem, split_options
from ..data.benchmarks import BENCHMARKS, Kind, canonical
from ..data.problems import read_gold, read_question
from ..errors import DataError
from ..text import read_choice

# Ours and TRL's, lm-eval, Qwen's and ToRA's, DeepSeek's.
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
NAMES = ("benchmark", "dataset", "data_name", "data_source", "task", "task_name")
_WORDS_OF_LABELS = {"true": True, "correct": True, "right": True, "false": False, "incorrect": False, "wrong": False}


def first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first cell of these names that holds something."""
    return next((row[name] for name in names if row.get(name) not in (None, "", [])), None)


def texts_of(cell: Any) -> list[str] | None:
    """Completions as strings: of a string, a message, a list of messages, and lists of these."""
    if isinstance(cell, str):
        return [cell]
    if isinstance(cell, Mapping):
        found = next((cell[name] for name in ("content", "text", *COMPLETIONS) if name in cell), None)
        return texts_of(found)
    if isinstance(cell, list) and cell:
        if all(isinstance(part, Mapping) and "role" in part for part in cell):
            spoken = [str(part.get("content") or "") for part in cell if part["role"] != "user"]
            return ["\n".join(spoken)] if spoken else None
        parts = [texts_of(part) if part != "" else [""] for part in cell]
        return None if any(part is None for part in parts) else [text for part in parts for text in part or []]
    return None


def labels_of(row: Mapping[str, Any], count: int) -> list[bool] | None:
    """Whether each completion was right by whoever recorded it; `None` when the row does not say."""
    for name in LABELS:
        cell = row.get(name)
        cells = cell if isinstance(cell, list) else [cell]
        cells = [_WORDS_OF_LABELS.get(one.strip().lower()) if isinstance(one, str) else one for one in cells]
        # A mark of 5 points says nothing: the most that can be had is not known.
        if len(cells) == count and all(isinstance(one, bool | int | float) and 0 <= one <= 1 for one in cells):
            return [bool(one > 0.5) for one in cells if one is not None]
    return None


def own_problem(row: Mapping[str, Any], stem: str, where: str) -> Problem:
    """The problem of a row that brings its own gold."""
    gold_cell = first(row, GOLDS)
    if gold_cell is None:
        raise DataError(
            f"{where}: no gold. Looked for {', '.join(GOLDS)}; or name the benchmark with --benchmarks, and its golds are used."
        )
    named = canonical(str(first(row, NAMES) or ""))
    options = row.get("options") or row.get("choices")
    question = question_of(row)
    if not question:
        raise DataError(f"{where}: no question and no number. Looked for {', '.join((*QUESTIONS, *NUMBERS))}.")
    gold = read_gold(gold_cell)
    benchmark = BENCHMARKS.get(named)
    kind = benchmark.kind if benchmark else kind_of(gold)
    name = named if benchmark else str(first(row, NAMES) or stem)
    return Problem(
        name, 0, question, split_options(options), "".join(gold.split()) if kind == "choice" else gold, kind
    )


def question_of(row: Mapping[str, Any]) -> str:
    """The question of a row; its number where it has none; empty without either."""
    question = read_question(first(row, QUESTIONS), row.get("options") or row.get("choices"))
    number = first(row, NUMBERS)
    return question or ("" if number is None else f"problem {number}")


def kind_of(gold: str) -> Kind:
    """What an answer is, by its gold: a letter, a number, or a formula."""
    if len(gold) <= 8 and gold == gold.upper() and read_choice(gold) == "".join(sorted(re.findall("[A-J]", gold))):
        return "choice"
    return "number" if re.fullmatch(r"[$\s]*-?\d[\d,]*(?:\.\d+)?[$\s]*", gold) else "formula"
