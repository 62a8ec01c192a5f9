"""The corpus loop: train, score, rank, domain statistics, annotation, a larger seed, again (paper §2.1)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError, DataError
from .health import find_trouble
from .records import read_jsonl, write_jsonl
from .review import automatic, undecided
from .round import Round
from .rules import Decisions, read_rules, write_text
from .score import read_scores, read_shard, score_all, shards
from .settings import LoopSettings
from .trainset import page_hash

_HELD_OUT = 5  # one seed page in five is kept from training, from 20 pages on
_LEAST_SEED = 20
_MOST_HELD_OUT = 1000


@dataclass
class LoopResult:
    """
    Where a run stands.

    Args:
        status (`str`):
            `done`: the corpus is written. `waiting`: prefixes are to be decided. `diverging`: it was stopped.
        message (`str`):
            What there is to know or to do.
        reports (`list[dict]`):
            One a round.
    """

    status: Literal["done", "waiting", "diverging"]
    message: str
    reports: list[dict[str, Any]]


def run_loop(settings: LoopSettings, folder: str | Path, say: Callable[[str], None] = print) -> LoopResult:
    """
    Runs the loop, or goes on with it.

    Everything is on disk: a run that was killed is called again and goes on after the last file that was whole; the
    result is the same, byte for byte (`threads` 1).

    Args:
        settings ([`LoopSettings`]):
            What to run.
        folder (`str` or `Path`):
            Working folder: `iteration-N/`, `decisions.csv`, and the result in `corpus/`.
        say (`Callable`, *optional*):
            Where messages go, a line at a time.

    Returns:
        [`LoopResult`]: where the run stands.

    Raises:
        ConfigError: the folder holds a run with other settings.
        DataError: pages, seed or labels cannot be read or used.

    Source: §2.1 of the paper. What it leaves open is in docs/corpus.md.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder / "settings.json", settings)
    files = shards(Path(settings.pages))
    index = [folder / "index" / f"{i:06d}.tsv.gz" for i in range(len(files))]
    index[0].parent.mkdir(exist_ok=True)
    for _ in score_all(list(zip(files, index, strict=True)), None, settings.workers):
        pass
    labels = read_labels(Path(settings.labelled), index, settings.seed, say) if settings.labelled else {}
    seed_pages, seed_held_out = split_seed(Path(settings.seed_pages), settings.seed)
    held_out = set(labels) | {url for url, _ in seed_held_out}
    seed_pages = [page for page in seed_pages if page[0] not in labels]
    say(f"pages        {sum(1 for f in index for _ in read_scores(f)):,} in {len(files)} files")
    say(f"seed         {len(seed_pages):,} pages to train on, {len(seed_held_out):,} held out")
    if not seed_held_out:
        say(f"warning      fewer than {_LEAST_SEED} seed pages: none is held out to see whether the run diverges")
    if settings.automatic:
        say("warning      automatic decisions repeat the mistakes of the classifier; a run with them can diverge")

    reports: list[dict[str, Any]] = []
    before: Round | None = None
    for number in range(1, settings.iterations + 1):
        say(f"-- round {number} of at most {settings.iterations}")
        now = Round(folder / f"iteration-{number}", number, files, settings)
        decisions = now.decisions_before()
        now.train(seed_pages, held_out, before, index, decisions, say)
        if settings.score_elsewhere and (missing := sum(not file.exists() for file in now.files)):
            return LoopResult(
                "waiting",
                f"{missing} of {len(files)} files are to be scored: dsmath corpus score {folder} --task I --tasks N for I from "
                "0 to N-1, then the same command again.",
                reports,
            )
        now.score()
        report = now.report(labels, [text for _, text in seed_held_out], before)
        reports.append(report)
        for line in lines_of(report):
            say(line)
        entries = now.review(decisions)
        if trouble := find_trouble(reports, settings.automatic):
            return LoopResult(
                "diverging",
                f"stopped in round {number}: {trouble} Look at {now.folder / 'review.csv'}; to go on, correct the decisions "
                f"and delete {folder / f'iteration-{max(number - 1, 1)}'} and the later ones.",
                reports,
            )
        before = now
        already = report["already_collected"]
        if already is not None and already >= settings.stop_when_collected:
            say(
                f"stopped      {already:.1%} of the tokens were collected already. This is a fixed point, not quality."
            )
            break
        if number == settings.iterations:
            break
        kept = now.folder / "decisions.csv"
        if not kept.exists():
            made = _decide(settings, folder, decisions, entries)
            open_ = undecided(entries, made)
            if open_ and not settings.rules and not settings.automatic:
                return LoopResult(
                    "waiting",
                    f"{len(open_)} prefixes wait for a decision: dsmath corpus annotate {folder}, then the same command "
                    "again. (Without a person: --rules FILE.)",
                    reports,
                )
            if open_:
                say(f"undecided    {len(open_)} prefixes: {', '.join(entry.prefix for entry in open_[:8])}")
            made.write(kept)
    assert before is not None
    _write_corpus(folder / "corpus", before)
    _warn_unmeasured(reports, say)
    return LoopResult("done", f"{reports[-1]['pages']:,} pages in {folder / 'corpus'}", reports)


def _decide(settings: LoopSettings, folder: Path, before: Decisions, entries: list) -> Decisions:
    """Decisions of the rules, then of the person, then of earlier rounds, then automatic ones."""
    made = before
    if (folder / "decisions.csv").exists():
        made = read_rules(folder / "decisions.csv").over(made)
    if settings.rules:
        made = read_rules(Path(settings.rules)).over(made)
    if settings.automatic:
        made = made.over(automatic(entries))
    return made


def _check_settings(path: Path, settings: LoopSettings) -> None:
    now = {key: value for key, value in settings.record().items() if key != "iterations"}  # a run may be lengthened
    if path.exists():
        kept = json.loads(path.read_text())
        other = [f"{key} {kept.get(key)} (now {value})" for key, value in now.items() if kept.get(key) != value]
        if other:
            raise ConfigError(
                f"{path.parent} holds a run with other settings: {', '.join(other)}. Give another --output_dir."
            )
        return
    write_text(path, json.dumps(now, indent=1) + "\n")


def split_seed(path: Path, seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """URL and text of the seed pages: those to train on, and those held out (a fifth, from 20 pages on).

    Raises:
        DataError: a page has no text, or there is no page.
    """
    pages = []
    for number, record in enumerate(read_jsonl(path), start=1):
        if not isinstance(record.get("text"), str) or not record["text"].strip():
            raise DataError(f"{path}, line {number}, has no text.")
        pages.append((str(record.get("url") or ""), record["text"]))
    if not pages:
        raise DataError(f"{path} holds no page.")
    ordered = sorted(pages, key=lambda page: page_hash(page[0] + page[1], seed, "held out"))
    count = min(_MOST_HELD_OUT, len(pages) // _HELD_OUT) if len(pages) >= _LEAST_SEED else 0
    return ordered[count:], ordered[:count]


def read_labels(path: Path, index: list[Path], seed: int, say: Callable[[str], None]) -> dict[str, bool]:
    """Labels by URL; of more than a fifth of the crawl, a fifth, since these pages cannot be trained on.

    Raises:
        DataError: no line has a URL of the crawl and a label.
    """
    kinds = {"math": True, "not": False, "nonmath": False}
    labels = {
        record["url"]: kinds[record["label"]]
        for record in read_jsonl(path)
        if record.get("url") and record.get("label") in kinds
    }
    there = 0
    found = set()
    for file in index:
        for _, _, url in read_scores(file):
            there += 1
            if url in labels:
                found.add(url)
    if not found:
        raise DataError(f"{path}: no line has a url of the crawl and a label, math or not.")
    most = max(1, there // 5)
    chosen = sorted(found, key=lambda url: page_hash(url, seed, "labelled"))[:most]
    if len(chosen) < len(found):
        say(f"labelled     {len(chosen):,} of {len(found):,} pages, a fifth of the crawl: they are not trained on")
    return {url: labels[url] for url in chosen}


def lines_of(report: dict[str, Any]) -> Iterator[str]:
    """A report as lines for a person."""
    share = report["tokens"] / max(report["all_tokens"], 1)
    yield f"collected    {report['pages']:,} pages, {report['tokens']:,} tokens ({share:.1%} of the crawl)"
    if report["tokens"] < report["above_tokens"]:
        yield f"budget       full; {report['above_tokens']:,} tokens are above the least score"
    if report["already_collected"] is not None:
        yield f"already      {report['already_collected']:.1%} of these tokens were collected by the round before"
    if report["seed_auc"] is not None:
        yield f"seed         {report['seed_recall']:.0%} of {report['seed_held_out']} held-out pages collected, AUC {report['seed_auc']:.2f}"
    for kind in ("labelled", "estimated"):
        if known := report[kind]:
            figures = ", ".join(
                f"{name.replace('_', ' ')} {known[name]:.3f}"
                for name in ("precision", "recall", "average_precision")
                if known[name] is not None
            )
            yield f"{kind:<12} {figures} on {known['pages']:,} pages"
            if known["false_positives"]:
                yield f"             false positives {known['false_positives']}"


def _warn_unmeasured(reports: list[dict[str, Any]], say: Callable[[str], None]) -> None:
    if not reports[-1]["labelled"] and not reports[-1]["estimated"]:
        say("warning      nobody looked: without labels or annotated prefixes nothing is known of precision")


def _write_corpus(folder: Path, last: Round) -> None:
    """Writes the collected pages with their scores, best threshold of the last round, in the order of the crawl."""
    folder.mkdir(exist_ok=True)
    state = folder / "round.json"
    if not state.exists() or json.loads(state.read_text()) != last.number:
        for old in folder.glob("*.jsonl.gz"):
            old.unlink()
        write_text(state, f"{last.number}\n")
    cut = last.cut()
    for number, (shard, file) in enumerate(zip(last.shards, last.files, strict=True)):
        output = folder / f"{number:06d}.jsonl.gz"
        if not output.exists():
            write_jsonl(output, _kept(shard, file, cut))


def _kept(shard: Path, file: Path, cut: Any) -> Iterator[dict[str, Any]]:
    for record, (score, _, url) in zip(read_shard(shard), read_scores(file), strict=True):
        if cut.keeps(score, url):
            yield {**record, "math_log_odds": score / 1000}


def score_part(folder: Path, task: int = 0, tasks: int = 1) -> int:
    """
    Scores a part of the shards of the round that is trained and not scored: for a cluster's job array.

    The loop passes over files of scores that are there. It is also a step for datatrove's executors, whose tasks call
    `step(data, rank, world_size)`: `lambda data, rank, world_size: score_part(folder, rank, world_size)`.

    Args:
        folder (`Path`):
            Working folder of the run.
        task (`int`, *optional*, defaults to `0`), tasks (`int`, *optional*, defaults to `1`):
            Which part of how many.

    Returns:
        `int`: files that were scored.

    Raises:
        DataError: no round is trained.
    """
    models = sorted(
        folder.glob("iteration-*/training.json"), key=lambda path: int(path.parent.name.rpartition("-")[2])
    )
    if not models:
        raise DataError(f"{folder} holds no trained round. Start dsmath corpus with --score_elsewhere first.")
    settings = json.loads((folder / "settings.json").read_text())
    scores = models[-1].parent / "scores"
    jobs = [(shard, scores / f"{i:06d}.tsv.gz") for i, shard in enumerate(shards(Path(settings["pages"])))]
    return sum(1 for _ in score_all(jobs[task::tasks], models[-1].with_name("model.bin"), 1))
