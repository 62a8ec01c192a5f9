"""The fastText classifier: text as it sees it, training that gives the same model twice, scores as log-odds."""

import ctypes
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import paper
from ..errors import DataError, MissingDependencyError
from .settings import LoopSettings

MATH, OTHER = "__label__math", "__label__other"
LOWEST = -12_000  # thousandths of log-odds; fastText adds 1e-5 to its probabilities, which ends them near 11.5

# fastText cuts a line at the word </s>, and takes words that begin with __label__ for labels: neither can pass.
_SPACES = "(){}[],.;:\"'`!?<>/|~@#&*%_\n\r\t\v\f\0\x1c\x1d\x1e\x1f"
_TO_SPACE = bytes.maketrans(
    _SPACES.encode(), b" " * len(_SPACES)
)  # on bytes: 20 times as fast as on non-ASCII strings
_WIDE_SPACES = "\x85\xa0\u2028\u2029\u3000"
_OWN_WORD = (("$", " $ "), ("=", " = "), ("+", " + "), ("^", " ^ "), ("\\", " \\"))
_CJK = re.compile("[\u3400-\u9fff]")

# Below this many lines the paper's rate and epochs leave the model untrained: at 60 pages its ranking was under chance.
SMALL = 100_000
_SMALL_RATE = 0.5
_SMALL_STEPS = 12_000
_SMALL_EPOCHS = (5, 40)
_SMALL_BUCKET, BUCKET = 200_000, 2_000_000


def one_line(text: str) -> str:
    """The text as fastText reads it: lower case, punctuation gone, signs and Chinese characters as words."""
    # A lone surrogate is no UTF-8 and becomes a question mark, then a space.
    text = text.lower().encode("utf-8", "replace").translate(_TO_SPACE).decode("utf-8")
    for sign, spaced in _OWN_WORD:
        if sign in text:
            text = text.replace(sign, spaced)
    if not text.isascii():
        for space in _WIDE_SPACES:
            if space in text:
                text = text.replace(space, " ")
        if _CJK.search(text):
            text = _CJK.sub(r" \g<0> ", text)
    return text


@dataclass(frozen=True)
class Hyperparameters:
    """What fastText is trained with; `scaled` says that it is not the paper's."""

    lr: float
    epoch: int
    dim: int
    wordNgrams: int
    minCount: int
    bucket: int
    thread: int
    seed: int
    scaled: bool


def hyperparameters(lines: int, settings: LoopSettings) -> Hyperparameters:
    """The paper's values for a training set of its kind; for a small one a larger learning rate and more epochs.

    Args:
        lines (`int`):
            Size of the training set.
        settings ([`LoopSettings`]):
            Values given there win.
    """
    small = lines < SMALL
    least, most = _SMALL_EPOCHS
    return Hyperparameters(
        lr=settings.learning_rate or (_SMALL_RATE if small else paper.CORPUS.learning_rate),
        epoch=settings.epochs
        or (min(most, max(least, round(_SMALL_STEPS / max(lines, 1)))) if small else paper.CORPUS.epochs),
        dim=settings.dim,
        wordNgrams=settings.word_ngrams,
        minCount=settings.min_count,
        bucket=settings.bucket or (_SMALL_BUCKET if small else BUCKET),
        thread=settings.threads,
        seed=settings.seed,
        scaled=small and settings.learning_rate is None and settings.epochs is None,
    )


def train(lines: Path, model: Path, values: Hyperparameters) -> Hyperparameters:
    """
    Trains in a new process and puts the model in its place when it is whole.

    fastText initializes only a part of its matrix and takes the rest as the memory comes (`thread` tenths of it are
    set). With fresh pages, which are zero, training neither meets NaN nor depends on what ran before; that is why the
    process is new and `MALLOC_MMAP_THRESHOLD_` is set.

    Args:
        lines (`Path`):
            Training file: a label and a line of text.
        model (`Path`):
            Where the model goes.
        values ([`Hyperparameters`]):
            Settings of the training.

    Returns:
        [`Hyperparameters`]: those used; the learning rate is halved, twice at most, when fastText meets NaN.

    Raises:
        DataError: fastText cannot train on this file; the message holds its reason.
        MissingDependencyError: fastText is not installed.
    """
    load_fasttext()
    # Not on every system does a child end with its parent: it must not write to the file of the next run's child.
    part = model.with_name(f"{model.name}.{os.getpid()}.part")
    for old in model.parent.glob(f"{model.name}.*.part"):
        old.unlink(missing_ok=True)
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "4096"}
    for attempt in range(3):
        options = {key: value for key, value in asdict(values).items() if key != "scaled"}
        done = subprocess.run(
            [sys.executable, "-m", "trl_dsmath.corpus.classifier", str(lines), str(part), json.dumps(options)],
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            os.replace(part, model)
            return values
        reason = done.stderr.strip().rsplit("\n", 1)[-1]
        if "NaN" not in reason or attempt == 2:
            break
        values = Hyperparameters(**{**asdict(values), "lr": values.lr / 2})
    hint = " Set a lower learning_rate, or a larger dim or bucket." if "NaN" in reason else ""
    raise DataError(f"fastText could not be trained on {lines}: {reason or done.returncode}.{hint}")


class Classifier:
    """
    A trained model that scores pages.

    Always through `multilinePredict`: `predict` of the distribution `fasttext` 0.9.3 fails with NumPy 2.

    Args:
        path (`Path`):
            The model.

    Raises:
        DataError: it is not a model of two labels.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._model = load_fasttext().FastText._FastText(str(path))
        except ValueError as error:
            raise DataError(f"{path} is not a fastText model: {error}") from error
        if set(self._model.get_labels()) != {MATH, OTHER}:
            raise DataError(f"{path} has other labels than {MATH} and {OTHER}: it is not a model of this loop.")

    def scores(self, texts: Sequence[str]) -> list[int]:
        """Log-odds of mathematics in thousandths, one a text; a text without words gets the lowest.

        They rank pages that both have a probability of 1.00000, and as whole numbers they can be counted exactly.
        """
        lines = [one_line(text) + "\n" for text in texts]
        labels, probabilities = self._model.f.multilinePredict(lines, 2, 0.0, "strict")
        found = []
        for line, names, values in zip(lines, labels, probabilities, strict=True):
            if len(names) < 2 or line.isspace():
                found.append(LOWEST)
                continue
            first, second = max(float(values[0]), 1e-6), max(float(values[1]), 1e-6)
            odds = math.log(first / second)
            found.append(round(1000 * (odds if names[0] == MATH else -odds)))
        return found


def probability(score: float) -> float:
    """Probability behind a score in thousandths of log-odds."""
    return 1 / (1 + math.exp(-score / 1000))


def end_with_parent() -> None:
    """Sees to it that this process ends when the one that started it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def load_fasttext() -> Any:
    """The module `fasttext`, whichever distribution brought it.

    Raises:
        MissingDependencyError: there is none, or one that cannot train.
    """
    try:
        import fasttext
    except ImportError as error:
        raise MissingDependencyError("fastText is not installed: pip install 'trl-dsmath[corpus]'") from error
    if not hasattr(fasttext, "train_supervised"):
        raise MissingDependencyError(
            "This fasttext cannot train (fasttext-predict): pip uninstall fasttext-predict, then "
            "pip install 'trl-dsmath[corpus]'"
        )
    return fasttext


def _main(lines: str, model: str, options: str) -> None:
    end_with_parent()
    load_fasttext().train_supervised(lines, verbose=0, **json.loads(options)).save_model(model)


if __name__ == "__main__":
    _main(*sys.argv[1:])
