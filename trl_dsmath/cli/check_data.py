"""`dsmath check-data`: before training, the golds that cannot be verified, or the rows that repeat a benchmark."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..data.benchmark_problems import benchmark_texts
from ..errors import DataError
from ..grading import check_golds
from ..rewards.accuracy import GOLD_COLUMNS
from ..scripts.options import parse_light
from ..text.ngrams import Hit, NgramIndex
from .grade import pick_column, read_rows

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath check-data",
        description="Say how each gold answer is read; with --benchmarks, list the rows that repeat a test set instead. "
        "Exit code 1 when some golds cannot be verified, or some rows repeat a test set.",
    )
    parser.add_argument("dataset", help="a .jsonl or .parquet file, or the name of a data set on the hub")
    parser.add_argument("--dataset_config", help="configuration of a data set on the hub")
    parser.add_argument("--split", default="train", help="split of a data set on the hub (default: %(default)s)")
    parser.add_argument("--gold_column", help=f"column of the gold (default: the first of {', '.join(GOLD_COLUMNS)})")
    parser.add_argument(
        "--benchmarks",
        help="comma-separated test sets: list the rows that hold a 10-gram or a whole short text of one",
    )
    parser.add_argument("--benchmarks_dir", help="folder with the test sets; the hub when left out")
    parser.add_argument(
        "--output",
        type=Path,
        help="write how every gold was read, one JSON line each; with --benchmarks, the rows that are clean",
    )
    return parser


def _rows(args: argparse.Namespace) -> list[dict]:
    if Path(args.dataset).suffix in {".jsonl", ".json", ".parquet"}:
        return read_rows(Path(args.dataset))
    from ..data.files import load

    splits, remarks = load(args.dataset, args.dataset_config)
    for remark in remarks:
        print(remark)
    if args.split not in splits:
        raise DataError(f"no split {args.split!r}; there are {', '.join(splits)}: name one with --split")
    return list(splits[args.split])


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    rows = _rows(args)
    if args.benchmarks:
        return _check_benchmarks(rows, args)
    column = pick_column(rows, args.gold_column, GOLD_COLUMNS, "--gold_column")
    reports = check_golds([row.get(column) for row in rows])
    bad = [(number, report) for number, report in enumerate(reports) if not report.ok]
    print(f"{len(reports):,} golds in column {column!r} of {args.dataset}")
    for note, count in Counter(report.note for report in reports if report.ok).most_common():
        print(f"  {count:>9,}  {note}")
    print(f"  {len(bad):>9,}  cannot be verified")
    for number, report in bad[:_SHOWN]:
        print(f"    row {number}: {_short(report.gold)}  ({report.note})")
    if len(bad) > _SHOWN:
        print(f"    and {len(bad) - _SHOWN:,} more: --output FILE lists them all")
    if args.output:
        with args.output.open("w", encoding="utf-8") as file:
            for number, report in enumerate(reports):
                line = {
                    "row": number,
                    "gold": report.gold,
                    "ok": report.ok,
                    "read_as": report.read_as,
                    "note": report.note,
                }
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    return 1 if bad else 0


def _check_benchmarks(rows: list[dict], args: argparse.Namespace) -> int:
    """The paper's rule (§2.1.1) on every text of every row: question, solution, messages."""
    names = args.benchmarks if isinstance(args.benchmarks, list) else args.benchmarks.split(",")
    index = NgramIndex()
    for name in names:
        for source, text in benchmark_texts(name.strip(), args.benchmarks_dir):
            index.add(text, source)
    found = [(number, first) for number, row in enumerate(rows) if (first := _first_hit(row, index)) is not None]
    print(f"{len(rows):,} rows of {args.dataset} against {', '.join(names)} ({len(index.sources):,} texts)")
    sources = Counter(hit.source.split("/")[0] for _, (_, hit, _) in found)
    for name, count in sources.most_common():
        print(f"  {count:>9,}  rows repeat {name}")
    print(f"  {len(rows) - len(found):>9,}  are clean")
    for number, (column, hit, text) in found[:_SHOWN]:
        print(f"    row {number}, {column}: {hit.source} ({hit.rule}): {_short(text)}")
    if len(found) > _SHOWN:
        print(f"    and {len(found) - _SHOWN:,} more")
    if args.output:
        bad = {number for number, _ in found}
        with args.output.open("w", encoding="utf-8") as file:
            for number, row in enumerate(rows):
                if number not in bad:
                    file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        print(f"{args.output}: the {len(rows) - len(found):,} clean rows")
    return 1 if found else 0


def _first_hit(row: dict, index: NgramIndex) -> tuple[str, Hit, str] | None:
    """Column, hit, and the words that are repeated."""
    for column, cell in row.items():
        for text in _texts(cell):
            if hits := index.find(text):
                return column, hits[0], text[hits[0].start : hits[0].end]
    return None


def _texts(cell: object) -> Iterator[str]:
    if isinstance(cell, str):
        yield cell
    elif isinstance(cell, dict):
        for part in cell.values():
            yield from _texts(part)
    elif isinstance(cell, list):
        for part in cell:
            yield from _texts(part)


def _short(gold: object) -> str:
    text = repr(gold)
    return text if len(text) <= 90 else f"{text[:60]} ... {text[-25:]}"
