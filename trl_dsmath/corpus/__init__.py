"""From web pages to mathematical text: read, extract, remove duplicates and benchmarks, find the mathematics.

Names are loaded on first use: reading, the loop and the annotation page need different packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .annotate_page import serve as serve
    from .decontaminate import decontaminate as decontaminate
    from .decontaminate import load_benchmarks as load_benchmarks
    from .execution import Execution as Execution
    from .extract import extract_text as extract_text
    from .filters import KeepLanguages as KeepLanguages
    from .filters import KeepQuality as KeepQuality
    from .loop import LoopResult as LoopResult
    from .loop import run_loop as run_loop
    from .loop import score_part as score_part
    from .pipeline import prepare as prepare
    from .pipeline import statistics as statistics
    from .read import read_pages as read_pages
    from .settings import LoopSettings as LoopSettings

_HOME = {
    "Execution": "execution",
    "KeepLanguages": "filters",
    "KeepQuality": "filters",
    "LoopResult": "loop",
    "LoopSettings": "settings",
    "decontaminate": "decontaminate",
    "extract_text": "extract",
    "load_benchmarks": "decontaminate",
    "prepare": "pipeline",
    "read_pages": "read",
    "run_loop": "loop",
    "score_part": "loop",
    "serve": "annotate_page",
    "statistics": "pipeline",
}
__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
