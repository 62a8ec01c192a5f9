"""`dsmath check-data`: before training, the golds that cannot be verified, or the rows that repeat a benchmark."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ..data.benchmarks import benchmark_texts
from ..data.columns import GOLD_COLUMNS, find_columns
from ..data.files import first_few, load, pick_split, read_rows
from ..data.journal import json_line, whole_file
from ..grading import check_golds
from ..scripts.options import parse_light
from ..text.ngrams import Hit, NgramIndex

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath check-data",
        description="Say how each gold answer is read; with --benchmarks, list the rows that repeat a test set instead. "
        "Exit code 1 when some golds cannot be verified, some rows repeat a test set, or some lines are not JSON objects.",
    )
    parser.add_argument("dataset", help="a .jsonl or .parquet file, or the name of a data set on the hub")
    parser.add_argument("--dataset_config", help="configuration of a data set on the hub")
    parser.add_argument("--split", default="train", help="split of a data set on the hub (default: %(default)s)")
    parser.add_argument("--gold_column", help=f"column of the gold (default: the first of {', '.join(GOLD_COLUMNS)})")
    parser.add_argument(
        "--benchmarks",
        help="comma-separated test sets: list the rows that hold a 10-gram or a whole short text of one",
    )
    parser.add_argument("--benchmarks_dir", help="folder with the test sets; default: the hub")
    parser.add_argument(
        "--output",
        type=Path,
        help="write how every gold was read, one JSON line each; with --benchmarks, the rows that are clean",
    )
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    rows, remarks = _rows(args)
    for remark in remarks:
        print(remark)
    found = _check_benchmarks(rows, args) if args.benchmarks else _check_golds(rows, args)
    return 1 if found or remarks else 0


def _rows(args: argparse.Namespace) -> tuple[list[dict], list[str]]:
    """The rows, and remarks about lines that are none."""
    if Path(args.dataset).suffix in {".jsonl", ".json", ".parquet"}:
        rows, broken = read_rows(args.dataset)
        what = f"{args.dataset}: {len(broken):,} lines are not JSON objects and are not checked (line {first_few(broken)})"
        return rows, [what] if broken else []
    splits, remarks = load(args.dataset, args.dataset_config)
    return list(pick_split(splits, args.split)), remarks


def _check_golds(rows: list[dict], args: argparse.Namespace) -> bool:
    """Says how the golds that training would use are read. Returns whether some cannot be verified."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = find_columns(names, None, args.gold_column, need=("gold",))
    cells = [columns.gold_cell(row) for row in rows]
    reports = check_golds([gold for _, gold in cells])
    bad = [(number, report) for number, report in enumerate(reports) if not report.ok]
    used = Counter(name for name, _ in cells if name) or Counter(columns.gold[:1])
    where = (
        ", ".join(map(repr, used)) if len(used) == 1 else ", ".join(f"{name!r} ({n:,})" for name, n in used.items())
    )
    print(f"{len(reports):,} golds in column {where} of {args.dataset}")
    for note, count in Counter(report.note for report in reports if report.ok).most_common():
        print(f"  {count:>9,}  {note}")
    print(f"  {len(bad):>9,}  cannot be verified")
    for number, report in bad[:_SHOWN]:
        shown = report.gold or next((rows[number][name] for name in columns.gold if name in rows[number]), None)
        print(f"    row {number}: {_short(shown)}  ({report.note})")
    if len(bad) > _SHOWN:
        print(f"    and {len(bad) - _SHOWN:,} more: --output FILE lists them all")
    if args.output:
        _write(args.output, ({"row": number, **asdict(report)} for number, report in enumerate(reports)))
    return bool(bad)


def _check_benchmarks(rows: list[dict], args: argparse.Namespace) -> bool:
    """The paper's rule (§2.1.1) on every text of every row: question, solution, messages. Returns whether some repeat a test set."""
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
        _write(args.output, (row for number, row in enumerate(rows) if number not in bad))
        print(f"{args.output}: the {len(rows) - len(found):,} clean rows")
    return bool(found)


def _write(path: Path, rows: Iterable[dict]) -> None:
    with whole_file(path) as file:
        file.writelines(map(json_line, rows))


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
