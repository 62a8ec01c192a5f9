"""`dsmath plan` on each recipe with the hardware that its header names, and the recipes against the paper."""

import json
from pathlib import Path

import pytest

from trl_dsmath import paper
from trl_dsmath.cli import plan
from trl_dsmath.cli.recipes import recipe_path
from trl_dsmath.errors import ConfigError

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL_PRM = ["--scorer", "Qwen/Qwen2.5-Math-1.5B"]  # "a reward model of at most 1.5B parameters"
# What the headers say: cards, GiB of each.
HARDWARE = {
    "gpu24": (1, 24),
    "paper": (8, 80),
    "annotate/paper": (1, 80),
    "solve/paper": (1, 80),
    "evaluate/paper": (1, 80),
    "pretrain/paper": (64, 80),
    "corpus/one-machine": (1, 32),
    "corpus/paper": (1, 4),
    "grpo/r1_zero": (1, 80),
}
NAMES = sorted(
    f"{file.parent.name}/{file.stem}"
    for file in RECIPES.glob("*/*.yaml")
    if file.stem.split("-")[-1] in {"gpu24", "paper", "machine", "r1_zero"}
)


def _argv(name: str) -> list[str]:
    cards, memory = HARDWARE.get(name) or HARDWARE[name.rsplit("/", 1)[-1].split("-")[-1]]
    small = SMALL_PRM if name in {"grpo/steps-gpu24", "iterate/gpu24"} else []
    return ["--recipe", name, "--gpus", str(cards), "--memory", str(memory), *small]


def test_every_stage_has_both_scales() -> None:
    stages = {"pretrain", "sft", "annotate", "prm", "grpo", "iterate", "solve", "evaluate"}
    assert {f"{stage}/{scale}" for stage in stages for scale in ("gpu24", "paper")} < set(NAMES)
    assert {"corpus/one-machine", "corpus/paper", "grpo/steps-gpu24", "grpo/steps-paper", "grpo/r1_zero"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_fit_on_the_hardware_of_their_header(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cards, memory = HARDWARE.get(name) or HARDWARE[name.rsplit("/", 1)[-1].split("-")[-1]]
    header = " ".join(
        line.lstrip("# ") for line in (RECIPES / f"{name}.yaml").read_text().split("\n") if line[:1] == "#"
    )
    assert f"{memory} GB" in header or f"--mem={memory}G" in header
    if cards > 1:
        assert f"{cards} cards" in header
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
    assert own["weights"] + own["gradients"] + own["optimiser"] == pytest.approx(16 * 6.910365696e9 / 8 / 2**30)
    critic = sum(part["gib"] for part in found["parts"] if part["ppo_only"])
    assert found["ppo"]["peak_gib"] == pytest.approx(found["peak_gib"] + critic)
    assert found["accumulation"] == 16  # 1,024 / (8 a card x 8 cards)
    assert found["allocated_gib"] == pytest.approx(found["peak_gib"] - 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["--recipe", "grpo/paper", "--gpus", "3"],
            r"no multiple of per_device_train_batch_size \(8\) x processes \(3\)",
        ),
        (["--recipe", "grpo/gpu24", "--learnin_rate", "1"], "Did you mean learning_rate"),
        (["--recipe", "grpo/huge"], "recipes of this stage are: cpu"),
        (["--recipe", "huge"], "give STAGE/NAME"),
        (["--recipe", "grpo/cpu"], "--model_config FILE"),
        (["--recipe", "grpo/gpu24", "--num_generations", "24"], "are no whole groups of 24"),
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
    stage, file = plan.stage_and_file(name, None)
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
    assert (loop["dim"], loop["iterations"], loop["domain_share"]) == (
        corpus.vector_dimension,
        corpus.iterations,
        corpus.math_domain_share,
    )
    assert (loop["positive_examples"], loop["negative_examples"]) == (
        corpus.positive_examples,
        corpus.negative_examples,
    )


def test_served_vllm_takes_nothing_of_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main([*_argv("grpo/paper"), "--vllm_mode", "server", "--json"]) == 0
    served = json.loads(capsys.readouterr().out)
    assert all(part["part"] != "vLLM's share" for part in served["parts"])
    assert recipe_path("grpo", "paper").exists()
