"""The names that people build on, with their parameters and defaults: a change here is a change for users, and wants the CHANGELOG."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest

import trl_dsmath
from trl_dsmath.errors import MissingDependencyError

SIGNATURES = {
    "rewards.boxed_accuracy_reward": "completions, solution=None, log_extra=None, log_metric=None, **columns",
    "rewards.flexible_accuracy_reward": "completions, solution=None, log_extra=None, log_metric=None, **columns",
    "rewards.boxed_format_reward": "completions, **columns",
    "rewards.language_consistency_reward": "completions, prompts=None, language=None, **columns",
    "rewards.code_execution_reward": "completions, solution=None, programs=None, log_extra=None, log_metric=None, **columns",
    "rewards.step_arithmetic_reward": "completions, steps, **columns",
    "data.build_prompt": "question, mode='cot', examples=(), plain_prompts=False, instruction='paper', system_prompt='template'",
    "grading.grade": "answers, golds, time_limit=5.0",
    "grading.check_golds": "golds",
    "sandbox.run_python": "code, timeout=10.0, memory_mb=512, disk_mb=16, output_kb=1024, unsafe=False",
    "sandbox.run_many": "programs, timeout=10.0, memory_mb=512, workers=None, disk_mb=16, output_kb=1024, unsafe=False",
    "prm.load_step_scorer": "name_or_path, layout=None, device=None, dtype=None, batch_size=16, max_length=None, step_separator=None",
    "shepherd.annotate": "data, sampler, output, mode='hard', num_rollouts=8, num_solutions=15, decoding=None, step_separator='\\n', answer_filter='stated', rollout_batch_size=2, problems_at_once=16, prompts=None, progress=True",
    "inference.Solver": "sampler, settings=None, step_scorer=None, **options",
    "grpo.StepGRPOTrainer": "model, reward_funcs=None, step_reward_funcs=None, args=None, train_dataset=None, eval_dataset=None, processing_class=None, reward_processing_classes=None, callbacks=None, optimizers=(None, None), quantization_config=None, peft_config=None, rollout_func=None, **kwargs",
    "grpo.DeepSeekMathGRPOTrainer": "model, reward_funcs=None, args=None, train_dataset=None, eval_dataset=None, processing_class=None, reward_processing_classes=None, callbacks=None, optimizers=(None, None), quantization_config=None, peft_config=None, tools=None, rollout_func=None, environment_factory=None, **kwargs",
    "prm.PRMTrainer": "model, args=None, train_dataset=None, eval_dataset=None, processing_class=None, compute_metrics=compute_step_metrics, callbacks=None, optimizers=(None, None), peft_config=None",
    "sft.MathSFTTrainer": "model, args=None, data_collator=None, train_dataset=None, eval_dataset=None, processing_class=None, compute_metrics=None, callbacks=None, optimizers=(None, None), quantization_config=None, peft_config=None, formatting_func=None, **kwargs",
    "pretrain.PretrainTrainer": "model, args, train_dataset=None, processing_class=None, eval_dataset=None, data_collator=None, compute_metrics=None, callbacks=None, optimizers=(None, None), quantization_config=None, peft_config=None, formatting_func=None, **kwargs",
    "inference.MathEvaluationCallback": "trainer, problems, name='math', every=None, num_samples=0, temperature=0.7, max_new_tokens=1024, stop=(), batch_size=None, at_start=False, patience=None, metric='greedy'",
}


def parameters(name: str) -> str:
    module, _, attribute = name.rpartition(".")
    found = inspect.signature(getattr(import_module(f"trl_dsmath.{module}"), attribute)).parameters.values()
    names = [f"**{p.name}" if p.kind is p.VAR_KEYWORD else p.name for p in found]
    defaults = ["" if p.default is p.empty else f"={getattr(p.default, '__name__', repr(p.default))}" for p in found]
    return ", ".join(name + default for name, default in zip(names, defaults, strict=True))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    assert parameters(name) == SIGNATURES[name]


def test_defaults_are_those_of_the_docstrings() -> None:
    told, wrong = 0, []
    for module in pkgutil.walk_packages(trl_dsmath.__path__, "trl_dsmath."):
        if module.name.endswith("__main__"):
            continue
        try:
            names = vars(import_module(module.name))
        except MissingDependencyError:  # of an extra that `make test-oldest` leaves out
            continue
        for one in names.values():
            if getattr(one, "__module__", "") != module.name or not (inspect.isclass(one) or inspect.isfunction(one)):
                continue
            for part in (one, *(x for x in vars(one).values() if inspect.isfunction(x))):
                if not (text := inspect.getdoc(part)) or "defaults to `" not in text:
                    continue
                init = part.__init__ if inspect.isclass(part) else part  # __new__ of one is datatrove's
                found = inspect.signature(init).parameters
                for name, value in re.findall(r"(\w+) \([^()]*?, \*optional\*, defaults to `(.*?)`\)", text):
                    told, default = told + 1, found[name].default
                    number = isinstance(default, float)
                    if default != float(value) if number else repr(default).replace("'", '"') != value:
                        wrong.append((part.__qualname__, name, value, default))
    assert told > 200 and not wrong


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
