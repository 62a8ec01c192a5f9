"""Continued pre-training (paper §2.3): a mixture by tokens, the paper's schedule, and a data order that resumes exactly."""

from .config import PretrainConfig
from .mixture import Mixture
from .schedule import MultiStepScheduleMixin
from .sources import Source
from .trainer import PretrainTrainer

__all__ = ["Mixture", "MultiStepScheduleMixin", "PretrainConfig", "PretrainTrainer", "Source"]
