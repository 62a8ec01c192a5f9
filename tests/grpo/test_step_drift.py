"""Step reward against verified outcome."""

import json
import random

import pytest

from trl_dsmath.grpo.drift import DriftMonitor


def feed(monitor: DriftMonitor, step: float, outcome: float, rng: random.Random) -> tuple[dict, str | None]:
    """A batch of 64: outcomes 0 or 1, step rewards around a mean."""
    outcomes = [float(rng.random() < outcome) for _ in range(64)]
    return monitor.update([step + rng.gauss(0, 0.1) for _ in outcomes], outcomes)


def test_a_hacked_scorer_is_told_once() -> None:
    monitor, rng = DriftMonitor(40), random.Random(0)
    warnings = []
    for i in range(60):  # the figures of a process reward model that was hacked: .69 -> .88 against .37 -> .13
        metrics, warning = feed(monitor, 0.69 + 0.19 * i / 60, 0.37 - 0.24 * i / 60, rng)
        warnings.append(warning)
    told = [i for i, warning in enumerate(warnings) if warning]
    assert len(told) == 1 and told[0] < 60
    assert "step reward rises while the outcome reward falls" in warnings[told[0]]
    assert "lower process_weight" in warnings[told[0]]
    assert metrics["steps/drift"] > 0.05
    assert metrics["steps/outcome_correlation"] < 0.2


@pytest.mark.parametrize(
    ("step_gain", "outcome_gain"), [(0.2, 0.2), (0.0, 0.0), (0.2, 0.0), (-0.2, -0.2), (0.0, -0.2)]
)
def test_no_warning_where_they_do_not_part(step_gain: float, outcome_gain: float) -> None:
    told = 0
    for seed in range(10):
        monitor, rng = DriftMonitor(40), random.Random(seed)
        for i in range(60):
            _, warning = feed(monitor, 0.5 + step_gain * i / 60, 0.5 + outcome_gain * i / 60, rng)
            told += warning is not None
    assert told <= (step_gain > outcome_gain == 0)  # 1 of 10 where noise alone lets a level outcome seem to fall


def test_worked_by_hand() -> None:
    monitor = DriftMonitor(4)
    metrics, warning = monitor.update([0.0, 1.0, None], [0.0, 1.0, 1.0])
    assert metrics == {"steps/outcome_correlation": pytest.approx(1.0)} and warning is None
    assert monitor.update([0.5, 0.5], [0.0, 1.0])[0]["steps/outcome_correlation"] == pytest.approx(0.5**0.5)
    monitor.update([1.0, 1.0], [0.5, None])
    metrics, warning = monitor.update([1.0, 1.0], [0.5, 0.5])
    # step means .5 .5 | 1 1, outcome means .5 .5 | .5 .5
    assert metrics["steps/drift"] == pytest.approx(0.5)
    assert warning is None


def test_a_warning_takes_three_and_a_half_standard_errors_of_each() -> None:
    """Two halves of two batches, means m -/+ d: the standard error of the halves' difference is sqrt(2) * d."""

    def warned(step_gain: float, outcome_gain: float, spread: float = 0.01) -> bool:
        monitor = DriftMonitor(4)
        for sign, half in ((-1, 0), (1, 0), (-1, 1), (1, 1)):
            step, outcome = 0.5 + half * step_gain + sign * spread, 0.5 + half * outcome_gain + sign * spread
            metrics, warning = monitor.update([step], [outcome])
        assert metrics["steps/drift"] == pytest.approx(step_gain - outcome_gain)
        return warning is not None

    limit = 3.5 * 2**0.5 * 0.01  # .0495
    assert warned(0.050, -0.050)
    assert not warned(0.049, -0.050) and not warned(0.050, -0.049) and not warned(-0.05, -0.05)
    assert 0.049 < limit < 0.050


def test_drift_is_told_from_sixteen_batches_on_and_the_warning_holds_the_means() -> None:
    monitor = DriftMonitor(40)
    for _ in range(16):
        assert "steps/drift" not in monitor.update([None], [1.0])[0]  # nothing to compare: it does not count
    for i in range(16):
        half = i >= 8
        metrics, warning = monitor.update([0.25 + 0.5 * half], [0.75 - 0.5 * half])
        assert ("steps/drift" in metrics) == (i == 15)
    assert metrics == {"steps/drift": 1.0, "steps/outcome_correlation": -1.0}
    assert "0.250 -> 0.750 against 0.750 -> 0.250 over 32 generation batches" in warning
    assert monitor.update([0.75], [0.25])[1] is None  # said once


def test_no_correlation_where_one_side_does_not_vary() -> None:
    monitor = DriftMonitor(4)
    assert monitor.update([1.0], [0.0])[0] == {}  # a single completion
    assert monitor.update([0.0], [0.0])[0] == {}
    assert monitor.update([1.0], [1.0])[0] == {"steps/outcome_correlation": pytest.approx(0.5)}
    large = DriftMonitor(4)
    assert large.update([1e6, 1e6 + 1e-4], [0.0, 1.0])[0] == {}  # equal but for rounding


def test_a_run_that_is_not_resumed_forgets_what_the_state_holds() -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    monitor = DriftMonitor(4)
    kept = {"args": {"window": 4}, "attributes": {"batches": [[1, 0.5, 0.5, 0.25, 0.25, 0.25]], "warned": True}}
    arguments = TrainingArguments("x", use_cpu=True, bf16=False)
    for step, callbacks in ((0, {"DriftMonitor": kept}), (5, {}), (5, None), (5, {"DriftMonitor": [kept]})):
        monitor.on_train_begin(
            arguments, TrainerState(global_step=step, stateful_callbacks=callbacks), TrainerControl()
        )
        assert monitor.state()["attributes"] == {"batches": [], "warned": False}


def test_a_resumed_run_compares_the_same_batches() -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    whole, rng = DriftMonitor(40), random.Random(0)
    for i in range(30):
        feed(whole, 0.69 + 0.006 * i, 0.37 - 0.008 * i, rng)
    kept = json.loads(json.dumps(whole.state()))
    again = DriftMonitor(**kept["args"])
    state = TrainerState(global_step=30, stateful_callbacks={"DriftMonitor": kept})
    again.on_train_begin(TrainingArguments("x", use_cpu=True, bf16=False), state, TrainerControl())
    batch = [0.5, 0.6, 0.9], [0.0, 1.0, 1.0]
    assert again.update(*batch) == whole.update(*batch)
    assert again.state() == whole.state()
    assert kept["attributes"]["warned"] is True  # and is not said again


def test_nothing_to_compare() -> None:
    monitor = DriftMonitor(4)
    for _ in range(6):
        assert monitor.update([None, None], [1.0, None]) == ({}, None)
