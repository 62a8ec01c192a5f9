"""Pure functions on text: reading an answer out of a completion and writing it in one canonical form."""

from .answers import boxes, last_boxed, read_answer, read_choice, visible_text
from .chinese import chinese_number
from .english import english_number
from .normalize import normalize

__all__ = [
    "boxes",
    "chinese_number",
    "english_number",
    "last_boxed",
    "normalize",
    "read_answer",
    "read_choice",
    "visible_text",
]
