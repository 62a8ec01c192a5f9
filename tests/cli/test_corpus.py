"""`dsmath corpus`: recipes, the exit codes, scoring in parts."""

import errno
import json
import runpy
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("fasttext", reason="fastText is not installed")

from trl_dsmath import paper
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.data.journal import lock
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.scripts import recipe_script

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))
import small_crawl

ROOT = Path(__file__).parents[2]
SCRIPT = recipe_script("corpus")


def _corpus(argv: list[str]) -> int:
    """Runs the recipe script in this process; its errors come through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(SCRIPT), *argv])
        return runpy.run_path(str(SCRIPT))["main"]()


FAST = ["--epochs", "5", "--learning_rate", "0.5", "--bucket", "40000", "--iterations", "1"]


@pytest.mark.parametrize("recipe", ["cpu", "one-machine", "paper"])
def test_recipes_hold_known_keys(recipe: str) -> None:
    config = yaml.safe_load((ROOT / "recipes" / "corpus" / f"{recipe}.yaml").read_text())
    del config["output_dir"]
    where = {key: config.pop(key) for key in ("executor", "tasks", "mem_per_cpu_gb") if key in config}
    assert where == ({"executor": "slurm", "tasks": 10_000, "mem_per_cpu_gb": 4} if recipe == "paper" else {})
    settings = LoopSettings(pages="p", seed_pages="s", **config)
    assert settings.iterations == 4 and settings.dim == 256
    if recipe == "paper":
        assert settings.positive_examples == settings.negative_examples == paper.CORPUS.positive_examples


def test_a_run_scored_elsewhere_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_crawl.write(tmp_path, shards=3)
    argv = ["--pages", str(tmp_path / "pages"), "--seed_pages", str(tmp_path / "seed.jsonl"), *FAST]
    argv += ["--output_dir", str(tmp_path / "run"), "--score_elsewhere"]
    with pytest.raises(DataError, match="no trained round"):
        _corpus(["score", str(tmp_path / "run"), "--task", "0", "--tasks", "2"])
    assert _corpus(argv) == 3
    assert "3 of 3 files are to be scored" in capsys.readouterr().out
    for task, files in ((0, 2), (1, 1)):
        assert _corpus(["score", str(tmp_path / "run"), "--task", str(task), "--tasks", "2"]) == 0
        assert f"{files} files" in capsys.readouterr().out
    assert _corpus(argv) == 0
    said = capsys.readouterr().out
    assert "not measured" in said  # no labels, no annotation: nothing is claimed
    report = json.loads((tmp_path / "run" / "iteration-1" / "report.json").read_text())
    assert report["pages"] > 0 and report["labelled"] is report["estimated"] is None
    with pytest.raises(ConfigError, match="counts from 0 to 1, not 2"):
        _corpus(["score", str(tmp_path / "run"), "--task", "2", "--tasks", "2"])


def test_help_names_every_setting_and_a_misspelt_one_gets_a_near_name(capsys: pytest.CaptureFixture[str]) -> None:
    for command, own in (([], "--seed_pages"), (["prepare"], "--benchmarks"), (["score"], "FOLDER --task I")):
        with pytest.raises(SystemExit):
            _corpus([*command, "--help"])
        said = capsys.readouterr().out
        assert own in said and len(said.splitlines()) < 80
    with pytest.raises(ConfigError, match="budget_tokens"):
        _corpus(["--pages", "p", "--seed_pages", "s", "--output_dir", "o", "--budge_tokens", "5"])
    with pytest.raises(ConfigError, match="--partition is for --executor slurm"):
        _corpus(["prepare", "--pages", "p", "--output_dir", "o", "--partition", "cpu"])


def test_a_run_that_finds_nothing_is_an_error_that_says_so(tmp_path: Path) -> None:
    small_crawl.write(tmp_path)
    (tmp_path / "seed.jsonl").write_text(
        "".join(json.dumps({"text": f"квадрат числа {n} равен {n * n} сумма ряда"}) + "\n" for n in range(30))
    )
    argv = ["--pages", str(tmp_path / "pages"), "--seed_pages", str(tmp_path / "seed.jsonl"), *FAST]
    with pytest.raises(ConfigError, match="nothing is collected: no page of the crawl resembles the seed"):
        _corpus([*argv, "--output_dir", str(tmp_path / "run")])


def test_two_runs_in_one_folder_and_a_folder_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    small_crawl.write(tmp_path)
    argv = ["--pages", str(tmp_path / "pages"), "--seed_pages", str(tmp_path / "seed.jsonl"), *FAST]
    with lock(tmp_path / "run" / ".lock"), pytest.raises(ConfigError, match="another process"):
        _corpus([*argv, "--output_dir", str(tmp_path / "run")])
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        _corpus([*argv, "--output_dir", str(tmp_path / "file" / "run")])


def test_a_full_disk_is_one_line_and_the_same_run_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_crawl.write(tmp_path)
    argv = ["--pages", str(tmp_path / "pages"), "--seed_pages", str(tmp_path / "seed.jsonl"), *FAST]
    argv += ["--output_dir", str(tmp_path / "run")]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "run" / "train.txt"))

    with monkeypatch.context() as patch:
        patch.setattr("trl_dsmath.corpus.round.write_lines", full)
        with pytest.raises(ConfigError, match=r"No space left on device.* start the same run again"):
            _corpus(argv)
    assert _corpus(argv) == 0
