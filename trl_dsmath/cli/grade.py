"""`dsmath grade`: judges the answers in a file of completions and writes one verdict a row."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.files import read_jsonl
from ..errors import ConfigError, DataError
from ..grading import Verdict
from ..grading.batch import TIME_LIMIT, judge
from ..rewards.accuracy import GOLD_COLUMNS
from ..rewards.completions import completion_text
from ..scripts.options import parse_light, progress
from ..text import read_answer

COMPLETION_COLUMNS = ("completion", "completions", "response", "output", "prediction", "generated_text", "text")
_CHUNK = 256


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath grade",
        description="Judge completions against golds. Reads JSON lines, or the completions/*.parquet that TRL writes with "
        "--log_completions; writes one JSON line a row as it goes, and goes on where it was stopped.",
    )
    parser.add_argument("input", type=Path, help="a .jsonl or .parquet file, or a folder of parquet files")
    parser.add_argument("--output", type=Path, help="where the verdicts go (default: INPUT.verdicts.jsonl)")
    parser.add_argument(
        "--completion_column", help=f"column of the completion (default: the first of {', '.join(COMPLETION_COLUMNS)})"
    )
    parser.add_argument("--gold_column", help=f"column of the gold (default: the first of {', '.join(GOLD_COLUMNS)})")
    parser.add_argument(
        "--time_limit", type=float, default=TIME_LIMIT, help="seconds for one pair (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="start anew although the output exists")
    return parser


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file, a parquet file or a folder of parquet files; says which lines could not be read.

    Raises:
        DataError: nothing is there, or nothing can be read.
    """
    if path.is_dir() or path.suffix == ".parquet":
        import pyarrow.parquet

        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise DataError(f"{path}: no .parquet file there")
        return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
    if not path.is_file():
        raise DataError(f"there is no file or folder {path}")
    rows, broken = read_jsonl(path)
    if broken:
        print(
            f"{path}: {len(broken)} lines are no JSON object and were passed over (line {', '.join(map(str, broken[:5]))})"
        )
    return rows


def pick_column(rows: list[dict[str, Any]], given: str | None, usual: tuple[str, ...], flag: str) -> str:
    """The column that was named, or the first usual one that is not empty throughout.

    Raises:
        DataError: it is not there; the message lists the columns and the flag.
    """
    found = (
        given
        if given is not None
        else next((name for name in usual if any(row.get(name) is not None for row in rows)), None)
    )
    columns = dict.fromkeys(name for row in rows for name in row)
    if found is None or found not in columns:
        raise DataError(
            f"no column {given or ' / '.join(usual)}; the columns are {', '.join(columns)}: name one with {flag}"
        )
    return found


def _resume(output: Path, rows: list[dict], completion: str) -> Counter:
    """Counts the verdicts that stand in the output already, and cuts off a half-written last line."""
    whole, done = 0, Counter[str]()
    with output.open("rb+") as file:
        last: dict = {}
        for line in file:
            try:
                last = json.loads(line)
            except json.JSONDecodeError:
                break
            whole += len(line)
            done[last["verdict"]] += 1
        file.truncate(whole)
    total = done.total()
    if total > len(rows) or (
        total and last.get("read_answer") != read_answer(completion_text(rows[total - 1][completion]))
    ):
        raise ConfigError(f"{output} belongs to another input: give another --output, or --overwrite")
    return done


def _judged(
    rows: list[dict], completion: str, gold: str, start: int, limit: float
) -> Iterator[tuple[dict, str | None, Verdict]]:
    for first in range(start, len(rows), _CHUNK):
        chunk = rows[first : first + _CHUNK]
        answers = [read_answer(completion_text(row.get(completion))) for row in chunk]
        yield from zip(chunk, answers, judge(answers, [row.get(gold) for row in chunk], limit), strict=True)


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    rows = read_rows(args.input)
    completion = pick_column(rows, args.completion_column, COMPLETION_COLUMNS, "--completion_column")
    gold = pick_column(rows, args.gold_column, GOLD_COLUMNS, "--gold_column")
    output = args.output or args.input.with_name(args.input.name + ".verdicts.jsonl")
    print(f"judging {len(rows):,} rows of {args.input}: {completion!r} against {gold!r}, into {output}")
    counts = _resume(output, rows, completion) if output.exists() and not args.overwrite else Counter[str]()
    start = counts.total()
    if start:
        print(f"{start:,} rows stand there already; going on after them")
    try:
        with output.open("a" if start else "w", encoding="utf-8") as file:
            judged = _judged(rows, completion, gold, start, args.time_limit)
            for row, answer, verdict in progress(judged, len(rows), "grade", start):
                line = {
                    "read_answer": answer,
                    "gold": row.get(gold),
                    "verdict": verdict,
                    completion: row.get(completion),
                }
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
                counts[verdict] += 1
                if counts.total() % _CHUNK == 0:
                    file.flush()
    except OSError as error:
        raise DataError(
            f"{output} cannot be written: {error}. What stands there is whole; run again to go on."
        ) from error
    print(summary(counts))
    return 0


def summary(counts: Counter) -> str:
    """A small table of verdicts, and the accuracy over the rows whose gold can be read."""
    total = counts.total()
    lines = [f"  {verdict:<11}{counts[verdict]:>9,}{counts[verdict] / max(total, 1):>8.1%}" for verdict in Verdict]
    readable = total - counts[Verdict.BAD_GOLD]
    share = counts[Verdict.CORRECT] / readable if readable else 0.0
    return "\n".join([*lines, f"accuracy {share:.1%} of {readable:,} rows with a readable gold"])
