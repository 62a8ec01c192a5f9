"""What a model reads, as text: shown at the start of a run, since a prompt that does not fit costs more than most settings."""

from collections.abc import Sequence
from typing import Any

from ..data.prompts import PromptText
from ..errors import ConfigError

_LONGEST = 1500  # characters that are shown; worked examples have more
_MARK = "\ue000"  # a character of no prompt


def describe_prompt(prompt: PromptText, reader: Any) -> list[tuple[str, str]]:
    """
    A prompt as the model reads it, for people.

    Args:
        prompt (`str` or `list[dict]`):
            The prompt.
        reader ([`~transformers.PreTrainedTokenizerBase`] or [`~generation.Sampler`]):
            What renders messages. A server that keeps its tokenizer to itself renders them out of sight.

    Returns:
        `list[tuple[str, str]]`: a name and the text; then, where the chat template puts in a system prompt of its own, that.

    Raises:
        ConfigError: the chat template refuses the messages: many refuse a system prompt.
    """
    if not prompt or isinstance(prompt, str):
        return [("prompt", _shown(str(prompt or "")))]
    tokenizer = _tokenizer_of(reader)
    if tokenizer is None:
        return [("prompt", _shown("\n".join(f"{one['role']}: {one['content']}" for one in prompt)))]
    lines = [("prompt", _shown(_render(tokenizer, prompt)))]
    if prompt[0].get("role") != "system" and (own := own_system_prompt(tokenizer)):
        told = f"the chat template puts in a system prompt of its own, {own!r}: system_prompt replaces it"
        lines.append(("system", told))
    return lines


def own_system_prompt(tokenizer: Any) -> str:
    """The system prompt that a chat template puts in where messages have none; empty when it has none.

    It is what stands in the place of a given one.
    """
    user = {"role": "user", "content": "?"}
    try:
        given = _render(tokenizer, [{"role": "system", "content": _MARK}, user])
    except ConfigError:  # it takes no system prompt
        return ""
    before, mark, after = given.partition(_MARK)
    found = _render(tokenizer, [user])
    if not mark or not (found.startswith(before) and found.endswith(after)):
        return ""
    return found[len(before) : len(found) - len(after)].strip()


def _render(tokenizer: Any, messages: Sequence[dict[str, Any]]) -> str:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError as error:
        advice = " Leave system_prompt out." if messages[0].get("role") == "system" else ""
        raise ConfigError(f"The chat template refuses the prompt: {error}.{advice}") from error


def _tokenizer_of(reader: Any) -> Any:
    """A tokenizer, or that of an engine; `None` for an engine without one."""
    if hasattr(reader, "apply_chat_template"):
        return reader
    return getattr(getattr(reader, "_sampler", reader), "_tokenizer", None)  # tools are put around an engine


def _shown(text: str) -> str:
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} [... {len(text) - _LONGEST:,} characters ...] {text[-_LONGEST // 2 :]}"
    return text.strip("\n").replace("\n", f"\n{'':12}")
