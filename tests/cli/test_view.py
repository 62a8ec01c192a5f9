"""`dsmath view`: completions as TRL logs them, with steps and without, as one page."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from trl_dsmath.audit import read_run, view
from trl_dsmath.audit.view import make_page
from trl_dsmath.cli import main


def _write(run: Path, step: int, rows: list[dict[str, Any]]) -> None:
    (run / "completions").mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist([{"step": step, **row} for row in rows])
    pyarrow.parquet.write_table(table, run / "completions" / f"completions_{step:05d}.parquet")


def _row(prompt: str, verdict: str, scores: list[float | None], text: str = "") -> dict[str, Any]:
    steps = [f"line {k} <b>\n" for k in range(len(scores))]
    return {
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": text or "".join(steps)}],
        "boxed_accuracy_reward": {"correct": 1.0, "timeout": None}.get(verdict, 0.0),
        "gold": "12",
        "read_answer": "12" if verdict == "correct" else "",
        "steps": steps,
        "step_rewards": scores,
        "verdict": verdict,
        "advantage": 0.5,
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "my-run"
    _write(folder, 1, [_row("Q1?", "correct", [0.9, 0.8]), _row("Q1?", "wrong", [0.9, 0.1]), _row("Q2?", "wrong", [0.7]),
                       _row("Q2?", "no_answer", [], "x")])  # fmt: skip
    rows = [_row("Q3?", "correct", [0.4, None, 0.6]), _row("Q3?", "timeout", [0.2]), _row("Q4?", "correct", [0.5])]
    _write(folder, 10, [row | {"step_rewards": json.dumps(row["step_rewards"])} for row in rows])  # as for W&B
    log = [{"step": 1, "completions/mean_length": 31.5}, {"step": 10, "loss": 0.1}]
    for name, length in (("checkpoint-1", 31.5), ("", 42.25)):
        (folder / name).mkdir(exist_ok=True)
        state = {"log_history": [*log, {"step": 10, "completions/mean_length": length}]}
        (folder / name / "trainer_state.json").write_text(json.dumps(state))
    return folder


def test_tables_by_hand(run: Path) -> None:
    page = make_page(run)
    growth, disagreement = (section.table for section in page.sections if section.table)
    assert growth == [
        ["training step", "solutions", "right, %", "tokens (mean)", "characters (mean)", "steps (mean)",
         "lowest step score (mean)", "disagree, %"],
        # One of four right; 22, 22, 11 and 1 characters; 2, 2, 1 and 0 steps; .8, .1 and .7; of the three with a score the
        # wrong one without a low step disagrees.
        ["1", "4", "25.0", "31.5", "14.0", "1.2", "0.53", "33.3"],
        # The one that could not be judged counts for nothing but its lengths. .4, .2, .5; right with .4 disagrees.
        ["10", "3", "100.0", "42.2", "18.3", "1.7", "0.37", "50.0"],
    ]  # fmt: skip
    assert disagreement[1:] == [["right", "1", "2"], ["wrong", "1", "1"]]
    assert page.headline == (
        "7 solutions of 2 training steps; right: 25.0% in the first quarter, 100.0% in the last; step scores and outcome "
        "disagree on 40.0%."
    )


def test_plots_by_hand(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, tuple] = {}
    monkeypatch.setattr(view, "find_spec", lambda name: True)
    monkeypatch.setattr(
        view, "lines", lambda name, series, *labels, **options: drawn.update({name: (series, labels, options)}) or ""
    )
    (growth,) = (section for section in make_page(run).sections if section.plots)
    assert list(growth.plots) == ["Over training.", "Tokens (mean).", "Steps (mean)."]
    series, labels, _ = drawn["shares"]
    assert [(one.label, [round(y, 3) for y in one.y], one.x, one.marker) for one in series] == [
        ("right", [0.25, 1.0], [1, 10], "o"),
        ("lowest step score (mean)", [0.533, 0.367], [1, 10], "o"),
        ("disagree", [0.333, 0.5], [1, 10], "o"),
    ]
    assert labels == ("training step", "%") and drawn["tokens"][1:] == (
        ("training step", "tokens (mean)"),
        {"percent": False},
    )
    assert drawn["tokens"][0][0].y == [31.5, 42.25] and drawn["steps"][0][0].y == [1.25, 5 / 3]
    monkeypatch.setattr(view, "find_spec", lambda name: None)
    assert "matplotlib" in make_page(run).sections[0].note


def test_of_a_long_run_some_steps_are_shown(tmp_path: Path) -> None:
    row = {"prompt": "1+1?", "completion": "2", "verdict": "correct", "advantage": 0.25}
    for step in range(45):
        _write(tmp_path, step, [{**row, "completion": str(step)}] * (10 if step == 4 else 1))
    page = make_page(tmp_path)
    (table,) = (section.table for section in page.sections if section.table)
    # Twenty rows from the first to the last: every 44 / 19 steps.
    assert [row[0] for row in table[1:]] == [str(round(i * 44 / 19)) for i in range(20)]
    # Twelve steps, eight solutions of a prompt at most.
    titles = [example.title for example in page.sections[-1].examples]
    assert titles[:2] == ["Training step 0, prompt 1: 1 of 1 right", "Training step 4, prompt 1: 10 of 10 right"]
    assert len(titles) == 12 and [len(example.samples) for example in page.sections[-1].examples][:3] == [1, 8, 1]
    assert page.sections[-1].examples[0].samples[0].title == "correct, advantage +0.25"
    assert (
        page.headline == "54 solutions of 45 training steps; right: 100.0% in the first quarter, 100.0% in the last."
    )


def test_the_command_writes_a_page_that_stands_alone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(run), "--prompts", "1"]) == 0
    assert "disagree on 40.0%." in capsys.readouterr().out
    text = (run / "view.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!#)', text) and "Be brief." not in text
    assert "Q1?" in text and "Q3?" in text and "Q2?" not in text  # one prompt a step
    assert "line 0 &lt;b&gt;" in text and "<b>\n" not in text
    assert "hsl(12 70% 45% / .22)" in text  # .1 of the way from red to green
    choices = dict(re.findall(r'<select data-name="(.*?)">(.*?)</select>', text))
    assert {name: re.findall("<option>(.*?)</option>", options) for name, options in choices.items()} == {
        "Training step": ["1", "10"],
        "Verdict": ["correct", "wrong", "timeout"],
        "Steps and outcome": ["agree", "right, but a low step"],
    }
    tags = [json.loads(one) for one in re.findall("data-tags='(.*?)'", text)]
    assert [one["Verdict"] for one in tags] == ["correct", "wrong", "correct", "timeout"]
    assert [one.get("Steps and outcome") for one in tags] == ["agree", "agree", "right, but a low step", None]


def test_a_run_of_trl_without_steps(tmp_path: Path) -> None:
    """No verdicts: the reward named after accuracy says what is right."""
    row = {
        "prompt": "1+1?",
        "completion": "It is $\\frac{4}{2}$",
        "format": 1.0,
        "accuracy_reward": 1.0,
        "length": 0.3,
    }
    rows = [row, row | {"accuracy_reward": 0.0}, row | {"accuracy_reward": None}]
    _write(tmp_path, 5, [one | {"advantage": 0.0} for one in rows])
    page = make_page(tmp_path / "completions" / "completions_00005.parquet")
    (table,) = (section.table for section in page.sections if section.table)
    assert table == [["training step", "solutions", "right, %", "characters (mean)"], ["5", "3", "50.0", "19.0"]]
    (example,) = page.sections[-1].examples
    assert [(sample.right, dict(sample.tags).get("Verdict")) for sample in example.samples] == [
        (True, "correct"), (False, "wrong"), (None, None),
    ]  # fmt: skip
    assert "It is " in page.html()


def test_lists_are_no_rewards_in_an_audit(run: Path) -> None:
    logged, _ = read_run(run)
    assert [one.reward for one in logged][:2] == [1.0, 0.0]


def test_a_run_without_completions_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path)]) == 2
    assert "log_completions" in capsys.readouterr().err
    pyarrow.parquet.write_table(pyarrow.table({"question": ["1+1?"], "completion": ["2"]}), tmp_path / "other.parquet")
    for command in ("view", "audit"):  # a file of something else
        assert main([command, str(tmp_path / "other.parquet")]) == 2
        assert "has no column 'prompt'; the columns are question, completion." in capsys.readouterr().err
    _write(tmp_path, 1, [{"prompt": "1+1?", "completion": "2", "accuracy": 1.0}])
    _write(tmp_path, 2, [{"prompt": "1+1?", "completion": "3"}])  # its reward function was taken out
    assert make_page(tmp_path).headline.startswith("2 solutions of 2 training steps; right: 100.0%")
