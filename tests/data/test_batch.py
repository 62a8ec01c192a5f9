"""The global batch over processes and micro-batches."""

import pytest

from trl_dsmath.data.batch import accumulation_steps, check_batch
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


def test_data_parallel_is_noticed() -> None:
    check_batch(256, 32, 8, 1)
    check_batch(None, 1, 8, 3)
    with pytest.raises(ConfigError, match="512 rows"):
        check_batch(256, 32, 16, 1)  # 8 a GPU, two GPUs in one process
