"""The options of `dsmath solve`, each with - or _ in its name."""

import argparse
from typing import Any

from ..generation import SamplerConfig

_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    from ..inference.solve_settings import SolveSettings

    parser = argparse.ArgumentParser(
        prog="dsmath solve",
        description="Answer questions by vote. Give a question, a file of them (--input), or nothing: then questions are "
        "read from the terminal or from a pipe, one a line. Options can be spelt with - or _.",
        allow_abbrev=False,
    )
    parser.add_argument("question", nargs="?", help="the question, or a file of questions")
    default = SolveSettings()

    group = parser.add_argument_group("questions")
    _option(
        group, "input", "a .jsonl, .json, .parquet, .csv or .txt file (one question a line), or a data set on the hub"
    )
    _option(group, "dataset_config", "configuration of a data set on the hub")
    _option(group, "dataset_split", "split (default: test where there is one)")
    _option(group, "question_column", "column of the question; looked for by the usual names when left out")
    _option(group, "gold_column", "column of the right answer, for the accuracy; looked for likewise")
    _option(group, "limit", "how many questions to take, from the first", type=int)
    _option(group, "output", "file for the answers (default for a file: INPUT.solutions.jsonl); samples go beside it")

    group = parser.add_argument_group("model")
    _option(group, "model_name_or_path", "folder, LoRA adapter, or name on the hub", also=("--model",))
    _option(group, "adapter", "LoRA adapter to put on the model")
    _option(group, "model_revision", "revision of a model on the hub", also=("--revision",))
    _option(group, "dtype", "bfloat16, float16 or float32", also=("--torch_dtype", "--torch-dtype"))
    _switch(group, "load_in_8bit", "linear layers as int8 (bitsandbytes)")
    _switch(group, "load_in_4bit", "linear layers as nf4 with double quantisation (bitsandbytes)")
    _switch(group, "use_bnb_nested_quant", "double quantisation of 4-bit weights (true unless set to false)", True)
    _option(group, "device_map", "as in transformers (default: auto on GPUs)")
    _option(group, "attn_implementation", "as in transformers: sdpa, flash_attention_2, eager")
    _switch(group, "trust_remote_code", "a model on the hub may bring its own code")
    _switch(group, "use_cpu", "stay on the CPU where there is a GPU")
    _option(
        group, "engine", "transformers, vllm (in this process) or server (vLLM, elsewhere)", default="transformers"
    )
    _option(
        group,
        "vllm_server_base_url",
        "where the server of --engine server listens",
        default=SamplerConfig().vllm_server_base_url,
    )
    _option(group, "batch_size", "samples computed at a time; by the memory when left out", type=int)

    group = parser.add_argument_group("solving")
    _option(
        group, "mode", "cot, tool (programs whose output the model sees) or pot (one program)", default=default.mode
    )
    _option(group, "n", "samples a question, at most", type=int, default=default.n)
    _option(group, "vote", "majority, weighted or best_of_n (the last two need --step_scorer)", default=default.vote)
    _option(group, "adaptive", "exact, beta or off: when a vote may stop early", default=default.adaptive)
    _option(group, "temperature", "0 is greedy", type=float, default=default.temperature)
    _option(group, "top_p", "share of the probability that is sampled from", type=float, default=default.top_p)
    _option(group, "max_new_tokens", "longest sample", type=int, default=default.max_new_tokens)
    _option(group, "seed", "seed of all random streams", type=int, default=default.seed)
    _option(
        group,
        "few_shot",
        "worked examples for a base model: gsm8k, math or cmath, or a .jsonl of question and solution",
    )
    _switch(group, "plain_prompts", "prompts as text (`User: ...`), without the chat template")
    _option(group, "problems_at_once", "questions worked on together", type=int, default=default.problems_at_once)
    _option(group, "step_scorer", "process reward model: folder or name")
    _option(group, "aggregation", "min, product or last: one score out of the steps'", default=default.aggregation)
    _switch(group, "show_steps", "print each step with its score, coloured on a terminal (needs --step_scorer)")
    return parser


def _option(group: Any, name: str, what: str, also: tuple[str, ...] = (), **settings: Any) -> None:
    """An option in both spellings."""
    default = settings.get("default")
    names = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}", *also])
    group.add_argument(
        *names,
        dest=name,
        metavar="X",
        help=what + (f" (default: {default})" if default is not None else ""),
        **settings,
    )


def _switch(group: Any, name: str, what: str, default: bool = False) -> None:
    """A flag that also takes true or false, as those of the training commands."""
    names = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
    group.add_argument(
        *names, dest=name, nargs="?", const=True, default=default, type=_truth, metavar="BOOL", help=what
    )


def _truth(word: str) -> bool:
    if word.lower() in _TRUTH:
        return _TRUTH[word.lower()]
    raise argparse.ArgumentTypeError(f"true or false, not {word!r}")


def bare_switches(parser: argparse.ArgumentParser, argv: list[str]) -> list[str]:
    """Writes `--load_in_4bit` as `--load_in_4bit=true` where a question follows, which argparse would take for its value."""
    switches = {name for action in parser._actions if action.type is _truth for name in action.option_strings}
    following = [*argv, ""][1:]
    return [
        f"{word}=true" if word in switches and after.lower() not in _TRUTH else word
        for word, after in zip(argv, following, strict=True)
    ]
