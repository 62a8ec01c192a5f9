"""One round of the loop: train, score, cut, count, report. Each stage leaves a file and is skipped when it is there.

What needs the pages or their scores is a function of one shard, `_..._of`, mapped over the shards by an [`Execution`]; this
process reads the small results only, which are in `parts/` until the round is finished.
"""

import csv
import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from ..data.journal import write_whole
from . import domains, review
from .classifier import MATH, Classifier, hyperparameters, probability, train
from .execution import Execution, map_shards, merge_shards, run_missing
from .measure import Tally, area_under_roc
from .records import write_jsonl
from .rules import MATH as ACCEPTED
from .rules import NOT, Decisions, parts, read_rules
from .score import (
    Counts,
    Cut,
    Scored,
    add_counts,
    count_scores,
    count_ties,
    find_cut,
    read_scores,
    read_shard,
    score_all,
)
from .settings import LoopSettings
from .trainset import Example, choose, kept_apart, write_lines

T = TypeVar("T")


@dataclass
class _Counts:
    """What is counted in one pass over the scores of a shard."""

    hosts: dict[str, domains.Domain] = field(default_factory=dict)
    crawl: Counter[int] = field(default_factory=Counter)  # pages by score
    outside: Counter[int] = field(default_factory=Counter)  # those that are not collected
    tokens: int = 0
    already: int = 0  # tokens that were collected by the round before too
    labelled: Tally = field(default_factory=Tally)
    estimated: Tally = field(default_factory=Tally)

    def merge(self, other: "_Counts") -> None:
        domains.merge_domains(self.hosts, other.hosts)
        self.crawl.update(other.crawl)
        self.outside.update(other.outside)
        self.tokens += other.tokens
        self.already += other.already
        self.labelled.merge(other.labelled)
        self.estimated.merge(other.estimated)


def _merge_scores(total: tuple[Counts, Tally], part: tuple[Counts, Tally]) -> None:
    add_counts(total[0], part[0])
    total[1].merge(part[1])


class Round:
    """
    A round in its folder, `iteration-N`.

    Args:
        folder (`Path`):
            Its folder.
        number (`int`):
            From 1.
        shards (`list[str]`):
            Files of pages.
        settings ([`LoopSettings`]):
            Of the run.
        execution ([`Execution`]):
            Where the work on shards is done.
    """

    def __init__(
        self, folder: Path, number: int, shards: list[str], settings: LoopSettings, execution: Execution
    ) -> None:
        self.folder, self.number, self.shards, self.settings = folder, number, shards, settings
        self.execution = execution
        self.files = [folder / "scores" / f"{i:06d}.tsv.gz" for i in range(len(shards))]
        self.model = folder / "model.bin"

    def _mapped(self, name: str, function: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
        return map_shards(function, self.folder / "parts" / name, numbers, self.execution)

    def _merged(self, name: str, function: Callable[[int], T], merge: Callable[[T, T], object]) -> T:
        return merge_shards(function, self.folder / "parts" / name, len(self.shards), self.execution, merge)

    def train(
        self,
        seed_pages: list[tuple[str, str]],
        held_out: set[str],
        before: "Round | None",
        index: list[Path],
        pages: int,
        say: Callable[[str], None],
    ) -> None:
        """Chooses the training set, cleans it of mathematics among the others, trains."""
        if (self.folder / "training.json").exists():  # written after the model
            return
        files, cut = (before.files, before.cut()) if before else (index, None)
        decisions = self.decisions_before()
        examples = choose(
            seed_pages, self.shards, files, pages, cut, decisions, held_out, self.settings, self._mapped, self._merged
        )
        positives = sum(example.label == MATH for example in examples)
        say(f"training set {positives:,} mathematical pages, {len(examples) - positives:,} others")
        examples, dropped = self._clean(examples)
        if dropped:
            say(f"dropped      {dropped:,} of the others: a model that had not seen them takes them for mathematics")
        lines = write_lines(self.folder / "train.txt", examples)
        values = hyperparameters(lines, self.settings)
        if values.scaled:
            say(
                f"scaled       learning rate {values.lr:g}, {values.epoch} epochs, {values.bucket:,} buckets: with the "
                f"paper's 0.1 and 3 epochs, made for 1,000,000 pages, {lines:,} lines train nothing"
            )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["url", "label", "source"])
        writer.writerows((e.url, e.label.removeprefix("__label__"), e.source) for e in examples)
        write_whole(self.folder / "training.csv", text.getvalue())
        used = train(self.folder / "train.txt", self.model, values)
        report = {
            "math": positives,
            "others": len(examples) - positives,
            "dropped": dropped,
            "lines": lines,
            **asdict(used),
        }
        write_whole(self.folder / "training.json", json.dumps(report, indent=1) + "\n")

    def _clean(self, examples: list[Example]) -> tuple[list[Example], int]:
        """Leaves out random pages that look mathematical to a model trained without them.

        A third of the random pages of a crawl may be mathematics. The others are split in two; each half is judged by a
        model trained on the other half. Pages that a person rejected stay whatever the model says.
        """
        doubtful = [example for example in examples if not example.sure]
        if not doubtful:
            return examples, 0
        looks: set[int] = set()
        for half in (0, 1):
            lines = self.folder / f"half-{half}.txt"
            model = self.folder / f"half-{half}.bin"
            judged = doubtful[half::2]
            apart = set(map(id, judged))
            count = write_lines(lines, [e for e in examples if id(e) not in apart])
            train(lines, model, hyperparameters(count, self.settings))
            classifier = Classifier(model)
            for start in range(0, len(judged), 1024):
                part = judged[start : start + 1024]
                scores = classifier.scores([example.line for example in part])
                looks |= {id(example) for example, score in zip(part, scores, strict=True) if score > 0}
            lines.unlink()
            model.unlink()
        # If nearly all look mathematical, the model is wrong and not the pages.
        if 2 * len(looks) > len(doubtful):
            return examples, 0
        return [e for e in examples if id(e) not in looks], len(looks)

    def score(self) -> None:
        """Scores all pages."""
        jobs = list(zip(self.shards, self.files, strict=True))
        missing = sum(not file.exists() for file in self.files)
        done = score_all(jobs, self.model, self.execution)
        for _ in tqdm(done, total=missing, desc="Scoring", unit="file", disable=not sys.stderr.isatty(), leave=False):
            pass

    def cut(self) -> Cut:
        """What is collected: the budget's best pages, or those above the score threshold."""
        path = self.folder / "cut.json"
        if not path.exists():
            counts, apart = self._merged("scores", self._scores_of, _merge_scores)
            threshold = self.settings.min_score
            if self.settings.budget_tokens is None and (found := apart.best_threshold()) is not None:
                threshold = max(threshold, probability(found - 0.5))
            cut = find_cut(
                counts,
                self.settings.budget_tokens,
                threshold,
                lambda score: self._merged("ties", partial(self._ties_of, score), add_counts),
            )
            write_whole(path, json.dumps(asdict(cut), indent=1) + "\n")
        return Cut(**json.loads(path.read_text()))

    def _scores_of(self, number: int) -> tuple[Counts, Tally]:
        rows = list(read_scores(self.files[number]))
        return count_scores(rows), self._apart(rows, None)

    def _ties_of(self, score: int, number: int) -> Counts:
        return count_ties(read_scores(self.files[number]), score)

    def _apart(self, rows: list[Scored], cut: Cut | None) -> Tally:
        """Annotated prefixes at their word, on the fifth of the pages that no round is trained on."""
        # The decisions that this round was trained with, so that a resumed run finds the same.
        decisions, tally = self.decisions_before(), Tally()
        if decisions.decided:
            for score, _, url in rows:
                if kept_apart(url, self.settings.seed) and (decision := decisions.of(url)) in (ACCEPTED, NOT):
                    tally.add(decision == ACCEPTED, score, bool(cut and cut.keeps(score, url)), parts(url)[0])
        return tally

    def finish(
        self, labels: dict[str, bool], seed_held_out: list[tuple[str, str]], before: "Round | None"
    ) -> tuple[dict[str, Any], list[review.Entry]]:
        """Metrics of the round: what is collected, how good it is, and how much of it was collected before; and the
        review file."""
        path = self.folder / "report.json"
        if not path.exists():  # written after the review file
            total = self._merged("counts", partial(self._counts_of, self.cut(), labels, before), _Counts.merge)
            self._review(domains.with_registered(total.hosts))
            texts = [text for _, text in seed_held_out]
            write_whole(path, json.dumps(self._measure(total, texts, before), indent=1) + "\n")
        shutil.rmtree(self.folder / "parts", ignore_errors=True)
        return json.loads(path.read_text()), review.read_review(self.folder)

    def _counts_of(self, cut: Cut, labels: dict[str, bool], before: "Round | None", number: int) -> "_Counts":
        rows = list(read_scores(self.files[number]))
        found = _Counts(domains.count_hosts(rows, cut, self.decisions_before()), estimated=self._apart(rows, cut))
        earlier = read_scores(before.files[number]) if before else None
        earlier_cut = before.cut() if before else None
        for score, count, url in rows:
            kept = cut.keeps(score, url)
            found.crawl[score] += 1
            found.outside[score] += not kept
            old = next(earlier).score if earlier else 0
            if kept:
                found.tokens += count
                found.already += count * (earlier_cut is not None and earlier_cut.keeps(old, url))
            if url in labels:
                found.labelled.add(labels[url], score, kept, parts(url)[0])
        return found

    def _review(self, hosts: dict[str, domains.Domain]) -> None:
        """Domain statistics and the review file."""
        cut, decisions, share = self.cut(), self.decisions_before(), self.settings.domain_share
        over = {host for host, domain in hosts.items() if domain.share > share}
        over |= {host for host in hosts if domains.registered_domain(host) in over}
        folders = self._merged("folders", partial(self._folders_of, cut, over), domains.merge_domains)
        rows = "".join(
            f"{name},{d.pages},{d.collected},{d.share:.4f},{d.tokens},{d.mean_score / 1000:.3f}\n"
            for name, d in hosts.items()
        )
        write_whole(self.folder / "hosts.csv", "host,pages,collected,share,tokens,mean_log_odds\n" + rows)
        entries = review.make_review(
            domains.to_show(hosts, folders, share, decisions),
            {**hosts, **folders},
            decisions,
            lambda prefixes: self._merged(
                "examples", partial(self._examples_of, cut, prefixes), review.merge_candidates
            ),
            lambda lines: self._mapped("excerpts", partial(self._excerpts_of, lines), lines),
        )
        review.write_review(self.folder, entries)

    def _folders_of(self, cut: Cut, hosts: set[str], number: int) -> dict[str, domains.Domain]:
        return domains.count_folders(read_scores(self.files[number]), cut, hosts, self.decisions_before())

    def _examples_of(self, cut: Cut, prefixes: Collection[str], number: int) -> review.Candidates:
        return review.find_candidates(read_scores(self.files[number]), number, prefixes, cut)

    def _excerpts_of(self, lines: dict[int, set[int]], number: int) -> dict[int, tuple[str, str]]:
        return review.read_excerpts(self.shards[number], lines[number])

    def _measure(self, total: "_Counts", seed_held_out: list[str], before: "Round | None") -> dict[str, Any]:
        cut = self.cut()
        held = Classifier(self.model).scores(seed_held_out) if seed_held_out else []
        return {
            "round": self.number,
            "training": json.loads((self.folder / "training.json").read_text()),
            "pages": cut.pages,
            "tokens": cut.tokens,
            "all_pages": cut.all_pages,
            "all_tokens": cut.all_tokens,
            "above_pages": cut.above_pages,
            "above_tokens": cut.above_tokens,
            "score_threshold": cut.score,
            "already_collected": round(total.already / total.tokens, 4) if before and total.tokens else None,
            "seed_held_out": len(held),
            "seed_recall": round(sum(score > cut.score for score in held) / len(held), 4) if held else None,
            "seed_auc": round(area_under_roc(held, total.outside), 4) if held else None,
            "seed_auc_crawl": round(area_under_roc(held, total.crawl), 4) if held else None,
            "labelled": total.labelled.report(),
            "estimated": total.estimated.report(),
        }

    def write_corpus(self, folder: Path) -> None:
        """Writes the collected pages with their scores, in the order of the crawl."""
        state = folder / "round.json"
        if not state.exists() or json.loads(state.read_text()) != self.number:
            for old in folder.glob("*.jsonl.gz"):
                old.unlink()
            write_whole(state, f"{self.number}\n")
        files = {number: folder / f"{number:06d}.jsonl.gz" for number in range(len(self.shards))}
        for _ in run_missing(partial(self._write_kept, files, self.cut()), files, self.execution):
            pass

    def _write_kept(self, files: dict[int, Path], cut: Cut, number: int) -> None:
        pages = zip(read_shard(self.shards[number]), read_scores(self.files[number]), strict=True)
        kept = ({**page, "math_log_odds": score / 1000} for page, (score, _, url) in pages if cut.keeps(score, url))
        write_jsonl(files[number], kept)

    def decisions_before(self) -> Decisions:
        """The decisions that the round was trained with: those kept by the round before."""
        path = self.folder.parent / f"iteration-{self.number - 1}" / "decisions.csv"
        return read_rules(path) if path.exists() else Decisions()
