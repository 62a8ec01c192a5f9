"""What the terminal shows while the quickstart runs: stage, time left, the figure so far; and nothing of the libraries."""

import logging
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

BAR = 10  # with it all that a line says stands in 80 columns


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Turns off the warnings, progress bars and log lines of torch, transformers, datasets and TRL for a while.

    All of it is about choices that the quickstart makes on purpose, and would bury the few lines that a reader wants.
    """
    import datasets
    import transformers

    loggers = [logging.getLogger(name) for name in ("transformers", "datasets", "trl", "accelerate", "torch")]
    levels = [logger.level for logger in loggers]
    bars = transformers.utils.logging.is_progress_bar_enabled(), not datasets.are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            if bars[0]:
                transformers.utils.logging.enable_progress_bar()
            if bars[1]:
                datasets.enable_progress_bars()


def in_words(seconds: float) -> str:
    """`95.2` as `"1 min 35 s"`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """
    One line a stage: drawn over again on a terminal, at every fifth of the way in a file or pipe.

    Args:
        plan (`dict[str, tuple[float, float]]`):
            The stages that will run, and how many seconds each needs to start and to run on the machine where the
            quickstart was measured. Only their proportions count: how fast this machine is, is seen as it runs.
        numbers (`dict[str, int]`):
            Number of each stage, of all stages.
    """

    def __init__(self, plan: dict[str, tuple[float, float]], numbers: dict[str, int]) -> None:
        self._plan = plan
        self._numbers = numbers
        self._terminal = sys.stdout.isatty()
        self._done_planned = 0.0
        self._done_seconds = 0.0
        self._stage = ""
        self._started = 0.0
        self._start_at = 0.0
        self._shown = 0

    def start(self, stage: str, at: float = 0.0) -> None:
        """Begins a stage, at a fraction of it when it goes on from a checkpoint."""
        self._stage, self._started, self._start_at, self._shown = stage, time.monotonic(), at, -1
        self.update(at, "goes on from here" if at else "starting")

    def update(self, fraction: float, figure: str) -> None:
        """Shows how far the stage is (0 to 1) and its figure so far."""
        fifth = int(fraction * 5)
        if not self._terminal and fifth == self._shown:
            return
        self._shown = fifth
        full = round(fraction * BAR)
        bar = "█" * full + "░" * (BAR - full)
        self._line(f"{self._head()}{bar} {fraction:4.0%}  {self._left(fraction):<10} {figure}")

    def finish(self, text: str) -> None:
        """Ends a stage with its result; the line stays."""
        seconds = time.monotonic() - self._started
        self._done_seconds += seconds
        self._done_planned += self._planned(1.0)
        self._end(f"{text}  ({in_words(seconds)})", self._head())

    def note(self, stage: str, text: str) -> None:
        """Shows a line about a stage that does not run."""
        self._stage = stage
        self._end(text, self._head())

    def say(self, text: str) -> None:
        """Shows a line about the whole run."""
        self._end(text)

    def _head(self) -> str:
        return f"  {self._numbers[self._stage]}/{len(self._numbers)} {self._stage:<9} "

    def _left(self, fraction: float) -> str:
        """How long the whole run still takes."""
        elapsed = time.monotonic() - self._started
        if fraction <= self._start_at:
            return ""
        stages = list(self._plan)
        to_come = sum(sum(self._plan[stage]) for stage in stages[stages.index(self._stage) + 1 :])
        planned = self._planned(1.0) - self._planned(fraction) + to_come
        pace = (self._done_seconds + elapsed) / (self._done_planned + self._planned(fraction))
        minutes, seconds = divmod(round(pace * planned), 60)
        return f"{minutes}:{seconds:02d} left"

    def _planned(self, fraction: float) -> float:
        start, running = self._plan[self._stage]
        return start + running * (fraction - self._start_at)

    def _line(self, text: str) -> None:
        """A line that the next one is drawn over; it must not wrap."""
        if self._terminal:
            print("\r" + text[: self._width()].ljust(self._width()), end="", flush=True)
        else:
            print(text.rstrip(), flush=True)

    def _end(self, text: str, head: str = "") -> None:
        """A line that stays; on a terminal it wraps between words, below itself."""
        if not self._terminal:
            print(head + text, flush=True)
            return
        wrapper = textwrap.TextWrapper(self._width(), head, " " * len(head))
        wrapper.break_long_words = wrapper.break_on_hyphens = False  # the path of the report stays in one piece
        print("\r" + "\n".join(line.ljust(self._width()) for line in wrapper.wrap(text)), flush=True)

    @staticmethod
    def _width() -> int:
        return min(100, shutil.get_terminal_size().columns - 1)
