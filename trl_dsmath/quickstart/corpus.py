"""Stage `corpus`: the package's loop finds the mathematical pages of a small made-up crawl."""

import gzip
import json
from pathlib import Path

from ..corpus.loop import run_loop
from ..corpus.settings import LoopSettings
from ..errors import DataError
from .context import Context, Done
from .pages import documents, labels_of, write_pages

ROUNDS = 3


def run(context: Context) -> Done:
    """Trains fastText on a seed from one site, ranks, follows the rules on sites, and again."""
    here, settings = context.here("corpus").resolve(), context.settings
    crawl = here / "crawl"
    if not (crawl / "pages.jsonl").exists():  # written last
        write_pages(crawl, settings.pages, settings.seed)
    loop = LoopSettings(
        pages=str(crawl / "pages.jsonl"),
        seed_pages=str(crawl / "seed_pages.jsonl"),
        labelled=str(crawl / "labels.jsonl"),
        rules=str(crawl / "rules.csv"),
        iterations=ROUNDS,
        dim=64,  # the paper's 256 and 2,000,000 buckets are for a million pages, and write half a gigabyte a model
        bucket=20_000,
        epochs=5,
        learning_rate=0.5,
        seed=settings.seed,
    )
    rounds = 0

    def say(line: str) -> None:
        nonlocal rounds
        rounds += line.startswith("-- round")
        if line.startswith("collected"):
            context.progress.update(rounds / ROUNDS, line.removeprefix("collected").strip())

    result = run_loop(loop, here / "loop", say)
    if result.status != "done":
        raise DataError(f"The corpus loop stopped: {result.message}")
    truth = labels_of(crawl)
    mathematics = {url for url, is_mathematics in truth.items() if is_mathematics}
    found = {row["url"] for row in _collected(here)}
    right = len(found & mathematics)
    figures = {
        "pages": len(truth),
        "mathematics": len(mathematics),
        "collected": len(found),
        "right": right,
        "rounds": [
            {"pages": report["pages"], "labelled": report["labelled"], "trained_on": report["training"]["lines"]}
            for report in result.reports
        ],
    }
    precision, recall = right / max(1, len(found)), right / len(mathematics)
    line = f"{len(found)} of {len(truth)} pages kept, precision {precision:.1%}, recall {recall:.1%}"
    return Done(f"{len(truth):,} made-up pages, {len(mathematics):,} of them mathematics", line, figures)


def read_corpus(context: Context) -> tuple[list[str], str]:
    """
    The documents to pretrain on, and what they are.

    Where the loop was left out, because fastText is not installed, they are those of the pages that are known to be
    mathematics, and the description says so.
    """
    here = context.folder.stage("corpus")
    if context.folder.result("corpus") is not None:
        rows = _collected(here)
        what = f"paragraphs of the {len(rows):,} pages that the loop kept"
    else:
        crawl = context.here("corpus") / "crawl"
        write_pages(crawl, context.settings.pages, context.settings.seed)
        truth = labels_of(crawl)
        pages = map(json.loads, (crawl / "pages.jsonl").read_text().splitlines())
        rows = [row for row in pages if truth[row["url"]]]
        what = f"paragraphs of the {len(rows):,} mathematical pages, taken by their labels: the loop was left out"
    texts = [text for row in rows for text in documents(row["text"])]
    return texts, f"{len(texts):,} {what}"


def _collected(here: Path) -> list[dict]:
    rows = []
    for file in sorted((here / "loop" / "corpus").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows
