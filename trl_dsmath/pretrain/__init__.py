"""Continued pre-training (paper §2.3): a mixture by tokens, the paper's schedule, and a data order that resumes exactly."""

from .config import PretrainConfig
from .mixture import Mixture
from .sources import Source
from .trainer import PretrainTrainer, multi_step_factor

__all__ = ["Mixture", "PretrainConfig", "PretrainTrainer", "Source", "multi_step_factor"]
