"""What reaches the loss equals the formulas, recomputed from token ids alone, in every mode of one process."""

from pathlib import Path

import pytest
from step_runs import (
    Recording,
    config,
    digits,
    largest_error,
    outcome_digits,
    prompts,
    save_model,
    step_digits,
    step_digits_later,
    step_digits_or_none,
    step_width,
    width,
)

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("tiny"))


def _digits(text: str, texts: list[str]) -> float:
    return digits(text)


def _width(text: str, texts: list[str]) -> float:
    return width(text)


def _digits_or_none(text: str, texts: list[str]) -> float | None:
    return digits(text) if len(texts) > 1 and any(char.isdigit() for char in text) else None


ONE = {"step_reward_funcs": step_digits}
MODES: dict[str, dict] = {
    "ga2_spg2": {},
    "ga2_spg4": {"steps_per_generation": 4, "max_steps": 4},
    "iterations_2": {"steps_per_generation": 4, "num_iterations": 2, "max_steps": 4},
    "weights": {"process_weight": 0.7, "outcome_weight": 0.3},
    "outcome_only": {"process_weight": 0.0},
    "process_only_with_accuracy": {"outcome_weight": 0.0},
    "process_only": {"reward_funcs": None},
    "process_only_no_spread_none": {"reward_funcs": None, "scale_rewards": "none"},
    "process_only_batch": {"reward_funcs": None, "scale_rewards": "batch"},
    "conversational": {"conversational": True},
    "peft": {"peft": True},
    "several": {
        "step_reward_funcs": [step_digits, step_width],
        "step_reward_weights": [0.5, 2.0],
        "reference": [(0.5, _digits), (2.0, _width)],
    },
    "async": {"step_reward_funcs": [step_width, step_digits_later], "reference": [(1.0, _width), (1.0, _digits)]},
    "none_scores": {"step_reward_funcs": step_digits_or_none, "reference": [(1.0, _digits_or_none)]},
    "blank_line": {"step_separator": "\\n\\n", "blank_line": True},
    "truncated": {"max_completion_length": 6},
    "mask_truncated": {"max_completion_length": 8, "mask_truncated_completions": True},
    "padded": {"pad_to_multiple_of": 16},
    "beta_0_dapo": {"beta": 0.0, "loss_type": "dapo"},
}


@pytest.mark.parametrize("mode", MODES)
def test_advantages_equal_the_reference(mode: str, model: str, tmp_path: Path) -> None:
    settings = dict(MODES[mode])
    reference = settings.pop("reference", [(1.0, _digits)])
    blank_line = settings.pop("blank_line", False)
    conversational = settings.pop("conversational", False)
    extra = {}
    if settings.pop("peft", False):
        from peft import LoraConfig

        extra["peft_config"] = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    functions = {
        "reward_funcs": settings.pop("reward_funcs", outcome_digits),
        "step_reward_funcs": settings.pop("step_reward_funcs", step_digits),
    }
    args = config(tmp_path, **settings)
    trainer = Recording(model, args=args, train_dataset=prompts(64, conversational), **functions, **extra)
    trainer.train()
    met = largest_error(
        trainer.seen,
        args.num_generations,
        reference,
        args.process_weight,
        args.outcome_weight if functions["reward_funcs"] else 0.0,
        args.scale_rewards,
        blank_line,
    )
    print(mode, met)
    assert met["error"] <= TOLERANCE, met
    assert met["largest"] > 0.5
    assert met["groups"] == len(trainer.seen) / 4 and met["rows"] >= 16
    if mode == "truncated":
        assert met["truncated"] > 0 and met["truncated"] < met["rows"]
    if mode == "mask_truncated":
        assert met["truncated"] == met["out_of_loss"] > 0
    if mode == "iterations_2":
        batches = {row["batch"] for row in trainer.seen}
        assert {(kind, iteration) for kind, _, iteration in batches} == {("train", 0), ("train", 1)}


def test_completions_without_a_step(model: str, tmp_path: Path) -> None:
    """Newlines and EOS alone are made likely, so that many completions hold no text."""
    settings = {"suppress_tokens": [0, 2, *range(5, 20)]}
    args = config(tmp_path, generation_kwargs=settings, max_completion_length=5)
    trainer = Recording(
        model, reward_funcs=outcome_digits, step_reward_funcs=step_digits, args=args, train_dataset=prompts(64)
    )
    trainer.train()
    met = largest_error(trainer.seen, 4, [(1.0, _digits)], 1.0, 1.0)
    assert met["error"] <= TOLERANCE and 0 < met["no_step"] < met["rows"], met


def test_evaluation(model: str, tmp_path: Path) -> None:
    args = config(tmp_path, max_steps=1, per_device_eval_batch_size=6, num_generations_eval=3)
    trainer = Recording(
        model,
        reward_funcs=outcome_digits,
        step_reward_funcs=step_digits,
        args=args,
        train_dataset=prompts(8),
        eval_dataset=prompts(4, start=500),
    )
    metrics = trainer.evaluate()
    met = largest_error(trainer.seen, 3, [(1.0, _digits)], 1.0, 1.0)
    assert met["error"] <= TOLERANCE and met["rows"] == 12, met
    assert {"eval_step_reward", "eval_step_rewards/step_digits/mean", "eval_steps/mean_count"} <= set(metrics)
    trainer.train()
