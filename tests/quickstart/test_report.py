"""Folder, settings, report and command line; nothing is trained here."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quickstart
import report
from progress import Progress
from run import POLICIES, STAGES, Run, Settings, needed
from task import make_problems, solve, write_rows

from trl_dsmath import paper
from trl_dsmath.data.journal import write_whole
from trl_dsmath.errors import ConfigError, DataError

GREEDY = {"pretrain": 0, "sft": 8, "grpo": 18, "step_grpo": 19}
WRONG = "1+1=3\nTherefore, the answer is \\boxed{x<y}"


def sample(text: str, number: int, right: bool, scores: list[float]) -> dict[str, Any]:
    steps = text.splitlines(keepends=True)
    row = {"text": text, "class": number, "right": right, "score": min(scores)}
    return row | {"steps": steps, "step_scores": scores}


def voted(problem: Any) -> dict[str, Any]:
    """16 samples: 10 with one wrong answer that the reward model scores 0.1, 6 right ones that it scores 0.8."""
    wrong = [sample(WRONG, 0, False, [0.2, 0.1]) for _ in range(10)]
    right = [sample(solve(problem), 1, True, [0.95, 0.9, 0.85, 0.8]) for _ in range(6)]
    return {"question": problem.question, "answer": problem.answer, "samples": wrong + right}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder as a run of all stages leaves it, with 20 held-out problems."""
    settings = Settings(problems=20, vote_problems=2)
    folder = Run(tmp_path / "run", settings)
    problems = make_problems(20, 0, "held-out")
    counted = quickstart.count_votes([voted(problem) for problem in problems[:2]])
    own: dict[str, dict[str, Any]] = {
        "corpus": {"pages": 1000, "mathematics": 240, "collected": 238, "right": 238, "rounds": []},
        "annotate": {"solutions": 80},
        "prm": {"steps": 40, "auroc": 0.987, "auroc_first": 0.9, "tested": 80, "roc": [(0, 0), (0.1, 0.9), (1, 1)]},
        "solve": {"problems": 2, "k": [1, 2, 4, 8, 16], **dict.fromkeys(POLICIES[1:], counted)},
        "quantize": {
            "problems": 20,
            **{bits: {"right": 18, "bytes": 1000 * int(bits), "seconds": 1.0} for bits in ("32", "8", "4")},
            "paper_gib": {"16": 12.9, "8": 6.9, "4": 3.8},
        },
    }
    for number, stage in enumerate(STAGES):
        figures = own.get(stage, {})
        if stage in POLICIES:
            log: list[dict[str, Any]] = [{"step": 10, "greedy_right": 13}] if "grpo" in stage else []
            log += [{"step": step, "rewards/boxed_accuracy_reward/mean": step / 40} for step in (10, 20)]
            right = {"greedy": GREEDY[stage], "sampled": GREEDY[stage]}
            figures = {"steps": 40, "problems": 20, "right": right, "log": log}
        common = {"stage": stage, "data": "1,234 rows, T = 0.7", "line": f"line of {stage}", "peak_mb": 500.0}
        seconds = {"wall": 12.34, "cpu": 1.0 + number}
        result = common | figures | {"seconds": seconds, "versions": {"trl": "9.9.9"}}
        write_whole(folder.folder(stage) / "result.json", json.dumps(result))
    write_rows(folder.folder("solve") / "sft.jsonl", [voted(problem) for problem in problems[:2]])
    return folder.path


SIZES = ("--problems", 20, "--vote_problems", 2)
Main = Callable[..., None]


def test_votes_by_hand() -> None:
    """Ten wrong of weight 0.1 against six right of weight 0.8: the majority is wrong, the weighted vote right."""
    found = quickstart.count_votes([voted(make_problems(1, 0, "held-out")[0])])
    assert found["majority"][-1] == 0.0
    assert found["weighted"][-1] == 1.0
    assert found["pass"][0] == pytest.approx(6 / 16)
    assert found["pass"][-1] == 1.0
    # Of the two groups of eight, the first is all wrong; in the second, 2 x 0.1 stand against 6 x 0.8.
    assert found["weighted"][3] == 0.5


def test_finished_run_only_writes_its_report(
    main: Main, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(finished.parent)
    main("--output_dir", Path("run"), *SIZES)
    out = capsys.readouterr().out
    assert out.count("(finished before)") == 9
    assert "from 40.0% to 90.0% (+50.0 points) on 20 held-out problems; with process rewards to 95.0%." in out


def test_report_holds_the_figures(main: Main, finished: Path) -> None:
    main("--output_dir", finished, *SIZES)
    for name in ("report.md", "report.html"):
        text = (finished / name).read_text().replace("&nbsp;", " ")
        # 8 of 20: (8 + 1.92) / 23.84 = .416 in the middle, .197 to each side
        figures = (
            "40.0% (21.9 to 61.3)",
            "90.0% (69.9 to 97.2)",
            "40.0 → 90.0 %",
            "+50.0 points",
            "40.0 → 95.0 %",
            "1,234 rows",
            "12.3",
            "0.987",
        )
        for figure in (*figures, "line of corpus", "0 → 100 %", "45.0"):  # 1 + 2 + ... + 9 CPU seconds
            assert figure in text, (name, figure)
        assert "trl 9.9.9" in text
        assert "sloppy author" in text
        assert "nothing about real mathematics" in text
        for value in (paper.RESULTS["rl", "cot", "math"], paper.RESULTS["rl", "maj@64", "math"]):
            assert f"{value} %" in text
        assert "The majority is wrong, the vote weighted by the PRM is right" in text


def test_page_needs_nothing_else(main: Main, finished: Path) -> None:
    main("--output_dir", finished, *SIZES)
    text = (finished / "report.html").read_text()
    assert text.count("<svg") == 4
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "url(http" not in text
    assert "x&lt;y" in text  # what a model writes is text, not markup
    assert "x<y" not in text
    used = set(re.findall(r"""(?:url\(|href=")#([\w-]+)""", text))  # four pictures on one page: no name twice
    assert used
    assert [name for name in used if text.count(f'id="{name}"') != 1] == []


def test_steps_are_coloured_by_their_score(main: Main, finished: Path) -> None:
    main("--output_dir", finished, *SIZES)
    text = (finished / "report.html").read_text()
    assert "hsl(24 70% 45% / .22)" in text and "<i>0.20</i>" in text  # 0.2 of the way from red (0) to green (120)
    assert "hsl(114 70% 45% / .22)" in text and "<i>0.95</i>" in text
    assert re.search(r"1\+1=3 <span class=\"bad\">✗", text)


def test_curve_starts_at_sft_and_ends_at_grpo(finished: Path) -> None:
    settings = Settings(problems=20, vote_problems=2)
    run = Run(finished, settings)
    results = {stage: run.result(stage) or {} for stage in STAGES}
    assert report.curve(results, "grpo") == [(0, 8), (10, 13), (40, 18)]
    assert report.curve(results, "step_grpo") == [(0, 8), (10, 13), (40, 19)]


def test_lines_stand_in_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = Progress({"step_grpo": (1.0, 9.0), "solve": (1.0, 9.0)}, {"step_grpo": 7, "solve": 8})
    shown.start("step_grpo", at=0.5)
    shown.update(0.75, "reward 0.73, held-out 100.0%")
    shown.finish("step AUROC 0.996 on 3,200 steps of held-out problems; first errors 0.995")
    lines = re.split(r"[\r\n]+", capsys.readouterr().out.strip("\r\n"))
    assert lines[0].rstrip() == "  7/2 step_grpo █████░░░░░  50%             resumes here"
    assert re.search(r"75%  \d:\d\d left  +reward 0.73, held-out 100.0%$", lines[1].rstrip())
    assert lines[-1].rstrip() == " " * 16 + "errors 0.995  (0 s)"
    assert {len(line) for line in lines} == {79}


def test_arithmetic_of_the_paper() -> None:
    # 2 x 102,400 x 4,096 + 30 x (4 x 4,096 x 4,096 + 3 x 4,096 x 11,008)
    assert report.parameters() == 838_860_800 + 30 * (67_108_864 + 135_266_304)
    # 6 x 6.91e9 x 1e9 operations at 3.956e14 a second
    assert report.h100_hours(1e9) == pytest.approx(29.1, abs=0.1)
    told = {stage: takes for stage, _, _, takes in report.paper_table({})[1:]}
    assert "about 15,000 H100 hours" in told["pretrain"]  # 29.1 x 500
    assert "about 270 H100 hours" in told["grpo"]  # 29.1 x 144,000 x 64 x 1,024 / 1e9 = 274.7


def test_without_matplotlib(
    main: Main, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    main("--output_dir", finished, *SIZES)
    assert "pip install 'trl-dsmath[report]'" in capsys.readouterr().out
    text = (finished / "report.html").read_text()
    assert "trl-dsmath[report]" in text
    assert "90.0% (69.9 to 97.2)" in text


def test_report_of_some_stages(main: Main, finished: Path) -> None:
    for stage in ("prm", "grpo", "step_grpo", "solve", "quantize"):
        (finished / stage / "result.json").unlink()
    main("--output_dir", finished, *SIZES, "--stages", "corpus,pretrain,sft,annotate")
    text = (finished / "report.md").read_text()
    assert "Finished so far: corpus, pretrain, sft, annotate." in text
    assert text.count("has not run") == 5


@pytest.mark.parametrize(("flag", "value"), [("--seed", "1"), ("--grpo_steps", "41")])
def test_other_settings_in_the_same_folder(main: Main, finished: Path, flag: str, value: str) -> None:
    kept = (finished / "settings.json").read_bytes()
    with pytest.raises(ConfigError, match=rf"{flag[2:]} \d+ \(now {value}\).*--output_dir.*rm -r"):
        main("--output_dir", finished, *SIZES, flag, value)
    assert (finished / "settings.json").read_bytes() == kept


def test_folder_of_something_else(main: Main, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match="not empty"):
        main("--output_dir", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_output_dir_is_a_file(main: Main, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        main("--output_dir", str(tmp_path / "file"))


def test_output_dir_below_a_file(main: Main, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*--output_dir"):
        main("--output_dir", str(tmp_path / "file" / "run"))


def test_full_disk(main: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file")  # what torch says on a full disk

    monkeypatch.setattr("quickstart.run_stages", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(DataError, match=r"disk of .* is full"):
        main("--output_dir", str(tmp_path / "run"))


def test_other_failures_are_not_dressed_up(main: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("quickstart.run_stages", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main("--output_dir", str(tmp_path / "run"))


def test_result_that_cannot_be_read(main: Main, finished: Path) -> None:
    write_whole(finished / "prm" / "result.json", '{"ste')
    with pytest.raises(DataError, match=r"prm/result.json cannot be read .*start again"):
        main("--output_dir", finished, *SIZES)


def test_killed_while_the_settings_were_written(tmp_path: Path) -> None:
    (tmp_path / "settings.json.part").write_text('{"se')
    Run(tmp_path, Settings())
    assert json.loads((tmp_path / "settings.json").read_text())["seed"] == 0


def test_needed_stages() -> None:
    assert needed("corpus") == []
    assert needed("grpo") == ["corpus", "pretrain", "sft"]
    assert needed("solve") == list(STAGES[:7])
    assert needed("quantize") == [stage for stage in STAGES[:7] if stage != "grpo"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--stages", "pretrain,rl"], f"name stages out of {','.join(STAGES)}"),
        (["--stages", ""], "name stages"),
        (["--grpo_steps", "0"], "--grpo_steps must be at least 1"),
        (["--pages", "20"], "--pages must be at least 100"),
        (["--problems", "100"], "--vote_problems (150) are the first of the held-out --problems (100)"),
        (["--stages", "grpo"], "run --stages corpus,pretrain,sft,grpo"),
        (["--stages", "corpus,pretrain,grpo"], "run --stages corpus,pretrain,sft,grpo"),
        (["--stages", "prm"], "run --stages corpus,pretrain,sft,annotate,prm"),
    ],
)
def test_wrong_arguments(main: Main, tmp_path: Path, argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        main("--output_dir", str(tmp_path / "run"), *argv)
