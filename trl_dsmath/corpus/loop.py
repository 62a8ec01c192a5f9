"""The corpus loop: train, score, rank, domain statistics, annotation, a larger seed, again (paper §2.1)."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..data.journal import keep_settings, lock
from ..errors import ConfigError, DataError
from .execution import Execution, map_shards
from .measure import find_trouble
from .records import clean_url, read_jsonl
from .review import Entry, automatic, undecided
from .round import Round
from .rules import Decisions, read_rules
from .score import read_scores, score_all, shards
from .settings import LoopSettings
from .trainset import page_hash

_HELD_OUT = 5  # one seed page in five is kept from training, from 20 pages on
_LEAST_SEED = 20
_MOST_HELD_OUT = 1000


@dataclass
class LoopResult:
    """
    The state of a run.

    Args:
        status (`str`):
            `done`: the corpus is written. `waiting`: prefixes are to be decided, or files to be scored. `diverging`: the
            run was stopped; with automatic decisions the corpus of an earlier round may have been written.
        message (`str`):
            What there is to know or to do.
        reports (`list[dict]`):
            One per round.
    """

    status: Literal["done", "waiting", "diverging"]
    message: str
    reports: list[dict[str, Any]]


def run_loop(
    settings: LoopSettings,
    folder: str | Path,
    say: Callable[[str], None] = print,
    execution: Execution | None = None,
) -> LoopResult:
    """
    Runs the loop, or resumes it.

    Everything is on disk: a run that was killed is called again and continues after the last file that was whole; the
    result is the same, byte for byte (`threads` 1).

    Args:
        settings ([`LoopSettings`]):
            What to run.
        folder (`str` or `Path`):
            Working folder: `iteration-N/`, `decisions.csv`, and the result in `corpus/`. One run at a time uses it.
        say (`Callable`, *optional*):
            Where messages go, a line at a time.
        execution ([`Execution`], *optional*):
            Where the work on files of pages is done; here, with `settings.workers` processes, by default. On Ray and Slurm
            the working folder has to be on a disk that all machines see.

    Returns:
        [`LoopResult`]: the state of the run.

    Raises:
        ConfigError: the folder holds a run with other settings, is in use by another run, or cannot be written.
        DataError: pages, seed or labels cannot be read or used.

    Source: §2.1 of the paper. What it leaves open is in docs/guides/corpus.md.
    """
    folder = Path(folder)
    with lock(folder / ".lock"):
        try:
            return _run(settings, folder, say, execution or Execution(workers=settings.workers))
        except OSError as error:
            raise ConfigError(
                f"{error.filename or folder}: {error.strerror or error}. What is written is whole: mend this, then start the "
                "same run again."
            ) from error


def _run(settings: LoopSettings, folder: Path, say: Callable[[str], None], execution: Execution) -> LoopResult:
    kept = folder / "settings.json"
    keep_settings(kept, settings.record(), fresh=not kept.exists(), holds=f"{folder} holds a run")
    files = shards(settings.pages)
    index = [folder / "index" / f"{i:06d}.tsv.gz" for i in range(len(files))]
    for _ in score_all(list(zip(files, index, strict=True)), None, execution):
        pass
    labels = read_labels(settings.labelled) if settings.labelled else {}
    pages, found = 0, set()
    for count, urls in map_shards(
        partial(_find_urls, index, set(labels)), folder / "parts", range(len(files)), execution
    ):
        pages += count
        found |= urls
    shutil.rmtree(folder / "parts")
    if settings.labelled:
        labels = choose_labels(settings.labelled, labels, found, pages, settings.seed, say)
    seed_pages, seed_held_out = split_seed(settings.seed_pages, settings.seed)
    held_out = set(labels) | {url for url, _ in seed_held_out}
    seed_pages = [page for page in seed_pages if page[0] not in labels]
    say(f"pages        {pages:,} in {len(files)} files")
    say(f"seed         {len(seed_pages):,} pages to train on, {len(seed_held_out):,} held out")
    if not seed_held_out:
        say(f"warning      fewer than {_LEAST_SEED} seed pages: none is held out to see whether the run diverges")
    if settings.automatic:
        say("warning      automatic decisions repeat the mistakes of the classifier; a run with them can diverge")

    reports: list[dict[str, Any]] = []
    before: Round | None = None
    for number in range(1, settings.iterations + 1):
        say(f"-- round {number} of at most {settings.iterations}")
        now = Round(folder / f"iteration-{number}", number, files, settings, execution)
        now.train(seed_pages, held_out, before, index, pages, say)
        if settings.score_elsewhere and (missing := sum(not file.exists() for file in now.files)):
            message = (
                f"{missing} of {len(files)} files are to be scored: dsmath corpus score {folder} --task I --tasks N for I "
                "from 0 to N-1, then the same command again."
            )
            return LoopResult("waiting", message, reports)
        now.score()
        report, entries = now.finish(labels, seed_held_out, before)
        reports.append(report)
        for line in lines_of(report):
            say(line)
        if trouble := find_trouble(reports, settings.automatic):
            if not settings.keep_going:
                return _stop(now, before, trouble, settings, reports)
            say(f"warning      {trouble} keep_going is set: the run continues")
        already = report["already_collected"]
        if already is not None and already >= settings.stop_when_collected:
            say(
                f"stopped      {already:.1%} of the tokens were collected already. This is a fixed point, not quality."
            )
            break
        if number == settings.iterations:
            break
        if not (now.folder / "decisions.csv").exists() and (open_ := _decide(settings, now, entries, say)):
            message = (
                f"{open_} prefixes wait for a decision: dsmath corpus annotate {folder}, then the same command again. "
                "(Without a person: --rules FILE.)"
            )
            return LoopResult("waiting", message, reports)
        before = now
    now.write_corpus(folder / "corpus")
    if not report["labelled"] and not report["estimated"]:
        say("warning      not measured: without labels or annotated prefixes nothing is known of precision")
    return LoopResult("done", f"{report['pages']:,} pages in {folder / 'corpus'}", reports)


def _stop(
    now: Round, before: Round | None, trouble: str, settings: LoopSettings, reports: list[dict[str, Any]]
) -> LoopResult:
    """Ends a run that diverges. Without a person to ask, the corpus of the round before is written."""
    folder = now.folder.parent
    message = f"stopped in round {now.number}: {trouble} "
    if settings.automatic and before:
        before.write_corpus(folder / "corpus")
        message += f"{folder / 'corpus'} holds the pages of round {before.number}. "
    earlier = folder / f"iteration-{max(now.number - 1, 1)}"
    message += (
        f"Look at {now.folder / 'review.csv'}; correct the decisions, delete {earlier} and the later ones, and run again; or "
        "set keep_going to continue as it is."
    )
    return LoopResult("diverging", message, reports)


def _decide(settings: LoopSettings, now: Round, entries: list[Entry], say: Callable[[str], None]) -> int:
    """Writes the decisions of the rules, then of the person, then of earlier rounds, then automatic ones; or returns how
    many prefixes wait for a person."""
    before = now.decisions_before()
    made: Decisions = before
    by_hand = now.folder.parent / "decisions.csv"
    if by_hand.exists():
        made = read_rules(by_hand).over(made)
    if settings.rules:
        made = read_rules(Path(settings.rules)).over(made)
    if settings.automatic:
        made = made.over(automatic(entries))
    left = undecided(entries, made, before, now.number)
    if left and not settings.rules and not settings.automatic:
        return len(left)
    if left:
        say(f"undecided    {len(left)} prefixes: {', '.join(entry.prefix for entry in left[:8])}")
    made.write(now.folder / "decisions.csv")
    return 0


def split_seed(path: str, seed: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """URL and text of the seed pages: those to train on, and those held out (a fifth, from 20 pages on).

    Raises:
        DataError: a page has no text, or there is no page.
    """
    pages = []
    for number, record in enumerate(read_jsonl(path), start=1):
        if not isinstance(record.get("text"), str) or not record["text"].strip():
            raise DataError(f"{path}, line {number}, has no text.")
        pages.append((clean_url(str(record.get("url") or "")), record["text"]))
    if not pages:
        raise DataError(f"{path} holds no page.")
    ordered = sorted(pages, key=lambda page: page_hash(page[0] + page[1], seed, "held out"))
    count = min(_MOST_HELD_OUT, len(pages) // _HELD_OUT) if len(pages) >= _LEAST_SEED else 0
    return ordered[count:], ordered[:count]


def _find_urls(index: list[Path], labelled: set[str], number: int) -> tuple[int, set[str]]:
    """Pages of a shard, and which of them are labelled."""
    urls = [row.url for row in read_scores(index[number])]
    return len(urls), labelled.intersection(urls)


def read_labels(path: str) -> dict[str, bool]:
    """Whether a page is mathematics, by URL."""
    kinds = {"math": True, "not": False, "nonmath": False}
    return {
        clean_url(record["url"]): kinds[record["label"]]
        for record in read_jsonl(path)
        if record.get("url") and record.get("label") in kinds
    }


def choose_labels(
    path: str, labels: dict[str, bool], found: set[str], pages: int, seed: int, say: Callable[[str], None]
) -> dict[str, bool]:
    """Labels of the pages that were found; of more than a fifth of the crawl, a fifth, since these pages cannot be trained
    on.

    Raises:
        DataError: none was found.
    """
    if not found:
        raise DataError(f"{path}: no line has a url of the crawl and a label, math or not.")
    chosen = sorted(found, key=lambda url: page_hash(url, seed, "labelled"))[: max(1, pages // 5)]
    if len(chosen) < len(found):
        say(f"labelled     {len(chosen):,} of {len(found):,} pages, a fifth of the crawl: they are not trained on")
    return {url: labels[url] for url in chosen}


def lines_of(report: dict[str, Any]) -> Iterator[str]:
    """A report as lines for a person."""
    share = report["tokens"] / max(report["all_tokens"], 1)
    yield f"collected    {report['pages']:,} pages, {report['tokens']:,} tokens ({share:.1%} of the crawl)"
    if report["tokens"] < report["above_tokens"]:
        yield f"budget       full; {report['above_tokens']:,} tokens are above the score threshold"
    if report["already_collected"] is not None:
        yield f"already      {report['already_collected']:.1%} of these tokens were collected by the round before"
    if report["seed_auc"] is not None:
        yield (
            f"seed         {report['seed_recall']:.0%} of {report['seed_held_out']} held-out pages collected, AUC "
            f"{report['seed_auc']:.2f} against pages that are not"
        )
    for kind in ("labelled", "estimated"):
        if known := report[kind]:
            metrics = ", ".join(
                f"{name.replace('_', ' ')} {known[name]:.3f}"
                for name in ("precision", "recall", "average_precision")
                if known[name] is not None
            )
            yield f"{kind:<12} {metrics} on {known['pages']:,} pages"
            if known["false_positives"]:
                yield f"             false positives {known['false_positives']}"


def score_part(folder: Path, task: int = 0, tasks: int = 1) -> int:
    """
    Scores a part of the shards of the round that is trained and not scored: for a cluster's job array.

    The loop skips files of scores that are there. It is also a step for datatrove's executors, whose tasks call
    `step(data, rank, world_size)`: `lambda data, rank, world_size: score_part(folder, rank, world_size)`.

    Args:
        folder (`Path`):
            Working folder of the run.
        task (`int`, *optional*, defaults to `0`), tasks (`int`, *optional*, defaults to `1`):
            Which part of how many.

    Returns:
        `int`: files that were scored.

    Raises:
        ConfigError: there is no such part.
        DataError: no round is trained.
    """
    if not 0 <= task < tasks:
        raise ConfigError(f"task counts from 0 to {tasks - 1}, not {task}.")
    folder = Path(folder)
    trained = sorted(folder.glob("iteration-*/training.json"), key=lambda p: int(p.parent.name.rpartition("-")[2]))
    if not trained:
        raise DataError(f"{folder} holds no trained round. Start the loop with score_elsewhere first.")
    settings = json.loads((folder / "settings.json").read_text())
    scores = trained[-1].parent / "scores"
    jobs = [(shard, scores / f"{i:06d}.tsv.gz") for i, shard in enumerate(shards(settings["pages"]))]
    return sum(1 for _ in score_all(jobs[task::tasks], trained[-1].with_name("model.bin"), Execution()))
