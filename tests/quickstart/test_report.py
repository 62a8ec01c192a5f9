"""Folder, settings, report and command line; nothing is trained here."""

import json
import re
from pathlib import Path

import pytest

from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.quickstart import main, report
from trl_dsmath.quickstart.settings import RunFolder, Settings, write_whole
from trl_dsmath.quickstart.task import make_problems, solve

GREEDY = {"pretrain": 0, "sft": 8, "grpo": 18}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder as a run of all stages leaves it, with 20 held-out problems."""
    settings = Settings(problems=20)
    folder = RunFolder(tmp_path / "run", settings)
    problems = make_problems(20, 0, "held-out")
    for stage, right in GREEDY.items():
        folder.stage(stage).mkdir()
        rows = []
        for i, problem in enumerate(problems):
            text = solve(problem) if i < right else "1+1=3\nTherefore, the answer is \\boxed{x<y}"
            row = {"question": problem.question, "answer": problem.answer, "greedy": text, "sampled": text}
            rows.append(row | {"greedy_right": i < right, "sampled_right": i < right})
        write_whole(folder.stage(stage) / "held_out.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        log = [{"step": 10, "greedy_right": 13, "measure_seconds": 0.5}] if stage == "grpo" else []
        log += [{"step": step, "loss": 2.0 / step, "reward": step / 40, "seconds": step * 0.1} for step in (10, 20)]
        result = {
            "stage": stage,
            "data": "1,234 rows",
            "steps": 40,
            "parameters": 1,
            "problems": 20,
            "right": {"greedy": right, "sampled": right},
            "seconds": {"prepare": 1.0, "train": 12.34, "measure": 2.0},
            "log": log,
            "versions": {"trl": "9.9.9"},
        }
        folder.finish(stage, result)
    return folder.path


def run_again(folder: Path, *more: str) -> int:
    return main(["--output_dir", str(folder), "--problems", "20", *more])


def test_finished_run_only_writes_its_report(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(finished.parent)
    assert run_again(Path("run")) == 0
    out = capsys.readouterr().out
    assert out.count("(finished before)") == 3
    assert "from 40.0% to 90.0% (+50.0 points) on 20 held-out problems" in out
    assert max(map(len, out.splitlines())) <= 100


def test_report_holds_the_figures(finished: Path) -> None:
    run_again(finished)
    for name in ("report.md", "report.html"):
        text = (finished / name).read_text()
        # 8 of 20: (8 + 1.92) / 23.84 = .416 in the middle, .197 to each side
        for figure in ("40.0% (21.9 to 61.3)", "90.0% (69.9 to 97.2)", "+50.0 points", "1,234 rows", "12.3 s"):
            assert figure in text, (name, figure)
        assert "trl 9.9.9" in text
        assert "sloppy author" in text
        assert "nothing about real mathematics" in text
        assert "Wrong before GRPO, right after it" in text


def test_page_needs_nothing_else(finished: Path) -> None:
    run_again(finished)
    text = (finished / "report.html").read_text()
    assert text.count("<svg") == 2
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "url(http" not in text
    assert "x&lt;y" in text  # what a model writes is text, not markup
    assert "x<y" not in text
    used = set(re.findall(r"""(?:url\(|href=")#([\w-]+)""", text))  # two pictures on one page: no name twice
    assert used
    assert [name for name in used if text.count(f'id="{name}"') != 1] == []


def test_curve_starts_at_sft_and_ends_at_grpo(finished: Path) -> None:
    content = report.collect(RunFolder(finished, Settings(problems=20)), Settings(problems=20))
    assert report.curve(content.results) == [(0, 8), (10, 13), (40, 18)]


def test_without_matplotlib(finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    assert run_again(finished) == 0
    assert "pip install 'trl-dsmath[report]'" in capsys.readouterr().out
    text = (finished / "report.html").read_text()
    assert "trl-dsmath[report]" in text
    assert "90.0% (69.9 to 97.2)" in text


@pytest.mark.parametrize(("flag", "value"), [("--seed", "1"), ("--grpo_steps", "41")])
def test_other_settings_in_the_same_folder(finished: Path, flag: str, value: str) -> None:
    kept = (finished / "settings.json").read_bytes()
    with pytest.raises(ConfigError, match=rf"{flag} \d+ \(now {value}\).*--output_dir.*rm -r"):
        run_again(finished, flag, value)
    assert (finished / "settings.json").read_bytes() == kept


def test_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match="not empty"):
        main(["--output_dir", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_output_dir_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        main(["--output_dir", str(tmp_path / "file")])


def test_output_dir_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*--output_dir"):
        main(["--output_dir", str(tmp_path / "file" / "run")])


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file")  # what torch says on a full disk

    monkeypatch.setattr("trl_dsmath.quickstart.run.run", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(DataError, match=r"disk of .* is full"):
        main(["--output_dir", str(tmp_path / "run")])


def test_other_failures_are_not_dressed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("trl_dsmath.quickstart.run.run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["--output_dir", str(tmp_path / "run")])


def test_killed_while_the_settings_were_written(tmp_path: Path) -> None:
    (tmp_path / "settings.json.part").write_text('{"se')
    RunFolder(tmp_path, Settings())
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--stages", "pretrain,rl"], "name stages out of pretrain,sft,grpo"),
        (["--stages", ""], "name stages"),
        (["--grpo_steps", "0"], "--grpo_steps must be at least 1"),
        (["--stages", "grpo"], "run --stages pretrain,sft,grpo"),
        (["--stages", "pretrain,grpo"], "run --stages pretrain,sft,grpo"),
    ],
)
def test_wrong_arguments(tmp_path: Path, argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        main(["--output_dir", str(tmp_path / "run"), *argv])
