"""Grading many answers at once: golds read once, equal pairs judged once, hard pairs sent to the workers together."""

from collections.abc import Sequence
from enum import StrEnum

from ..errors import DataError
from ..text import normalize, read_answer, read_choice
from .compare import same_answer
from .expressions import too_large
from .gold import INTEGER, Gold, computable, gold_text, parse_gold, squeeze
from .pool import WorkerPool
from .rewrite import rewrite
from .shapes import Answer, parse_answer
from .values import same_text

TIME_LIMIT = 5.0  # seconds for one hard pair
MAX_ANSWER = 20_000  # characters; a longer answer is read as no answer
_POOL = WorkerPool()


class Verdict(StrEnum):
    """The outcome of one (answer, gold) pair.

    Only `CORRECT` is worth a reward; `BAD_GOLD` says nothing about the answer, so a reward function returns `None` for
    it and TRL leaves the completion out of that reward.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    BAD_GOLD = "bad_gold"
    TIMEOUT = "timeout"

    @property
    def reward(self) -> float | None:
        """1.0 for a right answer, `None` for an unreadable gold, else 0.0."""
        return 1.0 if self is Verdict.CORRECT else None if self is Verdict.BAD_GOLD else 0.0


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
    pairs = list(zip(map(gold_text, golds), answers, strict=True))
    verdicts: dict[tuple[str | None, str | None], Verdict] = {}
    hard: dict[tuple[str | None, str | None], tuple[str, str]] = {}
    for pair in dict.fromkeys(pairs):
        verdict = _judge(*pair)
        if isinstance(verdict, tuple):
            hard[pair] = verdict
        else:
            verdicts[pair] = verdict
    if hard:
        for pair, found in zip(hard, _POOL.run(list(hard.values()), time_limit), strict=True):
            verdicts[pair] = Verdict.TIMEOUT if found is None else Verdict.CORRECT if found else Verdict.WRONG
    return [verdicts[pair] for pair in pairs]


def _judge(gold: str | None, answer: str | None) -> Verdict | tuple[str, str]:
    """A verdict, or the two formulas to send to a worker."""
    reference = parse_gold(gold)
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
    if found is None and not hopeless and computable(reference.text) and computable(text):
        return reference.text, text
    return Verdict.CORRECT if found else Verdict.WRONG


def _second_reading(gold: Gold, text: str, parsed: Answer) -> bool | None:
    """`100,200` may be a list: equal under one reading of both sides is equal."""
    other = parse_answer(rewrite(text), thousands=False)
    if other != parsed and same_answer(gold.answer, other):
        return True
    return gold.other is not None and same_answer(gold.other, parsed)
