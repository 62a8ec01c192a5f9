"""Columns, prompts and journals: what a row means, what a model reads, what a run leaves on disk."""

from .columns import Columns, columns_of, find_columns
from .few_shot import Example
from .files import load, load_split
from .journal import Journal
from .problems import Converted, convert
from .prompts import CHAT_TEMPLATE, BuiltPrompt, PromptArguments, build_prompt, instruct

__all__ = [
    "CHAT_TEMPLATE",
    "BuiltPrompt",
    "Columns",
    "Converted",
    "Example",
    "Journal",
    "PromptArguments",
    "build_prompt",
    "columns_of",
    "convert",
    "find_columns",
    "instruct",
    "load",
    "load_split",
]
