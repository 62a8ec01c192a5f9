r"""Programs in completions: joining the blocks, running them in the sandbox, and the block that their output is shown in.

    ```python
    print(6 * 7)
    ```
    ```output
    42
    ```

Source: the form of DeepSeekMath-Instruct and -RL with tools (github.com/deepseek-ai/DeepSeek-Math).
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..paper import TOOL_USE
from ..text.programs import final_program
from .protocol import Program

if TYPE_CHECKING:
    from ..sandbox import ExecutionResult


_FENCE = r"```(?:python3?|py)[ \t]*\n"
_WHOLE = re.compile(
    _FENCE + r".*?(?:^[ \t]*```[ \t]*$\s*(?:```output.*)?|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_LOOKS_LIKE_OUTPUT = re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:\w*_)?(?:output|stdout|result)s?\b", re.IGNORECASE)
# One line that defines no name, so that a program finds the variables of those before it and nothing else.
_RERUN = """
import contextlib, io
for block in blocks:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(BaseException):
        exec(block, scope)
"""


def program_of(completion: str) -> str | None:
    """The program of a completion: its last block, made to print its result, with the variables of the blocks before it.

    A last block that is not closed counts: a model that stops at the closing fence leaves one. `None` without a block.
    """
    found = final_program(completion)
    return None if found is None else with_state(*found)


def run_completions(completions: Sequence[str]) -> list[Program | None]:
    """
    Runs the program of each completion in the sandbox; [`Program.answer`] is what it says.

    Args:
        completions (`Sequence[str]`):
            Texts with ```` ```python ```` blocks.

    Returns:
        `list[Program | None]`: what became of each program; `None` where there is none.

    Raises:
        SandboxError: this machine has no isolation backend to run programs in.
    """
    codes = [program_of(completion) for completion in completions]
    results = iter(run_sandboxed([code for code in codes if code is not None]))
    found: list[Program | None] = []
    for code in codes:
        if code is None:
            found.append(None)
            continue
        result = next(results)
        found.append(Program(code, result.stdout, result.error, result.timed_out))
    return found


def run_sandboxed(
    codes: Sequence[str], timeout: float = TOOL_USE.timeout, memory_mb: int = 512
) -> "Sequence[ExecutionResult]":
    """Runs programs in the sandbox, which is imported on first use."""
    from ..sandbox import run_many

    return run_many(codes, timeout=timeout, memory_mb=memory_mb)


def program_spans(text: str) -> list[tuple[int, int]]:
    """Characters that belong to programs: a block, closed or not, with the request for its output behind it."""
    return [match.span() for match in _WHOLE.finditer(text)]


def looks_like_output(text: str) -> bool:
    """Whether a text that a model wrote has a block that a reader would take for the interpreter's."""
    return bool(_LOOKS_LIKE_OUTPUT.search(text))


def with_state(earlier: Sequence[str], program: str) -> str:
    """A program that begins with the variables of earlier blocks.

    They are run again with their printing thrown away, each as far as it runs: what a block had set before it failed
    is there, as in a notebook. (The authors' harness drops the lines that print, which also drops what else a line does.)
    """
    if not earlier:
        return program
    return f"exec({_RERUN!r}, {{'blocks': {list(earlier)!r}, 'scope': globals()}})\n{program}"


def clipped(text: str, chars: int) -> str:
    """The first and last halves of a text that is longer than `chars` characters, with dots between."""
    half = chars // 2
    return text if len(text) <= chars else f"{text[:half]}...{text[len(text) - half :]}"


def output_block(shown: str) -> str:
    """What follows the request, up to the end of the block. Fences in the output become quotes: it cannot close its block."""
    shown = shown.encode("utf-8", "replace").decode().strip("\n").replace("```", "'''")
    return f"{shown}\n```\n" if shown else "```\n"
