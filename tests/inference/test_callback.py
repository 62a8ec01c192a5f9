"""The callback in real training runs of tiny models."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from processes import run, run_distributed
from transformers import EarlyStoppingCallback, Trainer, TrainerControl, TrainerState, TrainingArguments
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from trl_dsmath.errors import ConfigError
from trl_dsmath.inference import MathEvaluationCallback, score
from trl_dsmath.rewards import boxed_accuracy_reward
from trl_dsmath.scripts.tiny_model import make_tiny_model

# One answer for all, which two dozen steps of SFT can teach.
TRAIN = [
    {
        "prompt": [{"role": "user", "content": f"Give me {word}."}],
        "completion": [{"role": "assistant", "content": "\\boxed{7}"}],
    }
    for word in ("one", "two", "three", "four")
]
HELD_OUT = [
    {"prompt": [{"role": "user", "content": "Give me five."}], "solution": "7"},
    {"prompt": [{"role": "user", "content": "Give me six."}], "solution": "8"},
]
QUIET: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "disable_tqdm": True,
    "logging_steps": 1,
    "save_strategy": "no",
    "gradient_checkpointing": False,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    make_tiny_model(["Give me one two three four five six. \\boxed{7}"], folder, 128, 300, 32, 2)
    return str(folder)


def _sft(tiny: str, folder: Path, eval_dataset: Any = None, **settings: Any) -> SFTTrainer:
    settings = {"learning_rate": 1e-2, "max_steps": 4, "per_device_train_batch_size": 4, **QUIET, **settings}
    args = SFTConfig(str(folder), **settings)
    return SFTTrainer(tiny, args=args, train_dataset=Dataset.from_list(TRAIN), eval_dataset=eval_dataset)


def _logged(trainer: Any, key: str) -> dict[int, float]:
    return {entry["step"]: entry[key] for entry in trainer.state.log_history if key in entry}


def test_sft_accuracy_rises_and_training_is_not_disturbed(tiny: str, tmp_path: Path) -> None:
    plain = _sft(tiny, tmp_path / "plain", max_steps=24)
    plain.train()
    watched = _sft(tiny, tmp_path / "watched", max_steps=24)
    callback = MathEvaluationCallback(
        watched, HELD_OUT, "held", every=12, num_samples=2, max_new_tokens=12, at_start=True
    )
    watched.add_callback(callback)
    watched.train()

    greedy = _logged(watched, "eval_held/greedy")
    assert greedy == {0: 0.0, 12: greedy[12], 24: 0.5}  # one of the two has the answer that was learned
    assert _logged(watched, "eval_held/cut_off")[24] == 0.0  # by then it ends after the box
    for name in ("avg@2", "maj@2", "pass@2", "strict_greedy", "mean_length", "cut_off"):
        assert set(_logged(watched, f"eval_held/{name}")) == {0, 12, 24}
    losses = [_logged(trainer, "loss") for trainer in (plain, watched)]
    assert losses[0] == losses[1] and len(losses[0]) == 24  # nor was an entry of the trainer's own split
    assert watched.model.training
    pairs = zip(plain.model.parameters(), watched.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)

    lines = [json.loads(line) for line in (tmp_path / "watched/eval_held/step-000024.jsonl").open()]
    assert len(lines) == 2 * (1 + 2)
    first = next(line for line in lines if line["decoding"] == "greedy" and line["problem"] == 0)
    assert (first["question"], first["gold"], first["verdict"]) == ("Give me five.", "7", "correct")
    assert "\\boxed{7}" in first["completion"]


def test_early_stopping_by_patience_counts_on_after_a_resume(tiny: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"learning_rate": 0.0, "max_steps": 9, "save_strategy": "steps", "save_steps": 2}
    trainer = _sft(tiny, tmp_path, **settings)
    trainer.add_callback(MathEvaluationCallback(trainer, HELD_OUT, every=1, max_new_tokens=4, patience=3))
    trainer.train()
    assert trainer.state.global_step == 4  # the first, and three that were no better

    again = _sft(tiny, tmp_path, **settings)
    again.add_callback(MathEvaluationCallback(again, HELD_OUT, every=1, max_new_tokens=4, patience=3))
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert again.state.global_step == 4


def test_transformers_early_stopping_and_best_model_read_the_figures(tiny: str, tmp_path: Path) -> None:
    trainer = _sft(
        tiny,
        tmp_path,
        eval_dataset=Dataset.from_list(TRAIN[:2]),
        learning_rate=0.0,
        max_steps=9,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="steps",
        save_steps=1,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="math/greedy",
        greater_is_better=True,
    )
    trainer.add_callback(MathEvaluationCallback(trainer, HELD_OUT, max_new_tokens=4))
    trainer.add_callback(EarlyStoppingCallback(2))
    trainer.train()
    assert trainer.state.global_step == 3
    assert trainer.state.best_metric == 0.0 and trainer.state.best_global_step == 1
    assert set(_logged(trainer, "eval_math/greedy")) == {1, 2, 3} == set(_logged(trainer, "eval_loss"))


def test_grpo_with_lora(tiny: str, tmp_path: Path) -> None:
    from peft import LoraConfig

    args = GRPOConfig(
        str(tmp_path),
        max_steps=2,
        num_generations=4,
        per_device_train_batch_size=4,
        max_completion_length=8,
        beta=0.0,
        **QUIET,
    )
    rows = Dataset.from_list([{"prompt": row["prompt"], "solution": "7"} for row in TRAIN])
    trainer = GRPOTrainer(
        tiny,
        boxed_accuracy_reward,
        args=args,
        train_dataset=rows,
        peft_config=LoraConfig(r=2, target_modules=["q_proj"]),
    )
    # As data sets have them: the paper's instruction is added.
    questions = [{"question": "How many are 1 + 1?", "answer": "#### 2"}]
    trainer.add_callback(MathEvaluationCallback(trainer, questions, every=2, num_samples=3, max_new_tokens=8))
    trainer.train()
    assert set(_logged(trainer, "eval_math/pass@3")) == {2}
    assert set(_logged(trainer, "reward")) == {1, 2}  # the trainer's own entries are whole
    line = json.loads((tmp_path / "eval_math/step-000002.jsonl").read_text().splitlines()[0])
    assert line["question"].endswith("put your final answer within \\boxed{}.") and line["gold"] == "2"


def test_settings_that_cannot_work(tiny: str, tmp_path: Path) -> None:
    trainer = _sft(tiny, tmp_path)
    for wrong, said in (
        ({}, "When"),
        ({"every": 0}, "every"),
        ({"every": 1, "patience": 0}, "patience"),
        ({"every": 1, "num_samples": -1}, "num_samples must be at least 0"),
        ({"at_start": True}, "at_start"),
        # Before training, not after its first evaluation; a mean length is no accuracy.
        ({"every": 1, "metric": "maj@4"}, "metric must be one of greedy, strict_greedy, not 'maj@4'"),
        ({"every": 1, "metric": "mean_length", "num_samples": 1}, "greedy, strict_greedy, avg@1, not"),
        ({"every": 1, "metric": "maj@2", "num_samples": 4}, "avg@4, maj@4, pass@4, not"),
    ):
        with pytest.raises(ConfigError, match=said):
            MathEvaluationCallback(trainer, HELD_OUT, **wrong)


@pytest.mark.slow
def test_two_processes_share_the_problems_and_find_the_same(tiny: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_processes.py")
    found = {}
    for processes, start, rows in ((1, run, 4), (2, run_distributed, 2)):
        shown = start(script, tiny, tmp_path / str(processes), rows, ACCELERATE_USE_CPU="true")
        line = next(line for line in shown.split("\n") if "FIGURES" in line)
        number, found[processes] = json.loads(line.split("FIGURES", 1)[1])
        assert number == processes
        assert len((tmp_path / str(processes) / "eval_math/step-000012.jsonl").read_text().splitlines()) == 3 * 4
    assert found[1] == pytest.approx(found[2])
    assert found[1]["eval_math/greedy"] == pytest.approx(2 / 3)


def test_metrics_that_can_show_nothing_are_told_once(tiny: str, tmp_path: Path, caplog: Any) -> None:
    trainer = _sft(tiny, tmp_path, learning_rate=0.0, max_steps=2)
    trainer.add_callback(MathEvaluationCallback(trainer, HELD_OUT, every=1, max_new_tokens=1))
    with caplog.at_level("WARNING", "trl_dsmath.inference.callback"):
        trainer.train()
    assert _logged(trainer, "eval_math/cut_off") == {1: 1.0, 2: 1.0}
    (said,) = [record.message for record in caplog.records if record.name == "trl_dsmath.inference.callback"]
    assert said.startswith("eval_math, step 1: all samples were cut off: raise max_new_tokens (")


# --- Without a model: when it evaluates, and what it makes of samples ---


def _alone(folder: Path, **settings: Any) -> MathEvaluationCallback:
    args = SimpleNamespace(eval_strategy="steps", output_dir=str(folder))
    trainer: Any = SimpleNamespace(args=args, is_fsdp_enabled=False, state=SimpleNamespace(global_step=3))
    return MathEvaluationCallback(trainer, HELD_OUT, **settings)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What is logged, by a trainer that resets the flag as transformers' does."""
    found: list[dict] = []

    def log(trainer: Any, metrics: dict) -> None:
        found.append(metrics)
        trainer.control.should_log = False
        trainer.log_history.append(metrics)

    monkeypatch.setattr(Trainer, "log", log)
    return found


def _figures(callback: MathEvaluationCallback, state: TrainerState, control: TrainerControl, *values: float) -> None:
    callback.trainer.control, callback.trainer.log_history = control, state.log_history  # type: ignore[attr-defined]
    figures = [{"eval_math/greedy": value} for value in values]
    callback.evaluate = lambda: figures.pop(0)  # type: ignore[method-assign]


def test_when_it_evaluates(tmp_path: Path, logged: list[dict]) -> None:
    state, control, args = TrainerState(log_history=[]), TrainerControl(should_log=True), TrainingArguments("x")
    at_start = _alone(tmp_path, every=2, at_start=True)
    _figures(at_start, state, control, 0.1, 0.2, 0.3)
    at_start.on_train_begin(args, state, control)
    for state.global_step in (1, 2, 3, 4):
        at_start.on_step_end(args, state, control)
        at_start.on_train_begin(args, state, control)  # a run that is resumed has been evaluated
        at_start.on_evaluate(args, state, control, {})
    assert [one["eval_math/greedy"] for one in logged] == [0.1, 0.2, 0.3] and control.should_log
    own = _alone(tmp_path)
    _figures(own, state, control, 0.4)
    state.global_step = 0
    own.on_train_begin(args, state, control)
    own.on_step_end(args, state, control)
    own.on_evaluate(args, state, control, None)
    metrics = {"eval_loss": 1.0}
    own.on_evaluate(args, state, control, metrics)
    assert metrics == {"eval_loss": 1.0, "eval_math/greedy": 0.4} and len(logged) == 4


def test_patience_counts_from_the_first_best(tmp_path: Path, logged: list[dict]) -> None:
    state, control, args = TrainerState(log_history=[{"loss": 1.0}]), TrainerControl(), TrainingArguments("x")
    callback = _alone(tmp_path, every=1, patience=2)
    _figures(callback, state, control, 0.2, 0.1, 0.3, 0.3, 0.2)
    stopped = []
    for state.global_step in range(1, 6):
        callback.on_step_end(args, state, control)
        stopped.append(control.should_training_stop)
    assert stopped == [False, False, False, False, True]


def _row(key: str, sample: int, completion: str, tokens: int = 1, finished: bool = True) -> dict:
    return {"key": key, "sample": sample, "completion": completion, "tokens": tokens, "finished": finished}


def test_figures_and_the_file_by_hand(tmp_path: Path, caplog: Any) -> None:
    """Golds 7 and 8."""
    callback = _alone(tmp_path / "new" / "folder", every=1, num_samples=2)
    rows = [
        _row("greedy/0", 0, "\\boxed{7}", 10), _row("greedy/1", 0, "It is 8", 20, finished=False),
        _row("sampled/0", 0, "\\boxed{7}", 90), _row("sampled/0", 1, "\\boxed{1}", finished=False),
        _row("sampled/1", 0, "\\boxed{1}"), _row("sampled/1", 1, "\\boxed{1}"),
    ]  # fmt: skip
    scores = score(callback._tasks, rows)
    with caplog.at_level("INFO", "trl_dsmath.inference.callback"):
        assert callback._metrics(scores, rows) == {
            "eval_math/greedy": 1.0, "eval_math/strict_greedy": 0.5, "eval_math/avg@2": 0.25, "eval_math/maj@2": 0.5,
            "eval_math/pass@2": 0.5, "eval_math/mean_length": 15.0, "eval_math/cut_off": 0.5,
        }  # fmt: skip
        callback._save(scores)
    assert [record.message for record in caplog.records] == [
        "Give me five. | gold 7 | correct | \\boxed{7}",
        "Give me six. | gold 8 | correct | It is 8",
    ]
    lines = (tmp_path / "new/folder/eval_math/step-000003.jsonl").read_text().splitlines()
    assert len(lines) == 6 and json.loads(lines[3]) == {
        "problem": 0, "decoding": "sampled", "sample": 1, "question": "Give me five.", "gold": "7", "answer": "1",
        "verdict": "wrong", "completion": "\\boxed{1}",
    }  # fmt: skip
    plain = _alone(tmp_path, every=1)
    assert [task.key for task in plain._tasks] == ["greedy/0", "greedy/1"]  # no samples unless asked for
    silent = [_row(f"greedy/{i}", 0, "I do not know.", 3) for i in (0, 1)]
    for _ in range(2):
        assert plain._metrics(score(plain._tasks, silent), silent)["eval_math/greedy"] == 0.0
    said = [record.message for record in caplog.records[2:]]
    assert said == [f"eval_math, step 3: no sample has an answer: look at them, and ask for one (instruction) ({tmp_path}/eval_math)."]  # fmt: skip
