"""Does a run fit on the hardware? Counted on the meta device, before anything is loaded (`dsmath plan`)."""

from .advice import advise
from .forecast import Forecast, Part, forecast
from .run import Run
from .settings import read_run
from .shapes import Shape, shape_of

__all__ = ["Forecast", "Part", "Run", "Shape", "advise", "forecast", "read_run", "shape_of"]
