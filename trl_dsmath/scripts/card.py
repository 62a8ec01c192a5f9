"""What a training command adds to the model card: the recipe that it was run with, and the figures that it logged."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_NO_FIGURES = ("step", "epoch", "total_flos")


def add_run_to_card(trainer: Any) -> None:
    """Has the trainer's `create_model_card` add the recipe and the figures, also for checkpoints and `push_to_hub`."""
    recipe = recipe_name()
    write = trainer.create_model_card

    def write_with_run(*args: Any, **kwargs: Any) -> None:
        write(*args, **kwargs)
        if trainer.is_world_process_zero():
            card = Path(str(trainer.args.output_dir)) / "README.md"
            text = card.read_text(encoding="utf-8").rstrip()
            card.write_text(f"{text}\n\n{run_section(recipe, trainer.state.log_history)}", encoding="utf-8")

    trainer.create_model_card = write_with_run


def run_section(recipe: str | None, history: Sequence[Mapping[str, Any]]) -> str:
    """The section of the card: the recipe, and the last logged figures of training and of evaluation."""
    lines = ["## This run", ""]
    if recipe:
        lines += [f"Recipe of [trl-dsmath](https://pypi.org/project/trl-dsmath): `{recipe}`.", ""]
    for what, key in (("training", "loss"), ("evaluation", "eval_loss")):
        last = next((entry for entry in reversed(history) if key in entry), None)
        if last is None:
            continue
        figures = {
            name: value for name, value in last.items() if name not in _NO_FIGURES and isinstance(value, int | float)
        }
        lines += [
            f"Last logged figures of {what}, update {last['step']:,}:",
            "",
            "| figure | value |",
            "| --- | --- |",
        ]
        lines += [f"| {name} | {value:.6g} |" for name, value in figures.items()]
        lines.append("")
    return "\n".join(lines)


def recipe_name(argv: Sequence[str] | None = None) -> str | None:
    """The recipe of a command line, by default that of the process: `STAGE/NAME` for one of ours, else the name of the file."""
    argv = sys.argv if argv is None else argv
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        value = following if word == "--config" else word.partition("=")[2] if word.startswith("--config=") else ""
        if value:
            path = Path(value)
            if path.parent.parent.name == "recipes":  # as `accelerate launch` hands it on
                return f"{path.parent.name}/{path.stem}"
            stage = Path(argv[0]).stem if argv[0].endswith(".py") else argv[1]  # a script, or `dsmath STAGE`
            return value if path.suffix else f"{stage}/{value}"
    return None
