"""`dsmath corpus`: recipes, the exit codes, scoring in parts."""

import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("fasttext", reason="fastText is not installed")

from trl_dsmath import paper
from trl_dsmath.cli import corpus
from trl_dsmath.cli.recipes import named_recipe
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.scripts.options import parse_light

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))
import small_crawl

FAST = ["--epochs", "5", "--learning_rate", "0.5", "--bucket", "40000", "--iterations", "1"]


@pytest.mark.parametrize("recipe", ["cpu", "one-machine", "paper"])
def test_recipes_hold_known_keys(recipe: str) -> None:
    argv = named_recipe("corpus", ["--config", recipe, "--pages", "p", "--seed_pages", "s"])
    args = vars(parse_light(corpus.make_parser(), argv))
    settings = LoopSettings(**{field.name: args[field.name] for field in fields(LoopSettings)})
    assert settings.iterations == 4 and settings.dim == 256
    if recipe == "paper":
        assert settings.positive_examples == settings.negative_examples == paper.CORPUS.positive_examples


def test_a_run_scored_elsewhere_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_crawl.write(tmp_path, shards=3)
    argv = ["--pages", str(tmp_path / "pages"), "--seed_pages", str(tmp_path / "seed.jsonl"), *FAST]
    argv += ["--output_dir", str(tmp_path / "run"), "--score_elsewhere"]
    with pytest.raises(DataError, match="no trained round"):
        corpus.main(["score", str(tmp_path / "run"), "--task", "0", "--tasks", "2"])
    assert corpus.main(argv) == 3
    assert "3 of 3 files are to be scored" in capsys.readouterr().out
    for task, files in ((0, 2), (1, 1)):
        assert corpus.main(["score", str(tmp_path / "run"), "--task", str(task), "--tasks", "2"]) == 0
        assert f"{files} files" in capsys.readouterr().out
    assert corpus.main(argv) == 0
    said = capsys.readouterr().out
    assert "not measured" in said  # no labels, no annotation: nothing is claimed
    report = json.loads((tmp_path / "run" / "iteration-1" / "report.json").read_text())
    assert report["pages"] > 0 and report["labelled"] is report["estimated"] is None
    with pytest.raises(ConfigError, match="counts from 0 to 1"):
        corpus.main(["score", str(tmp_path / "run"), "--task", "2", "--tasks", "2"])
