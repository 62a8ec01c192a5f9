"""`kill -9` at a moment that is the same every time: when a certain file is opened, renamed or handed to another program."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any


def killed(moment: str, function: Callable[..., Any], *args: Any) -> None:
    """Runs the function in a process that kills itself at the first audit event whose name and first argument, `open
    */a.txt`, match; fails if there is none."""

    def run() -> None:
        def watch(event: str, given: tuple) -> None:
            if given and fnmatch(f"{event} {given[0]}", moment):
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        function(*args)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"{moment} never came"
