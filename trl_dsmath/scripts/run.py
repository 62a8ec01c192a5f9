"""How a recipe script starts and ends: quiet libraries, one line for an error, exit codes."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from ..errors import DsMathError

# bitsandbytes says at import, on processors with AVX512-bf16, that an optional kernel is not installed.
_NOISY = ("bitsandbytes.backends.cpu.ops",)


def quiet_libraries() -> None:
    """Keeps remarks of other libraries that a user can do nothing about from the terminal."""
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """
    Runs the `main` of a recipe script and ends the process.

    An error that this package raised on purpose is printed as one line instead of a traceback.

    Args:
        main (`Callable`):
            Function without arguments. Returns the exit code; `None` is 0.

    Raises:
        SystemExit: always: with the code of `main`, 2 for an error in input or settings, 130 after Ctrl-C.
    """
    from .parser import program_name

    quiet_libraries()
    try:
        code = main() or 0
    except DsMathError as error:
        print(f"{program_name()}: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"\n{program_name()}: stopped. The same command goes on from here.", file=sys.stderr)
        code = 130
    raise SystemExit(code)


def main_print(*values: object, flush: bool = True) -> None:
    """Prints in the first process only."""
    if os.environ.get("RANK", "0") == "0":
        print(*values, flush=flush)
