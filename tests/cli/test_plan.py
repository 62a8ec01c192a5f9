"""`dsmath plan` on each recipe with the hardware that its header names, and the recipes against the paper."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from trl_dsmath import paper
from trl_dsmath.cli import plan
from trl_dsmath.corpus.classifier import hyperparameters
from trl_dsmath.corpus.settings import LoopSettings
from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts.recipes import recipes_folder

RECIPES = Path(__file__).parents[2] / "recipes"
# What the headers say: GPUs, GiB of each.
HARDWARE = {
    "gpu24": (1, 24),
    "small": (1, 24),  # gpu24-small
    "paper": (8, 80),
    "annotate/paper": (1, 80),
    "solve/paper": (1, 80),
    "evaluate/paper": (1, 80),
    "rft/paper": (1, 80),
    "pretrain/paper": (64, 80),
    "corpus/one-machine": (1, 32),
    "corpus/paper": (1, 4),
    "grpo/r1_zero": (1, 80),
    "solve/4bit": (1, 8),
    "solve/8bit": (1, 16),
    "solve/bf16": (1, 24),
}
# All but those for a CPU, whose models are made on the spot: they run in test_recipes.py.
NAMES = sorted(f"{file.parent.name}/{file.stem}" for file in RECIPES.glob("*/*.yaml") if "cpu" not in file.stem)


def _argv(name: str) -> list[str]:
    gpus, memory = HARDWARE.get(name) or HARDWARE[name.rsplit("/", 1)[-1].split("-")[-1]]
    return ["--recipe", name, "--gpus", str(gpus), "--memory", str(memory)]


def test_every_stage_has_both_scales() -> None:
    stages = {"pretrain", "sft", "annotate", "prm", "grpo", "iterate", "solve", "evaluate"}
    assert {f"{stage}/{scale}" for stage in stages for scale in ("gpu24", "paper")} < set(NAMES)
    assert {"corpus/one-machine", "corpus/paper", "grpo/steps-gpu24", "grpo/steps-paper", "grpo/r1_zero"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_fit_on_the_hardware_of_their_header(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    gpus, memory = HARDWARE.get(name) or HARDWARE[name.rsplit("/", 1)[-1].split("-")[-1]]
    header = " ".join(
        line.lstrip("# ") for line in (RECIPES / f"{name}.yaml").read_text().split("\n") if line[:1] == "#"
    )
    assert f"{memory} GB" in header or f"--mem={memory}G" in header
    if gpus > 1:
        assert f"{gpus} GPUs" in header or f"{gpus} cards" in header
    assert plan.main(_argv(name)) == 0
    assert "fits:" in capsys.readouterr().out


def test_less_memory_than_the_header_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(["--recipe", "grpo/gpu24", "--memory", "12"]) == 1
    shown = capsys.readouterr().out
    assert "DOES NOT FIT: 16.3 of 12 GiB" in shown
    assert "instead: --steps_per_generation 4: 11.1 GiB" in shown
    # and the advice is right
    assert plan.main(["--recipe", "grpo/gpu24", "--memory", "12", "--steps_per_generation", "4"]) == 0


def test_json_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main([*_argv("grpo/paper"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    own = {part["part"]: part["gib"] for part in found["parts"] if not part["ppo_only"]}
    assert sum(own.values()) == pytest.approx(found["peak_gib"])  # vLLM awake: nothing is there while sampling alone
    assert own["weights"] + own["gradients"] + own["optimizer"] == pytest.approx(16 * 6.910365696e9 / 8 / 2**30)
    critic = sum(part["gib"] for part in found["parts"] if part["ppo_only"])
    assert found["ppo"]["peak_gib"] == pytest.approx(found["peak_gib"] + critic)
    assert found["accumulation"] == 16  # 1,024 / (8 per GPU x 8 GPUs)
    assert found["allocated_gib"] == pytest.approx(found["peak_gib"] - 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--recipe", "grpo/paper", "--gpus", "3"],
            r"not a multiple of per_device_train_batch_size \(8\) x processes \(3\)",
        ),
        (["--recipe", "grpo/gpu24", "--learnin_rate", "1"], "Did you mean learning_rate"),
        (
            ["--recipe", "grpo/huge"],
            "--recipe grpo/huge: no such recipe or file.*The recipes of this stage are: grpo/cpu",
        ),
        (["--recipe", "grpo/gpu25"], r"--recipe grpo/gpu25: .*Did you mean grpo/gpu24 or .*\?"),
        (["--recipe", "grop/gpu24"], r"Did you mean grpo/gpu24"),
        (["--recipe", "gpu25", "--stage", "grpo"], r"Did you mean grpo/gpu24"),
        (["--recipe", "huge"], r"Give STAGE/NAME \(pretrain, .*\), or a file with --stage"),
        (["--recipe", "grpo/cpu"], "Set model_config"),
        (
            ["--recipe", "grpo/gpu24", "--num_generations", "24"],
            r"num_generations \(24\)\. Set global_batch_size to 72",
        ),
    ],
)
def test_errors_name_the_fix(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan.main([*argv, "--memory", "80"])


@pytest.mark.parametrize("stage", ["grpo", "solve", "iterate"])
def test_unknown_keys_of_a_file_are_refused(stage: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("model_name_or_path: Qwen/Qwen2.5-0.5B\nmodel_nam: x\n")
    with pytest.raises(ConfigError, match="model_nam"):
        plan.main(["--recipe", str(file), "--stage", stage, "--memory", "80"])


def _settings(name: str) -> dict:
    stage, file = plan.find_recipe(name, None)
    return plan.runs_of(stage, file, [])[0][1]


def test_the_paper_recipes_are_the_papers() -> None:
    """Recipe over defaults, so a default that strays from the paper is found as well."""
    grpo, expected = _settings("grpo/paper"), paper.GRPO_STAGE
    for name in ("grpo/paper", "grpo/steps-paper", "iterate/paper"):
        grpo = _settings(name)
        assert grpo["learning_rate"] == expected.learning_rate
        assert grpo["beta"] == expected.kl_coefficient
        assert grpo["num_generations"] == expected.group_size
        assert grpo["max_completion_length"] == expected.max_completion_length
        assert grpo["global_batch_size"] == expected.batch_size
        assert grpo["num_iterations"] == expected.updates_per_exploration
    sft = _settings("sft/paper")
    assert sft["learning_rate"] == paper.SFT_STAGE.learning_rate
    assert sft["max_length"] == paper.SFT_STAGE.max_length
    assert sft["max_steps"] == paper.SFT_STAGE.max_steps
    assert sft["global_batch_size"] == paper.SFT_STAGE.batch_size
    assert sft["lr_scheduler_type"] == paper.SFT_STAGE.lr_scheduler_type
    assert _settings("prm/paper")["learning_rate"] == paper.REWARD_MODEL.learning_rate
    pretrain = _settings("pretrain/paper")
    for key in ("learning_rate", "adam_beta1", "adam_beta2", "weight_decay", "warmup_steps", "max_length"):
        assert pretrain[key] == getattr(paper.PRETRAIN, key)
    assert pretrain["global_batch_tokens"] == paper.PRETRAIN.batch_tokens
    assert pretrain["train_tokens"] == paper.PRETRAIN.tokens
    for key in ("first_drop_at", "first_drop_factor", "second_drop_at", "second_drop_factor"):
        assert pretrain[key] == getattr(paper.PRETRAIN, key)
    solve, evaluate = _settings("solve/paper"), _settings("evaluate/paper")
    assert (solve["n"], evaluate["num_samples"]) == (paper.EVALUATION.votes, paper.EVALUATION.votes)
    assert {solve["temperature"], evaluate["temperature"]} == {paper.EVALUATION.temperature}
    assert {solve["max_new_tokens"], evaluate["max_new_tokens"]} == {paper.EVALUATION.max_new_tokens}
    assert _settings("annotate/paper")["max_new_tokens"] == paper.GRPO_STAGE.max_completion_length
    corpus, loop = paper.CORPUS, _settings("corpus/paper")
    for key, value in {
        "dim": corpus.vector_dimension,
        "word_ngrams": corpus.max_word_ngram,
        "min_count": corpus.min_word_count,
        "iterations": corpus.iterations,
        "stop_when_collected": corpus.stop_when_already_collected,
        "domain_share": corpus.math_domain_share,
        "positive_examples": corpus.positive_examples,
        "negative_examples": corpus.negative_examples,
    }.items():
        assert loop[key] == value, key
    # Left out of the recipe: with so many pages the loop takes the paper's.
    lines = corpus.positive_examples + corpus.negative_examples
    known = {field.name: loop[field.name] for field in fields(LoopSettings)}
    values = hyperparameters(lines, LoopSettings(**{**known, "pages": "p", "seed_pages": "s"}))
    assert (values.lr, values.epoch) == (corpus.learning_rate, corpus.epochs)


def test_the_mixture_is_the_papers() -> None:
    shares = {source["label"]: source["fraction"] for source in _settings("pretrain/paper")["sources"]}
    assert shares.pop("english") + shares.pop("chinese") == pytest.approx(paper.PRETRAIN.share_natural_language)
    assert shares == {
        name: getattr(paper.PRETRAIN, f"share_{name}") for name in ("math_corpus", "algebraic_stack", "arxiv", "code")
    }


def test_the_loop_is_the_papers() -> None:
    from trl_dsmath.iterate import IterateConfig

    recipe = IterateConfig(**yaml.safe_load((recipes_folder() / "iterate/paper.yaml").read_text()))
    assert recipe.replay_fraction == paper.GRPO_STAGE.replay_fraction
    _, annotate, prm = (
        settings for _, settings in plan.runs_of("iterate", recipes_folder() / "iterate/paper.yaml", [])
    )
    assert annotate["max_new_tokens"] == paper.GRPO_STAGE.max_completion_length
    assert prm["learning_rate"] == paper.REWARD_MODEL.learning_rate


@pytest.mark.parametrize("name", ["grpo/tools-cpu", "grpo/tools-gpu24"])
def test_tools_are_those_of_the_authors_harness(name: str) -> None:
    settings = _settings(name)
    assert (settings["tool_rounds"], settings["tool_output_chars"]) == (
        paper.TOOL_USE.rounds,
        paper.TOOL_USE.output_chars,
    )


@pytest.mark.parametrize("gpus", [1, 2, 4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize(
    ("name", "batch"), [("sft/paper", 256), ("grpo/paper", 1024), ("grpo/steps-paper", 1024), ("pretrain/paper", None)]
)
def test_the_global_batch_is_the_papers_on_any_fitting_number_of_gpus(
    name: str, batch: int | None, gpus: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whether it fits does not matter here.
    plan.main(["--recipe", name, "--gpus", str(gpus), "--memory", "80", "--json"])
    steps, rows = json.loads(capsys.readouterr().out)["accumulation"], _settings(name)["per_device_train_batch_size"]
    if batch is None:
        tokens = steps * rows * gpus * paper.PRETRAIN.max_length
        assert tokens == pytest.approx(paper.PRETRAIN.batch_tokens, rel=0.05)
    else:
        assert steps * rows * gpus == batch


@pytest.mark.parametrize(
    ("name", "gpus", "fix"),
    [
        ("sft/paper", 256, r"Set per_device_train_batch_size to 1, or global_batch_size to 512\."),
        ("sft/paper", 24, r"Set global_batch_size to 240\."),
        ("grpo/paper", 12, r"Set global_batch_size to 960\."),
        ("grpo/paper", 256, r"Set per_device_train_batch_size to 4, or global_batch_size to 2048\."),
        ("grpo/r1_zero", 3, r"Set global_batch_size to 528\."),
        ("pretrain/paper", 2048, "Leave gradient_accumulation_steps out, lower per_device_train_batch_size"),
    ],
)
def test_numbers_of_gpus_that_do_not_fit_are_refused_with_the_fix(name: str, gpus: int, fix: str) -> None:
    with pytest.raises(ConfigError, match=fix):
        plan.main(["--recipe", name, "--gpus", str(gpus), "--memory", "80"])


def test_served_vllm_takes_nothing_of_the_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main([*_argv("grpo/paper"), "--vllm_mode", "server", "--json"]) == 0
    served = json.loads(capsys.readouterr().out)
    assert all(part["part"] != "vLLM's share" for part in served["parts"])
    assert (recipes_folder() / "grpo/paper.yaml").exists()
