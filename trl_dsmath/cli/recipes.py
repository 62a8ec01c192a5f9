"""`dsmath recipes`: what comes with the package, and a copy of a script and its YAML files for editing."""

import argparse
import shutil
import textwrap
from dataclasses import astuple
from pathlib import Path

from ..errors import ConfigError
from ..scripts.options import parse_light
from ..scripts.recipes import STAGES, copy_recipe, recipe_infos


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="dsmath recipes",
        description="List the recipes: hardware, time and metric to expect, from the headers of the YAML files.",
    )
    parser.add_argument("stage", nargs="?", help="list those of one stage only")
    parser.add_argument("--copy", type=Path, metavar="DIR", help="copy script and YAML files of the stage for editing")
    return parser


def main(argv: list[str]) -> int:
    """Runs the command; see `make_parser`."""
    args = parse_light(make_parser(), argv)
    infos = [info for info in recipe_infos() if args.stage in (None, info.name.partition("/")[0])]
    if not infos and args.stage not in STAGES:
        raise ConfigError(f"There is no recipe of a stage {args.stage!r}. Stages: {', '.join(STAGES)}.")
    if args.copy is None:
        _print_table([("recipe", "hardware", "time", "expect"), *map(astuple, infos)])
        print(
            "\n`dsmath STAGE --config NAME` runs one; `dsmath recipes STAGE --copy DIR` copies a script for editing."
        )
        return 0
    if args.stage is None:
        raise ConfigError("Which stage? Give its name, such as `dsmath recipes grpo --copy DIR`.")
    for file in copy_recipe(args.stage, args.copy):
        print(file)
    script = args.copy / f"{args.stage}.py"
    run = f"{script} --config {infos[0].name.partition('/')[2]}" if infos else f"{script} --help"
    print(f"\nRun it: python {run}" + (f"\n    or: accelerate launch --num_processes 2 {run}" if infos else ""))
    return 0


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """One row per recipe, each cut to the width of the terminal; the headers of the YAML files say more."""
    room = max(80, shutil.get_terminal_size((120, 24)).columns)
    widths = (19, 28, 20, room - 73)
    for row in rows:
        cells = (textwrap.shorten(cell, width, placeholder=" ...") for cell, width in zip(row, widths, strict=True))
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())
