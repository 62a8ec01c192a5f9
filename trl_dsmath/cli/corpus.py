"""`dsmath corpus`: the loop that finds mathematical pages (paper §2.1), and the page on which people annotate prefixes."""

import argparse
from dataclasses import fields
from pathlib import Path

from ..corpus.loop import run_loop
from ..corpus.settings import LoopSettings
from ..errors import ConfigError
from ..scripts.options import parse_light
from .recipes import named_recipe

_NUMBERS = {"learning_rate": float, "epochs": int, "bucket": int, "budget_tokens": int}
_USAGE = """commands:
  dsmath corpus prepare --pages CRAWL --output_dir P  extract, deduplicate, decontaminate: what the loop reads (P/clean)
  dsmath corpus --config FILE [--key value ...]      run the loop, or go on with it
  dsmath corpus annotate FOLDER [--port N]           decide on URL prefixes in a browser, by keyboard
  dsmath corpus score FOLDER --task I --tasks N      score a part of the open round's shards, in a cluster's job array
"""


def make_parser() -> argparse.ArgumentParser:
    """The options of the loop."""
    parser = argparse.ArgumentParser(
        prog="dsmath corpus",
        description="Find mathematical pages: train fastText, rank, annotate prefixes, enlarge the seed, again.",
        epilog=_USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--output_dir", required=True, help="working folder; the result is written to corpus/ in it")
    for field in fields(LoopSettings):
        name, default = f"--{field.name}", field.default
        if field.name in ("pages", "seed_pages"):
            parser.add_argument(name, required=True, help=field.metadata["help"])
        elif field.name in ("automatic", "keep_going", "score_elsewhere"):
            parser.add_argument(
                name, action=argparse.BooleanOptionalAction, default=False, help=field.metadata["help"]
            )
        else:
            kind = _NUMBERS.get(field.name) or (str if default is None else type(default))
            text = field.metadata["help"] + ("" if default is None else " (default: %(default)s)")
            parser.add_argument(name, type=kind, default=default, help=text)
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`. 0 when the corpus is written, 3 while prefixes wait for a person."""
    if argv and argv[0] == "prepare":
        from .corpus_prepare import main as prepare

        return prepare(named_recipe("corpus", argv[1:]))
    if argv and argv[0] == "annotate":
        return _annotate(argv[1:])
    if argv and argv[0] == "score":
        return _score(argv[1:])
    args = vars(parse_light(make_parser(), named_recipe("corpus", argv)))
    del args["config"]
    output = args.pop("output_dir")
    result = run_loop(LoopSettings(**args), output, lambda line: print(line, flush=True))
    if result.status == "diverging":
        raise ConfigError(result.message)
    print(f"{result.status:<13}{result.message}")
    return 3 if result.status == "waiting" else 0


def _annotate(argv: list[str]) -> int:
    from ..corpus.annotate_page import serve

    parser = argparse.ArgumentParser(prog="dsmath corpus annotate", allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="the output_dir of a run that waits for decisions")
    parser.add_argument("--port", type=int, help="port on this machine (default: a free one)")
    args = parser.parse_args(argv)
    serve(args.folder, args.port)
    return 0


def _score(argv: list[str]) -> int:
    from ..corpus.loop import score_part

    parser = argparse.ArgumentParser(prog="dsmath corpus score", allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="the output_dir of a run whose last round is trained")
    parser.add_argument("--task", type=int, required=True, help="number of this task, from 0")
    parser.add_argument("--tasks", type=int, required=True, help="number of tasks")
    args = parser.parse_args(argv)
    if not 0 <= args.task < args.tasks:
        raise ConfigError(f"--task counts from 0 to {args.tasks - 1}, not {args.task}.")
    print(f"scored       {score_part(args.folder, args.task, args.tasks)} files")
    return 0
