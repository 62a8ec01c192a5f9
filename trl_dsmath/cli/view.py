"""`dsmath view`: the completions that a GRPO run logged, as one page."""

import argparse
from pathlib import Path

from ..audit.view import make_page
from ..data.journal import write_whole
from ..scripts.options import parse_light


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath view",
        description="One HTML page of what a run of GRPO wrote with --log_completions, TRL's own as well: solutions, their steps "
        "colored by score, filters by verdict and training step, where step scores and outcome disagree, growth.",
    )
    parser.add_argument("run", type=Path, help="output_dir of the run, its folder `completions`, or a .parquet file")
    parser.add_argument("--output", type=Path, help="where the page goes (default: view.html in the folder)")
    parser.add_argument(
        "--prompts", type=int, default=4, help="prompts shown per training step (default: %(default)s)"
    )
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    page = make_page(args.run, args.prompts)
    output = args.output or (args.run if args.run.is_dir() else args.run.parent) / "view.html"
    write_whole(output, page.html())
    print(f"{page.headline.replace('**', '')}\nsaved       {output}")
    return 0
