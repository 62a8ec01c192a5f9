"""Tools while training: completions in which programs were run, for TRL's trainers.

TRL's `rollout_func` and `env_mask` are experimental; this module alone knows them. Its interface is [`ToolRollout`] and
the settings `tool_rounds`, `tool_timeout` and `tool_output_chars` of [`DeepSeekMathGRPOConfig`].
"""

from collections import defaultdict
from typing import Any

import torch

from .._upstream import liger_loss, log_metric, policy_for_generation, tokenize_prompts
from ..errors import ConfigError
from ..generation import Decoding, Sample, ToolSampler, TransformersSampler
from ..generation.tools import Run
from ..paper import TOOL_USE

OWN = "own_tokens"  # columns that reward functions get
PROGRAMS = "programs"


class ToolRollout:
    """
    TRL's `rollout_func` for tool-integrated completions (see [`~generation.ToolSampler`]), drawn from the policy.

    The tokens of the interpreter are marked in `env_mask`: they are read by the model, and stay out of loss, KL term,
    clipping and lengths. Reward functions get two more columns: `own_tokens`, 1 for each token of the model's and 0 for
    the interpreter's; and `programs`, a tuple of [`~generation.Program`] for each completion.

    Args:
        rounds (`int`, *optional*, defaults to `2`):
            How often a completion may write; see [`~generation.ToolSampler`].
        timeout (`float`, *optional*, defaults to `10.0`):
            Seconds for a program.
        output_chars (`int`, *optional*, defaults to `100`):
            Characters of output that are shown.
        run (`Callable`, *optional*):
            Runs programs. If `None`, the sandbox.

    Example:
    ```python
    trainer = trl.GRPOTrainer(model, reward_funcs=boxed_accuracy_reward, rollout_func=ToolRollout(), ...)
    ```
    """

    def __init__(
        self,
        rounds: int = TOOL_USE.rounds,
        timeout: float = TOOL_USE.timeout,
        output_chars: int = TOOL_USE.output_chars,
        run: Run | None = None,
    ) -> None:
        self.rounds = rounds
        self.timeout = timeout
        self.output_chars = output_chars
        self.run = run

    def __call__(self, prompts: list, trainer: Any) -> dict[str, Any]:
        """One completion for each prompt; a prompt is repeated once for each completion that is wanted.

        Returns:
            `dict[str, Any]`: what TRL expects of a `rollout_func` (`prompt_ids`, `completion_ids`, `logprobs`, `env_mask`),
            and the columns `own_tokens` and `programs`.

        Raises:
            ConfigError: the trainer has a setting that this cannot follow.
        """
        check_trainer(trainer)
        prompt_ids = tokenize_prompts(trainer, prompts)
        decoding = Decoding(
            max_new_tokens=trainer.max_completion_length,
            temperature=trainer.temperature,
            top_p=trainer.top_p,
            # Torch's generator: its state is saved with a checkpoint, so a resumed run draws the same samples.
            seed=int(torch.randint(2**62, ())),
        )
        with policy_for_generation(trainer) as model:
            sampler = ToolSampler(
                TransformersSampler(model, trainer.processing_class),
                rounds=self.rounds,
                timeout=self.timeout,
                output_chars=self.output_chars,
                run=self.run,
            )
            samples = _draw(sampler, prompt_ids, decoding, trainer.accelerator.process_index * len(prompts))
        self._log(samples, trainer)
        masks = [[int(own) for own in sample.own or ()] for sample in samples]
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": [list(sample.ids) for sample in samples],
            "logprobs": None,  # as when TRL generates with transformers: computed in the forward pass
            "env_mask": masks,
            OWN: masks,
            PROGRAMS: [sample.programs for sample in samples],
        }

    def _log(self, samples: list[Sample], trainer: Any) -> None:
        programs = [program for sample in samples for program in sample.programs]
        metrics = {
            "tools/programs": len(programs) / len(samples),
            "tools/frac_imitates_output": sum(sample.imitates_output for sample in samples) / len(samples),
            "tools/output_tokens": sum((sample.own or ()).count(False) for sample in samples) / len(samples),
        }
        if programs:
            metrics["tools/frac_error"] = sum(program.error is not None for program in programs) / len(programs)
            metrics["tools/frac_timeout"] = sum(program.timed_out for program in programs) / len(programs)
        for name, value in metrics.items():
            log_metric(trainer, name, value)


def _draw(sampler: ToolSampler, prompts: list[list[int]], decoding: Decoding, offset: int) -> list[Sample]:
    """One sample for each row; rows with the same prompt are computed together, as samples of it with other numbers."""
    rows: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, ids in enumerate(prompts):
        rows[tuple(ids)].append(i)
    of_count: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for prompt, places in rows.items():
        of_count[len(places)].append(prompt)
    found: dict[int, Sample] = {}
    for count, distinct in of_count.items():
        # Numbers that no other process gives to a sample of the same prompt: groups can straddle processes.
        drawn = sampler.sample(distinct, decoding, count, first=[offset + rows[prompt][0] for prompt in distinct])
        for prompt, samples in zip(distinct, drawn, strict=True):
            found |= dict(zip(rows[prompt], samples, strict=True))
    return [found[i] for i in range(len(prompts))]


def check_tool_settings(args: Any) -> None:
    """
    Refuses settings that cannot work together with `tool_rounds`.

    Raises:
        ConfigError: such a setting. The message holds the fix.
    """
    if args.tool_rounds < 0:
        raise ConfigError(f"tool_rounds ({args.tool_rounds}) must be 0, for no tools, or more. The authors' is 2.")
    if not args.tool_rounds:
        return
    limits = {"tool_timeout": args.tool_timeout, "tool_output_chars": args.tool_output_chars}
    for name, value in limits.items():
        if value <= 0:
            raise ConfigError(f"{name} ({value}) must be above 0.")
    _check_generation(args)


def _check_generation(args: Any) -> None:
    """What TRL's own generation would follow and [`ToolRollout`] does not."""
    if args.use_vllm:
        raise ConfigError(
            "Tools need generation with transformers: TRL's vLLM calls do not say which stop string ended a completion. "
            "Set use_vllm=False, or leave tool_rounds out."
        )
    if getattr(args, "use_transformers_continuous_batching", False) or getattr(args, "use_transformers_paged", False):
        raise ConfigError("Tools need plain generation: set use_transformers_continuous_batching=False.")
    if liger_loss(args):
        raise ConfigError("Liger's GRPO loss would train on the interpreter's tokens: set use_liger_kernel=False.")
    unlike = {
        "top_k": (args.top_k, 0),
        "min_p": (args.min_p, None),
        "repetition_penalty": (args.repetition_penalty, 1.0),
        "generation_kwargs": (args.generation_kwargs, None),
    }
    for name, (value, plain) in unlike.items():
        if (value or plain) != plain:
            raise ConfigError(f"{name}={value!r} is not applied to completions with tools: leave it out ({plain!r}).")


def check_trainer(trainer: Any) -> None:
    """Refuses a trainer whose completions cannot be drawn by [`ToolRollout`].

    Raises:
        ConfigError: settings as in [`check_tool_settings`], a multimodal model, FSDP, or sharded weights.
    """
    _check_generation(trainer.args)
    if hasattr(trainer.processing_class, "tokenizer"):
        raise ConfigError("Tools take text alone, and the model has a processor for images: leave tool_rounds out.")
    if trainer.is_fsdp_enabled:
        raise ConfigError("Tools do not gather weights that FSDP has divided: use DDP or DeepSpeed, or no tools.")
    if not trainer.args.ds3_gather_for_generation:
        raise ConfigError(
            "With tools the processes generate for different times, which hangs with divided weights: set "
            "ds3_gather_for_generation=True."
        )


def with_tools(args: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The trainer's arguments, with a rollout when the configuration asks for tools.

    Raises:
        ConfigError: there is another source of completions or of tools, or a data set with images.
    """
    if not getattr(args, "tool_rounds", 0):
        return arguments
    for name in ("rollout_func", "tools", "environment_factory"):
        if arguments.get(name):
            raise ConfigError(f"tool_rounds ({args.tool_rounds}) and {name} exclude each other: leave one out.")
    data = arguments.get("train_dataset")
    images = {"image", "images"} & set(getattr(data, "column_names", None) or ())
    if images:
        raise ConfigError(f"Tools take text alone, and the data set has a column {images.pop()!r}: remove it.")
    rollout = ToolRollout(args.tool_rounds, args.tool_timeout, args.tool_output_chars)
    return {**arguments, "rollout_func": rollout}
