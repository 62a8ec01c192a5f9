"""`dsmath grade`: judges the answers in a file of completions and writes one verdict per row."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..data.columns import COMPLETION_COLUMNS, GOLD_COLUMNS, Columns, find_columns
from ..data.files import first_few, read_rows
from ..data.journal import Journal, settings_path
from ..errors import ConfigError, DataError
from ..grading import Verdict
from ..grading.batch import TIME_LIMIT, judge
from ..rewards.completions import completion_text
from ..scripts.options import parse_light
from ..text import read_answer

_CHUNK = 256


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath grade",
        description="Judge completions against golds. Reads JSON lines, or the completions/*.parquet that TRL writes with "
        "--log_completions; writes one JSON line per row as it goes. The same command continues a run that was stopped.",
    )
    parser.add_argument("input", type=Path, help="a .jsonl or .parquet file, or a folder of parquet files")
    parser.add_argument("--output", type=Path, help="where the verdicts go (default: INPUT.verdicts.jsonl)")
    parser.add_argument(
        "--completion_column", help=f"column of the completion (default: the first of {', '.join(COMPLETION_COLUMNS)})"
    )
    parser.add_argument("--gold_column", help=f"column of the gold (default: the first of {', '.join(GOLD_COLUMNS)})")
    parser.add_argument(
        "--time_limit", type=float, default=TIME_LIMIT, help="seconds of CPU time for one pair (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="start anew although the output exists")
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    rows, broken = read_rows(args.input)
    if broken:
        print(f"{args.input}: {len(broken)} lines are not JSON objects and are left out (line {first_few(broken)})")
    completion, columns = find_completion(rows, args.completion_column, args.gold_column)
    output = args.output or args.input.with_name(args.input.name + ".verdicts.jsonl")
    print(f"judging {len(rows):,} rows of {args.input}: {completion!r} against {columns.gold[0]!r}, into {output}")
    if args.overwrite:
        output.unlink(missing_ok=True)
        settings_path(output).unlink(missing_ok=True)
    settings = {"completion_column": completion, "gold_columns": columns.gold, "time_limit": args.time_limit}
    try:
        with Journal(output, ("row",), settings, holds="verdicts") as journal:
            counts = _grade(rows, completion, columns, journal, args.time_limit)
    except (ConfigError, DataError) as error:
        raise ConfigError(f"{error} Or start anew with --overwrite.") from error
    except OSError as error:
        raise DataError(
            f"{output} cannot be written: {error}. What is there is whole; run again to continue."
        ) from error
    print(summary(counts))
    return 0


def find_completion(
    rows: list[dict[str, Any]], completion_column: str | None, gold_column: str | None
) -> tuple[str, Columns]:
    """The column of the completion, the first usual one that is not empty throughout, and the columns of the gold.

    Raises:
        DataError: one of them is not there; the message lists the columns.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    filled = [name for name in names if any(row.get(name) is not None for row in rows)]
    usual = next((name for name in COMPLETION_COLUMNS if name in filled), None)
    completion = completion_column or usual
    if completion is None or completion not in names:
        raise DataError(
            f"There is no column {completion_column or 'of completions'}; the columns are {', '.join(names)}. Name one with "
            "completion_column."
        )
    own = [name for name in filled if name != completion]
    return completion, find_columns(names if gold_column else own, None, gold_column, need=("gold",))


def _grade(
    rows: list[dict[str, Any]], completion: str, columns: Columns, journal: Journal, time_limit: float
) -> Counter[Verdict]:
    """Judges the rows that have no verdict yet; returns the verdicts of all."""
    counts: Counter[Verdict] = Counter()
    last: dict[str, Any] = {}
    for last in journal.rows():
        counts[Verdict(last["verdict"])] += 1
    start = counts.total()
    answers = [read_answer(completion_text(row.get(completion))) for row in rows]
    if start > len(rows) or (start and last.get("read_answer") != answers[start - 1]):
        raise ConfigError(f"{journal.path} belongs to another input: choose another output.")
    if start:
        print(f"{start:,} rows are judged already; continuing after them")
    hidden = not sys.stderr.isatty()
    bar = tqdm(total=len(rows), initial=start, desc="grade", unit="row", disable=hidden, leave=False)
    for first in range(start, len(rows), _CHUNK):
        chunk = range(first, min(first + _CHUNK, len(rows)))
        verdicts = judge([answers[i] for i in chunk], [columns.gold_of(rows[i]) for i in chunk], time_limit)
        journal.append(
            {
                "row": i,
                "read_answer": answers[i],
                "gold": columns.gold_of(rows[i]),
                "verdict": verdict,
                completion: rows[i].get(completion),
            }
            for i, verdict in zip(chunk, verdicts, strict=True)
        )
        counts.update(verdicts)
        bar.update(len(chunk))
    bar.close()
    return counts


def summary(counts: Counter) -> str:
    """A small table of verdicts, and the accuracy over the rows whose gold can be read."""
    total = counts.total()
    lines = [f"  {verdict:<11}{counts[verdict]:>9,}{counts[verdict] / max(total, 1):>8.1%}" for verdict in Verdict]
    readable = total - counts[Verdict.BAD_GOLD]
    share = counts[Verdict.CORRECT] / readable if readable else 0.0
    return "\n".join([*lines, f"accuracy {share:.1%} of {readable:,} rows with a readable gold"])
