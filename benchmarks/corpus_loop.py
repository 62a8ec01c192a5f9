"""The corpus loop on a real crawl with labels: precision, recall and average precision, round by round.

    python benchmarks/corpus_loop.py --pages pages.jsonl.gz --work runs/loop [--rules benchmarks/corpus_rules.csv] [--seed 1] [--thin 0.07]

Pages need `url`, `text` and `label` (math, mixed, nonmath); `--cap` needs `package` too. The crawl of docs/results/corpus.md was
made of 18 packages of Debian documentation, which are not in this repository; the rules are by its hosts. The seed is drawn in turn from the hosts with mathematical pages. Measured on pages labelled math or nonmath that are
(a) outside the seed of round 1, (b) outside everything the round was trained on; labels are never shown to the loop.
"""

import argparse
import csv
import gzip
import json
import random
import time
from pathlib import Path

from trl_dsmath.corpus.loop import run_loop
from trl_dsmath.corpus.measure import Tally
from trl_dsmath.corpus.records import clean_url
from trl_dsmath.corpus.rules import parts
from trl_dsmath.corpus.score import Cut, read_scores
from trl_dsmath.corpus.settings import LoopSettings


def thin(rows: list[dict], share: float, rng: random.Random) -> list[dict]:
    """Rows with so many mathematical pages dropped that they are `share` of all."""
    math = [i for i, row in enumerate(rows) if row["label"] == "math"]
    others = len(rows) - len(math)
    kept = set(rng.sample(math, min(len(math), round(others * share / (1 - share)))))
    return [row for i, row in enumerate(rows) if row["label"] != "math" or i in kept]


def draw_seed(rows: list[dict], size: int, rng: random.Random) -> list[dict]:
    """Mathematical pages, one host (with its first folder) after the other."""
    hosts: dict[str, list[dict]] = {}
    for row in rows:
        if row["label"] == "math":
            hosts.setdefault("/".join(parts(row["url"])[:2]), []).append(row)
    for pages in hosts.values():
        rng.shuffle(pages)
    # Folders with a handful of pages are no hosts of their own.
    queues = [pages for _, pages in sorted(hosts.items()) if len(pages) >= 5]
    chosen: list[dict] = []
    while len(chosen) < size and any(queues):
        for pages in queues:
            if pages and len(chosen) < size:
                chosen.append(pages.pop())
    return chosen


def measure(folder: Path, labels: dict[str, str], without: set[str]) -> Tally:
    """Figures of a round on the pages that are labelled math or nonmath, `without` some."""
    cut = Cut(**json.loads((folder / "cut.json").read_text()))
    tally = Tally()
    for file in sorted((folder / "scores").glob("*.tsv.gz")):
        for score, _, url in read_scores(file):
            if url not in without and labels[url] != "mixed":
                tally.add(labels[url] == "math", score, cut.keeps(score, url), parts(url)[0])
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rules", help="decisions on prefixes, .csv")
    parser.add_argument("--automatic", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seed_size", type=int, default=60)
    parser.add_argument("--thin", type=float)
    parser.add_argument("--cap", type=int, default=0, help="pages of each package at most")
    args = parser.parse_args()

    rng = random.Random(args.seed)
    with gzip.open(args.pages, "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        row["url"] = clean_url(row["url"])
    if args.cap:
        count: dict[str, int] = {}
        rng.shuffle(rows)
        rows = [
            r
            for r in rows
            if count.setdefault(r["package"], 0) < args.cap
            and not count.update({r["package"]: count[r["package"]] + 1})
        ]
    if args.thin:
        rows = thin(rows, args.thin, rng)
    seed = draw_seed(rows, args.seed_size, rng)
    args.work.mkdir(parents=True, exist_ok=True)
    (args.work / "pages").mkdir(exist_ok=True)
    for number in range(4):
        with gzip.open(args.work / "pages" / f"{number}.jsonl.gz", "wt", compresslevel=1) as file:
            for row in rows[number::4]:
                file.write(json.dumps({"id": row["url"], "url": row["url"], "text": row["text"]}) + "\n")
    (args.work / "seed.jsonl").write_text(
        "".join(json.dumps({"url": r["url"], "text": r["text"]}) + "\n" for r in seed)
    )
    labels = {row["url"]: row["label"] for row in rows}
    started = time.perf_counter()
    settings = LoopSettings(
        pages=str(args.work / "pages"),
        seed_pages=str(args.work / "seed.jsonl"),
        rules=args.rules,
        automatic=args.automatic,
        seed=args.seed,
        stop_when_collected=1.0,
    )
    result = run_loop(settings, args.work / "run", lambda line: print("   ", line, flush=True))
    print(f"{result.status}: {result.message} ({time.perf_counter() - started:.0f} s)")
    outside = {row["url"] for row in seed}
    for number, report in enumerate(result.reports, start=1):
        folder = args.work / "run" / f"iteration-{number}"
        with (folder / "training.csv").open() as file:
            trained = {row["url"] for row in csv.DictReader(file)} | outside
        figures = []
        for name, without in (("outside the seed", outside), ("outside the training set", trained)):
            tally = measure(folder, labels, without)
            found = tally.precision, tally.recall, tally.average_precision
            figures.append(
                f"{name} " + "/".join("-" if f is None else f"{f:.3f}" for f in found) + f" ({tally.all.total()})"
            )
        print(f"round {report['round']}  P/R/AP  {';  '.join(figures)}")


if __name__ == "__main__":
    main()
