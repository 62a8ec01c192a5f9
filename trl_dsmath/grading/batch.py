"""Grading many answers at once: golds read once, equal pairs judged once, hard pairs sent to the workers together."""

import asyncio
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import overload

from ..errors import DataError
from ..text import normalize, read_answer, read_choice
from ..text.printed import listed, printed_latex
from .compare import same_answer
from .expressions import too_large
from .gold import INTEGER, Gold, computable, gold_text, parse_gold, squeeze, unquoted
from .pool import WorkerPool
from .rewrite import rewrite
from .shapes import Answer, Group, Value, parse_answer
from .tokens import STOP_WORDS, resolve
from .values import same_text
from .wrapping import constant

TIME_LIMIT = 5.0  # seconds of CPU time for one hard pair
MAX_ANSWER = 20_000  # characters; a longer answer is read as no answer
_POOL = WorkerPool()
# The letter of an option and its text: "(A) 5", "B. 5"; "B (5)" and "5 (B)" may be products
_OPTION = re.compile(
    r"(?:\\text\s*\{\s*)?(?:\((?:\\text\s*\{)?[A-Ja-f]\}?\)[.:]?|[A-J][).:]|[a-f][).])(?:\s*\}\s*|\s+)(?=[^\s,;])(?!and\b|or\b)(.+)"
    r"|(?:\\text\s*\{\s*)?[A-J] \((.+)\)\}?$|(?:\\text\s*\{\s*)?(.+) \([A-J]\)\}?$|\([A-Ja-f]\)(?=[-\d\\.])(.+)|(?:\\text\s*\{\s*)?[A-J](?:,| -)\s+(?=[A-Za-z]{2})(.+)"
)

_LAKHS = re.compile(r"-?\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?")  # "12,34,567"
_DECIMAL_COMMA = re.compile(
    r"(?:(?:[€£]|\\\$)\s*)?(-?\d{1,3}(?:[. ]\d{3})+|-?\d+(?!,\d{3}(?!\d))),(?=\d+(?!\d|\s*,)\D*$)"
)  # "3,5 km"
_SUBJECT_IS = re.compile(  # the subject has three words or more
    r"((?:(?:\\text\s*\{\s*)?[A-Za-z'$-]+,?\s*\}?\s+){2,20}(?:\\text\s*\{\s*)?[A-Za-z'$]+)\s*\}?\s*(?:\\text\s*\{\s*)?\b(?:is|are|was|were|equals|(?:ends|begins|starts|arrives|departs)(?=\s+at))(?:\s+at)?\s*\}?\s*(?=[-\d\\$(\[])"
)
# A sentence with one number: "The train needs 5 hours."
_SENTENCE = re.compile(
    r"([^\W\d_]?[^\d=\\^<>+:]*?)((?<![\w.,])-?(?:\\?\$\s?)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?%?)(?![\w^/])([^\d=\\^<>+:/]*)"
)
_EULER = re.compile(r"(?<![A-Za-z\\\d.])E(?![A-Za-z\d])")  # sympy's name of e
_VERB = re.compile(
    r"(?:.* )?(?:is|are|was|were|be|equals|exactly|ha(?:s|ve|d)|needs?|needed|costs?|spen(?:ds?|t)|earn(?:s|ed)?|pa(?:ys?|id)|ma(?:kes?|de)|gets?|got|ke(?:eps?|pt)|raise[sd]?"
    r"|sells?|sold|buys?|bought|takes?|took|use[sd]?|weigh(?:s|ed)?|runs?|ran|drives?|drove|walk(?:s|ed)?|bake[sd]?|save[sd]?|eats?|ate|receive[sd]?|wins?|won|lasts?|totals?|collect(?:s|ed)?"
    r"|hat|haben|gibt|kostet|braucht|tienen?|hay|gasta|ont|total of|(?:simplifies|equal|comes|amounts|evaluates) to|contains?|carr(?:y|ies))(?: (?:about|approximately|currently|now|still|only|to \w+))?"
)
_ENGLISH_WORDS = (
    "a an the any every each of by is are to from with and this that it we there here in numbers number prime ways way"
)
_ENGLISH = set(_ENGLISH_WORDS.split())
_REVERSING_WORDS = (
    "half twice double triple times squared cubed negative minus plus divided multiplied dozen hundred thousand million billion "
    "up until before after past below above fewer greater smaller larger exceed exceeds within "
    "first step question option figure case nicht keine kein höchstens mindestens als menor mayor hasta moins pas"
)
_REVERSING = (STOP_WORDS | set(_REVERSING_WORDS.split())) - {"between"}


class Verdict(StrEnum):
    """The outcome of one (answer, gold) pair.

    `BAD_GOLD` (the gold cannot be read) and `TIMEOUT` (the pair could not be judged within its limits of time and
    memory) say nothing about the answer, so a reward function returns `None` and TRL leaves the completion out.
    """

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    BAD_GOLD = "bad_gold"
    TIMEOUT = "timeout"

    @property
    def reward(self) -> float | None:
        """1.0 for a right answer, 0.0 for a wrong one or none, `None` where there is nothing to say."""
        return 1.0 if self is Verdict.CORRECT else None if self in (Verdict.BAD_GOLD, Verdict.TIMEOUT) else 0.0


@overload
def grade(answers: str, golds: object, time_limit: float = TIME_LIMIT) -> Verdict: ...  # type: ignore[overload-overlap]


@overload
def grade(answers: Sequence[str | None], golds: Sequence[object], time_limit: float = TIME_LIMIT) -> list[Verdict]: ...


def grade(answers, golds, time_limit=TIME_LIMIT):
    r"""Judges answers against golds, or one answer against one gold.

    Args:
        answers (`str` or `Sequence[str | None]`):
            Completions or bare answers. From a completion the answer is read (the last `\boxed{}`, `####`, "the answer
            is"); a text without any of these is taken as the answer itself, a sentence as none.
        golds (`object` or `Sequence`):
            One gold per answer, as data sets store them: bare LaTeX, `$...$`, a solution that ends in `\boxed{}`, a GSM8K
            answer that ends in `#### 18`, a choice letter, an integer.
        time_limit (`float`, *optional*, defaults to `5.0`):
            Seconds of CPU time for one pair that needs computer algebra, so that a verdict does not depend on how busy
            the machine is. A batch has 20 times as much, and ends after 240 times this by the clock.

    Returns:
        `Verdict` for one answer, else `list[Verdict]`: one verdict per pair. Whatever the texts hold, no exception.

    Raises:
        DataError: the two lists differ in length, or are no lists.
        GradingError: the worker processes cannot be started at all.

    Example:
    ```python
    >>> from trl_dsmath.grading import grade

    >>> grade(r"so it is \boxed{\frac{2}{4}}", "0.5")
    <Verdict.CORRECT: 'correct'>
    >>> grade([r"\boxed{7}", "no idea"], ["7", "7"])
    [<Verdict.CORRECT: 'correct'>, <Verdict.WRONG: 'wrong'>]
    ```
    """
    if isinstance(answers, str):
        return grade([answers], [golds], time_limit)[0]
    if isinstance(golds, str) or not hasattr(golds, "__len__"):
        raise DataError(
            f"golds is one {type(golds).__name__} for a list of answers: give one gold per answer, in a list"
        )
    if len(answers) != len(golds):
        raise DataError(f"{len(answers)} answers for {len(golds)} golds: give one gold per answer")
    read = [None if text is None else text if not isinstance(text, str) else _read(text) for text in answers]
    return judge(read, golds, time_limit)


async def grade_async(
    answers: Sequence[str | None], golds: Sequence[object], time_limit: float = TIME_LIMIT
) -> list[Verdict]:
    """[`grade`] for asynchronous callers: the event loop goes on while the workers judge."""
    return await asyncio.to_thread(grade, answers, golds, time_limit)


def _read(text: str) -> str | None:
    found = read_answer(text)
    if found is None and "\\boxed" not in text and "<think>" not in text and "```" not in text:
        return None if _in_sentence(normalize(text[:200])) else text  # no mark says that its number is the answer
    return found


def judge_printed(
    answers: Sequence[str | None], golds: Sequence[object], time_limit: float = TIME_LIMIT
) -> list[Verdict]:
    """[`judge`] for what programs printed: `[2, 3]` may also be the list of the answers or a vector, and `E` is e.

    Returns:
        `list[Verdict]`: of each answer `CORRECT` where one reading is right, `TIMEOUT` where one could not be judged in time.
    """
    verdicts = judge(answers, golds, time_limit)
    for form in (listed, lambda text: f"({inner})" if (inner := listed(text)) else None, partial(_EULER.sub, "e")):
        open_ones = [i for i, verdict in enumerate(verdicts) if verdict in (Verdict.WRONG, Verdict.TIMEOUT)]
        again = {i: other for i in open_ones if (other := form(answers[i] or "")) and other != answers[i]}
        found = judge(list(again.values()), [golds[i] for i in again], time_limit) if again else []
        for i, verdict in zip(again, found, strict=True):
            if verdict is not Verdict.WRONG:  # one that could not be judged in time may be the right one
                verdicts[i] = verdict
    return verdicts


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


def _judge(gold: str | None, answer: str | None, options: bool = True) -> Verdict | tuple[str, str]:
    """A verdict, or the two formulas to send to a worker."""
    reference = parse_gold(gold)
    if reference is None:
        return Verdict.BAD_GOLD
    if not isinstance(answer, str) or not answer or len(answer) > MAX_ANSWER + len(reference.text):
        return Verdict.NO_ANSWER
    if reference.integer is not None and INTEGER.fullmatch(answer):
        return Verdict.CORRECT if int(answer) == reference.integer else Verdict.WRONG
    text = normalize(unquoted(answer))
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
        if not found and "," in text + reference.text:
            found = _second_reading(reference, text, parsed) or found
    except RecursionError:  # the caller's stack is nearly full, or a form of nesting that no limit above foresees
        return Verdict.WRONG
    if options and not found and reference.choice is None and (option := _OPTION.match(text)):
        inside = option[option.lastindex or 0]
        if option[1] or re.search(r"(?<!\\)\b[A-Za-z]{2,}", reference.text) or constant(reference.answer):
            inside = inside.removesuffix("}") if inside.count("}") > inside.count("{") else inside
            return _judge(gold, inside, options=False)
    if options and not found and (printed := printed_latex(answer)):
        return _judge(gold, printed, options=False)
    if options and not found and (said := _in_sentence(text, constant(reference.answer))):
        return _judge(gold, said, options=False)
    if (
        found is None
        and computable(reference.text)
        and computable(text)
        and not (too_large(parsed) or too_large(reference.answer))
    ):
        return reference.text, text
    return Verdict.CORRECT if found else Verdict.WRONG


def _reversed(text: str) -> bool:
    return any(
        word in _REVERSING or word.endswith("n't") for word in re.findall(r"[^\W\d_]{2,}(?:'\w+)?", text.lower())
    )


def _in_sentence(text: str, number: bool = True) -> str | None:
    """What a sentence says its subject is, `\\text{The area of the whole disc is } 4\\pi`, or the only number of one that
    says no more of it, with its unit: `\\text{The box weighs } 5 \\text{ kg.}`."""
    if (said := _SUBJECT_IS.match(text)) and not _reversed(said[1]):
        rest = text[said.end() :]
        return rest.removesuffix("}") if rest.count("}") > rest.count("{") else rest
    if not number:
        return None  # "It has 2 real roots" for x = 2
    found = _SENTENCE.fullmatch(re.sub(r"\\text\s*\{|[{}]", " ", text)) if len(text) < 200 else None
    if not found:
        return None
    before, after = (re.findall(r"[^\W\d_]+(?:'\w+)?", part.lower()) for part in (found[1], found[3]))
    if not _VERB.fullmatch(" ".join(before[-2:])) and _ENGLISH & {*before, *after}:
        return None  # "the reciprocal of 17", "add 17 to it"
    if len(before + after) < 3 or _reversed(found[1] + " " + found[3]):
        return None
    sizes = (3, 1, 2) if after[1:2] == ["per"] else (1, 2)  # "miles per hour", "grams", "square feet"
    unit = next((" ".join(after[:size]) for size in sizes if resolve(" ".join(after[:size]))), "")
    return f"{found[2]} \\text{{{unit}}}" if unit else found[2]


def _second_reading(gold: Gold, text: str, parsed: Answer) -> bool | None:
    """`100,200` may be a list: equal under one reading of both sides is equal; it is no pair `(100, 200)`."""
    other = parse_answer(rewrite(text), thousands=False)
    ordered = isinstance(gold.answer, Group) and gold.answer.opening != "{"
    if other != parsed and not ordered and same_answer(gold.answer, other):
        return True
    if isinstance(gold.answer, Value) and _LAKHS.fullmatch(text):
        return same_answer(gold.answer, parse_answer(text.replace(",", "")))
    if (point := _DECIMAL_COMMA.match(text)) and isinstance(gold.answer, Value):
        other = parse_answer(rewrite(re.sub("[. ]", "", point[1]) + "." + text[point.end() :]))
        return same_answer(gold.answer, other)
    return gold.other is not None and not isinstance(parsed, Group) and same_answer(gold.other, parsed)
