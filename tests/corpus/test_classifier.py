"""Text as fastText sees it, training that repeats itself, scores."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fasttext", reason="fastText is not installed")

from trl_dsmath import paper
from trl_dsmath.corpus import classifier
from trl_dsmath.corpus.classifier import (
    LOWEST,
    MATH,
    OTHER,
    Classifier,
    hyperparameters,
    load_fasttext,
    one_line,
    probability,
    train,
)
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import DataError, MissingDependencyError

SETTINGS = LoopSettings(pages="p", seed_pages="s")
SMALL = hyperparameters(200, replace(SETTINGS, bucket=20_000))  # a model of 20 MB


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"Let $x=\frac{1}{2}$.", ["let", "$", "x", "=", r"\frac", "1", "2", "$"]),
        ("a line\nand\r\nanother\x00\u2028end\xa0x", ["a", "line", "and", "another", "end", "x"]),
        ("before </s> after __label__other x", ["before", "s", "after", "label", "other", "x"]),
        ("设函数f(x)", ["设", "函", "数", "f", "x"]),
        ("broken \ud800 here", ["broken", "here"]),
        ("x^2 + Ü", ["x", "^", "2", "+", "ü"]),
    ],
)
def test_one_line(text: str, words: list[str]) -> None:
    assert one_line(text).split() == words
    assert "\n" not in one_line(text)


def test_the_paper_s_values_at_the_paper_s_size() -> None:
    values = hyperparameters(1_000_000, SETTINGS)
    assert (values.lr, values.epoch, values.dim, values.wordNgrams, values.minCount) == (0.1, 3, 256, 3, 3)
    assert values.bucket == 2_000_000 and not values.scaled
    assert paper.CORPUS.epochs == 3


def test_small_sets_are_scaled_and_given_values_stand() -> None:
    small, smaller = hyperparameters(5000, SETTINGS), hyperparameters(600, SETTINGS)
    assert small.scaled and small.lr == 0.5
    assert smaller.epoch > small.epoch > 3
    assert [hyperparameters(lines, SETTINGS).epoch for lines in (100, 300, 600, 2400, 99_999)] == [40, 40, 20, 5, 5]
    edge = hyperparameters(99_999, SETTINGS), hyperparameters(100_000, SETTINGS)
    assert [(one.lr, one.bucket, one.scaled) for one in edge] == [(0.5, 200_000, True), (0.1, 2_000_000, False)]
    one = hyperparameters(600, LoopSettings(pages="p", seed_pages="s", epochs=3, bucket=7))
    assert (one.lr, one.epoch, one.bucket, one.scaled) == (0.5, 3, 7, False)
    mine = hyperparameters(600, LoopSettings(pages="p", seed_pages="s", learning_rate=0.1, epochs=3))
    assert (mine.lr, mine.epoch, mine.scaled) == (0.1, 3, False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    _write(folder / "train.txt")
    train(folder / "train.txt", folder / "model.bin", SMALL)
    return folder / "model.bin"


def _write(path: Path) -> None:
    lines = []
    for i in range(100):
        lines.append(f"__label__math the theorem and proof of integral {i % 7}")
        lines.append(f"__label__other the recipe and oven of sugar {i % 7}")
    path.write_text("\n".join(lines) + "\n")


def test_scores_have_the_sign_of_the_text(model: Path) -> None:
    math_score, other_score, empty, blank = Classifier(model).scores(
        ["Theorem. The proof of the integral", "sugar in the oven, a recipe", "", " \n "]
    )
    assert math_score > 1000 > -1000 > other_score
    assert empty == blank == LOWEST


def test_score_is_the_log_odds_of_the_probability(model: Path) -> None:
    loaded = Classifier(model)
    text = "the and of"
    (labels,), (values,) = loaded._model.f.multilinePredict([text + "\n"], 2, 0.0, "strict")
    shares = dict(zip(labels, map(float, values), strict=True))
    expected = 1000 * math.log(shares[classifier.MATH] / shares[classifier.OTHER])
    assert loaded.scores([text]) == [round(expected)]


def test_training_again_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    _write(tmp_path / "train.txt")
    train(tmp_path / "train.txt", tmp_path / "again.bin", SMALL)
    assert (tmp_path / "again.bin").read_bytes() == model.read_bytes()


def test_an_empty_set_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("")
    with pytest.raises(DataError, match=r"could not be trained on .*train\.txt"):
        train(tmp_path / "train.txt", tmp_path / "m.bin", hyperparameters(2, SETTINGS))
    assert not list(tmp_path.glob("m.bin*"))


def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("__label__a x y z\n__label__b x y w\n" * 10)
    train(tmp_path / "train.txt", tmp_path / "m.bin", SMALL)
    with pytest.raises(DataError, match="other labels"):
        Classifier(tmp_path / "m.bin")


@pytest.mark.parametrize(
    ("failures", "reason", "rates", "message"),
    [
        (2, "Encountered NaN.", [0.5, 0.25, 0.125], None),
        (3, "Encountered NaN.", [0.5, 0.25, 0.125], "NaN.*Set a lower learning_rate"),
        (1, "Empty vocabulary.", [0.5], r"Empty vocabulary\.\.$"),
        (1, "", [0.5], r": 1\.$"),
    ],
)
def test_the_rate_is_halved_twice_where_fasttext_meets_nan(
    failures: int, reason: str, rates: list, message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def run(command: list[str], env: dict, **named: Any) -> SimpleNamespace:
        options = json.loads(command[-1])
        tried.append(options["lr"])
        assert env["MALLOC_MMAP_THRESHOLD_"] == "4096" and "scaled" not in options and options["dim"] == 256
        Path(command[-2]).write_text("model")
        return SimpleNamespace(returncode=int(len(tried) <= failures), stderr=f"words\n{reason}\n" if reason else "")

    monkeypatch.setattr(classifier.subprocess, "run", run)
    (tmp_path / "m.bin.99.part").touch()  # of a run that was killed
    values = hyperparameters(600, SETTINGS)
    if message is None:
        assert train(tmp_path / "l", tmp_path / "m.bin", values).lr == 0.125
        assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]
    else:
        with pytest.raises(DataError, match=message):
            train(tmp_path / "l", tmp_path / "m.bin", values)
    assert tried == rates


def test_scores_by_hand() -> None:
    """Thousandths of log-odds; a probability below a millionth counts as one; without words, or without two labels: lowest."""
    asked: list[tuple] = []

    def predict(lines: list[str], *settings: Any) -> tuple[list, list]:
        asked.append((lines, *settings))
        labels = [(MATH, OTHER), (OTHER, MATH), (MATH, OTHER), (MATH,), (MATH, OTHER)]
        return labels, [(0.75, 0.25), (0.9, 0.1), (1.00001, 1e-9), (1.0,), (0.5, 0.5)]

    loaded = Classifier.__new__(Classifier)
    loaded._model = SimpleNamespace(f=SimpleNamespace(multilinePredict=predict))
    highest = round(1000 * math.log(1.00001 / 1e-6))
    assert loaded.scores(["a", "b", "c", "d", " "]) == [1099, -2197, highest, LOWEST, LOWEST]
    assert asked == [(["a\n", "b\n", "c\n", "d\n", " \n"], 2, 0.0, "strict")]
    assert [probability(score) for score in (0, 1099)] == pytest.approx([0.5, 0.75], abs=1e-4)


def test_a_fasttext_that_cannot_train_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", SimpleNamespace())
    with pytest.raises(MissingDependencyError, match="pip uninstall fasttext-predict"):
        load_fasttext()
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(MissingDependencyError, match="fastText is not installed"):
        train(tmp_path / "lines", tmp_path / "model", hyperparameters(600, SETTINGS))
