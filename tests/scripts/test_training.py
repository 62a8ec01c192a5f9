"""What a training script says before it trains, and which model and packages it asks for, without training."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from transformers import SchedulerType
from trl import ModelConfig

from trl_dsmath.data.arguments import MathScriptArguments
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.scripts import (
    describe_lengths,
    describe_run,
    make_missing_model,
    set_model_init,
    show_prompt,
    start_or_resume,
    training,
)
from trl_dsmath.scripts.checkpoints import Resume


def _said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_finished_run_is_pushed_by_the_first_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "find_resume", lambda args: Resume(finished=True, remarks=["a word"]))
    monkeypatch.setattr(training, "check_hub", lambda args: None)
    monkeypatch.setattr(training, "push_saved", lambda args: "the hub")
    for pushes, process, last in ((True, 0, "pushed      the hub"), (True, 1, None), (False, 0, None)):
        args = SimpleNamespace(output_dir=tmp_path, push_to_hub=pushes, process_index=process)
        assert start_or_resume(args).finished
        first, second, *rest = _said(capsys)
        assert first == "resume      a word" and second.startswith("finished    The run in ")
        assert rest == ([last] if last else [])


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    training._check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file cannot be written"):
        training._check_writable(tmp_path / "file")


def test_prompts_are_kept_by_the_first_process_and_bind_those_who_go_on(tmp_path: Path) -> None:
    def keep(instruction: str, resume: Resume, process: int = 0) -> None:
        args = SimpleNamespace(output_dir=tmp_path, process_index=process)
        training._keep_prompts(MathScriptArguments(instruction=instruction), args, resume)

    keep("Solve:", Resume(), process=1)
    assert not (tmp_path / "prompts.yaml").exists()
    keep("Solve:", Resume("checkpoint-1"))  # of a version that kept none
    for process in (0, 1):
        with pytest.raises(ConfigError, match="made with other settings: instruction Solve:"):
            keep("Answer:", Resume("checkpoint-1"), process)
    keep("Answer:", Resume())  # afresh
    keep("Answer:", Resume("checkpoint-1"))


@pytest.mark.parametrize(
    ("words", "there", "made"),
    [
        ([], False, True),
        ([], True, False),
        (["--model_name_or_path", "m"], False, False),
        (["--model-name-or-path=m"], False, False),
        (["--model_name_or_path", "m", "--make_tiny_model"], False, True),
        (["model_name_or_path"], False, True),  # no flag
    ],
)
def test_a_model_is_made_where_a_recipe_names_one_that_is_not_there(
    words: list[str],
    there: bool,
    made: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found: list[tuple] = []
    monkeypatch.setattr(training, "make_tiny_model", lambda texts, *rest: found.append((list(texts), *rest)) or "made")
    monkeypatch.setattr(sys, "argv", ["sft.py", *words])
    monkeypatch.chdir(tmp_path)
    if there:
        Path("m").mkdir()
    make_missing_model("m", ["a text"], 64)
    make_missing_model("m", Dataset.from_list([{"prompt": "a", "completion": "b"}]), None)
    make_missing_model(None, ["a text"], 64)
    assert found == ([(["a text"], "m", 64), (["a", "b"], "m", 1024)] if made else [])
    assert _said(capsys) == ["tiny model  made"] * len(found)


def test_settings_of_the_model_and_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(training, "need", lambda package, what, extra: asked.append((package, extra)))
    plain = SimpleNamespace(model_init_kwargs=None, trust_remote_code=True)
    set_model_init(plain, ModelConfig(model_revision="v1", dtype="bfloat16", attn_implementation="sdpa"))
    usual = {"revision": "v1", "trust_remote_code": True, "attn_implementation": "sdpa", "dtype": "bfloat16"}
    assert plain.model_init_kwargs == usual and not asked
    own = SimpleNamespace(model_init_kwargs={"dtype": "float32", "use_cache": False}, trust_remote_code=False)
    set_model_init(own, ModelConfig(dtype="bfloat16", use_peft=True, load_in_4bit=True))
    assert own.model_init_kwargs["dtype"] == "float32" and own.model_init_kwargs["use_cache"] is False
    assert asked == [("peft", "peft"), ("bitsandbytes", "quantization")]
    asked.clear()
    set_model_init(
        SimpleNamespace(model_init_kwargs=None, trust_remote_code=False, use_vllm=True), ModelConfig(load_in_8bit=True)
    )
    assert asked == [("bitsandbytes", "quantization"), ("vllm", "vllm")]


def test_the_first_prompt_is_shown_without_its_solution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "describe_prompt", lambda prompt, tokenizer: [("prompt", repr(prompt))])
    user, assistant = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}
    rows = ({"prompt": "1+1="}, {"prompt": [user]}, {"messages": [user, assistant]}, {"text": "a text"}, {"ids": [1]})
    for row in rows:
        show_prompt([row, {"prompt": "not this one"}], None)
    assert _said(capsys) == [f"prompt      {shown!r}" for shown in ("1+1=", [user], [user], "a text", "")]


def _trainer(model: torch.nn.Module, **settings: object) -> SimpleNamespace:
    usual = {
        "train_batch_size": 4, "gradient_accumulation_steps": 3, "world_size": 2, "max_steps": -1, "num_train_epochs": 1.5,
        "learning_rate": 2e-3, "lr_scheduler_type": SchedulerType.COSINE, "seed": 7, "output_dir": "runs/out",
    }  # fmt: skip
    return SimpleNamespace(model=model, args=SimpleNamespace(**{**usual, **settings}))


def test_what_will_be_trained(capsys: pytest.CaptureFixture[str]) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1000, 1000, bias=False), torch.nn.Linear(1000, 10, bias=False))
    model[1].requires_grad_(False)
    model.config = SimpleNamespace(_name_or_path="a model")
    describe_run(_trainer(model, max_steps=0), "examples", 24)
    assert _said(capsys) == [
        "model       a model: 1,010,000 parameters, 1,000,000 trained",
        "batch       24 examples = 4 per process x 3 micro-batches x 2 processes",
        "training    1.5 epochs, learning rate 0.002 (cosine), seed 7",
        "output      runs/out",
    ]
    describe_run(_trainer(model, max_steps=1000), "examples", 23, stage="grpo")
    lines = _said(capsys)
    told = "warning     an epoch has only 23 examples, and no update sees more: lower "
    assert lines[2] == f"{told}gradient_accumulation_steps" and lines[3].startswith("training    1,000 updates, ")
    assert len(lines) == 5  # 0.002 is usual for SFT and four times what is usual for GRPO
    describe_run(_trainer(model, global_batch_size=24, learning_rate=6e-3), "examples", 23, stage="grpo")
    assert _said(capsys)[2] == f"{told}global_batch_size"
    describe_run(_trainer(model, learning_rate=6e-3), "examples", 24, stage="grpo")
    assert _said(capsys)[3].startswith("warning     learning_rate 0.006 is 12 times the usual ")
    model.peft_config = {}
    describe_run(_trainer(model, learning_rate=6e-3), "examples", 24, stage="grpo")  # usual for an adapter
    assert len(_said(capsys)) == 4


def _lengths(lengths: list[int], **settings: object) -> SimpleNamespace:
    usual = {"packing": False, "packing_strategy": "bfd", "max_length": 1000, "dataset_kwargs": None}
    args = SimpleNamespace(**{**usual, **settings})
    if args.packing:
        return SimpleNamespace(args=args, train_dataset=Dataset.from_dict({"seq_lengths": [lengths[:2], lengths[2:]]}))
    return SimpleNamespace(
        args=args, train_dataset=Dataset.from_dict({"input_ids": [[0] * length for length in lengths]})
    )


def test_truncated_examples_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    told = "warning     {} examples are truncated at 1,000 tokens and lose their end: see max_length"
    packed = "packing     4 examples into 2 sequences of at most 1,000 tokens"
    for trainer, rows, lines in (
        (_lengths([999, 1000, 5]), 3, [told.format(1)]),
        (_lengths([999, 1000, 5]), 5, [told.format(3)]),  # two are left out by TRL: nothing of their solution is left
        (_lengths([999, 5]), 2, []),
        (_lengths([999, 1000, 5, 1000], packing=True), 4, [packed, told.format(2)]),
        (_lengths([999, 1000], packing=True, packing_strategy="wrapped"), 4, [packed]),  # it goes on in the next one
        (_lengths([2000], max_length=None), 1, []),
        (_lengths([2000, 3], dataset_kwargs={"skip_prepare_dataset": True}), 2, []),
    ):
        describe_lengths(trainer, rows)
        assert _said(capsys) == lines
    for trainer in (_lengths([1000, 1000]), _lengths([1000, 1000, 1000], packing=True)):
        with pytest.raises(DataError, match="Every example has 1,000 tokens or more"):
            describe_lengths(trainer, 3)
