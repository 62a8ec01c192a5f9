"""How sure an accuracy is."""

import math


def wilson(right: int, total: int) -> tuple[float, float]:
    """
    95 % Wilson score interval of a proportion.

    Unlike the usual "plus or minus" it stays within 0 and 1 and has a width at 0 % and 100 %, where models often end.

    Args:
        right (`int`):
            Number of right answers.
        total (`int`):
            Number of answers.

    Returns:
        `tuple[float, float]`: lower and upper end.
    """
    z = 1.959964
    centre = (right + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(right * (total - right) / total + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
