"""Each trainer through the real path once: a step changes the weights, files are saved, the model reloads and writes."""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import huggingface_hub
import pandas
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, Trainer
from trl import DatasetMixtureConfig, ModelConfig

from trl_dsmath.cli import main
from trl_dsmath.data.arguments import MathScriptArguments
from trl_dsmath.errors import ConfigError, DataError
from trl_dsmath.scripts.checkpoints import Resume
from trl_dsmath.scripts.training import load_held_out, load_problems, load_splits, load_tokenizer, train_and_save


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _changed(before: Path, after: Path) -> bool:
    old, new = _weights(before), _weights(after)
    assert set(old) == set(new)
    return any(not torch.equal(old[name], new[name]) for name in old)


def _generates(folder: Path) -> bool:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    prompt = [{"role": "user", "content": "Tom has 1 apple."}]
    ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    return (
        model.generate(**ids, max_new_tokens=4, min_new_tokens=4, do_sample=False).shape[1]
        == ids["input_ids"].shape[1] + 4
    )


def test_sft_step(small: list[str], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sft", *small, "--max_length", "128", "--max_steps", "3", "--global_batch_size", "4"]) == 0
    out = tmp_path / "out"
    shown = capsys.readouterr().out
    assert "train: 16 rows used, 1 dropped; no question: 1 (row 0)" in shown
    assert "batch       4 sequences = 4 per process x 1 micro-batches x 1 processes" in shown
    assert "training    3 updates, learning rate 0.01 (constant)" in shown and f"output      {out}\n" in shown
    assert _changed(tiny_model, out)
    losses = [
        entry["loss"]
        for entry in json.loads((out / "trainer_state.json").read_text())["log_history"]
        if "loss" in entry
    ]
    assert losses[-1] < losses[0]
    assert _generates(out)
    card = (out / "README.md").read_text()
    assert "2402.03300" in card
    assert "trl-dsmath" in card

    assert main(["sft", *small, "--max_length", "128", "--max_steps", "3", "--global_batch_size", "4"]) == 0
    assert "is finished; nothing is left to do" in capsys.readouterr().out


def test_sft_loss_is_on_the_solution_only(problems: Path, tiny_model: Path, tmp_path: Path) -> None:
    from trl_dsmath import MathSFTConfig, MathSFTTrainer
    from trl_dsmath.data import convert
    from trl_dsmath.data.files import load

    train = convert(load(str(problems))[0]["train"], "sft").dataset.select([0])
    args = MathSFTConfig(
        str(tmp_path), use_cpu=True, bf16=False, global_batch_size=1, per_device_train_batch_size=1, report_to="none"
    )
    trainer = MathSFTTrainer(str(tiny_model), args=args, train_dataset=train)
    batch = next(iter(trainer.get_train_dataloader()))
    learnt = batch["labels"][0][batch["labels"][0] != -100]
    text = trainer.processing_class.decode(learnt)
    assert text == " He has 1 + 1 = 2 apples.\nTherefore, the answer is \\boxed{2}.<eos>"


def test_grpo_step(small: list[str], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "counting.py").write_text(
        "def length_reward(completions, solution, **columns):\n"
        "    assert all(s.isdigit() for s in solution)\n"
        "    return [float(len(c[0]['content'])) for c in completions]\n"
    )
    flags = [
        "--num_generations",
        "4",
        "--max_completion_length",
        "12",
        "--log_completions",
        "--num_completions_to_print",
        "1",
    ]
    flags += ["--reward_funcs", "boxed_accuracy_reward", "counting.length_reward", "--reward_weights", "1", "0.1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["grpo", *small, *flags]) == 0
    out = tmp_path / "out"
    shown = capsys.readouterr().out
    assert "batch       8 completions = 4 per process x 2 micro-batches x 1 processes" in shown
    assert "rewards     boxed_accuracy_reward, length_reward; 4 completions per question" in shown
    assert _changed(tiny_model, out)
    assert _generates(out)
    table = pandas.read_parquet(out / "completions" / "completions_00001.parquet")
    assert len(table) == 8
    assert {"step", "prompt", "completion", "boxed_accuracy_reward", "length_reward", "advantage"} <= set(
        table.columns
    )
    logged = json.loads((out / "trainer_state.json").read_text())["log_history"][0]
    assert logged["kl"] == pytest.approx(0.0, abs=1e-6)  # the first update: the policy is the reference
    assert "rewards/boxed_accuracy_reward/mean" in logged


def test_grpo_with_a_reward_model(
    small: list[str], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    model.save_pretrained(tmp_path / "judge")
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "judge")
    flags = ["--num_generations", "4", "--max_completion_length", "8"]
    assert main(["grpo", *small, *flags, "--reward_model_name_or_path", str(tmp_path / "judge")]) == 0
    assert "rewards     judge; 4 completions per question" in capsys.readouterr().out


def test_grpo_trainer_brings_config_and_reward(tiny_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    from trl_dsmath import DeepSeekMathGRPOConfig, DeepSeekMathGRPOTrainer
    from trl_dsmath.rewards import boxed_accuracy_reward

    args = DeepSeekMathGRPOConfig(str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    train = Dataset.from_list([{"prompt": "1+1=", "solution": "2"}])
    trainer = DeepSeekMathGRPOTrainer(str(tiny_model), args=args, train_dataset=train)
    assert trainer.reward_funcs == [boxed_accuracy_reward]
    assert trainer.reward_func_names == ["boxed_accuracy_reward"]
    assert trainer.beta == 0.04


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--dataset_name", "./nothing.jsonl"], "no file or folder ./nothing.jsonl"),
        (["--dataset_train_split", "dev"], "no split 'dev'; there are: test, train"),
        (["--gold_column", "gold"], "no column 'gold'"),
        (["--model_name_or_path", "./nothing"], "The model ./nothing cannot be loaded"),
        (["--dataset_streaming"], "leave it out"),
        (["--max_length", "32"], "Every example has 32 tokens or more"),
        (["--max_length", "32", "--packing", "false"], "Every example has 32 tokens or more"),
        (["--resume_from_checkpoint", "true"], "no complete checkpoint"),
        (["--per_device_train_batch_size", "0"], "per_device_train_batch_size must be at least 1, not 0"),
        (["--output_dir", "/proc/none/out"], "output_dir /proc/none/out cannot be written"),
        (["--use_cpu", "false", "--bf16", "true"], "--use_cpu --bf16 false, or start from the recipe for a CPU"),
    ],
)
def test_mistakes_are_one_line(
    flags: list[str], message: str, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sft", *small, *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reward_funcs", "nothing_reward"], "There is no reward function nothing_reward"),
        (["--reward_funcs", "boxed_acuracy_reward"], "Did you mean boxed_accuracy_reward?"),
        (["--reward_funcs", "no_module.reward"], "No module named 'no_module'"),
        (["--reward_funcs", "get_soft_overlong_punishment"], "returns a reward function and is not one"),
        (["--reward_weights", "1", "2"], "2 values for 1 rewards"),
        (["--num_generations", "3"], "or of num_generations (3)"),
    ],
)
def test_mistakes_in_rewards_are_one_line(
    flags: list[str], message: str, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grpo", *small, "--num_generations", "4", *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_tokenizer_without_template_gets_deepseekmaths(
    small: list[str], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trl_dsmath.data import CHAT_TEMPLATE

    bare = tmp_path / "bare"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(bare)
    AutoModelForCausalLM.from_pretrained(tiny_model).save_pretrained(bare)
    assert main(["sft", *small, "--max_length", "128", "--model_name_or_path", str(bare)]) == 0
    assert "the tokenizer has no chat template" in capsys.readouterr().out
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == CHAT_TEMPLATE


def test_a_template_of_its_own_stays_and_plain_prompts_need_none(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    args = SimpleNamespace(trust_remote_code=False)
    for template, plain in (("{{ messages[0].content }}", False), (None, True)):
        tokenizer.chat_template = template
        folder = tmp_path / str(plain)
        tokenizer.save_pretrained(folder)
        loaded = load_tokenizer(ModelConfig(model_name_or_path=str(folder)), args, plain_prompts=plain)
        assert loaded.chat_template == template and not capsys.readouterr().out
    with pytest.raises(ConfigError, match="Which model"):
        load_tokenizer(ModelConfig(), args)


def test_a_mixture_takes_the_place_of_the_data_set(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [
        {"path": "json", "data_files": str(problems / f"{name}.jsonl"), "split": "train"} for name in ("train", "test")
    ]
    mixture, script_args = DatasetMixtureConfig(datasets=parts), MathScriptArguments(evaluate_problems=3)
    train, evaluated = load_problems("sft", script_args, SimpleNamespace(eval_strategy="no"), mixture)
    assert (len(train), evaluated) == (16 + 4, None)
    assert "mixture, train: 20 rows used, 1 dropped" in capsys.readouterr().out
    for wrong, error, said in (
        (DatasetMixtureConfig(), ConfigError, "Which data set"),
        (DatasetMixtureConfig(datasets=parts, streaming=True), ConfigError, "streaming rules out"),
        (DatasetMixtureConfig(datasets=[{"path": "json", "data_files": "none.jsonl"}]), DataError, "under `datasets`"),
    ):
        with pytest.raises(error, match=said):
            load_splits(script_args, wrong)
    script_args.dataset_name = str(problems)
    assert load_held_out(script_args)["solution"] == ["2", "3", "4"]
    script_args.evaluate_problems = 9
    assert len(load_held_out(script_args)) == 4
    train, evaluated = load_problems("grpo", script_args, SimpleNamespace(eval_strategy="steps"))
    assert (len(train), evaluated["solution"]) == (16, ["2", "3", "4", "5"])


def test_what_is_saved_after_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state and the card are there before anything is pushed; a card names no path of this machine."""
    for name, on_hub, pushes in (
        ("openai/gsm8k", "openai/gsm8k", False),
        (str(tmp_path), None, False),
        (None, None, True),
    ):
        trainer = MagicMock(
            args=SimpleNamespace(output_dir=tmp_path / "out", push_to_hub=pushes), hub_model_id="me/out"
        )
        trainer.is_world_process_zero.return_value = False
        trainer.create_model_card = trainer.card
        train_and_save(trainer, Resume("checkpoint-3"), name, evaluation=lambda metrics: "figures")
        shown = capsys.readouterr().out
        assert f"saved       {tmp_path / 'out'} (metrics of every logged step: trainer_state.json)\n" in shown
        assert "evaluation  \nfigures" in shown and ("/me/out\n" in shown) is pushes
        assert trainer.mock_calls[1:] == [
            call.train(resume_from_checkpoint="checkpoint-3"),
            call.evaluate(),
            call.save_model(tmp_path / "out", _internal_call=True),
            call.save_state(),
            call.card(model_name="out", dataset_name=on_hub),
            call.is_world_process_zero(),
            *([call.push_to_hub(dataset_name=None)] if pushes else []),
            call.end(),
        ]


def test_lora_trains_the_adapter_only(small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    flags = ["--max_length", "128", "--use_peft", "--lora_r", "2", "--lora_target_modules", "all-linear"]
    assert main(["sft", *small, *flags]) == 0
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("model "))
    total, trained = (int(word.replace(",", "")) for word in line.split() if word.replace(",", "").isdigit())
    assert trained < total / 5


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_qlora_with_checkpointing_by_flags_on_a_recipe(
    stage: str, small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe for a CPU, its model in 4 bits: the adapter learns, and nothing else is trained."""
    pytest.importorskip("bitsandbytes")
    pytest.importorskip("peft")
    (tmp_path / "lengths.py").write_text(
        "def length_reward(completions, **columns):\n    return [float(len(c[0]['content'])) for c in completions]\n"
    )
    monkeypatch.chdir(tmp_path)
    trainers: list[Trainer] = []
    save = Trainer.save_state
    monkeypatch.setattr(Trainer, "save_state", lambda self: (trainers.append(self), save(self))[1])
    own = {
        "sft": ["--max_length", "128", "--make_tiny_model", "false", "--warmup_steps", "0"],
        "grpo": ["--num_generations", "4", "--max_completion_length", "8", "--reward_funcs", "lengths.length_reward"],
    }
    flags = [*own[stage], *(["--reward_weights", "1"] if stage == "grpo" else [])]
    flags += [
        "--use_peft",
        "--load_in_4bit",
        "--lora_target_modules",
        "all-linear",
        "--gradient_checkpointing",
        "true",
    ]
    assert main([stage, "--config", "cpu", *small, *flags]) == 0
    model = trainers[0].model
    assert model.get_base_model().is_loaded_in_4bit
    assert model.is_gradient_checkpointing
    assert all("lora_" in name for name, parameter in model.named_parameters() if parameter.requires_grad)
    adapter = load_file(tmp_path / "out" / "adapter_model.safetensors")
    second = [weight for name, weight in adapter.items() if "lora_B" in name]  # zero before the first update
    assert second and all(weight.abs().sum() > 0 for weight in second)


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_a_run_killed_while_it_saved_the_model_is_saved_again(stage: str, small: list[str], tmp_path: Path) -> None:
    extra = ["--num_generations", "4", "--max_completion_length", "8"] if stage == "grpo" else []
    argv = [stage, *small, *extra, "--max_steps", "2", "--save_steps", "1"]
    assert main(argv) == 0
    model, state = tmp_path / "out" / "model.safetensors", tmp_path / "out" / "trainer_state.json"
    whole = model.read_bytes()
    model.write_bytes(whole[: len(whole) // 2])
    state.unlink()
    assert main(argv) == 0
    assert model.read_bytes() == whole
    assert state.exists()


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_prompts_are_shown_and_others_do_not_go_on(
    stage: str, small: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--max_length", "128"] if stage == "sft" else ["--num_generations", "4", "--max_completion_length", "4"]
    flags = [stage, *small, *own, "--instruction", "Say it.", "--save_steps", "1", "--learning_rate", "0.5"]
    assert main([*flags, "--system_prompt", "Be brief."]) == 0
    shown = capsys.readouterr().out
    question = "User: Tom has 1 apples and buys 1 more. How many apples does he have?"
    lines = ["prompt      <bos>Be brief.", "", question, "Say it.", "", "Assistant:"]
    assert "\n            ".join(lines) in shown and shown.count("prompt      ") == 1
    assert "times the usual" in shown  # 0.5 is no learning rate
    assert main([*flags, "--max_steps", "2"]) == 2
    assert "made with other settings: system_prompt Be brief. (now template)" in capsys.readouterr().err
    if stage == "grpo":  # 4 tokens hold no answer
        assert "All completions were cut off" in shown


def test_a_misspelt_model_is_not_made(
    problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "models" / "smollm2").mkdir(parents=True)
    flags = ["sft", "--config", "cpu", "--dataset_name", str(problems), "--max_steps", "1", "--output_dir", "out"]
    for name in ("./models/smolm2", "models/smolm2"):
        assert main([*flags, "--model_name_or_path", name]) == 2
        assert "did you mean models/smollm2?" in capsys.readouterr().err
        assert not Path(name).exists()
