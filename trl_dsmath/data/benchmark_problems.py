"""The problems of a benchmark, from local files or the hub, each with its question, its options and its gold."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from .benchmarks import Benchmark, Kind, canonical, find
from .files import load, read_jsonl
from .problems import read_gold, read_question

_QUESTION = ("question", "problem", "query", "prompt", "messages", "Question")
_OPTIONS = ("options", "choices", "Possible Answers")
_GOLD = ("answer", "golden", "label", "Answer", "answer_number", "gold", "target", "solution")
_OPTION = re.compile(r"(?:^|\s|\n)[(（]?([A-J])[)）.:：、]\s*")
# Around AGIEval's questions on the hub: "问题：... 选项：(A)... 答案：从A到D, 我们应选择".
_AGIEVAL = re.compile(r"^问题：\s*|\s*(?:选项：.*)?\s*答案：[^\n]*$", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """
    One problem of a test set.

    Attributes:
        benchmark (`str`):
            Name of the benchmark.
        index (`int`):
            Row of the file, from 0.
        question (`str`):
            The question, with its options below it.
        options (`tuple[str, ...]`):
            The options without their letters; empty where it is no multiple choice.
        gold (`str`):
            The right answer.
        kind (`str`):
            What an answer is.
    """

    benchmark: str
    index: int
    question: str
    options: tuple[str, ...]
    gold: str
    kind: Kind


def load_benchmark(name: str, folder: str | Path | None = None) -> list[Problem]:
    """
    Loads a test set from a local folder, or from the hub.

    Args:
        name (`str`):
            Name of the benchmark.
        folder (`str` or `Path`, *optional*):
            Folder with the files (`gsm8k/test.jsonl` ...), or one such file. If `None`, the hub.

    Returns:
        `list[Problem]`: all problems, in the order of the file.

    Raises:
        ConfigError: there is no such benchmark.
        DataError: its file is not there, or a row has no question or no answer.
    """
    benchmark = find(name)
    rows = _rows(benchmark, folder)
    return [_problem(canonical(name), benchmark, index, row) for index, row in enumerate(rows)]


def benchmark_texts(name: str, folder: str | Path | None = None) -> Iterator[tuple[str, str]]:
    """
    What a training set must not repeat: the questions of a test set and its worked solutions.

    Args:
        name (`str`):
            Name of the benchmark.
        folder (`str` or `Path`, *optional*):
            As for [`load_benchmark`].

    Yields:
        `tuple[str, str]`: where the text stands (`gsm8k/17/question`), and the text.
    """
    benchmark = find(name)
    name = canonical(name)
    for index, row in enumerate(_rows(benchmark, folder)):
        yield f"{name}/{index}/question", _problem(name, benchmark, index, row).question
        for column in ("answer", "solution"):
            if isinstance(row.get(column), str) and len(row[column].split()) >= 10:  # worked, not a bare answer
                yield f"{name}/{index}/{column}", row[column]


def _rows(benchmark: Benchmark, folder: str | Path | None) -> list[dict[str, Any]]:
    if folder is None:
        return list(_hub_rows(benchmark))
    path = Path(folder).expanduser()
    path = path if path.is_file() else path / benchmark.file
    if not path.is_file():
        raise DataError(
            f"{benchmark.title}: there is no {path}. --benchmarks_dir names the folder that holds {benchmark.file}; "
            f"without it {benchmark.hub} is loaded from the hub."
        )
    rows, broken = read_jsonl(path)
    if broken:
        raise DataError(f"{path}: line {broken[0]} is no JSON object; a test set must be whole.")
    return rows


def _hub_rows(benchmark: Benchmark) -> Iterable[dict[str, Any]]:
    for config in benchmark.hub_configs:
        splits, _ = load(benchmark.hub, config)
        if benchmark.hub_split not in splits:
            raise DataError(f"{benchmark.hub} has no split {benchmark.hub_split!r}; there are {', '.join(splits)}.")
        for row in splits[benchmark.hub_split]:
            if not benchmark.subjects or row.get("subject") in benchmark.subjects:
                yield row


def _problem(name: str, benchmark: Benchmark, index: int, row: Mapping[str, Any]) -> Problem:
    question = next((row[key] for key in _QUESTION if row.get(key)), None)
    if isinstance(question, str) and question.startswith("问题："):
        question = _AGIEVAL.sub("", question)
    options = next((row[key] for key in _OPTIONS if row.get(key)), None) if benchmark.kind == "choice" else None
    if isinstance(options, str):
        text = read_question(question, options)
    else:
        text = read_question(question, list(options) if options is not None else None)
    # MATH-500's column `answer` lacks the base of five answers (204 for 204_5); the solution's box has it.
    keys = ("solution", *_GOLD) if benchmark.published == "math" else _GOLD
    gold = next((row[key] for key in keys if row.get(key) not in (None, "", [])), None)
    if isinstance(gold, list):
        gold = gold[0] if len(gold) == 1 else "".join(map(_letter, gold))
    found = _letter(gold) if benchmark.kind == "choice" else read_gold(gold)
    if benchmark.kind == "choice":
        found = "".join(found.split())  # "A B D"
    if not text or not found:
        raise DataError(f"{benchmark.title}, row {index}: no {'answer' if text else 'question'} in {sorted(row)}.")
    return Problem(name, index, text, split_options(options), found, benchmark.kind)


def _letter(gold: Any) -> str:
    """Some copies number the options from 0."""
    return chr(ord("A") + gold) if isinstance(gold, int) and not isinstance(gold, bool) else str(gold or "").strip()


def split_options(options: Any) -> tuple[str, ...]:
    """The options without their letters: of a list, or of one string `"A) 3 B) 6 C) 12 D) 24"`."""
    if not options:
        return ()
    if isinstance(options, str):
        parts, expected, start = [], "A", None
        for found in _OPTION.finditer(options):
            if found[1] == expected:  # a letter in a formula is not the next option
                if start is not None:
                    parts.append(options[start : found.start()].strip())
                start, expected = found.end(), chr(ord(expected) + 1)
        return (*parts, options[start:].strip()) if start is not None else ()
    return tuple(
        _OPTION.sub("", str(option), count=1).strip() if _OPTION.match(str(option)) else str(option)
        for option in options
    )


def choose(problems: list[Problem], limit: int | None) -> list[Problem]:
    """
    The first `limit` problems of an order that looks random and is always the same.

    Test sets are sorted by subject or by difficulty, so their first rows are no sample. A higher limit holds all
    problems of a lower one.
    """
    if limit is None or limit >= len(problems):
        return problems
    chosen = sorted(problems, key=lambda problem: _order(problem))[:limit]
    return sorted(chosen, key=lambda problem: problem.index)


def _order(problem: Problem) -> bytes:
    return hashlib.blake2b(f"{problem.benchmark}/{problem.index}".encode(), digest_size=8).digest()
