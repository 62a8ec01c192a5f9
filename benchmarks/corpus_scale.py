"""Does the corpus stage scale? 1, 4 and 16 times as many pages; one and two processes; one and two Ray workers.

    python benchmarks/corpus_scale.py --work runs/scale [--pages 1000] [--factors 1 4 16] [--runs local-1 local-2 ray-1 ray-2]

Made-up HTML pages, 250 a file and 50 a host, a tenth of them mathematics, 3 % copies. `prepare` and two rounds of the loop
with rules for all hosts and a training set of fixed size. Each run has a process of its own (the driver), whose peak memory
is read at its end; a worker's peak is that of the largest child (Ray's workers are not children). `same` compares every file
of the results with those of the first run of the same size. Without a GPU; Ray needs `pip install ray`.
"""

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

PER_FILE, PER_HOST = 250, 50
WORDS = {
    True: [
        "theorem",
        "proof",
        "lemma",
        "integral",
        "prime",
        "polynomial",
        "group",
        "ring",
        "matrix",
        "field",
        "equation",
        "converges",
    ],
    False: [
        "recipe",
        "oven",
        "sugar",
        "football",
        "match",
        "ticket",
        "hotel",
        "booking",
        "price",
        "garden",
        "flower",
        "music",
    ],
}
COMMON = ["the", "a", "of", "and", "to", "in", "is", "that", "for", "with", "page", "home", "next"]


def host(page: int) -> tuple[str, bool]:
    """Host of a page, and whether it is mathematics."""
    number = page // PER_HOST
    return f"www.site{number}.test", number % 10 == 0


def text(rng: random.Random, math: bool) -> str:
    # Rare words make pages differ, as on the web.
    kinds = rng.choices("wcr", (4, 5, 1), k=250)
    words = {"w": WORDS[math], "c": COMMON}
    return " ".join(rng.choice(words[kind]) if kind in words else f"{rng.getrandbits(32):x}" for kind in kinds)


def write_crawl(folder: Path, pages: int) -> None:
    """Writes `crawl/`, `seed.jsonl` and `rules.csv`."""
    (folder / "crawl").mkdir(parents=True)
    rng, seeds = random.Random(0), []
    for first in range(0, pages, PER_FILE):
        with gzip.open(folder / "crawl" / f"{first // PER_FILE:05d}.jsonl.gz", "wt", compresslevel=1) as file:
            earlier = ""
            for page in range(first, min(first + PER_FILE, pages)):
                name, math = host(page)
                body = earlier if page % 33 == 32 else text(rng, math)
                earlier, url = body, f"https://{name}/pages/{page}.html"
                formula = f'<span class="math">\\(x_{{{page}}}^2\\)</span>' if math else ""
                html = (
                    f"<html><body><nav><a href='/'>home</a></nav><h1>{page}</h1><p>{body} {formula}</p></body></html>"
                )
                file.write(json.dumps({"url": url, "html": html}) + "\n")
                if math and len(seeds) < 40:
                    seeds.append(json.dumps({"url": url, "text": body}) + "\n")
    (folder / "seed.jsonl").write_text("".join(seeds))
    names = dict.fromkeys(host(page) for page in range(pages))
    (folder / "rules.csv").write_text(
        "prefix,decision\n" + "".join(f"{n.removeprefix('www.')},{'math' if m else 'not'}\n" for n, m in names)
    )


def run(crawl: Path, output: Path, kind: str, workers: int) -> None:
    """One run, in this process; prints what was measured as JSON."""
    from trl_dsmath.corpus import Execution, LoopSettings, prepare, run_loop

    if kind == "ray":
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    execution = Execution(kind, tasks=8, workers=workers)  # type: ignore[arg-type]
    times = [time.perf_counter()]
    with contextlib.redirect_stderr(io.StringIO()):
        prepare(str(crawl / "crawl"), str(output / "pages"), execution=execution)
    times.append(time.perf_counter())
    fixed = {"positive_examples": 300, "negative_examples": 300, "epochs": 5, "learning_rate": 0.5, "bucket": 50_000}
    settings = LoopSettings(
        pages=str(output / "pages" / "clean"),
        seed_pages=str(crawl / "seed.jsonl"),
        rules=str(crawl / "rules.csv"),
        iterations=2,
        stop_when_collected=1.0,
        **fixed,
    )
    result = run_loop(settings, output / "loop", lambda line: None, execution)
    times.append(time.perf_counter())
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    digest = hashlib.sha256()
    for path in sorted(output.rglob("*")):
        inside = path.relative_to(output)
        # The last three hold the folder's name.
        left_out = {"logs", "matching", "run.json", "settings.json", ".lock"}
        if path.is_file() and not left_out & set(inside.parts):
            digest.update(str(inside).encode() + hashlib.sha256(path.read_bytes()).digest())
    print(
        json.dumps(
            {
                "prepare": times[1] - times[0],
                "loop": times[2] - times[1],
                "cpu": sum(usage.ru_utime + usage.ru_stime for usage in (own, children)),
                "driver": own.ru_maxrss / 1024,
                "worker": children.ru_maxrss / 1024,
                "collected": result.reports[-1]["pages"],
                "digest": digest.hexdigest(),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--runs", nargs="+", default=["local-1", "local-2", "ray-1", "ray-2"])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        crawl, output, kind, workers = args.one
        run(Path(crawl), Path(output), kind, int(workers))
        return
    print("| pages | run | prepare s | loop s | CPU s | driver MB | largest worker MB | collected | same |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |", flush=True)
    for factor in args.factors:
        pages = args.pages * factor
        crawl = args.work / f"{pages}"
        shutil.rmtree(crawl, ignore_errors=True)
        write_crawl(crawl, pages)
        digest = ""
        for name in args.runs:
            kind, _, workers = name.partition("-")
            output = crawl / name
            command = [
                sys.executable,
                __file__,
                "--work",
                str(args.work),
                "--one",
                str(crawl),
                str(output),
                kind,
                workers,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            found = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
            digest = digest or found["digest"]
            cpu, worker = (f"{found[key]:.0f}" if kind == "local" else "-" for key in ("cpu", "worker"))
            same = "yes" if found["digest"] == digest else "NO"
            row = [f"{pages:,}", name, *(f"{found[key]:.0f}" for key in ("prepare", "loop")), cpu]
            row += [f"{found['driver']:.0f}", worker, f"{found['collected']:,}", same]
            print(f"| {' | '.join(row)} |", flush=True)
            shutil.rmtree(output)


if __name__ == "__main__":
    main()
