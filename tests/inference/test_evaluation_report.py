"""The report: figures beside the published ones, what differs, and a page that stands alone."""

import re
from pathlib import Path

import pytest
from replay import ReplaySampler

from trl_dsmath.inference import EvaluateConfig, load_benchmark, plan, report, run, score
from trl_dsmath.inference.report import Report
from trl_dsmath.inference.run import load_plan, read_samples


def _report(folder: Path, benchmarks_dir: Path, names: tuple[str, ...], **settings: object) -> Report:
    problems = [problem for name in names for problem in load_benchmark(name, benchmarks_dir)]
    tasks = plan(problems, EvaluateConfig(names, **settings), "one")  # type: ignore[arg-type]
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


def test_differences_are_told(benchmarks_dir: Path, tmp_path: Path) -> None:
    said = " ".join(_report(tmp_path / "a", benchmarks_dir, ("gsm8k", "math500")).differences)
    for words in ("not by the authors' grader", "GSM8K 2 of 1,319", "subset of 500", "Zero-shot prompts"):
        assert words in said
    said = " ".join(
        _report(tmp_path / "b", benchmarks_dir, ("ocw", "mgsm_zh"), few_shot=True, max_new_tokens=64).differences
    )
    for words in ("our own wording", "the file itself holds 8", "no examples for MGSM-zh", "at most 64 tokens"):
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
