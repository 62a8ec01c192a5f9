"""The prompts are the paper's to the letter."""

import jinja2
import pytest

from trl_dsmath.data.prompts import CHAT_TEMPLATE, PLAIN_PROMPT, instruct

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
