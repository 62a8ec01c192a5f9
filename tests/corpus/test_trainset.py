"""The training set is the same whether all pages are looked at or only those whose hash is small enough."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.corpus import trainset
from trl_dsmath.corpus.classifier import OTHER
from trl_dsmath.corpus.records import write_jsonl
from trl_dsmath.corpus.rules import Decisions
from trl_dsmath.corpus.score import Scored, write_scores
from trl_dsmath.corpus.settings import LoopSettings


@pytest.mark.parametrize("skipped", [False, True])
def test_random_pages_do_not_depend_on_the_share_that_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skipped: bool
) -> None:
    shards, files = [], []
    for number in range(2):
        # With `skipped`, three quarters of the crawl cannot be used: the first share holds too few pages.
        hosts = ["a.test", "b.test", "c.test", "d.test"] if skipped else ["d.test"]
        urls = [f"https://{hosts[i % len(hosts)]}/{number}/{i}" for i in range(200)]
        shards.append(str(tmp_path / f"{number}.jsonl"))
        files.append(tmp_path / f"{number}.tsv.gz")
        write_jsonl(shards[-1], ({"url": url, "text": f"text of {url}"} for url in urls))
        write_scores(files[-1], [Scored(0, 1, url) for url in urls])
    decisions = Decisions(dict.fromkeys(("a.test", "b.test", "c.test"), "skip"))
    settings = LoopSettings("pages", "seed", negative_examples=30)
    steps: list[str] = []

    def mapped(name: str, function: Any, numbers: Iterable[int], merge: Any = None) -> Iterator[Any]:
        steps.append(name)
        return map(function, numbers)

    def choose() -> list[str]:
        steps.clear()
        chosen = trainset.choose(
            [("https://seed.test", "a theorem")] * 40, shards, files, 400, None, decisions, set(), settings, mapped
        )
        return [example.url for example in chosen if example.label == OTHER]

    few = choose()
    assert len(few) == 30 and len(steps) == (3 if skipped else 2)  # candidates (again with more), then texts
    monkeypatch.setattr(trainset, "_SHARE", 1000)  # everything
    assert choose() == few and len(steps) == 2
