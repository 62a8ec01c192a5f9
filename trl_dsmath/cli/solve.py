"""`dsmath solve`: one question, a file of them, or a prompt loop."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .answers import show, summarize
from .options import parse_light
from .questions import few_shot_pairs, is_file, questions_of_stdin, read_questions, say
from .recipes import recipe_path

if TYPE_CHECKING:
    from ..solve import Solver, SolveSettings
    from ..solve.loading import Loading


_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    from ..solve.settings import SolveSettings

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
    _option(group, "engine", "transformers or vllm", default="transformers")
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


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    parser = make_parser()
    args = parse_light(parser, _bare_switches(parser, _with_recipe(argv)))
    if args.question and not args.input and is_file(args.question):
        args.input, args.question = args.question, None
    if args.question and args.input:
        raise ConfigError("A question and --input exclude each other: give one.")
    if args.show_steps and not args.step_scorer:
        raise ConfigError("--show_steps colours steps by their score: give --step_scorer MODEL.")
    if not args.model_name_or_path:
        raise ConfigError("Which model? Give --model: a folder or a name on the hub.")
    settings, loading = settings_of(args), loading_of(args)
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


def _with_recipe(argv: list[str]) -> list[str]:
    """`--config NAME` with the file behind the name."""
    found = list(argv)
    for i, word in enumerate(argv):
        if word == "--config" and i + 1 < len(argv):
            found[i + 1] = str(recipe_path("solve", argv[i + 1]))
        elif word.startswith("--config="):
            found[i] = f"--config={recipe_path('solve', word.removeprefix('--config='))}"
    return found


def _bare_switches(parser: argparse.ArgumentParser, argv: list[str]) -> list[str]:
    """Writes `--load_in_4bit` as `--load_in_4bit=true` where a question follows, which argparse would take for its value."""
    switches = {name for action in parser._actions if action.type is _truth for name in action.option_strings}
    following = [*argv, ""][1:]
    return [
        f"{word}=true" if word in switches and after.lower() not in _TRUTH else word
        for word, after in zip(argv, following, strict=True)
    ]


def settings_of(args: argparse.Namespace) -> "SolveSettings":
    """The settings of the solver.

    Raises:
        ConfigError: a value that cannot work.
    """
    from ..solve import SolveSettings

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


def loading_of(args: argparse.Namespace) -> "Loading":
    """How the model is loaded.

    Raises:
        ConfigError: a value that cannot work.
    """
    from ..solve.loading import Loading

    loading = Loading(
        args.model_name_or_path,
        adapter=args.adapter,
        dtype=args.dtype,
        load_in_8bit=args.load_in_8bit,
        load_in_4bit=args.load_in_4bit,
        double_quantization=args.use_bnb_nested_quant,
        device_map=args.device_map,
        use_cpu=args.use_cpu,
        revision=args.model_revision,
        trust_remote_code=args.trust_remote_code,
        attn_implementation=args.attn_implementation,
    )
    if args.engine not in ("transformers", "vllm"):
        raise ConfigError(f"--engine must be transformers or vllm, not {args.engine!r}.")
    if args.engine == "vllm" and (loading.quantization or loading.adapter):
        raise ConfigError("--engine vllm loads models as they are saved: leave out 8 and 4 bits and the adapter.")
    return loading


def load_solver(args: argparse.Namespace, settings: "SolveSettings", loading: "Loading") -> "Solver":
    """Loads model, tokenizer and step scorer.

    Raises:
        ConfigError: one of them cannot be loaded.
        MissingDependencyError: the engine, bitsandbytes or peft is absent.
    """
    from ..sampling import Sampler
    from ..solve import Solver
    from ..solve.solver import with_tools

    scorer = None
    if args.step_scorer:
        from ..prm import load_step_scorer

        scorer = load_step_scorer(args.step_scorer, device="cpu" if args.use_cpu else None)
    sampler: Sampler
    if args.engine == "vllm":
        from ..sampling import VLLMSampler

        sampler = VLLMSampler(
            loading.model,
            trust_remote_code=loading.trust_remote_code,
            revision=loading.revision,
            dtype=loading.dtype or "auto",
        )
    else:
        from ..sampling import TransformersSampler
        from ..solve.loading import load_policy

        policy, tokenizer = load_policy(
            loading, settings.max_new_tokens, settings.samples, lambda line: say("memory", line)
        )
        sampler = TransformersSampler(policy, tokenizer, batch_size=args.batch_size)
    solver = Solver(with_tools(sampler, settings), settings, scorer)
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

    from ..solve.journal import SolveJournal, question_keys

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
