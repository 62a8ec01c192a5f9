"""Pages by language and quality: formulas do not count, and what is removed is kept with its reason."""

import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("datatrove")
pytest.importorskip("fasttext")

from datatrove.data import Document
from datatrove.pipeline.filters import gopher_quality_filter

from trl_dsmath.corpus import KeepLanguages, KeepQuality, prepare, statistics
from trl_dsmath.corpus.classifier import Hyperparameters, train
from trl_dsmath.corpus.extract import without_formulas
from trl_dsmath.errors import ConfigError, MissingDependencyError

ENGLISH = "the number that we have is a prime and the proof of this is in the next part"
FRENCH = "le nombre que nous avons est premier et la preuve de cela est dans la partie suivante"
FORMULAS = r" $$\sum_{i=1}^{n} le_{la} et_{dans} suivante_{premier}$$" * 30


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    lines = [f"__label__en {ENGLISH}", f"__label__fr {FRENCH}"] * 50
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    train(folder / "train.txt", folder / "languages.bin", Hyperparameters(0.5, 20, 64, 2, 1, 40_000, 1, 0, True))
    return folder / "languages.bin"


def test_a_page_is_kept_by_the_language_between_its_formulas(model: Path) -> None:
    keep = KeepLanguages(["en"], model)
    page = Document(ENGLISH + FORMULAS, "1")
    assert keep.filter(page) is True
    assert page.metadata["language"] == "en" and page.metadata["language_score"] > 0.65
    assert page.text == ENGLISH + FORMULAS
    assert keep.filter(Document(FRENCH, "2")) == (False, "language fr")
    assert KeepLanguages(("en", "fr"), model).filter(Document(FRENCH, "2")) is True


def test_the_least_probability_is_the_caller_s(model: Path) -> None:
    page = f"{ENGLISH} {FRENCH}"
    keep = KeepLanguages(["en", "fr"], model, 0.0)
    assert keep.filter(Document(page, "1")) is True
    scores = keep.model.predict(Document(page, "1"))[1]
    assert set(scores) == {"en", "fr"} and max(scores.values()) < 0.9
    assert KeepLanguages(["en", "fr"], model, 0.9).filter(Document(page, "1"))[0] is False
    assert KeepLanguages(["en"], model).language_threshold == 0.65  # datatrove's


def test_what_a_filter_removes_is_kept_with_its_reason(model: Path, tmp_path: Path) -> None:
    (tmp_path / "crawl").mkdir()
    rows = [{"url": f"https://{n}.test/", "text": text} for n, text in (("fr", FRENCH), ("en", ENGLISH))]
    (tmp_path / "crawl/a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(languages: list[str]) -> None:
        prepare(str(tmp_path / "crawl"), str(tmp_path / "out"), filters=[KeepLanguages(languages, model)])

    run(["en"])

    def read(name: str) -> list[dict]:
        return [json.loads(line) for line in gzip.open(tmp_path / "out" / name / "000000.jsonl.gz", "rt")]

    kept = read("clean")
    assert [(row["url"], row["language"]) for row in kept] == [("https://en.test/", "en")]
    assert [(row["url"], row["reason"]) for row in read("removed/KeepLanguages")] == [
        ("https://fr.test/", "language fr")
    ]
    counts = statistics(tmp_path / "out")["extract/FILTER: KeepLanguages"]
    assert (counts["kept"], counts["removed: language fr"]) == (1, 1)
    run(["en"])  # the same again
    with pytest.raises(ConfigError, match="filters"):
        run(["fr"])


def test_a_model_that_is_not_there_is_an_error_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lid\.176\.bin"):
        KeepLanguages(["en"], tmp_path / "none.bin")


def test_quality_is_judged_by_the_text_between_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingDependencyError, match="pip install spacy"):
        KeepQuality()
    # Words by spaces, in the place of spaCy.
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace())
    asked: list[str] = []

    def split(text: str, language: str) -> list[str]:
        asked.append(language)
        return text.split()

    monkeypatch.setattr(gopher_quality_filter, "split_into_words", split)
    keep = KeepQuality()
    assert keep.filter(Document((ENGLISH + " ") * 5 + FORMULAS, "1")) is True
    assert keep.filter(Document(ENGLISH, "2")) == (False, "gopher_short_doc")
    assert keep.filter(Document(FORMULAS, "3")) == (False, "nothing but formulas")
    assert KeepQuality(min_doc_words=5).filter(Document(ENGLISH, "2")) is True
    assert set(asked) == {"en"} and KeepQuality("de").language == "de"
    # Half of the words hold a letter; one word less is too few.
    half = "the and with proof " * 25
    assert keep.filter(Document(half + "1984 " * 100, "4")) is True
    assert keep.filter(Document(half + "1984 " * 101, "5")) == (False, "gopher_below_alpha_threshold")
    strict = KeepQuality(max_non_alpha_words_ratio=0.8)
    assert strict.filter(Document(half + "1984 " * 100, "6")) == (False, "gopher_below_alpha_threshold")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a $x^2$ b", "a   b"), ("a $$x\n+y$$ b", "a   b"), (r"a \(x\) and \[y\]", "a   and  "),
        ("it costs $5 and $6", "it costs $5 and $6"), ("a $ b", "a $ b"),
    ],
)  # fmt: skip
def test_text_without_formulas(text: str, plain: str) -> None:
    assert without_formulas(text) == plain
