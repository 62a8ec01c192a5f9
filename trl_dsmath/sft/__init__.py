"""Supervised fine-tuning with the values of DeepSeekMath-Instruct (§3.2)."""

from .config import MathSFTConfig
from .trainer import MathSFTTrainer

__all__ = ["MathSFTConfig", "MathSFTTrainer"]
