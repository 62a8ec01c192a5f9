"""A page that answers questions: samples as they come, votes, steps by score, programs and their output. Copy and edit.

python recipes/demo/demo.py --model MODEL
python recipes/demo/demo.py --model MODEL --step_scorer PRM --vote weighted
python recipes/demo/demo.py --model MODEL --mode tool                         programs, run in the sandbox

It listens on this machine alone; `--server_name 0.0.0.0` lets others in. `app.py` beside it is the same for a Space.
"""

from dataclasses import dataclass, field

from trl_dsmath import Solver
from trl_dsmath.errors import ConfigError
from trl_dsmath.generation import SamplerConfig
from trl_dsmath.inference.demo import DemoConfig, make_demo
from trl_dsmath.scripts import ScriptParser, run_script, say


@dataclass
class DemoArguments:
    step_scorer: str | None = field(default=None, metadata={"help": "Process reward model: folder or name."})
    server_name: str = field(default="127.0.0.1", metadata={"help": "Address to listen on; 0.0.0.0 lets others in."})
    server_port: int | None = field(default=None, metadata={"help": "Port; a free one from 7860 when left out."})


ARGUMENTS = (DemoArguments, DemoConfig, SamplerConfig)


def main() -> None:
    parser = ScriptParser(ARGUMENTS, description="A page that answers questions, with votes and scored steps.")
    args, config, model = parser.parse_args_and_config()
    if not args.step_scorer and config.vote != "majority":
        raise ConfigError(f"--vote {config.vote} needs scores of steps: give --step_scorer MODEL.")
    scorer = None
    if args.step_scorer:
        from trl_dsmath import load_step_scorer  # here, so that --help is quick

        scorer = load_step_scorer(args.step_scorer, device="cpu" if model.use_cpu else None)
    solver = Solver.from_pretrained(model, scorer, settings=config, notify=lambda line: say("memory", line))
    page, options = make_demo(solver)
    _, address, _ = page.launch(
        server_name=args.server_name, server_port=args.server_port, prevent_thread_lock=True, quiet=True, **options
    )
    say("demo", f"{address}  (Ctrl-C ends)")
    page.block_thread()


if __name__ == "__main__":
    run_script(main)
