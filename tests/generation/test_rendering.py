"""The first prompt of a run as the model reads it."""

from typing import Any

import pytest
from jinja2 import TemplateError

from trl_dsmath.data import CHAT_TEMPLATE
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import describe_prompt
from trl_dsmath.generation.rendering import own_system_prompt

USER = {"role": "user", "content": "1+1?"}
SYSTEM = {"role": "system", "content": "Be brief."}
# As SmolLM2's and Qwen2.5's: messages without a system prompt get one.
OWN = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<s>system\nYou are Smol.</s>{% endif %}"
    "<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
CHATML = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
)


class Tokenizer:
    """A chat template, rendered as transformers does it."""

    def __init__(self, template: str) -> None:
        self.template = template

    def apply_chat_template(self, messages: Any, tokenize: bool, add_generation_prompt: bool) -> str:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(message: str) -> None:
            raise TemplateError(message)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = refuse
        names = {"bos_token": "<b>", "eos_token": "</b>", "add_generation_prompt": add_generation_prompt}
        return environment.from_string(self.template).render(messages=messages, **names)


def test_the_system_prompt_of_a_template_is_found() -> None:
    found = {name: own_system_prompt(Tokenizer(name)) for name in (OWN, CHATML, CHAT_TEMPLATE, REFUSES)}
    assert found == {OWN: "You are Smol.", CHATML: "", CHAT_TEMPLATE: "", REFUSES: ""}


def test_templates_whose_system_prompt_is_not_seen_or_has_blanks_around_it() -> None:
    deaf = "{% for m in messages %}{% if m['role'] == 'user' %}Smol: {{ m['content'] }}{% endif %}{% endfor %}"
    other = "{% if messages | length > 1 %}<s>{{ messages[0]['content'] }}</s>{% else %}Smol.{% endif %}"
    blanks = "[{{ messages[0]['content'] if messages | length > 1 else '  Be Smol.\n' }}]"
    assert [own_system_prompt(Tokenizer(one)) for one in (deaf, other, blanks)] == ["", "", "Be Smol."]
    begins = other.replace("Smol.", "<s>Smol.")  # as before it, but not as behind it
    assert own_system_prompt(Tokenizer(begins)) == ""


def test_prompt_and_remark() -> None:
    shown = describe_prompt([USER], Tokenizer(OWN))
    assert shown[0] == ("prompt", "<s>system\n            You are Smol.</s><s>user\n            1+1?</s><s>assistant")
    assert shown[1][0] == "system" and "a system prompt of its own, 'You are Smol.'" in shown[1][1]
    assert len(describe_prompt([SYSTEM, USER], Tokenizer(OWN))) == 1  # the user's own is in its place
    assert describe_prompt([USER], Tokenizer(CHAT_TEMPLATE)) == [
        ("prompt", "<b>User: 1+1?\n            \n            Assistant:")
    ]
    assert describe_prompt("Question: 1+1?", Tokenizer(OWN)) == [("prompt", "Question: 1+1?")]


def test_a_template_that_takes_no_system_prompt_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"System role not supported\. Leave system_prompt out\."):
        describe_prompt([SYSTEM, USER], Tokenizer(REFUSES))


def test_engines_with_tools_and_without_a_tokenizer() -> None:
    class Engine:
        _tokenizer = Tokenizer(CHATML)

    class Tools:
        _sampler = Engine()

    class Server:
        pass

    assert describe_prompt([USER], Tools()) == [("prompt", "<s>user\n            1+1?</s>")]
    assert describe_prompt([SYSTEM, USER], Server()) == [("prompt", "system: Be brief.\n            user: 1+1?")]


def test_a_long_prompt_loses_its_middle() -> None:
    ((_, text),) = describe_prompt("a" * 1000 + "b" * 1000, Tokenizer(OWN))
    assert text == "a" * 750 + " [... 500 characters ...] " + "b" * 750
