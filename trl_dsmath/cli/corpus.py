"""`dsmath corpus`: the loop that finds mathematical pages (paper §2.1), and the page on which people annotate prefixes."""

import argparse
from dataclasses import fields
from pathlib import Path

from ..corpus.loop import run_loop
from ..corpus.settings import LoopSettings
from ..errors import ConfigError
from ..scripts.options import parse_light
from .recipes import named_recipe

_HELP = {
    "pages": "folder of cleaned pages (.jsonl, .jsonl.gz), or one such file: url and text in each line",
    "seed_pages": "file of mathematical pages to begin with: text, and url where the page is in the crawl",
    "labelled": "file with url and label (math, not) of a sample of the crawl: precision and recall of each round",
    "rules": "decisions on URL prefixes, .csv or .yaml, for a run without a person",
    "automatic": "decide the remaining prefixes by their share of collected pages; can diverge",
    "iterations": "rounds at most",
    "stop_when_collected": "stop when this share of the tokens was collected by the round before",
    "budget_tokens": "tokens to keep at most, best pages first (default: all pages above min_score)",
    "min_score": "probability under which no page is kept",
    "domain_share": "a host with more than this share of its pages collected goes to review",
    "positive_examples": "mathematical pages to train on at most",
    "negative_examples": "other pages to train on at most",
    "pages_per_prefix": "pages of one annotated prefix to train on at most",
    "dim": "size of fastText's vectors",
    "word_ngrams": "longest word n-gram",
    "min_count": "rarer words are left out",
    "learning_rate": "fastText's (default: the paper's 0.1, 0.5 under 100,000 training lines)",
    "epochs": "fastText's (default: the paper's 3, more under 100,000 training lines)",
    "bucket": "rows for n-grams (default: 2,000,000; 200,000 under 100,000 training lines)",
    "threads": "threads of training; with more than one, a run cannot be repeated exactly",
    "seed": "seed of every choice of pages",
    "workers": "processes that score; they share one copy of the model",
    "score_elsewhere": "stop after training until `dsmath corpus score` has run as a job array",
}
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
            parser.add_argument(name, required=True, help=_HELP[field.name])
        elif field.name in ("automatic", "score_elsewhere"):
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=False, help=_HELP[field.name])
        else:
            kind = _NUMBERS.get(field.name) or (str if default is None else type(default))
            text = _HELP[field.name] + ("" if default is None else " (default: %(default)s)")
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
