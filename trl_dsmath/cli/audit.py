"""`dsmath audit`: a GRPO run's logged completions judged again by two graders."""

import argparse
from pathlib import Path

from ..audit import Golds, read_run, regrade, write
from ..audit.serve import make_server
from ..data.files import load_split
from ..report import text_table
from ..scripts.options import parse_light


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath audit",
        description="Judge what a GRPO run logged (log_completions, of any TRL run, running or finished) with two independent "
        "graders: ours, and math-verify as TRL wraps it. Say where they disagree, which advantages that changes, and which signs of "
        "reward hacking there are.",
    )
    parser.add_argument("run", type=Path, help="the run's output_dir, its folder completions, or a .parquet file")
    parser.add_argument(
        "--dataset_name",
        help="the data set of the run, joined by prompt; without it the golds are a column of the log",
    )
    parser.add_argument("--dataset_config", help="configuration of a data set on the hub")
    parser.add_argument("--split", default="train", help="split of the data set (default: %(default)s)")
    parser.add_argument("--question_column", help="column of the question (looked for by the usual names)")
    parser.add_argument("--gold_column", help="column of the gold (looked for by the usual names)")
    parser.add_argument("--reward_column", help="column of the run's own accuracy reward (the one of 0 and 1)")
    parser.add_argument("--output", type=Path, help="where the report goes (default: RUN/audit)")
    parser.add_argument(
        "--serve", action="store_true", help="serve the page on 127.0.0.1, to settle cases by keyboard"
    )
    parser.add_argument("--port", type=int, default=0, help="port for that (default: a free one)")
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    golds = None
    if args.dataset_name:
        dataset = load_split(args.dataset_name, args.dataset_config, args.split)
        golds = Golds(dataset, args.question_column, args.gold_column)
    logged, remarks = read_run(args.run, args.reward_column, golds, args.gold_column)
    for remark in remarks:
        print(remark)
    output = args.output or (args.run if args.run.is_dir() else args.run.parent) / "audit"
    judged = regrade(logged, output / "math-verify.jsonl")
    audit = write(output, logged, judged, remarks)
    for table in audit.tables.values():
        if len(table) > 1:
            print(f"\n{text_table(table)}")
    print(f"\n{audit.headline}")
    print(f"saved       {output / 'report.html'}, {output / 'cases.jsonl'} ({len(audit.cases):,} cases)")
    if args.serve:
        server = make_server(output, args.port)
        print(f"audit       http://127.0.0.1:{server.server_port}  (Ctrl-C ends)", flush=True)
        server.serve_forever()
    return 0
