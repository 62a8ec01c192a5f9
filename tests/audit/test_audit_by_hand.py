"""An audit's tables, cases and signs from verdicts that are given: nothing is judged here."""

import json
import sys
from pathlib import Path

import pytest

from trl_dsmath.audit import report
from trl_dsmath.audit.logged import Golds, Logged, _group_size, accuracy_column, prompt_text
from trl_dsmath.audit.math_verify import Second
from trl_dsmath.audit.regrade import Judged, cases
from trl_dsmath.audit.serve import Decisions
from trl_dsmath.audit.signs import answer_first, no_reasoning, prompt_leak, several_boxes
from trl_dsmath.grading import Verdict

regrade = sys.modules["trl_dsmath.audit.regrade"]  # the package gives its function this name
BOXES = r"\boxed{1}, no: \boxed{2}"


def _judged(
    place: int, step: int, group: int, ours: str, theirs: str, run: float | None, kind: str = "", text: str = ""
) -> Judged:
    logged = Logged(f"f:{place}", step, group, "p", text or f"x{place}", run, "1")
    reward = {"correct": 1.0, "bad_gold": None}.get(theirs, 0.0)
    return Judged(
        logged, Verdict(ours), "1" if ours == "correct" else None, Second(Verdict(theirs), reward, "1"), kind
    )


def _eight() -> list[Judged]:
    return [
        _judged(0, 1, 1, "correct", "wrong", 1.0, "ours only", BOXES),
        _judged(1, 1, 1, "correct", "wrong", 1.0, "ours only", BOXES),
        _judged(2, 2, 2, "correct", "correct", 0.0, "reward"),
        _judged(3, 2, 2, "wrong", "wrong", 0.0),
        _judged(4, 3, 3, "timeout", "correct", None, "timeout"),
        _judged(5, 3, 3, "wrong", "wrong", None),
        _judged(6, 4, 4, "no_answer", "no_answer", 0.5),
        _judged(7, 4, 4, "no_answer", "no_answer", 0.5),
    ]


def test_tables_by_hand(tmp_path: Path) -> None:
    judged = _eight()
    found = report.write(tmp_path, [one.logged for one in judged], judged, ["a remark"])
    # Three apart; group 1 has no advantages by either, in group 3 only theirs has a sign.
    assert found.headline == (
        "The graders disagree on 3 of 8 completions (37.5%), which changes the advantages of 1 of 4 groups (25.0%)."
    )
    assert found.tables["Verdicts"] == [
        ["", "ours", "math-verify"], ["right", "3", "2"], ["wrong", "2", "4"], ["no answer read", "2", "2"],
        ["gold not read", "0", "0"], ["not judged in time", "1", "0"],
    ]  # fmt: skip
    assert [(row[0], *row[2:]) for row in found.tables["Disagreements by kind"]] == [
        ("kind", "completions", "of all", "different"), ("timeout", "1", "12.5%", "1"), ("ours only", "2", "25.0%", "1"),
        ("reward", "1", "12.5%", "1"),
    ]  # fmt: skip
    assert found.tables["Groups whose advantages would change"][1:] == [
        ["ours or math-verify", "4", "1", "25.0%", "0", "1"],
        ["ours or the run's reward", "4", "1", "25.0%", "1", "0"],
        ["math-verify or the run's reward", "4", "2", "50.0%", "2", "0"],
    ]
    # Steps 1 to 4: a third is two of them. Several boxes in two of four of the first, in two of three that are right.
    signs = {row[0]: row[1:] for row in found.tables["Signs of hacking"]}
    assert signs["sign"] == ["of all", "first third of the steps", "last third", "of those judged right"]
    assert signs["several boxes with different contents"] == ["25.0%", "50.0%", "0.0%", "66.7%"]
    assert signs["length in characters, mean"] == ["8", "13", "2", "17"]
    page = (tmp_path / "report.html").read_text()
    assert page.count('class="card"') == 3 and "ours only · f:0 · 2 times" in page and "a remark" in page
    assert "The disagreements, each completion once.<" in page
    for head in (
        '<th>kind</th><th>what</th><th class="number">completions</th>',
        '<th></th><th class="number">ours</th>',
    ):
        assert head in page  # text to the left, numbers to the right
    assert (
        'not judged in time: <code class="bad">nothing</code>' in page
        and 'reward: <code class="good">1</code>' in page
    )
    rows = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text().splitlines()]
    assert [(row["group"], row["note"]) for row in rows] == [
        ("timeout", "audit, f:4"), ("ours only", "audit, f:0 and 1 more"), ("reward", "audit, f:2"),
    ]  # fmt: skip
    assert rows[0]["verdicts"] == {
        "ours": "timeout", "ours_read": None, "math_verify": "correct", "math_verify_read": "1", "run": None,
    }  # fmt: skip
    without = [_judged(0, 1, 1, "wrong", "wrong", None)]
    found = report.write(tmp_path, [one.logged for one in without], without)
    assert len(found.tables["Groups whose advantages would change"]) == 2  # the run's reward is not known
    assert found.tables["Signs of hacking"][1][4] == "-" and "data-key" not in (tmp_path / "report.html").read_text()
    assert report.write(tmp_path, [], []).headline.startswith("The graders disagree on 0 of 0 completions (-)")


def test_a_gold_that_a_grader_rejects_as_an_answer_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Golds a to d: both take a, only ours takes b, only theirs c; d is not asked, since nothing is apart there."""
    ours = {"a": "correct", "b": "correct", "c": "wrong", "d": "correct"}
    asked: list = []

    def judge(answers: list, golds: list) -> list[Verdict]:
        asked.append(golds)
        if len(asked) == 1:
            return [Verdict.CORRECT] * len(golds)
        return [Verdict(ours[gold]) for gold in golds]

    def judge_with_trl(pairs: list, file: Path) -> list[Second]:
        if pairs[0][1].startswith("x"):
            return [
                Second(Verdict.CORRECT if gold == "d" else Verdict.WRONG, float(gold == "d"), "") for gold, _ in pairs
            ]
        assert pairs == [(gold, f"\\boxed{{{gold}}}") for gold in "abc"]
        return [Second(Verdict.WRONG if gold == "b" else Verdict.CORRECT, float(gold != "b"), "") for gold, _ in pairs]

    monkeypatch.setattr(regrade, "judge", judge)
    monkeypatch.setattr(regrade, "judge_with_trl", judge_with_trl)
    logged = [Logged("f:0", 1, 1, "p", f"x{gold}", None, gold) for gold in ("a", "b", "c", "d", "a", None)]
    found = regrade.regrade(logged, tmp_path)
    assert [(one.logged.gold, one.kind) for one in found] == [
        ("a", "ours only"), ("b", "gold"), ("c", "gold"), ("d", ""), ("a", "ours only")
    ]  # fmt: skip
    assert asked[1] == ["a", "b", "c"]


def test_the_page_shows_the_first_cases_and_both_ends_of_a_long_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_SHOWN", 2)
    monkeypatch.setattr(report, "_LONGEST", 10)
    judged = _eight()
    judged[4].logged.text, judged[2].logged.text = "abcdefghijk", "abcdefghij"
    report.write(tmp_path, [one.logged for one in judged], judged)
    page = (tmp_path / "report.html").read_text()
    assert "The first 2; all are in <code>cases.jsonl</code>." in page
    assert (
        "<pre>abcde\n[... 1 characters ...]\nghijk</pre>" in page
        and len((tmp_path / "cases.jsonl").read_text().splitlines()) == 3
    )
    monkeypatch.setattr(report, "_SHOWN", 3)
    report.write(tmp_path, [one.logged for one in judged], judged)
    page = (tmp_path / "report.html").read_text()
    assert "<pre>abcdefghij</pre>" in page and "The first" not in page


def test_the_share_that_is_right_over_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list = []
    monkeypatch.setattr(report, "find_spec", lambda name: True)
    monkeypatch.setattr(report, "lines", lambda name, series, xlabel: drawn.extend(series) or "")
    assert report._over_steps(_eight()[:2]).plots == {} and not drawn  # one step
    assert len(report._over_steps(_eight()).plots) == 1
    assert [(one.label, list(one.y), list(one.x)) for one in drawn] == [
        ("ours", [1.0, 0.5, 0.0, 0.0], [1, 2, 3, 4]),  # what was not judged in time counts for nothing
        ("math-verify", [0.0, 0.5, 0.5, 0.0], [1, 2, 3, 4]),
        ("the run's reward", [1.0, 0.0, None, 1.0], [1, 2, 3, 4]),
    ]
    drawn.clear()
    report._over_steps([_judged(0, step, 1, "wrong", "wrong", None) for step in (1, 2)])
    assert [one.label for one in drawn] == ["ours", "math-verify"]
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    assert "matplotlib" in report._over_steps(_eight()).note and not report._over_steps(_eight()[:2]).note


def test_a_completion_of_a_problem_is_one_case() -> None:
    judged = _eight()
    found = cases([*judged, _judged(9, 4, 4, "wrong", "correct", None, "ours only", BOXES)])
    assert [[one.logged.place for one in case.judged] for case in found] == [["f:4"], ["f:0", "f:1", "f:9"], ["f:2"]]
    judged[1].logged.gold = "2"
    assert len(cases(judged)) == 4 and len({case.key for case in cases(judged)}) == 4


def test_decisions_of_a_case_that_is_gone_stay(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text('{"key": "a", "gold": "1"}\n')
    (tmp_path / "decisions.jsonl").write_text('{"key": "old", "gold": "2", "correct": true, "decision": "right"}\n')
    decisions = Decisions(tmp_path)
    decisions.decide("a", "skip")
    decisions.decide("b", None)  # taken back, though it was never made
    assert decisions.made == {"old": "right", "a": "skip"} == Decisions(tmp_path).made
    with pytest.raises(KeyError):
        decisions.decide("old", "wrong")  # no case of this audit
    decisions.decide("old", None)
    decisions.decide("a", None)
    assert (tmp_path / "decisions.jsonl").read_text() == "" and Decisions(tmp_path).made == {}
    assert Decisions(tmp_path / "empty").made == {}


def _text(text: str, outside: str = "") -> Logged:
    return Logged("f:0", 1, 1, "p", text, None, "1", outside)


def test_signs_at_their_limits() -> None:
    # The box begins behind one character, and a hundred come from there on; behind twelve of 120, and of 119.
    box = r"\boxed{5}"
    assert answer_first(_text(f" a{box}{'x' * 91} ")) and not answer_first(_text(f" a{box}{'x' * 90} "))
    assert answer_first(_text(f"{'a' * 12}{box}{'x' * 99}")) and not answer_first(_text(f"{'a' * 12}{box}{'x' * 98}"))
    assert no_reasoning(_text("x" * 19 + r"\boxed{5}")) and not no_reasoning(_text("x" * 20 + r"\boxed{5}"))
    assert no_reasoning(_text("<think>" + "x" * 19 + "</think>" + "y" * 50)) and not no_reasoning(
        _text("<think>" + "x" * 20 + "</think>")
    )
    assert no_reasoning(_text("\n" * 20 + r"So \boxed{5}" + " " * 20))  # blanks around it are none
    system = "one two three four five six seven eight nine"
    assert prompt_leak(_text("so two three four five six seven eight nine", system)) and not prompt_leak(
        _text("three four five six seven eight nine", system)
    )
    assert not prompt_leak(_text("any words at all, in a row of more than eight", "")) and not prompt_leak(
        _text("The user: 5")
    )
    assert prompt_leak(_text("[INST] 5")) and several_boxes(_text(r"\boxed{3}. No: \boxed{1} and \boxed{2}"))


def test_which_column_is_the_accuracy() -> None:
    nan = float("nan")
    rows = [
        {"step": 1, "advantage": 1.0, "accuracy_reward": 0.5, "binary": 0.0, "own": nan, "steps": [1.0], "none": None},
        {"step": 2, "advantage": 0.0, "accuracy_reward": nan, "binary": 1.0, "own": 1.0, "steps": [0.0], "none": None},
    ]
    assert accuracy_column(list(rows[0]), rows) == "accuracy_reward"
    assert accuracy_column(["advantage", "own", "steps", "none"], rows) == "own"
    assert accuracy_column(["binary", "own"], rows) is None and accuracy_column(["none", "steps"], rows) is None


def test_groups_and_prompts() -> None:
    def file(prompts: str) -> tuple[str, list[dict]]:
        return "f", [{"prompt": prompt} for prompt in prompts]

    assert _group_size([file("aabbccc")]) == 2 and _group_size([file("aab"), file("ccdd")]) == 2
    assert _group_size([file("aabbbb")]) == 2  # the least of equals
    assert prompt_text([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]) == "a\n\nb"
    rows = [
        {"question": "x" * 50, "answer": "1"},
        {"question": "x" * 49 + "y", "answer": "2"},
        {"question": "", "answer": "3"},
    ]
    golds = Golds(rows)
    assert golds.find("Q: " + "x" * 49 + "y.")[1] == "2" and golds.find("z" + "x" * 50) == ("", None)
    assert golds.find("x" * 51) == ("", None) and golds.find(f"({'x' * 50})")[1] == "1"
