"""Decontamination: speed, planted benchmark questions found, and what is removed from pages that hold none.

    python benchmarks/decontamination.py crawl.jsonl.gz --benchmarks ../shared/data --log removed.jsonl

The crawl is that of build_crawl.py, or any pages with `html` or `text`. Every question of the benchmarks is planted in
a page between two paragraphs, upper-cased, with its punctuation changed and re-wrapped at 25 columns.
"""

import argparse
import re
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

from trl_dsmath.corpus.decontaminate import QUESTION_COLUMNS, decontaminate, load_benchmarks
from trl_dsmath.corpus.extract import extract_text
from trl_dsmath.corpus.records import read_jsonl, write_jsonl
from trl_dsmath.text.ngrams import words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crawl", type=Path)
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True)
    parser.add_argument("--log", type=Path, help="write what was removed from the crawl")
    args = parser.parse_args()

    start = time.process_time()
    index = load_benchmarks(args.benchmarks)
    print(f"{len(index.sources):,} benchmark texts, {len(index):,} n-grams: {time.process_time() - start:.1f} s")

    pages = [
        {"id": page["url"], "url": page["url"], "text": page.get("text") or extract_text(page["html"])}
        for page in read_jsonl(args.crawl)
    ]
    size = sum(len(page["text"].encode("utf-8", "replace")) for page in pages) / 1e6
    start = time.process_time()
    removed = [(page["url"], item) for page in pages for item in decontaminate(page["text"], index)[1]]
    seconds = time.process_time() - start
    print(f"{len(pages):,} pages, {size:.1f} MB of text: {size / seconds:.1f} MB a CPU second")
    print(f"removed from them: {len(removed)} paragraphs of {len({url for url, _ in removed})} pages")
    for url, item in removed[:20]:
        print(f"  {item.rule:8s} {item.source:28s} {' '.join(item.matched.split())[:90]!r}  {url}")
    if args.log:
        write_jsonl(args.log, ({"url": url, **asdict(item)} for url, item in removed))

    before, after = "This page opens with an own paragraph.", "And it closes with another one, of other words."
    planted = short = found = neighbours = 0
    missed = []
    for path in args.benchmarks:
        for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
            for row in read_jsonl(file):
                question = next((row[name] for name in QUESTION_COLUMNS if isinstance(row.get(name), str)), "")
                if len(words(question)) < index.min_n:
                    short += bool(question)
                    continue
                planted += 1
                changed = "\n".join(
                    textwrap.wrap(
                        re.sub(r"[,;:!?]", " -- ", question.upper()),
                        25,
                        break_long_words=False,
                        break_on_hyphens=False,
                    )
                )
                rest, items = decontaminate(f"{before}\n\n{changed}\n\n{after}", index)
                gone = rest.removeprefix(before).removesuffix(after).strip() == ""
                found += bool(items) and gone
                neighbours += rest.startswith(before) and rest.endswith(after)
                if not (items and gone and rest.startswith(before) and rest.endswith(after)):
                    missed.append(f"{rest[:40]} ... {rest[-60:]} <- {question}")
    print(
        f"planted {planted:,} questions ({short} of fewer than {index.min_n} words left out): {found:,} removed whole"
    )
    print(f"both neighbours kept: {neighbours:,}")
    for question in missed[:10]:
        print(f"  missed: {question[:150]!r}")


if __name__ == "__main__":
    main()
