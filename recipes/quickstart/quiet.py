"""Imported before all other libraries: nothing is fetched, nobody is told, and only the quickstart speaks."""

import logging
import os
import warnings

from trl_dsmath.scripts.run import quiet_libraries

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # without it each trainer sends telemetry
os.environ.setdefault("OMP_NUM_THREADS", "1")
quiet_libraries()


def be_quiet() -> None:
    """Turns off the warnings, progress bars and log lines of the libraries that are imported by now.

    They are about choices that the quickstart makes on purpose, and would bury the few lines that a reader wants.
    """
    import datasets
    import transformers

    warnings.simplefilter("ignore")
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    for name in ("transformers", "datasets", "trl", "accelerate", "torch"):
        logging.getLogger(name).setLevel(logging.ERROR)
