r"""What a model reads: the paper's instruction after the question, one of your own, or worked examples before it.

Source: the model cards of DeepSeekMath-Instruct and DeepSeekMath-RL ("Please use chain-of-thought prompt to test ...")
and `evaluation/data_processing/process_utils.py` of github.com/deepseek-ai/DeepSeek-Math, which adds the same four
instructions to every zero-shot question. `think` is not the paper's. Few-shot prompts follow the same harness (Tables 2 and 3
of the paper, base models) with examples of our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..errors import ConfigError
from ..text.chinese import is_chinese
from ..text.programs import programs
from .few_shot import Example

PromptText: TypeAlias = str | list[dict[str, str]]
# Where a prompt asks for the answer: in a box, in the closing sentence of the examples, or in a program's output.
Form = Literal["box", "sentence", "program"]
# Chain of thought, program of thought, reasoning mixed with programs, and thinking in tags (not the paper's).
Mode = Literal["cot", "pot", "tool", "think"]

# Model cards: "English questions: {question}\nPlease reason step by step, ...".
COT_EN = "\nPlease reason step by step, and put your final answer within \\boxed{}."
# Model cards: "Chinese questions: {question}\n请通过逐步推理来解答问题，...".
COT_ZH = "\n请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。"
# DeepSeek-Math's harness, the "tool" test sets of Instruct and RL in English.
TOOL_EN = (
    "\nPlease integrate natural language reasoning with programs to solve the problem above, "
    "and put your final answer within \\boxed{}."
)
# The same harness in Chinese (mgsm-zh and cmath with tools).
TOOL_ZH = "\n请结合自然语言和Python程序语言来解答问题，并把最终答案放置于\\boxed{}中。"

# The form of DeepSeek-R1-Zero's template (arXiv 2501.12948, table 1) in words of our own, with this paper's box for the
# answer. Nothing else tells a base model of the form that the rewards ask for.
THINK_EN = (
    "\nThink first, between <think> and </think>. Begin with <think>. After </think>, give a short solution and put your "
    "final answer within \\boxed{}."
)
THINK_ZH = (
    "\n请先在<think>和</think>之间思考，并以<think>开头。在</think>之后给出简短的解答，并把最终答案放置于\\boxed{}中。"
)

# DeepSeek-Math's harness: what the model reads when no chat template is in the way. The solution follows after a space.
PLAIN_PROMPT = "User: {question}\n\nAssistant:"

# The form of the published tokenizers' `chat_template` (deepseek-math-7b-*, tokenizer_config.json), for tokenizers that
# have none. The generation prompt ends without the space that the assistant's text begins with, so that the first word
# of an answer is one token, as it is in training.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

# How the solutions end that we write out of a bare final answer, as in DeepSeek's own few-shot examples.
FINAL_ANSWER = "Therefore, the answer is \\boxed{{{answer}}}."

_INSTRUCTIONS: dict[tuple[Mode, bool], str] = {
    ("cot", False): COT_EN,
    ("cot", True): COT_ZH,
    ("tool", False): TOOL_EN,
    ("tool", True): TOOL_ZH,
    ("pot", False): TOOL_EN,  # one instruction is published for programs, whether or not the model sees their output
    ("pot", True): TOOL_ZH,
    ("think", False): THINK_EN,
    ("think", True): THINK_ZH,
}


REQUEST = "```output"  # what a model writes when it wants the output of its program
_FENCE = "```python\n"

PAPER, NONE, TEMPLATE = "paper", "none", "template"  # settings that are no text


@dataclass(kw_only=True)
class PromptArguments:
    """
    What stands around a question: the settings of every command that writes prompts.

    Args:
        instruction (`str`, *optional*, defaults to `"paper"`):
            `"paper"`: the paper's, after the question; `"none"`; or a text of your own. The question goes where the text
            has `{question}`, else before it.
        system_prompt (`str`, *optional*, defaults to `"template"`):
            `"template"`: no system message, as in the paper; a chat template may then put in its own. `"none"`: an empty
            one in its place. Or a text.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Whether prompts are strings (`User: ...`) instead of messages for the chat template.
    """

    instruction: str = field(
        default=PAPER, metadata={"help": "paper, none, or a text; the question goes before it or at {question}."}
    )
    system_prompt: str = field(
        default=TEMPLATE, metadata={"help": "template (its own, if it has one), none (an empty one), or a text."}
    )
    plain_prompts: bool = field(
        default=False, metadata={"help": "Prompts as strings (`User: ...`), without the chat template."}
    )

    def prompt_options(self) -> dict[str, Any]:
        """These settings as [`build_prompt`] and [`convert`] take them."""
        return {name: getattr(self, name) for name in ("instruction", "system_prompt", "plain_prompts")}


@dataclass(frozen=True)
class BuiltPrompt:
    """
    A prompt, and what belongs to it.

    Attributes:
        prompt (`str` or `list[dict]`):
            What the model reads.
        stop (`tuple[str, ...]`):
            The strings that end a completion.
        form (`str`):
            Where the answer is expected: in a `"box"`, in the closing `"sentence"`, or in the output of a `"program"`.
        opening (`str`):
            What the prompt has begun of the solution: the fence of a program after examples. To be put before a completion.
    """

    prompt: PromptText
    stop: tuple[str, ...]
    form: Form
    opening: str = ""


def build_prompt(
    question: str,
    mode: Mode = "cot",
    examples: Sequence[Example] = (),
    plain_prompts: bool = False,
    instruction: str = PAPER,
    system_prompt: str = TEMPLATE,
) -> BuiltPrompt:
    r"""
    The prompt of a question, for `solve`, `evaluate`, training and annotation alike.

    Args:
        question (`str`):
            The question, with its options below it.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"`, `"pot"` (one program, whose output is the answer), `"tool"` (reasoning and programs in turns) or `"think"`.
        examples (`Sequence[Example]`, *optional*):
            Worked examples instead of an instruction, for base models; the prompt is in their language.
        plain_prompts (`bool`, *optional*, defaults to `False`):
            Without examples: a string (`User: ...\n\nAssistant:`) instead of a message for the chat template.
        instruction (`str`, *optional*, defaults to `"paper"`), system_prompt (`str`, *optional*, defaults to `"template"`):
            As in [`PromptArguments`].

    Returns:
        [`BuiltPrompt`]

    Raises:
        ConfigError: examples for tools or thinking, examples without programs for programs, or examples beside an
            instruction or a system prompt.

    Source: Tables 2 and 3 (base models: few-shot), Table 5 (instruct and RL: zero-shot).

    Example:
    ```python
    >>> build_prompt("What is 1+1?", examples=[Example("What is 2+2?", "It is 2+2 = 4.", "4")]).stop
    ('\nQuestion:',)
    ```
    """
    if examples:
        if (instruction, system_prompt) != (PAPER, TEMPLATE):
            raise ConfigError(
                "Worked examples stand in the place of an instruction: leave out instruction and system_prompt, or few_shot."
            )
        return _few_shot(question.strip(), mode, examples)
    content = instruct(question, mode, instruction)
    system = {TEMPLATE: None, NONE: ""}.get(system_prompt, system_prompt)
    prompt: PromptText
    if plain_prompts:
        prompt = (f"{system}\n\n" if system else "") + PLAIN_PROMPT.format(question=content)
    else:
        first = [] if system is None else [{"role": "system", "content": system}]
        prompt = [*first, {"role": "user", "content": content}]
    return BuiltPrompt(prompt, (REQUEST,), "program") if mode == "pot" else BuiltPrompt(prompt, (), "box")


def instruct(question: str, mode: Mode = "cot", instruction: str = PAPER) -> str:
    """Adds an instruction to a question: the paper's, in Chinese when the question has a Chinese character in it, or a given one.

    Args:
        question (`str`):
            The question; white space around it is dropped, as the harness does.
        mode (`str`, *optional*, defaults to `"cot"`):
            `"cot"` for chain of thought, `"tool"` for reasoning mixed with programs, `"pot"` for a program alone (the
            instruction of `"tool"`: DeepSeekMath publishes one for both), `"think"` for reasoning between `<think>` and
            `</think>`, as DeepSeek-R1-Zero writes it (not the paper's; words of our own).
        instruction (`str`, *optional*, defaults to `"paper"`):
            As in [`PromptArguments`].

    Returns:
        `str`: the content of the user's message.
    """
    question = question.strip()
    if instruction == PAPER:
        return question + _INSTRUCTIONS[mode, is_chinese(question)]
    if instruction == NONE:
        return question
    if "{question}" in instruction:
        return instruction.replace("{question}", question)
    return f"{question}\n{instruction.strip()}"


def refuse_for_ready_prompts(instruction: str, system_prompt: str) -> None:
    """
    Raises:
        ConfigError: an instruction or a system prompt is given for a data set whose prompts are written.
    """
    if (instruction, system_prompt) != (PAPER, TEMPLATE):
        raise ConfigError(
            "The data set brings its own prompts: leave out instruction and system_prompt, or name the columns of question and "
            "answer (question_column, gold_column), and prompts are written."
        )


def _few_shot(question: str, mode: Mode, examples: Sequence[Example]) -> BuiltPrompt:
    if mode not in ("cot", "pot"):
        raise ConfigError(
            f"mode={mode!r} is asked for without examples, as in the paper: drop them, or use mode='cot'."
        )
    if mode == "pot":
        shown = [f"Question: {e.question.strip()}\nProgram:\n{_FENCE}{_program(e)}\n```\n\n" for e in examples]
        asked = f"Question: {question}\nProgram:\n{_FENCE}"
        return BuiltPrompt("".join([*shown, asked]), ("```",), "program", opening=_FENCE)
    asks, solves, stop = ("问题：", "\n解答：", "\n问题：")
    if not is_chinese(examples[0].question):
        asks, solves, stop = ("Question: ", "\nSolution: ", "\nQuestion:")
    shown = [f"{asks}{e.question.strip()}{solves}{_worked(e)}\n\n" for e in examples]
    prompt = "".join([*shown, f"{asks}{question}{solves.rstrip(' ')}"])
    return BuiltPrompt(prompt, (stop,), "sentence" if examples[0].answer else "box")


def _worked(example: Example) -> str:
    """The solution with the sentence that names its answer; an example without an answer is shown as it is."""
    solution = example.solution.strip()
    if not example.answer:
        return solution
    if is_chinese(example.question):
        return f"{solution}答案是{example.answer}。"
    return f"{solution} The final answer is {example.answer}."


def _program(example: Example) -> str:
    blocks = programs(example.solution, cut_off=True)
    program = example.program or (blocks[-1] if blocks else None)
    if program is None:
        raise ConfigError(
            f"The example {example.question[:40]!r} has no program: there are programs for gsm8k and math only (as in Table 3 "
            "of the paper). Give it one, or use mode='cot'."
        )
    return program.strip("\n")
