"""The text of a completion, in every form in which TRL hands it to a reward function."""

from collections.abc import Sequence

Completion = str | Sequence[dict] | None


def completion_text(completion: Completion) -> str:
    """Text that the model wrote: a string as it is; of messages, the assistant's, joined by newlines.

    With tools a completion has several messages; what the tools answered is not the model's text.
    """
    if isinstance(completion, str):
        return completion
    parts = []
    for message in completion or ():
        if message.get("role", "assistant") != "assistant":
            continue
        content = message.get("content")
        if isinstance(content, str):
            parts.append(content)
        elif isinstance(content, Sequence):  # [{"type": "text", "text": ...}, ...]
            parts += [part.get("text") or "" for part in content if isinstance(part, dict)]
    return "\n".join(parts)
