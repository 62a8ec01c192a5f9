"""GRPO with the values of DeepSeekMath-RL (§4), with outcome supervision and with process supervision."""

from .config import DeepSeekMathGRPOConfig, StepGRPOConfig
from .step_trainer import StepGRPOTrainer
from .tools import ToolRollout
from .trainer import DeepSeekMathGRPOTrainer

__all__ = ["DeepSeekMathGRPOConfig", "DeepSeekMathGRPOTrainer", "StepGRPOConfig", "StepGRPOTrainer", "ToolRollout"]
