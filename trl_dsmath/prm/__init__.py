"""Process reward models: training them, loading released ones, scoring steps."""

from .config import PRMConfig
from .scorer import StepScorer, load_step_scorer
from .trainer import PRMTrainer

__all__ = ["PRMConfig", "PRMTrainer", "StepScorer", "load_step_scorer"]
