"""The names that people build on, with their signatures: a change here is a change for users, and wants the CHANGELOG."""

import inspect
from importlib import import_module

import pytest

import trl_dsmath

SIGNATURES = {
    "rewards.boxed_accuracy_reward": "completions, solution, log_extra, log_metric, **columns",
    "rewards.boxed_format_reward": "completions, **columns",
    "rewards.language_consistency_reward": "completions, prompts, language, **columns",
    "rewards.code_execution_reward": "completions, solution, programs, log_extra, log_metric, **columns",
    "grading.grade": "answers, golds, time_limit",
    "grading.check_golds": "golds",
    "sandbox.run_python": "code, timeout, memory_mb, disk_mb, output_kb, unsafe",
    "sandbox.run_many": "programs, timeout, memory_mb, workers, disk_mb, output_kb, unsafe",
    "prm.load_step_scorer": "name_or_path, layout, device, dtype, batch_size, max_length, step_separator",
    "shepherd.annotate": "data, sampler, output, mode, num_rollouts, num_solutions, decoding, wave, problems_at_once, progress",
    "solve.Solver": "sampler, settings, step_scorer, **options",
    "grpo.StepGRPOTrainer": "model, reward_funcs, step_reward_funcs, args, **kwargs",
    "grpo.DeepSeekMathGRPOTrainer": "model, reward_funcs, args, **kwargs",
    "prm.PRMTrainer": "model, args, train_dataset, eval_dataset, processing_class, compute_metrics, callbacks, optimizers, peft_config",
    "pretrain.PretrainTrainer": "model, args, train_dataset, processing_class, **kwargs",
    "evaluation.MathEvaluationCallback": "trainer, problems, name, every, num_samples, temperature, max_new_tokens, stop, batch_size, at_start, patience, metric",
}


def parameters(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    found = inspect.signature(getattr(import_module(f"trl_dsmath.{module}"), attribute)).parameters.values()
    return ", ".join(f"**{p.name}" if p.kind is p.VAR_KEYWORD else p.name for p in found)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    assert parameters(name) == SIGNATURES[name]


def test_top_level_names() -> None:
    assert sorted(trl_dsmath.__all__) == [
        "DeepSeekMathGRPOConfig",
        "DeepSeekMathGRPOTrainer",
        "MathEvaluationCallback",
        "MathSFTConfig",
        "MathSFTTrainer",
        "PRMConfig",
        "PRMTrainer",
        "PretrainConfig",
        "PretrainTrainer",
        "Solver",
        "StepGRPOConfig",
        "StepGRPOTrainer",
        "__version__",
        "load_step_scorer",
    ]
    for name in trl_dsmath.__all__:
        assert getattr(trl_dsmath, name) is not None
