"""One round on a handful of pages with given scores: what is kept, reported, shown and written, worked by hand."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fasttext", reason="fastText is not installed")
pytest.importorskip("tldextract")

from trl_dsmath.corpus import round as round_
from trl_dsmath.corpus.classifier import MATH, OTHER, Hyperparameters
from trl_dsmath.corpus.execution import Execution
from trl_dsmath.corpus.round import Round
from trl_dsmath.corpus.rules import Decisions
from trl_dsmath.corpus.score import Scored, write_scores
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.corpus.trainset import Example, kept_apart

# Two files of pages: address, tokens, score in round 1 and in round 2.
PAGES = [
    [("https://a.org/x/1", 10, 3000, 3000), ("https://a.org/x/2", 20, 2000, -500), ("https://b.org/1", 40, -1000, 1000)],
    [("https://m.a.org/1", 8, 1000, 400), ("https://b.org/2", 16, 500, -700), ("https://c.org/1", 100, -3000, -9000)],
]  # fmt: skip
FIRST, SECOND = 2, 3


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Round]:
    shards = []
    for number, pages in enumerate(PAGES):
        shards.append(str(tmp_path / f"{number}.jsonl"))
        Path(shards[-1]).write_text("".join(json.dumps({"url": url, "text": f"Of {url}"}) + "\n" for url, *_ in pages))

    def made(number: int, column: int, **settings: Any) -> Round:
        now = Round(tmp_path / f"iteration-{number}", number, shards, LoopSettings("p", "s", **settings), Execution())
        for pages, file in zip(PAGES, now.files, strict=True):
            write_scores(file, [Scored(page[column], page[1], page[0]) for page in pages])
        (now.folder / "training.json").write_text('{"math": 1}')
        return now

    return made


def _judge(monkeypatch: pytest.MonkeyPatch, *scores: int) -> None:
    loaded = SimpleNamespace(scores=lambda texts: list(scores)[: len(texts)])
    monkeypatch.setattr(round_, "Classifier", lambda model: loaded)


def test_the_report_of_a_round(make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch) -> None:
    _judge(monkeypatch, 3500, 500, 2000)
    now = make(1, FIRST, budget_tokens=40)
    labels = {"https://a.org/x/1": True, "https://m.a.org/1": False, "https://b.org/2": True, "https://b.org/1": False}
    report, entries = now.finish(labels, [("", "one"), ("", "two"), ("", "three")], None)
    # 10 + 20 + 8 tokens are kept; the page that scores 500 has 16 and does not fit. The others score -1000, 500, -3000: a
    # held-out page of 3500 is above all three, one of 500 above two and even with one, one of 2000 above all three.
    assert report == {
        "round": 1, "training": {"math": 1}, "pages": 3, "tokens": 38, "all_pages": 6, "all_tokens": 194,
        "above_pages": 4, "above_tokens": 54, "score_threshold": 500, "already_collected": None,
        "seed_held_out": 3, "seed_recall": 0.6667, "seed_auc": 0.9444, "seed_auc_crawl": 0.7222,
        "labelled": {"pages": 4, "math": 2, "kept": 2, "precision": 0.5, "recall": 0.5, "average_precision": 0.8333,
                     "false_positives": {"m.a.org": 1}},
        "estimated": None,
    }  # fmt: skip
    assert (now.folder / "hosts.csv").read_text().splitlines() == [
        "host,pages,collected,share,tokens,mean_log_odds",
        "a.org,3,3,1.0000,38,2.000",
        "b.org,2,0,0.0000,56,-0.250",
        "c.org,1,0,0.0000,100,-3.000",
        "m.a.org,1,1,1.0000,8,1.000",
    ]
    assert [(entry.prefix, entry.why, entry.undecided, entry.tokens) for entry in entries] == [
        ("a.org", "over", 3, 38)
    ]
    shown = [(example["url"], example["excerpt"], example["collected"]) for example in entries[0].examples]
    assert shown == [
        (url, f"Of {url}", True) for url in ("https://a.org/x/1", "https://a.org/x/2", "https://m.a.org/1")
    ]
    assert not (now.folder / "parts").exists()
    # What is there is not measured again.
    (now.folder / "report.json").write_text('{"round": 7}')
    assert now.finish({}, [], None)[0] == {"round": 7}


def test_the_report_of_the_round_after_it(make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = make(1, FIRST), make(2, SECOND)
    apart = [url for pages in PAGES for url, *_ in pages if kept_apart(url, 0)]
    monkeypatch.setattr(round_, "kept_apart", lambda url, seed: seed == 0 and url != "https://c.org/1")
    Decisions({"a.org": "math", "b.org": "not", "c.org": "not", "b.org/2": "skip"}).write(
        before.folder / "decisions.csv"
    )
    report, entries = now.finish({}, [], before)
    # Kept are 10 + 40 + 8 tokens, 10 + 8 of them in round 1 too.
    assert (report["pages"], report["tokens"], report["already_collected"]) == (3, 58, 0.3103)
    assert (report["seed_held_out"], report["seed_recall"], report["seed_auc"], report["seed_auc_crawl"]) == (
        0,
        *[None] * 3,
    )
    # Under a.org 3000, -500 and 400, under b.org 1000: two of three are found, and one page that is none.
    assert report["labelled"] is None and report["estimated"] == {
        "pages": 4, "math": 3, "kept": 3, "precision": 0.6667, "recall": 0.6667, "average_precision": 0.8056,
        "false_positives": {"b.org": 1},
    }  # fmt: skip
    # A domain of which a part was decided is not asked about again while nothing is collected without a decision.
    assert [(entry.prefix, entry.why, entry.decision) for entry in entries] == [
        ("b.org", "over", "not"),
        ("a.org", "over", "math"),
    ]
    assert len(apart) < 3  # by the hash, a fifth


def test_a_folder_of_a_host_that_is_not_over_by_itself(
    make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [("y.d.org/p", 10, 10), ("x.d.org/f", 5, 2), ("x.d.org/g", 15, 0), ("z.e.org/h", 5, 0)]
    rows = [(f"https://{prefix}/{n}", 1, 1 if n < kept else -1) for prefix, count, kept in pages for n in range(count)]
    monkeypatch.setattr("test_round.PAGES", [rows[::2], rows[1::2]])
    shards = make(1, 2).shards
    for shard, part in zip(shards, (rows[::2], rows[1::2]), strict=True):
        Path(shard).write_text("".join(json.dumps({"url": url, "text": "t"}) + "\n" for url, *_ in part))
    now, asked = make(1, 2), []
    real = round_.domains.count_folders
    monkeypatch.setattr(
        round_.domains, "count_folders", lambda rows, cut, *given: asked.append(given[0]) or real(rows, cut, *given)
    )
    now._review(round_.domains.with_registered(_hosts(now)))
    with (now.folder / "review.csv").open() as file:
        found = [(row["prefix"], row["why"], row["share"]) for row in csv.DictReader(file)]
    assert asked == [{"d.org", "x.d.org", "y.d.org"}] * 2  # folders of a whole crawl would be too many
    assert found == [
        ("d.org", "over", "0.4"), ("x.d.org", "inside", "0.1"), ("x.d.org/g", "inside", "0.0"),
        ("x.d.org/f", "inside", "0.4"), ("y.d.org", "inside", "1.0"), ("z.e.org", "under", "0.0"),
    ]  # fmt: skip


def _hosts(now: Round) -> dict[str, Any]:
    total = round_._Counts()
    for number in range(2):
        total.merge(now._counts_of(now.cut(), {}, None, number))
    return total.hosts


def test_the_threshold_without_a_budget_is_the_best_on_annotated_pages(
    make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answers = iter((1000, -300, None, None))

    def best(tally: Any) -> int | None:
        asked.append(tally.all.total())
        return next(answers)

    monkeypatch.setattr(round_.Tally, "best_threshold", best)
    monkeypatch.setattr(round_, "kept_apart", lambda url, seed: True)
    rounds = [make(1, FIRST), make(2, SECOND), make(3, SECOND)]
    for before in rounds[:2]:
        Decisions({"a.org": "math"}).write(before.folder / "decisions.csv")
    # In round 1 a threshold of 1000, which one page has; later 0, the log-odds of the least score.
    for now, score in zip(rounds, (999, -1, -1), strict=True):
        assert (now.cut().score, now.cut().pages) == (score, 3)
        assert len(asked) == now.number  # it is kept
    assert asked == [0, 3, 3]
    assert make(4, FIRST, budget_tokens=1000).cut().pages == 4 and len(asked) == 3
    assert make(5, FIRST, min_score=0.75).cut().pages == 2  # 1.0986 are the log-odds of 0.75


def test_the_corpus_has_the_pages_of_one_round(make: Callable[..., Round], tmp_path: Path) -> None:
    def corpus() -> dict[str, list[tuple]]:
        return {
            path.name: [(row["url"], row["math_log_odds"]) for row in map(json.loads, gzip.open(path, "rt"))]
            for path in sorted((tmp_path / "corpus").glob("*.jsonl.gz"))
        }

    make(1, FIRST).write_corpus(tmp_path / "corpus")
    assert corpus() == {
        "000000.jsonl.gz": [("https://a.org/x/1", 3.0), ("https://a.org/x/2", 2.0)],
        "000001.jsonl.gz": [("https://m.a.org/1", 1.0), ("https://b.org/2", 0.5)],
    }
    (tmp_path / "corpus/000001.jsonl.gz").unlink()
    (tmp_path / "corpus/000000.jsonl.gz").write_bytes(gzip.compress(b""))
    make(1, FIRST).write_corpus(tmp_path / "corpus")  # a file that is there is whole
    assert [len(rows) for rows in corpus().values()] == [0, 2]
    make(2, SECOND).write_corpus(tmp_path / "corpus")  # of another round
    assert corpus() == {
        "000000.jsonl.gz": [("https://a.org/x/1", 3.0), ("https://b.org/1", 1.0)],
        "000001.jsonl.gz": [("https://m.a.org/1", 0.4)],
    }


def test_training_is_done_once_and_written_down(make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    examples = [
        Example(MATH, "seed", "u1", "one"),
        Example(OTHER, "", "u2", "two"),
        Example(OTHER, "b.org", "u3", "three"),
    ]

    def choose(*given: Any) -> list[Example]:
        called["choose"] = given
        return examples

    def train(lines: Path, model: Path, values: Hyperparameters) -> Hyperparameters:
        called["train"] = (lines.name, lines.read_text(), model.name, values.lr)
        return Hyperparameters(**{**vars(values), "lr": 0.25})

    monkeypatch.setattr(round_, "choose", choose)
    monkeypatch.setattr(round_, "train", train)
    monkeypatch.setattr(Round, "_clean", lambda self, given: (given[::2], 1))
    now, said = make(1, FIRST, learning_rate=0.75), []
    index = [Path("index")]
    now.train([("u1", "one")], {"h"}, None, index, 6, said.append)
    assert not called and not said  # trained already
    (now.folder / "training.json").unlink()
    now.train([("u1", "one")], {"h"}, None, index, 6, said.append)
    seed, shards, files, pages, cut, decisions, held_out, settings, *_ = called["choose"]
    assert (seed, shards, files, pages, cut, held_out) == ([("u1", "one")], now.shards, index, 6, None, {"h"})
    assert settings is now.settings and not decisions.decided
    assert called["train"] == ("train.txt", "__label__math one\n__label__other three\n", "model.bin", 0.75)
    assert said == [
        "training set 1 mathematical pages, 2 others",
        "dropped      1 of the others: a model that had not seen them takes them for mathematics",
    ]
    assert (now.folder / "training.csv").read_text() == "url,label,source\nu1,math,seed\nu3,other,b.org\n"
    report = json.loads((now.folder / "training.json").read_text())
    assert report == {
        "math": 1, "others": 1, "dropped": 1, "lines": 2, "lr": 0.25, "epoch": 40, "dim": 256, "wordNgrams": 3,
        "minCount": 3, "bucket": 200_000, "thread": 1, "seed": 0, "scaled": False,
    }  # fmt: skip
    # The round after it begins with the scores of the one before; rate and epochs of a small set are said.
    monkeypatch.setattr(Round, "_clean", lambda self, given: (given, 0))
    later, said = make(2, SECOND), []
    (later.folder / "training.json").unlink()
    later.train([], set(), now, index, 6, said.append)
    assert called["choose"][2:5] == (now.files, 6, now.cut())
    assert len(said) == 2 and said[1].startswith(
        "scaled       learning rate 0.5, 40 epochs, 200,000 buckets: with the paper's"
    )
    assert said[1].endswith("4 lines train nothing")  # the one page of mathematics twice


def test_progress_counts_the_files_that_are_missing(
    make: Callable[..., Round], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr(round_, "score_all", lambda jobs, model, execution: iter([(jobs, model, execution)]))
    monkeypatch.setattr(round_, "tqdm", lambda done, **options: shown.update(options, done=list(done)) or [])
    monkeypatch.setattr(round_.sys, "stderr", SimpleNamespace(isatty=lambda: True))
    now = make(1, FIRST)
    now.files[0].unlink()
    now.score()
    jobs = [(now.shards[0], now.files[0]), (now.shards[1], now.files[1])]
    assert shown.pop("done") == [(jobs, now.folder / "model.bin", Execution())]
    assert shown == {"total": 1, "desc": "Scoring", "unit": "file", "disable": False, "leave": False}
