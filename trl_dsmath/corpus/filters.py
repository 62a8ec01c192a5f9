"""Language and quality, as datatrove filters that `prepare` takes: its own, with a local model and with room for formulas."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingDependencyError
from .extract import without_formulas

try:
    from datatrove.data import Document
    from datatrove.pipeline.filters import GopherQualityFilter, LanguageFilter
    from datatrove.utils.lid import FT176LID
except ImportError as _error:
    raise MissingDependencyError("Filters need datatrove: pip install 'trl-dsmath[corpus]'.") from _error


class _LocalModel(FT176LID):
    """A fastText model of languages from a file: nothing is downloaded."""

    def __init__(self, path: str, languages: list[str] | None) -> None:
        super().__init__(languages)
        self.path = path
        self._model: Any = None

    @property
    def model(self) -> Any:
        if self._model is None:
            from fasttext.FastText import _FastText

            self._model = _FastText(self.path)
        return self._model


class KeepLanguages(LanguageFilter):
    """
    Keeps pages in some languages, by what is written between the formulas; writes `language` and `language_score` beside the text.

    Args:
        languages (`Sequence[str]`):
            Labels of the model, such as `en`, `zh`.
        model (`str` or `Path`):
            fastText model of languages: `lid.176.bin` or `lid.176.ftz`, or GlotLID's.
        threshold (`float`, *optional*, defaults to `0.65`):
            Least probability.

    Raises:
        ConfigError: the file is not there.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "KeepLanguages":
        return object.__new__(cls)  # datatrove asks here for what downloads a model

    def __init__(self, languages: Sequence[str], model: str | Path, threshold: float = 0.65) -> None:
        if not Path(model).is_file():
            raise ConfigError(
                f"{model} is not a file. Download lid.176.bin from fasttext.cc/docs/en/language-identification.html."
            )
        super().__init__(list(languages), threshold)
        self.path, self.model = str(model), _LocalModel(str(model), list(languages))

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        plain = Document(without_formulas(doc.text), doc.id)
        kept = super().filter(plain)
        doc.metadata |= plain.metadata
        return bool(kept) or (False, f"language {plain.metadata['language']}")


class KeepQuality(GopherQualityFilter):
    """
    Gopher's rules on what is written between the formulas, with half of the words, not four fifths, to hold a letter: of 50 pages
    of documentation with formulas they keep 35 so, 6 by the rules as they are, and 3 of these with their formulas.

    Args:
        language (`str`, *optional*, defaults to `"en"`):
            Language of datatrove's tokenizer.
        max_non_alpha_words_ratio (`float`, *optional*, defaults to `0.5`):
            Least share of words with a letter, by datatrove's name.
        **rules:
            Arguments of [`~datatrove.pipeline.filters.GopherQualityFilter`], such as `min_doc_words`.

    Raises:
        MissingDependencyError: spaCy is not installed.
    """

    def __init__(self, language: str = "en", max_non_alpha_words_ratio: float = 0.5, **rules: Any) -> None:
        try:
            import spacy  # noqa: F401
        except ImportError as error:
            raise MissingDependencyError("The quality filter counts words by spaCy: pip install spacy.") from error
        super().__init__(language=language, max_non_alpha_words_ratio=max_non_alpha_words_ratio, **rules)

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        text = without_formulas(doc.text)
        return super().filter(Document(text, doc.id)) if text.strip() else (False, "nothing but formulas")
