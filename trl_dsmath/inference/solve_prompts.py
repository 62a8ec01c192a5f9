"""What the model reads: the paper's instruction after the question, or worked examples before it. No system prompt."""

from collections.abc import Sequence

from ..data.prompts import PLAIN_PROMPT, Mode, instruct
from ..generation import Prompt
from ..text.chinese import is_chinese

# The form of the few-shot template in common use for MATH; base models go on with another problem if nothing stops them.
_SHOT = {False: "Problem: {question}\nSolution: {solution}", True: "问题：{question}\n解答：{solution}"}
_STOP = {False: "\n\nProblem:", True: "\n\n问题："}
PROGRAM_OUTPUT = "```output"


def prompt_for(question: str, mode: Mode, few_shot: Sequence[tuple[str, str]] = (), plain: bool = False) -> Prompt:
    r"""The prompt of a question.

    Args:
        question (`str`):
            The question as the user wrote it.
        mode (`str`):
            `"cot"`, `"pot"` or `"tool"`. The instructions of the last two are one: DeepSeekMath publishes one
            instruction for programs, and what differs is whether the model sees the output.
        few_shot (`Sequence[tuple[str, str]]`, *optional*):
            Questions and solutions to put in front, for a base model; then the prompt is text without an instruction.
        plain (`bool`, *optional*, defaults to `False`):
            Whether to write `User: ...\n\nAssistant:` as text instead of a message for the chat template.

    Returns:
        `str` or `list[dict]`
    """
    if few_shot:
        shot = _SHOT[is_chinese(question)]
        shown = [shot.format(question=asked.strip(), solution=told.strip()) for asked, told in few_shot]
        return "\n\n".join([*shown, shot.format(question=question.strip(), solution="").rstrip()])
    content = instruct(question, mode)
    return PLAIN_PROMPT.format(question=content) if plain else [{"role": "user", "content": content}]


def stop_strings(question: str, mode: Mode, few_shot: bool) -> tuple[str, ...]:
    """What ends a sample: the next problem of a base model; in `pot`, the output that the model would make up."""
    stop = (_STOP[is_chinese(question)],) if few_shot else ()
    return (*stop, PROGRAM_OUTPUT) if mode == "pot" else stop
