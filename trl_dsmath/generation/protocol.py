"""What every engine promises: prompts in, samples out, each sample from its own random stream."""

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConfigError, DataError
from ..text.programs import printed_answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Text, messages for the chat template, or token ids. Ids are continued exactly as they are.
Prompt = str | Sequence[dict[str, Any]] | Sequence[int]


@dataclass(frozen=True)
class Decoding:
    """
    How samples are drawn.

    Args:
        max_new_tokens (`int`, *optional*, defaults to `1024`):
            Longest sample.
        temperature (`float`, *optional*, defaults to `1.0`):
            `0.0` is greedy.
        top_p (`float`, *optional*, defaults to `1.0`):
            Share of the probability that is sampled from. There is no top-k: transformers' own default of 50 changes
            the policy silently.
        stop (`tuple[str, ...]`, *optional*):
            Strings that end a sample.
        seed (`int`, *optional*, defaults to `0`):
            Seed of all random streams.

    Raises:
        ConfigError: a value that cannot work.
    """

    max_new_tokens: int = 1024
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}.")
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"temperature must be 0 (greedy) or more, not {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, not {self.top_p}.")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ConfigError(f"stop must be a tuple of strings that are not empty, not {self.stop!r}.")

    @property
    def greedy(self) -> bool:
        """Whether nothing is random."""
        return self.temperature == 0


@dataclass(frozen=True)
class Program:
    """A program that a sample had run.

    Attributes:
        code (`str`):
            Its block; the blocks before it were run again, silently, to bring back their variables.
        stdout (`str`):
            All that it printed, though the model was shown less.
        error (`str`, *optional*):
            What it failed with.
        timed_out (`bool`):
            Whether it was stopped.
    """

    code: str
    stdout: str
    error: str | None = None
    timed_out: bool = False

    @property
    def answer(self) -> str | None:
        """What the last line that it printed says; `None` when it printed nothing, failed, or was stopped."""
        return None if self.error or self.timed_out else printed_answer(self.stdout)


@dataclass(frozen=True)
class Sample:
    """One continuation of a prompt.

    Attributes:
        text (`str`):
            The text without special tokens, cut off before the stop string.
        ids (`tuple[int, ...]`):
            The tokens as they were sampled, with the end-of-text token or the whole stop string where one came.
        finished (`bool`):
            Whether it came to an end; False when it was cut off at `max_new_tokens`.
        stop (`str`, *optional*):
            The stop string that ended it; `None` otherwise.
        own (`tuple[bool, ...]`, *optional*):
            With tools, whether the model wrote a token (else the interpreter did); `None`: it wrote all of them.
        programs (`tuple[Program, ...]`):
            The programs that were run for it.
        imitates_output (`bool`):
            Whether the model wrote something that looks like the interpreter's output.
        tokens (`int`, *optional*):
            Its length where a server says it and returns no ids.
    """

    text: str
    ids: tuple[int, ...]
    finished: bool
    stop: str | None = None
    own: tuple[bool, ...] | None = None
    programs: tuple[Program, ...] = ()
    imitates_output: bool = False
    tokens: int | None = None

    @property
    def length(self) -> int:
        """Tokens of the sample."""
        return len(self.ids) if self.tokens is None else self.tokens


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Watch:
    """What an engine calls while it works, so that samples can be kept and progress can be shown before the call ends.

    Args:
        on_sample (`Callable[[int, int, Sample], None]`, *optional*):
            Called with each sample as it is finished, in any order: place of its prompt, place among its `n`.
        on_tokens (`Callable[[int], None]`, *optional*):
            Called now and then with the number of new tokens. Engines that do not see tokens do not call it.
    """

    on_sample: Callable[[int, int, Sample], None] = _ignore
    on_tokens: Callable[[int], None] = _ignore


class Sampler(Protocol):
    """An engine.

    Sample `i` of a prompt is drawn from a random stream that depends on nothing but the seed, the ids of the prompt and
    `i`: not on the other prompts of the call, nor on the order, nor on how the engine divides the work. So samples 0-1
    and then 2-7 are the samples that 0-7 would have been, and a run that is resumed draws what it would have drawn. What
    the stream is applied to, the model's probabilities, differs in the last bits with the shape of a batch. In float32 a
    sample changes when a draw falls within about 1e-6 of the border between two tokens; in bfloat16 that is common.
    """

    @property
    def name(self) -> str:
        """Engine and model, for records."""

    @property
    def context_length(self) -> int | None:
        """Tokens that the model can read, prompt and sample together; `None` where that is not known."""

    @property
    def rows_at_once(self) -> int:
        """Samples that it draws in little more time than one: with fewer, stopping early saves no time."""

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """The ids that the model reads for a prompt."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text that follows a prompt: no special tokens."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        n: int = 1,
        first: int | Sequence[int] = 0,
        watch: Watch | None = None,
    ) -> list[list[Sample]]:
        """
        Draws samples of prompts.

        Args:
            prompts (`Sequence[Prompt]`):
                Texts, lists of messages, or lists of token ids. Ids are continued exactly as they are.
            decoding ([`Decoding`]):
                Length, temperature, top-p, stop strings and seed, the same for all prompts.
            n (`int`, *optional*, defaults to `1`):
                Samples per prompt. When nothing is random (`decoding.greedy`), one is computed and returned `n` times.
            first (`int` or `Sequence[int]`, *optional*, defaults to `0`):
                Number of the first sample: `first` to `first + n - 1` are drawn. One number for all prompts, or one per
                prompt; with it, a later call continues an earlier one.
            watch ([`Watch`], *optional*):
                Is given each sample as it is finished.

        Returns:
            `list[list[Sample]]`: one list per prompt in the order of `prompts`, each with `n` samples in the order of
            their numbers.

        Raises:
            ConfigError: messages, and the tokenizer has no chat template; or a server that refuses the request.
            DataError: an empty prompt, or one that leaves no room for a token.
        """


def stream_key(seed: int, ids: Sequence[int], index: int) -> int:
    """The 128-bit key of the random stream of sample `index` of a prompt."""
    digest = hashlib.blake2b(f"{seed}/{index}/".encode(), digest_size=16)
    digest.update(array("q", ids).tobytes())
    return int.from_bytes(digest.digest(), "little")


def first_of(first: int | Sequence[int], prompts: int) -> list[int]:
    """`first` as one number per prompt."""
    return [first] * prompts if isinstance(first, int) else list(first)


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> list[int]:
    """The ids that a model reads for a prompt.

    Text gets the tokenizer's special tokens, as TRL does it, unless it begins with one already; messages go through the
    chat template with the generation prompt; ids stay as they are.

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


class TokenizerMixin:
    """What engines that hold a tokenizer have in common; they set `_tokenizer`, and `context_length` where it is known."""

    _tokenizer: Any
    context_length: int | None = None

    @property
    def tokenizer(self) -> Any:
        return self._tokenizer

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        return encode_prompt(self.tokenizer, prompt)

    def encode(self, text: str) -> list[int]:
        # No special tokens, not even where the text has their names in it.
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        # Nothing is tidied up, so that the text of a prefix of the ids is a prefix of the text.
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))
