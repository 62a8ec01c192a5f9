"""One round of the loop: train, score, cut, count, report. Each stage leaves a file and is passed over when it is there."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..data.journal import write_whole
from . import review
from .classifier import MATH, Classifier, hyperparameters, probability, train
from .measure import Tally, area_under_roc
from .rules import MATH as ACCEPTED
from .rules import NOT, Decisions, parts, read_rules
from .score import Cut, find_cut, read_scores, score_all
from .settings import LoopSettings
from .trainset import Example, choose, kept_apart, write_lines


class Round:
    """
    A round in its folder, `iteration-N`.

    Args:
        folder (`Path`):
            Its folder.
        number (`int`):
            From 1.
        shards (`list[Path]`):
            Files of pages.
        settings ([`LoopSettings`]):
            Of the run.
    """

    def __init__(self, folder: Path, number: int, shards: list[Path], settings: LoopSettings) -> None:
        self.folder, self.number, self.shards, self.settings = folder, number, shards, settings
        self.files = [folder / "scores" / f"{i:06d}.tsv.gz" for i in range(len(shards))]
        self.model = folder / "model.bin"
        (folder / "scores").mkdir(parents=True, exist_ok=True)

    def train(
        self,
        seed_pages: list[tuple[str, str]],
        held_out: set[str],
        before: "Round | None",
        index: list[Path],
        decisions: Decisions,
        say: Callable[[str], None],
    ) -> None:
        """Chooses the training set, cleans it of mathematics among the others, trains."""
        if (self.folder / "training.json").exists():  # written after the model
            return
        files, cut = (before.files, before.cut()) if before else (index, None)
        examples = choose(seed_pages, self.shards, files, cut, decisions, held_out, self.settings)
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
            apart = {id(example) for example in doubtful[half::2]}
            count = write_lines(lines, [e for e in examples if id(e) not in apart])
            train(lines, model, hyperparameters(count, self.settings))
            judged = doubtful[half::2]
            classifier = Classifier(model)
            for start in range(0, len(judged), 1024):
                part = judged[start : start + 1024]
                scores = classifier.scores([example.line for example in part])
                looks |= {id(example) for example, score in zip(part, scores, strict=True) if score > 0}
            lines.unlink()
            model.unlink()
        # If nearly all look mathematical, the model is wrong and not the pages.
        if len(looks) > len(doubtful) * 0.5:
            return examples, 0
        return [e for e in examples if id(e) not in looks], len(looks)

    def score(self) -> None:
        """Scores all pages."""
        jobs = list(zip(self.shards, self.files, strict=True))
        missing = sum(not file.exists() for file in self.files)
        done = score_all(jobs, self.model, self.settings.workers)
        for _ in tqdm(done, total=missing, desc="Scoring", unit="file", disable=not sys.stderr.isatty(), leave=False):
            pass

    def cut(self) -> Cut:
        """What is collected: the budget's best pages, or those above the score threshold."""
        path = self.folder / "cut.json"
        if not path.exists():
            threshold = self.settings.min_score
            if self.settings.budget_tokens is None and (found := self._apart(None).best_threshold()) is not None:
                threshold = max(threshold, probability(found - 0.5))
            cut = find_cut(self.files, self.settings.budget_tokens, threshold)
            write_whole(path, json.dumps(asdict(cut), indent=1) + "\n")
        return Cut(**json.loads(path.read_text()))

    def _apart(self, cut: Cut | None) -> Tally:
        """Annotated prefixes at their word, on the fifth of the pages that no round is trained on."""
        # The decisions that this round was trained with, so that a resumed run finds the same.
        decisions, tally = self.decisions_before(), Tally()
        if decisions.decided:
            for file in self.files:
                for score, _, url in read_scores(file):
                    if kept_apart(url, self.settings.seed) and (decision := decisions.of(url)) in (ACCEPTED, NOT):
                        tally.add(decision == ACCEPTED, score, bool(cut and cut.keeps(score, url)), parts(url)[0])
        return tally

    def review(self) -> list[review.Entry]:
        """Domain statistics and the review file."""
        if not (self.folder / "review.csv").exists():
            cut, decisions, share = self.cut(), self.decisions_before(), self.settings.domain_share
            hosts = review.count_hosts(self.files, cut, decisions)
            over = {host for host, domain in hosts.items() if domain.share > share}
            over |= {host for host in hosts if review.registered_domain(host) in over}
            folders = review.count_folders(self.files, cut, over, decisions)
            rows = "".join(
                f"{name},{d.pages},{d.collected},{d.share:.4f},{d.tokens},{d.mean_score / 1000:.3f}\n"
                for name, d in hosts.items()
            )
            write_whole(self.folder / "hosts.csv", "host,pages,collected,share,tokens,mean_log_odds\n" + rows)
            shown = review.to_show(hosts, folders, share, decisions)
            entries = review.make_review(shown, {**hosts, **folders}, self.shards, self.files, cut, decisions)
            review.write_review(self.folder, entries)
        return review.read_review(self.folder)

    def report(
        self, labels: dict[str, bool], seed_held_out: list[tuple[str, str]], before: "Round | None"
    ) -> dict[str, Any]:
        """Metrics of the round: what is collected, how good it is, and how much of it was collected before."""
        path = self.folder / "report.json"
        if not path.exists():
            texts = [text for _, text in seed_held_out]
            write_whole(path, json.dumps(self._measure(labels, texts, before), indent=1) + "\n")
        return json.loads(path.read_text())

    def _measure(self, labels: dict[str, bool], seed_held_out: list[str], before: "Round | None") -> dict[str, Any]:
        cut = self.cut()
        labelled = Tally()
        crawl: Counter[int] = Counter()
        outside: Counter[int] = Counter()
        tokens = already = 0
        earlier_cut = before.cut() if before else None
        for i, file_ in enumerate(self.files):
            earlier = read_scores(before.files[i]) if before else None
            for score, count, url in read_scores(file_):
                kept = cut.keeps(score, url)
                crawl[score] += 1
                outside[score] += not kept
                old = next(earlier).score if earlier else 0
                if kept:
                    tokens += count
                    already += count * (earlier_cut is not None and earlier_cut.keeps(old, url))
                if url in labels:
                    labelled.add(labels[url], score, kept, parts(url)[0])
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
            "already_collected": round(already / tokens, 4) if before and tokens else None,
            "seed_held_out": len(held),
            "seed_recall": round(sum(score > cut.score for score in held) / len(held), 4) if held else None,
            "seed_auc": round(area_under_roc(held, outside), 4) if held else None,
            "seed_auc_crawl": round(area_under_roc(held, crawl), 4) if held else None,
            "labelled": labelled.report(),
            "estimated": self._apart(cut).report(),
        }

    def decisions_before(self) -> Decisions:
        """The decisions that the round was trained with: those kept by the round before."""
        path = self.folder.parent / f"iteration-{self.number - 1}" / "decisions.csv"
        return read_rules(path) if path.exists() else Decisions()
