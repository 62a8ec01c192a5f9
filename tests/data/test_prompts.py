"""The prompts are the paper's to the letter."""

from typing import Any

import jinja2
import pytest

from trl_dsmath.data.few_shot import EXAMPLES, Example
from trl_dsmath.data.prompts import (
    CHAT_TEMPLATE,
    PLAIN_PROMPT,
    BuiltPrompt,
    PromptArguments,
    build_prompt,
    instruct,
)
from trl_dsmath.errors import ConfigError

COT = "\nPlease reason step by step, and put your final answer within \\boxed{}."
ZH = "\n请通过逐步推理来解答问题，并把最终答案放置于\\boxed{}中。"
TOOL = (
    "\nPlease integrate natural language reasoning with programs to solve the problem above, and put your final answer "
    "within \\boxed{}."
)
TOOL_ZH = "\n请结合自然语言和Python程序语言来解答问题，并把最终答案放置于\\boxed{}中。"


@pytest.mark.parametrize(
    ("question", "mode", "ending"),
    [
        ("What is 1+1?", "cot", COT),
        ("What is 1+1?", "tool", TOOL),
        ("1+1等于几？", "cot", ZH),
        ("1+1等于几？", "tool", TOOL_ZH),
    ],
)
def test_instruction_follows_language_and_mode(question: str, mode: str, ending: str) -> None:
    assert instruct(f"  {question}\n", mode) == question + ending


def _render(messages: list[dict[str, str]], generate: bool) -> str:
    template = jinja2.Environment().from_string(CHAT_TEMPLATE)
    return template.render(messages=messages, bos_token="<s>", eos_token="</s>", add_generation_prompt=generate)


def test_chat_template_is_deepseekmaths() -> None:
    user = {"role": "user", "content": "Q"}
    assert _render([user], True) == "<s>User: Q\n\nAssistant:"
    assert _render([user, {"role": "assistant", "content": "A"}], False) == "<s>User: Q\n\nAssistant: A</s>"


def test_plain_and_chat_prompts_are_the_same_text() -> None:
    content = instruct("What is 1+1?")
    assert "<s>" + PLAIN_PROMPT.format(question=content) == _render([{"role": "user", "content": content}], True)


def test_zero_shot() -> None:
    message = [{"role": "user", "content": f"Q?{COT}"}]
    assert build_prompt(" Q?\n") == BuiltPrompt(message, (), "box")
    assert build_prompt("Q?", "tool", plain_prompts=True).prompt == f"User: Q?{TOOL}\n\nAssistant:"
    assert build_prompt("Q?", "pot") == BuiltPrompt(
        [{"role": "user", "content": f"Q?{TOOL}"}], ("```output",), "program"
    )


def test_worked_examples_word_by_word() -> None:
    examples = (Example("What is 2+2?", "It is 2+2 = 4.", "4", "print(2 + 2)"), Example("1-1?", "So \\boxed{0}."))
    assert build_prompt(" What is 1+1?\n", examples=examples) == BuiltPrompt(
        "Question: What is 2+2?\nSolution: It is 2+2 = 4. The final answer is 4.\n\n"
        "Question: 1-1?\nSolution: So \\boxed{0}.\n\n"
        "Question: What is 1+1?\nSolution:",
        ("\nQuestion:",),
        "sentence",
    )
    assert build_prompt("1+1?", examples=examples[1:]).form == "box"
    assert build_prompt("1+1?", "pot", examples[:1]) == BuiltPrompt(
        "Question: What is 2+2?\nProgram:\n```python\nprint(2 + 2)\n```\n\nQuestion: 1+1?\nProgram:\n```python\n",
        ("```",),
        "program",
        opening="```python\n",
    )


def test_chinese_examples() -> None:
    built = build_prompt("一加二？", examples=(Example("一加一？", "一加一得二。", "2"),))
    assert built.prompt == "问题：一加一？\n解答：一加一得二。答案是2。\n\n问题：一加二？\n解答："
    assert (built.stop, built.form) == (("\n问题：",), "sentence")


@pytest.mark.parametrize("end", ["\n```\n", ""])  # the last block may be cut off at its fence
def test_a_program_in_the_examples_solution(end: str) -> None:
    prompt = build_prompt("?", "pot", (Example("1?", f"Thus\n```python\nprint(1){end}"),)).prompt
    assert isinstance(prompt, str) and prompt.startswith("Question: 1?\nProgram:\n```python\nprint(1)\n```\n\n")


def test_examples_that_cannot_be_shown() -> None:
    with pytest.raises(ConfigError, match="without examples"):
        build_prompt("?", "tool", EXAMPLES["gsm8k"])
    with pytest.raises(ConfigError, match="gsm8k and math only"):
        build_prompt("?", "pot", EXAMPLES["sat"])


def test_instruction_and_system_prompt_are_the_users() -> None:
    def asked(**options: Any) -> Any:
        return build_prompt(" 1+1?", **options).prompt

    user = {"role": "user", "content": "1+1?"}
    assert asked(instruction="none") == [user]
    assert asked(instruction="Box it: \\boxed{}.") == [{"role": "user", "content": "1+1?\nBox it: \\boxed{}."}]
    around = asked(instruction="Solve {question} in {steps}", mode="tool")
    assert around == [{"role": "user", "content": "Solve 1+1? in {steps}"}]
    assert asked(instruction="none", system_prompt="none") == [{"role": "system", "content": ""}, user]
    assert asked(instruction="none", system_prompt="Be brief.") == [{"role": "system", "content": "Be brief."}, user]
    plain = {"plain_prompts": True, "instruction": "none"}
    assert asked(system_prompt="Be brief.", **plain) == "Be brief.\n\nUser: 1+1?\n\nAssistant:"
    assert asked(system_prompt="none", **plain) == "User: 1+1?\n\nAssistant:"
    assert asked(**PromptArguments().prompt_options()) == asked()
    for options in ({"instruction": "none"}, {"system_prompt": "none"}):
        with pytest.raises(ConfigError, match="leave out instruction and system_prompt, or few_shot"):
            build_prompt("?", examples=EXAMPLES["gsm8k"], **options)
