"""What a model reads: the paper's instruction for instruct and RL models, worked examples for base models."""

from dataclasses import dataclass

from ..data.benchmark_problems import Problem
from ..data.benchmarks import find
from ..data.few_shot import EXAMPLES, Example
from ..data.prompts import PLAIN_PROMPT, Mode, instruct
from ..errors import ConfigError
from ..generation import Prompt
from .extraction import Form

_CODE = "```python\n"


@dataclass(frozen=True)
class Asked:
    """A prompt, the strings that end its samples, and where the answer is asked for."""

    prompt: Prompt
    stop: tuple[str, ...]
    form: Form


def ask(problem: Problem, mode: Mode, few_shot: bool, plain: bool) -> Asked:
    r"""
    The prompt of a problem.

    Args:
        problem ([`Problem`]):
            The problem.
        mode (`str`):
            `"cot"`, `"tool"` (reasoning and programs in turns) or `"pot"` (one program, whose output is the answer).
        few_shot (`bool`):
            Worked examples instead of an instruction.
        plain (`bool`):
            Without examples: a string (`User: ...`) instead of messages for the chat template.

    Returns:
        [`Asked`]

    Raises:
        ConfigError: few-shot tools, or few-shot programs where there are no examples of them.

    Source: Table 2 and 3 (base: few-shot), Table 5 (instruct and RL: zero-shot).
    """
    if few_shot:
        return _few_shot(problem, mode)
    content = instruct(problem.question, mode)
    prompt: Prompt = PLAIN_PROMPT.format(question=content) if plain else [{"role": "user", "content": content}]
    if mode == "pot":
        return Asked(prompt, ("```output",), "program")
    return Asked(prompt, (), "box")


def ends_with_fence(prompt: Prompt) -> bool:
    """Whether a model that continues the prompt writes a program and nothing else."""
    return isinstance(prompt, str) and prompt.endswith(_CODE)


def _few_shot(problem: Problem, mode: Mode) -> Asked:
    benchmark = find(problem.benchmark)
    examples = EXAMPLES[benchmark.examples]
    chinese = benchmark.chinese
    if mode == "tool":
        raise ConfigError(
            "Tools are asked for without examples, as in the paper: leave --few_shot out, or --mode cot."
        )
    if mode == "pot":
        if any(example.program is None for example in examples):
            raise ConfigError(
                f"{benchmark.title}: there are examples of programs for gsm8k and math only (as in Table 3 of the paper); "
                "use --mode cot."
            )
        parts = [f"Question: {example.question}\nProgram:\n{_CODE}{example.program}\n```\n\n" for example in examples]
        return Asked("".join([*parts, f"Question: {problem.question}\nProgram:\n{_CODE}"]), ("```",), "program")
    shown = "".join(_worked(example, chinese) for example in examples)
    if chinese:
        return Asked(f"{shown}问题：{problem.question}\n解答：", ("\n问题：",), "sentence")
    return Asked(f"{shown}Question: {problem.question}\nSolution:", ("\nQuestion:",), "sentence")


def _worked(example: Example, chinese: bool) -> str:
    if chinese:
        return f"问题：{example.question}\n解答：{example.solution}答案是{example.answer}。\n\n"
    return f"Question: {example.question}\nSolution: {example.solution} The final answer is {example.answer}.\n\n"
