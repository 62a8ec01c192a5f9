"""`dsmath pass-rate`: the problems that a model solves sometimes, from existing samples."""

import argparse
from pathlib import Path

from ..data.journal import write_rows
from ..errors import ConfigError
from ..inference.rejection import check_rates, histogram, rated_problems
from ..scripts.options import parse_light


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath pass-rate",
        description="Show how often a model solved each problem, and write those between two rates as a data set for GRPO. "
        "A group that is right or wrong throughout teaches nothing. Nothing is drawn: samples of `dsmath rft`, `dsmath evaluate "
        "--num_samples` or `dsmath annotate` count.",
    )
    parser.add_argument("input", type=Path, help="the folder of rft, evaluate or annotate, or annotate's train.jsonl")
    parser.add_argument(
        "--output", type=Path, help="where the problems go, a .jsonl file; none are written without it"
    )
    parser.add_argument("--min", type=float, default=0.0, help="lowest share of right samples (default: %(default)s)")
    parser.add_argument("--max", type=float, default=1.0, help="highest share of right samples (default: %(default)s)")
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    check_rates(args.min, args.max)
    rows = rated_problems(args.input)
    kept = [row for row in rows if args.min <= row["pass_rate"] <= args.max]
    print(histogram([row["pass_rate"] for row in rows], args.min, args.max))
    print(f"{len(kept):,} of {len(rows):,} problems have a pass rate from {args.min:g} to {args.max:g}")
    if args.output:
        if not kept:
            raise ConfigError(f"No problem is left for {args.output}: widen --min and --max.")
        write_rows(args.output, kept)
        print(f"saved       {args.output}")
    return 0
