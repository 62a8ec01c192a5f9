"""bfloat16 by what the processor has; what a user sets wins."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from trl_dsmath.data import precision


@pytest.mark.parametrize(
    ("line", "fast"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 amx_tile", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu avx2 fma avx512_bf16_not", False),
        ("model name\t: bf16", False),
    ],
)
def test_what_the_processor_has(line: str, fast: bool, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{line}\n")
    assert precision.fast_bf16(str(file)) is fast
    assert precision.fast_bf16(str(tmp_path / "not there")) is False


@pytest.mark.parametrize("fast", [True, False])
def test_the_users_setting_wins(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda: fast)

    def settled(bf16: bool | None, use_cpu: bool = True, fp16: bool = False) -> bool | None:
        args = SimpleNamespace(bf16=bf16, use_cpu=use_cpu, fp16=fp16)
        precision.settle_bf16(args)
        return args.bf16

    assert settled(None) is fast
    assert (settled(True), settled(False)) == (True, False)
    assert settled(None, use_cpu=False) is None and settled(None, fp16=True) is None
