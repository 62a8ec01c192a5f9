"""Answers by program (PoT): the model writes Python, the sandbox runs it, the last line it prints is the answer."""

from ..text.programs import prints, programs, showing_result


def program_of(text: str) -> str | None:
    """The last Python block of a completion, made to print its result; `None` when there is no block.

    A block that was cut off counts: a model that stops at the closing fence leaves none.
    """
    blocks = programs(text, cut_off=True)
    if not blocks or not blocks[-1].strip():
        return None
    return blocks[-1] if prints(blocks[-1]) else showing_result(blocks[-1])
