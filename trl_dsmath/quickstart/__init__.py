"""`dsmath quickstart`: all stages of DeepSeekMath on a toy task, from random weights, with a report."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from ..errors import ConfigError, DataError, DsMathError
from .settings import STAGES, RunFolder, Settings

DESCRIPTION = """\
The stages of DeepSeekMath on a toy task, with a tiny Llama from random weights: corpus, pretrain, sft, annotate (step
labels by roll-outs), prm (process reward model), grpo (rewarded by the outcome), step_grpo (by outcome and steps), solve
(self-consistency before and after), quantize (8 and 4 bits). Prints each stage's figure and writes a report. Stopped and
started again, it goes on where it was.
"""
_HELP = {
    "seed": "seed of everything",
    "pages": "pages of the made-up crawl",
    "annotate_problems": "problems whose solutions are labelled",
    "grpo_steps": "updates in grpo, and in step_grpo",
    "problems": "held-out problems",
    "vote_problems": "held-out problems to vote on",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsmath quickstart", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Settings()
    parser.add_argument(
        "--output_dir",
        "--output-dir",
        type=Path,
        default=Path("quickstart-run"),
        help="folder of models, results and report (default: %(default)s)",
    )
    parser.add_argument("--stages", default=",".join(STAGES), help="which stages (default: %(default)s)")
    for name, value in asdict(default).items():
        text = _HELP.get(name) or f"updates in {name.removesuffix('_steps')}"
        flags = dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"])
        parser.add_argument(*flags, type=int, default=value, metavar="N", help=f"{text} (default: %(default)s)")
    return parser


def _stages(text: str) -> list[str]:
    asked = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in asked if name not in STAGES]
    if unknown or not asked:
        raise ConfigError(f"--stages {text}: name stages out of {','.join(STAGES)}, with commas.")
    return [stage for stage in STAGES if stage in asked]


def main(argv: Sequence[str]) -> int:
    """
    Runs the quickstart.

    Args:
        argv (`Sequence[str]`):
            Command line, without the name of the command.

    Returns:
        `int`: exit status: 0 when all went well, 130 when stopped by Ctrl-C.

    Raises:
        ConfigError: settings that cannot work, or a folder that belongs to other settings.
        DataError: the folder cannot be written, or its disk is full.
    """
    options = _parser().parse_args(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched; without it each trainer sends telemetry
    folder = options.output_dir
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
    stages = _stages(options.stages)
    try:
        run_folder = RunFolder(folder, settings)
        from .run import run

        run(settings, stages, run_folder)
    except KeyboardInterrupt:
        print(f"\nStopped. The same command goes on from here ({folder}/).", file=sys.stderr)
        return 130
    except DsMathError:
        raise
    except Exception as error:
        # Not only OSError: torch and safetensors have their own classes for a full disk.
        if reason := _what_is_wrong(folder, error):
            print()  # ends the line of progress
            raise DataError(reason) from error
        raise
    return 0


def _what_is_wrong(folder: Path, error: Exception) -> str | None:
    """What is wrong with the folder or its disk, with the fix; None if it is something else."""
    there = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    if shutil.disk_usage(there).free < 2 * 2**20:
        return (
            f"the disk of {there} is full ({error}). Make room (a run needs some 5 MB) and give the same command "
            "again: it goes on from where it was."
        )
    if isinstance(error, OSError) and error.filename and str(folder) in str(error.filename):
        return f"cannot write {error.filename} ({error.strerror}). Name another folder with --output_dir."
    return None
