"""Recipes, flags, keys that nobody knows, and what goes to `accelerate launch`."""

import runpy
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from trl_dsmath.errors import ConfigError, MissingDependencyError
from trl_dsmath.paper import PRETRAIN
from trl_dsmath.pretrain.arguments import read_sources
from trl_dsmath.scripts import ScriptParser, launch, recipe_script, recipes_folder, script_parser
from trl_dsmath.scripts.recipes import recipe_path

STAGES = ("sft", "grpo")
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*/*.yaml"))


@pytest.mark.parametrize(
    "recipe", [r for r in RECIPES if r.parent.name in STAGES], ids=lambda r: f"{r.parent.name}-{r.stem}"
)
def test_recipes_parse_and_know_every_key(recipe: Path, tmp_path: Path) -> None:
    stage = recipe.parent.name
    flags = ["--config", recipe.stem, "--use_cpu", "--output_dir", str(tmp_path)]
    parsed = _parse(stage, flags)
    config = parsed[1]
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    assert batch == config.global_batch_size
    if recipe.stem == "paper":
        assert batch == {"sft": 256, "grpo": 1024}[stage]
    if stage == "grpo":  # one update per exploration, also where sampling is done in parts
        assert config.gradient_accumulation_steps % (config.steps_per_generation * config.num_iterations) == 0


@pytest.mark.parametrize("recipe", sorted((RECIPES[0].parents[1] / "pretrain").glob("*.yaml")), ids=lambda r: r.stem)
def test_pretraining_recipes(recipe: Path, tmp_path: Path) -> None:
    flags = ["--config", recipe.stem, "--use_cpu", "--output_dir", str(tmp_path)]
    script_args, config, _ = _parse("pretrain", flags)
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.max_length
    assert batch == pytest.approx(config.global_batch_tokens, rel=0.05)
    sources = read_sources(script_args)
    assert sum(source.fraction for source in sources) == pytest.approx(1)
    if recipe.stem == "paper":
        shares = {source.title: source.fraction for source in sources}
        assert config.global_batch_tokens == PRETRAIN.batch_tokens
        assert config.learning_rate == PRETRAIN.learning_rate
        assert shares["math_corpus"] == PRETRAIN.share_math_corpus
        assert shares["algebraic_stack"] == PRETRAIN.share_algebraic_stack
        assert shares["arxiv"] == PRETRAIN.share_arxiv
        assert shares["code"] == PRETRAIN.share_code
        assert shares["english"] + shares["chinese"] == pytest.approx(PRETRAIN.share_natural_language)


def _parse(stage: str, flags: list[str]) -> tuple[Any, ...]:
    script = (
        script_parser(stage) if stage != "grpo" else ScriptParser(_plain_grpo(), recipes=recipes_folder() / "grpo")
    )
    return script.parse_args_and_config(flags)


def _started(stage: str, flags: list[str]) -> object:
    """The exit code with which the process ends that started others."""
    with pytest.raises(SystemExit) as end:
        _parse(stage, flags)
    return end.value.code


def _plain_grpo() -> Any:
    return runpy.run_path(str(recipe_script("grpo")))["ARGUMENTS"]


def test_bare_names_and_paths(tmp_path: Path) -> None:
    assert recipe_path(recipes_folder() / "sft", "cpu").name == "cpu.yaml"
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 1\n")
    assert recipe_path(recipes_folder() / "sft", str(file)) == file
    with pytest.raises(ConfigError, match="cpu, cpu-real, gpu24, gpu24-small, paper"):
        recipe_path(recipes_folder() / "grpo", "cup")


def test_flags_win_over_the_recipe(tmp_path: Path) -> None:
    flags = ["--config=cpu", "--max_steps", "3", "--output_dir", str(tmp_path)]
    script_args, config, model_args, _ = _parse("sft", flags)
    assert (config.max_steps, config.max_length, script_args.make_tiny_model) == (3, 512, True)
    assert model_args.model_name_or_path == "runs/cpu/tiny"


def test_unknown_flags_are_refused_with_close_ones() -> None:
    with pytest.raises(ConfigError, match=r"Unknown flag --learning_rat\. Did you mean learning_rate"):
        _parse("sft", ["--learning_rat", "1"])
    with pytest.raises(ConfigError, match="What does 'cpu' belong to"):
        _parse("sft", ["cpu"])


def test_unknown_keys_are_refused_with_file_and_close_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("use_cpu: true\nnum_generation: 8\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: num_generation\. Did you mean num_generations"):
        _parse("grpo", ["--config", str(file)])


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "just words\n"])
def test_files_that_are_no_settings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        _parse("sft", ["--config", str(file)])


def test_what_trl_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="8 bit and 4 bit"):
        _parse("sft", ["--use_cpu", "--load_in_8bit", "--load_in_4bit", "--output_dir", str(tmp_path)])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(
        subprocess, "call", lambda command, env: commands.append([*command[2:], env["TRL_DSMATH_LAUNCHED"]]) or 7
    )
    return commands


def test_launcher_flags_go_to_accelerate(started: list[list[str]]) -> None:
    flags = ["--seed", "2", "--num_processes", "2", "--accelerate_config", "fsdp2", "--config", "paper"]
    assert _started("sft", flags) == 7
    (command,) = started
    assert command[:4] == ["accelerate.commands.launch", "--num_processes", "2", "--config_file"]
    assert command[4].endswith("fsdp2.yaml")
    assert command[6] == "--config"
    assert command[8:] == ["--seed", "2", "1"]


def test_processes_on_a_cpu_go_to_torchrun(started: list[list[str]]) -> None:
    assert _started("sft", ["--use_cpu", "--num_processes", "2"]) == 7
    expected = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    assert started[0][:4] == expected


def test_launched_processes_start_no_others(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"use_cpu: true\nnum_processes: 2\noutput_dir: {tmp_path}\n")
    assert _started("sft", ["--config", str(file)]) == 7
    monkeypatch.setenv("TRL_DSMATH_LAUNCHED", "1")
    assert isinstance(_parse("sft", ["--config", str(file)]), tuple)
    assert len(started) == 1


def test_unknown_accelerate_config_lists_trls(started: list[list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"fsdp2.*zero3"):
        _parse("sft", ["--accelerate_config", "zero9"])


@pytest.mark.parametrize(("name", "flag"), [("fsdp2", "use_fsdp"), ("zero3", "use_deepspeed")])
def test_trls_configurations_are_read_by_accelerate(name: str, flag: str) -> None:
    """Up to the point at which accelerate would start processes: which launcher it chooses, and for how many."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    file = launch.accelerate_config(name)
    words = ["--config_file", file, "--num_processes", "2", "sft.py", "--config", "paper"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert (args.num_processes, args.training_script) == (2, "sft.py")
    assert args.training_script_args == ["--config", "paper"]
    assert getattr(args, flag) and args.mixed_precision == "bf16"
    if name == "fsdp2":
        assert (int(args.fsdp_version), args.fsdp_state_dict_type) == (2, "FULL_STATE_DICT")
    else:
        assert (int(args.zero_stage), str(args.zero3_save_16bit_model).lower()) == (3, "true")


@pytest.mark.parametrize("flags", [["--accelerate_config", "fsdp2"], ["--accelerate_config=fsdp2"]])
def test_no_sharding_on_a_cpu(flags: list[str], started: list[list[str]]) -> None:
    with pytest.raises(ConfigError, match="num_processes alone"):
        _parse("sft", ["--config", "cpu", *flags])
    assert not started
    assert _started("sft", ["--config", "cpu", "--use_cpu", "false", *flags]) == 7
    assert started[0][1] == "--config_file"


@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="DeepSpeed is installed")
def test_deepspeed_is_asked_for_before_processes_start(started: list[list[str]]) -> None:
    with pytest.raises(MissingDependencyError, match="pip install deepspeed"):
        _parse("sft", ["--config", "paper", "--accelerate_config", "zero3"])
    assert not started


@pytest.mark.parametrize(
    ("stage", "recipe", "processes", "fix"),
    [
        ("sft", "paper", 24, "Set global_batch_size to 240."),
        ("sft", "paper", 256, "Set per_device_train_batch_size to 1, or global_batch_size to 512."),
        ("grpo", "paper", 12, "Set global_batch_size to 960."),
        ("grpo", "r1_zero", 3, "Set global_batch_size to 528."),
        ("pretrain", "paper", 2048, "lower per_device_train_batch_size, or set global_batch_tokens to 16777216."),
    ],
)
def test_a_batch_that_the_processes_cannot_share_is_refused_with_the_fix(
    stage: str, recipe: str, processes: int, fix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before torch sets up the processes, as torchrun and `accelerate launch` announce them."""
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    with pytest.raises(ConfigError) as error:
        _parse(stage, ["--config", recipe, "--use_cpu", "--output_dir", str(tmp_path)])
    assert str(error.value).endswith(fix)


@pytest.mark.parametrize(
    "address",
    [["--vllm_server_host", "gpu7", "--vllm_server_port", "9000"], ["--vllm_server_base_url", "http://gpu7"]],
)
@pytest.mark.parametrize("recipe", ["paper", "r1_zero", "gpu24"])
def test_served_vllm_is_a_matter_of_flags(recipe: str, address: list[str], tmp_path: Path) -> None:
    flags = ["--config", recipe, "--use_cpu", "--output_dir", str(tmp_path), "--use_vllm", "--vllm_mode", "server"]
    _, config, *_ = _parse("grpo", [*flags, *address])  # type: ignore[misc]
    assert (config.use_vllm, config.vllm_mode) == (True, "server")
    assert getattr(config, address[0].removeprefix("--")) == address[1]
    # The server's cards are no processes of the run: the batch stays what it was.
    assert config.per_device_train_batch_size * config.gradient_accumulation_steps == config.global_batch_size


@pytest.mark.parametrize(("stage", "recipe"), [("sft", "gpu24"), ("grpo", "gpu24"), ("grpo", "r1_zero")])
def test_qlora_and_checkpointing_are_flags_of_any_recipe(stage: str, recipe: str, tmp_path: Path) -> None:
    from trl import get_peft_config, get_quantization_config

    flags = ["--config", recipe, "--use_cpu", "--output_dir", str(tmp_path), "--use_peft", "--load_in_4bit"]
    parsed = _parse(stage, [*flags, "--gradient_checkpointing", "true"])
    _, config, model_args, _ = parsed  # type: ignore[misc]
    assert config.gradient_checkpointing
    assert get_quantization_config(model_args).bnb_4bit_quant_type == "nf4"
    assert get_peft_config(model_args).r == (16 if recipe == "r1_zero" else {"sft": 64, "grpo": 32}[stage])
