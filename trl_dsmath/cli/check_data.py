"""`dsmath check-data`: lists the golds of a data set against which no answer can be verified, before training."""

import argparse
import json
from collections import Counter
from pathlib import Path

from ..errors import DataError
from ..grading import check_golds
from ..rewards.accuracy import GOLD_COLUMNS
from .grade import pick_column, read_rows
from .options import parse_light

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath check-data",
        description="Say how each gold answer is read. Exit code 1 when some cannot be verified.",
    )
    parser.add_argument("dataset", help="a .jsonl or .parquet file, or the name of a data set on the hub")
    parser.add_argument("--dataset_config", help="configuration of a data set on the hub")
    parser.add_argument("--split", default="train", help="split of a data set on the hub (default: %(default)s)")
    parser.add_argument("--gold_column", help=f"column of the gold (default: the first of {', '.join(GOLD_COLUMNS)})")
    parser.add_argument("--output", type=Path, help="write how every gold was read, one JSON line each")
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


def _short(gold: object) -> str:
    text = repr(gold)
    return text if len(text) <= 90 else f"{text[:60]} ... {text[-25:]}"
