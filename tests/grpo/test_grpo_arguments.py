"""The rewards that arguments name, and the line about what is logged by difficulty."""

from pathlib import Path

import pytest
from datasets import Dataset

from trl_dsmath.errors import ConfigError
from trl_dsmath.grpo.arguments import GRPOScriptArguments, find_reward, load_rewards, load_step_rewards, log_difficulty
from trl_dsmath.rewards import boxed_accuracy_reward


def _arguments(**given: object) -> GRPOScriptArguments:
    return GRPOScriptArguments(dataset_name="x", **given)


async def late(completions: list[str], **columns: object) -> list[float]:
    return []


def test_a_module_of_the_current_folder_goes_before_an_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "installed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_rewards.py").write_text(f"__all__ = ['mine']\n\ndef mine(): return {name!r}\n")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    monkeypatch.chdir(tmp_path / "here")
    assert find_reward("own_rewards.mine")() == "here"
    (step,) = load_step_rewards(_arguments(step_reward_funcs="own_rewards.mine"))
    assert step() == "here"
    with pytest.raises(ConfigError, match=r"own_rewards\.mine_. Did you mean mine\?"):
        find_reward("own_rewards.mine_")
    with pytest.raises(ConfigError, match="Give a dotted path"):  # an outcome reward is no step reward
        load_step_rewards(_arguments(step_reward_funcs="boxed_accuracy_reward"))


def test_what_returns_reward_functions_is_none() -> None:
    with pytest.raises(ConfigError, match=r"my_reward = get_soft_overlong_punishment\(\.\.\.\)"):
        find_reward("get_soft_overlong_punishment")
    with pytest.raises(ConfigError, match=r"There is no reward function get_nothing\. Give a dotted path"):
        find_reward("get_nothing")  # and no other of that kind is proposed


def test_which_rewards_are_loaded() -> None:
    assert load_rewards(_arguments()) == [boxed_accuracy_reward]
    assert load_rewards(_arguments(reward_model_name_or_path="a/model")) == ["a/model"]
    both = _arguments(reward_model_name_or_path="a/model", reward_funcs="boxed_accuracy_reward")
    assert load_rewards(both, [1.0, 0.5]) == ["a/model", boxed_accuracy_reward]
    assert load_rewards(_arguments(reward_funcs="none", step_scorer="a/prm")) == []
    assert load_rewards(_arguments(reward_funcs="none", step_reward_funcs="a.b")) == []
    assert load_rewards(_arguments(reward_funcs="none", reward_model_name_or_path="a/model")) == ["a/model"]
    with pytest.raises(ConfigError, match="leaves no reward"):
        load_rewards(_arguments(reward_funcs="none"))
    assert load_step_rewards(_arguments()) == []


def test_accuracy_by_difficulty_is_logged_by_the_first_function_where_rates_differ() -> None:
    def dataset(*rates: float | None) -> Dataset:
        return Dataset.from_dict({"pass_rate": rates})

    rewards = ["a/model", late, boxed_accuracy_reward, boxed_accuracy_reward]
    found, told = log_difficulty(rewards, dataset(0.1, 0.25, 0.5, None, 1.0, 1.0, 1.0))
    assert found[:2] == rewards[:2] and found[3] is boxed_accuracy_reward
    # Six rates: a third are at most 0.25, another third at most 1.0, so that none is easy.
    assert found[2].edges == (0.25, 1.0) and found[2].reward_func is boxed_accuracy_reward
    assert told == ("accuracy/{hard,medium} is logged, by pass rate: hard up to 0.25 (2), medium up to 1 (4) problems")
    assert log_difficulty([boxed_accuracy_reward], dataset(0.0, 0.5, 1.0))[1].endswith("easy (1) problems")
    for rewards, rows in (
        ([boxed_accuracy_reward], Dataset.from_dict({"prompt": ["?"]})),
        ([boxed_accuracy_reward], dataset(0.5, 0.5, None)),
        (["a/model", late], dataset(0.0, 1.0)),
    ):
        assert log_difficulty(rewards, rows) == (rewards, "")
