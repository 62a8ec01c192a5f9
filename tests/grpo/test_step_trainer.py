"""What is refused, what is logged, and that TRL's own run is untouched."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from step_runs import (
    Recording,
    config,
    outcome_digits,
    prompts,
    save_model,
    step_digits,
    step_digits_later,
    step_width,
    tokenizer,
)
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from trl_dsmath import DeepSeekMathGRPOTrainer, StepGRPOConfig, StepGRPOTrainer
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.grpo.step_rewards import (
    StepRewardFunctions,
    check_scores,
    listing,
    score_columns,
    step_metrics,
    weighted_rewards,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"importance_sampling_level": "sequence"}, 'Set importance_sampling_level="token"'),
        ({"loss_type": "vespo"}, 'Set loss_type="grpo"'),
        ({"off_policy_mask_threshold": 0.5}, "off_policy_mask_threshold drops .* Leave it out"),
        ({"step_separator": ""}, "step_separator is empty"),
        ({"process_weight": -1.0}, "Set process_weight=1.0"),
        ({"process_weight": 0.0, "outcome_weight": 0.0}, "nor both 0"),
        ({"outcome_weight": -0.5}, "must not be negative"),
        ({"drift_window": 3}, "at least 4"),
        ({"drift_window": 1}, "at least 4"),
        ({"drift_window": -1}, "at least 4"),
    ],
)
def test_settings_that_take_meaning_from_steps_are_refused(settings: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, **settings)


def test_ligers_loss_is_refused_where_trl_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GRPOTrainer, "compute_liger_loss", lambda self: None, raising=False)
    with pytest.raises(ConfigError, match="use_liger_kernel=False"):
        config(tmp_path, use_liger_kernel=True)


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    defaults = StepGRPOConfig(str(tmp_path), use_cpu=True)
    assert (defaults.process_weight, defaults.outcome_weight, defaults.step_separator) == (1.0, 1.0, "\n")
    assert (defaults.num_generations, defaults.beta, defaults.loss_type) == (64, 0.04, "grpo")
    assert config(tmp_path, step_separator=r"\n\n").step_separator == "\n\n"  # as a shell passes it
    for settings in ({"process_weight": 0.0, "drift_window": 0}, {"outcome_weight": 0.0, "drift_window": 4}):
        assert settings.items() <= vars(config(tmp_path, **settings)).items()


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ({"step_reward_funcs": None}, {}, "needs step_reward_funcs"),
        ({"step_reward_funcs": []}, {}, "needs step_reward_funcs"),
        ({"step_reward_funcs": "some/prm"}, {}, "load_step_scorer"),
        ({"tools": [print]}, {}, "takes no tools"),
        ({"environment_factory": object}, {}, "takes no tools and no environment"),
        ({}, {"step_reward_weights": [1.0, 2.0]}, "2 weights for 1 step reward functions"),
        ({"reward_funcs": None}, {"process_weight": 0.0}, "there is no outcome reward"),
        (
            {"step_reward_funcs": [step_digits, step_width]},
            {"multi_objective_aggregation": "normalize_then_sum"},
            'Set it to "sum_then_normalize"',
        ),
    ],
)
def test_arguments_are_refused(arguments: dict, settings: dict, message: str, model: str, tmp_path: Path) -> None:
    arguments = {"reward_funcs": outcome_digits, "step_reward_funcs": step_digits, **arguments}
    with pytest.raises(ConfigError, match=message):
        StepGRPOTrainer(model, args=config(tmp_path, **settings), train_dataset=prompts(8), **arguments)


def test_every_argument_reaches_trls_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict] = []

    def trls(self: Any, model: Any, **named: Any) -> None:
        seen.append({"model": model, **named})
        self.processing_class = SimpleNamespace(tokenizer=tokenizer())  # a processor holds the tokenizer

    monkeypatch.setattr(DeepSeekMathGRPOTrainer, "__init__", trls)
    args = config(tmp_path, drift_window=0, multi_objective_aggregation="normalize_then_sum")
    names = (
        "train_dataset",
        "eval_dataset",
        "processing_class",
        "reward_processing_classes",
        "callbacks",
        "optimizers",
    )
    given = {
        name: name for name in (*names, "quantization_config", "peft_config", "rollout_func", "reward_funcs", "new")
    }
    trainer = StepGRPOTrainer("m", step_reward_funcs=step_digits, args=args, **given)
    assert seen == [{"model": "m", "args": args, **given}]
    assert (trainer.process_weight, trainer.outcome_weight, trainer.drift) == (1.0, 1.0, None)
    for nothing in (None, []):
        alone = StepGRPOTrainer("m", nothing, step_digits, args)
        assert seen.pop()["reward_funcs"] == alone.lowest_step_score and alone.outcome_weight == 0.0
    monkeypatch.setattr(
        "trl_dsmath.grpo.step_trainer.StepGRPOConfig.__init__",
        lambda self, folder: vars(self).update(vars(args) | {"output_dir": folder}),
    )
    for model in ("owner/name", SimpleNamespace(config=SimpleNamespace(_name_or_path="owner/name"))):
        StepGRPOTrainer(model, step_reward_funcs=step_digits)
        assert seen.pop()["args"].output_dir == "name-StepGRPO"


def test_trls_own_config_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="args is a GRPOConfig"):
        StepGRPOTrainer(model, step_reward_funcs=step_digits, args=GRPOConfig(str(tmp_path), use_cpu=True, bf16=False))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([[1.0, 2.0]], "'scorer' returned 1 rows, but 2 were expected"),
        ([[1.0, 2.0], [1.0, 2.0]], "'scorer' returned 2 scores in row 1, but 1 were expected"),
        ([[1.0, 2.0], []], "'scorer' returned 0 scores in row 1, but 1 were expected"),
        ([[1.0, 2.0], 3.0], "returned 3.0 in row 1: return one number per step, a list of 1"),
        ([["good", 2.0], [1.0]], "in row 0: return one number per step, a list of 2"),
        ([[1.0, math.inf], [1.0]], "infinite score in row 0"),
        ([[1.0, 2.0], [math.nan]], "'scorer' returned NaN in row 1.*Return None for a step without a score"),
        ([[1.0, 2.0], torch.tensor([math.nan])], "returned NaN in row 1"),
        (None, "returned None: return a list"),
    ],
)
def test_wrong_counts(returned: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_scores("scorer", returned, [["a\n", "b"], ["c"]])


def test_what_a_function_may_return() -> None:
    returned = [torch.tensor([1.0, 2.0]), None, (0, None), []]
    steps = [["a", "b"], ["c"], ["d", "e"], []]
    assert check_scores("scorer", returned, steps) == [[1.0, 2.0], [None], [0.0, None], []]


def test_wrong_counts_stop_the_run(model: str, tmp_path: Path) -> None:
    def one_too_few(steps: list, **columns: object) -> list:
        return [[0.0] * (len(row) - 1) for row in steps]

    trainer = StepGRPOTrainer(model, step_reward_funcs=one_too_few, args=config(tmp_path), train_dataset=prompts(8))
    with pytest.raises(DataError, match="step reward function 'one_too_few' returned"):
        trainer.train()


def test_a_scorer_that_gives_nan_stops_the_run(model: str, tmp_path: Path) -> None:
    def broken(steps: list, **columns: object) -> list:
        return [[math.nan] * len(row) for row in steps]

    trainer = StepGRPOTrainer(model, step_reward_funcs=broken, args=config(tmp_path), train_dataset=prompts(8))
    with pytest.raises(DataError, match="step reward function 'broken' returned NaN"):
        trainer.train()


def test_scorers_of_one_name_have_metrics_of_their_own(model: str, tmp_path: Path) -> None:
    """As two folders `a/prm` and `b/prm`: the second one's metrics do not take the place of the first one's."""

    def scorer(value: float | None) -> Callable:
        def prm(steps: list, log_metric: Callable, **columns: object) -> list:
            log_metric("prm/steps_beyond_max_length", 10 * (value or 0.0))
            return [[value if k == 0 else None for k in range(len(row))] for row in steps]

        return prm

    functions = [scorer(1.0), scorer(3.0), step_digits, scorer(None)]
    args = config(tmp_path, max_steps=1)
    trainer = StepGRPOTrainer(model, step_reward_funcs=functions, args=args, train_dataset=prompts(8))
    assert trainer.step_rewards.names == ["prm", "prm_2", "step_digits", "prm_3"]
    trainer.train()
    logged = trainer.state.log_history[0]
    assert (logged["step_rewards/prm/mean"], logged["step_rewards/prm_2/mean"]) == (1.0, 3.0)
    assert "step_rewards/prm_3/mean" not in logged
    assert [logged[f"{name}/steps_beyond_max_length"] for name in ("prm", "prm_2", "prm_3")] == [10.0, 30.0, 0.0]
    assert (logged["step_rewards/prm_3/frac_missing"], logged["step_rewards/step_digits/frac_missing"]) == (1.0, 0.0)
    # One step of each completion is scored, out of as many as it has.
    with_steps = 1 - logged["steps/frac_no_step"]
    missing = 1 - with_steps / logged["steps/mean_count"]
    assert logged["step_rewards/prm/frac_missing"] == pytest.approx(missing)


class Told(StepGRPOTrainer):
    """Notes the prompts of each generation batch, and what the drift monitor holds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.numbers: list[list[int]] = []
        super().__init__(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list) -> dict:
        self.numbers.append([row["number"] for row in inputs[:: self.num_generations]])
        return super()._generate_and_score_completions(inputs)


def test_a_run_resumed_in_a_later_epoch_is_the_uninterrupted_one(model: str, tmp_path: Path) -> None:
    """6 prompts, 2 an update: 9 updates are 3 epochs, and the run resumes after the 8th."""
    settings = {"max_steps": -1, "num_train_epochs": 3, "save_strategy": "steps", "save_steps": 4, "drift_window": 4}

    def run(checkpoint: str | None) -> Told:
        trainer = Told(
            model,
            reward_funcs=outcome_digits,
            step_reward_funcs=step_digits,
            args=config(tmp_path, **settings),
            train_dataset=prompts(6),
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer

    whole = run(None)
    assert len(whole.numbers) == 9
    epochs = [[n for batch in whole.numbers[start : start + 3] for n in batch] for start in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)  # each prompt once an epoch
    assert len({tuple(epoch) for epoch in epochs}) == 3  # in another order
    for step in (8, 4):
        again = run(str(tmp_path / f"checkpoint-{step}"))
        assert again.numbers == whole.numbers[step:]
        logged = {log["step"]: log for log in again.state.log_history if "loss" in log}
        for log in whole.state.log_history:
            if "loss" in log and log["step"] > step:
                for key in ("loss", "reward", "step_reward", "steps/drift", "steps/outcome_correlation"):
                    assert logged[log["step"]][key] == pytest.approx(log[key], abs=1e-6), key
        for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
            torch.testing.assert_close(a, b)


def test_an_epoch_begins_as_trls(model: str, tmp_path: Path) -> None:
    args = config(tmp_path)
    ours = StepGRPOTrainer(model, step_reward_funcs=step_digits, args=args, train_dataset=prompts(6))
    theirs = GRPOTrainer(model, reward_funcs=outcome_digits, args=args, train_dataset=prompts(6))
    sampler = ours._get_train_sampler()
    assert list(sampler) == list(theirs._get_train_sampler())
    assert len(sampler) == len(theirs._get_train_sampler())
    assert list(sampler) == list(sampler)
    ours.state.epoch = 1.25
    second = list(sampler)
    ours.state.epoch = 1
    assert list(sampler) == second != list(theirs._get_train_sampler())


def test_without_process_weight_the_run_is_trls(model: str, tmp_path: Path) -> None:
    """Same seed, same data: every metric that TRL logs has the same value, and the weights end the same."""
    settings = {"max_steps": 3, "steps_per_generation": 4}
    args = config(tmp_path / "steps", process_weight=0.0, **settings)
    ours = StepGRPOTrainer(
        model, reward_funcs=outcome_digits, step_reward_funcs=step_digits, args=args, train_dataset=prompts(32)
    )
    ours.train()
    theirs = GRPOTrainer(
        model, reward_funcs=outcome_digits, args=config(tmp_path / "trl", **settings), train_dataset=prompts(32)
    )
    theirs.train()
    clocks = {"step_time", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
    for a, b in zip(ours.state.log_history, theirs.state.log_history, strict=True):
        assert {key: a[key] for key in b if key not in clocks} == {key: b[key] for key in b if key not in clocks}
    added = set(ours.state.log_history[0]) - set(theirs.state.log_history[0])
    assert added == {
        "step_reward",
        "step_rewards/step_digits/mean",
        "step_rewards/step_digits/frac_missing",
        "steps/mean_count",
        "steps/frac_no_step",
        "steps/frac_zero_std",
        "steps/outcome_correlation",
    }
    for a, b in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_process_run_logs_the_lowest_step_score(model: str, tmp_path: Path) -> None:
    seen: list[float] = []

    def scorer(steps: list, **columns: object) -> list:
        rows = step_digits(steps, **columns)
        seen.extend(min(row) for row in rows if row)
        return rows

    args = config(tmp_path, log_completions=True, max_steps=1)
    trainer = Recording(model, step_reward_funcs=scorer, args=args, train_dataset=prompts(8))
    trainer.train()
    logged = trainer.state.log_history[0]
    assert trainer.outcome_weight == 0.0
    assert logged["rewards/lowest_step_score/mean"] == pytest.approx(sum(seen) / len(seen))
    assert "steps/outcome_correlation" not in logged and "steps/drift" not in logged
    table = pd.read_parquet(next((tmp_path / "completions").iterdir()))
    assert sorted(min(row) for row in table["step_rewards"] if len(row)) == pytest.approx(sorted(seen), abs=1e-4)
    for text, steps, scores in zip(table["completion"], table["steps"], table["step_rewards"], strict=True):
        assert "".join(steps) == (text if text.strip() else "")
        assert len(steps) == len(scores)


def test_the_table_of_several_scorers_and_tensorboard(model: str, tmp_path: Path) -> None:
    """A step's weighted sum, what each function gave, and in TensorBoard the completions that TRL would print."""

    class Board(TrainerCallback):
        tb_writer = SimpleNamespace(texts=[])
        tb_writer.add_text = lambda name, text, step: Board.tb_writer.texts.append((name, text, step))

    args = config(
        tmp_path, log_completions=True, max_steps=1, step_reward_weights=[2.0, 0.5], num_completions_to_print=3
    )
    trainer = StepGRPOTrainer(
        model, step_reward_funcs=[step_digits, step_width], args=args, train_dataset=prompts(8), callbacks=[Board()]
    )
    trainer.train()
    table = pd.read_parquet(next((tmp_path / "completions").iterdir()))
    for row in table.to_dict("records"):
        parts = zip(row["step_rewards/step_digits"], row["step_rewards/step_width"], strict=True)
        assert list(row["step_rewards"]) == pytest.approx([2 * a + b / 2 for a, b in parts], abs=2e-4)
    name, text, step = Board.tb_writer.texts[0]
    assert (name, step) == ("completions/steps", 1)
    first = [listing(row["step_rewards"], row["steps"]) for row in table[:3].to_dict("records")]
    assert text == "\n\n".join(f"```\n{one}\n```" for one in first)


def test_the_lowest_score_is_that_of_this_process_s_completions(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = StepGRPOTrainer(model, step_reward_funcs=step_digits, args=config(tmp_path), train_dataset=prompts(8))
    trainer._step_totals = [[1.0, 0.5], [None], [0.75, None, 0.25], []]
    trainer._step_ends = [[], []]  # two of the four are this process's
    assert trainer.lowest_step_score([]) == [0.5, None]
    monkeypatch.setattr(type(trainer.accelerator), "process_index", 1)
    assert trainer.lowest_step_score([]) == [0.25, None]


def test_evaluation_is_not_compared_with_training(model: str, tmp_path: Path) -> None:
    args = config(tmp_path, per_device_eval_batch_size=4, drift_window=4)
    trainer = StepGRPOTrainer(
        model,
        reward_funcs=outcome_digits,
        step_reward_funcs=step_digits,
        args=args,
        train_dataset=prompts(8),
        eval_dataset=prompts(2, start=500),
    )
    assert "eval_steps/outcome_correlation" not in trainer.evaluate()
    assert trainer.drift.state() == {"args": {"window": 4}, "attributes": {"batches": [], "warned": False}}
    without = StepGRPOTrainer(
        model,
        reward_funcs=outcome_digits,
        step_reward_funcs=step_digits,
        args=config(tmp_path, drift_window=0),
        train_dataset=prompts(8),
    )
    assert without.drift is None


def test_a_roll_out_with_an_environment_s_text_must_mark_it(model: str, tmp_path: Path) -> None:
    def rollout(prompts: list, trainer: Any) -> dict:
        ids = [trainer.processing_class(prompt)["input_ids"] for prompt in prompts]
        return {
            "prompt_ids": ids,
            "completion_ids": ids,
            "logprobs": None,
            "env_mask": [[1] * len(row) for row in ids],
        }

    args = config(tmp_path, max_steps=1)
    trainer = StepGRPOTrainer(
        model, step_reward_funcs=step_width, args=args, train_dataset=prompts(8), rollout_func=rollout
    )
    with pytest.raises(ConfigError, match=r"returned env_mask.*Return the same mask as 'own_tokens'"):
        trainer.train()


def test_listing_and_metrics_by_hand() -> None:
    assert listing([0.25, None], ["a \n b", "c\n"]) == "0.250 | a b\nnone | c"
    scores = [[[1.0, None], [3.0], [], [2.0, 2.0]], [[None, None], [None], [], [None, None]]]
    totals = [[1.0, None], [3.0], [], [2.0, 2.0]]
    assert step_metrics(["a", "b"], scores, totals, num_generations=2) == {
        "steps/mean_count": 5 / 4,
        "steps/frac_no_step": 1 / 4,
        "steps/frac_zero_std": 1 / 2,  # the second group: 2, 2
        "step_reward": 2.0,
        "step_rewards/a/mean": 2.0,
        "step_rewards/a/frac_missing": 1 / 5,
        "step_rewards/b/frac_missing": 1.0,
    }
    rewards = torch.tensor([[1.0, math.nan], [math.nan, math.nan], [0.5, 2.0]])
    assert weighted_rewards(rewards, torch.tensor([2.0, 0.5])) == [2.0, None, 2.0]


def test_functions_are_timed_under_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[str] = []

    @contextmanager
    def note(trainer: object, name: str) -> Iterator[None]:
        timed.append(name)
        yield

    monkeypatch.setattr("trl_dsmath.grpo.step_rewards.profiling_context", note)
    functions = StepRewardFunctions([step_digits_later, step_width, step_digits_later])
    assert functions(None, [["12", "4"]], print) == [[[0.3, 0.4]], [[2.0, 1.0]], [[0.3, 0.4]]]  # type: ignore[arg-type]
    assert timed == ["step_width", "asynchronous step rewards"]


GAPS = [[0.25, None], [], [None], [0.123456]]


def test_columns_of_scores_by_hand() -> None:
    whole = [[1.0], [2.0, 3.0]]
    assert score_columns(["a"], GAPS, [GAPS], for_wandb=False) == {
        "step_rewards": [[0.25, None], [], [None], [0.1235]]
    }
    assert score_columns(["a", "b"], whole, [whole, GAPS[:2]], for_wandb=True) == {
        "step_rewards": whole,
        "step_rewards/a": whole,
        "step_rewards/b": ["[0.25, null]", "[]"],
    }


def test_wandb_takes_the_columns() -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    for rows in (GAPS, GAPS[::-1], [[0.5], [], [0.25, 1.0]], [[], [0.5]]):
        columns = score_columns(["a"], rows, [rows], for_wandb=True)
        wandb.Table(dataframe=pd.DataFrame({"steps": [["x"] * len(row) for row in rows], **columns}))


def test_drift_is_asked_and_told(model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = []

    class Monitor:
        def update(self, step_means: list, outcomes: list) -> tuple[dict, str]:
            asked.append((step_means, outcomes))
            return {"steps/drift": 0.25}, "they part"

    def sometimes(completions: list, **columns: object) -> list:
        return [None, 1.0] * (len(completions) // 2)

    args = config(tmp_path, max_steps=1, reward_weights=[2.0])
    trainer = StepGRPOTrainer(
        model, reward_funcs=sometimes, step_reward_funcs=step_digits, args=args, train_dataset=prompts(8)
    )
    trainer.drift = Monitor()
    trainer.train()
    assert trainer.state.log_history[0]["steps/drift"] == 0.25
    assert "they part" in caplog.text
    ((means, outcomes),) = asked
    assert outcomes == [None, 2.0] * 4 and len(means) == 8


def test_model_card(model: str, tmp_path: Path) -> None:
    trainer = StepGRPOTrainer(model, step_reward_funcs=step_digits, args=config(tmp_path), train_dataset=prompts(8))
    trainer.create_model_card("tiny")
    card = (tmp_path / "README.md").read_text()
    assert all(f"- {tag}\n" in card for tag in ("trl", "trl-dsmath", "step-grpo"))
    assert "trained with Step GRPO" in card and "2402.03300" in card and "shao2024deepseekmath" in card
    assert {"trl", "trl-dsmath", "step-grpo"} <= set(trainer.model.model_tags)


def test_config_is_saved_with_the_run(tmp_path: Path) -> None:
    written = json.loads(config(tmp_path, process_weight=0.5).to_json_string())
    assert (written["process_weight"], written["step_separator"]) == (0.5, "\n")
