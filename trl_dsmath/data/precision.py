"""bfloat16 on a CPU: where the processor has it, and float32 elsewhere."""

from functools import cache
from typing import Any

_FLAGS = {"amx_bf16", "avx512_bf16", "bf16"}  # Intel and AMD; the last is Arm's


@cache
def fast_bf16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether the processor multiplies bfloat16 in hardware; others take about three times as long for it as for float32.

    Args:
        cpuinfo (`str`, *optional*, defaults to `"/proc/cpuinfo"`):
            Where Linux lists what the processor has. Elsewhere the answer is no.
    """
    try:
        with open(cpuinfo, encoding="utf-8", errors="replace") as file:
            return any(_FLAGS & set(line.split()) for line in file if line.startswith(("flags", "Features")))
    except OSError:
        return False


def settle_bf16(args: Any) -> None:
    """Sets `bf16` of training arguments for a CPU, unless the user has."""
    if args.bf16 is None and args.use_cpu and not args.fp16:
        args.bf16 = fast_bf16()
