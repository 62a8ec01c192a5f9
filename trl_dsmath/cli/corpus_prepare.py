"""`dsmath corpus prepare`: from a crawl to clean, deduplicated, decontaminated text, run by datatrove."""

import argparse
from typing import Any

from ..corpus.pipeline import CLEAN, Execution, prepare, statistics
from ..errors import ConfigError
from ..scripts.options import parse_light


def make_parser() -> argparse.ArgumentParser:
    """The options of the preparation."""
    parser = argparse.ArgumentParser(
        prog="dsmath corpus prepare",
        description="Extract text and formulas from a crawl, drop duplicates, keep benchmarks out.",
        allow_abbrev=False,
    )
    parser.add_argument("--pages", required=True, help="folder of .warc, .jsonl (also .gz) or .parquet; s3:// too")
    parser.add_argument(
        "--output_dir", required=True, help=f"folder for the result ({CLEAN}/), what was removed, logs"
    )
    parser.add_argument("--benchmarks", nargs="*", default=[], help="files or folders of benchmarks to keep out")
    parser.add_argument("--executor", choices=("local", "ray", "slurm"), default="local", help="default: %(default)s")
    parser.add_argument(
        "--tasks", type=int, default=16, help="parts of a stage, resumed one by one (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=1, help="tasks that run at a time (default: %(default)s)")
    parser.add_argument(
        "--max_bytes", type=int, default=10_000_000, help="longer pages are passed over (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="time for one page (default: %(default)s)")
    parser.add_argument("--partition", help="Slurm partition")
    parser.add_argument("--time", help="Slurm time limit of a task, such as 12:00:00")
    parser.add_argument("--venv_path", help="Python environment that Slurm jobs activate")
    return parser


def main(argv: list[str]) -> int:
    """Runs or goes on with the preparation, and prints what was read, kept and removed."""
    args = parse_light(make_parser(), argv)
    given = {name: getattr(args, name) for name in ("partition", "time", "venv_path")}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if options and args.executor != "slurm":
        raise ConfigError(f"--{next(iter(options))} is for --executor slurm.")
    execution = Execution(args.executor, args.tasks, args.workers, options)
    if not args.benchmarks:
        print("warning      no --benchmarks: nothing is decontaminated", flush=True)
    prepare(args.pages, args.output_dir, args.benchmarks, execution, args.max_bytes, args.seconds)
    if args.executor == "slurm":
        print(f"submitted    the stages wait for each other; the result will be in {args.output_dir}/{CLEAN}")
        return 0
    for block, counts in statistics(args.output_dir).items():
        shown = ", ".join(
            f"{key} {count:,}" for key, count in counts.items() if key not in ("doc_len", "doc_len_tokens")
        )
        if shown:
            print(f"{block:<32} {shown}")
    print(f"done         {args.output_dir}/{CLEAN}")
    return 0
