"""Speed of `extract_text` on a crawl, and whether every TeX command of its pages is kept.

    python benchmarks/corpus_extraction.py crawl.jsonl.gz          # of build_crawl.py, or any pages with `html`

Prints pages per CPU second beside resiliparse alone, pages that came out empty, and by package the TeX commands in
the page's own text and alternatives against those in the output.
"""

import argparse
import re
import time
from collections import Counter
from pathlib import Path

from resiliparse.extract.html2text import extract_plain_text

from trl_dsmath.corpus.extract import extract_text
from trl_dsmath.corpus.records import read_jsonl

_COMMAND = re.compile(r"\\[A-Za-z]{2,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crawl", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take one page in so many")
    args = parser.parse_args()
    pages = list(read_jsonl(args.crawl))[:: args.every]
    size = sum(len(page["html"]) for page in pages) / 1e6
    print(f"{len(pages):,} pages, {size:.0f} MB of HTML")

    def timed(name, function):
        start = time.process_time()
        texts = [function(page["html"]) for page in pages]
        seconds = time.process_time() - start
        print(f"{name:28s} {len(pages) / seconds:7.0f} pages a CPU second, {size / seconds:5.1f} MB/s")
        return texts

    timed("resiliparse, main part", lambda html: extract_plain_text(html, main_content=True, alt_texts=True))
    wholes = timed("resiliparse, whole page", lambda html: extract_plain_text(html, alt_texts=True))
    texts = timed("extract_text", extract_text)
    print(f"empty: {sum(not text for text in texts)}; of these with text in the page:",
          sum(not text and bool(whole.strip()) for text, whole in zip(texts, wholes, strict=True)))  # fmt: skip
    counts = {}
    for page, text, whole in zip(pages, texts, wholes, strict=True):
        there, kept = Counter(_COMMAND.findall(whole)), Counter(_COMMAND.findall(text))
        if there:
            row = counts.setdefault(page.get("package", ""), [0, 0, 0, []])
            row[0] += 1
            row[1] += there.total()
            row[2] += (there & kept).total()
            if (there & kept) != there:
                row[3].append(((there - kept).total(), page["url"]))
    print(f"{'package':28s} {'pages':>6s} {'commands':>9s} {'kept':>9s}  pages that lost some")
    for package, (number, there, kept, lost) in sorted(counts.items()):
        print(f"{package:28s} {number:6d} {there:9,} {kept:9,}  {sorted(lost, reverse=True)[:2] if lost else ''}")


if __name__ == "__main__":
    main()
