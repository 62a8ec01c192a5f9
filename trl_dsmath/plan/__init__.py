"""Does a run fit on the hardware, and how long does it take? Counted on the meta device, before anything is loaded (`dsmath plan`).

`read_run` turns the settings of a stage into a [`Run`], `forecast` counts its memory part by part, and `advise` finds what to
change where it does not fit.
"""

from .advice import advise
from .memory import Forecast, Part, forecast
from .runs import Hardware, Run, Scorer, read_run
from .shapes import Shape, shape_of
from .timing import Work, probe, work

__all__ = [
    "Forecast",
    "Hardware",
    "Part",
    "Run",
    "Scorer",
    "Shape",
    "Work",
    "advise",
    "forecast",
    "probe",
    "read_run",
    "shape_of",
    "work",
]
