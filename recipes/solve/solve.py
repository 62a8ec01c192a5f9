"""Answers by vote: one question, a file of them, or a prompt loop. Copy and edit.

python recipes/solve/solve.py "What is the sum of the first 100 positive integers?" --model MODEL --n 16
python recipes/solve/solve.py questions.jsonl --config recipes/solve/4bit.yaml
python recipes/solve/solve.py --model MODEL                    a prompt loop, or one question per line from a pipe
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trl_dsmath import Solver
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import SamplerConfig, describe_prompt
from trl_dsmath.inference import (
    QuestionArguments,
    Solution,
    SolveConfig,
    default_output,
    load_questions,
    summary_of_answers,
)
from trl_dsmath.scripts import ScriptParser, run_script


@dataclass
class SolveArguments:
    output: str | None = field(default=None, metadata={"help": "Answers, samples beside it (INPUT.solutions.jsonl)."})
    step_scorer: str | None = field(default=None, metadata={"help": "Process reward model: folder or name."})
    show_steps: bool = field(default=False, metadata={"help": "Each step behind its score; needs step_scorer."})


ARGUMENTS = (QuestionArguments, SolveArguments, SolveConfig, SamplerConfig)


def main() -> None:
    parser = ScriptParser(ARGUMENTS, description="Answer questions by vote, with or without programs.")
    parser.add_argument("question", nargs="?", help="the question, or a file of questions")
    source, args, config, model, words = parser.parse_args_and_config()
    question = words.question
    if question and not source.input and is_file(question):
        source.input, question = question, None
    if question and source.input:
        raise ConfigError("A question and --input exclude each other: give one.")
    if not args.step_scorer and (args.show_steps or config.vote != "majority"):
        what = "--show_steps" if args.show_steps else f"--vote {config.vote}"
        raise ConfigError(f"{what} needs scores of steps: give --step_scorer MODEL.")

    rows = [{"question": question}] if question else None
    if source.input:
        rows = load_questions(**vars(source))
        log("data", f"{len(rows):,} questions, {sum(bool(row['gold']) for row in rows):,} with a right answer")
        args.output = args.output or default_output(source.input)

    scorer = None
    if args.step_scorer:
        from trl_dsmath import load_step_scorer  # here, so that --help is quick

        scorer = load_step_scorer(args.step_scorer, device="cpu" if model.use_cpu else None)
    solver = Solver.from_pretrained(model, scorer, settings=config, notify=lambda line: log("memory", line))
    how = "greedy" if config.temperature == 0 else f"{config.vote} of {config.samples}"
    log("model", solver.sampler.name)
    log("solving", f"{config.mode}, {how}, temperature {config.temperature:g}, stopping {config.stopping}")

    for what, line in describe_prompt(solver.prompt(rows[0]["question"] if rows else "..."), solver.sampler):
        log(what, line)

    shown: list[Solution] = []

    def show(solution: Solution) -> None:
        shown.append(solution)
        if not source.input or args.show_steps:
            print(solution.report(args.show_steps), flush=True)

    if rows is None:
        for line in lines_of_terminal():
            solver.solve_file([{"question": line}], args.output, show)
        return
    solved = solver.solve_file(rows, args.output, show)
    if source.input:
        print(summary_of_answers(solved, printed=config.mode == "pot"))
    elif not shown:
        print(f"answer      {solved[0]['answer']} (an earlier run's)")
    if args.output:
        print(f"saved       {args.output}")


def lines_of_terminal() -> Iterator[str]:
    """Questions typed at a prompt, or from a pipe, one per line."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401  (arrow keys in input)

    log("prompt", "one question per line; an empty line or Ctrl-D ends")
    with contextlib.suppress(EOFError):
        while line := input("question> ").strip():
            yield line


def is_file(word: str) -> bool:
    with contextlib.suppress(OSError):  # a question is longer than a name may be
        return Path(word).is_file()
    return False


def log(what: str, line: str) -> None:
    """Progress goes to stderr: stdout is for answers."""
    print(f"{what:<12}{line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_script(main)
