"""Running the `main` of a script: errors as one line, Ctrl-C, and no noise of libraries."""

import gc
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

from ..errors import DsMathError

PROGRAM = "TRL_DSMATH_COMMAND"  # set by `dsmath`, also for the processes that it launches: what messages begin with


def program() -> str:
    """What the user started: `dsmath grpo`, or the name of the script."""
    return os.environ.get(PROGRAM) or Path(sys.argv[0]).name


def say(what: str, line: str, file: TextIO | None = None) -> None:
    """Prints one line of progress, in the first process only.

    Args:
        what (`str`):
            What the line is about; it is padded to a column.
        line (`str`):
            The text.
        file (`TextIO`, *optional*):
            Where to. If `None`, to stdout.
    """
    if os.environ.get("RANK", "0") == "0":
        print(f"{what:<12}{line}", file=file or sys.stdout, flush=True)


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """
    Runs the `main` of a script and ends the process.

    An error that the package raised on purpose becomes one line on stderr. The exit code is what `main` returns (0 for
    `None`), 2 for such an error, and 130 after Ctrl-C.

    Args:
        main (`callable`):
            Function without arguments that reads `sys.argv`.

    Example:
    ```python
    if __name__ == "__main__":
        run_script(main)
    ```
    """
    quiet_libraries()
    start_all_processes()
    try:
        code = main() or 0
        leave_process_group()
    except DsMathError as error:
        print(f"{program()}: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"\n{program()}: stopped. Run the same command again to resume.", file=sys.stderr)
        code = 130
    raise SystemExit(code)


def quiet_libraries() -> None:
    """Silences what a user can do nothing about: deprecations inside libraries, and an optional kernel of bitsandbytes."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    if not sys.warnoptions:
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category, append=True)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def leave_process_group() -> None:
    """Ends the threads through which processes communicate: where one outlives the interpreter, gloo's abort the process.

    They end with the last reference to the process group, which the trainer's cycles hold.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or "RANK" not in os.environ:
        return
    if distributed.is_initialized():
        distributed.destroy_process_group()
    gc.collect()


def start_all_processes() -> None:
    """Starts the processes that `accelerate launch --num_processes 2` leaves out on a machine without a GPU.

    There it starts one process and says nothing (accelerate 1.15). This process is replaced by a launcher of as many as
    were asked for.
    """
    if "WORLD_SIZE" in os.environ or "ACCELERATE_MIXED_PRECISION" not in os.environ or not Path(sys.argv[0]).is_file():
        return
    import psutil

    command = psutil.Process(os.getppid()).cmdline()
    words = [part for word in command for part in (word.split("=", 1) if word.startswith("--") else [word])]
    launching = any(word == "launch" or word.endswith(("commands.launch", "commands/launch.py")) for word in words[:4])
    if not launching or "--num_processes" not in words:
        return
    count = words[words.index("--num_processes") + 1]
    if count.isdigit() and int(count) > 1:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", count]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])
