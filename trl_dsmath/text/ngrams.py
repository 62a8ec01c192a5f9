"""Which benchmark texts a text repeats, by the paper's rule: a shared word 10-gram, or the whole of a short text.

The paper gives no normalization. Here a word is a run of letters, digits and underscores, in lower case, so that new
line breaks, capitals and punctuation hide nothing; Chinese and Japanese, which have no spaces, are read by characters.
"""

import re
from dataclasses import dataclass

from ..errors import ConfigError
from ..paper import CORPUS

_CJK = (
    "\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)
_WORD = re.compile(rf"(?=\w)[{_CJK}]|[^\W{_CJK}]+")
_ONE_CJK = re.compile(rf"[{_CJK}]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_OTHER_SIGNS = re.compile(r"[^\w\x00-\x7f]+")
_ASCII_WORDS = bytes(code if chr(code).isalnum() or code in b"_" or code > 127 else 32 for code in range(256))
# Full-width letters and digits to ASCII. The dotted capital I is the one character whose lower case is two, and the
# folded text must stay as long as the text, so that a place in one is a place in the other.
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x130: "i"}
_TO_FOLD = re.compile(r"[\uff01-\uff5e\u0130]")
_COMMAND = re.compile(r"\\[A-Za-z]+")

# What may stand before and after a short text that is matched as a whole: it has to be a sentence or whole lines.
_BEFORE = re.compile(r"[\n.:;?!|)*•。：；？！）]")
_AFTER = re.compile(r"[\n.;?!|。；？！]")


def fold(text: str) -> str:
    """The text in lower case and half width; as long as before."""
    if not text.isascii() and _TO_FOLD.search(text):
        text = text.translate(_FOLD)
    return text.lower()


def words(text: str) -> list[str]:
    """The words by which texts are compared.

    Args:
        text (`str`):
            Any text.

    Returns:
        `list[str]`: runs of letters, digits and underscores in lower case; a Chinese or Japanese character is a word.
    """
    return _WORD.findall(fold(text))


def _keys(text: str) -> list[bytes]:
    """The same words as `words` finds, in UTF-8, without a regular expression over the whole text."""
    if not text.isascii():
        beyond = set("".join(_BEYOND_ASCII.findall(text)))
        if any(ord(char) in _FOLD for char in beyond):
            return _keys(text.translate(_FOLD))
        signs = [char for char in beyond if not char.isalnum()]
        if len(signs) > 20:
            text = _OTHER_SIGNS.sub(" ", text)
        else:
            for char in signs:
                text = text.replace(char, " ")
        if any(_ONE_CJK.match(char) for char in beyond):
            text = _ONE_CJK.sub(r" \g<0> ", text)
    return text.lower().encode("utf-8", "surrogatepass").translate(_ASCII_WORDS).split()


def _squeeze(text: str) -> str:
    return "".join(text.split())


@dataclass(frozen=True)
class Hit:
    """A stretch of a text that a benchmark text holds too.

    Args:
        source (`str`):
            Name that the benchmark text was added under.
        start (`int`):
            First character of the stretch.
        end (`int`):
            One past its last character.
        rule (`str`):
            `"10-gram"` (with the length in use) or `"exact"`.
    """

    source: str
    start: int
    end: int
    rule: str


class NgramIndex:
    """The word n-grams of a set of benchmark texts, to be looked up in other texts.

    A text of at least `n` words is found by any of its n-grams; one of `min_n` to `n - 1` words when it stands as a
    sentence or as whole lines; a shorter one is not looked for. An n-gram with fewer than three words of three
    letters or more, TeX commands not counted (`1 2 3 4 5 6 7 8 9 10`, `\\mathbf{a} \\times \\mathbf{b} ...`), names no
    question: it is left out, and a text that has no other n-gram is looked for as a whole.

    Args:
        n (`int`, *optional*, defaults to `10`):
            Words that have to agree.
        min_n (`int`, *optional*, defaults to `3`):
            Words that a text needs to be looked for at all.

    Source: §2.1.1 (Decontamination).
    """

    def __init__(self, n: int = CORPUS.decontamination_ngram, min_n: int = CORPUS.decontamination_min_ngram) -> None:
        if not 2 <= min_n <= n:
            raise ConfigError(f"min_n={min_n} and n={n}: use 2 <= min_n <= n.")
        self.n, self.min_n = n, min_n
        self.sources: list[str] = []
        # An n-gram holds n - part + 1 consecutive parts, so one of them starts at a multiple of that number.
        self._part = (n + 1) // 2
        self._stride = n - self._part + 1
        self._parts: set[tuple[bytes, ...]] = set()
        self._shared: dict[bytes, bytes] = {}  # one object a word, however many parts hold it
        self._grams: dict[bytes, int] = {}
        self._firsts: dict[tuple[bytes, ...], list[tuple[list[bytes], int]]] = {}  # short texts by their first words
        self._signs: dict[int, str] = {}  # of short texts without a telling word: their signs have to agree too

    def __len__(self) -> int:
        """Number of n-grams and of short texts."""
        return len(self._grams) + sum(map(len, self._firsts.values()))

    def add(self, text: str, source: str) -> bool:
        """Adds a benchmark text.

        Args:
            text (`str`):
                A question, or an answer.
            source (`str`):
                What a hit is logged under, such as `gsm8k/test/17/question`.

        Returns:
            `bool`: whether the text will be looked for; `False` when it has less than `min_n` words.
        """
        found = _keys(text)
        if len(found) < self.min_n:
            return False
        folded = fold(text)
        spans = [match.span() for match in _WORD.finditer(folded)]
        commands = {match.start() + 1 for match in _COMMAND.finditer(folded)}
        number = len(self.sources)
        self.sources.append(source)
        # Bytes: a Chinese character has three, and tells as much as a word.
        telling = [
            start not in commands and len(word) > 2 and not word.isdigit()
            for word, (start, _) in zip(found, spans, strict=True)
        ]
        used = False
        for start in range(len(found) - self.n + 1):
            if sum(telling[start : start + self.n]) < 3:
                continue
            used = True
            gram = found[start : start + self.n]
            self._grams.setdefault(b" ".join(gram), number)
        if used:
            shared = [self._shared.setdefault(word, word) for word in found]
            self._parts.update(zip(*(shared[at:] for at in range(self._part)), strict=False))
        else:
            self._firsts.setdefault(tuple(found[: self.min_n]), []).append((found, number))
            if not any(telling):
                self._signs[number] = _squeeze(folded[spans[0][0] : spans[-1][1]])
        return True

    def find(self, text: str) -> list[Hit]:
        """Looks for the benchmark texts in a text.

        Args:
            text (`str`):
                A page, a paragraph, or an example of a training set.

        Returns:
            `list[Hit]`: in order of their start; overlapping n-grams of one source are one hit.
        """
        found = _keys(text)
        runs = self._find_grams(found) + self._find_short(found)
        if not runs:
            return []
        folded = fold(text)
        spans = [match.span() for match in _WORD.finditer(folded)]
        hits = []
        for first, last, number, exact in sorted(runs):
            start, end = spans[first][0], spans[last][1]
            if exact:
                before = folded[spans[first - 1][1] : start] if first else "\n"
                after = folded[end : spans[last + 1][0]] if last + 1 < len(spans) else "\n"
                if not (_BEFORE.search(before) and _AFTER.search(after)):
                    continue
                if _squeeze(folded[start:end]) != self._signs.get(number, _squeeze(folded[start:end])):
                    continue
            hits.append(Hit(self.sources[number], start, end, "exact" if exact else f"{self.n}-gram"))
        return hits

    def _find_grams(self, found: list[bytes]) -> list[tuple[int, int, int, bool]]:
        n, stride = self.n, self._stride
        if self._parts.isdisjoint(zip(*(found[at::stride] for at in range(self._part)), strict=False)):
            return []
        parts = zip(*(found[at::stride] for at in range(self._part)), strict=False)
        runs: list[tuple[int, int, int, bool]] = []
        for at in [number * stride for number, part in enumerate(parts) if part in self._parts]:
            for start in range(max(at - stride + 1, 0), min(at, len(found) - n) + 1):
                number = self._grams.get(b" ".join(found[start : start + n]))
                if number is None:
                    continue
                if runs and runs[-1][2] == number and start <= runs[-1][1] + 1:
                    runs[-1] = (runs[-1][0], start + n - 1, number, False)
                else:
                    runs.append((start, start + n - 1, number, False))
        return runs

    def _find_short(self, found: list[bytes]) -> list[tuple[int, int, int, bool]]:
        if self._firsts.keys().isdisjoint(zip(*(found[at:] for at in range(self.min_n)), strict=False)):
            return []
        runs = []
        for start, first in enumerate(zip(*(found[at:] for at in range(self.min_n)), strict=False)):
            for short, number in self._firsts.get(first, ()):
                if found[start : start + len(short)] == short:
                    runs.append((start, start + len(short) - 1, number, True))
        return runs
