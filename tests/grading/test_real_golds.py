"""The golds of public sets against copies of themselves, right and spoilt; the rows come from benchmarks/."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from trl_dsmath.rewards import boxed_accuracy_reward

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 60
SETS = [
    "gsm8k-train",
    "gsm8k-test",
    "math",
    "math-bare",
    "math500",
    "ocw",
    "cmath",
    "mgsm-zh",
    "gaokao-cloze",
    "gaokao-qa",
    "sat",
    "mmlu-stem",
]


def load_benchmark():
    """benchmarks/ is no package, so its module is loaded by path."""
    spec = importlib.util.spec_from_file_location("grading_accuracy", ROOT / "benchmarks" / "grading_accuracy.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


accuracy = load_benchmark()


@pytest.fixture(scope="module")
def golds():
    if not accuracy.DEFAULT_DATA.is_dir():
        pytest.skip(f"the public sets are absent: {accuracy.DEFAULT_DATA.resolve()}")
    return accuracy.load_golds(accuracy.DEFAULT_DATA)


def check(name, golds):
    """Verbatim copies >= 99.9 % accepted, one digit (or the letter) changed >= 99.8 % rejected, no silent mis-read."""
    rows = accuracy.make_rows(name, golds, kinds=("verbatim", "digit", "misread"))
    verdicts = accuracy.judge(boxed_accuracy_reward, rows)
    allowed = {"verbatim": 0.001, "digit": 0.002, "misread": 0.0}
    for kind, share in allowed.items():
        of_kind = [(row, verdict) for row, verdict in zip(rows, verdicts, strict=True) if row.kind == kind]
        wrong = [(row, verdict) for row, verdict in of_kind if accuracy.wrong(row, verdict)]
        shown = "\n".join(f"  {v} for gold {r.gold[-80:]!r}: {r.completion!r}" for r, v in wrong[:20])
        assert len(wrong) <= share * len(of_kind), f"{name}, {kind}: {len(wrong)} of {len(of_kind)}\n{shown}"


@pytest.mark.parametrize("name", SETS)
def test_sample(name, golds):
    if name not in golds:
        pytest.skip(f"{name} is absent")
    chosen = golds[name]
    check(name, random.Random(0).sample(chosen, min(SAMPLE, len(chosen))))


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_everything(name, golds):
    if name not in golds:
        pytest.skip(f"{name} is absent")
    check(name, golds[name])
