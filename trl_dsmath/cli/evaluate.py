"""`dsmath evaluate`: benchmarks, by a model or from recorded completions, and a report beside the published figures."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.benchmarks import canonical
from ..data.journal import write_whole
from ..errors import ConfigError
from ..generation import SamplerConfig, load_sampler
from ..grading.batch import TIME_LIMIT
from ..inference import (
    BENCHMARKS,
    Problem,
    Scores,
    Settings,
    load_benchmark,
    load_plan,
    load_recordings,
    plan,
    run,
    score,
)
from ..inference.extraction import Form
from ..inference.recordings import agreement
from ..inference.report import metrics_text, write
from ..inference.run import SAMPLES, Task, read_samples, save_plan
from ..scripts.options import parse_light
from .recipes import named_recipe

_TEN = [name for name in BENCHMARKS if not name.startswith("aime")]


def _yes(text: object) -> bool:
    if str(text).lower() not in {"true", "false", "yes", "no", "1", "0"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return str(text).lower() in {"true", "yes", "1"}


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath evaluate",
        allow_abbrev=False,
        description="Evaluate a model on the paper's benchmarks. Writes every sample as it goes, goes on where it was "
        "stopped, and ends with report.md, report.html and report.json. Exit code 1 when samples are missing.",
    )

    def switch(name: str, text: str, default: bool = False, to: Any = parser) -> None:
        to.add_argument(
            f"--{name}", nargs="?", const=True, default=default, type=_yes, help=text, metavar="true|false"
        )

    defaults = Settings(("gsm8k",))
    what = parser.add_argument_group("what")
    what.add_argument("--benchmarks", help=f"comma-separated: {', '.join(BENCHMARKS)}; or all (the paper's ten)")
    what.add_argument("--benchmarks_dir", help="folder with the test sets, or one file; the hub when left out")
    what.add_argument("--limit", type=int, help="problems of each benchmark, spread over it; all when left out")
    what.add_argument("--output_dir", type=Path, help="folder of samples and report")
    what.add_argument("--rescore", type=Path, metavar="DIR", help="judge the samples in DIR again; no model needed")
    what.add_argument("--completions", type=Path, metavar="FILE", help="judge recorded completions (.jsonl); no model")
    what.add_argument("--completion_column", help="column of the completions (default: the usual names)")
    what.add_argument("--gold_column", help="column of the golds (default: the usual names)")
    how = parser.add_argument_group("how")
    how.add_argument("--mode", choices=("cot", "pot", "tool"), default=defaults.mode, help="default: %(default)s")
    switch("few_shot", "worked examples instead of the instruction, for base models", to=how)
    switch("plain_prompts", "prompts as strings (`User: ...`) instead of the chat template", to=how)
    switch("greedy", "one greedy sample a problem (default: true)", default=True, to=how)
    how.add_argument("--num_samples", type=int, default=0, help="samples a problem for avg@k, maj@k, pass@k")
    how.add_argument("--temperature", type=float, default=defaults.temperature, help="of these (default: %(default)s)")
    how.add_argument("--top_p", type=float, default=defaults.top_p, help="of these (default: %(default)s)")
    how.add_argument("--max_new_tokens", type=int, default=defaults.max_new_tokens, help="default: %(default)s")
    how.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    how.add_argument(
        "--time_limit", type=float, default=TIME_LIMIT, help="seconds for one answer (default: %(default)s)"
    )
    how.add_argument(
        "--samples_at_once", type=int, help="samples between two writes (default: 64; vllm, server: 4096)"
    )
    model = parser.add_argument_group("model")
    model.add_argument("--model_name_or_path", help="folder or name on the hub; a folder with a LoRA adapter is fine")
    model.add_argument("--adapter", help="LoRA adapter to put on the model")
    model.add_argument("--model_revision", help="revision on the hub")
    model.add_argument("--dtype", help="bfloat16, float16, float32")
    switch("load_in_8bit", "linear layers as int8", to=model)
    switch("load_in_4bit", "linear layers as nf4", to=model)
    model.add_argument("--attn_implementation", help="sdpa, flash_attention_2, eager")
    switch("trust_remote_code", "a model may bring its own code", to=model)
    switch("use_cpu", "stay on the CPU where there is a GPU", to=model)
    model.add_argument(
        "--engine",
        choices=("transformers", "vllm", "server"),
        default="transformers",
        help="vllm: in this process; server: vLLM, elsewhere",
    )
    model.add_argument(
        "--vllm_server_base_url",
        default=SamplerConfig().vllm_server_base_url,
        help="where --engine server finds it (default: %(default)s)",
    )
    model.add_argument("--batch_size", type=int, help="samples computed at a time; by memory when left out")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv (`list[str]`, *optional*):
            Arguments after the command. If `None`, those of the process.

    Returns:
        `int`: 0, or 1 when samples are missing or problems did not fit into the model.
    """
    args = parse_light(make_parser(), named_recipe("evaluate", sys.argv[1:] if argv is None else argv))
    if args.rescore is not None:
        tasks, record = load_plan(args.rescore)
        return _finish(args.rescore, tasks, read_samples(args.rescore), record, args)
    names = _names(args.benchmarks)
    if args.completions is not None:
        return _recorded(args, names)
    settings = Settings(
        tuple(names),
        args.mode,
        args.few_shot,
        args.plain_prompts,
        args.greedy,
        args.num_samples,
        args.temperature,
        args.top_p,
        args.max_new_tokens,
        args.seed,
        args.limit,
    )
    if args.output_dir is None:
        raise ConfigError("Where to? Give --output_dir: samples and report are written there.")
    if not args.model_name_or_path:
        raise ConfigError("Which model? Give --model_name_or_path: a folder, or a name on the hub.")
    problems = _load(names, args.benchmarks_dir)
    plan(problems, settings, "")  # refuses what cannot be asked before a model is loaded
    loading = SamplerConfig(**{name: getattr(args, name) for name in SamplerConfig.names() if hasattr(args, name)})
    sampler = load_sampler(loading, args.mode == "tool")
    identity = loading.identity(args.mode == "tool")
    tasks = plan(problems, settings, identity, sampler.encode_prompt, sampler.context_length)
    print(f"model       {identity}")
    print(f"problems    {len({(t.problem.benchmark, t.problem.index) for t in tasks}):,} of {', '.join(names)}")
    print(f"samples     {sum(task.samples for task in tasks):,}, mode {args.mode}{', few-shot' * args.few_shot}")
    print(f"output      {args.output_dir}", flush=True)
    record = {
        "model": args.model_name_or_path,
        "identity": identity,
        "settings": {**asdict(settings), "benchmarks": ",".join(settings.benchmarks)},
        "benchmarks_dir": args.benchmarks_dir,
    }
    at_once = args.samples_at_once or (64 if args.engine == "transformers" else 4096)
    with _Progress() as progress:
        drawn = run(tasks, sampler, args.output_dir, record, at_once, progress)
    print(f"drawn       {drawn:,} samples; {sum(t.samples for t in tasks if not t.too_long) - drawn:,} were there")
    return _finish(args.output_dir, tasks, read_samples(args.output_dir), load_plan(args.output_dir)[1], args)


def _names(given: Any) -> list[str]:
    """Benchmarks of `--benchmarks gsm8k,math`, or of a list in a YAML file."""
    words = given if isinstance(given, list) else str(given or "").split(",")
    names = [str(word).strip() for word in words if str(word).strip()]
    return list(_TEN) if names == ["all"] else [canonical(name) for name in names]


def _load(names: list[str], folder: str | None) -> list[Problem]:
    return [problem for name in names for problem in load_benchmark(name, folder)]


def _recorded(args: argparse.Namespace, names: list[str]) -> int:
    """Judges a file of recorded completions."""
    problems = _load(names, args.benchmarks_dir)
    form: Form = "program" if args.mode == "pot" else "sentence" if args.few_shot else "box"
    found = load_recordings(args.completions, problems, form, args.mode, args.completion_column, args.gold_column)
    folder = args.output_dir or args.completions.with_name(args.completions.name + ".evaluation")
    print(f"judging     {len(found.samples):,} completions of {len(found.tasks):,} problems in {args.completions}")
    for remark in found.remarks:
        print(f"note        {remark}")
    save_plan(found.tasks, folder, {"model": args.completions.name, "completions": str(args.completions)})
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found.samples)
    write_whole(folder / SAMPLES, "".join(lines))
    return _finish(folder, found.tasks, found.samples, load_plan(folder)[1], args)


def _finish(
    folder: Path, tasks: list[Task], samples: list[dict[str, Any]], record: dict[str, Any], args: argparse.Namespace
) -> int:
    """Judges, writes the report, and says what came out."""
    scores = score(tasks, samples, args.time_limit)
    report = write(folder, tasks, scores, record)
    print(metrics_text(report.metrics))
    for warning in report.warnings:
        print(f"note        {warning.replace('**', '')}")
    _say_agreement(folder, tasks, samples, scores)
    print(f"report      {folder / 'report.html'} (and report.md, report.json, scores.jsonl)")
    return 0 if scores.whole else 1


def _say_agreement(folder: Path, tasks: list[Task], samples: list[dict[str, Any]], scores: Scores) -> None:
    labelled, differing = agreement(samples, scores.graded, tasks)
    if labelled:
        print(f"labels      {labelled - len(differing):,} of {labelled:,} agree with the flexible reading")
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in differing)
        write_whole(folder / "disagreements.jsonl", "".join(lines))


class _Progress:
    """A bar on a terminal, nothing in a log file."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(desc="evaluate", unit="sample", disable=not sys.stderr.isatty(), leave=False)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


if __name__ == "__main__":
    from . import run as run_command

    raise SystemExit(run_command("evaluate", sys.argv[1:]))
