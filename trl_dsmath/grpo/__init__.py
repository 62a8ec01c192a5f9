"""GRPO with the values of DeepSeekMath-RL (§4)."""

from .config import DeepSeekMathGRPOConfig
from .trainer import DeepSeekMathGRPOTrainer

__all__ = ["DeepSeekMathGRPOConfig", "DeepSeekMathGRPOTrainer"]
