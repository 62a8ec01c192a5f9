"""The grader as verl and lighteval call it: by hand here, and through their own classes where they are installed."""

import asyncio
from types import SimpleNamespace

import pytest

from trl_dsmath.errors import ConfigError
from trl_dsmath.grading import Verdict, grade_async
from trl_dsmath.integrations import compute_score, lighteval_metric


def test_verls_score_by_hand() -> None:
    found = compute_score(data_source="any", solution_str=r"\boxed{0.5}", ground_truth=r"\frac12", extra_info={"a": 1})
    assert found == {"score": 1.0, "acc": True, "pred": "0.5", "verdict": "correct"}
    assert compute_score("any", "17 + 5 = 22", "22", reward_router_address="x") == {
        "score": 0.0,
        "acc": False,
        "pred": "",
        "verdict": "no_answer",
    }
    assert compute_score("any", "17 + 5 = 22", "22", answer_filter="flexible")["score"] == 1.0
    unreadable = compute_score("any", r"\boxed{2}", "")
    assert (unreadable["score"], unreadable["verdict"]) == (0.0, "bad_gold")
    with pytest.raises(ConfigError, match="stated, flexible"):
        compute_score("any", "2", "2", answer_filter="loose")  # type: ignore[arg-type]


def test_verl_calls_it_through_its_own_reward_manager() -> None:
    """verl's loader finds it by its `pkg://` path with `reward_kwargs`, and its reward manager takes what it returns."""
    torch = pytest.importorskip("torch")
    reward = pytest.importorskip("verl.trainer.ppo.reward", reason="verl is not installed", exc_type=ImportError)
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

    function = {"path": "pkg://trl_dsmath.integrations", "name": "compute_score", "reward_kwargs": {"answer_filter": "flexible"}}  # fmt: skip

    class Config(dict):
        __getattr__ = dict.__getitem__

    loaded = reward.get_custom_reward_fn(Config(reward=Config(custom_reward_function=function)))
    tokenizer = SimpleNamespace(decode=lambda ids, **options: "".join(map(chr, ids)))
    text = "17 + 5 = 22"
    row = SimpleNamespace(
        batch={
            "responses": torch.tensor(list(map(ord, text))),
            "attention_mask": torch.ones(4 + len(text), dtype=int),
        },
        non_tensor_batch={"data_source": "any", "reward_model": {"ground_truth": "22"}, "extra_info": {}},
    )

    async def run() -> dict:
        manager = NaiveRewardManager.__new__(NaiveRewardManager)
        manager.__dict__ |= {"loop": asyncio.get_running_loop(), "tokenizer": tokenizer, "compute_score": loaded}
        manager.__dict__ |= {"is_async_reward_score": False, "reward_router_address": None}
        return await manager.run_single([row])

    found = asyncio.run(run())
    assert found["reward_score"] == 1.0
    assert (found["reward_extra_info"]["pred"], found["reward_extra_info"]["acc"]) == ("22", True)


def test_lighteval_computes_the_metric() -> None:
    pytest.importorskip("lighteval.metrics.metrics_sample", reason="lighteval is not installed", exc_type=ImportError)
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import Doc

    metric = lighteval_metric()
    doc = Doc(query="1/2?", choices=["ANSWER: It is half. \\boxed{\\frac12}", "3"], gold_index=[0, 1])
    response = ModelResponse(text=["so $\\frac{2}{4}$", "it is 3", "it is 4", "0.5"])
    assert metric.compute_sample(doc=doc, model_response=response) == {"dsmath_accuracy": 0.75}
    assert metric.get_corpus_aggregations()["dsmath_accuracy"]([0.75, 0.25]) == 0.5
    assert metric.compute_sample(doc=doc, model_response=ModelResponse(text=[])) == {"dsmath_accuracy": 0.0}
    assert metric.higher_is_better is True
    strict = lighteval_metric("stated", name="strict")
    assert strict.compute_sample(doc=doc, model_response=response) == {"strict": 0.0}


def test_an_event_loop_goes_on_while_answers_are_judged() -> None:
    async def run() -> tuple[list[Verdict], list[Verdict]]:
        return await asyncio.gather(grade_async(["0.5"], ["1/2"]), grade_async(["2"], ["3"]))

    assert asyncio.run(run()) == [[Verdict.CORRECT], [Verdict.WRONG]]
