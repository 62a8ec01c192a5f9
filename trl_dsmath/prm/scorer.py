"""A process reward model as a step reward function."""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer

from .._upstream import whole_loading
from ..generation.loading import model_errors
from .encoding import collate, pad_token_of
from .layouts import LAYOUTS, StepEncoder, check_layout, sign_ids
from .models import CONFIG_KEY, detect_layout, load_model, read_config
from .readout import step_logits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BEYOND = 0.0  # score of a step beyond max_length: what was not read does not count as right


class StepScorer:
    """
    Scores the steps of solutions: a step reward function for [`StepGRPOTrainer`], or for use by itself.

    Each solution is read once, whatever its number of steps. Solutions of like length share a batch. A step that lies
    beyond `max_length` is scored 0.0 and counted in `steps_beyond`.

    Args:
        model ([`~transformers.PreTrainedModel`]):
            The reward model.
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]):
            Its tokenizer.
        layout (`str`):
            Key of `LAYOUTS`.
        separator (`str`, *optional*, defaults to `"\\n"`):
            What ends a step, in the layouts that leave it open.
        batch_size (`int`, *optional*, defaults to `16`):
            Solutions of one forward pass.
        max_length (`int`, *optional*):
            Longest sequence in tokens. If `None`, what the model's config says it can read.
        name (`str`, *optional*, defaults to `"step_scorer"`):
            Name of the reward in logs.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: "PreTrainedTokenizerBase",
        layout: str,
        separator: str = "\n",
        batch_size: int = 16,
        max_length: int | None = None,
        name: str = "step_scorer",
    ) -> None:
        self.encoder = StepEncoder(layout, tokenizer, separator)
        self.signs = sign_ids(layout, tokenizer)
        self.model = model.eval()
        self.batch_size = batch_size
        self.max_length = max_length or getattr(model.config, "max_position_embeddings", None)
        self.steps_beyond = 0
        self.__name__ = name

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any] | None = None,
        *,
        steps: Sequence[Sequence[str]],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[list[float]]:
        """Scores solutions.

        Args:
            prompts (`list`):
                One prompt a solution, as text or messages.
            completions (`list`, *optional*):
                Not used: `steps` holds the text.
            steps (`list[list[str]]`):
                The steps of each solution.
            log_metric (`Callable`, *optional*):
                Given by TRL's trainers: logs how many steps lie beyond `max_length`.

        Returns:
            `list[list[float]]`: for each step the probability that it is right.
        """
        encoded = [self.encoder(prompt, list(solution)) for prompt, solution in zip(prompts, steps, strict=True)]
        cut = [solution.truncate(self.max_length) for solution in encoded]
        beyond = sum(len(whole.positions) - len(kept.positions) for whole, kept in zip(encoded, cut, strict=True))
        if beyond and not self.steps_beyond:
            warnings.warn(
                f"{self.__name__}: {beyond} steps lie beyond max_length ({self.max_length} tokens) and are scored "
                f"{BEYOND}. `steps_beyond` goes on counting them.",
                stacklevel=2,
            )
        self.steps_beyond += beyond
        if log_metric is not None:
            log_metric(f"{self.__name__}/steps_beyond_max_length", float(beyond))

        scores = [[BEYOND] * len(solution) for solution in steps]
        order = sorted((n for n in range(len(cut)) if cut[n].positions), key=lambda n: -len(cut[n].input_ids))
        for first in range(0, len(order), self.batch_size):
            numbers = order[first : first + self.batch_size]
            for number, row in zip(numbers, self._score([cut[n] for n in numbers]), strict=True):
                known = len(cut[number].positions)
                scores[number][:known] = row[:known]
        assert [len(row) for row in scores] == [len(solution) for solution in steps]
        return scores

    @torch.no_grad()
    def _score(self, solutions: list[Any]) -> list[list[float]]:
        batch = collate([vars(solution) for solution in solutions], pad_token_of(self.encoder.tokenizer))
        batch = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        bias = getattr(self.model, "step_bias", None)
        head = LAYOUTS[self.encoder.layout].head
        return step_logits(self.model, head, batch, self.signs, bias).sigmoid().tolist()


def load_step_scorer(
    name_or_path: str,
    layout: str | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int = 16,
    max_length: int | None = None,
    step_separator: str | None = None,
) -> StepScorer:
    """Loads a process reward model as a step reward function.

    Args:
        name_or_path (`str`):
            A folder or a name on the hub.
        layout (`str`, *optional*):
            Key of `LAYOUTS`. If `None`, found from the model's config or name: ours, Math-Shepherd, Qwen2.5-Math-PRM,
            RLHFlow's, Skywork-o1-Open-PRM and token classifiers of TRL's former `PRMTrainer`.
        device (`str` or `torch.device`, *optional*):
            If `None`, this process's GPU, or the CPU.
        dtype (`str` or `torch.dtype`, *optional*):
            If `None`, the one that the model was saved in.
        batch_size (`int`, *optional*, defaults to `16`):
            Solutions of one forward pass.
        max_length (`int`, *optional*):
            Longest sequence in tokens; if `None`, what the model can read.
        step_separator (`str`, *optional*):
            What ended a step when the model was trained, where that is not known from its config (default: a newline).

    Returns:
        [`StepScorer`]

    Raises:
        ConfigError: there is no such model, or nothing tells its layout.
    """
    config = read_config(name_or_path)
    layout = layout or detect_layout(name_or_path, config)
    check_layout(layout)
    if device is None:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    with whole_loading():  # while a policy is trained, DeepSpeed or FSDP would leave parts of it on other processes
        model: Any = load_model(name_or_path, layout, dtype=dtype or "auto")
    with model_errors(name_or_path, "tokenizer of "):
        tokenizer = AutoTokenizer.from_pretrained(name_or_path)
    separator = step_separator or (getattr(config, CONFIG_KEY, None) or {}).get("step_separator", "\n")
    name = str(name_or_path).rstrip("/").split("/")[-1]
    return StepScorer(model.to(device), tokenizer, layout, separator, batch_size, max_length, name)
