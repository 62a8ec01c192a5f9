"""DeepSeekMath (arXiv 2402.03300) as a plugin for Hugging Face TRL.

Names are loaded on first use, so that `import trl_dsmath` and `trl_dsmath.rewards` load neither torch nor trl.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .grpo import DeepSeekMathGRPOConfig as DeepSeekMathGRPOConfig
    from .grpo import DeepSeekMathGRPOTrainer as DeepSeekMathGRPOTrainer
    from .grpo import StepGRPOConfig as StepGRPOConfig
    from .grpo import StepGRPOTrainer as StepGRPOTrainer
    from .inference import MathEvaluationCallback as MathEvaluationCallback
    from .inference import Solver as Solver
    from .pretrain import PretrainConfig as PretrainConfig
    from .pretrain import PretrainTrainer as PretrainTrainer
    from .prm import PRMConfig as PRMConfig
    from .prm import PRMTrainer as PRMTrainer
    from .prm import load_step_scorer as load_step_scorer
    from .sft import MathSFTConfig as MathSFTConfig
    from .sft import MathSFTTrainer as MathSFTTrainer

__version__ = "0.2.0"

_HOME = {
    "DeepSeekMathGRPOConfig": "grpo",
    "DeepSeekMathGRPOTrainer": "grpo",
    "MathEvaluationCallback": "inference",
    "MathSFTConfig": "sft",
    "MathSFTTrainer": "sft",
    "PRMConfig": "prm",
    "PRMTrainer": "prm",
    "PretrainConfig": "pretrain",
    "PretrainTrainer": "pretrain",
    "load_step_scorer": "prm",
    "Solver": "inference",
    "StepGRPOConfig": "grpo",
    "StepGRPOTrainer": "grpo",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
