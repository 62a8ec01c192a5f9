"""Scoring throughput, normalization included, against the fastText command line on text that is normalized already.

    python benchmarks/corpus_scoring.py --pages pages.jsonl.gz --fasttext /usr/bin/fasttext     (Debian: apt install fasttext)

Both sides in one run, in turns, in CPU seconds without loading the model (measured on an empty input). The command reads
lines from a file; `Classifier.scores` gets texts as they were extracted. One thread each.
"""

import argparse
import gzip
import json
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from trl_dsmath.corpus.classifier import Classifier, Hyperparameters, one_line, train


def command_seconds(command: str, model: Path, lines: Path) -> float:
    """CPU seconds of `fasttext predict-prob`, loading included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Path("/dev/null").open("w") as null:
        subprocess.run([command, "predict-prob", str(model), str(lines), "2"], stdout=null, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, required=True, help="jsonl.gz with text and label")
    parser.add_argument("--fasttext", default=shutil.which("fasttext"), help="the command of fastText")
    parser.add_argument("--bucket", type=int, default=2_000_000)
    parser.add_argument("--characters", type=int, default=2000, help="of a page; 0 for whole pages")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with gzip.open(args.pages, "rt") as file:
        rows = [json.loads(line) for line in file]
    texts = [row["text"][: args.characters or None] for row in rows]
    size = sum(len(text.encode()) for text in texts)
    print(f"{len(texts):,} texts of {size / len(texts):,.0f} bytes, dim 256, 3-grams, {args.bucket:,} buckets")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {"math": "__label__math", "nonmath": "__label__other"}
        with (folder / "train.txt").open("w") as file:
            for row in rows:
                if row["label"] in kinds:
                    file.write(f"{kinds[row['label']]} {one_line(row['text'][:2000])}\n")
        model = folder / "model.bin"
        train(folder / "train.txt", model, Hyperparameters(0.1, 1, 256, 3, 3, args.bucket, 1, 0, False))
        (folder / "lines.txt").write_text("".join(one_line(text) + "\n" for text in texts))
        (folder / "empty.txt").write_text("")
        classifier = Classifier(model)
        lines = [one_line(text) + "\n" for text in texts]
        ours, theirs, bare = [], [], []
        for _ in range(args.repeats):
            started = time.process_time()
            for start in range(0, len(texts), 256):
                classifier.scores(texts[start : start + 256])
            ours.append(time.process_time() - started)
            started = time.process_time()
            for start in range(0, len(lines), 256):
                classifier._model.f.multilinePredict(lines[start : start + 256], 2, 0.0, "strict")
            bare.append(time.process_time() - started)
            load = command_seconds(args.fasttext, model, folder / "empty.txt")
            theirs.append(command_seconds(args.fasttext, model, folder / "lines.txt") - load)
        started = time.process_time()
        for text in texts:
            one_line(text)
        normalizing = time.process_time() - started
    mine, command = statistics.median(ours), statistics.median(theirs)
    print(f"ours      {len(texts) / mine:8,.0f} pages a CPU second ({normalizing / mine:.0%} of it normalization)")
    print(
        f"the module on normalized lines {len(texts) / statistics.median(bare):8,.0f} pages a CPU second; ratio {statistics.median(bare) / mine:.2f}"
    )
    print(f"fasttext  {len(texts) / command:8,.0f} pages a CPU second")
    print(
        f"ratio of the medians {command / mine:.2f}; of the {args.repeats} pairs "
        + " ".join(f"{t / o:.2f}" for o, t in zip(ours, theirs, strict=True))
    )


if __name__ == "__main__":
    main()
