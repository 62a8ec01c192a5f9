"""What the terminal shows while the quickstart runs: stage, time left, the metric so far."""

import shutil
import sys
import textwrap
import time

BAR = 10  # with it everything on a line fits into 80 columns


def in_words(seconds: float) -> str:
    """`95.2` as `"1 min 35 s"`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """
    One line per stage: drawn over again on a terminal, printed at every fifth of a stage in a file or pipe.

    Args:
        plan (`dict[str, tuple[float, float]]`):
            The stages that will run, and how many seconds each needs to start and to run on the machine where the
            quickstart was measured. Only their proportions count: the speed of this machine is measured as it runs.
        numbers (`dict[str, int]`):
            Number of each stage, of all stages.
    """

    def __init__(self, plan: dict[str, tuple[float, float]], numbers: dict[str, int]) -> None:
        self._plan, self._numbers = plan, numbers
        self._terminal = sys.stdout.isatty()
        self._done_planned = self._done_seconds = 0.0
        self._stage, self._started, self._start_at, self._shown = "", 0.0, 0.0, -1

    def start(self, stage: str, at: float = 0.0) -> None:
        """Begins a stage, at a fraction of it when it goes on from a checkpoint."""
        self._stage, self._started, self._start_at, self._shown = stage, time.monotonic(), at, -1
        self.update(at, "resumes here" if at else "starting")

    def update(self, fraction: float, metric: str) -> None:
        """Shows how far the stage is (0 to 1) and its metric so far."""
        fifth = int(fraction * 5)
        if not self._terminal and fifth == self._shown:
            return
        self._shown = fifth
        full = round(fraction * BAR)
        bar = "█" * full + "░" * (BAR - full)
        line = f"{self._head(self._stage)}{bar} {fraction:4.0%}  {self._left(fraction):<10} {metric}"
        if self._terminal:  # the next line is drawn over it, so it must not wrap
            print("\r" + line[: _width()].ljust(_width()), end="", flush=True)
        else:
            print(line.rstrip(), flush=True)

    def finish(self, text: str) -> None:
        """Ends a stage with its result; the line stays."""
        took = time.monotonic() - self._started
        self._done_seconds += took
        self._done_planned += self._planned(1.0)
        self.note(self._stage, f"{text}  ({in_words(took)})")

    def note(self, stage: str, text: str) -> None:
        """Shows a line about a stage that stays."""
        self.say(text, self._head(stage))

    def say(self, text: str, head: str = "") -> None:
        """Shows a line that stays; on a terminal it wraps between words, below itself."""
        if not self._terminal:
            print(head + text, flush=True)
            return
        # A long word is not broken, so that the path of the report stays in one piece.
        wrapped = textwrap.wrap(
            text,
            _width(),
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
        print("\r" + "\n".join(line.ljust(_width()) for line in wrapped), flush=True)

    def _head(self, stage: str) -> str:
        return f"  {self._numbers[stage]}/{len(self._numbers)} {stage:<9} "

    def _left(self, fraction: float) -> str:
        """How long the whole run still takes."""
        if fraction <= self._start_at:
            return ""
        stages = list(self._plan)
        to_come = sum(sum(self._plan[stage]) for stage in stages[stages.index(self._stage) + 1 :])
        planned = self._planned(1.0) - self._planned(fraction) + to_come
        elapsed = self._done_seconds + time.monotonic() - self._started
        minutes, seconds = divmod(round(planned * elapsed / (self._done_planned + self._planned(fraction))), 60)
        return f"{minutes}:{seconds:02d} left"

    def _planned(self, fraction: float) -> float:
        start, running = self._plan[self._stage]
        return start + running * (fraction - self._start_at)


def _width() -> int:
    return min(100, shutil.get_terminal_size().columns - 1)
