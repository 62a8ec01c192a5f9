"""The global batch over processes and micro-batches."""

import re

import pytest

from trl_dsmath.data.batch import (
    accumulation_of_tokens,
    accumulation_steps,
    check_batch,
    largest_group,
    processes_at_start,
    tell_papers_batch,
)
from trl_dsmath.errors import ConfigError


@pytest.mark.parametrize(
    ("global_batch", "per_device", "processes", "given", "steps"),
    [
        (256, 8, 1, None, 32),
        (256, 8, 8, None, 4),
        (1024, 4, 1, None, 256),
        (256, 8, 8, 4, 4),
        (None, 8, 1, None, 1),
        (None, 3, 7, 5, 5),
    ],
)
def test_steps(global_batch: int | None, per_device: int, processes: int, given: int | None, steps: int) -> None:
    assert accumulation_steps(global_batch, per_device, processes, given) == steps


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ((256, 3, 1), "Set per_device_train_batch_size to 2, or global_batch_size to 255."),
        ((256, 512, 1), "Set per_device_train_batch_size to 256, or global_batch_size to 512."),
        ((256, 8, 48), "Set global_batch_size to 384."),  # 48 processes cannot share 256 rows at all
        ((256, 4, 2, 8), "set global_batch_size to 64."),
    ],
)
def test_the_message_holds_the_fix(arguments: tuple[int, ...], fix: str) -> None:
    with pytest.raises(ConfigError, match="global_batch_size") as error:
        accumulation_steps(*arguments)
    assert str(error.value).endswith(fix)


@pytest.mark.parametrize("group", [1, 16, 64])
@pytest.mark.parametrize("processes", [1, 3, 7, 12, 48])
@pytest.mark.parametrize(
    ("batch", "per_device", "given"), [(1024, 8, None), (256, 3, None), (None, 5, 3), (500, 4, 7)]
)
def test_the_fix_is_one(batch: int | None, per_device: int, given: int | None, processes: int, group: int) -> None:
    """Whoever does what the message says has a batch of whole micro-batches and whole groups."""
    try:
        steps = accumulation_steps(batch, per_device, processes, given, group)
    except ConfigError as error:
        told = str(error)
        smaller = re.search(r"Set per_device_train_batch_size to (\d+)", told)
        larger = re.search(r"global_batch_size to (\d+)", told)
        more = re.search(r"Set gradient_accumulation_steps to (\d+)", told)
        assert larger or more or "Leave gradient_accumulation_steps out" in told
        if smaller:
            accumulation_steps(batch, int(smaller[1]), processes, None, group)
        if larger:
            left_out = given is None or "leave gradient_accumulation_steps out" in told
            batch, given = int(larger[1]), None if left_out else given
        steps = (
            accumulation_steps(batch, per_device, processes, int(more[1]) if more else given, group)
            if (larger or more)
            else 0
        )
    assert steps * per_device * processes % group == 0


def test_without_a_global_batch_groups_stay_whole() -> None:
    assert accumulation_steps(None, 8, 1, None, 64) == 8  # one group of 64
    assert accumulation_steps(None, 4, 3, None, 8) == 2  # 24 rows: three groups
    assert accumulation_steps(None, 4, 1, 2, 8) == 2
    with pytest.raises(ConfigError, match=r"batch \(8\) is not a multiple of num_generations \(64\)") as error:
        accumulation_steps(None, 4, 1, 2, 64)
    assert "Set gradient_accumulation_steps to 16, or num_generations to a divisor of 8" in str(error.value)


@pytest.mark.parametrize(("batch", "size"), [(1024, 64), (8, 8), (96, 48), (12, 12), (128, 64), (7, 7)])
def test_the_largest_group_of_a_batch(batch: int, size: int) -> None:
    assert largest_group(batch, 64) == size


@pytest.mark.parametrize("batch", [1, 67])
def test_a_batch_without_groups_is_refused(batch: int) -> None:
    with pytest.raises(ConfigError, match="set num_generations"):
        largest_group(batch, 64)


def test_a_batch_in_tokens_is_met_to_within_five_percent() -> None:
    assert accumulation_of_tokens(1_000_000, 8, 2, 4096) == 15  # 983,040 tokens
    assert accumulation_of_tokens(1_000_000, 8, 2, 4096, given=16) == 16  # 1,048,576: 4.9 % more
    with pytest.raises(ConfigError, match=r"micro-batches \(14\) .* is 917,504 tokens, more than 5 % from"):
        accumulation_of_tokens(1_000_000, 8, 2, 4096, given=14)
    with pytest.raises(ConfigError, match=r"micro-batches \(1\) .* or set global_batch_tokens to 4096\."):
        accumulation_of_tokens(1000, 8, 1, 512)  # a single micro-batch has more


def test_data_parallel_is_noticed() -> None:
    check_batch(256, 32, 8, 1)
    check_batch(None, 1, 8, 3)
    with pytest.raises(ConfigError, match="512 rows"):
        check_batch(256, 32, 16, 1)  # 8 a GPU, two GPUs in one process


def test_another_batch_than_the_papers_is_told_once_by_the_first_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for rank, batch in (("1", 9), ("0", 1024), (None, 9), ("0", 9)):
        monkeypatch.setenv("RANK", rank) if rank else monkeypatch.delenv("RANK", raising=False)
        tell_papers_batch(batch, 1024, "sonnets", "global_batch_size")
    assert caplog.messages == ["An update sees 9 sonnets; the paper's saw 1,024 (global_batch_size=1024)."]
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes_at_start() == 1
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes_at_start() == 4
