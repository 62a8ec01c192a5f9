"""The report: figures beside the published ones, what differs, and a page that stands alone."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from replay import ReplaySampler

from trl_dsmath.data.benchmarks import Problem
from trl_dsmath.generation import Decoding
from trl_dsmath.grading import Verdict
from trl_dsmath.inference import EvaluateConfig, load_benchmark, plan, report, run, score
from trl_dsmath.inference.report import Report
from trl_dsmath.inference.report_differences import differences
from trl_dsmath.inference.run import Task, load_plan, read_samples
from trl_dsmath.inference.score import Graded, Metric, Scores


def _plan(benchmarks_dir: Path, names: tuple[str, ...], **settings: object) -> list[Task]:
    problems = [problem for name in names for problem in load_benchmark(name, benchmarks_dir)]
    return plan(problems, EvaluateConfig(names, **settings), "one")  # type: ignore[arg-type]


def _report(folder: Path, benchmarks_dir: Path, names: tuple[str, ...], **settings: object) -> Report:
    tasks = _plan(benchmarks_dir, names, **settings)
    sampler = ReplaySampler(lambda prompt, i: f"<b>&</b> ```python\nx\n``` The answer is \\boxed{{{18 if i else 3}}}")
    run(tasks, sampler, folder, {"model": "tiny <model>", "settings": {"mode": "cot"}})
    return report.write(folder, tasks, score(tasks, read_samples(folder)), load_plan(folder)[1])


def test_tables_by_hand(benchmarks_dir: Path, tmp_path: Path) -> None:
    tables = [
        section.table
        for section in _report(tmp_path, benchmarks_dir, ("gsm8k", "math500"), num_samples=3).page.sections
    ]
    single, many = tables[:2]
    # Greedy says 3: wrong for both problems of GSM8K. Wilson for 0 of 2: up to z^2 / (2 + z^2) = 65.8 %.
    assert single[1][:5] == ["GSM8K", "2 of 1,319", "greedy", "0.0 (0.0 – 65.8)", "0.0 (0.0 – 65.8)"]
    assert single[1][5:] == ["64.2", "82.9", "88.2"] and single[2][5:] == ["36.2", "46.8", "51.7"]
    # Three samples say 3, 18, 18; 18 is right for one of the two.
    assert [cell.split(" (")[0] for cell in many[1][2:5]] == ["avg@3 33.3", "maj@3 50.0", "pass@3 50.0"]
    assert many[2][5] == "60.9"


def test_the_table_of_the_terminal(benchmarks_dir: Path, tmp_path: Path) -> None:
    found = _report(tmp_path, benchmarks_dir, ("gsm8k", "math500"), num_samples=3).metrics
    lines = report.metrics_text(found).splitlines()
    assert lines[0] == "benchmark  metric  flexible, % (95 % interval)  strict, %  problems"
    assert lines[1] == "GSM8K      greedy             0.0 (0.0 – 65.8)        0.0         2"
    assert lines[3].startswith("GSM8K      maj@3 ") and lines[3].endswith(" 50.0         2")
    assert len(lines) == 1 + 8 and len({len(line) for line in lines}) == 1


def test_differences_are_told(benchmarks_dir: Path) -> None:
    said = " ".join(differences(_plan(benchmarks_dir, ("gsm8k", "math500")), ()))
    for words in ("not by the authors' grader", "GSM8K 2 of 1,319", "subset of 500", "Zero-shot prompts"):
        assert words in said
    said = " ".join(
        differences(_plan(benchmarks_dir, ("ocw", "mgsm_zh"), few_shot=True, max_new_tokens=64), ("mgsm_zh",))
    )
    for words in (
        "our own wording",
        "the file itself holds 8",
        "no examples for MGSM-zh",
        "at most 64 tokens",
        "mode: MGSM-zh.",
    ):
        assert words in said
    assert "Zero-shot prompts" not in said


def test_the_page_stands_alone_and_shows_texts_as_they_are(
    benchmarks_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(report, "PLOTTED_FROM", 1)
    _report(tmp_path, benchmarks_dir, ("gsm8k", "cmath"), num_samples=4)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 3 and "currentColor" in page
    assert not re.findall(r'(?:src|href)="(?!#)', page) and "<script" not in page
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page and "<b>&</b>" not in page and "tiny &lt;model&gt;" in page
    markdown = (tmp_path / "report.md").read_text()
    assert "````\n<b>&</b> ```python\nx\n``` The answer is" in markdown


def test_few_problems_are_a_table_and_no_plot(benchmarks_dir: Path, tmp_path: Path) -> None:
    """Two problems: the interval would span most of the axis."""
    pytest.importorskip("matplotlib")
    _report(tmp_path, benchmarks_dir, ("gsm8k", "math500"), num_samples=2)
    page = (tmp_path / "report.html").read_text()
    assert "<svg" not in page
    assert page.index("<table>") < page.index("fewer than 30 problems are not plotted")


def test_without_matplotlib_the_page_says_so(
    benchmarks_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    _report(tmp_path, benchmarks_dir, ("gsm8k",))
    assert "pip install 'trl-dsmath[report]'" in (tmp_path / "report.html").read_text()


def _task(name: str, index: int = 0, **changes: object) -> Task:
    problem = Problem(name, index, f"question {index}", (), "5", "number")
    return replace(Task(f"{name}/{index}", "greedy", problem, "cot", "box", "?", Decoding(1024, 0.0), 1), **changes)


def _metrics(name: str, problems: int, flexible: dict[str, float], strict: dict[str, float]) -> list[Metric]:
    return [
        Metric(name, kind, filter, value, value - 0.125, value + 0.125, problems)
        for filter, values in (("flexible", flexible), ("strict", strict))
        for kind, value in values.items()
    ]


def test_plots_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is plotted: benchmarks of 30 problems or more; curves where there are several samples."""
    drawn: dict[str, tuple] = {}
    monkeypatch.setattr(report, "find_spec", lambda name: True)
    monkeypatch.setattr(report, "points", lambda name, labels, series: drawn.update({name: (labels, series)}) or "")
    monkeypatch.setattr(
        report, "lines", lambda name, series, xlabel, log2: drawn.update({name: (xlabel, log2, series)}) or ""
    )
    sampled = {"avg@4": 0.25, "maj@2": 0.25, "maj@4": 0.5, "pass@2": 0.5, "pass@4": 0.75}
    metrics = [
        *_metrics("gsm8k", 30, {"greedy": 0.5, **sampled}, {"greedy": 0.25}),
        *_metrics("aime24", 30, {"greedy": 0.125}, {}),
        *_metrics("math", 29, {"greedy": 0.5, **sampled}, {"greedy": 0.5}),
    ]
    tasks = [_task(name) for name in ("gsm8k", "aime24", "math")]
    found = report.make_report(tasks, Scores(metrics, [], {}, {}, {}, {}), {})
    single, many = (section.table for section in found.page.sections[:2])
    assert single[1][3:5] == ["50.0 (37.5 – 62.5)", "25.0 (12.5 – 37.5)"] and single[2][4] == ""
    assert many[1][2:] == ["avg@4 25.0 (12.5 – 37.5)", "maj@4 50.0 (37.5 – 62.5)", "pass@4 75.0 (62.5 – 87.5)", ""]
    assert [row[0] for row in many[1:]] == ["GSM8K", "MATH"]
    assert list(drawn) == ["overview", "curve-gsm8k"]
    labels, series = drawn["overview"]
    assert labels == ["GSM8K", "AIME 2024"]
    assert [(one.label, [y and round(y, 3) for y in one.y]) for one in series] == [
        ("flexible", [0.5, 0.125]),
        ("strict", [0.25, None]),
        ("Base, published", [0.642, None]),
        ("Instruct, published", [0.829, None]),
        ("RL, published", [0.882, None]),
    ]
    assert series[0].intervals == [(0.375, 0.625), (0.0, 0.25)]
    xlabel, log2, (at_least, majority, mean) = drawn["curve-gsm8k"]
    assert (xlabel, log2) == ("samples k", True)
    assert (at_least.x, at_least.y, majority.x, majority.y) == (
        [1, 2, 4],
        [0.25, 0.5, 0.75],
        [1, 2, 4],
        [0.25, 0.25, 0.5],
    )
    assert at_least.intervals[2] == (0.625, 0.875) and (mean.x, mean.y) == ((1, 4), [0.25, 0.25])
    captions = [caption for section in found.page.sections for caption in section.plots]
    assert captions == [
        "Accuracy by benchmark. Band: 95 % interval over the problems.",
        "GSM8K: several samples per problem, flexible.",
    ]
    assert any("fewer than 30 problems" in section.note for section in found.page.sections)
    few = report.make_report(tasks[:2], Scores(metrics[:8], [], {}, {}, {}, {}), {})
    assert not any("fewer than 30 problems" in section.note for section in few.page.sections)


def test_warnings_examples_and_record(tmp_path: Path) -> None:
    graded = [
        Graded("math/0", 0, "a" * 1000 + "b" * 1000, {"flexible": "4", "strict": None}, {"flexible": Verdict.WRONG}),
        Graded("math/0", 1, "second wrong", {"flexible": "3"}, {"flexible": Verdict.WRONG}),
        Graded(
            "own/0",
            0,
            "right",
            {"flexible": "5", "strict": "5"},
            dict.fromkeys(("flexible", "strict"), Verdict.CORRECT),
        ),
        Graded("math/1", 0, "c" * 1500, {"flexible": "5", "strict": None}, {"flexible": Verdict.CORRECT}),
    ]
    for one in graded:
        one.verdicts.setdefault("strict", Verdict.NO_ANSWER)
        one.answers.setdefault("strict", None)
    tasks = [_task("math"), _task("math", 1), _task("own")]
    counts = ({"math": 1200, "own": 0}, {"math": 1, "own": 0}, {"own": 2, "math": 0}, {"math": 3, "own": 0})
    record = {
        "settings": {"mode": "cot", "n": 0, "limit": None, "few_shot": False, "names": ["a"]},
        "versions": {"trl": "1.2"},
    }
    found = report.write(tmp_path, tasks, Scores([], graded, *counts), {"engine": "vllm", **record})
    assert found.warnings == [
        "**MATH is not complete**: 1,200 samples are missing. The metrics are over the problems that have all of theirs. "
        "Run the same command again.",
        "**MATH: 1 problems do not fit** into the model with max_new_tokens beside them; they count as wrong.",
        "own: the gold of 2 problems cannot be read; they count as wrong.",
        "Samples that ran into max_new_tokens and were cut off: MATH 3.",
    ]
    examples = next(section.examples for section in found.page.sections if section.title == "Examples")
    assert [one.title for one in examples] == [
        "MATH, problem 1, right",
        "MATH, problem 0, wrong",
        "own, problem 0, right",
    ]
    assert examples[1].completion == "a" * 750 + "\n[... 500 characters ...]\n" + "b" * 750
    assert examples[0].completion == "c" * 1500
    assert examples[1].answers == [("right", "5", None), ("flexible", "4", False), ("strict", None, False)]
    assert found.page.title == "Evaluation of vllm"
    assert found.page.sections[-1].note == "Settings: mode cot, n 0, names ['a']. Versions: trl 1.2."
    assert (
        report.make_report(tasks, Scores([], [], {}, {}, {}, {}), {}).page.title
        == "Evaluation of recorded completions"
    )
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["complete"] is False and written["missing_samples"] == {"math": 1200, "own": 0}
    assert written["published_percent"]["own"] == [] and written["published_percent"]["math"][-1] == {
        "model": "rl", "mode": "maj@64", "percent": 60.9
    }  # fmt: skip
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert scores[0] == {
        "benchmark": "math", "problem": 0, "decoding": "greedy", "sample": 0, "gold": "5", "flexible": "4",
        "flexible_verdict": "wrong", "strict": None, "strict_verdict": "no_answer",
    }  # fmt: skip


def _said(tasks: list[Task], unpublished: tuple[str, ...] = ()) -> str:
    """The beginnings of what is told after the first remark, which is always there."""
    first, *others = differences(tasks, unpublished)
    assert first.startswith("Answers are judged by")
    return " | ".join(" ".join(one.split()[:4]) for one in others)


def test_which_differences_are_told() -> None:
    whole = [_task("aime24", index) for index in range(30)]
    assert _said(whole) == "Zero-shot prompts are how"
    assert _said(whole[:29]) == "Not the whole test | Zero-shot prompts are how"
    assert _said([_task("own")], ("own",)) == "Zero-shot prompts are how | No published metric in"
    assert _said([_task("own", decoding="recorded")]) == "The completions were recorded"
    assert _said([_task("own", form="sentence")]) == "The worked examples are | Few-shot prompts are how"
    long = [_task("own", sampling=Decoding(2048, 0.0)), _task("own", 1)]
    assert differences(long, ())[-1].startswith("Samples have at most 1024, 2048 tokens;")
    sampled = [_task("own"), _task("own", 1, decoding="sampled", sampling=Decoding(1024, 0.5, 0.9))]
    assert "drawn at temperature 0.5, top-p 0.9;" in differences(sampled, ())[-1]
    program = {"mode": "pot", "form": "program"}
    assert _said([_task("own", **program)]) == "Zero-shot programs: the authors'"
    assert _said([_task("own", **program, opening="```python")]) == (
        "The worked examples are | Few-shot prompts are how | All programs print their"
    )
