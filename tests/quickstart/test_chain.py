"""The real chain through `main`: short, stopped, killed, without an optional package."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quickstart
import run
from processes import Script
from run import POLICIES, STAGES
from task import Problem

from trl_dsmath.scripts import run_script

pytestmark = pytest.mark.slow
Main = Callable[..., None]
STOPPED_AT = 12  # a GRPO step behind the checkpoint of step 10


def result(folder: Path, stage: str) -> dict[str, Any]:
    return json.loads((folder / stage / "result.json").read_text())


def figures(folder: Path, stage: str) -> list[Any]:
    """All that must not depend on the day: the trainer's log without its times, the answers, the weights."""
    timed = {"spent", "step_time"}
    log = [
        {key: value for key, value in entry.items() if key not in timed and not key.startswith(("train_", "total_"))}
        for entry in result(folder, stage)["log"]
    ]
    weights = (folder / stage / "model" / "model.safetensors").read_bytes()
    return [log, (folder / stage / "held_out.jsonl").read_text(), weights]


def test_short_run_leaves_everything(short: Path) -> None:
    for stage in STAGES:
        kept = result(short, stage)
        assert set(kept["seconds"]) == {"wall", "cpu"}
        assert min(kept["seconds"].values()) > 0
        assert kept["peak_mb"] > 100
        assert not list((short / stage).glob("checkpoint-*"))
    for stage in POLICIES:
        assert result(short, stage)["problems"] == 16
        assert len((short / stage / "held_out.jsonl").read_text().splitlines()) == 16
    for stage in ("grpo", "step_grpo"):
        log = result(short, stage)["log"]
        assert [entry["step"] for entry in log if "greedy_right" in entry] == [10]
        assert [entry["step"] for entry in log if "reward" in entry] == list(range(1, 15))
    corpus = result(short, "corpus")
    assert corpus["pages"] == 100 and corpus["mathematics"] == 24
    assert corpus["right"] >= 20 and corpus["right"] >= 0.9 * corpus["collected"]
    assert 0 < result(short, "annotate")["solutions"] <= 16  # 4 samples of each of 4 problems; cut off early, no label
    votes = [json.loads(line) for line in (short / "solve" / "sft.jsonl").read_text().splitlines()]
    assert [len(row["samples"]) for row in votes] == [16] * 4
    assert all(len(s["steps"]) == len(s["step_scores"]) for row in votes for s in row["samples"])
    quantized = result(short, "quantize")
    assert quantized["32"]["bytes"] > quantized["8"]["bytes"] > quantized["4"]["bytes"]
    assert quantized["paper_gib"]["16"] == pytest.approx(12.87, abs=0.05)  # 6.91 billion weights of two bytes


def test_pretraining_reads_what_the_loop_kept(short: Path) -> None:
    kept = result(short, "corpus")["collected"]
    assert f"of the {kept} pages that the loop kept" in result(short, "pretrain")["data"]


def test_report_of_a_real_run(short: Path) -> None:
    page = (short / "report.html").read_text()
    assert page.count("<svg") >= 3
    for stage in STAGES:
        assert f">{stage}<" in page


def test_stopped_in_the_middle_it_goes_on_and_ends_the_same(
    main: Main,
    short: Path,
    argv: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(short, folder)
    for stage in ("step_grpo", "solve", "quantize"):
        shutil.rmtree(folder / stage)
    on_step_end = quickstart.StageCallback.on_step_end

    def stop(self: quickstart.StageCallback, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.max_steps == 14 and state.global_step == STOPPED_AT:
            raise KeyboardInterrupt
        on_step_end(self, args, state, control, **kwargs)

    until = ["--stages", ",".join(STAGES[:7])]
    with monkeypatch.context() as patch:
        patch.setattr(quickstart.StageCallback, "on_step_end", stop)
        patch.setattr(sys, "argv", ["quickstart.py", "--output_dir", str(folder), *argv, *until])
        with pytest.raises(SystemExit, match="130"):
            run_script(quickstart.main)
    assert "Run the same command again to resume" in capsys.readouterr().err
    assert (folder / "step_grpo" / "checkpoint-10").is_dir()
    # a checkpoint that a kill left half-written
    shutil.copytree(folder / "step_grpo" / "checkpoint-10", folder / "step_grpo" / "checkpoint-11")
    (folder / "step_grpo" / "checkpoint-11" / "trainer_state.json").write_text('{"log_his')

    main("--output_dir", folder, *argv, *until)
    assert capsys.readouterr().out.count("(finished before)") == 6
    assert figures(folder, "step_grpo") == figures(short, "step_grpo")


def test_killed_between_stages(main: Main, script: Path, argv: list[str], short: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    flags = ["--output_dir", str(folder), *argv, "--stages", "corpus,pretrain,sft"]
    process = Script(script, *flags)
    while not (folder / "corpus" / "result.json").exists():
        assert process.poll() is None, process.stderr
        time.sleep(0.05)
    process.kill()
    before = (folder / "corpus" / "result.json").read_bytes()
    assert not (folder / "sft" / "result.json").exists()
    main(*flags)
    assert (folder / "corpus" / "result.json").read_bytes() == before
    assert figures(folder, "sft") == figures(short, "sft")  # another process, another folder, the same figures


def test_labels_and_votes_go_on(main: Main, short: Path, argv: list[str], tmp_path: Path) -> None:
    """What was drawn before a kill is kept, in the stages that have no trainer."""
    folder = tmp_path / "run"
    shutil.copytree(short, folder)
    (folder / "solve" / "result.json").unlink()
    kept = folder / "solve" / "sft.jsonl"
    inode = kept.stat().st_ino
    (folder / "solve" / "grpo.jsonl").unlink()
    main("--output_dir", folder, *argv)
    assert kept.stat().st_ino == inode
    for policy in ("sft", "grpo"):
        assert (folder / "solve" / f"{policy}.jsonl").read_text() == (short / "solve" / f"{policy}.jsonl").read_text()


def test_terminal_is_quiet_and_narrow(short: Path) -> None:
    assert (short.parent / "err").read_text() == ""
    lines = (short.parent / "out").read_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert all(
        line == "" or line.startswith(("DeepSeekMath", "About", "  ", "GRPO took", "Report:")) for line in lines
    )
    assert [line[:5] for line in lines if line.endswith(" s)")] == [f"  {number}/9" for number in range(1, 10)]


def test_without_optional_packages(
    main: Main, argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The loop is left out visibly, on the terminal and in the report, and pretraining says what it reads instead."""
    find_spec = run.find_spec
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "fasttext" else find_spec(name))
    folder = tmp_path / "run"
    main("--output_dir", folder, *argv, "--stages", "corpus,pretrain")
    assert "left out: fasttext is not installed (pip install 'trl-dsmath[corpus]')" in capsys.readouterr().out
    assert not (folder / "corpus" / "result.json").exists()
    assert "taken by their labels: the loop was left out" in result(folder, "pretrain")["data"]
    assert "left out: fasttext is not installed" in (folder / "report.md").read_text()


def test_saved_models_are_asked_as_they_were_trained(short: Path) -> None:
    """`Solver` sends messages; what the model reads must be the prompt of the training, to the token."""
    from transformers import AutoTokenizer

    from trl_dsmath.data import build_prompt
    from trl_dsmath.generation.protocol import encode_prompt

    problem = Problem("Gia", 9, (7, 2, 4))
    tokenizer = AutoTokenizer.from_pretrained(short / "step_grpo" / "model")
    assert encode_prompt(tokenizer, build_prompt(problem.question).prompt) == tokenizer(problem.prompt)["input_ids"]
