"""The paper's prompts, and data sets of problems in the columns that TRL reads."""

from .problems import Converted, convert, find_columns
from .prompts import CHAT_TEMPLATE, instruct

__all__ = ["CHAT_TEMPLATE", "Converted", "convert", "find_columns", "instruct"]
