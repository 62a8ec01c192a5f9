"""What depends on versions of TRL and transformers, by hand: `make test-oldest` runs it on the oldest pair."""

import asyncio
import contextlib
import logging
import os
import threading
from types import SimpleNamespace

import pytest
from transformers.integrations import deepspeed
from trl import GRPOTrainer
from trl.trainer.utils import RepeatSampler

from trl_dsmath import _upstream as upstream

FSDP = "FSDP_CPU_RAM_EFFICIENT_LOADING"


@pytest.mark.parametrize(
    ("steps", "settled"),
    [(0.03, (0.03, 0)), (7, (0.1, 7)), (7.0, (0.1, 7)), (1, (0.1, 1)), (0, (0.1, 0))],
)
def test_warm_up_of_transformers_4(steps: float, settled: tuple[float, int]) -> None:
    args = SimpleNamespace(warmup_ratio=0.1, warmup_steps=steps)
    upstream.settle_warmup(args)
    assert (args.warmup_ratio, args.warmup_steps) == settled
    assert isinstance(args.warmup_steps, int)


def test_warm_up_of_transformers_5_is_left_alone() -> None:
    args = SimpleNamespace(warmup_steps=0.03)
    upstream.settle_warmup(args)
    assert vars(args) == {"warmup_steps": 0.03}


def test_arguments_that_are_none_are_left_out() -> None:
    assert upstream.given(a=None, b=0, c="c") == {"b": 0, "c": "c"}


def test_whether_liger_computes_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, kernel = (
        SimpleNamespace(use_liger_loss=True, use_liger_kernel=False),
        SimpleNamespace(use_liger_kernel=False),
        SimpleNamespace(use_liger_kernel=True),
    )
    monkeypatch.delattr(GRPOTrainer, "compute_liger_loss", raising=False)
    assert not any(upstream.liger_loss(args) for args in (old, new, kernel))
    monkeypatch.setattr(GRPOTrainer, "compute_liger_loss", None, raising=False)
    assert [upstream.liger_loss(args) for args in (old, new, kernel)] == [True, False, True]


@pytest.mark.parametrize("lazy", [None, "true"])
def test_a_model_is_loaded_whole_under_zero3_and_fsdp(lazy: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepspeed, "_hf_deepspeed_config_weak_ref", config := object())
    monkeypatch.setenv(FSDP, lazy or "")
    if lazy is None:
        monkeypatch.delenv(FSDP)

    def state() -> tuple:
        return deepspeed._hf_deepspeed_config_weak_ref, os.environ.get(FSDP)

    with contextlib.suppress(OSError), upstream.whole_loading():
        assert state() == (None, "false")
        raise OSError("no model")
    assert state() == (config, lazy)


def test_reports_on_missing_weights_are_silenced_while_a_model_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("transformers.modeling_utils")
    caplog.set_level(logging.WARNING, logger=logger.name)  # another test may have asked transformers to be quiet
    logger.addHandler(caplog.handler)
    said = ["LOAD REPORT of a model", "Some weights of a model are new", "out of memory"]
    try:
        with upstream.quiet_loading():
            for line in said:
                logger.warning(line)
        logger.warning(said[0])
    finally:
        logger.removeHandler(caplog.handler)
    assert list(dict.fromkeys(caplog.messages)) == [said[2], said[0]]


def test_the_order_of_an_epoch_depends_on_its_number_alone() -> None:
    def order(*epochs: int, **options) -> list[list[int]]:
        numbers = iter(epochs)
        settings = {"mini_repeat_count": 2, "batch_size": 3, "seed": 5, **options}
        sampler = upstream.EpochOrder(RepeatSampler(range(6), **settings), lambda: next(numbers))
        assert len(sampler) == 12
        return [list(sampler) for _ in epochs]

    theirs = list(RepeatSampler(range(6), mini_repeat_count=2, batch_size=3, seed=5))
    first, second = order(0, 1)
    assert first == theirs and second != first and sorted(second) == sorted(first)
    assert order(1, 0) == [second, first]
    assert second == list(RepeatSampler(range(6), mini_repeat_count=2, batch_size=3, seed=6))
    in_turn = sorted([*range(6)] * 2)
    assert order(0, 1, shuffle=False) == [in_turn, in_turn]
    unseeded = order(0, 0, 0, 0, seed=None)
    assert len({tuple(one) for one in unseeded}) > 1  # 4 orders of 6 things: alike once in 373 million


def test_what_is_asked_of_the_trainer() -> None:
    logged: list[tuple] = []
    writer = object()
    callbacks = [SimpleNamespace(), SimpleNamespace(tb_writer=None), SimpleNamespace(tb_writer=writer)]
    trainer = SimpleNamespace(
        _tokenize_prompts=lambda prompts: ([(1, 2), (len(prompts),)], "images"),
        _log_metric=lambda *given: logged.append(given),
        callback_handler=SimpleNamespace(callbacks=callbacks),
    )
    assert upstream.tokenize_prompts(trainer, ["a", "b", "c"]) == [[1, 2], [3]]
    upstream.log_metric(trainer, "share", 0.5)
    assert logged == [("share", 0.5)]
    assert upstream.tensorboard_writers(trainer) == [writer]


@pytest.mark.parametrize("trl", ["1.14", "1.16"])
def test_the_policy_is_unwrapped_as_trl_does_it(trl: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the arguments of the run: under DeepSpeed's ZeRO-3 they decide whether its weights are gathered."""
    asked: list[tuple] = []

    @contextlib.contextmanager
    def old(model, accelerator, gather_deepspeed3_params=True):
        asked.append((model, accelerator, gather_deepspeed3_params))
        yield "the policy"

    @contextlib.contextmanager
    def new(model, accelerator, gather_deepspeed3_params=True, gradient_checkpointing_kwargs=None):
        asked.append((model, accelerator, gather_deepspeed3_params, gradient_checkpointing_kwargs))
        yield "the policy"

    monkeypatch.setattr(upstream, "unwrap_model_for_generation", old if trl == "1.14" else new)
    monkeypatch.setattr(upstream, "profiling_context", lambda trainer, name: contextlib.nullcontext())
    args = SimpleNamespace(gradient_checkpointing_kwargs={"use_reentrant": True}, ds3_gather_for_generation=False)
    trainer = SimpleNamespace(args=args, model_wrapped="wrapped", accelerator="accelerator")
    with upstream.policy_for_generation(trainer) as policy:
        assert policy == "the policy"
    given = ("wrapped", "accelerator", False)
    assert asked == [given if trl == "1.14" else (*given, {"use_reentrant": True})]


def test_asynchronous_calls_run_side_by_side_on_one_thread() -> None:
    loop = upstream.EventLoop("rewards of a test")
    order: list[int] = []

    def call(number: int, wait: float):
        async def run() -> tuple[int, str]:
            await asyncio.sleep(wait)
            order.append(number)
            return number, threading.current_thread().name

        return run

    thread = "rewards of a test"
    assert loop.run([call(0, 0.5), call(1, 0), call(2, 0.25)]) == [(0, thread), (1, thread), (2, thread)]
    assert order == [1, 2, 0]
    assert loop.run([call(3, 0)]) == [(3, thread)]
