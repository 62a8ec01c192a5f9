"""How a prompt and the steps of a solution become one sequence, and where in it each step is scored.

All that is particular to a kind of process reward model is its record in `LAYOUTS`. Training and scoring both use it, so
that a model is asked what it was taught. A score position is known from how the
sequence is built and never found by looking for the tag, and tag and special tokens are dropped where a step's own text
would make them: a policy that writes ` ки` or `<extra_0>` neither moves a score nor adds one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from ..errors import ConfigError, DataError
from .encoding import Encoded, Piece, encode_apart, encode_joined, forbidden_ids, render
from .readout import Head, Qwen2ForProcessRewardModel, SkyworkPRM

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Prompt = str | list[dict[str, Any]]
Pieces = tuple[list[int], list[Piece]]  # the ids in front, and the text that follows them

MATH_SHEPHERD_TAG = "ки"
QWEN_TAG = "<extra_0>"
QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."


@dataclass(frozen=True)
class Layout:
    """
    One kind of process reward model. To add one, add a record to `LAYOUTS`.

    Attributes:
        build (`Callable`):
            From tokenizer, prompt, steps and separator to ids and pieces of text.
        head (`str`):
            How a score is read: `"classes"` (softmax over two labels), `"pair"` (softmax over the tokens + and -),
            `"value"` (sigmoid of one number) or `"likelihood"` (sigmoid of a bias and the log-likelihood so far).
        model_class (`type`):
            Its `from_pretrained` loads the model.
        model_kwargs (`Mapping[str, Any]`, *optional*):
            Arguments of `from_pretrained`; a config that differs from them is of another layout.
        joined (`bool`, *optional*, defaults to `False`):
            Whether the text is tokenized in one go, as the model's authors did, or piece by piece.
        tag (`str`, *optional*):
            Text whose token marks a step and may not come from a step. If `None`, the separator of a layout that is not
            joined.
        sign_context (`str`, *optional*, defaults to `""`):
            What comes before + and - when their tokens are looked up.
        prm_type (`str`, *optional*):
            The `prm_type` of [`PRMConfig`] that trains it.
        new_module (`str`, *optional*):
            A module that the base model lacks: trained and saved in full beside an adapter.
        architecture (`str`, *optional*):
            Regular expression for the name of an architecture that is always of this layout.
        released (`str`, *optional*):
            Regular expression for the names of released models whose config says nothing.
    """

    build: Callable[["PreTrainedTokenizerBase", Prompt, list[str], str], Pieces]
    head: Head
    model_class: Any
    model_kwargs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    joined: bool = False
    tag: str | None = None
    sign_context: str = ""
    prm_type: str | None = None
    new_module: str | None = None
    architecture: str | None = None
    released: str | None = None


def question_text(prompt: Prompt) -> str:
    """The question as text: a string as it is, the content of all messages but system messages."""
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(str(message["content"]) for message in prompt if message["role"] != "system")


def _prompt_ids(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, always_bos: bool) -> list[int]:
    """The prompt as a policy reads it. `always_bos`: a string gets the BOS token even where the tokenizer adds none."""
    if not isinstance(prompt, str):
        text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        return tokenizer(text, add_special_tokens=False)["input_ids"]
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    return [*(_bos(tokenizer, always_bos)), *ids]


def _bos(tokenizer: "PreTrainedTokenizerBase", always: bool = False) -> list[int]:
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and (always or tokenizer("a")["input_ids"][:1] == [bos]) else []


def _one_line(step: str, separator: str) -> str:
    """A step's text without the separator: at the end it is written by the layout, inside it would look like one more."""
    text = step.rstrip().lstrip("\r\n")
    return re.sub(rf"(?:{re.escape(separator)})+", " ", text) if separator else text


def _newline(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    pieces = []
    for step in steps:
        pieces += [Piece(_one_line(step, separator)), Piece(separator, trusted=True, score="end")]
    return _prompt_ids(tokenizer, prompt, always_bos=True), pieces


def _skywork(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    ids = tokenizer(question_text(prompt) + "\n", add_special_tokens=False)["input_ids"]
    pieces = []
    for step in steps:
        pieces += [Piece(_one_line(step, "\n")), Piece("\n", trusted=True, score="end")]
    return [*_bos(tokenizer, always=True), *ids], pieces


def _math_shepherd(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    pieces = [Piece(question_text(prompt) + " ")]
    for step in steps:
        text = re.sub(rf"(?<!\w){MATH_SHEPHERD_TAG}(?!\w)", "", step.strip()).rstrip()
        pieces += [Piece(text), Piece(f" {MATH_SHEPHERD_TAG}", trusted=True, score="end"), Piece("\n", trusted=True)]
    return _bos(tokenizer), pieces


def _qwen(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    answer: list[Piece] = []
    for step in steps:
        answer += [Piece(step.strip()), Piece(QWEN_TAG, trusted=True, score="end")]
    fill = [[Piece(question_text(prompt))], answer]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": QWEN_SYSTEM},
        {"role": "user", "content": 0},
        {"role": "assistant", "content": 1},
    ]
    return [], render(tokenizer, messages, fill)


def _rlhflow(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    messages: list[dict[str, Any]] = []
    fill: list[list[Piece]] = []
    for number, step in enumerate(steps):
        # The question is part of the first turn, before the first step.
        first = [Piece(question_text(prompt)), Piece(" ", trusted=True)] if number == 0 else []
        # The model predicts the assistant's sign, so the score is read one token before it.
        fill += [[*first, Piece(step.strip())], [Piece("+", trusted=True, score="before")]]
        messages += [{"role": "user", "content": 2 * number}, {"role": "assistant", "content": 2 * number + 1}]
    return [], render(tokenizer, messages, fill) if steps else []


def _likelihood(tokenizer: "PreTrainedTokenizerBase", prompt: Prompt, steps: list[str], separator: str) -> Pieces:
    pieces = []
    for number, step in enumerate(steps, start=1):
        # The text must be what the policy wrote, separators included, or its likelihood is another text's.
        text = step.rstrip()
        between = step[len(text) :] or (separator if number < len(steps) else "")
        pieces += [Piece(text, score="end"), Piece(between)]
    return _prompt_ids(tokenizer, prompt, always_bos=False), pieces


LAYOUTS: dict[str, Layout] = {
    "newline": Layout(
        _newline,
        "classes",
        AutoModelForTokenClassification,
        model_kwargs=MappingProxyType({"num_labels": 2}),
        prm_type="token_classification",
        new_module="score",
        architecture=r".*ForTokenClassification",
    ),
    "math_shepherd": Layout(
        _math_shepherd,
        "pair",
        AutoModelForCausalLM,
        joined=True,
        tag=f" {MATH_SHEPHERD_TAG}",
        sign_context="a ",
        prm_type="causal",
        released=r"math-shepherd.*prm",
    ),
    "qwen": Layout(
        _qwen,
        "classes",
        Qwen2ForProcessRewardModel,
        joined=True,
        tag=QWEN_TAG,
        architecture="Qwen2ForProcessRewardModel",
        released=r"qwen2\.5-math.*prm",
    ),
    "rlhflow": Layout(_rlhflow, "pair", AutoModelForCausalLM, joined=True, released=r"llama3\.1-8b-prm"),
    "skywork": Layout(_skywork, "value", SkyworkPRM, tag="\n", released=r"skywork-o1.*prm"),
    "likelihood": Layout(
        _likelihood, "likelihood", AutoModelForCausalLM, joined=True, prm_type="likelihood", new_module="step_bias"
    ),
}


def check_layout(layout: str) -> Layout:
    """The record of a layout.

    Raises:
        ConfigError: there is no such layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"There is no layout {layout!r}. Layouts: {', '.join(LAYOUTS)}.")
    return LAYOUTS[layout]


class StepEncoder:
    """
    Turns solutions into sequences in one layout. Trainer and scorer share it.

    Args:
        layout (`str`):
            Key of `LAYOUTS`.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            The reward model's tokenizer.
        separator (`str`, *optional*, defaults to `"\\n"`):
            What ends a step, in the layouts that leave it open (`newline`, `likelihood`).
    """

    def __init__(self, layout: str, tokenizer: "PreTrainedTokenizerBase", separator: str = "\n") -> None:
        chosen = check_layout(layout)
        if not separator:
            raise ConfigError("step_separator is empty, so there is no token at which a step could be scored.")
        self.layout, self.tokenizer, self.separator = layout, tokenizer, separator
        self.forbidden = forbidden_ids(tokenizer, chosen.tag or (None if chosen.joined else separator))

    def __call__(self, prompt: Prompt, steps: list[str]) -> Encoded:
        """Builds the sequence of one solution.

        Args:
            prompt (`str` or `list[dict]`):
                The question, as text or messages.
            steps (`list[str]`):
                The steps, with or without the separators that end them.

        Returns:
            [`Encoded`]: one score position per step, in order; nothing follows the last one.

        Raises:
            DataError: the prompt is empty in a layout that needs one.
            ConfigError: the tokenizer or its chat template is not made for this layout.
        """
        chosen = LAYOUTS[self.layout]
        in_front, pieces = chosen.build(self.tokenizer, prompt, steps, self.separator)
        encoded = (encode_joined if chosen.joined else encode_apart)(self.tokenizer, in_front, pieces, self.forbidden)
        if len(encoded.positions) != len(steps):
            raise ConfigError(
                f"The tokenizer's chat template shows {len(encoded.positions)} of {len(steps)} steps in layout "
                f"{self.layout!r}: this model was made for another layout."
            )
        if encoded.positions and encoded.positions[0] < 0:
            raise DataError("A prompt is empty: there is no token at which its first step could be scored.")
        return encoded


def sign_ids(layout: str, tokenizer: "PreTrainedTokenizerBase") -> tuple[int, int] | None:
    """The tokens of + and - in a layout that reads them, as they are written there.

    Raises:
        ConfigError: the tokenizer has no token of its own for one of them.
    """
    chosen = LAYOUTS[layout]
    if chosen.head != "pair":
        return None
    good, bad = (tokenizer(chosen.sign_context + sign, add_special_tokens=False)["input_ids"][-1] for sign in "+-")
    if str(tokenizer.decode([good])).strip() != "+" or str(tokenizer.decode([bad])).strip() != "-":
        raise ConfigError(
            f"The tokenizer has no token for + or - where the layout {layout!r} reads them. Train with another prm_type."
        )
    return good, bad
