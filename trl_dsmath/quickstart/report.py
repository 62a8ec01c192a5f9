"""The report of a run: `report.md`, and `report.html` in one file with its pictures."""

from importlib.util import find_spec

from . import page
from .content import WORDS, Content, collect, curve, logged
from .examples import Example
from .look import markdown_table
from .settings import POLICIES, RunFolder, Settings, write_whole

TITLE = "dsmath quickstart: DeepSeekMath on a toy task"
NO_PLOT = (
    "No plot: matplotlib is not installed. `pip install 'trl-dsmath[report]'`, then the same command again adds it."
)


def write(folder: RunFolder, settings: Settings) -> str:
    """
    Writes the report of the stages that are finished.

    Args:
        folder ([`RunFolder`]):
            Folder of the run.
        settings ([`Settings`]):
            Its settings.

    Returns:
        `str`: what to tell on the terminal: the result, and where the report is.
    """
    content = collect(folder, settings)
    pictures = _pictures(content)
    write_whole(folder.path / "report.md", markdown(content))
    write_whole(folder.path / "report.html", page.render(TITLE, content, WORDS, pictures, NO_PLOT))
    lines = [content.headline, f"Report: {folder.path / 'report.html'} (and report.md)"]
    return "\n".join(lines if pictures is not None else [*lines, NO_PLOT])


def _pictures(content: Content) -> dict[str, str] | None:
    """The pictures by their captions; None when matplotlib is not there."""
    if find_spec("matplotlib") is None:
        return None
    from . import plot

    results = content.results
    pictures: dict[str, str] = {}
    policies = {stage: results[stage]["right"] for stage in POLICIES if stage in results}
    if policies:
        total = next(results[stage]["problems"] for stage in policies)
        caption = f"Accuracy on {total} held-out problems after each stage, with 95 % intervals."
        pictures[caption] = plot.accuracy(policies, total)
    runs: list[str] = [stage for stage in ("grpo", "step_grpo") if stage in results]
    if runs:
        caption = "GRPO learns. Line and band: held-out problems, greedy, 95 % interval. Dotted: its own samples."
        points = {stage: curve(results, stage) for stage in runs}
        rewards = {stage: logged(results[stage], "rewards/boxed_accuracy_reward/mean") for stage in runs}
        pictures[caption] = plot.learning_curves(points, results[runs[0]]["problems"], rewards)
    if "prm" in results and results["prm"]["roc"]:
        caption = "The PRM, trained on roll-outs alone, tells right steps of held-out solutions from wrong ones."
        pictures[caption] = plot.roc(results["prm"]["roc"], results["prm"]["auroc"])
    if "solve" in results:
        solve = results["solve"]
        caption = "Votes and pass@k, before GRPO (dashed) and after it with the outcome alone."
        pictures[caption] = plot.votes(solve["k"], solve["sft"], solve["grpo"])
    return pictures


def markdown(content: Content) -> str:
    """The report as Markdown, without pictures."""
    parts = [f"# {TITLE}", content.headline, f"{content.settings}."]
    parts += ["\n".join(f"* {name}: {figure} ({what})" for name, figure, what in content.tiles)]
    for table in content.tables:
        parts += [f"## {table.title}", markdown_table(table.rows), *([table.note] if table.note else [])]
    if content.examples:
        parts += ["## Steps and their scores", *map(_example, content.examples)]
    parts += ["## What is designed in, and what a toy cannot show", "\n".join(f"* {text}" for text in WORDS)]
    parts += ["## Versions", content.versions]
    return "\n\n".join(parts) + "\n"


def _example(example: Example) -> str:
    parts = [f"### {example.caption}", f"{example.question} (right: {example.answer})"]
    for sample in example.samples:
        lines = [f"{step.score:.2f}  {step.text}{'  ✗' if step.wrong else ''}" for step in sample.steps]
        mark = "✓" if sample.right else "✗"
        parts += [f"{mark} {sample.title}", "```\n" + "\n".join(lines) + "\n```"]
    return "\n\n".join(parts)
