"""Prompts to token ids and back, the same for every engine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError
from .protocol import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> list[int]:
    """The ids that a model reads for a prompt.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            The model's tokenizer.
        prompt (`str`, `list[dict]` or `list[int]`):
            Text gets the tokenizer's special tokens, as TRL does it, unless it begins with one already; messages go
            through the chat template with the generation prompt; ids stay as they are.

    Raises:
        ConfigError: messages, and the tokenizer has no chat template.
        DataError: the prompt is empty.
    """
    if isinstance(prompt, str):
        begun = tokenizer.bos_token is not None and prompt.startswith(str(tokenizer.bos_token))
        ids = tokenizer(prompt, add_special_tokens=not begun)["input_ids"]
    elif prompt and isinstance(prompt[0], dict):
        if tokenizer.chat_template is None:
            raise ConfigError(
                "The prompt is a list of messages and the tokenizer has no chat template: give strings, or set "
                "tokenizer.chat_template = trl_dsmath.data.CHAT_TEMPLATE."
            )
        ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]  # type: ignore[call-overload,arg-type,index]
    else:
        ids = prompt
    if not len(ids):
        raise DataError("A prompt has no token: nothing can be continued. Give it some text.")
    return list(ids)


class Encoding:
    """What engines with a tokenizer of their own have in common; `_tokenizer` is set by them."""

    _tokenizer: Any

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        return encode_prompt(self._tokenizer, prompt)

    def encode(self, text: str) -> list[int]:
        # No special tokens, not even where the text has their names in it.
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        # Nothing is tidied up, so that the text of a prefix of the ids is a prefix of the text.
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
