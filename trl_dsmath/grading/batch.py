"""Grading many answers at once: golds read once, equal pairs judged once, hard pairs sent to the workers together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..text import normalize, read_answer, read_choice
from .answer import Answer, Words, parse_answer
from .compare import same_answer
from .evaluate import too_large
from .forms import rewrite
from .gold import INTEGER, Gold, one_value, read_gold, squeeze
from .pool import WorkerPool
from .verdict import Verdict
from .words import same_text

TIME_LIMIT = 5.0  # seconds for one hard pair
MAX_ANSWER = 20_000  # characters; a longer answer is read as no answer
_POOL = WorkerPool()


@dataclass(frozen=True)
class GoldReport:
    """How one gold is read; `ok` is False when answers cannot be verified against it."""

    gold: object
    ok: bool
    read_as: str | None
    note: str


def grade(answers: Sequence[str | None], golds: Sequence[object], time_limit: float = TIME_LIMIT) -> list[Verdict]:
    r"""Judges answers against golds.

    Args:
        answers (`Sequence[str | None]`):
            Completions or bare answers. From a completion the answer is read (the last `\boxed{}`, `####`, "the answer
            is"); a text without any of these is taken as the answer itself.
        golds (`Sequence`):
            One gold an answer, as data sets store them: bare LaTeX, `$...$`, a solution that ends in `\boxed{}`, a GSM8K
            answer that ends in `#### 18`, a choice letter, an integer.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds for one pair that needs computer algebra; a batch never takes more than ten times as long.

    Returns:
        `list[Verdict]`: one verdict a pair. Whatever the texts hold, no exception.

    Raises:
        DataError: the two lists differ in length.
        GradingError: the worker processes cannot be started at all.
    """
    if len(answers) != len(golds):
        raise DataError(f"{len(answers)} answers for {len(golds)} golds: give one gold an answer")
    read = [None if text is None else text if not isinstance(text, str) else _read(text) for text in answers]
    return judge(read, golds, time_limit)


def _read(text: str) -> str | None:
    found = read_answer(text)
    if found is None and "\\boxed" not in text and "<think>" not in text and "```" not in text:
        return text
    return found


def judge(answers: Sequence[str | None], golds: Sequence[object], time_limit: float = TIME_LIMIT) -> list[Verdict]:
    """[`grade`] for answers that have been read already: `None` where a completion gives none."""
    pairs = list(zip(map(one_value, golds), answers, strict=True))
    verdicts: dict[tuple[object, str | None], Verdict] = {}
    hard: dict[tuple[object, str | None], tuple[str, str]] = {}
    for pair in dict.fromkeys(pairs):
        verdict = _judge(*pair)
        if isinstance(verdict, tuple):
            hard[pair] = verdict
        else:
            verdicts[pair] = verdict
    if hard:
        for pair, found in zip(hard, _POOL.judge(list(hard.values()), time_limit), strict=True):
            verdicts[pair] = Verdict.TIMEOUT if found is None else Verdict.CORRECT if found else Verdict.WRONG
    return [verdicts[pair] for pair in pairs]


def _judge(gold: object, answer: str | None) -> Verdict | tuple[str, str]:
    """A verdict, or the two formulas to send to a worker."""
    reference = read_gold(gold)
    if reference is None:
        return Verdict.BAD_GOLD
    if not isinstance(answer, str) or not answer or len(answer) > MAX_ANSWER + len(reference.text):
        return Verdict.NO_ANSWER
    if reference.integer is not None and INTEGER.fullmatch(answer):
        return Verdict.CORRECT if int(answer) == reference.integer else Verdict.WRONG
    text = normalize(answer)
    if not text:
        return Verdict.NO_ANSWER
    if squeeze(text) == reference.squeezed:
        return Verdict.CORRECT
    if reference.choice is not None:
        choice = read_choice(answer) or read_choice(text)
        if choice is not None:
            return Verdict.CORRECT if choice == reference.choice else Verdict.WRONG
    try:
        formula = rewrite(text)
        if same_text(reference.text, text) or squeeze(formula) == reference.formula:
            return Verdict.CORRECT
        parsed = parse_answer(formula)
        found = same_answer(reference.answer, parsed)
        if found is not True and "," in text + reference.text:
            found = _second_reading(reference, text, parsed) or found
        hopeless = found is None and (too_large(parsed) or too_large(reference.answer))
    except RecursionError:  # the caller's stack is nearly full, or a form of nesting that no limit above foresees
        return Verdict.WRONG
    if found is None and not hopeless and _computable(reference.text) and _computable(text):
        return reference.text, text
    return Verdict.CORRECT if found else Verdict.WRONG


def _second_reading(gold: Gold, text: str, parsed: Answer) -> bool | None:
    """`100,200` may be a list: equal under one reading of both sides is equal."""
    other = parse_answer(rewrite(text), thousands=False)
    if other != parsed and same_answer(gold.answer, other):
        return True
    return gold.other is not None and same_answer(gold.other, parsed)


def _computable(text: str) -> bool:
    """Worth a worker's time: mathematics, not prose, and of a size that a person would write."""
    if len(text) > 400 or not re.search(r"[\\\d^=]", text) or re.search(r"\d{60}", text):
        return False
    if text.count("{") != text.count("}") or "{}" in text or text.count("^") > 30:
        return False
    words = re.findall(r"(?<!\\)\b[A-Za-z]{4,}", re.sub(r"\\(?:begin|end)\{[a-z]+\}", "", text))
    return len(words) <= 1 and not re.search(r"[\u4e00-\u9fff]", text)


def check_golds(golds: Sequence[object]) -> list[GoldReport]:
    r"""Says of each gold of a data set, before training, whether answers can be verified against it.

    A gold passes when a verbatim copy of it in a box would be judged right for the right reason: it is read as
    mathematics, as a choice, or as a few words. Long prose, empty cells, `nan` and unclosed boxes do not pass.

    Args:
        golds (`Sequence`):
            Golds as stored.

    Returns:
        `list[GoldReport]`: one report a gold, in order.
    """
    return [_report(gold) for gold in golds]


def _report(gold: object) -> GoldReport:
    reference = read_gold(gold)
    if reference is None:
        return GoldReport(gold, False, None, "no answer in it: empty, a solution without a marked answer, or not text")
    if reference.choice is not None:
        return GoldReport(gold, True, reference.choice, "choice")
    if isinstance(reference.answer, Words):
        bare = re.sub(r"\\text\s*\{[^{}]*\}", "", reference.text)
        if _computable(reference.text) and "\\" in bare:
            return GoldReport(gold, True, reference.text, "left to math-verify")
        return GoldReport(gold, True, reference.text, "words: only the same words are right")
    return GoldReport(gold, True, reference.text, type(reference.answer).__name__.lower())
