"""The report of an audit: tables for the terminal, `report.html` with the cases to settle, and `cases.jsonl`."""

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from ..data.journal import write_rows, write_whole
from ..grading import Verdict
from ..report import Example, Page, Section, shortened
from ..report.plot import BLUE, GREEN, NO_PLOT, ORANGE, Series, lines
from .logged import Logged
from .regrade import KINDS, Case, Judged, cases, changed_groups
from .signs import SIGNS

_SHOWN = 300  # cases on the page
_LONGEST = 4000  # characters of a completion there
_GRADERS = ("ours", "math-verify", "the run's reward")
_VERDICTS = {
    Verdict.CORRECT: "right",
    Verdict.WRONG: "wrong",
    Verdict.NO_ANSWER: "no answer read",
    Verdict.BAD_GOLD: "gold not read",
    Verdict.TIMEOUT: "not judged in time",
}


class Audit(NamedTuple):
    """What an audit found: the result in a sentence, tables by title (the first row the header), and the disagreements."""

    headline: str
    tables: dict[str, list[list[str]]]
    cases: list[Case]


def write(folder: Path, logged: Sequence[Logged], judged: Sequence[Judged], remarks: Sequence[str] = ()) -> Audit:
    """
    Writes `report.html` and `cases.jsonl`.

    Args:
        folder (`Path`):
            Where.
        logged (`Sequence[Logged]`), judged (`Sequence[Judged]`):
            See [`read_run`] and [`regrade`].
        remarks (`Sequence[str]`, *optional*):
            What was read, and what was left out.
    """
    found = cases(judged)
    apart = sum(bool(one.kind) and one.kind != "reward" for one in judged)
    changed = changed_groups(judged, "ours", "math-verify")
    audit = Audit(
        f"The graders disagree on {apart:,} of {len(judged):,} completions ({_share(apart, len(judged))}), which changes the "
        f"advantages of {changed['changed']:,} of {changed['groups']:,} groups ({_share(changed['changed'], changed['groups'])}).",
        {
            "Verdicts": _verdicts(judged),
            "Disagreements by kind": _kinds(judged, found),
            "Groups whose advantages would change": _advantages(judged),
            "Signs of hacking": _signs(logged, judged),
        },
        found,
    )
    write_rows(folder / "cases.jsonl", map(case_row, found))
    write_whole(folder / "report.html", _page(audit, judged, remarks).html())
    return audit


def case_row(case: Case) -> dict[str, Any]:
    """A case as a row of `cases.jsonl`; with a decision it becomes a labelled row for tests of a grader."""
    one = case.judged[0]
    return {
        "key": case.key,
        "problem": one.logged.prompt,
        "completion": one.logged.text,
        "gold": str(one.logged.gold),
        "group": one.kind,
        "note": f"audit, {one.logged.place}" + (f" and {len(case.judged) - 1} more" if len(case.judged) > 1 else ""),
        "verdicts": {
            "ours": one.ours,
            "ours_read": one.read,
            "math_verify": one.second.verdict,
            "math_verify_read": one.second.read,
            "run": one.logged.reward,
        },
    }


def _page(audit: Audit, judged: Sequence[Judged], remarks: Sequence[str]) -> Page:
    notes = {
        "Groups whose advantages would change": "The sign of an advantage: above, at or below the mean of the group. A group "
        "without any has nothing to learn from.",
        "Signs of hacking": "A sign proves nothing by itself. Look at those that grow with the steps, and at those that are rewarded.",
    }
    sections = [Section(bullets=remarks)]
    for title, table in audit.tables.items():
        if len(table) > 1:
            sections.append(Section(title, table, 1 + table[0][1:2].count("what"), note=notes.get(title, "")))
    sections.append(_over_steps(judged))
    shown = audit.cases[:_SHOWN]
    more = "" if len(shown) == len(audit.cases) else f" The first {_SHOWN}; all are in `cases.jsonl`."
    if shown:
        note = f"The disagreements, each completion once.{more}"
        sections.append(Section("Cases", examples=list(map(_example, shown)), note=note))
    script = files(__package__).joinpath("settle.html").read_text(encoding="utf-8") if shown else ""
    return Page("Audit of the rewards", sections, audit.headline, script=script)


def _verdicts(judged: Sequence[Judged]) -> list[list[str]]:
    counts = [Counter(one.ours for one in judged), Counter(one.second.verdict for one in judged)]
    rows = ([word, *(f"{count[verdict]:,}" for count in counts)] for verdict, word in _VERDICTS.items())
    return [["", "ours", "math-verify"], *rows]


def _kinds(judged: Sequence[Judged], found: Sequence[Case]) -> list[list[str]]:
    rows, distinct = Counter(one.kind for one in judged), Counter(case.judged[0].kind for case in found)
    return [
        ["kind", "what", "completions", "of all", "different"],
        *(
            [kind, what, f"{rows[kind]:,}", _share(rows[kind], len(judged)), f"{distinct[kind]:,}"]
            for kind, what in KINDS.items()
            if rows[kind]
        ),
    ]


def _advantages(judged: Sequence[Judged]) -> list[list[str]]:
    table = [["", "groups", "changed", "of all", "learn by the first only", "by the second only"]]
    for one, other in combinations(_GRADERS, 2):
        if any(row.rewards[other] is not None for row in judged):
            groups, changed, first, second = changed_groups(judged, one, other).values()
            numbers = f"{groups:,}", f"{changed:,}", _share(changed, groups), f"{first:,}", f"{second:,}"
            table.append([f"{one} or {other}", *numbers])
    return table


def _signs(logged: Sequence[Logged], judged: Sequence[Judged]) -> list[list[str]]:
    steps = sorted({one.step for one in logged})
    third = -(-len(steps) // 3)
    right = {one.logged.place for one in judged if one.ours.reward}
    parts = [
        [True for _ in logged],
        [one.step in steps[:third] for one in logged],
        [one.step in steps[-third:] for one in logged],
        [one.place in right for one in logged],
    ]

    def row(name: str, values: Sequence[float], shown: str) -> list[str]:
        means = (_mean([value for value, inside in zip(values, part, strict=True) if inside]) for part in parts)
        return [name, *("-" if mean is None else format(mean, shown) for mean in means)]

    return [
        ["sign", "of all", "first third of the steps", "last third", "of those judged right"],
        *(row(name, [float(sign(one)) for one in logged], ".1%") for name, sign in SIGNS.items()),
        row("length in characters, mean", [float(len(one.text)) for one in logged], ",.0f"),
    ]


def _over_steps(judged: Sequence[Judged]) -> Section:
    steps = sorted({one.logged.step for one in judged})
    if find_spec("matplotlib") is None or len(steps) < 2:
        return Section(note=NO_PLOT if len(steps) > 1 else "")
    series = []
    for name, color in zip(_GRADERS, (BLUE, ORANGE, GREEN), strict=True):
        means = [_mean([one.rewards[name] for one in judged if one.logged.step == step]) for step in steps]
        if any(mean is not None for mean in means):
            series.append(Series(name, means, color, steps, marker="."))
    return Section(plots={"Share of the completions that are right, by each grader.": lines("audit", series, "step")})


def _example(case: Case) -> Example:
    one = case.judged[0]
    answers: list[tuple[str, str | None, bool | None]] = [("gold", str(one.logged.gold), None)]
    for name, read, verdict in (("ours", one.read, one.ours), ("math-verify", one.second.read, one.second.verdict)):
        answers.append((f"{name}, {_VERDICTS[verdict]}", read or "nothing", verdict is Verdict.CORRECT))
    if one.logged.reward is not None:
        answers.append(("the run's reward", f"{one.logged.reward:g}", one.logged.reward > 0))
    times = f" · {len(case.judged)} times" if len(case.judged) > 1 else ""
    text = shortened(one.logged.text, _LONGEST)
    return Example(f"{one.kind} · {one.logged.place}{times}", one.logged.prompt, answers, text, key=case.key)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
