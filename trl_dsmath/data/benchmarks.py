"""Benchmarks: where each is, what its answers are, how many examples a base model is shown, and its problems.

To add one, add a record to [`BENCHMARKS`]. The hub names were not tried where this was written (no hub); the local files are
those of the paper's own harness.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError, DataError
from .columns import columns_of, first_filled
from .files import load, pick_split, read_jsonl

# What an answer is. "several": values in a fixed order, as a gap text has them.
Kind = Literal["number", "formula", "choice", "several"]


@dataclass(frozen=True)
class Benchmark:
    """
    A test set.

    Attributes:
        title (`str`):
            Name for people.
        size (`int`):
            Number of problems of the test set that was published.
        kind (`str`):
            What an answer is: `"number"`, `"formula"`, `"choice"` or `"several"`.
        file (`str`):
            Its place in a folder of benchmarks.
        hub (`str`):
            Its name on the hub.
        hub_configs (`tuple[str | None, ...]`):
            Configurations there; the rows of all are taken.
        hub_split (`str`):
            Split there.
        shots (`int`):
            Examples for a base model in the published harness; 0 where the paper has none.
        examples (`str`):
            Which examples of [`trl_dsmath.data.few_shot`] a base model is shown.
        published (`str`, *optional*):
            Under which name `paper.RESULTS` holds its metrics.
        subjects (`tuple[str, ...]`, *optional*):
            Rows of these subjects only, on the hub.
    """

    title: str
    size: int
    kind: Kind
    file: str
    hub: str
    hub_configs: tuple[str | None, ...] = (None,)
    hub_split: str = "test"
    shots: int = 0
    examples: str = ""
    published: str | None = None
    subjects: tuple[str, ...] = ()


_MATH_SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus",
)  # fmt: skip
_STEM = (
    "abstract_algebra", "astronomy", "college_biology", "college_chemistry", "college_computer_science",
    "college_mathematics", "college_physics", "computer_security", "conceptual_physics", "electrical_engineering",
    "elementary_mathematics", "high_school_biology", "high_school_chemistry", "high_school_computer_science",
    "high_school_mathematics", "high_school_physics", "high_school_statistics", "machine_learning",
)  # fmt: skip

# fmt: off
BENCHMARKS: dict[str, Benchmark] = {
    "gsm8k": Benchmark(
        title="GSM8K", size=1319, kind="number", file="gsm8k/test.jsonl", hub="openai/gsm8k", hub_configs=("main",),
        shots=8, examples="gsm8k", published="gsm8k",
    ),
    "math": Benchmark(
        title="MATH", size=5000, kind="formula", file="math/test.jsonl", hub="EleutherAI/hendrycks_math",
        hub_configs=_MATH_SUBJECTS, shots=4, examples="math", published="math",
    ),
    "math500": Benchmark(
        title="MATH-500", size=500, kind="formula", file="math500/test.jsonl", hub="HuggingFaceH4/MATH-500", shots=4,
        examples="math", published="math",
    ),
    "ocw": Benchmark(
        title="OCW courses", size=272, kind="formula", file="ocw/test.jsonl", hub="math-ai/minervamath", shots=4,
        examples="ocw", published="ocw",
    ),
    "sat": Benchmark(
        title="SAT", size=32, kind="choice", file="sat/test.jsonl", hub="mcaleste/sat_multiple_choice_math_may_23",
        hub_split="train", shots=4, examples="sat", published="sat",
    ),
    "mmlu_stem": Benchmark(
        title="MMLU-STEM", size=3018, kind="choice", file="mmlu_stem/test.jsonl", hub="cais/mmlu",
        hub_configs=("all",), subjects=_STEM, shots=4, examples="mmlu_stem", published="mmlu_stem",
    ),
    "cmath": Benchmark(
        title="CMATH", size=1098, kind="number", file="cmath/test.jsonl", hub="weitianwen/cmath", shots=6,
        examples="cmath", published="cmath",
    ),
    "mgsm_zh": Benchmark(
        title="MGSM-zh", size=250, kind="number", file="mgsm_zh/test.jsonl", hub="juletxara/mgsm",
        hub_configs=("zh",), examples="cmath", published="mgsm_zh",
    ),
    "gaokao_mathcloze": Benchmark(
        title="GaoKao MathCloze", size=118, kind="several", file="gaokao/gaokao-mathcloze.jsonl",
        hub="hails/agieval-gaokao-mathcloze", shots=5, examples="gaokao_mathcloze", published="gaokao_mathcloze",
    ),
    "gaokao_mathqa": Benchmark(
        title="GaoKao MathQA", size=351, kind="choice", file="gaokao/gaokao-mathqa.jsonl",
        hub="hails/agieval-gaokao-mathqa", shots=5, examples="gaokao_mathqa", published="gaokao_mathqa",
    ),
    "aime24": Benchmark(
        title="AIME 2024", size=30, kind="number", file="aime24/test.jsonl", hub="HuggingFaceH4/aime_2024",
        hub_split="train", examples="math",
    ),
    "aime25": Benchmark(
        title="AIME 2025", size=30, kind="number", file="aime25/test.jsonl", hub="math-ai/aime25", examples="math",
    ),
}
# fmt: on


def find(name: str) -> Benchmark:
    """The benchmark of a name; hyphens and capitals do not matter.

    Raises:
        ConfigError: there is none.
    """
    known = canonical(name)
    if known not in BENCHMARKS:
        raise ConfigError(f"There is no benchmark {name!r}. There are: {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[known]


def canonical(name: str) -> str:
    """`MATH-500`, `GSM8K`, `gaokao-mathqa` as the table spells them."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return next((known for known in BENCHMARKS if known.replace("_", "") == plain.replace("_", "")), plain)


_OPTION = re.compile(r"(?:^|\s|\n)[(（]?([A-J])[)）.:：、]\s*")


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
            The options without their letters; empty where there are none.
        gold (`str`), kind (`str`):
            The right answer, and what it is.
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
        `tuple[str, str]`: where the text is (`gsm8k/17/question`), and the text.
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
            f"{benchmark.title}: there is no {path}. benchmarks_dir is the folder that holds {benchmark.file}; "
            f"without it {benchmark.hub} is loaded from the hub."
        )
    rows, broken = read_jsonl(path)
    if broken:
        raise DataError(f"{path}: line {broken[0]} is not a JSON object; a test set must be complete.")
    return rows


def _hub_rows(benchmark: Benchmark) -> Iterable[dict[str, Any]]:
    for config in benchmark.hub_configs:
        splits, _ = load(benchmark.hub, config)
        for row in pick_split(splits, benchmark.hub_split, benchmark.hub):
            if not benchmark.subjects or row.get("subject") in benchmark.subjects:
                yield row


def _problem(name: str, benchmark: Benchmark, index: int, row: dict[str, Any]) -> Problem:
    columns = columns_of(row)
    question, gold = columns.question_of(row), columns.gold_of(row)
    options = split_options(first_filled(row, columns.options)) if benchmark.kind == "choice" else ()
    if benchmark.kind == "choice":
        gold = re.sub(r"[\s,]+", "", gold)  # "A B D"
    if not question or not gold:
        raise DataError(f"{benchmark.title}, row {index}: no {'answer' if question else 'question'} in {sorted(row)}.")
    return Problem(name, index, question, options, gold, benchmark.kind)


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

    def order(problem: Problem) -> bytes:
        return hashlib.blake2b(f"{problem.benchmark}/{problem.index}".encode(), digest_size=8).digest()

    return sorted(sorted(problems, key=order)[:limit], key=lambda problem: problem.index)
