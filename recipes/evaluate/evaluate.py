"""The paper's benchmarks by a model, or recorded completions, beside the published metrics. Copy and edit.

    python recipes/evaluate/evaluate.py --config recipes/evaluate/cpu.yaml
    python recipes/evaluate/evaluate.py --model MODEL --benchmarks gsm8k,math500 --output_dir runs/eval
    python recipes/evaluate/evaluate.py --completions FILE.jsonl --benchmarks gsm8k
    python recipes/evaluate/evaluate.py --rescore runs/eval

Every sample is written as it is drawn; the same command continues a run that was stopped. Exit code 1: samples are missing.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import SamplerConfig, describe_prompt, load_sampler
from trl_dsmath.inference import (
    EvaluateConfig,
    load_plan,
    load_problems,
    load_recordings,
    metrics_text,
    plan,
    read_samples,
    run,
    score,
    write_agreement,
    write_report,
)
from trl_dsmath.scripts import ScriptParser, run_script, say


@dataclass
class RecordedArguments:
    rescore: str | None = field(default=None, metadata={"help": "Folder whose samples are judged again; no model."})
    completions: str | None = field(
        default=None, metadata={"help": "Recorded completions to judge (.jsonl); no model."}
    )
    completion_column: str | None = field(default=None, metadata={"help": "Their column, if not a usual name."})
    gold_column: str | None = field(default=None, metadata={"help": "Column of the golds, if not a usual name."})


ARGUMENTS = (RecordedArguments, EvaluateConfig, SamplerConfig)


def main() -> int:
    parser = ScriptParser(ARGUMENTS, description="The paper's benchmarks by a model, or recorded completions.")
    recorded, config, model = parser.parse_args_and_config()
    if recorded.rescore:
        folder = Path(recorded.rescore)
    elif recorded.completions:
        folder = read_recordings(recorded, config)
    else:
        folder = draw_samples(config, model)

    tasks, record = load_plan(folder)
    samples = read_samples(folder)
    scores = score(tasks, samples, config.time_limit)
    report = write_report(folder, tasks, scores, record)
    print(metrics_text(report.metrics))
    for warning in report.warnings:
        print(f"note        {warning.replace('**', '')}")
    if agreement := write_agreement(folder, samples, scores.graded, tasks):
        print("labels      {:,} of {:,} agree with the flexible answer".format(*agreement))
    print(f"report      {folder / 'report.html'} (and report.md, report.json, scores.jsonl)")
    return 0 if scores.complete else 1


def draw_samples(config: EvaluateConfig, model: SamplerConfig) -> Path:
    """Draws the samples that the folder lacks."""
    if not config.output_dir:
        raise ConfigError("Where to? Give --output_dir: samples and report are written there.")
    problems = load_problems(config)
    tools = config.mode == "tool"
    identity = model.identity(tools)
    plan(problems, config, identity)  # refuses what cannot be asked before the model is loaded
    sampler = load_sampler(model, tools)
    tasks = plan(problems, config, identity, sampler)
    print(f"model       {identity}")
    asked, count = len(tasks) // len(config.decodings()), sum(task.samples for task in tasks)
    print(f"problems    {asked:,} of {', '.join(config.benchmarks)}")
    print(f"samples     {count:,}, mode {config.mode}{', few-shot' if config.few_shot else ''}")
    print(f"output      {config.output_dir}", flush=True)
    for what, line in describe_prompt(tasks[0].prompt, sampler):
        say(what, line)
    settings = {**asdict(config), "benchmarks": ",".join(config.benchmarks)}
    record = {"model": model.model_name_or_path, "identity": identity, "settings": settings}
    at_once = config.samples_at_once or (64 if model.engine == "transformers" else 4096)
    drawn = run(tasks, sampler, config.output_dir, record, at_once)
    print(f"drawn       {drawn:,} samples that were missing")
    return Path(config.output_dir)


def read_recordings(recorded: RecordedArguments, config: EvaluateConfig) -> Path:
    """Puts a file of completions into a folder, as if they had been drawn."""
    path = Path(recorded.completions)
    form = "program" if config.mode == "pot" else "sentence" if config.few_shot else "box"
    problems = load_problems(config) if config.benchmarks else []
    found = load_recordings(path, problems, form, config.mode, recorded.completion_column, recorded.gold_column)
    print(f"judging     {len(found.samples):,} completions of {len(found.tasks):,} problems in {path}")
    for remark in found.remarks:
        print(f"note        {remark}")
    return found.save(config.output_dir or path.with_name(path.name + ".evaluation"), {"model": path.name})


if __name__ == "__main__":
    run_script(main)
