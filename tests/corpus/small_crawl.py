"""A made-up crawl in which mathematics and the rest use different words, for tests of the loop."""

import gzip
import json
import random
from pathlib import Path

MATH_WORDS = [
    "theorem", "proof", "lemma", "integral", "prime", "polynomial", "group", "ring", "matrix", "field",
    "equation", "converges",
]  # fmt: skip
OTHER_WORDS = [
    "recipe", "oven", "sugar", "football", "match", "ticket", "hotel", "booking", "price", "garden", "flower",
    "music",
]  # fmt: skip
COMMON = ["the", "a", "of", "and", "to", "in", "is", "that", "for", "with", "page", "home", "next"]

HOSTS = {  # host: share of mathematical pages, pages
    "algebra.test/notes": (1.0, 40),
    "analysis.test/wiki": (1.0, 40),
    "forum.test/math": (1.0, 30),
    "forum.test/cooking": (0.0, 50),
    "shop.test/items": (0.0, 80),
    "sport.test/news": (0.0, 80),
    "travel.test/blog": (0.0, 80),
}
RULES = {"algebra.test": "math", "analysis.test": "math", "forum.test/math": "math", "forum.test/cooking": "not"}


def text(rng: random.Random, math: bool) -> str:
    words = MATH_WORDS if math else OTHER_WORDS
    return " ".join(rng.choice(words if rng.random() < 0.4 else COMMON) for _ in range(60))


def write(folder: Path, shards: int = 2, seed: int = 0) -> dict[str, bool]:
    """Writes `pages/`, `seed.jsonl`, `labels.jsonl`; returns whether a URL is mathematics."""
    rng = random.Random(seed)
    pages = [
        {"id": f"{host}/{i}", "url": f"https://{host}/{i}.html", "text": text(rng, math), "math": math}
        for host, (share, count) in HOSTS.items()
        for i in range(count)
        for math in [rng.random() < share]
    ]
    rng.shuffle(pages)
    (folder / "pages").mkdir(parents=True)
    for number in range(shards):
        with gzip.open(folder / "pages" / f"{number}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps({k: p[k] for k in ("id", "url", "text")}) + "\n" for p in pages[number::shards])
    seed_pages = [p for p in pages if p["math"]][:25]
    (folder / "seed.jsonl").write_text(
        "".join(json.dumps({"url": p["url"], "text": p["text"]}) + "\n" for p in seed_pages)
    )
    labels = {p["url"]: p["math"] for p in pages}
    (folder / "labels.jsonl").write_text(
        "".join(json.dumps({"url": u, "label": "math" if m else "not"}) + "\n" for u, m in list(labels.items())[:60])
    )
    (folder / "rules.csv").write_text("prefix,decision\n" + "".join(f"{k},{v}\n" for k, v in RULES.items()))
    return labels
