"""Is the arithmetic that a step writes down right?"""

from collections.abc import Sequence

from ..text.arithmetic import check_calculations


def step_arithmetic_reward(
    completions: Sequence[object], steps: Sequence[Sequence[str]], **columns: object
) -> list[list[float | None]]:
    r"""
    Step reward function that checks the calculations (`8 * 4 = 32`) of each step exactly.

    It costs nothing and knows nothing else: a right calculation in the wrong place is right. Use it beside an outcome reward.

    Args:
        completions (`list`):
            Completions; not used.
        steps (`list[list[str]]`):
            The steps of each completion.
        **columns:
            The other columns of the data set; not used.

    Returns:
        `list[list[float | None]]`: per step 1.0, or 0.0 where a calculation is wrong, or `None` where there is none.

    Example:
    ```python
    >>> step_arithmetic_reward([""], steps=[["16 + 16 = 24\n", "Therefore, the answer is 24."]])
    [[0.0, None]]
    ```
    """
    return [[float(all(found)) if (found := check_calculations(step)) else None for step in row] for row in steps]
