"""The mode `program`: what a sample's program prints becomes the answer."""

from collections.abc import Sequence

from ..generation import Sample
from ..generation.programs import REQUEST, output_block, with_state
from ..paper import TOOL_USE
from ..text.programs import last_line, printing, programs


def with_output(completions: Sequence[str], few_shot: bool) -> list[str]:
    """
    Runs the program of each completion in the sandbox, and writes what it printed behind it.

    Args:
        completions (`Sequence[str]`):
            After examples, the program itself (the prompt ends with the opening fence); otherwise text with ```` ```python ````
            blocks, of which the last is run, with the variables of those before it.
        few_shot (`bool`):
            Whether examples were shown.

    Returns:
        `list[str]`: the completions, each with an ```` ```output ```` block at its end; it is empty where nothing was
        printed, the program failed, or there is none.

    Raises:
        SandboxError: this machine has no isolation backend.
    """
    from ..sandbox import run_many

    shown = [f"```python\n{text.strip()}\n```" if few_shot else text.rstrip() for text in completions]
    blocks = [programs(text + "\n") for text in shown]
    asking = [i for i, found in enumerate(blocks) if found and found[-1].strip()]
    sources = [with_state(blocks[i][:-1], printing(blocks[i][-1])) for i in asking]
    results = run_many(sources, timeout=TOOL_USE.timeout)
    printed = {i: result.stdout for i, result in zip(asking, results, strict=True)}
    return [f"{text}\n{REQUEST}\n{output_block(printed.get(i, ''))}" for i, text in enumerate(shown)]


def last_printed(sample: Sample) -> str | None:
    """The last line that the last program of a tool sample printed, also where the model did not get to see it."""
    return last_line(sample.programs[-1].stdout) if sample.programs else None
