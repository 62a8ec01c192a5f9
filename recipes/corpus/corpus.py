"""Find the mathematical pages of a crawl (paper, section 2.1): prepare the text, run the fastText loop, annotate.

    dsmath corpus prepare --pages CRAWL --output_dir P   extract, deduplicate, decontaminate: what the loop reads (P/clean)
    dsmath corpus --config FILE [--key value ...]        run the loop, or resume it
    dsmath corpus annotate FOLDER [--port N]             decide on URL prefixes in a browser, by keyboard
    dsmath corpus score FOLDER --task I --tasks N        score a part of the open round's shards, in a cluster's job array

`python recipes/corpus/corpus.py` takes the same arguments. Exit codes: 0 done, 2 error or diverging, 3 waiting for decisions.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trl_dsmath.corpus import (
    Execution,
    KeepLanguages,
    KeepQuality,
    LoopSettings,
    prepare,
    run_loop,
    score_part,
    serve,
    statistics,
)
from trl_dsmath.errors import ConfigError
from trl_dsmath.scripts import ScriptParser, run_script


@dataclass
class OutputArguments:
    output_dir: str = field(metadata={"help": "Working folder; the result is written to corpus/ in it."})


@dataclass
class ExecutorArguments:
    executor: Literal["local", "ray", "slurm"] = field(default="local", metadata={"help": "Where the tasks run."})
    tasks: int = field(default=16, metadata={"help": "Parts of a stage, resumed one by one."})
    partition: str | None = field(default=None, metadata={"help": "Slurm partition."})
    time: str | None = field(default=None, metadata={"help": "Slurm time limit of a task, such as 12:00:00."})
    venv_path: str | None = field(default=None, metadata={"help": "Python environment that Slurm jobs activate."})
    mem_per_cpu_gb: float | None = field(default=None, metadata={"help": "Memory of a task on Ray or Slurm."})

    def execution(self, workers: int) -> Execution:
        names = ("partition", "time", "venv_path", "mem_per_cpu_gb")
        options = {name: value for name in names if (value := getattr(self, name)) is not None}
        for name in options:
            if self.executor not in ("slurm", "ray" if name == "mem_per_cpu_gb" else ""):
                raise ConfigError(f"--{name} is for --executor slurm.")
        return Execution(self.executor, self.tasks, workers, options)


@dataclass
class PrepareArguments:
    pages: str = field(metadata={"help": "Folder of WARC, JSON lines (also compressed) or parquet files; s3:// too."})
    output_dir: str = field(metadata={"help": "Folder for the result (clean/), what was removed, and logs."})
    benchmarks: list[str] = field(
        default_factory=list, metadata={"help": "Files or folders of benchmarks to keep out of the text."}
    )
    workers: int = field(default=1, metadata={"help": "Tasks that run at a time."})
    max_bytes: int = field(default=10_000_000, metadata={"help": "Longer pages are skipped."})
    seconds: float = field(default=20.0, metadata={"help": "CPU time for a page before its plain text is taken."})
    languages: list[str] = field(default_factory=list, metadata={"help": "Keep pages in these: en zh."})
    language_model: str | None = field(default=None, metadata={"help": "fastText model of languages: lid.176.bin."})
    quality: bool = field(default=False, metadata={"help": "Keep pages that pass Gopher's rules, formulas left out."})


@dataclass
class AnnotateArguments:
    port: int | None = field(default=None, metadata={"help": "Port on this machine (default: a free one)."})


@dataclass
class ScoreArguments:
    task: int = field(metadata={"help": "Number of this task, from 0."})
    tasks: int = field(metadata={"help": "Number of tasks."})


ARGUMENTS = (LoopSettings, OutputArguments, ExecutorArguments)


def loop(argv: list[str]) -> int:
    settings, output, where = ScriptParser(ARGUMENTS).parse_args_and_config(argv)
    execution = where.execution(settings.workers)
    result = run_loop(settings, output.output_dir, lambda line: print(line, flush=True), execution)
    if result.status == "diverging":
        raise ConfigError(result.message)
    print(f"{result.status:<13}{result.message}")
    return 3 if result.status == "waiting" else 0


def prepare_pages(argv: list[str]) -> int:
    args, where = ScriptParser((PrepareArguments, ExecutorArguments)).parse_args_and_config(argv)
    if not args.benchmarks:
        print("warning      no --benchmarks: nothing is decontaminated", flush=True)
    execution = where.execution(args.workers)
    if bool(args.languages) != bool(args.language_model):
        raise ConfigError("--languages and --language_model go together: --languages en --language_model lid.176.bin")
    filters = [KeepLanguages(args.languages, args.language_model)] if args.language_model else []
    filters += [KeepQuality()] if args.quality else []
    prepare(args.pages, args.output_dir, args.benchmarks, execution, args.max_bytes, args.seconds, filters)
    if where.executor == "slurm":
        print(f"submitted    the stages wait for each other; the result will be in {args.output_dir}/clean")
        return 0
    for block, counts in statistics(args.output_dir).items():
        shown = [f"{key} {count:,}" for key, count in counts.items() if not key.startswith("doc_len")]
        if shown:
            print(f"{block:<32} {', '.join(shown)}")
    print(f"done         {args.output_dir}/clean")
    return 0


def annotate(argv: list[str]) -> int:
    parser = ScriptParser((AnnotateArguments,), usage="dsmath corpus annotate FOLDER [--port N]")
    parser.add_argument("folder")
    args, run = parser.parse_args_and_config(argv)
    serve(Path(run.folder), args.port)
    return 0


def score(argv: list[str]) -> int:
    parser = ScriptParser((ScoreArguments,), usage="dsmath corpus score FOLDER --task I --tasks N")
    parser.add_argument("folder")
    args, run = parser.parse_args_and_config(argv)
    print(f"scored       {score_part(Path(run.folder), args.task, args.tasks)} files")
    return 0


def main() -> int:
    commands = {"prepare": prepare_pages, "annotate": annotate, "score": score}
    argv = sys.argv[1:]
    return commands[argv[0]](argv[1:]) if argv and argv[0] in commands else loop(argv)


if __name__ == "__main__":
    run_script(main)
