"""`dsmath solve`: one question, a file of them, or a prompt loop."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..generation import SamplerConfig, load_sampler
from ..scripts.options import parse_light
from .answers import show, summarize
from .questions import few_shot_pairs, is_file, questions_of_stdin, read_questions, say
from .recipes import named_recipe
from .solve_options import bare_switches, make_parser

if TYPE_CHECKING:
    from ..inference import Solver, SolveSettings


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    parser = make_parser()
    args = parse_light(parser, bare_switches(parser, named_recipe("solve", argv)))
    if args.question and not args.input and is_file(args.question):
        args.input, args.question = args.question, None
    if args.question and args.input:
        raise ConfigError("A question and --input exclude each other: give one.")
    if args.show_steps and not args.step_scorer:
        raise ConfigError("--show_steps colours steps by their score: give --step_scorer MODEL.")
    if not args.model_name_or_path:
        raise ConfigError("Which model? Give --model: a folder or a name on the hub.")
    settings = settings_of(args)
    loading = SamplerConfig(**{name: getattr(args, name) for name in SamplerConfig.names()})
    if args.vote != "majority" and not args.step_scorer:
        raise ConfigError(f"--vote {args.vote} needs scores: give --step_scorer MODEL.")
    rows = (
        [{"question": args.question, "gold": None}] if args.question else read_questions(args) if args.input else None
    )
    solver = load_solver(args, settings, loading)
    if rows is None:
        return _loop(solver, args)
    output = Path(args.output) if args.output else _beside(args.input) if args.input else None
    return _run(solver, rows, output, _record(args, settings, solver), args)


def settings_of(args: argparse.Namespace) -> "SolveSettings":
    """The settings of the solver.

    Raises:
        ConfigError: a value that cannot work.
    """
    from ..inference import SolveSettings

    return SolveSettings(
        mode=args.mode,
        n=args.n,
        vote=args.vote,
        aggregation=args.aggregation,
        adaptive="off" if args.adaptive is False else args.adaptive,  # YAML reads `off` as false
        temperature=args.temperature,
        top_p=args.top_p,
        max_new_tokens=args.max_new_tokens,
        seed=args.seed,
        few_shot=few_shot_pairs(args.few_shot, args.mode),
        plain=args.plain_prompts,
        problems_at_once=args.problems_at_once,
    )


def load_solver(args: argparse.Namespace, settings: "SolveSettings", loading: SamplerConfig) -> "Solver":
    """Loads model, tokenizer and step scorer.

    Raises:
        ConfigError: one of them cannot be loaded.
        MissingDependencyError: the engine, bitsandbytes or peft is absent.
    """
    from ..inference import Solver

    scorer = None
    if args.step_scorer:
        from ..prm import load_step_scorer

        scorer = load_step_scorer(args.step_scorer, device="cpu" if args.use_cpu else None)
    sampler = load_sampler(
        loading, args.mode == "tool", settings.max_new_tokens, settings.samples, lambda line: say("memory", line)
    )
    solver = Solver(sampler, settings, scorer)
    how = "greedy" if settings.samples == 1 and settings.temperature == 0 else f"{settings.vote} of {settings.samples}"
    say("model", solver.sampler.name)
    say("solving", f"{settings.mode}, {how}, temperature {settings.temperature:g}, stopping {settings.stopping}")
    return solver


def _beside(name: str) -> Path:
    path = Path(name)
    if not path.exists():  # a data set on the hub
        raise ConfigError("Where to? Give --output FILE.jsonl for the answers.")
    return path.with_name(path.name + ".solutions.jsonl")


def _record(args: argparse.Namespace, settings: "SolveSettings", solver: "Solver") -> dict[str, Any]:
    """What answers depend on."""
    ignored = {"problems_at_once"}
    kept = {name: value for name, value in vars(settings).items() if name not in ignored}
    model = {
        name: getattr(args, name) for name in ("adapter", "model_revision", "dtype", "load_in_8bit", "load_in_4bit")
    }
    return {"sampler": solver.sampler.name, **model, "step_scorer": args.step_scorer, **kept}


def _run(
    solver: "Solver", rows: list[dict[str, Any]], output: Path | None, record: dict[str, Any], args: argparse.Namespace
) -> int:
    """Solves questions; with an output, writes each as it is done and goes on where an earlier run was stopped."""
    from tqdm.auto import tqdm

    from ..inference.solve_journal import SolveJournal, question_keys

    keys = question_keys([row["question"] for row in rows])
    journal = SolveJournal(output, record) if output else None
    try:
        solved = journal.solved if journal else {}
        left = [i for i, key in enumerate(keys) if key not in solved]
        known = {place: journal.samples.get(keys[i], []) for place, i in enumerate(left)} if journal else {}
        if journal and len(left) < len(rows):
            say("resume", f"{len(rows) - len(left):,} questions are solved in {output}; going on with {len(left):,}")
        total, begun = solver.settings.samples, sum(map(len, known.values()))
        bar = tqdm(
            total=total * len(left),
            initial=begun,
            unit="sample",
            desc="Solving",
            disable=not sys.stderr.isatty(),
            leave=False,
        )

        def drawn(place: int, first: int, samples: list[Any]) -> None:
            bar.update(len(samples))
            if journal:
                journal.add_samples(keys[left[place]], first, samples)

        with bar:
            for place, solution in solver.solve([rows[i]["question"] for i in left], known, drawn):
                bar.update(total - len(solution.samples))
                row = rows[left[place]]
                if journal:
                    journal.add_solution(keys[left[place]], {**solution.to_dict(), "gold": row["gold"]})
                if args.input is None or args.show_steps:
                    show(solution, args.show_steps)
        if args.input and journal:
            summarize([{**rows[i], **journal.solved[keys[i]]} for i in range(len(rows))], output)
        elif journal and not left:
            print(f"answer      {solved[keys[0]]['answer']} (from {output})")
    finally:
        if journal:
            journal.close()
    return 0


def _loop(solver: "Solver", args: argparse.Namespace) -> int:
    """Questions from the terminal, or from a pipe, one a line."""
    for question in questions_of_stdin():
        row = [{"question": question, "gold": None}]
        output = Path(args.output) if args.output else None
        _run(solver, row, output, _record(args, solver.settings, solver), args)
    return 0
