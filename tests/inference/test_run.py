"""A run that was killed goes on where it was; only what is missing is drawn; samples are judged without a model."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from replay import ReplaySampler

from trl_dsmath.data.journal import Journal
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.generation import Prompt, Sample
from trl_dsmath.inference import EvaluateConfig, load_benchmark, load_plan, load_problems, plan, run, score
from trl_dsmath.inference import draw as draw_module
from trl_dsmath.inference.draw import draw
from trl_dsmath.inference.run import SAMPLE_KEY, SAMPLES, read_samples

KILLED = Path(__file__).with_name("killed.py")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_kill_9_in_the_middle_loses_nothing_and_draws_nothing_twice(benchmarks_dir: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, str(KILLED), str(benchmarks_dir)]
    done = subprocess.run([*command, str(whole), "0"], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 10 + 60
    for stop_at in (9, 33):
        process = subprocess.Popen([*command, str(killed), "0.05"])
        deadline = time.monotonic() + 60
        while len(_lines(killed / "samples.jsonl")) < stop_at and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -9
        assert stop_at <= len(_lines(killed / "samples.jsonl")) < 70
    kept = read_samples(killed)
    before = _lines(killed.with_suffix(".log"))
    done = subprocess.run([*command, str(killed), "0"], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 70 - len(kept)  # nothing that was written is drawn again
    assert len(_lines(killed.with_suffix(".log"))) - len(before) == 70 - len(kept)
    found = [json.loads(line) for line in _lines(killed / "samples.jsonl")]
    assert len({(row["key"], row["sample"]) for row in found}) == len(found) == 70

    def order(row: dict) -> tuple[str, int]:
        return row["key"], row["sample"]

    assert sorted(found, key=order) == sorted(read_samples(whole), key=order)
    assert (killed / "problems.jsonl").read_text() == (whole / "problems.jsonl").read_text()


def _drawn(settings: EvaluateConfig, folder: Path, benchmarks_dir: Path, model: str = "one") -> int:
    tasks = plan(load_benchmark("gsm8k", benchmarks_dir), settings, model)
    return run(tasks, ReplaySampler(lambda prompt, i: "\\boxed{18}"), folder)


def test_only_what_is_missing_is_drawn(benchmarks_dir: Path, tmp_path: Path) -> None:
    settings = {"benchmarks": ("gsm8k",), "limit": 1}
    assert _drawn(EvaluateConfig(**settings, num_samples=2), tmp_path, benchmarks_dir) == 3
    assert _drawn(EvaluateConfig(**settings, num_samples=2), tmp_path, benchmarks_dir) == 0
    assert _drawn(EvaluateConfig(**settings, num_samples=5), tmp_path, benchmarks_dir) == 3  # three more samples
    assert _drawn(EvaluateConfig(("gsm8k",), num_samples=5), tmp_path, benchmarks_dir) == 6  # the other problem
    assert (
        _drawn(EvaluateConfig(("gsm8k",), num_samples=5, temperature=0.5), tmp_path, benchmarks_dir) == 10
    )  # greedy stays
    assert _drawn(EvaluateConfig(("gsm8k",)), tmp_path, benchmarks_dir, model="two") == 2
    assert _drawn(EvaluateConfig(("gsm8k",), plain_prompts=True), tmp_path, benchmarks_dir) == 2


def test_a_hole_in_the_samples_is_filled(benchmarks_dir: Path, tmp_path: Path) -> None:
    settings = EvaluateConfig(("gsm8k",), greedy=False, num_samples=4, limit=1)
    assert _drawn(settings, tmp_path, benchmarks_dir) == 4
    path = tmp_path / "samples.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[3] + lines[2][:20])  # the end of a killed process
    assert _drawn(settings, tmp_path, benchmarks_dir) == 2
    assert sorted(row["sample"] for row in read_samples(tmp_path)) == [0, 1, 2, 3]
    path.write_text("not a sample\n")
    with pytest.raises(DataError, match="line 1"):
        _drawn(settings, tmp_path, benchmarks_dir)


@pytest.mark.parametrize(("at_once", "calls"), [(4, 1), (3, 2), (1, 4)])
def test_samples_at_once(at_once: int, calls: int, benchmarks_dir: Path, tmp_path: Path) -> None:
    tasks = plan(
        load_benchmark("gsm8k", benchmarks_dir), EvaluateConfig(("gsm8k",), greedy=False, num_samples=2), "one"
    )
    sampler = ReplaySampler(lambda prompt, i: str(i))
    assert run(tasks, sampler, tmp_path, samples_at_once=at_once) == 4 and sampler.calls == calls
    drawn = draw(sampler, [task.built for task in tasks], tasks[0].sampling, 2)
    assert [[one.text for one in row] for row in drawn] == [["0", "1"]] * 2


def test_programs_are_run_sixty_four_at_a_time(benchmarks_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (task, _) = plan(load_benchmark("gsm8k", benchmarks_dir), EvaluateConfig(("gsm8k",), mode="pot"), "one")
    together: list[int] = []
    monkeypatch.setattr(
        draw_module, "run_completions", lambda texts: together.append(len(texts)) or [None] * len(texts)
    )
    drawn = draw(ReplaySampler(lambda prompt, i: "print(1)"), [task.built] * 65, task.sampling)
    assert len(drawn) == 65 and together == [64, 1]


def test_a_new_version_goes_on_with_the_samples_of_an_old_one(benchmarks_dir: Path) -> None:
    tasks = plan(load_benchmark("cmath", benchmarks_dir), EvaluateConfig(("cmath",)), "one")
    assert tasks[0].key == "0fdbbcfdfeae0ad2d60efd5193185511"


def test_a_person_can_read_the_files_of_a_run(benchmarks_dir: Path, tmp_path: Path) -> None:
    tasks = plan(load_benchmark("cmath", benchmarks_dir), EvaluateConfig(("cmath",)), "one")
    run(tasks, ReplaySampler(lambda prompt, i: "18"), tmp_path, {"data": Path("test"), "title": "小学"})
    assert "小明有3盒糖" in (tmp_path / "problems.jsonl").read_text()
    assert (tmp_path / "run.json").read_text().startswith('{\n  "data": "test",\n  "title": "小学",\n')


def test_a_terminal_shows_samples_and_tokens_and_nothing_stays(
    benchmarks_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Engine(ReplaySampler):
        def sample(self, prompts: Sequence[Prompt], *args: Any) -> list[list[Sample]]:
            drawn, watch = super().sample(prompts, *args), args[-1]
            watch.on_sample(0, 0, drawn[0][0])
            watch.on_tokens(4)
            watch.on_tokens(3)
            return drawn

    _drawn(EvaluateConfig(("gsm8k",), limit=1), tmp_path, benchmarks_dir)
    assert not capsys.readouterr().err  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    tasks = plan(load_benchmark("gsm8k", benchmarks_dir), EvaluateConfig(("gsm8k",)), "one")
    assert run(tasks, Engine(lambda prompt, i: "18"), tmp_path) == 1
    *_, last, gone, _ = capsys.readouterr().err.split("\r")
    assert last.startswith("evaluate: 100%") and " 2/2 " in last and "7 tokens" in last and not gone.strip()


def test_samples_are_judged_without_a_model(benchmarks_dir: Path, tmp_path: Path) -> None:
    _drawn(EvaluateConfig(("gsm8k",)), tmp_path, benchmarks_dir)
    tasks, record = load_plan(tmp_path)
    assert tasks == plan(load_benchmark("gsm8k", benchmarks_dir), EvaluateConfig(("gsm8k",)), "one")
    assert record["engine"] == "replay:recorded" and record["versions"]["trl-dsmath"]
    assert [f.value for f in score(tasks, read_samples(tmp_path)).metrics] == [0.5, 0.5]
    with pytest.raises(ConfigError, match="holds no evaluation"):
        load_plan(tmp_path / "elsewhere")
    for line in ('{"problem_id": 1}', '{"problem": {"options": []}, "sampling": {"stop": []}, "cards": 1}', "[]"):
        (tmp_path / "problems.jsonl").write_text(line + "\n")  # of something else, or of another release
        with pytest.raises(ConfigError, match="holds no evaluation"):
            load_plan(tmp_path)


def test_problems_without_all_samples_are_left_out_and_told(benchmarks_dir: Path, tmp_path: Path) -> None:
    tasks = plan(load_benchmark("gsm8k", benchmarks_dir), EvaluateConfig(("gsm8k",)), "one")
    run(tasks[:1], ReplaySampler(lambda prompt, i: "\\boxed{18}"), tmp_path)
    scores = score(tasks, read_samples(tmp_path))
    assert scores.missing == {"gsm8k": 1} and not scores.complete
    assert [(f.value, f.problems) for f in scores.metrics] == [(1.0, 1), (1.0, 1)]


def test_two_processes_do_not_write_to_one_folder(tmp_path: Path) -> None:
    journal = Journal(tmp_path / SAMPLES, SAMPLE_KEY)
    with pytest.raises(ConfigError, match="another process"):
        Journal(tmp_path / SAMPLES, SAMPLE_KEY)
    journal.close()
    Journal(tmp_path / SAMPLES, SAMPLE_KEY).close()


def test_settings_that_cannot_work() -> None:
    for wrong, said in (
        ({"benchmarks": ("gsm8k",), "greedy": False}, "Nothing to draw"),
        ({"benchmarks": ("gsm8k",), "num_samples": 2, "temperature": 0.0}, "temperature"),
        ({"benchmarks": ("gsm8k",), "limit": 0}, "limit"),
        ({"benchmarks": ("gsm8k",), "mode": "chat"}, "mode"),
    ):
        with pytest.raises(ConfigError, match=said):
            EvaluateConfig(**wrong)
    with pytest.raises(ConfigError, match="Which benchmarks"):
        load_problems(EvaluateConfig())
    assert EvaluateConfig(["MATH-500", "math500", "GaoKao MathQA"]).benchmarks == ["math500", "gaokao_mathqa"]
    assert EvaluateConfig("gsm8k, math").benchmarks == ["gsm8k", "math"]  # as a YAML file may have it
    assert len(EvaluateConfig(["all"]).benchmarks) == 10
