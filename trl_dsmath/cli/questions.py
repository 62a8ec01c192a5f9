"""Where the questions of `dsmath solve` come from: a file, a data set on the hub, the terminal or a pipe."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError

_PROMPT = "question> "


def few_shot_pairs(name: str | None, mode: str) -> list[tuple[str, str]]:
    """Worked examples: ours of a benchmark, or the rows of a file.

    Raises:
        ConfigError: there are none of that name.
        DataError: a row has no question or no solution.
    """
    if name is None:
        return []
    from ..data.few_shot import EXAMPLES
    from ..data.files import read_jsonl
    from ..data.prompts import FINAL_ANSWER

    if is_file(name):
        rows, _ = read_jsonl(Path(name))
        if not all(row.get("question") and row.get("solution") for row in rows):
            raise DataError(f"{name}: each line of worked examples needs `question` and `solution`.")
        return [(row["question"], row["solution"]) for row in rows]
    if name not in EXAMPLES:
        raise ConfigError(f"There are no worked examples {name!r}: name a .jsonl file, or {', '.join(EXAMPLES)}.")
    if mode == "cot":
        return [(e.question, f"{e.solution}\n{FINAL_ANSWER.format(answer=e.answer)}") for e in EXAMPLES[name]]
    programs = [(e.question, f"```python\n{e.program}\n```") for e in EXAMPLES[name] if e.program]
    if not programs:
        raise ConfigError(f"The worked examples of {name} have no programs: use gsm8k or math, or a file of your own.")
    return programs


def read_questions(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The questions of a file, each with its gold where there is one.

    Raises:
        DataError: it cannot be read, or no column is a question.
    """
    from ..data.columns import find_columns
    from ..data.files import load

    path = Path(args.input)
    if path.suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        found = [{"question": line.strip(), "gold": None} for line in lines if line.strip()]
    else:
        splits, remarks = load(args.input, args.dataset_config)
        for remark in remarks:
            say("data", remark)
        split = args.dataset_split or ("test" if "test" in splits else next(iter(splits)))
        if split not in splits:
            raise DataError(f"There is no split {split!r}; there are: {', '.join(splits)}. See --dataset_split.")
        data = splits[split]
        columns = find_columns(data.column_names, args.question_column, args.gold_column, need=("question",))
        found = [{"question": columns.question_of(row), "gold": columns.gold_of(row) or None} for row in data]
    blank = sum(not row["question"] for row in found)
    if blank:
        say("data", f"{blank} rows have no question and are left out")
    rows = [row for row in found if row["question"]][: args.limit]
    if not rows:
        raise DataError(f"{args.input} holds no question.")
    say("data", f"{len(rows):,} questions, {sum(row['gold'] is not None for row in rows):,} with a right answer")
    return rows


def questions_of_stdin() -> Iterator[str]:
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401  (arrow keys in input)

    say("prompt", "one question a line; an empty line or Ctrl-D ends")
    while True:
        try:
            question = input(_PROMPT).strip()
        except EOFError:
            return
        if not question:
            return
        yield question


def is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except OSError:  # a question is longer than a name may be
        return False


def say(what: str, line: str) -> None:
    """What is going on goes to stderr: stdout is for answers."""
    print(f"{what:<12}{line}", file=sys.stderr, flush=True)
