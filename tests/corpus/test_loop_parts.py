"""Settings of the loop, its seed and labels, the decisions of a round, and what it says: without a run."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("fasttext", reason="fastText is not installed")

from trl_dsmath.corpus import loop
from trl_dsmath.corpus import round as round_
from trl_dsmath.corpus.execution import Execution
from trl_dsmath.corpus.loop import _decide, _stop, choose_labels, lines_of, read_labels, score_part, split_seed
from trl_dsmath.corpus.review import Entry
from trl_dsmath.corpus.round import Round
from trl_dsmath.corpus.rules import Decisions, read_rules
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(({name: 0}, f"{name} must be at least 1, not 0") for name in ("iterations", "positive_examples", "negative_examples", "pages_per_prefix", "threads", "workers")),
        *(({name: value}, f"{name} is a share between 0 and 1, not {value}") for name in ("min_score", "domain_share") for value in (0, 1, 1.5)),
        ({"stop_when_collected": 0}, "stop_when_collected is a share"),
        ({"stop_when_collected": 1.1}, "stop_when_collected is a share"),
        ({"budget_tokens": 0}, "budget_tokens must be at least 1, or left out, not 0"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LoopSettings("pages", "seed", **settings)


def test_settings_at_their_limits_and_what_a_run_cannot_change() -> None:
    least = dict.fromkeys(
        ("iterations", "positive_examples", "negative_examples", "pages_per_prefix", "budget_tokens"), 1
    )
    settings = LoopSettings("pages", "seed", stop_when_collected=1, min_score=0.01, domain_share=0.99, **least)
    record = settings.record()
    assert record["stop_when_collected"] == 1 and record["budget_tokens"] == 1 and record["pages"] == "pages"
    assert not {"iterations", "rules", "keep_going", "workers", "score_elsewhere"} & set(record)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "dask"}, "use local, ray or slurm"),
        ({"tasks": 0}, "both have to be at least 1"),
        ({"workers": 0}, "both have to be at least 1"),
        ({"kind": "slurm", "options": {"partition": "cpu"}}, "Slurm needs a partition and a time limit"),
    ],
)
def test_executions_that_cannot_work(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Execution(**settings)


def test_one_task_and_one_worker_are_enough() -> None:
    assert (Execution(tasks=1, workers=1).tasks, Execution().tasks, Execution().workers) == (1, 16, 1)


def _seed(path: Path, count: int) -> str:
    path.write_text("".join(json.dumps({"url": f"http://a/{n} x", "text": f"text {n}"}) + "\n" for n in range(count)))
    return str(path)


@pytest.mark.parametrize(("count", "held"), [(19, 0), (20, 4), (24, 4), (25, 5)])
def test_a_fifth_of_the_seed_is_held_out(count: int, held: int, tmp_path: Path) -> None:
    file = _seed(tmp_path / "seed.jsonl", count)
    train, out = split_seed(file, seed=3)
    assert (len(train), len(out)) == (count - held, held)
    assert sorted(train + out) == sorted((f"http://a/{n}%20x", f"text {n}") for n in range(count))
    assert split_seed(file, seed=3) == (train, out)
    assert count < 20 or split_seed(file, seed=4)[1] != out


def test_a_seed_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "seed.jsonl"
    for text in (' "', None, 5):
        file.write_text(json.dumps({"text": "a"}) + "\n" + json.dumps({"text": text if text != ' "' else " "}) + "\n")
        with pytest.raises(DataError, match="line 2, has no text"):
            split_seed(str(file), 0)
    file.write_text("")
    with pytest.raises(DataError, match="holds no page"):
        split_seed(str(file), 0)


def test_labels_are_read_and_a_fifth_of_the_crawl_is_used(tmp_path: Path) -> None:
    rows = [("a b", "math"), ("c", "not"), ("d", "nonmath"), ("e", "perhaps"), ("", "math")]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps({"url": u, "label": w}) + "\n" for u, w in rows))
    assert read_labels(str(tmp_path / "labels.jsonl")) == {"a%20b": True, "c": False, "d": False}
    labels = {f"u{n}": n % 2 == 0 for n in range(10)}
    said: list[str] = []
    assert choose_labels("f", labels, {"u1", "u2"}, 10, 0, said.append) == {"u1": False, "u2": True} and not said
    some = choose_labels("f", labels, set(labels), 19, 0, said.append)
    assert len(some) == 3 and some.items() <= labels.items()
    assert said == ["labelled     3 of 10 pages, a fifth of the crawl: they are not trained on"]
    assert len(choose_labels("f", labels, set(labels), 4, 0, said.append)) == 1
    chosen = {tuple(sorted(choose_labels("f", labels, set(labels), 19, seed, said.append))) for seed in range(5)}
    assert len(chosen) > 1  # by the seed, not by the alphabet
    with pytest.raises(DataError, match="f: no line has a url of the crawl"):
        choose_labels("f", labels, set(), 10, 0, said.append)


def test_a_report_in_words() -> None:
    report = {
        "pages": 1200, "tokens": 5000, "all_tokens": 20000, "above_tokens": 6000, "already_collected": 0.25,
        "seed_auc": 0.75, "seed_recall": 0.5, "seed_held_out": 4, "estimated": None,
        "labelled": {"precision": 0.5, "recall": None, "average_precision": 0.25, "pages": 1000, "false_positives": ["a"]},
    }  # fmt: skip
    assert list(lines_of(report)) == [
        "collected    1,200 pages, 5,000 tokens (25.0% of the crawl)",
        "budget       full; 6,000 tokens are above the score threshold",
        "already      25.0% of these tokens were collected by the round before",
        "seed         50% of 4 held-out pages collected, AUC 0.75 against pages that are not",
        "labelled     precision 0.500, average precision 0.250 on 1,000 pages",
        "             false positives ['a']",
    ]
    bare = {**report, "above_tokens": 5000, "already_collected": None, "seed_auc": None, "labelled": None}
    assert list(lines_of(bare)) == ["collected    1,200 pages, 5,000 tokens (25.0% of the crawl)"]
    assert list(lines_of({**bare, "pages": 0, "tokens": 0, "all_tokens": 0, "above_tokens": 0})) == [
        "collected    0 pages, 0 tokens (0.0% of the crawl)"
    ]


def test_random_pages_are_judged_by_a_model_that_has_not_seen_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six random pages beside a sure one; what looks mathematical is left out, unless nearly all do."""
    trained: list[list[str]] = []

    def judged(looks: str) -> tuple[list[str], int]:
        trained.clear()
        scores = lambda self, lines: [1 if line in looks else 0 for line in lines]  # noqa: E731
        monkeypatch.setattr(
            round_, "Classifier", type("Judge", (), {"__init__": lambda self, model: None, "scores": scores})
        )
        kept, dropped = made._clean([SimpleNamespace(line=name, sure=name == "s") for name in "asbcdef"])
        return [one.line for one in kept], dropped

    def write(path: Path, examples: list) -> int:
        path.parent.mkdir(exist_ok=True)
        path.touch()
        trained.append([one.line for one in examples])
        return len(examples)

    monkeypatch.setattr(round_, "write_lines", write)
    monkeypatch.setattr(round_, "hyperparameters", lambda count, settings: count)
    monkeypatch.setattr(round_, "train", lambda lines, model, values: model.touch())
    made = Round(tmp_path / "iteration-1", 1, [], LoopSettings("p", "s"), Execution())
    assert judged("b") == (list("ascdef"), 1)
    assert trained == [list("sbdf"), list("asce")] and not list(made.folder.iterdir())
    assert (
        judged("abd") == (list("scef"), 3)
        and judged("abde") == (list("asbcdef"), 0)
        and judged("s") == (list("asbcdef"), 0)
    )
    trained.clear()
    assert made._clean([SimpleNamespace(line="s", sure=True)])[1] == 0 and not trained


def test_a_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in (
        (OSError(28, "No space left", "a/file"), "a/file: No space left"),
        (OSError("odd"), f"{tmp_path}: odd"),
    ):

        def fail(*given: object, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(loop, "_run", fail)
        with pytest.raises(ConfigError, match=f"^{said}. What is written is whole"):
            loop.run_loop(LoopSettings("p", "s"), tmp_path)


def test_where_the_work_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Execution] = []
    monkeypatch.setattr(loop, "_run", lambda *all_: given.append(all_[-1]))
    loop.run_loop(LoopSettings("p", "s", workers=3), tmp_path)
    loop.run_loop(LoopSettings("p", "s", workers=3), tmp_path, print, Execution(workers=2))
    assert given == [Execution(workers=3), Execution(workers=2)]


def _round(folder: Path, **decided: str) -> SimpleNamespace:
    (folder / "iteration-2").mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(folder=folder / "iteration-2", number=2, decisions_before=lambda: Decisions(decided))


def test_who_decides(tmp_path: Path) -> None:
    """Rules go before a person, who goes before earlier rounds; automatic decisions come last."""
    entries = [Entry(f"{name}.org", "over", 10, 9, 0.9, 0.9, "", undecided=10) for name in "abcd"]
    said: list[str] = []
    now = _round(tmp_path, **{"a.org": "not", "b.org": "not", "c.org": "not"})
    (tmp_path / "decisions.csv").write_text("prefix,decision,round\na.org,skip,2\nb.org,skip,2\nc.org,skip,2\n")
    (tmp_path / "rules.csv").write_text("prefix,decision\na.org,math\n")

    def decide(**settings: object) -> int:
        return _decide(LoopSettings("p", "s", **settings), now, entries, said.append)

    def decided() -> dict[str, str]:
        return read_rules(now.folder / "decisions.csv").decided

    assert decide() == 1 and not (now.folder / "decisions.csv").exists() and not said  # d waits
    assert decide(rules=str(tmp_path / "rules.csv")) == 0
    assert decided() == {"a.org": "math", "b.org": "skip", "c.org": "skip"}
    assert said == ["undecided    1 prefixes: d.org"]
    assert decide(automatic=True) == 0 and decided() == {
        **dict.fromkeys(("a.org", "b.org", "c.org"), "skip"),
        "d.org": "math",
    }


@pytest.mark.parametrize(("automatic", "written"), [(False, []), (True, ["corpus"])])
def test_a_run_that_diverges_says_what_to_do(automatic: bool, written: list[str], tmp_path: Path) -> None:
    made: list[str] = []
    before = SimpleNamespace(number=1, write_corpus=lambda folder: made.append(folder.name))
    settings = LoopSettings("p", "s", automatic=automatic)
    result = _stop(_round(tmp_path), before, "It shrinks.", settings, [{"pages": 1}])
    assert (result.status, made, result.reports) == ("diverging", written, [{"pages": 1}])
    assert (
        result.message.startswith("stopped in round 2: It shrinks. ")
        and ("pages of round 1" in result.message) == automatic
    )
    assert f"delete {tmp_path / 'iteration-1'} and the later" in result.message
    _stop(_round(tmp_path), None, "", settings, [])
    assert made == written  # the first round has none before it


def test_parts_that_are_none(tmp_path: Path) -> None:
    for task, tasks in ((-1, 2), (2, 2)):
        with pytest.raises(ConfigError, match="task counts from 0 to 1"):
            score_part(tmp_path, task, tasks)
    with pytest.raises(DataError, match="holds no trained round"):
        score_part(tmp_path)


def test_a_part_of_the_newest_round_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (2, 10):
        (tmp_path / f"iteration-{number}").mkdir()
        (tmp_path / f"iteration-{number}/training.json").touch()
    (tmp_path / "iteration-11").mkdir()  # not trained yet
    (tmp_path / "pages").mkdir()
    for number in range(5):
        (tmp_path / f"pages/{number}.jsonl").touch()
    (tmp_path / "settings.json").write_text(json.dumps({"pages": str(tmp_path / "pages")}))
    given: list[tuple] = []
    monkeypatch.setattr(loop, "score_all", lambda jobs, *others: given.append((jobs, *others)) or iter(jobs[1:]))
    newest = tmp_path / "iteration-10"
    jobs = [(str(tmp_path / f"pages/{n}.jsonl"), newest / f"scores/00000{n}.tsv.gz") for n in range(5)]
    assert score_part(tmp_path, 1, 2) == 1 and score_part(tmp_path) == 4
    assert given == [(jobs[1::2], newest / "model.bin", Execution()), (jobs, newest / "model.bin", Execution())]


def test_what_is_used_when_nothing_is_said() -> None:
    """The paper's values where it has them (section 2.1), and the settings of small runs left to the size of the set."""
    settings = LoopSettings("pages", "seed")
    assert settings.record() == {
        "pages": "pages", "seed_pages": "seed", "labelled": None, "automatic": False, "stop_when_collected": 0.98,
        "budget_tokens": None, "min_score": 0.5, "domain_share": 0.1, "positive_examples": 500_000,
        "negative_examples": 500_000, "pages_per_prefix": 10_000, "dim": 256, "word_ngrams": 3, "min_count": 3,
        "learning_rate": None, "epochs": None, "bucket": None, "threads": 1, "seed": 0,
    }  # fmt: skip
    assert (settings.iterations, settings.workers, settings.keep_going, settings.score_elsewhere) == (
        4,
        1,
        False,
        False,
    )
